//! The credential: what enrolment brought, and what makes this host this host.
//!
//! A directory of its own that is put in place by one rename, so that a key never stands beside the certificate of another
//! key, whatever is interrupted when.

use std::fmt;

use keyroster_api::signature::SnapshotPublicKey;
use keyroster_api::snapshot::Tag;
use keyroster_edge::{Identity, TlsError, Trust};
use keyroster_roster::{Epoch, HostId, ModelError, Revision};
use rustix::fs::{AtFlags, RenameFlags, renameat, renameat_with, unlinkat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::certificate::Lifetime;
use crate::core::accept::Authority;
use crate::state::dir::{Secrecy, StateDir, StateError, failed};

/// The credential directory's name in the state directory.
pub const CREDENTIAL: &str = "credential";

/// An enrolled host's credential. Its `Debug` shows no key.
#[derive(Clone)]
pub struct Credential {
    /// Who the host is.
    pub host: HostFile,
    /// The host's private key, PEM.
    pub key: Zeroizing<String>,
    /// Its client certificate, PEM.
    pub certificate: String,
    /// The CA's certificate, PEM, or while CAs are exchanged both, the newest first.
    pub ca: String,
    /// The key that signs snapshots, or while it is exchanged both.
    pub snapshot_key: SnapshotPublicKey,
}

/// `host.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostFile {
    /// The host's id.
    pub host_id: String,
    /// Its name.
    pub name: String,
    /// The key server that it was enrolled with.
    pub server: String,
    /// The epoch at enrolment.
    pub epoch: u64,
    /// The revision that the enrolment made: no older snapshot is this host's.
    pub revision: u64,
    /// The serial of the set of snapshot keys and CAs that the host goes by.
    #[serde(default)]
    pub keys_serial: u64,
}

impl HostFile {
    /// Epoch and revision of the enrolment.
    ///
    /// # Errors
    /// When they are out of range.
    pub fn floor(&self) -> Result<Tag, ModelError> {
        Ok(Tag {
            epoch: Epoch::new(self.epoch)?,
            revision: Revision::new(self.revision)?,
        })
    }
}

impl Credential {
    /// Reads the credential; none when the host is not enrolled.
    ///
    /// # Errors
    /// When a part is missing or can't be believed.
    pub fn load(dir: &StateDir) -> Result<Option<Self>, StateError> {
        let sub = match dir.sub(CREDENTIAL) {
            Ok(sub) => sub,
            Err(StateError::Io { err, .. }) if err.kind() == std::io::ErrorKind::NotFound => {
                return Ok(None);
            }
            Err(err) => return Err(err),
        };
        let corrupt = |name: &str, why: String| StateError::Corrupt {
            path: sub.path_of(name),
            why,
        };
        let host: HostFile = serde_json::from_str(&text(&sub, HOST, Secrecy::Public)?)
            .map_err(|err| corrupt(HOST, err.to_string()))?;
        HostId::parse(&host.host_id).map_err(|err| corrupt(HOST, err.to_string()))?;
        host.floor().map_err(|err| corrupt(HOST, err.to_string()))?;
        let snapshot_key =
            SnapshotPublicKey::from_openssh(&text(&sub, SNAPSHOT_KEY, Secrecy::Public)?)
                .map_err(|err| corrupt(SNAPSHOT_KEY, err.to_string()))?;
        Ok(Some(Self {
            host,
            key: Zeroizing::new(text(&sub, KEY, Secrecy::Secret)?),
            certificate: text(&sub, CERTIFICATE, Secrecy::Public)?,
            ca: text(&sub, CA, Secrecy::Public)?,
            snapshot_key,
        }))
    }

    /// Puts the credential in place of the one that is there, if any, in one step.
    ///
    /// # Errors
    /// When it can't be written; what was there before is still there then.
    pub fn save(&self, dir: &StateDir) -> Result<(), StateError> {
        let temporary = format!(".{CREDENTIAL}.{}", std::process::id());
        remove_tree(dir, &temporary)?;
        let sub = dir.make_sub(&temporary)?;
        let written = self
            .write_into(&sub)
            .and_then(|()| put_in_place(dir, &temporary));
        // After an exchange the old credential stands under the temporary name; after a failure the new one does.
        let _ = remove_tree(dir, &temporary);
        written?;
        dir.sync()
    }

    fn write_into(&self, sub: &StateDir) -> Result<(), StateError> {
        let corrupt = |name: &str, why: String| StateError::Corrupt {
            path: sub.path_of(name),
            why,
        };
        let host =
            serde_json::to_string(&self.host).map_err(|err| corrupt(HOST, err.to_string()))?;
        let snapshot_key = self
            .snapshot_key
            .to_openssh()
            .map_err(|err| corrupt(SNAPSHOT_KEY, err.to_string()))?;
        sub.write(HOST, format!("{host}\n").as_bytes())?;
        sub.write(KEY, self.key.as_bytes())?;
        sub.write(CERTIFICATE, self.certificate.as_bytes())?;
        sub.write(CA, self.ca.as_bytes())?;
        sub.write(SNAPSHOT_KEY, format!("{snapshot_key}\n").as_bytes())
    }

    /// What the host shows to the key server.
    ///
    /// # Errors
    /// When key or certificate are not PEM.
    pub fn identity(&self) -> Result<Identity, TlsError> {
        Ok(Identity {
            chain: keyroster_edge::certificates_from_pem(self.certificate.as_bytes())?,
            key: keyroster_edge::private_key_from_pem(self.key.as_bytes())?,
        })
    }

    /// The CAs, any of which vouches for the key server.
    ///
    /// # Errors
    /// When they are not PEM.
    pub fn trust(&self) -> Result<Trust, TlsError> {
        Ok(Trust::AnyOf(keyroster_edge::certificates_from_pem(
            self.ca.as_bytes(),
        )?))
    }

    /// Whose snapshots are believed.
    #[must_use]
    pub fn authority(&self) -> Authority {
        Authority {
            key: self.snapshot_key.clone(),
            host_id: self.host.host_id.clone(),
        }
    }

    /// From when until when the certificate is valid; none when it can't be read.
    #[must_use]
    pub fn lifetime(&self) -> Option<Lifetime> {
        Lifetime::of_pem(&self.certificate)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

fn text(sub: &StateDir, name: &str, secrecy: Secrecy) -> Result<String, StateError> {
    let corrupt = |why: &str| StateError::Corrupt {
        path: sub.path_of(name),
        why: why.to_owned(),
    };
    let bytes = sub
        .read(name, MAX_BYTES, secrecy)?
        .ok_or_else(|| corrupt("it is missing"))?;
    String::from_utf8(bytes).map_err(|_| corrupt("it is not text"))
}

fn put_in_place(dir: &StateDir, temporary: &str) -> Result<(), StateError> {
    let handle = dir.handle();
    let path = dir.path_of(CREDENTIAL);
    match renameat_with(handle, temporary, handle, CREDENTIAL, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(()),
        Err(Errno::NOENT) => renameat(handle, temporary, handle, CREDENTIAL)
            .map_err(|err| failed("make", &path, err)),
        Err(err) => Err(failed("replace", &path, err)),
    }
}

/// Takes away a credential directory of ours and what stands in it.
fn remove_tree(dir: &StateDir, name: &str) -> Result<(), StateError> {
    let Ok(sub) = dir.sub(name) else {
        return Ok(());
    };
    for file in [HOST, KEY, CERTIFICATE, CA, SNAPSHOT_KEY] {
        sub.remove(file)?;
    }
    unlinkat(dir.handle(), name, AtFlags::REMOVEDIR)
        .map_err(|err| failed("remove", &dir.path_of(name), err))
}

const HOST: &str = "host.json";
const KEY: &str = "key.pem";
const CERTIFICATE: &str = "cert.pem";
const CA: &str = "ca.pem";
const SNAPSHOT_KEY: &str = "snapshot-key.pub";

/// Bytes of one file of a credential.
const MAX_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests;
