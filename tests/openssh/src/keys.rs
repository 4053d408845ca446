//! Throw-away keys of every type.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use keyroster_grammar::base64;
use keyroster_testkit::{Result, SshKey, finish};

/// One of the keys that lines are made with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyName {
    /// Ed25519, which most lines use: it is the quickest.
    #[default]
    Ed25519,
    /// ECDSA on P-256.
    EcdsaP256,
    /// ECDSA on P-384.
    EcdsaP384,
    /// ECDSA on P-521.
    EcdsaP521,
    /// RSA with 2048 bits.
    Rsa,
    /// RSA with 1024 bits, which sshd still takes.
    Rsa1024,
    /// DSA, which sshd no longer takes.
    Dsa,
}

/// The keys, each in its file.
#[derive(Clone, Debug)]
pub struct Keys {
    keys: Vec<(KeyName, SshKey)>,
    dir: PathBuf,
}

impl KeyName {
    /// Every key.
    pub const ALL: [Self; 7] = [
        Self::Ed25519,
        Self::EcdsaP256,
        Self::EcdsaP384,
        Self::EcdsaP521,
        Self::Rsa,
        Self::Rsa1024,
        Self::Dsa,
    ];

    /// The name of its file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256 => "ecdsa256",
            Self::EcdsaP384 => "ecdsa384",
            Self::EcdsaP521 => "ecdsa521",
            Self::Rsa => "rsa2048",
            Self::Rsa1024 => "rsa1024",
            Self::Dsa => "dsa",
        }
    }

    fn make(self, dir: &Path) -> Result<SshKey> {
        let name = self.as_str();
        match self {
            Self::Ed25519 => SshKey::ed25519(dir, name),
            Self::EcdsaP256 => SshKey::ecdsa(dir, name, 256),
            Self::EcdsaP384 => SshKey::ecdsa(dir, name, 384),
            Self::EcdsaP521 => SshKey::ecdsa(dir, name, 521),
            Self::Rsa => SshKey::rsa(dir, name, 2048),
            Self::Rsa1024 => SshKey::rsa(dir, name, 1024),
            Self::Dsa => SshKey::generate(dir, name, &["-t", "dsa"]),
        }
    }
}

impl Keys {
    /// Makes these keys in a directory.
    ///
    /// # Errors
    /// When `ssh-keygen` fails.
    pub fn make(dir: &Path, names: &[KeyName]) -> Result<Self> {
        let mut keys = Vec::new();
        for &name in names {
            keys.push((name, name.make(dir)?));
        }
        Ok(Self {
            keys,
            dir: dir.to_owned(),
        })
    }

    /// The file of a private half.
    pub fn private_path(&self, name: KeyName) -> PathBuf {
        self.dir.join(name.as_str())
    }

    /// `type base64`.
    pub fn line(&self, name: KeyName) -> String {
        let (algorithm, body) = self.parts(name);
        format!("{algorithm} {body}")
    }

    /// The type and the body.
    pub fn parts(&self, name: KeyName) -> (&str, &str) {
        let key = self.keys.iter().find(|(held, _)| *held == name);
        key.map(|(_, key)| key.parts()).unwrap_or_default()
    }
}

/// Signs a certificate for a key, for these principals or for none, where `ssh` finds it beside the key.
///
/// # Errors
/// When `ssh-keygen` fails.
pub fn certify(keys: &Keys, authority: KeyName, key: KeyName, principals: &str) -> Result {
    let mut command = Command::new("ssh-keygen");
    command
        .arg("-q")
        .arg("-s")
        .arg(keys.private_path(authority))
        .args(["-I", KEY_ID]);
    if !principals.is_empty() {
        command.args(["-n", principals]);
    }
    command.arg(keys.private_path(key).with_extension("pub"));
    finish(&mut command, SIGN_LIMIT)?
        .success("ssh-keygen -s")
        .map(drop)
}

/// The name of each certificate: what a shell would take apart, if one ever saw it.
pub const KEY_ID: &str = "--id=a b\"c'd$(e);f";

/// The longest that signing may take.
const SIGN_LIMIT: Duration = Duration::from_secs(20);

/// Public keys of security keys, put together from the parts of ordinary ones: sshd holds a line against an offered key
/// without ever seeing the device.
pub fn security_keys(keys: &Keys) -> [String; 2] {
    let field = |bytes: &[u8]| {
        let length = u32::try_from(bytes.len()).unwrap_or_default();
        [length.to_be_bytes().as_slice(), bytes].concat()
    };
    let tail = |name, length: usize| {
        let bytes = base64::decode(keys.parts(name).1).unwrap_or_default();
        bytes
            .get(bytes.len().saturating_sub(length)..)
            .unwrap_or_default()
            .to_vec()
    };
    let line = |name: &str, fields: &[&[u8]]| {
        let bytes: Vec<u8> = fields.iter().flat_map(|bytes| field(bytes)).collect();
        format!(
            "{name} {}",
            base64::encode(&[field(name.as_bytes()), bytes].concat())
        )
    };
    let (ed25519, point) = (tail(KeyName::Ed25519, 32), tail(KeyName::EcdsaP256, 65));
    [
        line("sk-ssh-ed25519@openssh.com", &[&ed25519, b"ssh:"]),
        line(
            "sk-ecdsa-sha2-nistp256@openssh.com",
            &[b"nistp256", &point, b"ssh:"],
        ),
    ]
}
