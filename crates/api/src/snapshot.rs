//! The snapshot: everything that one host may answer, at one revision.
//!
//! It is JSON inside of a signed document (see [`crate::signature`]). For each account and key it holds *segments*: what holds
//! from when until when, resolved by the key server for every start and end of a grant that it knows of. So a host that is cut
//! off still honours them, without knowing grants, groups or the rules by which they merge.
//!
//! Unknown fields are refused: a host that does not understand a rule must not answer by the rest. What adds a field raises
//! [`SCHEMA`]. Times are seconds since the Unix epoch, since hosts compare them and people seldom read them.

use keyroster_keys::AccountName;
use keyroster_roster::{Epoch, Revision};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::freshness::FreshnessBody;

/// The schema that this version writes and the only one that it reads.
pub const SCHEMA: u32 = 1;
/// Media type of the signed document.
pub const CONTENT_TYPE: &str = "application/vnd.keyroster.snapshot";
/// The largest signed document that is written or read, in bytes: 100,000 accounts of three keys fit.
pub const MAX_BYTES: usize = 128 * 1024 * 1024;

/// The signed bytes of a snapshot, parsed. Hosts read the accounts into something smaller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot<Accounts = Vec<Account>> {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The id of the host that it is for.
    pub host: String,
    /// The host's name, for people.
    pub host_name: String,
    /// Raised when the roster is restored from a backup.
    pub epoch: u64,
    /// The revision of the roster that it tells.
    pub revision: u64,
    /// When it was made, in seconds since the Unix epoch.
    pub issued_at: i64,
    /// Hash of the newest audit event, in hex; empty while there is none. Hosts keep it, and so witness the audit log.
    pub audit_head: String,
    /// How stale an answer may be on this host.
    pub freshness: FreshnessBody,
    /// Whether sessions that were opened with a key end when the key is revoked.
    pub end_sessions: bool,
    /// The accounts into which anybody may log in, sorted by name.
    pub accounts: Accounts,
}

/// One Unix account of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Its name; uid 0 is asked for as `root`, whatever its name.
    pub name: String,
    /// The keys that may log in, sorted by algorithm and body.
    pub keys: Vec<AccountKey>,
}

/// One key of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountKey {
    /// The algorithm, as in an authorized_keys line.
    pub algorithm: String,
    /// The base64 body, canonical.
    pub blob: String,
    /// What holds when: in order, without overlaps.
    pub segments: Vec<Segment>,
}

/// What holds for a key of an account during a span of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// The first second in which it holds.
    pub from: i64,
    /// The first second in which it holds no more; null when no end is known.
    pub until: Option<i64>,
    /// The key options, rendered; never empty, since every line begins with `restrict`.
    pub options: String,
    /// The comment: `keyroster:<user>:<grant>`.
    pub comment: String,
}

/// A text that is no entity tag of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not an entity tag of the form \"<epoch>.<revision>\"")]
pub struct TagError;

/// Which state of the roster a snapshot tells: its entity tag, `"<epoch>.<revision>"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    /// The epoch, compared first.
    pub epoch: Epoch,
    /// The revision.
    pub revision: Revision,
}

impl Tag {
    /// Reads an entity tag as it stands in `ETag` and `If-None-Match`.
    ///
    /// # Errors
    /// When it is not of the form, or a number is out of range.
    pub fn from_header(text: &str) -> Result<Self, TagError> {
        let inner = text
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .ok_or(TagError)?;
        let (epoch, revision) = inner.split_once('.').ok_or(TagError)?;
        Ok(Self {
            epoch: Epoch::new(number(epoch)?).map_err(|_| TagError)?,
            revision: Revision::new(number(revision)?).map_err(|_| TagError)?,
        })
    }

    /// Writes the entity tag, quotes included.
    #[must_use]
    pub fn to_header(self) -> String {
        format!("\"{}.{}\"", self.epoch.get(), self.revision.get())
    }
}

impl Snapshot {
    /// The segment that holds for a key of an account at `now`, in seconds since the Unix epoch.
    #[must_use]
    pub fn segment_at(
        &self,
        account: &AccountName,
        algorithm: &str,
        blob: &str,
        now: i64,
    ) -> Option<&Segment> {
        let index = self
            .accounts
            .binary_search_by(|entry| entry.name.as_str().cmp(account.as_str()))
            .ok()?;
        let keys = &self.accounts.get(index)?.keys;
        let key = keys
            .iter()
            .find(|key| key.algorithm == algorithm && key.blob == blob)?;
        key.segments.iter().find(|segment| segment.holds_at(now))
    }
}

impl Segment {
    /// Whether it holds at `now`, in seconds since the Unix epoch.
    #[must_use]
    pub fn holds_at(&self, now: i64) -> bool {
        self.from <= now && self.until.is_none_or(|until| now < until)
    }
}

/// A number without sign, blanks or leading zeros.
fn number(text: &str) -> Result<u64, TagError> {
    let canonical = text == "0"
        || (text.starts_with(|first: char| first.is_ascii_digit()) && !text.starts_with('0'));
    if !canonical || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(TagError);
    }
    text.parse().map_err(|_| TagError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_survives_its_header() {
        let tag = Tag::from_header("\"3.42\"").unwrap();
        assert_eq!((tag.epoch.get(), tag.revision.get()), (3, 42));
        assert_eq!(tag.to_header(), "\"3.42\"");
    }

    #[test]
    fn a_tag_of_another_form_is_refused() {
        for text in [
            "",
            "3.42",
            "\"3\"",
            "\"3.\"",
            "\".4\"",
            "\"+3.4\"",
            "\"03.4\"",
            "W/\"3.4\"",
            "\"3.18446744073709551616\"",
        ] {
            assert_eq!(Tag::from_header(text), Err(TagError), "{text}");
        }
    }

    #[test]
    fn a_tag_beyond_what_sql_can_hold_is_refused() {
        assert_eq!(Tag::from_header("\"1.9223372036854775808\""), Err(TagError));
    }

    #[test]
    fn an_epoch_weighs_more_than_a_revision() {
        assert!(Tag::from_header("\"2.1\"").unwrap() > Tag::from_header("\"1.900\"").unwrap());
    }

    #[test]
    fn a_segment_ends_before_its_last_second() {
        let segment = Segment {
            from: 10,
            until: Some(20),
            options: "restrict".into(),
            comment: "keyroster:a:b".into(),
        };
        assert_eq!(
            [9, 10, 19, 20].map(|now| segment.holds_at(now)),
            [false, true, true, false]
        );
    }

    #[test]
    fn duplicate_and_unknown_fields_are_refused() {
        let good = r#"{"from":1,"until":null,"options":"restrict","comment":"c"}"#;
        assert!(serde_json::from_str::<Segment>(good).is_ok());
        for bad in [
            r#"{"from":1,"from":2,"until":null,"options":"restrict","comment":"c"}"#,
            r#"{"from":1,"until":null,"options":"restrict","comment":"c","more":1}"#,
        ] {
            assert!(serde_json::from_str::<Segment>(bad).is_err(), "{bad}");
        }
    }
}
