//! Signatures over what hosts are told: SSHSIG with Ed25519, so that `ssh-keygen -Y verify` can check one without our code.
//!
//! A signed document is the armoured signature, then exactly the bytes that were signed. One file and one HTTP body hold both,
//! so that they can't be torn apart by a crash between two renames. Nothing is parsed before it verified.

use std::fmt;

use sha2::{Digest, Sha256};
use ssh_key::private::Ed25519Keypair;
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};
use thiserror::Error;
use zeroize::Zeroizing;

/// Random bytes that make a snapshot key.
pub const SEED_BYTES: usize = 32;
/// The longest armour that is read, in bytes; an Ed25519 one takes about 300.
pub const MAX_ARMOUR: usize = 1024;

/// What a signature is over. What was signed as one kind of document never passes as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    /// [`crate::snapshot`].
    Snapshot,
    /// [`crate::update`].
    Update,
    /// [`crate::heartbeat`].
    Heartbeat,
    /// [`crate::revoked_keys`].
    RevokedKeys,
    /// [`crate::key_set`].
    Keys,
}

impl Namespace {
    /// The SSHSIG namespace.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Snapshot => "keyroster-snapshot@v1",
            Self::Update => "keyroster-update@v1",
            Self::Heartbeat => "keyroster-heartbeat@v1",
            Self::RevokedKeys => "keyroster-revoked-keys@v1",
            Self::Keys => "keyroster-keys@v1",
        }
    }
}

/// The key server's private key for snapshots. Its `Debug` shows no secret.
pub struct SnapshotKey(PrivateKey);

/// The public half, that hosts pin when they enrol; and beside it, while the key is exchanged, that of the key before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotPublicKey {
    newest: PublicKey,
    /// What it signed holds as well.
    older: Option<PublicKey>,
}

/// Why a key or a signed document was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// The key cannot be read; a new one must be fetched or the file restored.
    #[error("the snapshot key cannot be read")]
    Key,
    /// The key is of another algorithm than Ed25519.
    #[error("the snapshot key is not an Ed25519 key")]
    Algorithm,
    /// Signing failed; nothing may be served.
    #[error("the snapshot cannot be signed")]
    Sign,
    /// There is no armoured signature at the start: truncated, or something else altogether.
    #[error("the document does not begin with an armoured signature")]
    Armour,
    /// The signature is of another key, for another namespace, or over other bytes. Keep what is held.
    #[error("the signature does not hold")]
    Signature,
}

impl SnapshotKey {
    /// The key that `seed`, random bytes from the operating system, makes.
    ///
    /// # Errors
    /// Never in practice: an Ed25519 key is made of any 32 bytes.
    pub fn from_seed(seed: &[u8; SEED_BYTES]) -> Result<Self, SignatureError> {
        PrivateKey::new(Ed25519Keypair::from_seed(seed).into(), KEY_COMMENT)
            .map(Self)
            .map_err(|_| SignatureError::Key)
    }

    /// Reads a private key in OpenSSH's format.
    ///
    /// # Errors
    /// When the text is no such key, is encrypted, or is not Ed25519.
    pub fn from_openssh(text: &str) -> Result<Self, SignatureError> {
        let key = PrivateKey::from_openssh(text).map_err(|_| SignatureError::Key)?;
        if key.algorithm() != Algorithm::Ed25519 || key.is_encrypted() {
            return Err(SignatureError::Algorithm);
        }
        Ok(Self(key))
    }

    /// Writes the private key in OpenSSH's format.
    ///
    /// # Errors
    /// Never in practice.
    pub fn to_openssh(&self) -> Result<Zeroizing<String>, SignatureError> {
        self.0
            .to_openssh(LineEnding::LF)
            .map_err(|_| SignatureError::Key)
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> SnapshotPublicKey {
        SnapshotPublicKey::one(self.0.public_key().clone())
    }

    /// The signed document over `bytes`: armour, then the bytes themselves.
    ///
    /// # Errors
    /// When signing fails; nothing may be served then.
    pub fn sign(&self, namespace: Namespace, bytes: &[u8]) -> Result<Vec<u8>, SignatureError> {
        let signature = self
            .0
            .sign(namespace.as_str(), HashAlg::Sha512, bytes)
            .map_err(|_| SignatureError::Sign)?;
        let mut document = signature
            .to_pem(LineEnding::LF)
            .map_err(|_| SignatureError::Sign)?
            .into_bytes();
        if !document.ends_with(b"\n") {
            document.push(b'\n');
        }
        document.extend_from_slice(bytes);
        Ok(document)
    }
}

impl fmt::Debug for SnapshotKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SnapshotKey({})", self.public().pin_text())
    }
}

impl SnapshotPublicKey {
    const fn one(newest: PublicKey) -> Self {
        Self {
            newest,
            older: None,
        }
    }

    /// Reads a public key line, `ssh-ed25519 AAAA…`, and if there is a second one, the key before it.
    ///
    /// # Errors
    /// When the text is no such lines.
    pub fn from_openssh(text: &str) -> Result<Self, SignatureError> {
        let mut keys = text.trim_end().split('\n').map(|line| {
            let key = PublicKey::from_openssh(line).map_err(|_| SignatureError::Key)?;
            match key.algorithm() {
                Algorithm::Ed25519 => Ok(key),
                _ => Err(SignatureError::Algorithm),
            }
        });
        let newest = keys.next().ok_or(SignatureError::Key)??;
        let older = keys.next().transpose()?;
        match keys.next() {
            None => Ok(Self { newest, older }),
            Some(_) => Err(SignatureError::Key),
        }
    }

    /// Writes the public key line, or both, without a final newline.
    ///
    /// # Errors
    /// Never in practice.
    pub fn to_openssh(&self) -> Result<String, SignatureError> {
        let lines = std::iter::once(&self.newest).chain(&self.older);
        let lines: Result<Vec<_>, _> = lines.map(PublicKey::to_openssh).collect();
        Ok(lines.map_err(|_| SignatureError::Key)?.join("\n"))
    }

    /// The newest key without the one before it.
    #[must_use]
    pub fn newest(&self) -> Self {
        Self::one(self.newest.clone())
    }

    /// The key before the newest, if it counts as well.
    #[must_use]
    pub fn older(&self) -> Option<Self> {
        self.older.clone().map(Self::one)
    }

    /// Whether all of these keys are among them.
    #[must_use]
    pub fn holds(&self, others: &Self) -> bool {
        let mut others = std::iter::once(&others.newest).chain(&others.older);
        others.all(|key| self.newest == *key || self.older.as_ref() == Some(key))
    }

    /// Whether the key before the newest counts as well.
    #[must_use]
    pub const fn has_older(&self) -> bool {
        self.older.is_some()
    }

    /// SHA-256 of the newest key's blob: the pin that an enrolment token carries.
    ///
    /// # Errors
    /// Never in practice.
    pub fn pin(&self) -> Result<[u8; 32], SignatureError> {
        let blob = self.newest.to_bytes().map_err(|_| SignatureError::Key)?;
        Ok(Sha256::digest(blob).into())
    }

    /// Checks `document` and gives the bytes that were signed.
    ///
    /// # Errors
    /// When there is no armour or the signature does not hold.
    pub fn verify<'a>(
        &self,
        namespace: Namespace,
        document: &'a [u8],
    ) -> Result<&'a [u8], SignatureError> {
        let (armour, bytes) = split(document)?;
        let signature = SshSig::from_pem(armour).map_err(|_| SignatureError::Armour)?;
        if signature.hash_alg() != HashAlg::Sha512 {
            return Err(SignatureError::Signature);
        }
        let mut keys = std::iter::once(&self.newest).chain(&self.older);
        let signed_by = |key: &PublicKey| key.verify(namespace.as_str(), bytes, &signature).is_ok();
        match keys.any(signed_by) {
            true => Ok(bytes),
            false => Err(SignatureError::Signature),
        }
    }

    /// The newest key's fingerprint, as `ssh-keygen -l` writes it.
    #[must_use]
    pub fn pin_text(&self) -> String {
        self.newest.fingerprint(HashAlg::Sha256).to_string()
    }
}

/// Splits a signed document into armour and signed bytes, without judging either.
///
/// # Errors
/// When it does not begin with an armour of at most [`MAX_ARMOUR`] bytes.
pub fn split(document: &[u8]) -> Result<(&[u8], &[u8]), SignatureError> {
    let head = document
        .get(..document.len().min(MAX_ARMOUR))
        .unwrap_or_default();
    if !head.starts_with(BEGIN) {
        return Err(SignatureError::Armour);
    }
    let end = head
        .windows(END.len())
        .position(|window| window == END)
        .ok_or(SignatureError::Armour)?;
    document
        .split_at_checked(end + END.len())
        .ok_or(SignatureError::Armour)
}

const KEY_COMMENT: &str = "keyroster-snapshot";
const BEGIN: &[u8] = b"-----BEGIN SSH SIGNATURE-----\n";
const END: &[u8] = b"\n-----END SSH SIGNATURE-----\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SnapshotKey {
        SnapshotKey::from_seed(&[seed; SEED_BYTES]).unwrap()
    }

    #[test]
    fn what_was_signed_is_what_is_given_back() {
        let document = key(1).sign(Namespace::Snapshot, b"{\"schema\":1}").unwrap();
        assert_eq!(
            key(1)
                .public()
                .verify(Namespace::Snapshot, &document)
                .unwrap(),
            b"{\"schema\":1}"
        );
    }

    #[test]
    fn no_flipped_bit_is_accepted() {
        let document = key(1).sign(Namespace::Snapshot, b"{\"schema\":1}").unwrap();
        let public = key(1).public();
        for index in 0..document.len() {
            let mut flipped = document.clone();
            flipped[index] ^= 1 << (index % 8);
            if let Ok(bytes) = public.verify(Namespace::Snapshot, &flipped) {
                // Base64 and PEM allow a few spellings of the same signature; the signed bytes are never others.
                assert_eq!(bytes, b"{\"schema\":1}", "byte {index}");
            }
        }
    }

    #[test]
    fn no_truncation_and_no_addition_is_accepted() {
        let document = key(1).sign(Namespace::Snapshot, b"{\"schema\":1}").unwrap();
        let public = key(1).public();
        for length in 0..document.len() {
            assert!(
                public
                    .verify(Namespace::Snapshot, &document[..length])
                    .is_err(),
                "length {length}"
            );
        }
        let longer = [document.as_slice(), b" "].concat();
        assert_eq!(
            public.verify(Namespace::Snapshot, &longer),
            Err(SignatureError::Signature)
        );
    }

    #[test]
    fn the_signature_of_another_key_is_refused() {
        let document = key(2).sign(Namespace::Snapshot, b"{}").unwrap();
        assert_eq!(
            key(1).public().verify(Namespace::Snapshot, &document),
            Err(SignatureError::Signature)
        );
    }

    #[test]
    fn while_keys_are_exchanged_what_either_signed_holds_and_nothing_else() {
        let lines = [key(2), key(1)].map(|key| key.public().to_openssh().unwrap());
        let both = SnapshotPublicKey::from_openssh(&lines.join("\n")).unwrap();
        for (seed, holds, alone) in [(1, true, false), (2, true, true), (3, false, false)] {
            let document = key(seed).sign(Namespace::Snapshot, b"{}").unwrap();
            assert_eq!(both.verify(Namespace::Snapshot, &document).is_ok(), holds);
            let newest = both.newest().verify(Namespace::Snapshot, &document);
            assert_eq!(newest.is_ok(), alone);
        }
        assert_eq!(both.to_openssh().unwrap(), lines.join("\n"));
        assert_eq!(both.pin(), key(2).public().pin());
    }

    #[test]
    fn a_document_of_one_kind_never_passes_as_another() {
        let kinds = [
            Namespace::Snapshot,
            Namespace::Update,
            Namespace::Heartbeat,
            Namespace::RevokedKeys,
            Namespace::Keys,
        ];
        for signed in kinds {
            let document = key(1).sign(signed, b"{}").unwrap();
            for read in kinds {
                let verified = key(1).public().verify(read, &document);
                assert_eq!(verified.is_ok(), signed == read, "{signed:?} as {read:?}");
            }
        }
    }

    #[test]
    fn a_signature_for_another_namespace_is_refused() {
        let SnapshotKey(private) = key(1);
        let signature = private.sign("file", HashAlg::Sha512, b"{}").unwrap();
        let document = [
            signature.to_pem(LineEnding::LF).unwrap().as_bytes(),
            b"\n{}",
        ]
        .concat();
        assert!(
            key(1)
                .public()
                .verify(Namespace::Snapshot, &document)
                .is_err()
        );
    }

    #[test]
    fn a_private_key_survives_its_file_and_never_shows_in_debug() {
        let text = key(3).to_openssh().unwrap();
        let again = SnapshotKey::from_openssh(&text).unwrap();
        assert_eq!(again.public(), key(3).public());
        let shown = format!("{again:?}");
        assert!(
            shown.starts_with("SnapshotKey(SHA256:") && shown.len() < 80,
            "{shown}"
        );
    }

    #[test]
    fn the_pin_is_the_fingerprint_of_the_public_key() {
        let public = key(4).public();
        assert_eq!(public.pin().unwrap().len(), 32);
        assert_eq!(
            SnapshotPublicKey::from_openssh(&public.to_openssh().unwrap()).unwrap(),
            public
        );
        assert_ne!(public.pin().unwrap(), key(5).public().pin().unwrap());
    }
}
