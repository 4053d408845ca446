//! Why a line is refused, and where.
//!
//! Each refusal is a reason of a closed enum and a place in bytes, so that a person can be shown the spot, and a test can
//! name what it expects. None repeats the line: it may be anything, a pasted private key included. The messages are
//! written here by hand because this crate depends on nothing.

use std::error::Error;
use std::fmt;

/// Why a line is no authorized key, and at which byte that shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineError {
    /// The rule that was broken.
    pub reason: LineReason,
    /// Where, in bytes from the start of the line.
    pub at: usize,
}

/// A rule that a whole line must keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineReason {
    /// Longer than [`crate::MAX_LINE_BYTES`].
    TooLong,
    /// More than one line was given.
    SeveralLines,
    /// A NUL, at which sshd would end the line.
    Nul,
    /// A byte-order mark, which sshd takes for part of the first word.
    ByteOrderMark,
    /// Neither a key nor options and a key.
    NoKey,
    /// A DSA key.
    Dsa,
    /// A certificate, which sshd never accepts as the key of a line.
    Certificate,
    /// The body of the key is not what its name says.
    Key(KeyReason),
    /// The options are malformed: sshd ignores such a line quietly.
    Options(OptionReason),
    /// No principal, or one that can't be printed safely.
    Principal,
}

/// Why a body is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyReason {
    /// A name that sshd does not know.
    UnknownAlgorithm,
    /// Not canonical base64.
    Base64,
    /// The type inside differs from the name before it.
    TypeMismatch,
    /// Not the fields that a key of its type has.
    Malformed,
    /// An RSA modulus outside of what sshd reads: 1024 to 16384 bits.
    RsaSize,
}

/// Why options are malformed, and at which byte that shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionError {
    /// The rule that was broken.
    pub reason: OptionReason,
    /// Where, in bytes from the start of the options.
    pub at: usize,
}

/// A rule that key options must keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionReason {
    /// A name that sshd does not know, or something behind an option that is no comma.
    Unknown,
    /// A blank outside of quotes.
    Blank,
    /// A comma with nothing behind it.
    EndsInComma,
    /// A value without its opening quote.
    NoOpeningQuote,
    /// A value without its closing quote.
    NoClosingQuote,
    /// A value that is not UTF-8.
    NotUtf8,
    /// A control character in a value.
    ControlCharacter,
    /// A value that ends in a backslash, which can't be written.
    EndsInBackslash,
    /// `command=`, `from=` or `principals=` for the second time.
    Repeated,
    /// `principals=` on a key that is no `cert-authority`.
    PrincipalsWithoutAuthority,
    /// An empty entry in `from=`.
    EmptyFromEntry,
    /// A network in `from=` with host bits or with a mask that is too long.
    InconsistentNetwork,
    /// An `expiry-time=` that is no date.
    BadExpiryTime,
    /// An `environment=` without a name of letters, digits and `_`, or without `=`.
    BadEnvironment,
    /// A host in `permitopen=` or `permitlisten=` with unbalanced brackets, or a too long one.
    BadPermitHost,
    /// A port in `permitopen=` or `permitlisten=` that is missing or no port.
    BadPermitPort,
    /// A `tunnel=` that is neither a number nor `any`.
    BadTunnel,
}

/// Why a tree can't be printed. Nothing was printed; correct what the tree was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RenderError {
    /// `cert-authority` without `principals=`: sshd before 10.3 would let a certificate without principals log in as anyone.
    AuthorityWithoutPrincipals,
    /// Longer than [`crate::MAX_LINE_BYTES`].
    TooLong,
    /// The line, parsed again, is not the tree that it was printed from.
    NotTheSame,
}

impl fmt::Display for LineReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "the line is longer than {} bytes", crate::MAX_LINE_BYTES),
            Self::SeveralLines => f.write_str("there is more than one line"),
            Self::Nul => f.write_str("the line has a NUL"),
            Self::ByteOrderMark => f.write_str("the line begins with a byte-order mark"),
            Self::NoKey => f.write_str("the line has no key"),
            Self::Dsa => f.write_str("DSA keys are not accepted"),
            Self::Certificate => f.write_str("a certificate can't stand in place of a key"),
            Self::Key(reason) => reason.fmt(f),
            Self::Options(reason) => reason.fmt(f),
            Self::Principal => f.write_str("the line has no principal that can be printed safely"),
        }
    }
}

impl fmt::Display for KeyReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownAlgorithm => "the key type is unknown",
            Self::Base64 => "the body of the key is not valid base64",
            Self::TypeMismatch => "the key type before the body differs from the type inside it",
            Self::Malformed => "the body of the key is malformed",
            Self::RsaSize => "an RSA key has 1024 to 16384 bits",
        })
    }
}

impl fmt::Display for OptionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown key option",
            Self::Blank => "a blank outside of quotes ends the options",
            Self::EndsInComma => "the options end in a comma",
            Self::NoOpeningQuote => "the value has no opening quote",
            Self::NoClosingQuote => "the value has no closing quote",
            Self::NotUtf8 => "the value is not valid UTF-8",
            Self::ControlCharacter => "the value has a control character",
            Self::EndsInBackslash => "a value can't end in a backslash",
            Self::Repeated => "this option may be given only once",
            Self::PrincipalsWithoutAuthority => "'principals' needs 'cert-authority'",
            Self::EmptyFromEntry => "an entry of 'from' is empty",
            Self::InconsistentNetwork => "a network in 'from' has host bits or too long a mask",
            Self::BadExpiryTime => "an expiry time reads YYYYMMDD[HHMM[SS]][Z]",
            Self::BadEnvironment => "an environment setting reads NAME=value",
            Self::BadPermitHost => "the host of a permission is malformed",
            Self::BadPermitPort => "the port of a permission is missing or malformed",
            Self::BadTunnel => "a tunnel is a number or 'any'",
        })
    }
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AuthorityWithoutPrincipals => {
                f.write_str("'cert-authority' without 'principals' is never printed")
            }
            Self::TooLong => write!(
                f,
                "the line would be longer than {} bytes",
                crate::MAX_LINE_BYTES
            ),
            Self::NotTheSame => {
                f.write_str("the line would not be read back as what it was printed from")
            }
        }
    }
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {})", self.reason, self.at)
    }
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {})", self.reason, self.at)
    }
}

impl Error for LineError {}
impl Error for LineReason {}
impl Error for OptionError {}
impl Error for OptionReason {}
impl Error for KeyReason {}
impl Error for RenderError {}
