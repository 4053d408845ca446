//! `sshd -t`: whether sshd can read its configuration at all.
//!
//! It finds misspelt keywords, files that are not there and missing host keys. It does not find a key command that is missing,
//! not trusted or has an unknown token: those show at a login only.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use crate::run::{CHECK_LIMIT, Finished, finish};
use crate::{Sshd, SshdError};

/// What `sshd -t` says of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// sshd can work with it.
    Sound,
    /// sshd can't; why, in its own words, in one line.
    Broken(String),
}

impl Sshd {
    /// Lets sshd judge its configuration.
    ///
    /// # Errors
    /// When sshd can't be run or does not end.
    pub fn check(&self) -> Result<Verdict, SshdError> {
        let done = self.ask(&["-t"])?;
        if done.status.success() {
            return Ok(Verdict::Sound);
        }
        Ok(Verdict::Broken(done.said()))
    }

    /// Runs it with these arguments to its end. On Debian a directory that it demands, after it has read its configuration, is there
    /// only while `ssh.service` runs; it is made, as that service makes it, so that a stopped sshd can be asked too.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Result<Finished, SshdError> {
        let done = finish(self.command().args(arguments), CHECK_LIMIT)?;
        let missing = format!("Missing privilege separation directory: {RUN_SSHD}");
        if done.status.success() || !done.stderr.contains(&missing) {
            return Ok(done);
        }
        let made = DirBuilder::new().mode(RUN_SSHD_MODE).create(RUN_SSHD);
        made.map_err(|err| SshdError::io("make", Path::new(RUN_SSHD), err))?;
        finish(self.command().args(arguments), CHECK_LIMIT)
    }
}

const RUN_SSHD: &str = "/run/sshd";
const RUN_SSHD_MODE: u32 = 0o755;

#[cfg(test)]
mod tests {
    use keyroster_testkit::RootDir;

    use super::*;
    use crate::Binary;

    fn judge(text: &str) -> Verdict {
        let running = keyroster_testkit::Sshd::builder().start().unwrap();
        let dir = RootDir::new().unwrap();
        let host_key = running.dir().join("host_key");
        let text = format!("HostKey {}\n{text}", host_key.display());
        let config = dir.file("sshd_config", text, 0o644).unwrap();
        let sshd = Sshd::new(Binary::at(Path::new("/usr/sbin/sshd")).unwrap(), &config);
        sshd.check().unwrap()
    }

    #[test]
    fn a_configuration_that_sshd_can_read_is_sound() {
        assert_eq!(judge("LogLevel INFO\n"), Verdict::Sound);
    }

    #[test]
    fn a_misspelt_keyword_is_named_with_its_line() {
        let Verdict::Broken(said) = judge("LogLevel INFO\nPermitRotLogin no\n") else {
            panic!("it passed");
        };
        assert!(
            said.contains("line 3") && said.contains("PermitRotLogin"),
            "{said}"
        );
    }
}
