//! Renewal of the host's certificate, with a new key each time.

use std::time::Duration;

use keyroster_api::enroll::RenewedCertificate;
use keyroster_edge::{ClientError, FetchError};

use crate::certificate::{NewKey, NewKeyError};
use crate::core::moment::Moment;
use crate::fetch::Fetcher;
use crate::state::{Credential, StateError};

/// When to try again after a failure.
#[derive(Debug, Clone, Copy, Default)]
pub struct Schedule {
    not_before: Option<Duration>,
}

/// Why a certificate was not renewed. The old one serves on, and it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum RenewalError {
    /// No key could be made.
    #[error(transparent)]
    Key(#[from] NewKeyError),
    /// The key server did not answer with a certificate.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The answer is not a certificate for the new key.
    #[error("the key server answered with something else than a certificate for the new key")]
    Answer,
    /// It could not be written.
    #[error(transparent)]
    State(#[from] StateError),
    /// It can't be used.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl Schedule {
    /// Whether to renew now.
    #[must_use]
    pub fn is_due(&self, credential: &Credential, now: &Moment) -> bool {
        let waited = self
            .not_before
            .is_none_or(|not_before| now.since_boot >= not_before);
        waited
            && credential
                .lifetime()
                .is_some_and(|lifetime| lifetime.is_due(now.wall_s()))
    }

    /// It failed at `now`.
    pub fn failed(&mut self, now: &Moment) {
        self.not_before = Some(now.since_boot.saturating_add(RETRY_PAUSE));
    }

    /// It succeeded.
    pub fn succeeded(&mut self) {
        self.not_before = None;
    }
}

/// Asks for a certificate for a new key. Nothing is written.
///
/// # Errors
/// When there is none to be had.
pub async fn renew(fetcher: &Fetcher, old: &Credential) -> Result<Credential, RenewalError> {
    let key = NewKey::generate()?;
    let body = fetcher.renew(key.request()?).await?;
    let renewed: RenewedCertificate =
        serde_json::from_slice(&body).map_err(|_| RenewalError::Answer)?;
    if !key.is_in(&renewed.certificate) {
        return Err(RenewalError::Answer);
    }
    Ok(Credential {
        key: key.to_pem(),
        certificate: renewed.certificate,
        ..old.clone()
    })
}

/// The pause after a failed renewal.
const RETRY_PAUSE: Duration = Duration::from_secs(10 * 60);

#[cfg(test)]
mod tests;
