//! Whether a signed document may replace what is held.
//!
//! The same judgement for what the key server sent and for what lies on the disk, in this order: signature, schema, host,
//! epoch and revision, clock. Nothing is parsed before its signature held; nothing is partly used.

use keyroster_api::freshness::FreshnessBody;
use keyroster_api::signature::{Namespace, SignatureError, SnapshotPublicKey};
use keyroster_api::snapshot::{SCHEMA, Snapshot, Tag};
use keyroster_roster::{Epoch, Freshness, ModelError, Revision};
use serde::Deserialize;

use crate::core::accounts::Accounts;
use crate::core::held::Held;

/// Whom a host believes, and who it is: fixed by its enrolment.
#[derive(Debug, Clone)]
pub struct Authority {
    /// The key that signs snapshots.
    pub key: SnapshotPublicKey,
    /// The host's own id.
    pub host_id: String,
}

/// Why a document was refused. What is held stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Altered, truncated, or signed by somebody else.
    #[error("{0}")]
    Signature(#[from] SignatureError),
    /// Of a schema that this version does not know; the host agent must be upgraded.
    #[error("its schema is {0}, and this version reads {SCHEMA}")]
    Schema(u64),
    /// Signed, and yet not what it should be: the key server is at fault.
    #[error("it can't be read: {0}")]
    Malformed(String),
    /// For another host.
    #[error("it is for host \"{0}\"")]
    OtherHost(String),
    /// Older than one that was seen before.
    #[error("it is {}.{}, and {}.{} was seen before", offered.epoch.get(), offered.revision.get(), seen.epoch.get(), seen.revision.get())]
    WentBack {
        /// What the document is.
        offered: Tag,
        /// The highest that was seen.
        seen: Tag,
    },
    /// Issued later than the key server's own time: one of two clocks is badly wrong.
    #[error("it was issued {ahead_s} seconds in the future")]
    FromTheFuture {
        /// By how many seconds.
        ahead_s: i64,
    },
    /// An update of something else than what is held.
    #[error("it changes {}.{}, and {}.{} is held", from.epoch.get(), from.revision.get(), held.epoch.get(), held.revision.get())]
    OtherBase {
        /// What the update changes.
        from: Tag,
        /// What is held.
        held: Tag,
    },
    /// An update that makes something else of what is held than the key server has.
    #[error("it makes other accounts than the key server has")]
    OtherResult,
}

/// Judges a signed snapshot.
///
/// `seen` is the highest epoch and revision ever seen; `time_s` is the key server's time if it told one, else the wall clock's.
///
/// # Errors
/// When the document may not replace what is held.
pub fn accept(
    document: &[u8],
    authority: &Authority,
    seen: Tag,
    time_s: i64,
) -> Result<Held, Refusal> {
    let held = believe(document, authority, time_s)?;
    not_back(held.tag(), seen)?;
    Ok(held)
}

/// Judges a signed snapshot but for its age: what lies beside it may make it newer.
///
/// # Errors
/// When the document may not be used.
pub fn believe(document: &[u8], authority: &Authority, time_s: i64) -> Result<Held, Refusal> {
    let bytes = authority.key.verify(Namespace::Snapshot, document)?;
    let snapshot: Snapshot<Accounts> = parse(bytes)?;
    ours(snapshot.schema, snapshot.host, authority)?;
    let tag = Tag {
        epoch: Epoch::new(snapshot.epoch)?,
        revision: Revision::new(snapshot.revision)?,
    };
    not_ahead(snapshot.issued_at, time_s)?;
    Ok(Held {
        tag,
        freshness: freshness(snapshot.freshness)?,
        issued_at: snapshot.issued_at,
        audit_head: snapshot.audit_head,
        end_sessions: snapshot.end_sessions,
        accounts: snapshot.accounts,
    })
}

/// The one field that every schema has.
#[derive(Deserialize)]
struct SchemaOnly {
    schema: u64,
}

/// Reads what was signed. What another schema has may have any form, and is refused by its number.
pub(super) fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(|err| match serde_json::from_slice(bytes) {
        Ok(SchemaOnly { schema }) if schema != u64::from(SCHEMA) => Refusal::Schema(schema),
        _ => Refusal::Malformed(err.to_string()),
    })
}

pub(super) fn ours(schema: u32, host: String, authority: &Authority) -> Result<(), Refusal> {
    if schema != SCHEMA {
        return Err(Refusal::Schema(schema.into()));
    }
    match host == authority.host_id {
        true => Ok(()),
        false => Err(Refusal::OtherHost(host)),
    }
}

/// Whether a document is at least as new as what was seen.
///
/// # Errors
/// When it is not.
pub fn not_back(offered: Tag, seen: Tag) -> Result<(), Refusal> {
    match offered < seen {
        true => Err(Refusal::WentBack { offered, seen }),
        false => Ok(()),
    }
}

pub(super) fn not_ahead(issued_at: i64, time_s: i64) -> Result<(), Refusal> {
    let ahead_s = issued_at.saturating_sub(time_s);
    match ahead_s > MAX_AHEAD_S {
        true => Err(Refusal::FromTheFuture { ahead_s }),
        false => Ok(()),
    }
}

pub(super) fn freshness(body: FreshnessBody) -> Result<Freshness, Refusal> {
    Freshness::try_from(body).map_err(|err| Refusal::Malformed(err.to_string()))
}

impl From<ModelError> for Refusal {
    fn from(err: ModelError) -> Self {
        Self::Malformed(err.to_string())
    }
}

/// By how much a snapshot may be issued later than the time it is judged by, in seconds: what unsynchronised clocks differ.
pub const MAX_AHEAD_S: i64 = 300;

#[cfg(test)]
mod tests {
    use keyroster_api::signature::SnapshotKey;
    use keyroster_api::snapshot::Account;
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{HOST_ID, authority, sign, snapshot, snapshot_key, tag};

    const NOW_S: i64 = 1_000_000;

    /// Coprime to eight, so that the flips go through all bits; a signature is checked for each.
    const STRIDE: usize = 13;

    fn judge(document: &[u8]) -> Result<Held, Refusal> {
        accept(document, &authority(), tag(1, 10), NOW_S)
    }

    fn accounts(held: &Held) -> Vec<Account> {
        held.accounts().iter().map(Result::unwrap).collect()
    }

    #[test]
    fn a_sound_snapshot_is_accepted() {
        let held = judge(&sign(&snapshot(1, 10))).unwrap();
        assert_eq!(held.tag(), tag(1, 10));
        assert_eq!(accounts(&held), snapshot(1, 10).accounts);
    }

    #[test]
    fn a_flipped_bit_anywhere_is_refused_or_changes_nothing_that_was_signed() {
        let document = sign(&snapshot(1, 10));
        for index in (0..document.len()).step_by(STRIDE) {
            let mut flipped = document.clone();
            flipped[index] ^= 1 << (index % 8);
            if let Ok(held) = judge(&flipped) {
                assert_eq!(accounts(&held), snapshot(1, 10).accounts, "byte {index}");
            }
        }
    }

    #[test]
    fn a_truncated_snapshot_is_refused_at_whatever_length() {
        let document = sign(&snapshot(1, 10));
        for length in (0..document.len()).step_by(STRIDE) {
            assert!(
                matches!(judge(&document[..length]), Err(Refusal::Signature(_))),
                "{length}"
            );
        }
    }

    #[test]
    fn a_snapshot_signed_by_another_key_is_refused() {
        let other = SnapshotKey::from_seed(&[99; 32]).unwrap();
        let bytes = serde_json::to_vec(&snapshot(1, 10)).unwrap();
        let refusal = judge(&other.sign(Namespace::Snapshot, &bytes).unwrap()).unwrap_err();
        assert_eq!(refusal, Refusal::Signature(SignatureError::Signature));
    }

    #[test]
    fn a_snapshot_of_another_host_is_refused() {
        let mut other = snapshot(1, 10);
        other.host = "00000000-0000-7000-8000-00000000beef".to_owned();
        assert!(matches!(judge(&sign(&other)), Err(Refusal::OtherHost(_))));
    }

    #[test]
    fn a_snapshot_older_than_one_seen_is_refused() {
        for (epoch, revision) in [(1, 9), (0, 9_000)] {
            let refusal = judge(&sign(&snapshot(epoch, revision))).unwrap_err();
            assert!(
                matches!(refusal, Refusal::WentBack { .. }),
                "{epoch}.{revision}: {refusal}"
            );
        }
        for (epoch, revision) in [(1, 10), (1, 11), (2, 1)] {
            assert!(
                judge(&sign(&snapshot(epoch, revision))).is_ok(),
                "{epoch}.{revision}"
            );
        }
    }

    #[test]
    fn a_snapshot_of_another_schema_is_refused_by_its_number_and_not_by_its_fields() {
        let bytes = format!("{{\"schema\":2,\"host\":\"{HOST_ID}\",\"news\":[]}}");
        let refusal = judge(
            &snapshot_key()
                .sign(Namespace::Snapshot, bytes.as_bytes())
                .unwrap(),
        )
        .unwrap_err();
        assert_eq!(refusal, Refusal::Schema(2));
    }

    #[test]
    fn a_snapshot_from_the_future_is_refused_and_clock_skew_is_not() {
        let mut ahead = snapshot(1, 10);
        ahead.issued_at = NOW_S + MAX_AHEAD_S;
        assert!(judge(&sign(&ahead)).is_ok());
        ahead.issued_at += 1;
        assert!(matches!(
            judge(&sign(&ahead)),
            Err(Refusal::FromTheFuture { .. })
        ));
    }

    #[test]
    fn a_signed_document_that_is_no_snapshot_is_refused() {
        for bytes in [
            "",
            "{}",
            "null",
            "{\"schema\":1}",
            "{\"schema\":1,\"more\":2}",
        ] {
            let refusal = judge(
                &snapshot_key()
                    .sign(Namespace::Snapshot, bytes.as_bytes())
                    .unwrap(),
            )
            .unwrap_err();
            assert!(
                matches!(refusal, Refusal::Malformed(_)),
                "{bytes}: {refusal}"
            );
        }
    }

    #[test]
    fn an_account_or_key_that_stands_in_it_twice_is_refused() {
        let mut accounts = snapshot(1, 10);
        accounts.accounts.push(accounts.accounts[0].clone());
        let mut keys = snapshot(1, 10);
        let key = keys.accounts[0].keys[0].clone();
        keys.accounts[0].keys.push(key);
        for twice in [accounts, keys] {
            assert!(matches!(judge(&sign(&twice)), Err(Refusal::Malformed(_))));
        }
    }

    #[test]
    fn freshness_beyond_its_limits_is_refused() {
        let mut lax = snapshot(1, 10);
        lax.freshness.grace_s = u32::MAX;
        assert!(matches!(judge(&sign(&lax)), Err(Refusal::Malformed(_))));
    }

    proptest! {
        #[test]
        fn bytes_of_any_kind_never_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            prop_assert!(judge(&bytes).is_err());
        }
    }
}
