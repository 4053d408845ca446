//! Renewal of the host's certificate, with a new key each time.

use std::time::Duration;

use keyroster_api::enroll::RenewedCertificate;
use keyroster_edge::{ClientError, FetchError};

use crate::certificate::{NewKey, NewKeyError};
use crate::core::moment::Moment;
use crate::fetch::Fetcher;
use crate::state::{Credential, StateError};

/// When to renew.
#[derive(Debug, Clone, Copy, Default)]
pub struct Schedule {
    not_before: Option<Duration>,
    /// The moment that was chosen of the time within which the key server asks for it.
    asked: Option<Duration>,
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
        let passed = |moment: Option<Duration>| moment.map(|moment| now.since_boot >= moment);
        let ends = || {
            let lifetime = credential.lifetime();
            lifetime.is_some_and(|lifetime| lifetime.is_due(now.wall_s()))
        };
        passed(self.not_before) != Some(false) && (passed(self.asked) == Some(true) || ends())
    }

    /// The key server asks that it be renewed within this time: a new CA is in force. The moment is chosen once, by bits that spread
    /// hosts over that time, so that thousands of them do not come together.
    pub fn hear(&mut self, within: Option<Duration>, now: &Moment, jitter: u16) {
        if let (Some(within), None) = (within, self.asked) {
            let share = f64::from(jitter) / f64::from(u16::MAX);
            let after = within.min(MAX_SPREAD).mul_f64(share);
            self.asked = Some(now.since_boot.saturating_add(after));
        }
    }

    /// How long it is until the moment that was chosen; none when none was.
    #[must_use]
    pub fn until_asked(&self, now: &Moment) -> Option<Duration> {
        let asked = self.asked?.max(self.not_before.unwrap_or_default());
        Some(asked.saturating_sub(now.since_boot))
    }

    /// It failed at `now`.
    pub fn failed(&mut self, now: &Moment) {
        self.not_before = Some(now.since_boot.saturating_add(RETRY_PAUSE));
    }

    /// It succeeded at `now`. A key server that has not heard of the new CA yet asks again, and is not to be asked at once.
    pub fn succeeded(&mut self, now: &Moment) {
        self.asked = None;
        self.not_before = Some(now.since_boot.saturating_add(REST));
    }
}

/// Asks for a certificate for a new key. Nothing is written.
///
/// # Errors
/// When there is none to be had.
pub async fn renew(
    fetcher: &Fetcher,
    old: &Credential,
    total: Duration,
) -> Result<Credential, RenewalError> {
    let key = NewKey::generate()?;
    let body = fetcher.renew(key.request()?, total).await?;
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

/// What a renewal may take where nobody waits for it.
pub const RENEWAL_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest time over which hosts spread what the key server asks of all of them.
const MAX_SPREAD: Duration = Duration::from_secs(24 * 60 * 60);

/// The pause after a renewal.
const REST: Duration = Duration::from_secs(60);

/// The pause after a failed renewal.
const RETRY_PAUSE: Duration = Duration::from_secs(10 * 60);

#[cfg(test)]
mod tests;
