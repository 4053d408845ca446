//! The key of a line: its name and its body.
//!
//! The body is decoded only as far as sshd must to take the line for a line with a key: the name inside, the fields that
//! a key of this type has, nothing behind them. Whether a point lies on its curve is for those to say who use the key.

use std::fmt;

use crate::algorithm::{self, Algorithm};
use crate::base64;
use crate::error::{KeyReason, LineReason};

/// A plain key as it stands in a line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineKey {
    algorithm: Algorithm,
    base64: String,
}

impl LineKey {
    /// Checks a name and a body.
    ///
    /// # Errors
    /// When the name is unknown, of DSA or of a certificate, or the body is not a key of that name.
    pub fn parse(name: &str, body: &str) -> Result<Self, LineReason> {
        if name == algorithm::DSA {
            return Err(LineReason::Dsa);
        }
        let algorithm =
            Algorithm::from_line_name(name).ok_or(LineReason::Key(KeyReason::UnknownAlgorithm))?;
        if algorithm.is_certificate() {
            return Err(LineReason::Certificate);
        }
        check(algorithm, body).map_err(LineReason::Key)?;
        Ok(Self {
            algorithm,
            base64: body.to_owned(),
        })
    }

    /// The type of the key.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The body: canonical, padded base64.
    #[must_use]
    pub fn base64(&self) -> &str {
        &self.base64
    }
}

impl fmt::Display for LineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.algorithm, self.base64)
    }
}

fn check(algorithm: Algorithm, body: &str) -> Result<(), KeyReason> {
    let bytes = base64::decode(body).ok_or(KeyReason::Base64)?;
    let mut fields = Fields::new(&bytes);
    if fields.next() != Some(algorithm.as_str().as_bytes()) {
        return Err(KeyReason::TypeMismatch);
    }
    let complete = match algorithm {
        Algorithm::Ed25519 => fields.length_is(32),
        Algorithm::SkEd25519 => fields.length_is(32) && fields.next().is_some(),
        Algorithm::EcdsaP256 => fields.is_point_on(b"nistp256", 32),
        Algorithm::EcdsaP384 => fields.is_point_on(b"nistp384", 48),
        Algorithm::EcdsaP521 => fields.is_point_on(b"nistp521", 66),
        Algorithm::SkEcdsaP256 => fields.is_point_on(b"nistp256", 32) && fields.next().is_some(),
        Algorithm::Rsa => {
            let exponent = fields.next().and_then(bits_of);
            match fields.next().and_then(bits_of) {
                Some(bits) if !RSA_BITS.contains(&bits) => return Err(KeyReason::RsaSize),
                modulus => exponent.is_some() && modulus.is_some(),
            }
        }
        _ => false,
    };
    if complete && fields.is_at_end() {
        Ok(())
    } else {
        Err(KeyReason::Malformed)
    }
}

/// Bits of a number that is not negative.
fn bits_of(number: &[u8]) -> Option<usize> {
    if number.first().is_some_and(|byte| byte & 0x80 != 0) {
        return None;
    }
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    let first = number.get(zeros)?;
    Some((number.len() - zeros) * 8 - first.leading_zeros() as usize)
}

/// The fields of a blob: each a length of four bytes and as many bytes.
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (field, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(field)
    }

    /// Skips bytes that stand without a length.
    pub(crate) fn skip(&mut self, count: usize) -> Option<()> {
        self.0 = self.0.get(count..)?;
        Some(())
    }

    const fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    fn length_is(&mut self, length: usize) -> bool {
        self.next().is_some_and(|field| field.len() == length)
    }

    /// The name of a curve, and an uncompressed point of two coordinates.
    fn is_point_on(&mut self, curve: &[u8], coordinate: usize) -> bool {
        self.next() == Some(curve)
            && self
                .next()
                .is_some_and(|point| point.first() == Some(&4) && point.len() == 1 + 2 * coordinate)
    }
}

/// Bits of an RSA modulus that sshd reads at all.
const RSA_BITS: std::ops::RangeInclusive<usize> = 1024..=16384;

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(fields: &[&[u8]]) -> String {
        let mut bytes = Vec::new();
        for field in fields {
            bytes.extend_from_slice(&u32::try_from(field.len()).unwrap().to_be_bytes());
            bytes.extend_from_slice(field);
        }
        base64::encode(&bytes)
    }

    fn point(coordinate: usize) -> Vec<u8> {
        let mut point = vec![7; 1 + 2 * coordinate];
        point[0] = 4;
        point
    }

    #[test]
    fn each_type_has_its_fields_and_nothing_behind_them() {
        let modulus = [1; 256];
        let (p256, p384, p521) = (point(32), point(48), point(66));
        let keys: [(&str, &[&[u8]]); 7] = [
            ("ssh-ed25519", &[&[1; 32]]),
            ("sk-ssh-ed25519@openssh.com", &[&[1; 32], b"ssh:"]),
            ("ecdsa-sha2-nistp256", &[b"nistp256", &p256]),
            ("ecdsa-sha2-nistp384", &[b"nistp384", &p384]),
            ("ecdsa-sha2-nistp521", &[b"nistp521", &p521]),
            (
                "sk-ecdsa-sha2-nistp256@openssh.com",
                &[b"nistp256", &p256, b"ssh:"],
            ),
            ("ssh-rsa", &[&[1, 0, 1], &modulus]),
        ];
        for (name, fields) in keys {
            let whole = [&[name.as_bytes()], fields].concat();
            assert!(LineKey::parse(name, &blob(&whole)).is_ok(), "{name}");
            let malformed = Err(LineReason::Key(KeyReason::Malformed));
            assert_eq!(
                LineKey::parse(name, &blob(&whole[..whole.len() - 1])),
                malformed,
                "{name}"
            );
            let more = [whole.as_slice(), &[b""]].concat();
            assert_eq!(LineKey::parse(name, &blob(&more)), malformed, "{name}");
        }
    }

    #[test]
    fn a_name_of_a_signature_algorithm_stands_for_the_key() {
        let body = blob(&[b"ssh-rsa", &[1, 0, 1], &[1; 256]]);
        let key = LineKey::parse("rsa-sha2-512", &body).unwrap();
        assert_eq!(key.to_string(), format!("ssh-rsa {body}"));
    }

    #[test]
    fn foreign_names_have_reasons_of_their_own() {
        let body = blob(&[b"ssh-ed25519", &[1; 32]]);
        for (name, reason) in [
            ("ssh-dss", LineReason::Dsa),
            ("ssh-ed25519-cert-v01@openssh.com", LineReason::Certificate),
            ("ssh-ed448", LineReason::Key(KeyReason::UnknownAlgorithm)),
            ("ssh-rsa", LineReason::Key(KeyReason::TypeMismatch)),
        ] {
            assert_eq!(LineKey::parse(name, &body), Err(reason), "{name}");
        }
        assert_eq!(
            LineKey::parse("ssh-ed25519", "*"),
            Err(LineReason::Key(KeyReason::Base64))
        );
    }

    #[test]
    fn rsa_moduli_are_held_to_what_sshd_reads() {
        let key =
            |modulus: &[u8]| LineKey::parse("ssh-rsa", &blob(&[b"ssh-rsa", &[1, 0, 1], modulus]));
        assert!(key(&[0x7f; 128]).is_err());
        assert!(key(&[&[0], [0xff; 128].as_slice()].concat()).is_ok());
        assert!(key(&[0x7f; 2048]).is_ok());
        assert_eq!(key(&[0x7f; 2049]), Err(LineReason::Key(KeyReason::RsaSize)));
        assert_eq!(
            key(&[0xff; 256]),
            Err(LineReason::Key(KeyReason::Malformed))
        );
    }
}
