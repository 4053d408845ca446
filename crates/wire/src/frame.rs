//! The header that both frames share, and reading one frame from a stream without trusting its length.

use std::io::{ErrorKind, Read};

use crate::bytes::Cursor;
use crate::error::{DecodeError, EncodeError, Field, ReadError};
use crate::notice::{FINGERPRINT_LEN, FINGERPRINTS_MAX};

/// The version of the protocol that this crate speaks.
pub const VERSION: u8 = 1;

/// Length of the header of each frame, in bytes.
pub const HEADER_LEN: usize = 10;

/// Longest request, header included, in bytes. Every field at its cap fits.
pub const REQUEST_MAX: usize = 20 * 1024;

/// Longest response, header included, in bytes.
pub const RESPONSE_MAX: usize = 64 * 1024;

/// Longest notice, header included, in bytes.
pub const NOTICE_MAX: usize = HEADER_LEN + FINGERPRINTS_MAX * FINGERPRINT_LEN;

/// Which of the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// From the lookup.
    Request,
    /// To the lookup.
    Response,
    /// From the host agent, to the program that ends sessions.
    Notice,
}

impl FrameKind {
    const fn magic(self) -> [u8; 4] {
        match self {
            Self::Request => *b"KYRQ",
            Self::Response => *b"KYRS",
            Self::Notice => *b"KYRN",
        }
    }

    const fn max(self) -> usize {
        match self {
            Self::Request => REQUEST_MAX,
            Self::Response => RESPONSE_MAX,
            Self::Notice => NOTICE_MAX,
        }
    }
}

/// The length of the whole frame that begins with `start`, or `None` when `start` holds less than a header.
///
/// # Errors
///
/// When the header is not one of this kind and version, or announces more than the cap.
pub fn frame_len(kind: FrameKind, start: &[u8]) -> Result<Option<usize>, DecodeError> {
    let Some((header, _)) = start.split_first_chunk::<HEADER_LEN>() else {
        return Ok(None);
    };
    let [m0, m1, m2, m3, version, _, l0, l1, l2, l3] = *header;
    if [m0, m1, m2, m3] != kind.magic() {
        return Err(DecodeError::Magic);
    }
    if version != VERSION {
        return Err(DecodeError::Version(version));
    }
    let body = usize::try_from(u32::from_be_bytes([l0, l1, l2, l3]))
        .map_err(|_| DecodeError::TooLong(Field::Frame))?;
    if body > kind.max() - HEADER_LEN {
        return Err(DecodeError::TooLong(Field::Frame));
    }
    Ok(Some(HEADER_LEN + body))
}

/// Opens `frame`: its code (kind or answer) and a cursor over its body, which ends exactly where the frame does.
pub(crate) fn open(kind: FrameKind, frame: &[u8]) -> Result<(u8, Cursor<'_>), DecodeError> {
    let len = frame_len(kind, frame)?.ok_or(DecodeError::Truncated)?;
    match frame.len() {
        have if have < len => return Err(DecodeError::Truncated),
        have if have > len => return Err(DecodeError::Trailing),
        _ => {}
    }
    let (header, body) = frame
        .split_first_chunk::<HEADER_LEN>()
        .ok_or(DecodeError::Truncated)?;
    let [.., code, _, _, _, _] = *header;
    Ok((code, Cursor::new(body)))
}

/// Puts the header in front of `body`.
pub(crate) fn seal(kind: FrameKind, code: u8, body: &[u8]) -> Result<Vec<u8>, EncodeError> {
    let len = u32::try_from(body.len()).map_err(|_| EncodeError::TooLong(Field::Frame))?;
    if body.len() > kind.max() - HEADER_LEN {
        return Err(EncodeError::TooLong(Field::Frame));
    }
    let mut frame = Vec::with_capacity(HEADER_LEN + body.len());
    frame.extend_from_slice(&kind.magic());
    frame.extend_from_slice(&[VERSION, code]);
    frame.extend_from_slice(&len.to_be_bytes());
    frame.extend_from_slice(body);
    Ok(frame)
}

/// Reads one frame and not a byte more; an end of the stream inside the frame is [`DecodeError::Truncated`].
pub(crate) fn read(kind: FrameKind, reader: &mut impl Read) -> Result<Vec<u8>, ReadError> {
    let mut frame = vec![0; HEADER_LEN];
    fill(reader, &mut frame)?;
    let len = frame_len(kind, &frame)?.ok_or(DecodeError::Truncated)?;
    frame.resize(len, 0);
    if let Some(body) = frame.get_mut(HEADER_LEN..) {
        fill(reader, body)?;
    }
    Ok(frame)
}

fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> Result<(), ReadError> {
    reader.read_exact(buffer).map_err(|err| match err.kind() {
        ErrorKind::UnexpectedEof => ReadError::Decode(DecodeError::Truncated),
        _ => ReadError::Io(err),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(length: u32) -> Vec<u8> {
        let mut bytes = b"KYRS\x01\x00".to_vec();
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes
    }

    #[test]
    fn a_length_is_known_only_with_the_whole_header() {
        let bytes = header(5);
        for cut in 0..HEADER_LEN {
            assert_eq!(frame_len(FrameKind::Response, &bytes[..cut]), Ok(None));
        }
        assert_eq!(frame_len(FrameKind::Response, &bytes), Ok(Some(15)));
    }

    #[test]
    fn a_length_over_the_cap_is_refused_before_anything_is_read() {
        struct OnlyHeader(Vec<u8>);
        impl Read for OnlyHeader {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                assert!(
                    !self.0.is_empty(),
                    "the body of a frame over the cap was asked for"
                );
                let take = buffer.len().min(self.0.len());
                buffer[..take].copy_from_slice(&self.0[..take]);
                self.0.drain(..take);
                Ok(take)
            }
        }
        for length in [(RESPONSE_MAX - HEADER_LEN + 1) as u32, u32::MAX] {
            let read = read(FrameKind::Response, &mut OnlyHeader(header(length)));
            assert!(
                matches!(
                    read,
                    Err(ReadError::Decode(DecodeError::TooLong(Field::Frame)))
                ),
                "{read:?}"
            );
        }
    }

    #[test]
    fn a_frame_of_the_other_kind_or_another_version_is_refused() {
        assert_eq!(
            frame_len(FrameKind::Request, &header(0)),
            Err(DecodeError::Magic)
        );
        let mut newer = header(0);
        newer[4] = VERSION + 1;
        assert_eq!(
            frame_len(FrameKind::Response, &newer),
            Err(DecodeError::Version(VERSION + 1))
        );
    }

    #[test]
    fn reading_takes_one_frame_and_leaves_the_rest() {
        let mut bytes = header(2);
        bytes.extend_from_slice(b"abrest");
        let mut stream = bytes.as_slice();
        assert_eq!(
            read(FrameKind::Response, &mut stream).unwrap().len(),
            HEADER_LEN + 2
        );
        assert_eq!(stream, b"rest");
    }
}
