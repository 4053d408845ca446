//! The list of revoked keys: what no host may take from anybody, wherever it finds it.
//!
//! It is the same for every host, so that one rendering serves the whole estate. A key that was revoked may lie in any home
//! directory and stand behind any certificate, which nobody at the key server knows of: so the list has all of them, and not
//! only those that once had a grant on the host that asks.
//!
//! A document is a signed head and, after it, keys:
//!
//! | part | what it is |
//! |---|---|
//! | signature | armoured SSHSIG, namespace `keyroster-revoked-keys@v1`, over the next line with its newline |
//! | head | one line of JSON: [`Head`] |
//! | form | one line: `all`, or `since <epoch>.<revision>` |
//! | keys | the SHA-256 fingerprints of key blobs, 32 bytes each, in ascending order, each once |
//!
//! The head does not hold the keys but their number and digest, always those of the *whole* list. So the same head stands
//! before the whole list and before what was added since some revision, a host that has put the two together checks
//! the result and not the way there, and what it keeps is signed however it came. The two parts after the head are not
//! signed: what makes anything else of them than the signed list is refused.

use keyroster_keys::{Fingerprints, FingerprintsError};
use keyroster_roster::{Epoch, ModelError, Revision};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::signature::{
    MAX_ARMOUR, Namespace, SignatureError, SnapshotKey, SnapshotPublicKey, split,
};
use crate::snapshot::Tag;

/// The schema that this version writes and the only one that it reads.
pub const SCHEMA: u32 = 1;
/// Media type of the document.
pub const CONTENT_TYPE: &str = "application/vnd.keyroster.revoked-keys";
/// The query parameter that names the list that a host has, as `<epoch>.<revision>`: it may be told the additions alone.
pub const SINCE: &str = "since";
/// The most keys that are on a list.
pub const MAX_KEYS: usize = 1_000_000;
/// The longest head that is read, in bytes, with its newline.
pub const MAX_HEAD_BYTES: usize = 1024;
/// The largest document that is written or read, in bytes.
pub const MAX_BYTES: usize = MAX_ARMOUR + MAX_HEAD_BYTES + MAX_FORM_BYTES + MAX_KEYS * 32;

/// The signed line of a document, parsed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Raised when the roster is restored from a backup.
    pub epoch: u64,
    /// The newest revision of the roster that changed the list.
    pub revision: u64,
    /// The newest revision that took a key off it; 0 if none did. Without one nothing may be missing that was there before.
    pub delisted_revision: u64,
    /// When it was signed, in seconds since the Unix epoch.
    pub issued_at: i64,
    /// How many keys there are.
    pub count: usize,
    /// SHA-256 over all of them as they stand in the document, in hex.
    pub digest: String,
}

/// The list, with the signed head that vouches for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedKeys {
    tag: Tag,
    delisted: Revision,
    issued_at: i64,
    keys: Fingerprints,
    /// Armour and head, as they were signed.
    signed: Vec<u8>,
}

/// A document whose signature holds, and whose keys have not been put together with what is held yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    list: RevokedKeys,
    form: Form,
    head: Head,
}

/// What the keys of a document are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The whole list.
    All,
    /// What was added to the list with this tag.
    Since(Tag),
}

/// Why a document was refused. Keep what is held.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ListError {
    /// Altered, or signed by somebody else.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// Of a schema that this version does not read.
    #[error("the list of revoked keys has schema {0}; this version reads {SCHEMA}")]
    Schema(u32),
    /// Signed, and yet no list that this version knows.
    #[error("the list of revoked keys can't be read: {0}")]
    Malformed(String),
    /// The keys are none.
    #[error("the list of revoked keys can't be read: {0}")]
    Keys(#[from] FingerprintsError),
    /// These are additions to another list than the one that is held: ask for the whole.
    #[error("the additions are not to the list that is held")]
    OtherBase,
    /// The keys are not those that were signed: ask for the whole.
    #[error("the revoked keys are not those that were signed")]
    Digest,
}

impl RevokedKeys {
    /// Signs a list.
    ///
    /// # Errors
    /// When signing fails, or there are more keys than any host reads.
    pub fn sign(
        key: &SnapshotKey,
        (tag, delisted): (Tag, Revision),
        issued_at: i64,
        keys: Fingerprints,
    ) -> Result<Self, ListError> {
        if keys.len() > MAX_KEYS {
            let why = format!("{} keys, and {MAX_KEYS} are the most", keys.len());
            return Err(ListError::Malformed(why));
        }
        let head = Head {
            schema: SCHEMA,
            epoch: tag.epoch.get(),
            revision: tag.revision.get(),
            delisted_revision: delisted.get(),
            issued_at,
            count: keys.len(),
            digest: digest(&keys),
        };
        let mut line = serde_json::to_vec(&head).map_err(malformed)?;
        line.push(b'\n');
        Ok(Self {
            tag,
            delisted,
            issued_at,
            keys,
            signed: key.sign(NAMESPACE, &line)?,
        })
    }

    /// Which state of the list it is: the newest revision that changed it.
    #[must_use]
    pub const fn tag(&self) -> Tag {
        self.tag
    }

    /// The newest revision that took a key off it.
    #[must_use]
    pub const fn delisted(&self) -> Revision {
        self.delisted
    }

    /// When it was signed, in seconds since the Unix epoch.
    #[must_use]
    pub const fn issued_at(&self) -> i64 {
        self.issued_at
    }

    /// The keys.
    #[must_use]
    pub const fn keys(&self) -> &Fingerprints {
        &self.keys
    }

    /// The document with the whole list.
    #[must_use]
    pub fn to_document(&self) -> Vec<u8> {
        self.document(Form::All, &self.keys)
    }

    /// The document with what was `added` to the list with this tag.
    #[must_use]
    pub fn additions(&self, since: Tag, added: &Fingerprints) -> Vec<u8> {
        self.document(Form::Since(since), added)
    }

    fn document(&self, form: Form, keys: &Fingerprints) -> Vec<u8> {
        let (form, keys) = (form.to_line(), keys.to_bytes());
        [self.signed.as_slice(), form.as_bytes(), &keys].concat()
    }
}

impl Received {
    /// Reads a document whose signature holds.
    ///
    /// # Errors
    /// When it does not, or what was signed makes no sense.
    pub fn verify(document: &[u8], key: &SnapshotPublicKey) -> Result<Self, ListError> {
        let (armour, rest) = split(document)?;
        let (line, rest) = line(rest, MAX_HEAD_BYTES)?;
        let signed = document
            .get(..armour.len() + line.len())
            .unwrap_or_default();
        let line = key.verify(NAMESPACE, signed)?;
        let head = Head::parse(line)?;
        let (form, keys) = self::line(rest, MAX_FORM_BYTES)?;
        let list = RevokedKeys {
            tag: head.tag().map_err(malformed)?,
            delisted: Revision::new(head.delisted_revision).map_err(malformed)?,
            issued_at: head.issued_at,
            keys: Fingerprints::from_bytes(keys)?,
            signed: signed.to_vec(),
        };
        let form = Form::from_line(form)?;
        Ok(Self { list, form, head })
    }

    /// The whole list, put together with the one that is held.
    ///
    /// # Errors
    /// When these are additions to another one, or what comes out is not what was signed.
    pub fn complete(self, held: Option<&RevokedKeys>) -> Result<RevokedKeys, ListError> {
        let Self { list, form, head } = self;
        let keys = match form {
            Form::All => list.keys,
            Form::Since(base) => held
                .filter(|held| held.tag == base)
                .ok_or(ListError::OtherBase)?
                .keys
                .union(&list.keys),
        };
        if (keys.len(), digest(&keys)) != (head.count, head.digest) {
            return Err(ListError::Digest);
        }
        Ok(RevokedKeys { keys, ..list })
    }
}

impl Head {
    fn parse(line: &[u8]) -> Result<Self, ListError> {
        #[derive(Deserialize)]
        struct Versioned {
            schema: u32,
        }
        // By its number first: another schema may have other fields.
        match serde_json::from_slice::<Versioned>(line).map_err(malformed)? {
            Versioned { schema: SCHEMA } => serde_json::from_slice(line).map_err(malformed),
            Versioned { schema } => Err(ListError::Schema(schema)),
        }
    }

    fn tag(&self) -> Result<Tag, ModelError> {
        Ok(Tag {
            epoch: Epoch::new(self.epoch)?,
            revision: Revision::new(self.revision)?,
        })
    }
}

impl Form {
    fn to_line(self) -> String {
        match self {
            Self::All => "all\n".to_owned(),
            Self::Since(tag) => format!("{SINCE} {}\n", tag_text(tag)),
        }
    }

    fn from_line(line: &[u8]) -> Result<Self, ListError> {
        let text = str::from_utf8(line)
            .map_err(malformed)?
            .trim_end_matches('\n');
        let since = |text: &str| parse_tag(text.strip_prefix(SINCE)?.strip_prefix(' ')?);
        match text {
            "all" => Ok(Self::All),
            text => since(text)
                .map(Self::Since)
                .ok_or_else(|| ListError::Malformed("it does not say what its keys are".into())),
        }
    }
}

/// A tag without quotes, as it stands in a query and in a document.
#[must_use]
pub fn tag_text(tag: Tag) -> String {
    tag.to_header().trim_matches('"').to_owned()
}

/// Reads a tag without quotes.
#[must_use]
pub fn parse_tag(text: &str) -> Option<Tag> {
    Tag::from_header(&format!("\"{text}\"")).ok()
}

/// The first line with its newline, and what follows.
fn line(bytes: &[u8], most: usize) -> Result<(&[u8], &[u8]), ListError> {
    let head = bytes.get(..bytes.len().min(most)).unwrap_or_default();
    let end = head.iter().position(|byte| *byte == b'\n');
    end.and_then(|end| bytes.split_at_checked(end + 1))
        .ok_or_else(|| ListError::Malformed("a line of it has no end".into()))
}

fn digest(keys: &Fingerprints) -> String {
    let mut hash = Sha256::new();
    for key in keys {
        hash.update(key.as_bytes());
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn malformed(error: impl std::fmt::Display) -> ListError {
    ListError::Malformed(error.to_string())
}

const NAMESPACE: Namespace = Namespace::RevokedKeys;
/// The longest second line that is read, in bytes.
const MAX_FORM_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::signature::SEED_BYTES;

    /// Bytes between two places that are tried: verifying takes a while.
    const STEP: usize = 7;

    fn key() -> SnapshotKey {
        SnapshotKey::from_seed(&[7; SEED_BYTES]).unwrap()
    }

    fn tag(text: &str) -> Tag {
        parse_tag(text).unwrap()
    }

    fn set(numbers: impl IntoIterator<Item = u8>) -> Fingerprints {
        let bytes = |number: u8| [number; 32];
        let mut digests: Vec<[u8; 32]> = numbers.into_iter().map(bytes).collect();
        digests.sort_unstable();
        digests.dedup();
        Fingerprints::from_bytes(&digests.concat()).unwrap()
    }

    fn list(at: &str, numbers: impl IntoIterator<Item = u8>) -> RevokedKeys {
        let delisted = Revision::new(0).unwrap();
        RevokedKeys::sign(&key(), (tag(at), delisted), 900, set(numbers)).unwrap()
    }

    fn read(document: &[u8], held: Option<&RevokedKeys>) -> Result<RevokedKeys, ListError> {
        Received::verify(document, &key().public())?.complete(held)
    }

    #[test]
    fn a_whole_list_is_read_as_it_was_signed_whatever_is_held() {
        let made = list("1.42", [3, 1, 2]);
        let held = list("1.40", [9]);
        for held in [None, Some(&held)] {
            let got = read(&made.to_document(), held).unwrap();
            assert_eq!(got, made);
            assert_eq!((got.tag(), got.keys().len()), (tag("1.42"), 3));
        }
        let empty = list("1.0", []);
        assert_eq!(read(&empty.to_document(), None).unwrap(), empty);
    }

    #[test]
    fn additions_make_of_the_list_that_is_held_the_one_that_was_signed() {
        let (held, made) = (list("1.40", [1, 3]), list("1.42", [1, 2, 3, 4]));
        let document = made.additions(tag("1.40"), &set([2, 4]));
        let got = read(&document, Some(&held)).unwrap();
        assert_eq!(got, made);
        // What is kept of it needs no other list.
        assert_eq!(read(&got.to_document(), None).unwrap(), made);
    }

    #[test]
    fn additions_to_another_list_are_refused() {
        let made = list("1.42", [1, 2, 3]);
        let document = made.additions(tag("1.40"), &set([2]));
        let wrong_tag = list("1.41", [1, 3]);
        assert_eq!(read(&document, Some(&wrong_tag)), Err(ListError::OtherBase));
        assert_eq!(read(&document, None), Err(ListError::OtherBase));
        let wrong_keys = list("1.40", [1]);
        assert_eq!(read(&document, Some(&wrong_keys)), Err(ListError::Digest));
    }

    #[test]
    fn what_stands_after_the_head_can_make_nothing_else_of_it() {
        let made = list("1.42", [1, 2]);
        for (form, keys) in [
            (Form::All, set([1])),
            (Form::All, set([])),
            (Form::All, set([1, 2, 3])),
            (Form::All, set([1, 3])),
        ] {
            assert_eq!(
                read(&made.document(form, &keys), None),
                Err(ListError::Digest)
            );
        }
        let empty = list("1.42", []);
        let smuggled = made.document(Form::Since(tag("1.42")), &set([]));
        assert_eq!(read(&smuggled, Some(&empty)), Err(ListError::Digest));
    }

    #[test]
    fn no_flipped_bit_and_no_truncation_is_accepted() {
        let made = list("1.42", [1, 2]);
        let document = made.to_document();
        // The armour's own bytes are the business of `signature`.
        let armour = split(&document).unwrap().0.len();
        for index in (armour..document.len()).step_by(STEP) {
            let mut flipped = document.clone();
            flipped[index] ^= 1 << (index % 8);
            assert!(read(&flipped, None).is_err(), "byte {index}");
            assert!(read(&document[..index], None).is_err(), "length {index}");
        }
        assert!(read(&[document.as_slice(), b"\n"].concat(), None).is_err());
    }

    #[test]
    fn a_head_of_another_schema_is_refused_by_its_number_and_one_that_makes_no_sense_by_its_fields()
    {
        let sign = |line: &str| {
            [
                key().sign(NAMESPACE, line.as_bytes()).unwrap(),
                b"all\n".to_vec(),
            ]
            .concat()
        };
        let refusal = |line: &str| read(&sign(line), None).unwrap_err();
        assert_eq!(
            refusal("{\"schema\":2,\"news\":[]}\n"),
            ListError::Schema(2)
        );
        for line in [
            "\n",
            "{}\n",
            "{\"schema\":1}\n",
            "{\"schema\":1,\"epoch\":1,\"revision\":9223372036854775808,\"delisted_revision\":0,\"issued_at\":0,\"count\":0,\"digest\":\"\"}\n",
            "{\"schema\":1,\"epoch\":1,\"epoch\":2,\"revision\":1,\"delisted_revision\":0,\"issued_at\":0,\"count\":0,\"digest\":\"\"}\n",
            "{\"schema\":1,\"epoch\":1,\"revision\":1,\"delisted_revision\":0,\"issued_at\":0,\"count\":0,\"digest\":\"\",\"more\":1}\n",
        ] {
            assert!(matches!(refusal(line), ListError::Malformed(_)), "{line}");
        }
    }

    #[test]
    fn a_document_of_another_kind_is_no_list() {
        let document = key()
            .sign(Namespace::Snapshot, b"{\"schema\":1}\nall\n")
            .unwrap();
        assert!(matches!(
            read(&document, None),
            Err(ListError::Signature(_))
        ));
    }

    #[test]
    fn more_keys_than_any_host_reads_are_not_signed() {
        let digests: Vec<u8> = (0..=u32::try_from(MAX_KEYS).unwrap())
            .flat_map(|number| {
                let mut digest = [0; 32];
                digest[..4].copy_from_slice(&number.to_be_bytes());
                digest
            })
            .collect();
        let keys = Fingerprints::from_bytes(&digests).unwrap();
        let signed = RevokedKeys::sign(&key(), (tag("1.1"), Revision::new(0).unwrap()), 0, keys);
        assert!(matches!(signed, Err(ListError::Malformed(_))));
    }

    proptest! {
        #[test]
        fn bytes_of_any_kind_never_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(read(&bytes, None).is_err());
        }
    }
}
