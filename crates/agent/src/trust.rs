//! An exchange of the snapshot key or of the CA, as a host follows it.
//!
//! To believe one key or one CA more is safe at once. To believe one less is not: what lies on the disk may be signed by that key, and
//! the key server may still show a certificate of that CA. So the whole snapshot is fetched first, by the key and over a connection of
//! the CA that stay, and is on the disk before the other goes.
//!
//! Which CAs there are stands in what the newest snapshot key has signed, and there alone. Their certificates come from the key server
//! as anybody gets them, and are taken when they have the fingerprints that were signed.

use std::time::Duration;

use keyroster_api::paths;
use keyroster_edge::{CaPin, FetchError, certificate_to_pem, certificates_from_pem};
use rustls_pki_types::CertificateDer;
use tokio::time::Instant;

use crate::core::knowledge::{Knowledge, Outcome};
use crate::fetch::{Ask, Fetched, Fetcher, Form};
use crate::state::Credential;

/// What a host goes on with.
#[derive(Debug)]
pub struct NewTrust {
    /// The credential with the new keys and CAs; not saved yet.
    pub credential: Credential,
    /// Its connection.
    pub fetcher: Fetcher,
    /// What has to be on the disk before the credential is: a snapshot by what stays. None where nothing goes.
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
    let started = Instant::now();
    let left = || total.saturating_sub(started.elapsed());
    let newer = match fetcher.newer_keys(total).await {
        Ok(newer) => newer?,
        Err(err) => {
            tracing::warn!(error = %err, "the key server's new set of keys can't be asked for");
            return None;
        }
    };
    let held = certificates_from_pem(credential.ca.as_bytes()).ok()?;
    let cas = cas(fetcher, &newer.cas, &held, left()).await?;
    let mut new = credential.clone();
    let drops =
        !newer.keys.holds(&credential.snapshot_key) || held.iter().any(|ca| !cas.contains(ca));
    new.snapshot_key = newer.keys;
    new.host.keys_serial = newer.serial;
    new.ca = cas.iter().map(certificate_to_pem).collect();
    let fetcher = Fetcher::new(&new, server).ok()?.asking(fetcher.asks());
    let snapshot = match drops {
        true => Some(whole(&fetcher, known, left()).await?),
        false => None,
    };
    Some(NewTrust {
        credential: new,
        fetcher,
        snapshot,
    })
}

/// The certificates of the CAs that were named, in that order.
async fn cas(
    fetcher: &Fetcher,
    named: &[String],
    held: &[CertificateDer<'static>],
    total: Duration,
) -> Option<Vec<CertificateDer<'static>>> {
    let pins: Option<Vec<CaPin>> = named.iter().map(|pin| pin.parse().ok()).collect();
    let pins = pins?;
    if pins.is_empty() {
        return Some(held.to_vec());
    }
    if let Some(cas) = choose(&pins, held) {
        return Some(cas);
    }
    let offered = match offered(fetcher, total).await {
        Ok(offered) => offered,
        Err(err) => {
            tracing::warn!(error = %err, "the key server's new CA can't be asked for");
            return None;
        }
    };
    let cas = choose(&pins, &[held, &offered].concat());
    if cas.is_none() {
        tracing::warn!("the key server's new CA is not among those that it hands out");
    }
    cas
}

/// What the key server hands out.
async fn offered(
    fetcher: &Fetcher,
    total: Duration,
) -> Result<Vec<CertificateDer<'static>>, FetchError> {
    let request = fetcher.get(paths::CA).timeout(total);
    let answer = fetcher.send(request, MAX_CA_BYTES).await?.success()?;
    // What makes no sense has no fingerprint that was signed.
    Ok(certificates_from_pem(&answer.body).unwrap_or_default())
}

/// The certificates with these fingerprints, if there is one for each.
fn choose(
    pins: &[CaPin],
    certificates: &[CertificateDer<'static>],
) -> Option<Vec<CertificateDer<'static>>> {
    let with = |pin: &CaPin| {
        certificates
            .iter()
            .find(|it| CaPin::of(it) == *pin)
            .cloned()
    };
    pins.iter().map(with).collect()
}

/// The whole snapshot, by what is believed from now on.
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

/// Bytes of the certificates that the key server hands out.
const MAX_CA_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_is_taken_by_the_fingerprint_that_was_signed_and_by_nothing_else() {
        let [old, new, thief] = [1, 2, 3].map(|byte| CertificateDer::from(vec![byte; 8]));
        let [old_pin, new_pin] = [&old, &new].map(|ca| CaPin::of(ca));
        let offered = [thief.clone(), old.clone(), new.clone()];
        assert_eq!(
            choose(&[new_pin, old_pin], &offered),
            Some(vec![new.clone(), old.clone()])
        );
        assert_eq!(choose(&[new_pin], &offered), Some(vec![new]));
        // One that is missing is waited for: half a set would be another one than was signed.
        assert_eq!(choose(&[new_pin, old_pin], &[old, thief]), None);
    }
}
