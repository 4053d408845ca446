//! What the lookup asks.

use std::io::{self, Read, Write};

use crate::bytes::{Alphabet, Cursor, Rule, put_long, put_short};
use crate::error::{DecodeError, EncodeError, Field, ReadError};
use crate::frame::{self, FrameKind};

/// Longest account, in bytes: one less than Linux's `LOGIN_NAME_MAX`.
pub const ACCOUNT_MAX: usize = 255;

/// Longest key type, in bytes; the longest that OpenSSH knows has 42.
pub const KEY_TYPE_MAX: usize = 64;

/// Longest key or certificate, in bytes of base64: room for RSA of 16,384 bits and for a certificate with many principals.
pub const KEY_BASE64_MAX: usize = 16 * 1024;

/// Longest fingerprint, in bytes; `SHA256:` and 43 characters make 50.
pub const FINGERPRINT_MAX: usize = 64;

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// The authorized_keys line for the offered key.
    Keys(Question<'a>),
    /// The principals lines for the offered certificate.
    Principals(Question<'a>),
    /// How the host agent is.
    Status,
}

/// Who asks to log in, and with which key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question<'a> {
    /// The account's number on this host, as sshd's `%U`.
    pub uid: u32,
    /// The account's name, as sshd's `%u`: any text, not yet an `AccountName`.
    pub account: &'a str,
    /// The offered key's type, as sshd's `%t`.
    pub key_type: &'a str,
    /// The offered key or certificate in base64, as sshd's `%k`.
    pub key_base64: &'a str,
    /// The offered key's fingerprint, as sshd's `%f`; of a certificate, that of the plain key in it.
    pub fingerprint: &'a str,
}

impl<'a> Request<'a> {
    /// The request as a frame.
    ///
    /// # Errors
    ///
    /// When a field is empty, exceeds its cap or holds what it may not.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let (kind, question) = match self {
            Self::Keys(question) => (KIND_KEYS, question),
            Self::Principals(question) => (KIND_PRINCIPALS, question),
            Self::Status => return frame::seal(FrameKind::Request, KIND_STATUS, &[]),
        };
        let mut body =
            Vec::with_capacity(question.account.len() + question.key_base64.len() + FIXED_ROOM);
        body.extend_from_slice(&question.uid.to_be_bytes());
        put_short(&mut body, question.account, ACCOUNT)?;
        put_short(&mut body, question.key_type, KEY_TYPE)?;
        put_long(&mut body, question.key_base64, KEY_BASE64)?;
        put_short(&mut body, question.fingerprint, FINGERPRINT)?;
        frame::seal(FrameKind::Request, kind, &body)
    }

    /// The request that `frame` is, borrowed from it.
    ///
    /// # Errors
    ///
    /// When the bytes are not exactly one request of this version.
    pub fn decode(frame: &'a [u8]) -> Result<Self, DecodeError> {
        let (kind, mut body) = frame::open(FrameKind::Request, frame)?;
        let request = match kind {
            KIND_KEYS => Self::Keys(Question::take(&mut body)?),
            KIND_PRINCIPALS => Self::Principals(Question::take(&mut body)?),
            KIND_STATUS => Self::Status,
            other => return Err(DecodeError::Kind(other)),
        };
        body.finish()?;
        Ok(request)
    }

    /// Reads the frame of one request, at most [`REQUEST_MAX`](crate::REQUEST_MAX) bytes; [`Request::decode`] it then.
    ///
    /// # Errors
    ///
    /// When the stream fails or ends early, or its header is not one of a request.
    pub fn read_from(reader: &mut impl Read) -> Result<Vec<u8>, ReadError> {
        frame::read(FrameKind::Request, reader)
    }

    /// Encodes the request and writes it.
    ///
    /// # Errors
    ///
    /// When the stream fails; a request that can't be encoded is [`io::ErrorKind::InvalidInput`].
    pub fn write_to(&self, writer: &mut impl Write) -> io::Result<()> {
        let frame = self
            .encode()
            .map_err(|err| io::Error::new(io::ErrorKind::InvalidInput, err))?;
        writer.write_all(&frame)?;
        writer.flush()
    }
}

impl<'a> Question<'a> {
    fn take(body: &mut Cursor<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            uid: body.u32()?,
            account: body.short(ACCOUNT)?,
            key_type: body.short(KEY_TYPE)?,
            key_base64: body.long(KEY_BASE64)?,
            fingerprint: body.short(FINGERPRINT)?,
        })
    }
}

const KIND_KEYS: u8 = 1;
const KIND_PRINCIPALS: u8 = 2;
const KIND_STATUS: u8 = 3;

/// Room for the fixed fields, the key type and the fingerprint, in bytes: a hint for one allocation, not a cap.
const FIXED_ROOM: usize = 9 + KEY_TYPE_MAX + FINGERPRINT_MAX;

const ACCOUNT: Rule = Rule {
    field: Field::Account,
    max: ACCOUNT_MAX,
    alphabet: Alphabet::Text,
};
const KEY_TYPE: Rule = Rule {
    field: Field::KeyType,
    max: KEY_TYPE_MAX,
    alphabet: Alphabet::Token,
};
const KEY_BASE64: Rule = Rule {
    field: Field::KeyBase64,
    max: KEY_BASE64_MAX,
    alphabet: Alphabet::Token,
};
const FINGERPRINT: Rule = Rule {
    field: Field::Fingerprint,
    max: FINGERPRINT_MAX,
    alphabet: Alphabet::Token,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{HEADER_LEN, REQUEST_MAX};

    fn question() -> Question<'static> {
        Question {
            uid: 1000,
            account: "deploy",
            key_type: "ssh-ed25519",
            key_base64: "AAAAC3NzaC1lZDI1NTE5AAAAIEJ",
            fingerprint: "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
        }
    }

    #[test]
    fn a_request_of_each_kind_decodes_to_what_was_encoded() {
        for request in [
            Request::Keys(question()),
            Request::Principals(question()),
            Request::Status,
        ] {
            let frame = request.encode().unwrap();
            assert_eq!(Request::decode(&frame), Ok(request));
            assert_eq!(Request::read_from(&mut frame.as_slice()).unwrap(), frame);
        }
    }

    #[test]
    fn the_bytes_of_a_request_stand_where_the_specification_says() {
        let asked = Question {
            uid: 0x0102_0304,
            account: "ab",
            key_type: "c",
            key_base64: "de",
            fingerprint: "f",
        };
        let frame = Request::Principals(asked).encode().unwrap();
        assert_eq!(
            frame,
            b"KYRQ\x01\x02\0\0\0\x0f\x01\x02\x03\x04\x02ab\x01c\x00\x02de\x01f"
        );
        assert_eq!(Request::Status.encode().unwrap(), b"KYRQ\x01\x03\0\0\0\0");
    }

    #[test]
    fn every_field_at_its_cap_fits_and_one_byte_more_is_refused() {
        let text = "a".repeat(KEY_BASE64_MAX + 1);
        let full = Question {
            uid: u32::MAX,
            account: &text[..ACCOUNT_MAX],
            key_type: &text[..KEY_TYPE_MAX],
            key_base64: &text[..KEY_BASE64_MAX],
            fingerprint: &text[..FINGERPRINT_MAX],
        };
        let frame = Request::Keys(full).encode().unwrap();
        assert!(frame.len() <= REQUEST_MAX);
        assert_eq!(Request::decode(&frame), Ok(Request::Keys(full)));
        let over = [
            (
                Field::Account,
                Question {
                    account: &text[..=ACCOUNT_MAX],
                    ..full
                },
            ),
            (
                Field::KeyType,
                Question {
                    key_type: &text[..=KEY_TYPE_MAX],
                    ..full
                },
            ),
            (
                Field::KeyBase64,
                Question {
                    key_base64: &text,
                    ..full
                },
            ),
            (
                Field::Fingerprint,
                Question {
                    fingerprint: &text[..=FINGERPRINT_MAX],
                    ..full
                },
            ),
        ];
        for (field, asked) in over {
            assert_eq!(
                Request::Keys(asked).encode(),
                Err(EncodeError::TooLong(field))
            );
        }
    }

    #[test]
    fn a_field_over_its_cap_is_refused_on_arrival_too() {
        let mut frame = Request::Keys(question()).encode().unwrap();
        let key_type_len = HEADER_LEN + 4 + 1 + "deploy".len();
        frame[key_type_len] = u8::try_from(KEY_TYPE_MAX + 1).unwrap();
        assert_eq!(
            Request::decode(&frame),
            Err(DecodeError::TooLong(Field::KeyType))
        );
    }

    #[test]
    fn empty_fields_control_characters_and_blanks_in_tokens_are_refused() {
        let empty = Question {
            account: "",
            ..question()
        };
        assert_eq!(
            Request::Keys(empty).encode(),
            Err(EncodeError::Empty(Field::Account))
        );
        for account in ["a\nb", "a\0", "\u{7f}"] {
            let bad = Question {
                account,
                ..question()
            };
            assert_eq!(
                Request::Keys(bad).encode(),
                Err(EncodeError::Characters(Field::Account))
            );
        }
        let bad = Question {
            key_base64: "AA AA",
            ..question()
        };
        assert_eq!(
            Request::Keys(bad).encode(),
            Err(EncodeError::Characters(Field::KeyBase64))
        );
    }

    #[test]
    fn bytes_after_a_request_are_refused() {
        for request in [Request::Keys(question()), Request::Status] {
            let mut after = request.encode().unwrap();
            after.push(0);
            assert_eq!(Request::decode(&after), Err(DecodeError::Trailing));
            let length = u32::try_from(after.len() - HEADER_LEN).unwrap();
            after[6..10].copy_from_slice(&length.to_be_bytes());
            assert_eq!(Request::decode(&after), Err(DecodeError::Trailing));
        }
    }

    #[test]
    fn a_request_cut_anywhere_is_truncated() {
        let frame = Request::Keys(question()).encode().unwrap();
        for cut in 0..frame.len() {
            assert_eq!(
                Request::decode(&frame[..cut]),
                Err(DecodeError::Truncated),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn an_unknown_kind_is_refused() {
        assert_eq!(
            Request::decode(b"KYRQ\x01\x04\0\0\0\0"),
            Err(DecodeError::Kind(4))
        );
    }

    #[test]
    fn no_change_of_any_byte_makes_the_decoder_panic_or_reencode_differently() {
        let frame = Request::Keys(question()).encode().unwrap();
        for at in 0..frame.len() {
            for value in 0..=u8::MAX {
                let mut mutated = frame.clone();
                mutated[at] = value;
                if let Ok(request) = Request::decode(&mutated) {
                    assert_eq!(request.encode().as_deref(), Ok(mutated.as_slice()));
                }
            }
        }
    }
}
