//! A snapshot that was accepted, ready to be asked.

use keyroster_api::snapshot::{AccountKey, Tag};
use keyroster_keys::AccountName;
use keyroster_keys::line::{AuthorizedKey, Comment, KeyOptions, LineKey};
use keyroster_roster::Freshness;

use crate::core::accounts::{Accounts, Damaged};

/// An accepted snapshot, and what updates made of it. Only [`accept`](crate::core::accept::accept) and
/// [`amend`](crate::core::update::amend) make one.
#[derive(Debug)]
pub struct Held {
    pub(super) tag: Tag,
    pub(super) freshness: Freshness,
    pub(super) issued_at: i64,
    pub(super) audit_head: String,
    pub(super) end_sessions: bool,
    pub(super) accounts: Accounts,
}

/// Everything that one snapshot says about one key of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines {
    /// The snapshot that says it; what is cached under another tag is not used.
    pub tag: Tag,
    /// In order, without overlaps; empty when the key is not in the account's list.
    pub spans: Vec<Span>,
}

/// What holds during a span of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The first second.
    pub from: i64,
    /// The second after the last one.
    pub until: Option<i64>,
    /// The line, without a newline; none when what the snapshot says can't be written as one safe line.
    pub line: Option<String>,
}

impl Held {
    /// Epoch and revision.
    #[must_use]
    pub fn tag(&self) -> Tag {
        self.tag
    }

    /// How stale its answers may be.
    #[must_use]
    pub fn freshness(&self) -> Freshness {
        self.freshness
    }

    /// When it was made, in seconds since the Unix epoch.
    #[must_use]
    pub fn issued_at(&self) -> i64 {
        self.issued_at
    }

    /// Hash of the newest audit event, in hex.
    #[must_use]
    pub fn audit_head(&self) -> &str {
        &self.audit_head
    }

    /// Whether sessions that were opened with a key end when the key is revoked.
    #[must_use]
    pub fn end_sessions(&self) -> bool {
        self.end_sessions
    }

    /// The accounts into which anybody may log in.
    #[must_use]
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Makes what the first update needs and an answer does not. Again it costs nothing, after updates neither.
    pub fn prepare(&self) {
        let _ = self.accounts.digest();
    }

    /// Whether that was done already.
    #[must_use]
    pub fn is_prepared(&self) -> bool {
        self.accounts.is_hashed()
    }

    /// Everything it says about this key of this account.
    #[must_use]
    pub fn lines(&self, account: &AccountName, key_type: &str, key_base64: &str) -> Lines {
        let spans = match self.accounts.key(account.as_str(), key_type, key_base64) {
            Ok(key) => key.as_ref().map(render_all).unwrap_or_default(),
            Err(Damaged) => vec![UNREADABLE],
        };
        Lines {
            tag: self.tag,
            spans,
        }
    }
}

impl Lines {
    /// The span that holds at `second`.
    #[must_use]
    pub fn at(&self, second: i64) -> Option<&Span> {
        self.spans
            .iter()
            .find(|span| span.from <= second && span.until.is_none_or(|until| second < until))
    }
}

/// What can't be read is no authoritative no.
const UNREADABLE: Span = Span {
    from: i64::MIN,
    until: None,
    line: None,
};

fn render_all(key: &AccountKey) -> Vec<Span> {
    key.segments
        .iter()
        .map(|segment| Span {
            from: segment.from,
            until: segment.until,
            line: render(key, &segment.options, &segment.comment),
        })
        .collect()
}

/// One line, from the typed tree. It is read again before it is believed; anything that doesn't survive is no line.
fn render(key: &AccountKey, options: &str, comment: &str) -> Option<String> {
    let options = KeyOptions::parse(options).ok()?;
    if !options.restrict {
        return None;
    }
    let key = LineKey::parse(&key.algorithm, &key.blob).ok()?;
    let comment = Comment::parse(comment).ok()?;
    AuthorizedKey {
        options,
        key,
        comment,
    }
    .render()
    .ok()
}
