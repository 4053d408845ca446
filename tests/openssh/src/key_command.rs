//! A key command made of a shell script, to see what sshd does with one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use keyroster_testkit::{Account, Failure, Finished, Result, RootDir, Ssh, Sshd};

use crate::keys::{KeyName, Keys, certify};

/// A place with keys, where a script and what it leaves behind are kept.
#[derive(Debug)]
pub struct Stage {
    /// The directory, which sshd trusts.
    pub dir: RootDir,
    /// The client's key and the authority that signs its certificates.
    pub keys: Keys,
    /// Who logs in.
    pub account: Account,
    /// Who the script runs as.
    pub runner: Account,
    notes: PathBuf,
}

impl Stage {
    /// Makes an empty place.
    ///
    /// # Errors
    /// When this is not root, or `ssh-keygen` fails.
    pub fn set() -> Result<Self> {
        let dir = RootDir::new()?;
        let keys = Keys::make(dir.path(), &[KEY, AUTHORITY])?;
        let notes = dir.dir("notes", 0o777)?;
        Ok(Self {
            keys,
            notes,
            dir,
            account: Account::login(ACCOUNT)?,
            runner: Account::service(RUNNER)?,
        })
    }

    /// Writes a script. `$KEY` in it is the client's line, `$NOTES` a directory that it may write to.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn script(&self, name: &str, body: &str) -> Result<PathBuf> {
        let body = body
            .replace("$KEY", &self.keys.line(KEY))
            .replace("$NOTES", &self.notes.display().to_string());
        self.dir.file(name, format!("#!/bin/sh\n{body}\n"), 0o755)
    }

    /// The lines of configuration that make sshd run a command for keys.
    pub fn key_command(&self, command: &str) -> String {
        format!(
            "AuthorizedKeysCommand {command}\nAuthorizedKeysCommandUser {}\n",
            self.runner.name
        )
    }

    /// The same for principals.
    pub fn principals_command(&self, command: &str) -> String {
        format!(
            "AuthorizedPrincipalsCommand {command}\nAuthorizedPrincipalsCommandUser {}\n",
            self.runner.name
        )
    }

    /// The line of configuration that trusts the authority.
    pub fn trusted_authority(&self) -> String {
        let authority = self.keys.private_path(AUTHORITY).with_extension("pub");
        format!("TrustedUserCAKeys {}\n", authority.display())
    }

    /// Gives the client's key a certificate.
    ///
    /// # Errors
    /// When `ssh-keygen` fails.
    pub fn certify(&self, principals: &str) -> Result {
        certify(&self.keys, AUTHORITY, KEY, principals)
    }

    /// A login to come.
    pub fn ssh(&self, sshd: &Sshd) -> Ssh {
        Ssh::to(sshd, &self.account.name).identity(&self.keys.private_path(KEY))
    }

    /// Starts an sshd with this configuration and logs in once.
    ///
    /// # Errors
    /// When sshd does not start or `ssh` does not end.
    pub fn log_in(&self, config: &str) -> Result<(Finished, Sshd)> {
        let sshd = Sshd::builder().config(config).start()?;
        Ok((self.ssh(&sshd).run()?, sshd))
    }

    /// What a script noted under a name; nothing if it never ran.
    pub fn note(&self, name: &str) -> String {
        fs::read_to_string(self.notes.join(name)).unwrap_or_default()
    }
}

/// Changes the mode of a file or directory.
///
/// # Errors
/// When the system refuses.
pub fn set_mode(path: &Path, mode: u32) -> Result {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(|error| Failure::io("set the mode of", path, &error))
}

/// The client's key.
pub const KEY: KeyName = KeyName::Ed25519;
/// Who signs its certificates.
pub const AUTHORITY: KeyName = KeyName::EcdsaP256;
const ACCOUNT: &str = "keyroster-ssh";
const RUNNER: &str = "keyroster-cmd";
