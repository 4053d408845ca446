//! The signed word, for one question of one host, on which snapshot holds now.
//!
//! Signed where the request is answered and not on a thread of its own: a signature takes some 50 microseconds, which is
//! little more than handing it over and back would.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use keyroster_api::ProblemKind;
use keyroster_api::heartbeat::{HEARTBEAT_HEADER, Heartbeat, NONCE_HEADER, Nonce, SCHEMA};
use keyroster_api::snapshot::Tag;
use keyroster_roster::HostId;

use crate::app::App;
use crate::error::{Answer, ApiError};

/// How a host stands.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// The snapshot that holds for it.
    pub tag: Tag,
    /// The state of the roster at which that was found.
    pub at: Tag,
}

/// The nonce of a question; `None` when there is none, as somebody asks who looks by hand.
///
/// # Errors
/// When there is something else in its place: a host would wait for a heartbeat that can't come.
pub fn nonce(headers: &HeaderMap) -> Answer<Option<Nonce>> {
    let mut values = headers.get_all(NONCE).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let nonce = value.to_str().ok().and_then(|text| text.parse().ok());
    match (nonce, values.next()) {
        (Some(nonce), None) => Ok(Some(nonce)),
        _ => Err(ApiError::refused(
            ProblemKind::InvalidValue,
            "keyroster-nonce: one of 16 bytes in base64url without padding is wanted",
        )),
    }
}

/// The heartbeat, as a header. Only for an answer that says the same.
///
/// # Errors
/// When it can't be signed; the answer must not go out then, for the host would not take it.
pub fn header(
    app: &App,
    host: &HostId,
    nonce: Nonce,
    standing: Standing,
) -> Answer<(HeaderName, HeaderValue)> {
    let heartbeat = Heartbeat {
        schema: SCHEMA,
        host: host.to_string(),
        nonce: nonce.to_string(),
        epoch: standing.tag.epoch.get(),
        revision: standing.tag.revision.get(),
        roster_revision: standing.at.revision.get(),
        server_time_ms: app.unix_millis(),
    };
    let text = heartbeat.to_header(&app.signing_key)?;
    let value =
        HeaderValue::try_from(text).map_err(|_| ApiError::Bug("a heartbeat is no header"))?;
    Ok((HEARTBEAT, value))
}

/// The question's header.
pub const NONCE: HeaderName = HeaderName::from_static(NONCE_HEADER);
/// The answer's header.
pub const HEARTBEAT: HeaderName = HeaderName::from_static(HEARTBEAT_HEADER);
