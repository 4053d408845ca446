//! From the roster to the signed snapshot of one host.

use std::collections::BTreeMap;

use bytes::Bytes;
use keyroster_api::freshness::FreshnessBody;
use keyroster_api::signature::{Namespace, SnapshotKey};
use keyroster_api::snapshot::{Account, AccountKey, MAX_BYTES, SCHEMA, Segment, Snapshot, Tag};
use keyroster_keys::line;
use keyroster_roster::{AccountEntry, AuditHead, Host, Roster, Timestamp, snapshot_entries};
use sha2::{Digest as _, Sha256};

use crate::error::ApiError;

/// What a snapshot says, without saying when: equal contents need no new snapshot.
pub struct Content {
    snapshot: Snapshot,
    digest: [u8; 32],
}

impl Content {
    /// What the host may answer from `now` on.
    ///
    /// # Errors
    /// When a line can't be taken apart again, which would be a mistake of ours.
    pub fn of(roster: &Roster, host: &Host, now: Timestamp) -> Result<Self, ApiError> {
        let accounts = snapshot_entries(roster, &host.id, now);
        let snapshot = Snapshot {
            schema: SCHEMA,
            host: host.id.to_string(),
            host_name: host.name.to_string(),
            epoch: 0,
            revision: 0,
            issued_at: 0,
            audit_head: String::new(),
            freshness: FreshnessBody::from(roster.freshness_of(host)),
            end_sessions: roster.ends_sessions(host),
            accounts: accounts
                .iter()
                .map(|entry| account(entry, now))
                .collect::<Result<_, _>>()?,
        };
        let digest = Sha256::digest(to_json(&snapshot)?).into();
        Ok(Self { snapshot, digest })
    }

    /// Tells contents apart.
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Signs the content as that of this state of the roster.
    ///
    /// # Errors
    /// When it can't be signed, or is larger than any host reads.
    pub fn sign(
        self,
        key: &SnapshotKey,
        tag: Tag,
        head: AuditHead,
        now: Timestamp,
    ) -> Result<Bytes, ApiError> {
        let audit_head = if head.sequence == 0 {
            String::new()
        } else {
            head.hash.to_string()
        };
        let snapshot = Snapshot {
            epoch: tag.epoch.get(),
            revision: tag.revision.get(),
            issued_at: now.as_unix(),
            audit_head,
            ..self.snapshot
        };
        let document = key.sign(Namespace::Snapshot, &to_json(&snapshot)?)?;
        if document.len() > MAX_BYTES {
            return Err(ApiError::Bug("a snapshot is larger than hosts read"));
        }
        Ok(Bytes::from(document))
    }
}

fn account(entry: &AccountEntry, now: Timestamp) -> Result<Account, ApiError> {
    // Sorted by what a host searches by.
    let mut keys = BTreeMap::new();
    for key in &entry.keys {
        let name = (key.blob.algorithm().as_str(), key.blob.base64());
        let segments = key
            .segments
            .iter()
            .map(|part| segment(part, name, now))
            .collect::<Result<_, _>>()?;
        let (algorithm, blob) = (name.0.to_owned(), name.1.to_owned());
        keys.insert(
            name,
            AccountKey {
                algorithm,
                blob,
                segments,
            },
        );
    }
    Ok(Account {
        name: entry.account.to_string(),
        keys: keys.into_values().collect(),
    })
}

fn segment(
    part: &keyroster_roster::Segment,
    key: (&str, &str),
    now: Timestamp,
) -> Result<Segment, ApiError> {
    let (options, comment) =
        split(&part.line, key).ok_or(ApiError::Bug("a line can't be taken apart"))?;
    Ok(Segment {
        // What holds already is told as having always held: else each rendering would be another content, and a host
        // whose clock is a little slow would wait for it.
        from: if part.from <= now {
            0
        } else {
            part.from.as_unix()
        },
        until: part.until.map(Timestamp::as_unix),
        options,
        comment,
    })
}

/// Options and comment of a line that puts together again is the same line.
fn split(text: &str, (algorithm, blob): (&str, &str)) -> Option<(String, String)> {
    let line = line::parse_line(text.as_bytes()).ok()??;
    let (options, comment) = (line.options.render(), line.comment.as_str().to_owned());
    (format!("{options} {algorithm} {blob} {comment}") == text).then_some((options, comment))
}

fn to_json(snapshot: &Snapshot) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(snapshot).map_err(|_| ApiError::Bug("a snapshot has no JSON form"))
}
