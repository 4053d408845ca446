//! Throw-away SSH keys, made by `ssh-keygen`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::finish;
use crate::{Failure, Result};

/// A key pair in files.
#[derive(Debug, Clone)]
pub struct SshKey {
    private: PathBuf,
    public_line: String,
}

impl SshKey {
    /// A new Ed25519 key `dir/name`.
    pub fn ed25519(dir: &Path, name: &str) -> Result<Self> {
        Self::generate(dir, name, &["-t", "ed25519"])
    }

    /// A new ECDSA key on the curve of 256, 384 or 521 bits.
    pub fn ecdsa(dir: &Path, name: &str, bits: u32) -> Result<Self> {
        Self::generate(dir, name, &["-t", "ecdsa", "-b", &bits.to_string()])
    }

    /// A new RSA key of this size; `ssh-keygen` goes down to 1024 bits.
    pub fn rsa(dir: &Path, name: &str, bits: u32) -> Result<Self> {
        Self::generate(dir, name, &["-t", "rsa", "-b", &bits.to_string()])
    }

    /// A new key in a security key, with these `-O` options of `ssh-keygen`, such as `no-touch-required`. What stands in for the
    /// hardware is OpenSSH's own: it signs at once, and claims touch and verification as the key's options say.
    pub fn security_key(
        dir: &Path,
        name: &str,
        kind: SecurityKeyType,
        options: &[&str],
    ) -> Result<Self> {
        let mut arguments = vec!["-t", kind.name(), "-w", SECURITY_KEY_PROVIDER];
        arguments.extend(options.iter().flat_map(|option| ["-O", option]));
        Self::generate(dir, name, &arguments)
    }

    /// A new key of what type these arguments of `ssh-keygen` say, without a passphrase, its name as comment.
    pub fn generate(dir: &Path, name: &str, arguments: &[&str]) -> Result<Self> {
        let private = dir.join(name);
        let mut command = Command::new("ssh-keygen");
        command
            .args(["-q", "-N", "", "-C", name])
            .args(arguments)
            .arg("-f")
            .arg(&private);
        finish(&mut command, KEYGEN_LIMIT)?.success("ssh-keygen")?;
        Self::open(dir, name)
    }

    /// A key that was made before.
    pub fn open(dir: &Path, name: &str) -> Result<Self> {
        let private = dir.join(name);
        let public = private.with_extension("pub");
        let line =
            fs::read_to_string(&public).map_err(|error| Failure::io("read", &public, &error))?;
        Ok(Self {
            private,
            public_line: line.trim_end().to_owned(),
        })
    }

    /// The file of the private half, mode 0600.
    pub fn private_path(&self) -> &Path {
        &self.private
    }

    /// The file of the public half.
    pub fn public_path(&self) -> PathBuf {
        self.private.with_extension("pub")
    }

    /// `type base64 comment`, without a line end.
    pub fn public_line(&self) -> &str {
        &self.public_line
    }

    /// The algorithm and the base64 body.
    pub fn parts(&self) -> (&str, &str) {
        let mut fields = self.public_line.split(' ');
        (
            fields.next().unwrap_or_default(),
            fields.next().unwrap_or_default(),
        )
    }

    /// What `ssh-keygen -l` says: `SHA256:…`.
    pub fn fingerprint(&self) -> Result<String> {
        let mut command = Command::new("ssh-keygen");
        command.arg("-lf").arg(self.public_path());
        let listed = finish(&mut command, KEYGEN_LIMIT)?.success("ssh-keygen -l")?;
        let fingerprint = listed.split(' ').nth(1).map(str::to_owned);
        fingerprint
            .ok_or_else(|| Failure::new(format!("no fingerprint in \"{}\"", listed.trim_end())))
    }
}

/// The types of keys that security keys hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecurityKeyType {
    /// `sk-ssh-ed25519@openssh.com`.
    Ed25519,
    /// `sk-ecdsa-sha2-nistp256@openssh.com`.
    Ecdsa,
}

impl SecurityKeyType {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Ed25519, Self::Ecdsa];

    fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519-sk",
            Self::Ecdsa => "ecdsa-sk",
        }
    }
}

/// The security key without hardware that OpenSSH's regression tests use (`misc/sk-dummy`), where Debian's package `openssh-tests` puts it.
pub const SECURITY_KEY_PROVIDER: &str = "/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so";

/// The longest that making one key may take: RSA-4096 on a busy machine takes seconds.
const KEYGEN_LIMIT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_algorithm_and_its_fingerprint() {
        let dir = tempfile::tempdir().unwrap();
        let key = SshKey::ed25519(dir.path(), "k").unwrap();
        assert_eq!(key.parts().0, "ssh-ed25519");
        assert_eq!(key.fingerprint().unwrap().len(), "SHA256:".len() + 43);
    }
}
