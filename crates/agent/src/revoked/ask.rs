//! Asking the key server for the list.

use std::time::Duration;

use keyroster_api::paths::HOST_REVOKED_KEYS;
use keyroster_api::revoked_keys::{CONTENT_TYPE, MAX_BYTES, SINCE, tag_text};
use keyroster_api::snapshot::Tag;

use crate::fetch::{BACKGROUND_TIMEOUT, Fetcher, PREFER, describe};

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// The list that is held.
    pub held: Option<Tag>,
    /// In which form an answer is of use.
    pub form: Wanted,
    /// How long the key server may hold the question until the list changes.
    pub wait: Option<Duration>,
}

/// In which form an answer is of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The additions to what is held, or the whole list.
    Additions,
    /// The whole list.
    Whole,
}

/// What the key server said.
#[derive(Debug)]
pub enum Said {
    /// The list that is held is the newest.
    Unchanged,
    /// There is another one.
    Document(Vec<u8>),
}

/// Asks.
///
/// # Errors
/// When the answer is neither, in words for people.
pub async fn ask(fetcher: &Fetcher, ask: Ask) -> Result<Said, String> {
    let since = match (ask.form, ask.held) {
        (Wanted::Additions, Some(held)) => format!("?{SINCE}={}", tag_text(held)),
        _ => String::new(),
    };
    let mut request = fetcher
        .get(&format!("{HOST_REVOKED_KEYS}{since}"))
        .header(http::header::ACCEPT, CONTENT_TYPE)
        .timeout(BACKGROUND_TIMEOUT + ask.wait.unwrap_or_default());
    if let Some(held) = ask.held {
        request = request.header(http::header::IF_NONE_MATCH, held.to_header());
    }
    if let Some(wait) = ask.wait {
        request = request.header(PREFER, format!("wait={}", wait.as_secs()));
    }
    let answer = fetcher.send(request, MAX_BYTES).await;
    let answer = answer.map_err(|err| describe(&err))?;
    match answer.status.as_u16() {
        200 if answer.media_type() == CONTENT_TYPE => Ok(Said::Document(answer.body.into())),
        200 => Err(format!(
            "the answer is no list of revoked keys: \"{}\"",
            answer.media_type()
        )),
        304 if ask.held.is_some() => Ok(Said::Unchanged),
        status => Err(format!("the key server answers {status}")),
    }
}
