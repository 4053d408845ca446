//! What can be wrong with a frame.
//!
//! Written by hand instead of derived: the lookup links this crate, and it links nothing that it does not need.

use std::{error, fmt, io};

/// A field of a frame, to name the culprit in an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// The account that a login is asked for.
    Account,
    /// The offered key's type.
    KeyType,
    /// The offered key or certificate in base64.
    KeyBase64,
    /// The offered key's fingerprint.
    Fingerprint,
    /// A line of a response.
    Line,
    /// The count of lines of a response.
    LineCount,
    /// The whole frame.
    Frame,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Account => "account",
            Self::KeyType => "key type",
            Self::KeyBase64 => "key",
            Self::Fingerprint => "fingerprint",
            Self::Line => "line",
            Self::LineCount => "count of lines",
            Self::Frame => "frame",
        })
    }
}

/// Why a value can't be put into a frame. The caller's value is at fault; retrying does not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The field is longer than its cap.
    TooLong(Field),
    /// The field has no content.
    Empty(Field),
    /// The field holds characters that it may not hold.
    Characters(Field),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(field) => write!(f, "the {field} is too long for a frame"),
            Self::Empty(field) => write!(f, "the {field} is empty"),
            Self::Characters(field) => {
                write!(f, "the {field} holds characters that are not allowed in it")
            }
        }
    }
}

impl error::Error for EncodeError {}

/// Why bytes are not a frame. The peer is at fault: treat the question as not decided and close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The frame begins with something other than the magic of its kind.
    Magic,
    /// The peer speaks a version that this side does not.
    Version(u8),
    /// The request is of no known kind.
    Kind(u8),
    /// The response is none of the three answers.
    Answer(u8),
    /// The frame ends before its content does.
    Truncated,
    /// There are bytes after the frame's content.
    Trailing,
    /// The field is longer than its cap.
    TooLong(Field),
    /// The field has no content.
    Empty(Field),
    /// The field holds characters that it may not hold.
    Characters(Field),
    /// An answer other than `found` came with lines.
    UnexpectedLines,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("the frame does not begin with the protocol's magic"),
            Self::Version(version) => {
                write!(f, "the peer speaks version {version} of the protocol")
            }
            Self::Kind(kind) => write!(f, "the request is of unknown kind {kind}"),
            Self::Answer(answer) => write!(f, "the response has unknown answer {answer}"),
            Self::Truncated => f.write_str("the frame is cut short"),
            Self::Trailing => f.write_str("the frame has bytes after its content"),
            Self::TooLong(field) => write!(f, "the {field} exceeds its cap"),
            Self::Empty(field) => write!(f, "the {field} is empty"),
            Self::Characters(field) => {
                write!(f, "the {field} holds characters that are not allowed in it")
            }
            Self::UnexpectedLines => f.write_str("lines came with an answer that has none"),
        }
    }
}

impl error::Error for DecodeError {}

/// Why a frame could not be read from a stream.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// The stream failed, or a deadline set on it passed.
    Io(io::Error),
    /// The bytes are no frame; what follows on the stream is of no use.
    Decode(DecodeError),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(err) => write!(f, "the frame could not be read: {err}"),
            Self::Decode(err) => err.fmt(f),
        }
    }
}

impl error::Error for ReadError {}

impl From<DecodeError> for ReadError {
    fn from(err: DecodeError) -> Self {
        Self::Decode(err)
    }
}
