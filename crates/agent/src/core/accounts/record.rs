//! One account, packed: what a snapshot says about it, in a row of bytes.
//!
//! A text is its length and its bytes, or the number of a text that most snapshots repeat; numbers take as few bytes as they
//! need. A third of the JSON, and one piece of memory for thousands of accounts instead of a dozen for each key.

use keyroster_api::snapshot::{Account, AccountKey, Segment};

/// Appends an account.
pub(super) fn pack(account: &Account, bytes: &mut Vec<u8>) {
    put_text(bytes, &account.name);
    put_length(bytes, account.keys.len());
    let mut packed = Vec::new();
    for key in &account.keys {
        packed.clear();
        pack_key(key, &mut packed);
        put_length(bytes, packed.len());
        bytes.extend_from_slice(&packed);
    }
}

fn pack_key(key: &AccountKey, bytes: &mut Vec<u8>) {
    put_text(bytes, &key.algorithm);
    put_text(bytes, &key.blob);
    put_length(bytes, key.segments.len());
    for segment in &key.segments {
        put_signed(bytes, segment.from);
        bytes.push(u8::from(segment.until.is_some()));
        if let Some(until) = segment.until {
            put_signed(bytes, until);
        }
        put_text(bytes, &segment.options);
        put_text(bytes, &segment.comment);
    }
}

/// A packed account. Whatever follows it in memory is not looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a>(&'a [u8]);

/// What can't be read though we wrote it: memory that is damaged. It is told as a key without a line, which is answered
/// "unavailable", and never as no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged;

impl<'a> Record<'a> {
    /// The account that begins here.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Its name, as bytes: they sort as the text does.
    pub(super) fn name(self) -> &'a [u8] {
        Reader(self.0).text().unwrap_or_default()
    }

    /// What it says about one key.
    pub(super) fn key(self, algorithm: &str, blob: &str) -> Result<Option<AccountKey>, Damaged> {
        self.find(algorithm.as_bytes(), blob.as_bytes())
            .ok_or(Damaged)
    }

    fn find(self, algorithm: &[u8], blob: &[u8]) -> Option<Option<AccountKey>> {
        let mut reader = Reader(self.0);
        reader.text()?;
        for _ in 0..reader.length()? {
            let length = reader.length()?;
            let key = reader.take(length)?;
            let mut fields = Reader(key);
            if fields.text()? == algorithm && fields.text()? == blob {
                return Reader(key).key().map(Some);
            }
        }
        Some(None)
    }

    /// The whole of it.
    pub(super) fn account(self) -> Result<Account, Damaged> {
        Reader(self.0).account().ok_or(Damaged)
    }
}

/// Reads from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn account(&mut self) -> Option<Account> {
        let name = self.string()?;
        let count = self.length()?;
        let mut keys = Vec::with_capacity(count.min(self.0.len()));
        for _ in 0..count {
            self.length()?;
            keys.push(self.key()?);
        }
        Some(Account { name, keys })
    }

    fn key(&mut self) -> Option<AccountKey> {
        let (algorithm, blob) = (self.string()?, self.string()?);
        let count = self.length()?;
        let mut segments = Vec::with_capacity(count.min(self.0.len()));
        for _ in 0..count {
            segments.push(self.segment()?);
        }
        Some(AccountKey {
            algorithm,
            blob,
            segments,
        })
    }

    fn segment(&mut self) -> Option<Segment> {
        let from = self.signed()?;
        let until = match self.byte()? {
            0 => None,
            _ => Some(self.signed()?),
        };
        Some(Segment {
            from,
            until,
            options: self.string()?,
            comment: self.string()?,
        })
    }

    fn string(&mut self) -> Option<String> {
        String::from_utf8(self.text()?.to_vec()).ok()
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let number = self.number()?;
        let value = usize::try_from(number >> 1).ok()?;
        match number & 1 {
            0 => self.take(value),
            _ => COMMON.get(value).map(|text| text.as_bytes()),
        }
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    /// Seven bits a byte, the low ones first; the eighth says that more follow.
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    match COMMON.iter().position(|common| *common == text) {
        Some(index) => put_number(bytes, (index as u64) << 1 | 1),
        None => {
            put_number(bytes, (text.len() as u64) << 1);
            bytes.extend_from_slice(text.as_bytes());
        }
    }
}

fn put_length(bytes: &mut Vec<u8>, length: usize) {
    put_number(bytes, length as u64);
}

fn put_signed(bytes: &mut Vec<u8>, number: i64) {
    put_number(bytes, (number << 1 ^ number >> 63).cast_unsigned());
}

fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// Texts that most snapshots repeat: algorithms, and the options of a grant that names none. Memory only, so this may change.
const COMMON: [&str; 10] = [
    "ssh-ed25519",
    "restrict,pty",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "restrict",
    "",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::any_account;

    proptest! {
        #[test]
        fn an_account_survives_packing_and_each_of_its_keys_is_found(account in any_account()) {
            let mut bytes = Vec::new();
            pack(&account, &mut bytes);
            bytes.extend_from_slice(b"\x05another");
            let record = Record::new(&bytes);
            prop_assert_eq!(record.name(), account.name.as_bytes());
            for key in &account.keys {
                let found = record.key(&key.algorithm, &key.blob);
                let first = account.keys.iter().find(|other| (&other.algorithm, &other.blob) == (&key.algorithm, &key.blob));
                prop_assert_eq!(found, Ok(first.cloned()));
            }
            prop_assert_eq!(record.key("ssh-ed25519", "-"), Ok(None));
            prop_assert_eq!(record.account(), Ok(account));
        }

        #[test]
        fn bytes_of_any_kind_never_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let record = Record::new(&bytes);
            let _ = (record.name(), record.key("a", "b"), record.account());
        }
    }

    #[test]
    fn numbers_at_the_edges_survive() {
        for number in [i64::MIN, -1, 0, 1, 63, 64, i64::MAX] {
            let mut bytes = Vec::new();
            put_signed(&mut bytes, number);
            assert_eq!(Reader(&bytes).signed(), Some(number));
        }
    }

    #[test]
    fn a_key_that_is_cut_off_is_damage_and_not_absence() {
        let mut bytes = Vec::new();
        let account = crate::testing::snapshot(1, 1).accounts.remove(0);
        pack(&account, &mut bytes);
        let key = &account.keys[0];
        let cut = &bytes[..bytes.len() - 1];
        assert_eq!(
            Record::new(cut).key(&key.algorithm, &key.blob),
            Err(Damaged)
        );
    }
}
