//! What the host agent answers.

use std::io::{self, Read, Write};

use crate::bytes::{Alphabet, Cursor, Rule, put_long};
use crate::error::{DecodeError, EncodeError, Field, ReadError};
use crate::frame::{self, FrameKind};
use crate::reason::Reason;

/// Longest line, in bytes, without its newline.
pub const LINE_MAX: usize = 8 * 1024;

/// Most lines in one response.
pub const LINES_MAX: usize = 64;

/// One response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// The answer, with its lines.
    pub answer: Answer<'a>,
    /// Epoch of the snapshot that decided; 0 when none is held.
    pub epoch: u64,
    /// Revision of the snapshot that decided; 0 when none is held.
    pub revision: u64,
    /// How long ago the key server last confirmed the snapshot, in milliseconds; `None` when that is not known.
    pub staleness_ms: Option<u64>,
    /// Why the answer is what it is.
    pub reason: Reason,
}

/// The three answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Answer<'a> {
    /// At least one line, each without its newline.
    Found(Vec<&'a str>),
    /// An authoritative no.
    None,
    /// It could not be decided.
    Unavailable,
}

impl<'a> Response<'a> {
    /// An `unavailable` that knows nothing but its reason.
    #[must_use]
    pub const fn unavailable(reason: Reason) -> Self {
        Self {
            answer: Answer::Unavailable,
            epoch: 0,
            revision: 0,
            staleness_ms: None,
            reason,
        }
    }

    /// The response as a frame.
    ///
    /// # Errors
    ///
    /// When `found` has no lines or too many, a line breaks its rules, or the whole exceeds
    /// [`RESPONSE_MAX`](crate::RESPONSE_MAX). The lookup must then be told `unavailable`, never a part of the lines.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let (answer, lines): (u8, &[&str]) = match &self.answer {
            Answer::Found(lines) if lines.is_empty() => {
                return Err(EncodeError::Empty(Field::LineCount));
            }
            Answer::Found(lines) if lines.len() > LINES_MAX => {
                return Err(EncodeError::TooLong(Field::LineCount));
            }
            Answer::Found(lines) => (ANSWER_FOUND, lines),
            Answer::None => (ANSWER_NONE, &[]),
            Answer::Unavailable => (ANSWER_UNAVAILABLE, &[]),
        };
        let mut body =
            Vec::with_capacity(FIXED_LEN + lines.iter().map(|line| 2 + line.len()).sum::<usize>());
        body.extend_from_slice(&self.epoch.to_be_bytes());
        body.extend_from_slice(&self.revision.to_be_bytes());
        body.extend_from_slice(&self.staleness_ms.unwrap_or(STALENESS_UNKNOWN).to_be_bytes());
        body.push(self.reason.code());
        let count =
            u16::try_from(lines.len()).map_err(|_| EncodeError::TooLong(Field::LineCount))?;
        body.extend_from_slice(&count.to_be_bytes());
        for line in lines {
            put_long(&mut body, line, LINE)?;
        }
        frame::seal(FrameKind::Response, answer, &body)
    }

    /// The response that `frame` is, borrowed from it.
    ///
    /// # Errors
    ///
    /// When the bytes are not exactly one response of this version.
    pub fn decode(frame: &'a [u8]) -> Result<Self, DecodeError> {
        let (answer, mut body) = frame::open(FrameKind::Response, frame)?;
        let epoch = body.u64()?;
        let revision = body.u64()?;
        let staleness_ms = Some(body.u64()?).filter(|staleness| *staleness != STALENESS_UNKNOWN);
        let reason = Reason::from_code(body.u8()?);
        let lines = take_lines(&mut body)?;
        body.finish()?;
        let answer = match answer {
            ANSWER_FOUND if lines.is_empty() => return Err(DecodeError::Empty(Field::LineCount)),
            ANSWER_FOUND => Answer::Found(lines),
            ANSWER_NONE | ANSWER_UNAVAILABLE if !lines.is_empty() => {
                return Err(DecodeError::UnexpectedLines);
            }
            ANSWER_NONE => Answer::None,
            ANSWER_UNAVAILABLE => Answer::Unavailable,
            other => return Err(DecodeError::Answer(other)),
        };
        Ok(Self {
            answer,
            epoch,
            revision,
            staleness_ms,
            reason,
        })
    }

    /// Reads the frame of one response, at most [`RESPONSE_MAX`](crate::RESPONSE_MAX) bytes; [`Response::decode`] it then.
    ///
    /// # Errors
    ///
    /// When the stream fails or ends early, or its header is not one of a response.
    pub fn read_from(reader: &mut impl Read) -> Result<Vec<u8>, ReadError> {
        frame::read(FrameKind::Response, reader)
    }

    /// Encodes the response and writes it.
    ///
    /// # Errors
    ///
    /// When the stream fails; a response that can't be encoded is [`io::ErrorKind::InvalidInput`].
    pub fn write_to(&self, writer: &mut impl Write) -> io::Result<()> {
        let frame = self
            .encode()
            .map_err(|err| io::Error::new(io::ErrorKind::InvalidInput, err))?;
        writer.write_all(&frame)?;
        writer.flush()
    }
}

fn take_lines<'a>(body: &mut Cursor<'a>) -> Result<Vec<&'a str>, DecodeError> {
    let count = usize::from(body.u16()?);
    if count > LINES_MAX {
        return Err(DecodeError::TooLong(Field::LineCount));
    }
    (0..count).map(|_| body.long(LINE)).collect()
}

const ANSWER_FOUND: u8 = 0;
const ANSWER_NONE: u8 = 1;
const ANSWER_UNAVAILABLE: u8 = 2;

/// The staleness that stands for "not known".
const STALENESS_UNKNOWN: u64 = u64::MAX;

/// Length of a response's body without its lines, in bytes.
const FIXED_LEN: usize = 8 + 8 + 8 + 1 + 2;

const LINE: Rule = Rule {
    field: Field::Line,
    max: LINE_MAX,
    alphabet: Alphabet::Text,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{HEADER_LEN, RESPONSE_MAX};

    fn found(lines: Vec<&str>) -> Response<'_> {
        Response {
            answer: Answer::Found(lines),
            epoch: 3,
            revision: 812,
            staleness_ms: Some(4_200),
            reason: Reason::Granted,
        }
    }

    #[test]
    fn a_response_of_each_answer_decodes_to_what_was_encoded() {
        let none = Response {
            answer: Answer::None,
            reason: Reason::NoGrant,
            ..found(Vec::new())
        };
        let unavailable = Response::unavailable(Reason::PastGrace);
        for response in [
            found(vec!["restrict ssh-ed25519 AAAA", "zwei – ü"]),
            none,
            unavailable,
        ] {
            let frame = response.encode().unwrap();
            assert_eq!(Response::decode(&frame), Ok(response));
            assert_eq!(Response::read_from(&mut frame.as_slice()).unwrap(), frame);
        }
    }

    #[test]
    fn the_bytes_of_a_response_stand_where_the_specification_says() {
        let frame = Response {
            epoch: 1,
            revision: 2,
            staleness_ms: None,
            ..found(vec!["ab"])
        }
        .encode()
        .unwrap();
        let mut expected = b"KYRS\x01\x00\0\0\0\x1f".to_vec();
        expected.extend_from_slice(b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02");
        expected.extend_from_slice(&[0xff; 8]);
        expected.extend_from_slice(b"\x01\0\x01\0\x02ab");
        assert_eq!(frame, expected);
    }

    #[test]
    fn found_without_lines_and_lines_without_found_are_refused_both_ways() {
        assert_eq!(
            found(Vec::new()).encode(),
            Err(EncodeError::Empty(Field::LineCount))
        );
        let mut none = found(vec!["a"]).encode().unwrap();
        for answer in [ANSWER_NONE, ANSWER_UNAVAILABLE] {
            none[5] = answer;
            assert_eq!(Response::decode(&none), Err(DecodeError::UnexpectedLines));
        }
        let mut empty = Response::unavailable(Reason::Busy).encode().unwrap();
        empty[5] = ANSWER_FOUND;
        assert_eq!(
            Response::decode(&empty),
            Err(DecodeError::Empty(Field::LineCount))
        );
    }

    #[test]
    fn an_unknown_answer_is_refused_and_an_unknown_reason_is_not() {
        let mut frame = Response::unavailable(Reason::Busy).encode().unwrap();
        frame[5] = 3;
        assert_eq!(Response::decode(&frame), Err(DecodeError::Answer(3)));
        frame[5] = ANSWER_UNAVAILABLE;
        frame[HEADER_LEN + 24] = 250;
        assert_eq!(
            Response::decode(&frame).unwrap().reason,
            Reason::Unknown(250)
        );
    }

    #[test]
    fn lines_are_capped_in_length_in_count_and_in_sum() {
        let text = "a".repeat(LINE_MAX + 1);
        assert!(found(vec![&text[..LINE_MAX]]).encode().is_ok());
        assert_eq!(
            found(vec![&text]).encode(),
            Err(EncodeError::TooLong(Field::Line))
        );
        assert!(found(vec!["a"; LINES_MAX]).encode().is_ok());
        assert_eq!(
            found(vec!["a"; LINES_MAX + 1]).encode(),
            Err(EncodeError::TooLong(Field::LineCount))
        );
        let many = vec![&text[..LINE_MAX]; RESPONSE_MAX / LINE_MAX];
        assert_eq!(
            found(many).encode(),
            Err(EncodeError::TooLong(Field::Frame))
        );
    }

    #[test]
    fn a_line_never_holds_a_newline_or_another_control_character() {
        for line in ["a\nb", "a\r", "\0", "a\tb", "\u{1b}[31m"] {
            assert_eq!(
                found(vec![line]).encode(),
                Err(EncodeError::Characters(Field::Line))
            );
        }
        let mut frame = found(vec!["ab"]).encode().unwrap();
        *frame.last_mut().unwrap() = b'\n';
        assert_eq!(
            Response::decode(&frame),
            Err(DecodeError::Characters(Field::Line))
        );
        *frame.last_mut().unwrap() = 0xff;
        assert_eq!(
            Response::decode(&frame),
            Err(DecodeError::Characters(Field::Line))
        );
    }

    #[test]
    fn a_response_cut_anywhere_is_truncated_and_one_with_more_is_trailing() {
        let mut frame = found(vec!["restrict ssh-ed25519 AAAA", "b"])
            .encode()
            .unwrap();
        for cut in 0..frame.len() {
            assert_eq!(
                Response::decode(&frame[..cut]),
                Err(DecodeError::Truncated),
                "cut at {cut}"
            );
        }
        frame.push(b'x');
        assert_eq!(Response::decode(&frame), Err(DecodeError::Trailing));
    }

    #[test]
    fn no_change_of_any_byte_makes_the_decoder_panic_or_reencode_differently() {
        let frame = found(vec!["restrict ssh-ed25519 AAAA", "b"])
            .encode()
            .unwrap();
        for at in 0..frame.len() {
            for value in 0..=u8::MAX {
                let mut mutated = frame.clone();
                mutated[at] = value;
                if let Ok(response) = Response::decode(&mutated) {
                    assert_eq!(response.encode().as_deref(), Ok(mutated.as_slice()));
                }
            }
        }
    }
}
