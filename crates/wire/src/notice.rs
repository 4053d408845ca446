//! What the host agent tells the program that ends sessions. The specification is at [`Notice`].

use std::io::{ErrorKind, Read};

use crate::error::{DecodeError, EncodeError, Field, ReadError};
use crate::frame::{self, FrameKind};

/// One notice: what the host agent tells the program that ends sessions.
///
/// One connection that stays open, one direction, the frame of the crate's first page. The host agent speaks, and is heard for
/// what it is by its uid.
///
/// | kind | meaning | body |
/// |---|---|---|
/// | 1 | `begin`: from here to `complete` follows the whole set | empty |
/// | 2 | `revoked`: these keys | 1 to [`FINGERPRINTS_MAX`] fingerprints, the 32 bytes of each SHA-256 |
/// | 3 | `complete`: that was the whole set | empty |
///
/// The magic is `KYRN`. A connection begins with `begin`. The set between `begin` and `complete` takes the place of whatever was
/// told before, on this connection or an earlier one, at the moment of `complete`; what `revoked` says afterwards is added to it at
/// once. `begin` may come again, to take something back. Anything else is an error, after which the connection is closed.
///
/// There is no answer. What the host agent wants to know is whether the other side still holds the set, and that it knows by the
/// connection: who loses the set loses the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The whole set follows.
    Begin,
    /// These keys, by the SHA-256 of their blobs.
    Revoked(Vec<[u8; FINGERPRINT_LEN]>),
    /// The whole set was told.
    Complete,
}

/// Bytes of a fingerprint.
pub const FINGERPRINT_LEN: usize = 32;

/// Most fingerprints in one notice.
pub const FINGERPRINTS_MAX: usize = 1_000;

impl Notice {
    /// The frame.
    ///
    /// # Errors
    /// When there are no fingerprints, or too many for one notice.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let (kind, body) = match self {
            Self::Begin => (BEGIN, Vec::new()),
            Self::Complete => (COMPLETE, Vec::new()),
            Self::Revoked(keys) if keys.is_empty() => {
                return Err(EncodeError::Empty(Field::Fingerprint));
            }
            Self::Revoked(keys) if keys.len() > FINGERPRINTS_MAX => {
                return Err(EncodeError::TooLong(Field::Frame));
            }
            Self::Revoked(keys) => (REVOKED, keys.concat()),
        };
        frame::seal(FrameKind::Notice, kind, &body)
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// When it is not exactly one notice.
    pub fn decode(frame: &[u8]) -> Result<Self, DecodeError> {
        let (kind, mut body) = frame::open(FrameKind::Notice, frame)?;
        let notice = match kind {
            BEGIN => Self::Begin,
            COMPLETE => Self::Complete,
            REVOKED => {
                let mut keys = Vec::new();
                while !body.is_empty() {
                    keys.push(body.array()?);
                }
                if keys.is_empty() {
                    return Err(DecodeError::Empty(Field::Fingerprint));
                }
                Self::Revoked(keys)
            }
            other => return Err(DecodeError::Kind(other)),
        };
        body.finish()?;
        Ok(notice)
    }

    /// Reads the next notice and not a byte more; none when the stream ends before it.
    ///
    /// # Errors
    /// When the stream fails, ends inside of a frame, or holds none.
    pub fn read_from(reader: &mut impl Read) -> Result<Option<Self>, ReadError> {
        let mut first = [0];
        loop {
            match reader.read(&mut first) {
                Ok(0) => return Ok(None),
                Ok(_) => break,
                Err(err) if err.kind() == ErrorKind::Interrupted => {}
                Err(err) => return Err(ReadError::Io(err)),
            }
        }
        let frame = frame::read(FrameKind::Notice, &mut first.chain(reader))?;
        Ok(Some(Self::decode(&frame)?))
    }
}

const BEGIN: u8 = 1;
const REVOKED: u8 = 2;
const COMPLETE: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> [Notice; 3] {
        [
            Notice::Begin,
            Notice::Revoked(vec![[1; 32], [2; 32]]),
            Notice::Complete,
        ]
    }

    #[test]
    fn notices_follow_one_another_on_a_stream_and_come_back_as_they_were() {
        let bytes: Vec<u8> = all()
            .iter()
            .flat_map(|notice| notice.encode().unwrap())
            .collect();
        let mut stream = bytes.as_slice();
        for notice in all() {
            assert_eq!(Notice::read_from(&mut stream).unwrap(), Some(notice));
        }
        assert_eq!(Notice::read_from(&mut stream).unwrap(), None);
    }

    #[test]
    fn a_stream_that_ends_inside_of_a_frame_is_no_quiet_end() {
        let bytes = Notice::Revoked(vec![[7; 32]]).encode().unwrap();
        for length in 1..bytes.len() {
            let read = Notice::read_from(&mut &bytes[..length]);
            assert!(
                matches!(read, Err(ReadError::Decode(DecodeError::Truncated))),
                "{length}"
            );
        }
    }

    #[test]
    fn a_full_notice_fits_and_a_fuller_or_an_empty_one_is_refused() {
        let full = Notice::Revoked(vec![[7; 32]; FINGERPRINTS_MAX]);
        assert_eq!(Notice::decode(&full.encode().unwrap()), Ok(full));
        let fuller = Notice::Revoked(vec![[7; 32]; FINGERPRINTS_MAX + 1]);
        assert_eq!(fuller.encode(), Err(EncodeError::TooLong(Field::Frame)));
        let empty = Notice::Revoked(Vec::new());
        assert_eq!(empty.encode(), Err(EncodeError::Empty(Field::Fingerprint)));
    }

    #[test]
    fn a_broken_body_or_an_unknown_kind_is_refused() {
        let sealed = |kind, body: &[u8]| frame::seal(FrameKind::Notice, kind, body).unwrap();
        for (frame, expected) in [
            (sealed(BEGIN, &[0]), DecodeError::Trailing),
            (sealed(REVOKED, &[]), DecodeError::Empty(Field::Fingerprint)),
            (sealed(REVOKED, &[0; 33]), DecodeError::Truncated),
            (sealed(COMPLETE, &[0; 32]), DecodeError::Trailing),
            (sealed(4, &[]), DecodeError::Kind(4)),
            (b"KYRQ\x01\x01\0\0\0\0".to_vec(), DecodeError::Magic),
            (
                b"KYRN\x01\x02\xff\xff\xff\xff".to_vec(),
                DecodeError::TooLong(Field::Frame),
            ),
        ] {
            assert_eq!(Notice::decode(&frame), Err(expected));
        }
    }
}
