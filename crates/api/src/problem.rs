//! Problems: what every refusal looks like on the wire (RFC 9457, `application/problem+json`).
//!
//! The `type` is stable: programs decide by it, never by the text. The set is closed so that the OpenAPI document can list it
//! and a new one is a decision, not an accident.

use serde::{Deserialize, Serialize};

/// Media type of a problem.
pub const CONTENT_TYPE: &str = "application/problem+json";
/// What every problem's `type` begins with.
pub const TYPE_PREFIX: &str = "urn:keyroster:problem:";

/// A refusal, as sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// `urn:keyroster:problem:` and the slug of a [`ProblemKind`].
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, on which object.
    pub detail: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Every kind of problem that the key server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// The body is not JSON of the shape that the endpoint takes.
    MalformedBody,
    /// A field, a path segment or a query parameter does not parse.
    InvalidValue,
    /// The public key cannot be read, or is not one that may be used.
    UnacceptableKey,
    /// Somebody's private key was sent; nothing of it was kept.
    PrivateKey,
    /// A key option that sshd does not know, or that a grant may not carry.
    UnacceptableOption,
    /// No credential, or one that is not valid any more.
    Unauthenticated,
    /// The credential's role does not allow this.
    Forbidden,
    /// There is no such object.
    NotFound,
    /// The path does not take this method.
    MethodNotAllowed,
    /// An object of this name or fingerprint exists.
    AlreadyExists,
    /// The key belongs to another user.
    KeyOfAnotherUser,
    /// The object's state does not allow this.
    Conflict,
    /// The host was removed, or its credential was superseded.
    HostGone,
    /// The enrolment token was used, has expired, or never existed.
    EnrolmentRefused,
    /// The body is larger than the endpoint takes.
    TooLarge,
    /// The body is not of the media type that the endpoint takes.
    UnsupportedMediaType,
    /// The request was not complete in time.
    RequestTimeout,
    /// Too many requests.
    TooManyRequests,
    /// The key server failed; nothing was changed.
    Internal,
    /// The key server cannot decide now, for example because its database is out of reach.
    Unavailable,
}

impl ProblemKind {
    /// Every kind.
    pub const ALL: [Self; 20] = [
        Self::MalformedBody,
        Self::InvalidValue,
        Self::UnacceptableKey,
        Self::PrivateKey,
        Self::UnacceptableOption,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::AlreadyExists,
        Self::KeyOfAnotherUser,
        Self::Conflict,
        Self::HostGone,
        Self::EnrolmentRefused,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::RequestTimeout,
        Self::TooManyRequests,
        Self::Internal,
        Self::Unavailable,
    ];

    /// The last part of the problem's `type`.
    #[must_use]
    pub fn slug(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status that goes with it.
    #[must_use]
    pub fn status(self) -> u16 {
        self.row().1
    }

    /// The kind in words.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.row().2
    }

    /// The kind whose `type` this is.
    #[must_use]
    pub fn from_type(text: &str) -> Option<Self> {
        let slug = text.strip_prefix(TYPE_PREFIX)?;
        Self::ALL.into_iter().find(|kind| kind.slug() == slug)
    }

    /// A problem of this kind.
    #[must_use]
    pub fn with(self, detail: impl Into<String>) -> Problem {
        Problem {
            kind: format!("{TYPE_PREFIX}{}", self.slug()),
            title: self.title().to_owned(),
            status: self.status(),
            detail: detail.into(),
            hint: None,
        }
    }

    const fn row(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::MalformedBody => ("malformed-body", 400, "the body cannot be read"),
            Self::InvalidValue => ("invalid-value", 422, "a value cannot be used"),
            Self::UnacceptableKey => ("unacceptable-key", 422, "the public key cannot be used"),
            Self::PrivateKey => ("private-key", 422, "a private key was sent"),
            Self::UnacceptableOption => {
                ("unacceptable-option", 422, "the key option cannot be used")
            }
            Self::Unauthenticated => ("unauthenticated", 401, "no valid credential"),
            Self::Forbidden => ("forbidden", 403, "not allowed"),
            Self::NotFound => ("not-found", 404, "no such object"),
            Self::MethodNotAllowed => ("method-not-allowed", 405, "not this method"),
            Self::AlreadyExists => ("already-exists", 409, "it exists already"),
            Self::KeyOfAnotherUser => (
                "key-of-another-user",
                409,
                "the key belongs to another user",
            ),
            Self::Conflict => ("conflict", 409, "its state does not allow this"),
            Self::HostGone => ("host-gone", 410, "the host is out"),
            Self::EnrolmentRefused => {
                ("enrolment-refused", 403, "the enrolment token is not valid")
            }
            Self::TooLarge => ("too-large", 413, "the body is too large"),
            Self::UnsupportedMediaType => ("unsupported-media-type", 415, "not this media type"),
            Self::RequestTimeout => ("request-timeout", 408, "the request took too long"),
            Self::TooManyRequests => ("too-many-requests", 429, "too many requests"),
            Self::Internal => ("internal", 500, "the key server failed"),
            Self::Unavailable => ("unavailable", 503, "the key server cannot decide now"),
        }
    }
}

impl Problem {
    /// The same problem with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_a_slug_of_its_own_and_is_found_by_its_type() {
        let slugs: BTreeSet<_> = ProblemKind::ALL.iter().map(|kind| kind.slug()).collect();
        assert_eq!(slugs.len(), ProblemKind::ALL.len());
        for kind in ProblemKind::ALL {
            assert_eq!(ProblemKind::from_type(&kind.with("x").kind), Some(kind));
            assert!((400..600).contains(&kind.status()));
        }
    }

    #[test]
    fn a_problem_is_written_as_rfc_9457_has_it() {
        let text =
            serde_json::to_string(&ProblemKind::NotFound.with("there is no user \"bob\"")).unwrap();
        assert_eq!(
            text,
            r#"{"type":"urn:keyroster:problem:not-found","title":"no such object","status":404,"detail":"there is no user \"bob\""}"#
        );
    }
}
