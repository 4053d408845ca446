//! Secrets that the service manager hands over: systemd.exec(5), `LoadCredential=`.
//!
//! With them the database's password and the private keys need not lie in the data directory, where every backup of it takes them
//! along: systemd reads them from a place that only root may read, or decrypts them with the machine's TPM, and shows them to
//! this process alone. One that is empty counts as not given, since that is how a unit names a credential that may be missing.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::data_dir::{FileError, read_credential};

/// The directory of this process's credentials, if it was given any.
#[derive(Debug, Clone)]
pub struct Credentials(Option<PathBuf>);

/// A secret that may be handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// The database's URL, in place of that in server.toml.
    DatabaseUrl,
    /// The CA's private key, PEM, in place of `ca.key`.
    CaKey,
    /// The snapshot key, OpenSSH's format, in place of `snapshot-key`.
    SnapshotKey,
}

impl Credential {
    /// Its name in the unit.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DatabaseUrl => "database-url",
            Self::CaKey => "ca-key",
            Self::SnapshotKey => "snapshot-key",
        }
    }
}

impl Credentials {
    /// Those of this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self::at(std::env::var_os(DIRECTORY))
    }

    /// Those in a directory; none without one.
    #[must_use]
    pub fn at(directory: Option<OsString>) -> Self {
        Self(
            directory
                .filter(|directory| !directory.is_empty())
                .map(PathBuf::from),
        )
    }

    /// The secret, if it was handed over.
    ///
    /// # Errors
    /// When it is there and can't be read, or others may read it. A server that went on with the file in its place would not be
    /// the one that was asked for.
    pub fn read(&self, credential: Credential) -> Result<Option<Zeroizing<String>>, FileError> {
        let Some(directory) = &self.0 else {
            return Ok(None);
        };
        match read_credential(&directory.join(credential.name())) {
            Ok(text) if text.trim().is_empty() => Ok(None),
            Ok(text) => Ok(Some(text)),
            Err(FileError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Where systemd says that the credentials are.
const DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn given(text: &str, mode: u32) -> (tempfile::TempDir, Credentials) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(Credential::CaKey.name());
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let credentials = Credentials::at(Some(dir.path().as_os_str().to_owned()));
        (dir, credentials)
    }

    fn read(credentials: &Credentials, credential: Credential) -> Option<String> {
        let text = credentials.read(credential).unwrap();
        text.map(|text| text.as_str().to_owned())
    }

    #[test]
    fn a_credential_is_read_as_systemd_shows_it() {
        // 0440: an access list lets the service's user read, and its mask stands where the group's bits are.
        for mode in [0o400, 0o440] {
            let (_dir, credentials) = given("key", mode);
            assert_eq!(
                read(&credentials, Credential::CaKey).as_deref(),
                Some("key")
            );
            assert_eq!(read(&credentials, Credential::SnapshotKey), None);
        }
    }

    #[test]
    fn without_a_directory_or_with_an_empty_file_nothing_was_handed_over() {
        assert_eq!(read(&Credentials::at(None), Credential::CaKey), None);
        let empty = Credentials::at(Some(OsString::new()));
        assert_eq!(read(&empty, Credential::CaKey), None);
        let (_dir, credentials) = given("\n", 0o400);
        assert_eq!(read(&credentials, Credential::CaKey), None);
    }

    #[test]
    fn a_credential_that_others_may_read_or_write_is_refused() {
        for mode in [0o404, 0o420, 0o444, 0o402] {
            let (_dir, credentials) = given("key", mode);
            assert!(
                matches!(
                    credentials.read(Credential::CaKey),
                    Err(FileError::Exposed { .. })
                ),
                "{mode:o}"
            );
        }
    }
}
