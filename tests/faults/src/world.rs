//! What all cells of one run share: keys, accounts, authorities and programs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use keyroster_agent::clock::{Clock as _, SystemClock};
use keyroster_agent::core::moment::Moment;
use keyroster_api::signature::SnapshotKey;
use keyroster_testkit::{
    Account, CertificateKind, ClientIdentity, Failure, Result, RootDir, SshKey, TestCa,
};

use crate::rules::Key;

/// Made once for each run.
pub(crate) struct World {
    /// Who issues the certificates of key servers and of this host.
    pub(crate) ca: TestCa,
    /// This host's certificate.
    pub(crate) client: ClientIdentity,
    /// Who signs snapshots.
    pub(crate) signer: SnapshotKey,
    /// The account that logins are for.
    pub(crate) login: Account,
    /// As whom the host agent runs.
    pub(crate) agent: Account,
    /// As whom lookup runs.
    pub(crate) lookup: Account,
    /// The built host agent, where sshd would trust it.
    pub(crate) agent_program: PathBuf,
    /// The built lookup, likewise.
    pub(crate) lookup_program: PathBuf,
    /// The key of the break-glass file.
    pub(crate) glass: SshKey,
    glass_fingerprint: String,
    keys: Vec<(Key, SshKey)>,
    made: Mutex<BTreeMap<&'static str, Vec<u8>>>,
    _dir: RootDir,
}

impl World {
    pub(crate) fn new() -> Result<Self> {
        let dir = RootDir::named("keyroster-test-faults")?;
        let ca = TestCa::new()?;
        let keys = Key::ALL
            .map(|key| Ok((key, SshKey::ed25519(dir.path(), &format!("{key:?}"))?)))
            .into_iter()
            .collect::<Result<Vec<_>>>()?;
        let glass = SshKey::ed25519(dir.path(), "glass")?;
        Ok(Self {
            client: ca.issue_to_client(CertificateKind::Good)?,
            ca,
            signer: signer(SIGNER)?,
            login: Account::login("keyroster-t1")?,
            agent: Account::service("keyroster-agent")?,
            lookup: Account::service("keyroster-lookup")?,
            agent_program: dir.install("keyroster-agent")?,
            lookup_program: dir.install("keyroster-lookup")?,
            glass_fingerprint: glass.fingerprint()?,
            glass,
            keys,
            made: Mutex::default(),
            _dir: dir,
        })
    }

    /// The key pair of a key that is asked about.
    pub(crate) fn key(&self, key: Key) -> Result<&SshKey> {
        let pair = self.keys.iter().find(|(which, _)| *which == key);
        pair.map(|(_, pair)| pair)
            .ok_or_else(|| Failure::new(format!("no key pair for {key:?}")))
    }

    /// Bytes that take long to make, for all cells that want them under this name.
    pub(crate) fn make_once(
        &self,
        name: &'static str,
        make: impl FnOnce() -> Result<Vec<u8>>,
    ) -> Result<Vec<u8>> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = made.get(name) {
            return Ok(bytes.clone());
        }
        let bytes = make()?;
        made.insert(name, bytes.clone());
        Ok(bytes)
    }

    /// The fingerprint of the break-glass key, as sshd logs it.
    pub(crate) fn glass_fingerprint(&self) -> &str {
        &self.glass_fingerprint
    }
}

/// A key that signs snapshots.
pub(crate) fn signer(seed: u8) -> Result<SnapshotKey> {
    SnapshotKey::from_seed(&[seed; 32])
        .map_err(|error| Failure::new(format!("cannot make a snapshot key: {error}")))
}

/// The moment that it is, by the machine's clocks.
pub(crate) fn now() -> Result<Moment> {
    let clock = SystemClock::new().map_err(|error| Failure::new(error.to_string()))?;
    Ok(clock.now())
}

/// Whose signature hosts believe.
pub(crate) const SIGNER: u8 = 7;
/// Whose signature they don't.
pub(crate) const OTHER_SIGNER: u8 = 8;
