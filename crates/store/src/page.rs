//! Pages of a list, each continued after the last item of the one before.
//!
//! By key and not by number: a page costs the same at the start and at the end of a long list, and what is added or
//! removed meanwhile neither repeats nor hides an item.

use thiserror::Error;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, K> {
    /// The items, in order of their keys.
    pub items: Vec<T>,
    /// After which key the next page begins; `None` on the last page.
    pub next: Option<K>,
}

/// How many items a page has at most: 1 to [`MAX_PAGE_ITEMS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u32);

/// A number that is no [`Limit`]: name the bounds to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a page has 1 to {MAX_PAGE_ITEMS} items")]
pub struct LimitError;

impl Limit {
    /// The longest page.
    pub const MAX: Self = Self(MAX_PAGE_ITEMS);

    /// Takes a number within the bounds.
    ///
    /// # Errors
    /// When it lies outside them.
    pub const fn new(items: u32) -> Result<Self, LimitError> {
        if items >= 1 && items <= MAX_PAGE_ITEMS {
            Ok(Self(items))
        } else {
            Err(LimitError)
        }
    }

    /// One item more than the page, which says whether there is another page.
    pub(crate) fn and_one(self) -> i64 {
        i64::from(self.0) + 1
    }
}

impl<T, K> Page<T, K> {
    /// Makes a page of what a query for [`Limit::and_one`] items returned.
    pub(crate) fn of(mut items: Vec<T>, limit: Limit, key: impl Fn(&T) -> K) -> Self {
        let length = usize::try_from(limit.0).unwrap_or(usize::MAX);
        let more = items.len() > length;
        items.truncate(length);
        let next = items.last().filter(|_| more).map(key);
        Self { items, next }
    }
}

/// Items on a page at most.
pub const MAX_PAGE_ITEMS: u32 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_a_next_one_only_if_there_is_more() {
        let two = Limit::new(2).unwrap();
        let page = |items: &[u8]| Page::of(items.to_vec(), two, |item| *item);
        assert_eq!(
            page(&[1, 2, 3]),
            Page {
                items: vec![1, 2],
                next: Some(2)
            }
        );
        assert_eq!(
            page(&[1, 2]),
            Page {
                items: vec![1, 2],
                next: None
            }
        );
        assert_eq!(
            page(&[]),
            Page {
                items: vec![],
                next: None
            }
        );
    }

    #[test]
    fn a_limit_lies_within_its_bounds() {
        assert_eq!(Limit::new(0), Err(LimitError));
        assert_eq!(Limit::new(MAX_PAGE_ITEMS), Ok(Limit::MAX));
        assert_eq!(Limit::new(MAX_PAGE_ITEMS + 1), Err(LimitError));
    }
}
