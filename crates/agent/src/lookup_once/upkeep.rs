//! What the daemon does for the credential, on a host without one: a login does it in passing.
//!
//! Several logins may come at once, and each has read the credential before. Whoever changes it holds the daemon's lock, reads it again
//! under it, and changes only what it knows better. Two renewals by one certificate would be the end of it: of two that were issued the
//! key server takes the later one alone, and the earlier one may be what lies on the disk.

use std::time::Duration;

use crate::fetch::Fetcher;
use crate::renew;
use crate::state::{Credential, StateDir, StateError, files};
use crate::trust::NewTrust;

/// Keeps the snapshot keys and CAs that a login has learned of, unless another login has learned of later ones.
pub(super) fn keep_trust(dir: &StateDir, new: Option<&NewTrust>) -> Result<(), StateError> {
    let Some(new) = new else {
        return Ok(());
    };
    let Some(_lock) = dir.try_lock(files::DAEMON)? else {
        return Ok(());
    };
    let Some(mut credential) = Credential::load(dir)? else {
        return Ok(());
    };
    if credential.host.host_id != new.credential.host.host_id
        || credential.host.keys_serial >= new.credential.host.keys_serial
    {
        return Ok(());
    }
    credential.host.keys_serial = new.credential.host.keys_serial;
    credential.snapshot_key = new.credential.snapshot_key.clone();
    credential.ca = new.credential.ca.clone();
    credential.save(dir)
}

/// Renews the certificate if it is time, or the key server asks for it: logins are spread over time by themselves.
pub(super) async fn renew(dir: &StateDir, fetcher: &Fetcher, now_s: i64, left: Duration) {
    match try_renew(dir, fetcher, now_s, left).await {
        Ok(()) => {}
        Err(err) => tracing::warn!(error = %err, "the host's certificate can't be renewed"),
    }
}

async fn try_renew(
    dir: &StateDir,
    fetcher: &Fetcher,
    now_s: i64,
    left: Duration,
) -> Result<(), renew::RenewalError> {
    let is_due = |credential: &Credential| {
        let ends = credential.lifetime().is_some_and(|it| it.is_due(now_s));
        ends || fetcher.renew_within().is_some()
    };
    if Credential::load(dir)?.filter(is_due).is_none() {
        return Ok(());
    }
    let Some(_lock) = dir.try_lock(files::DAEMON)? else {
        return Ok(());
    };
    // Another login may have renewed since this one connected.
    let shown = |credential: &Credential| fetcher.shows(&credential.certificate);
    let Some(held) = Credential::load(dir)?.filter(shown) else {
        return Ok(());
    };
    let renewed = renew::renew(fetcher, &held, left.min(RENEWAL_TIMEOUT)).await?;
    renewed.save(dir)?;
    tracing::info!("the host's certificate was renewed");
    Ok(())
}

/// What a login gives a renewal of the time that it has left.
const RENEWAL_TIMEOUT: Duration = Duration::from_millis(400);
