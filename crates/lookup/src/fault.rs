//! What can be wrong with the configuration, and how the log says so.

use std::fmt;
use std::io;

use crate::chain::ChainError;
use crate::config::{FILE_MAX, SOCKET_PATH_MAX};
use crate::limits::LimitError;
use crate::provider::ProviderError;

/// Why the configuration is refused.
#[derive(Debug)]
pub(crate) enum ConfigError {
    Io(io::Error),
    NotAFile,
    NotRoots,
    Writable,
    TooLong,
    NotUtf8,
    NoProvider(String),
    NobodysLimit {
        number: u32,
        name: String,
        key: &'static str,
    },
    Line {
        number: u32,
        fault: Fault,
    },
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    NoColon,
    Twice,
    Unknown,
    Path,
    LongSocket,
    Word,
    Chain(ChainError),
    Provider(ProviderError),
    Limit(LimitError),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(err) => write!(f, "it could not be read: {err}"),
            Self::NotAFile => f.write_str("it is not a regular file"),
            Self::NotRoots => f.write_str("it is not owned by root"),
            Self::Writable => f.write_str("group or others can write it"),
            Self::TooLong => write!(f, "it is longer than {FILE_MAX} bytes"),
            Self::NotUtf8 => f.write_str("it is not UTF-8"),
            Self::NoProvider(name) => write!(
                f,
                "a chain names `command:{name}`, and there is no `command.{name}:`"
            ),
            Self::NobodysLimit { number, name, key } => write!(
                f,
                "line {number}: `command.{name}.{key}` is for a source that has no `command.{name}:`"
            ),
            Self::Line { number, fault } => write!(f, "line {number}: {fault}"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoColon => f.write_str("it is not of the form `name: value`"),
            Self::Twice => f.write_str("the setting stands there twice"),
            Self::Unknown => f.write_str("there is no such setting"),
            Self::Path => f.write_str("the path is not absolute"),
            Self::LongSocket => write!(
                f,
                "the path of a socket is longer than {SOCKET_PATH_MAX} bytes"
            ),
            Self::Word => f.write_str("the value is neither `allow` nor `refuse`"),
            Self::Chain(err) => err.fmt(f),
            Self::Provider(err) => err.fmt(f),
            Self::Limit(err) => err.fmt(f),
        }
    }
}
