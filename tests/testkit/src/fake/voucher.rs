//! What the fake key server signs beside its answers: the heartbeat for each question, right or wrong.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use keyroster_api::heartbeat::{
    HEARTBEAT_HEADER, Heartbeat, MAX_HEADER_BYTES, NONCE_BYTES, NONCE_HEADER, Nonce, SCHEMA,
};
use keyroster_api::signature::{SEED_BYTES, SnapshotKey};

/// Signs a heartbeat for each question.
#[derive(Debug, Clone)]
pub struct Voucher {
    key: Arc<SnapshotKey>,
    /// All but the nonce.
    said: Heartbeat,
    flaw: Option<Flaw>,
    /// The first heartbeat that was signed.
    first: Arc<OnceLock<String>>,
}

/// What is wrong with a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// There is none.
    Missing,
    /// It is for a nonce that nobody sent.
    OtherNonce,
    /// It is for another host.
    OtherHost,
    /// Another key signed it.
    OtherKey,
    /// It is the one for the first question, again and again.
    Replayed,
    /// It is longer than any heartbeat.
    TooLong,
    /// It is no signed document.
    Garbage,
}

impl Flaw {
    /// Each of them.
    pub const ALL: [Self; 7] = [
        Self::Missing,
        Self::OtherNonce,
        Self::OtherHost,
        Self::OtherKey,
        Self::Replayed,
        Self::TooLong,
        Self::Garbage,
    ];
}

impl Voucher {
    /// One that tells this host that the snapshot of this epoch and revision holds now.
    #[must_use]
    pub fn new(key: SnapshotKey, host: &str, epoch: u64, revision: u64) -> Self {
        let said = Heartbeat {
            schema: SCHEMA,
            host: host.to_owned(),
            nonce: String::new(),
            epoch,
            revision,
            roster_revision: revision,
            server_time_ms: now_ms(),
        };
        Self {
            key: Arc::new(key),
            said,
            flaw: None,
            first: Arc::default(),
        }
    }

    /// The same, wrong in this way.
    #[must_use]
    pub fn with(self, flaw: Flaw) -> Self {
        Self {
            flaw: Some(flaw),
            ..self
        }
    }

    /// The same, with this time for the key server's own; in milliseconds since the Unix epoch.
    #[must_use]
    pub fn at(mut self, server_time_ms: i64) -> Self {
        self.said.server_time_ms = server_time_ms;
        self
    }

    /// The header line for the request with this head; none when there is to be none.
    pub(crate) fn header(&self, head: &str) -> Option<String> {
        let asked = nonce_in(head)?;
        let right = self.sign(&self.key, &self.said.host, &asked)?;
        let first = self.first.get_or_init(|| right.clone()).clone();
        let value = match self.flaw {
            None => right,
            Some(Flaw::Missing) => return None,
            Some(Flaw::OtherNonce) => {
                let other = Nonce::new([0x5a; NONCE_BYTES]).to_string();
                self.sign(&self.key, &self.said.host, &other)?
            }
            Some(Flaw::OtherHost) => self.sign(&self.key, "another", &asked)?,
            Some(Flaw::OtherKey) => {
                let other = SnapshotKey::from_seed(&[0x5a; SEED_BYTES]).ok()?;
                self.sign(&other, &self.said.host, &asked)?
            }
            Some(Flaw::Replayed) => first,
            Some(Flaw::TooLong) => "A".repeat(MAX_HEADER_BYTES + 4),
            Some(Flaw::Garbage) => "bm8gaGVhcnRiZWF0".to_owned(),
        };
        Some(format!("{HEARTBEAT_HEADER}: {value}"))
    }

    fn sign(&self, key: &SnapshotKey, host: &str, nonce: &str) -> Option<String> {
        let said = Heartbeat {
            host: host.to_owned(),
            nonce: nonce.to_owned(),
            ..self.said.clone()
        };
        said.to_header(key).ok()
    }
}

/// The nonce in a request's head.
fn nonce_in(head: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim()
            .eq_ignore_ascii_case(NONCE_HEADER)
            .then(|| value.trim().to_owned())
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "a key server reads its clock; a test that cares gives another time"
)]
fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use keyroster_api::heartbeat::HeartbeatError;

    use super::*;

    const HOST: &str = "host";
    const NONCE: Nonce = Nonce::new([1; NONCE_BYTES]);

    fn key() -> SnapshotKey {
        SnapshotKey::from_seed(&[7; SEED_BYTES]).unwrap()
    }

    /// What a host that asked with [`NONCE`] makes of it, after another question.
    fn read(voucher: &Voucher) -> Result<Heartbeat, HeartbeatError> {
        let head = |nonce: Nonce| format!("GET / HTTP/1.1\r\nKeyroster-Nonce: {nonce}\r\n\r\n");
        let _ = voucher.header(&head(Nonce::new([2; NONCE_BYTES])));
        let line = voucher
            .header(&head(NONCE))
            .ok_or(HeartbeatError::Missing)?;
        let value = line.split_once(": ").unwrap().1;
        Heartbeat::from_header(value.as_bytes(), &key().public(), HOST, NONCE)
    }

    #[test]
    fn a_sound_heartbeat_is_believed() {
        let said = read(&Voucher::new(key(), HOST, 1, 10).at(5)).unwrap();
        assert_eq!((said.epoch, said.revision, said.server_time_ms), (1, 10, 5));
    }

    #[test]
    fn each_flaw_is_seen() {
        for flaw in Flaw::ALL {
            let voucher = Voucher::new(key(), HOST, 1, 10).with(flaw);
            assert!(read(&voucher).is_err(), "{flaw:?}");
        }
    }
}
