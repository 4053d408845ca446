//! From the roster to accounts as hosts are told them.
//!
//! An account is rendered as of the moment of the write that last concerned it, and not as of the present: so every key
//! server renders the same at any time, and what a host holds of an account that nobody changed is what a new snapshot
//! has. Spans of time that have ended since are told too; hosts judge them by the time, and let nobody in by them.

use std::collections::BTreeMap;

use keyroster_api::snapshot::{Account, AccountKey, Segment};
use keyroster_keys::{AccountName, line};
use keyroster_roster::{AccountEntry, Timestamp, snapshot_entries_from};
use keyroster_store::{AccountChange, HostSlice};

use crate::error::ApiError;

/// The accounts of a slice into which anybody may log in, by name.
///
/// # Errors
/// When a line can't be taken apart again, which would be a mistake of ours.
pub fn accounts(
    slice: &HostSlice,
    changes: &BTreeMap<AccountName, AccountChange>,
    now: Timestamp,
) -> Result<BTreeMap<AccountName, Account>, ApiError> {
    // The clock of whoever wrote may be ahead of ours.
    let begin = |account: &AccountName| {
        let changed = changes.get(account).map(|change| change.at);
        changed.unwrap_or(Timestamp::from_unix(0)).min(now)
    };
    snapshot_entries_from(&slice.roster, &slice.host.id, begin)
        .into_iter()
        .map(|entry| {
            let told = account(&entry, begin(&entry.account))?;
            Ok((entry.account, told))
        })
        .collect()
}

fn account(entry: &AccountEntry, begin: Timestamp) -> Result<Account, ApiError> {
    // Sorted by what a host searches by.
    let mut keys = BTreeMap::new();
    for key in &entry.keys {
        let name = (key.blob.algorithm().as_str(), key.blob.base64());
        let segments = key
            .segments
            .iter()
            .map(|part| segment(part, name, begin))
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
    begin: Timestamp,
) -> Result<Segment, ApiError> {
    let (options, comment) =
        split(&part.line, key).ok_or(ApiError::Bug("a line can't be taken apart"))?;
    Ok(Segment {
        // What held already is told as having always held: else a host whose clock is a little slow would wait for it.
        from: if part.from <= begin {
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
