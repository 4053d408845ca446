//! Pages: cursors are opaque to clients and checked when they come back.

use std::fmt::Display;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyroster_api::ProblemKind;
use keyroster_api::page::{DEFAULT_LIMIT, MAX_CURSOR, Page, PageQuery};
use keyroster_store::Limit;

use crate::error::{Answer, ApiError};

/// The place after which a page begins, and how long it may be.
///
/// # Errors
/// When the limit is out of range or the cursor is none of ours.
pub fn read<K: FromStr>(query: &PageQuery) -> Answer<(Option<K>, Limit)> {
    let limit = Limit::new(query.limit.unwrap_or(DEFAULT_LIMIT))
        .map_err(|error| ApiError::invalid("limit", &error))?;
    let after = query.cursor.as_deref().map(cursor).transpose()?;
    Ok((after, limit))
}

/// A page as clients see it.
pub fn view<T, K: Display, V>(
    page: keyroster_store::Page<T, K>,
    view: impl Fn(&T) -> V,
) -> Page<V> {
    Page {
        items: page.items.iter().map(view).collect(),
        next_cursor: page.next.map(|key| URL_SAFE_NO_PAD.encode(key.to_string())),
    }
}

fn cursor<K: FromStr>(text: &str) -> Answer<K> {
    let refused = || {
        let detail = "cursor: it is none that this list gave out";
        ApiError::hinted(
            ProblemKind::InvalidValue,
            detail,
            "begin again without a cursor",
        )
    };
    if text.len() > MAX_CURSOR {
        return Err(refused());
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| refused())?;
    let text = String::from_utf8(bytes).map_err(|_| refused())?;
    text.parse().map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use keyroster_keys::UserName;

    use super::*;

    fn query(limit: Option<u32>, cursor: Option<&str>) -> PageQuery {
        PageQuery {
            limit,
            cursor: cursor.map(ToOwned::to_owned),
        }
    }

    #[test]
    fn a_cursor_leads_to_where_the_page_before_ended() {
        let name = UserName::parse("alice").unwrap();
        let page = view(
            keyroster_store::Page {
                items: vec![1],
                next: Some(name.clone()),
            },
            |item| *item,
        );
        let (after, _) = read::<UserName>(&query(None, page.next_cursor.as_deref())).unwrap();
        assert_eq!(after, Some(name));
    }

    #[test]
    fn a_cursor_that_is_none_and_a_limit_out_of_range_are_refused() {
        let foreign = URL_SAFE_NO_PAD.encode("Not A Name");
        let long = "a".repeat(MAX_CURSOR + 1);
        for (limit, cursor) in [
            (Some(0), None),
            (Some(1001), None),
            (None, Some("?")),
            (None, Some(foreign.as_str())),
            (None, Some(&long)),
        ] {
            assert!(
                read::<UserName>(&query(limit, cursor)).is_err(),
                "{limit:?} {cursor:?}"
            );
        }
    }
}
