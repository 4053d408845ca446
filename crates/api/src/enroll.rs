//! Enrolment: how a host gets its credential.
//!
//! An enrolment token is one text that an admin hands over. It carries the secret, and the pins of the CA and of the snapshot
//! key, so that the very first contact is with the right key server and needs no trust in anything else.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyroster_roster::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::time;

/// What every enrolment token begins with.
pub const PREFIX: &str = "kre1.";
/// Random bytes in an enrolment token: 160 bits.
pub const SECRET_BYTES: usize = 20;
/// Bytes of a pin: SHA-256.
pub const PIN_BYTES: usize = 32;
/// The longest life of an enrolment token, in seconds.
pub const MAX_TTL_S: u32 = 3600;
/// The header of an enrolment: the snapshot key that the token pins, in base64url. A token whose key nobody is told of any more is
/// refused before it is used up.
pub const SNAPSHOT_PIN_HEADER: &str = "keyroster-snapshot-pin";
/// The header of an answer to a host whose certificate is of a CA that is about to go: seconds within which it renews it, at a
/// moment of its own choice.
pub const RENEW_WITHIN_HEADER: &str = "keyroster-renew-within";
/// The largest certificate request that is taken, in bytes.
pub const MAX_CSR_BYTES: usize = 8 * 1024;

/// An enrolment token, taken apart. Its `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct EnrolmentToken {
    /// The secret; the key server keeps a hash of it.
    pub secret: Zeroizing<[u8; SECRET_BYTES]>,
    /// SHA-256 of the CA's certificate (DER).
    pub ca_pin: [u8; PIN_BYTES],
    /// SHA-256 of the snapshot key's blob.
    pub snapshot_pin: [u8; PIN_BYTES],
}

/// A text that is no enrolment token. It does not repeat the text, which may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not an enrolment token; one begins with \"kre1.\" and has three more parts")]
pub struct EnrolmentTokenError;

impl EnrolmentToken {
    /// Reads a token's text.
    ///
    /// # Errors
    /// When it is not of the form.
    pub fn parse(text: &str) -> Result<Self, EnrolmentTokenError> {
        let mut parts = text
            .strip_prefix(PREFIX)
            .ok_or(EnrolmentTokenError)?
            .split('.');
        let token = Self {
            secret: Zeroizing::new(part(parts.next())?),
            ca_pin: part(parts.next())?,
            snapshot_pin: part(parts.next())?,
        };
        match parts.next() {
            None => Ok(token),
            Some(_) => Err(EnrolmentTokenError),
        }
    }

    /// Writes the token's text: a secret.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        Zeroizing::new(format!(
            "{PREFIX}{}.{}.{}",
            encode(&*self.secret),
            encode(&self.ca_pin),
            encode(&self.snapshot_pin)
        ))
    }
}

impl fmt::Debug for EnrolmentToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("EnrolmentToken(secret)")
    }
}

fn part<const N: usize>(text: Option<&str>) -> Result<[u8; N], EnrolmentTokenError> {
    let bytes = URL_SAFE_NO_PAD
        .decode(text.ok_or(EnrolmentTokenError)?)
        .map_err(|_| EnrolmentTokenError)?;
    bytes.try_into().map_err(|_| EnrolmentTokenError)
}

/// `POST /v1/enrolment-tokens`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AddEnrolmentToken {
    /// The host group that the host will be in.
    pub host_group: String,
    /// Seconds until it ends: 1 to 3600, which is the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<u32>,
}

/// An enrolment token as `GET /v1/enrolment-tokens` lists it; the secret is never told again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EnrolmentTokenView {
    /// What it is known by, in the audit log too: the SHA-256 of its secret, in hex.
    pub id: String,
    /// The host group that its host will be in.
    pub host_group: String,
    /// The name of the token that made it.
    pub created_by: String,
    /// When it was made.
    #[serde(with = "time::required")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
    /// When it ends.
    #[serde(with = "time::required")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub expires_at: Timestamp,
    /// The id of the host that it was used for; null while it is unused.
    pub used_by: Option<String>,
    /// When it was used.
    #[serde(with = "time::optional", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub used_at: Option<Timestamp>,
}

/// A secret that is told once.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewToken {
    /// The token: a secret.
    pub token: String,
    /// When it ends.
    #[serde(with = "time::required")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub expires_at: Timestamp,
}

impl fmt::Debug for NewToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("NewToken")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// `POST /v1/enroll`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Enroll {
    /// The secret part of the enrolment token, in base64url.
    pub secret: String,
    /// The name under which the host wants to be known.
    pub name: String,
    /// A certificate request (PKCS #10, PEM) with the host's own key; its names are ignored.
    pub csr: String,
}

impl fmt::Debug for Enroll {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Enroll")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The answer to an enrolment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Enrolled {
    /// The host's id.
    pub host_id: String,
    /// The host's name.
    pub name: String,
    /// The client certificate, PEM.
    pub certificate: String,
    /// The CA's certificate, PEM.
    pub ca: String,
    /// That of the other CA while it is exchanged: enrolment tokens carry the pin of the one or the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_ca: Option<String>,
    /// The snapshot key's public half, as an OpenSSH line.
    pub snapshot_key: String,
    /// That of the other snapshot key while it is exchanged, the newer or the older one: enrolment tokens carry the pin of the one or
    /// the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_snapshot_key: Option<String>,
    /// The serial of the set of snapshot keys from which the host goes on.
    #[serde(default)]
    pub keys_serial: u64,
    /// The epoch of the roster at this moment.
    pub epoch: u64,
    /// The revision that the enrolment made: no snapshot below it is this host's.
    pub revision: u64,
}

/// `POST /v1/host/certificate`: a new certificate before the old one ends.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RenewCertificate {
    /// A certificate request (PKCS #10, PEM) with a new key of the host's own.
    pub csr: String,
}

/// The answer to a renewal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RenewedCertificate {
    /// The client certificate, PEM.
    pub certificate: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> EnrolmentToken {
        EnrolmentToken {
            secret: Zeroizing::new([7; SECRET_BYTES]),
            ca_pin: [8; PIN_BYTES],
            snapshot_pin: [9; PIN_BYTES],
        }
    }

    #[test]
    fn a_token_survives_its_text() {
        assert_eq!(EnrolmentToken::parse(&token().to_text()), Ok(token()));
    }

    #[test]
    fn a_token_with_a_part_more_or_less_or_cut_is_refused() {
        let text = token().to_text().to_string();
        for bad in [
            String::new(),
            text.replace("kre1", "kre2"),
            format!("{text}."),
            text[..text.len() - 1].to_owned(),
        ] {
            assert_eq!(
                EnrolmentToken::parse(&bad),
                Err(EnrolmentTokenError),
                "{bad}"
            );
        }
    }

    #[test]
    fn no_debug_output_holds_a_secret() {
        let new = NewToken {
            token: "kre1.secret".into(),
            expires_at: Timestamp::from_unix(0),
        };
        let enroll = Enroll {
            secret: "secret".into(),
            name: "web-1".into(),
            csr: "csr".into(),
        };
        assert!(!format!("{new:?}{enroll:?}").contains("secret\""));
        assert_eq!(format!("{:?}", token()), "EnrolmentToken(secret)");
    }
}
