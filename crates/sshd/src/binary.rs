//! Which sshd it is, and of which release.
//!
//! The program that listens decides, not the one that a path finds first: a host may have one in `/usr/local` or in a store of
//! its own. What its file holds now counts, and not what runs in memory, since every connection executes the file anew.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::SshdError;
use crate::run::{CHECK_LIMIT, finish, one_line};
use crate::service::Listener;

/// An sshd on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    path: PathBuf,
    version: Version,
    words: String,
}

/// A release of OpenSSH. Patches and distributions' suffixes change nothing that is asked here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The number before the point.
    pub major: u32,
    /// The number behind it.
    pub minor: u32,
}

impl Binary {
    /// The one that was asked for, else the one that listens, else the usual one.
    ///
    /// # Errors
    /// When it can't be run, or is no OpenSSH.
    pub fn find(asked: Option<&Path>, listener: Option<&Listener>) -> Result<Self, SshdError> {
        let listening = listener.map(Listener::program);
        Self::at(asked.or(listening).unwrap_or(Path::new(USUAL)))
    }

    /// The one at this path.
    ///
    /// # Errors
    /// When it can't be run, or is no OpenSSH.
    pub fn at(path: &Path) -> Result<Self, SshdError> {
        // Before 9.2 the option is unknown: sshd names itself in the complaint and ends with an error.
        let said = finish(Command::new(path).arg("-V"), CHECK_LIMIT)?;
        let text = format!("{}\n{}", said.stderr, said.stdout);
        let words = text.lines().find(|line| line.contains(NAME));
        let version = words.and_then(Version::parse);
        match (words, version) {
            (Some(words), Some(version)) => Ok(Self {
                path: path.to_owned(),
                version,
                words: one_line(words),
            }),
            _ => Err(SshdError::NoVersion(path.to_owned())),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its release.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// How it names itself, with what a distribution adds.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.words
    }
}

impl Version {
    /// A release by its numbers.
    #[must_use]
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// The release in a text such as `OpenSSH_8.4p1 Debian-5+deb11u3, OpenSSL 1.1.1w`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (_, behind) = text.split_once(NAME)?;
        let (major, rest) = behind.split_once('.')?;
        let digits = rest.find(|c: char| !c.is_ascii_digit());
        let minor = rest.get(..digits.unwrap_or(rest.len()))?;
        Some(Self::new(major.parse().ok()?, minor.parse().ok()?))
    }

    /// Whether it knows the token `%C`, at which an older one ends every login.
    #[must_use]
    pub fn knows_connection_token(self) -> bool {
        self >= Self::new(9, 4)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The path that `/proc/<pid>/exe` tells, also when a package has put another file there since.
pub(crate) fn without_deleted(path: &Path) -> PathBuf {
    let bytes = path.as_os_str().as_bytes();
    let bytes = bytes.strip_suffix(DELETED).unwrap_or(bytes);
    PathBuf::from(OsStr::from_bytes(bytes))
}

const USUAL: &str = "/usr/sbin/sshd";
const NAME: &str = "OpenSSH_";
const DELETED: &[u8] = b" (deleted)";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn releases_are_read_with_and_without_a_distributions_suffix() {
        for (text, expected) in [
            (
                "OpenSSH_8.4p1 Debian-5+deb11u3, OpenSSL 1.1.1w  11 Sep 2023",
                (8, 4),
            ),
            ("OpenSSH_9.2, OpenSSL 3.0.19 27 Jan 2026", (9, 2)),
            ("OpenSSH_9.2p1 Debian-2+deb12u7, OpenSSL 3.0.17", (9, 2)),
            ("OpenSSH_10.0p2 Debian-7, OpenSSL 3.5.1", (10, 0)),
            ("OpenSSH_8.0p1, OpenSSL 1.1.1k  FIPS 25 Mar 2021", (8, 0)),
        ] {
            let version = Version::parse(text).unwrap();
            assert_eq!((version.major, version.minor), expected, "{text}");
        }
        for text in [
            "",
            "dropbear 2022.83",
            "OpenSSH_",
            "OpenSSH_9",
            "OpenSSH_x.y",
            "OpenSSH_9.p1",
        ] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_connection_token_is_known_from_9_4_on() {
        assert!(!Version::new(9, 3).knows_connection_token());
        assert!(Version::new(9, 4).knows_connection_token());
        assert!(Version::new(10, 0).knows_connection_token());
        assert!(!Version::new(8, 10).knows_connection_token());
    }

    #[test]
    fn the_installed_sshd_says_its_release() {
        let binary = Binary::find(None, None).unwrap();
        let (major, minor) = keyroster_testkit::openssh_version().unwrap();
        assert_eq!(binary.version(), Version::new(major, minor));
        assert_eq!(binary.path(), Path::new("/usr/sbin/sshd"));
    }

    #[test]
    fn one_that_does_not_know_the_question_names_itself_in_its_complaint() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sshd");
        let script = "#!/bin/sh\necho 'sshd: invalid option -- V' >&2\necho 'OpenSSH_8.4p1 Debian-5+deb11u3, OpenSSL 1.1.1w' >&2\nexit 1\n";
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let binary = Binary::at(&path).unwrap();
        assert_eq!(binary.version(), Version::new(8, 4));
        assert_eq!(
            binary.words(),
            "OpenSSH_8.4p1 Debian-5+deb11u3, OpenSSL 1.1.1w"
        );
        assert!(matches!(
            Binary::at(Path::new("/bin/true")),
            Err(SshdError::NoVersion(_))
        ));
    }

    #[test]
    fn a_program_that_was_replaced_while_it_runs_keeps_its_path() {
        assert_eq!(
            without_deleted(Path::new("/usr/sbin/sshd (deleted)")),
            Path::new("/usr/sbin/sshd")
        );
        assert_eq!(
            without_deleted(Path::new("/usr/sbin/sshd")),
            Path::new("/usr/sbin/sshd")
        );
    }
}
