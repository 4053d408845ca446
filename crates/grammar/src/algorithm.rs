//! The names that a line may give to a key.
//!
//! One flat, closed enum and one table: sshd decides by comparing whole names, and so do we. The names of signature
//! algorithms (`rsa-sha2-512` and its like) name no key, but sshd 9.2 takes them in a line, where they stand for the key's
//! own name: [`Algorithm::from_line_name`] knows them, [`Algorithm::from_name`] does not, and none is ever printed.

use std::fmt;

/// The type of a key blob, as its name in a line and inside the blob says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// Ed25519.
    Ed25519,
    /// ECDSA on NIST P-256.
    EcdsaP256,
    /// ECDSA on NIST P-384.
    EcdsaP384,
    /// ECDSA on NIST P-521.
    EcdsaP521,
    /// RSA.
    Rsa,
    /// Ed25519 in a FIDO security key.
    SkEd25519,
    /// ECDSA on NIST P-256 in a FIDO security key.
    SkEcdsaP256,
    /// A certificate for an Ed25519 key.
    Ed25519Certificate,
    /// A certificate for an ECDSA P-256 key.
    EcdsaP256Certificate,
    /// A certificate for an ECDSA P-384 key.
    EcdsaP384Certificate,
    /// A certificate for an ECDSA P-521 key.
    EcdsaP521Certificate,
    /// A certificate for an RSA key.
    RsaCertificate,
    /// A certificate for an Ed25519 security key.
    SkEd25519Certificate,
    /// A certificate for an ECDSA P-256 security key.
    SkEcdsaP256Certificate,
}

impl Algorithm {
    /// Every algorithm, in the order of the enum.
    pub const ALL: [Self; 14] = [
        Self::Ed25519,
        Self::EcdsaP256,
        Self::EcdsaP384,
        Self::EcdsaP521,
        Self::Rsa,
        Self::SkEd25519,
        Self::SkEcdsaP256,
        Self::Ed25519Certificate,
        Self::EcdsaP256Certificate,
        Self::EcdsaP384Certificate,
        Self::EcdsaP521Certificate,
        Self::RsaCertificate,
        Self::SkEd25519Certificate,
        Self::SkEcdsaP256Certificate,
    ];

    /// The algorithm that a name stands for. Case matters, as it does for sshd.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
    }

    /// The algorithm that the first word of a line stands for: its own name, or that of a signature algorithm of its.
    #[must_use]
    pub fn from_line_name(name: &str) -> Option<Self> {
        match name {
            "rsa-sha2-256" | "rsa-sha2-512" => Some(Self::Rsa),
            "webauthn-sk-ecdsa-sha2-nistp256@openssh.com" => Some(Self::SkEcdsaP256),
            _ => Self::from_name(name),
        }
    }

    /// The name, as it stands in a line and inside the blob.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ssh-ed25519",
            Self::EcdsaP256 => "ecdsa-sha2-nistp256",
            Self::EcdsaP384 => "ecdsa-sha2-nistp384",
            Self::EcdsaP521 => "ecdsa-sha2-nistp521",
            Self::Rsa => "ssh-rsa",
            Self::SkEd25519 => "sk-ssh-ed25519@openssh.com",
            Self::SkEcdsaP256 => "sk-ecdsa-sha2-nistp256@openssh.com",
            Self::Ed25519Certificate => "ssh-ed25519-cert-v01@openssh.com",
            Self::EcdsaP256Certificate => "ecdsa-sha2-nistp256-cert-v01@openssh.com",
            Self::EcdsaP384Certificate => "ecdsa-sha2-nistp384-cert-v01@openssh.com",
            Self::EcdsaP521Certificate => "ecdsa-sha2-nistp521-cert-v01@openssh.com",
            Self::RsaCertificate => "ssh-rsa-cert-v01@openssh.com",
            Self::SkEd25519Certificate => "sk-ssh-ed25519-cert-v01@openssh.com",
            Self::SkEcdsaP256Certificate => "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
        }
    }

    /// Whether the name is that of a certificate, which sshd never accepts as the key of a line.
    #[must_use]
    pub const fn is_certificate(self) -> bool {
        matches!(
            self,
            Self::Ed25519Certificate
                | Self::EcdsaP256Certificate
                | Self::EcdsaP384Certificate
                | Self::EcdsaP521Certificate
                | Self::RsaCertificate
                | Self::SkEd25519Certificate
                | Self::SkEcdsaP256Certificate
        )
    }

    /// Whether the private half lives in a FIDO security key.
    #[must_use]
    pub const fn is_security_key(self) -> bool {
        matches!(
            self,
            Self::SkEd25519
                | Self::SkEcdsaP256
                | Self::SkEd25519Certificate
                | Self::SkEcdsaP256Certificate
        )
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name of DSA keys: known, so that they are refused by name, and nothing more.
pub const DSA: &str = "ssh-dss";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_is_found_by_its_own_name_and_by_no_other_case() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(algorithm.as_str()), Some(algorithm));
            assert_eq!(
                Algorithm::from_name(&algorithm.as_str().to_uppercase()),
                None
            );
        }
    }

    #[test]
    fn dsa_and_names_of_signature_algorithms_are_no_algorithms_of_keys() {
        for name in [DSA, "rsa-sha2-256", "rsa-sha2-512", "", "ssh-ed25519 "] {
            assert_eq!(Algorithm::from_name(name), None, "{name}");
        }
    }
}
