//! An exchange of the snapshot key, as a host follows it.
//!
//! To believe one key more is safe at once. To believe one less is not: what lies on the disk may be signed by it, and a host that
//! starts then while the key server is out of reach would have nothing. So the whole snapshot is fetched first, by the key that
//! stays, and is on the disk before the other key goes.

use std::time::Duration;

use crate::core::knowledge::{Knowledge, Outcome};
use crate::fetch::{Ask, Fetched, Fetcher, Form};
use crate::state::Credential;

/// What a host goes on with.
#[derive(Debug)]
pub struct NewTrust {
    /// The credential with the new keys; not saved yet.
    pub credential: Credential,
    /// Its connection.
    pub fetcher: Fetcher,
    /// What has to be on the disk before the credential is: a snapshot by the key that stays. None where no key goes.
    pub snapshot: Option<Fetched>,
}

/// Follows the exchange as far as it goes. None where it does not, which is tried again with the next answer.
pub async fn follow(
    (fetcher, credential): (&Fetcher, &Credential),
    server: Option<&str>,
    known: &Knowledge,
    total: Duration,
) -> Option<NewTrust> {
    if !fetcher.is_behind_keys() {
        return None;
    }
    let (snapshot_key, keys_serial) = match fetcher.newer_keys(total).await {
        Ok(newer) => newer?,
        Err(err) => {
            tracing::warn!(error = %err, "the key server's new snapshot key can't be asked for");
            return None;
        }
    };
    let mut credential = credential.clone();
    let drops = !snapshot_key.holds(&credential.snapshot_key);
    credential.snapshot_key = snapshot_key;
    credential.host.keys_serial = keys_serial;
    let fetcher = Fetcher::new(&credential, server).ok()?;
    let snapshot = match drops {
        true => Some(whole(&fetcher, known, total).await?),
        false => None,
    };
    Some(NewTrust {
        credential,
        fetcher,
        snapshot,
    })
}

/// The whole snapshot, by the keys that are believed from now on.
async fn whole(fetcher: &Fetcher, known: &Knowledge, total: Duration) -> Option<Fetched> {
    let ask = Ask {
        held: None,
        form: Form::Whole,
        seen: known.seen,
        wait: None,
        total,
    };
    let fetched = fetcher.fetch(ask).await;
    match fetched.outcome {
        Outcome::Accepted { .. } => Some(fetched),
        Outcome::NotModified { .. } | Outcome::Refused { .. } | Outcome::Failed(_) => None,
    }
}
