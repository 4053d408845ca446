//! Key revocation lists, as OpenSSH's `PROTOCOL.krl` describes them: what sshd's `RevokedKeys` reads.
//!
//! One kind of section is written: SHA-256 fingerprints, which OpenSSH reads since 7.9. A fingerprint is that of the plain key,
//! so an entry also revokes every certificate over the key, and, where the key is a CA's, every certificate that it signed.
//!
//! sshd refuses *every* key of every user when the list can't be read. So the reader here is strict, and what is written is
//! read again before anybody else may see it: what this reader takes is what was meant, and nothing else.

use thiserror::Error;

use crate::fingerprint::FINGERPRINT_BYTES;
use crate::fingerprints::{Fingerprints, FingerprintsError};

/// What a list says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KrlHead {
    /// A number that rises with each list.
    pub version: u64,
    /// When it was made, in seconds since the Unix epoch.
    pub generated_at: u64,
    /// Anything, for people.
    pub comment: String,
}

/// The bytes are no list as we write them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KrlError {
    /// It ends too early.
    #[error("the list is cut off")]
    Truncated,
    /// It does not begin as a list does.
    #[error("this is no OpenSSH key revocation list")]
    Magic,
    /// Another format, with flags, or with sections of other kinds: somebody else made it.
    #[error("the list is of a form that is not written here")]
    Foreign,
    /// The fingerprints can't be read.
    #[error(transparent)]
    Fingerprints(#[from] FingerprintsError),
}

/// Writes a list.
#[must_use]
pub fn write_krl(head: &KrlHead, revoked: &Fingerprints) -> Vec<u8> {
    let section = revoked.len().saturating_mul(ENTRY_BYTES);
    let mut bytes = Vec::with_capacity(section.saturating_add(HEAD_BYTES + head.comment.len()));
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&FORMAT.to_be_bytes());
    bytes.extend_from_slice(&head.version.to_be_bytes());
    bytes.extend_from_slice(&head.generated_at.to_be_bytes());
    bytes.extend_from_slice(&NO_FLAGS.to_be_bytes());
    put_length(&mut bytes, 0);
    put_length(&mut bytes, head.comment.len());
    bytes.extend_from_slice(head.comment.as_bytes());
    if revoked.is_empty() {
        return bytes;
    }
    bytes.push(FINGERPRINT_SHA256);
    put_length(&mut bytes, section);
    for fingerprint in revoked {
        put_length(&mut bytes, FINGERPRINT_BYTES);
        bytes.extend_from_slice(fingerprint.as_bytes());
    }
    bytes
}

/// Reads a list that [`write_krl`] wrote.
///
/// # Errors
/// When it is anything else.
pub fn read_krl(bytes: &[u8]) -> Result<(KrlHead, Fingerprints), KrlError> {
    let (head, mut rest) = read_head(bytes)?;
    if rest.0.is_empty() {
        return Ok((head, Fingerprints::default()));
    }
    if rest.take(1)? != [FINGERPRINT_SHA256] {
        return Err(KrlError::Foreign);
    }
    let section = rest.string()?;
    if !rest.0.is_empty() || section.is_empty() {
        return Err(KrlError::Foreign);
    }
    Ok((head, fingerprints(section)?))
}

/// Reads what a list says about itself, whatever follows: who wrote it can be told even when it is damaged.
///
/// # Errors
/// When that much of it can't be read.
pub fn read_krl_head(bytes: &[u8]) -> Result<KrlHead, KrlError> {
    read_head(bytes).map(|(head, _)| head)
}

fn read_head(bytes: &[u8]) -> Result<(KrlHead, Cursor<'_>), KrlError> {
    let mut rest = Cursor(bytes);
    if rest.take(MAGIC.len()).map_err(|_| KrlError::Magic)? != MAGIC {
        return Err(KrlError::Magic);
    }
    let format = u32::from_be_bytes(rest.array()?);
    let version = u64::from_be_bytes(rest.array()?);
    let generated_at = u64::from_be_bytes(rest.array()?);
    let flags = u64::from_be_bytes(rest.array()?);
    let reserved = rest.string()?;
    let comment = String::from_utf8(rest.string()?.to_vec()).map_err(|_| KrlError::Foreign)?;
    if (format, flags) != (FORMAT, NO_FLAGS) || !reserved.is_empty() {
        return Err(KrlError::Foreign);
    }
    let head = KrlHead {
        version,
        generated_at,
        comment,
    };
    Ok((head, rest))
}

fn fingerprints(section: &[u8]) -> Result<Fingerprints, KrlError> {
    let mut digests = Vec::with_capacity(section.len());
    let mut rest = Cursor(section);
    while !rest.0.is_empty() {
        let digest = rest.string()?;
        if digest.len() != FINGERPRINT_BYTES {
            return Err(KrlError::Foreign);
        }
        digests.extend_from_slice(digest);
    }
    Ok(Fingerprints::from_bytes(&digests)?)
}

/// What has not been read yet.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], KrlError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(KrlError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], KrlError> {
        self.take(N)?.try_into().map_err(|_| KrlError::Truncated)
    }

    fn string(&mut self) -> Result<&'a [u8], KrlError> {
        let length = u32::from_be_bytes(self.array()?);
        self.take(usize::try_from(length).map_err(|_| KrlError::Truncated)?)
    }
}

/// A length in 32 bits. [`MAX_REVOKED`] keeps callers far below their end.
fn put_length(bytes: &mut Vec<u8>, length: usize) {
    bytes.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
}

/// Fingerprints of the longest list that sshd can be burdened with.
///
/// sshd reads the file anew for each key that is offered to it, in pieces of 4 KiB, and copies what it has for each of them:
/// the work grows with the square of the length. 10,000 fingerprints cost hardly anything, 100,000 a second of a processor,
/// and a million more time than sshd gives a login.
pub const MAX_REVOKED: usize = 100_000;

/// Bytes of the longest list that is read.
pub const MAX_KRL_BYTES: usize = HEAD_BYTES + MAX_COMMENT_BYTES + MAX_REVOKED * ENTRY_BYTES;

const MAGIC: &[u8] = b"SSHKRL\n\0";
const FORMAT: u32 = 1;
const NO_FLAGS: u64 = 0;
/// `KRL_SECTION_FINGERPRINT_SHA256`.
const FINGERPRINT_SHA256: u8 = 5;
/// Bytes of a fingerprint with its length.
const ENTRY_BYTES: usize = 4 + FINGERPRINT_BYTES;
/// Bytes before the first fingerprint, without the comment.
const HEAD_BYTES: usize = 8 + 4 + 3 * 8 + 2 * 4 + 1 + 4;
/// Bytes of a comment that is read.
const MAX_COMMENT_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fingerprint::Fingerprint;

    fn head() -> KrlHead {
        KrlHead {
            version: 42,
            generated_at: 1_795_250_096,
            comment: "keyroster 1.42".to_owned(),
        }
    }

    fn set(numbers: impl IntoIterator<Item = u8>) -> Fingerprints {
        let fingerprint = |number| Fingerprint::from_digest([number; FINGERPRINT_BYTES]);
        numbers.into_iter().map(fingerprint).collect()
    }

    proptest! {
        #[test]
        fn a_list_is_read_as_it_was_written(
            version: u64,
            generated_at: u64,
            comment in "[ -~]{0,40}",
            digests in prop::collection::vec(any::<[u8; FINGERPRINT_BYTES]>(), 0..40),
        ) {
            let head = KrlHead { version, generated_at, comment };
            let revoked: Fingerprints = digests.into_iter().map(Fingerprint::from_digest).collect();
            let bytes = write_krl(&head, &revoked);
            prop_assert_eq!(read_krl(&bytes).unwrap(), (head, revoked));
        }

        #[test]
        fn bytes_of_any_kind_never_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(read_krl(&bytes).is_err());
            let _ = read_krl(&[MAGIC, &bytes].concat());
        }
    }

    #[test]
    fn a_list_that_is_cut_off_or_longer_is_refused() {
        let bytes = write_krl(&head(), &set([1, 2, 3]));
        for length in 0..bytes.len() {
            // The head alone is the empty list: only what follows tells that there should be more.
            let read = read_krl(&bytes[..length]);
            match read {
                Ok((_, revoked)) => assert!(revoked.is_empty() && length == bytes.len() - 113),
                Err(error) => assert!(matches!(error, KrlError::Truncated | KrlError::Magic)),
            }
        }
        assert_eq!(
            read_krl(&[bytes.as_slice(), b"\0"].concat()),
            Err(KrlError::Foreign)
        );
    }

    #[test]
    fn a_damaged_list_still_tells_who_wrote_it() {
        let bytes = write_krl(&head(), &set([1, 2, 3]));
        assert_eq!(read_krl_head(&bytes[..bytes.len() - 1]), Ok(head()));
        assert_eq!(read_krl_head(&bytes[..20]), Err(KrlError::Truncated));
        assert_eq!(read_krl_head(b"ssh-ed25519 AAAA"), Err(KrlError::Magic));
    }

    #[test]
    fn lists_of_others_are_refused() {
        let bytes = write_krl(&head(), &set([1, 2]));
        let changed = |index: usize, byte: u8| {
            let mut bytes = bytes.clone();
            bytes[index] = byte;
            read_krl(&bytes)
        };
        assert_eq!(changed(0, b's'), Err(KrlError::Magic));
        assert_eq!(changed(11, 2), Err(KrlError::Foreign), "another format");
        assert_eq!(changed(35, 1), Err(KrlError::Foreign), "flags");
        let section = bytes.len() - 2 * ENTRY_BYTES - 5;
        assert_eq!(changed(section, 1), Err(KrlError::Foreign), "certificates");
        assert_eq!(
            changed(bytes.len() - ENTRY_BYTES + 4, 0),
            Err(KrlError::Fingerprints(FingerprintsError::Order))
        );
    }

    #[test]
    fn the_longest_list_is_read_again() {
        let number = |number: u32| {
            let mut digest = [0; FINGERPRINT_BYTES];
            digest[..4].copy_from_slice(&number.to_be_bytes());
            Fingerprint::from_digest(digest)
        };
        let most = u32::try_from(MAX_REVOKED).unwrap();
        let revoked = Fingerprints::from_ascending((0..most).map(number)).unwrap();
        let comment = "c".repeat(MAX_COMMENT_BYTES);
        let bytes = write_krl(&KrlHead { comment, ..head() }, &revoked);
        assert_eq!(bytes.len(), MAX_KRL_BYTES);
        assert_eq!(read_krl(&bytes).unwrap().1, revoked);
    }
}
