//! A snapshot that was accepted, ready to be asked.

use keyroster_api::snapshot::{Account, AccountKey, Snapshot, Tag};
use keyroster_keys::AccountName;
use keyroster_keys::line::{AuthorizedKey, Comment, KeyOptions, LineKey};
use keyroster_roster::Freshness;

/// An accepted snapshot. Only [`crate::core::accept::accept`] makes one.
#[derive(Debug)]
pub struct Held {
    pub(super) tag: Tag,
    pub(super) freshness: Freshness,
    pub(super) snapshot: Snapshot,
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

    /// What was signed.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Everything it says about this key of this account.
    #[must_use]
    pub fn lines(&self, account: &AccountName, key_type: &str, key_base64: &str) -> Lines {
        let key = find_account(&self.snapshot.accounts, account.as_str())
            .and_then(|account| find_key(&account.keys, key_type, key_base64));
        let spans = key.map(render_all).unwrap_or_default();
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

/// Acceptance has sorted accounts by name.
fn find_account<'a>(accounts: &'a [Account], name: &str) -> Option<&'a Account> {
    let index = accounts
        .binary_search_by(|entry| entry.name.as_str().cmp(name))
        .ok()?;
    accounts.get(index)
}

/// Acceptance has sorted keys by algorithm and body, as text.
fn find_key<'a>(keys: &'a [AccountKey], algorithm: &str, blob: &str) -> Option<&'a AccountKey> {
    let asked = (algorithm, blob);
    let index = keys
        .binary_search_by(|key| (key.algorithm.as_str(), key.blob.as_str()).cmp(&asked))
        .ok()?;
    keys.get(index)
}

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
