//! Taking fields off the front of a slice and putting them at the end of a buffer, each with its cap and its alphabet.

use crate::error::{DecodeError, EncodeError, Field};

/// What a field may hold.
#[derive(Clone, Copy)]
pub(crate) enum Alphabet {
    /// UTF-8 without control characters.
    Text,
    /// Printable ASCII without blanks.
    Token,
}

impl Alphabet {
    fn admits(self, text: &str) -> bool {
        match self {
            Self::Text => !text.bytes().any(|byte| byte.is_ascii_control()),
            Self::Token => text.bytes().all(|byte| byte.is_ascii_graphic()),
        }
    }
}

/// A field's name, cap and alphabet: the same value serves both directions, so that they can't drift apart.
#[derive(Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) field: Field,
    pub(crate) max: usize,
    pub(crate) alphabet: Alphabet,
}

impl Rule {
    fn encode_check(self, text: &str) -> Result<(), EncodeError> {
        if text.is_empty() {
            Err(EncodeError::Empty(self.field))
        } else if text.len() > self.max {
            Err(EncodeError::TooLong(self.field))
        } else if !self.alphabet.admits(text) {
            Err(EncodeError::Characters(self.field))
        } else {
            Ok(())
        }
    }
}

/// Reads a body front to back.
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    /// A field behind a length of one byte.
    pub(crate) fn short(&mut self, rule: Rule) -> Result<&'a str, DecodeError> {
        let len = usize::from(self.u8()?);
        self.text(len, rule)
    }

    /// A field behind a length of two bytes.
    pub(crate) fn long(&mut self, rule: Rule) -> Result<&'a str, DecodeError> {
        let len = usize::from(self.u16()?);
        self.text(len, rule)
    }

    fn text(&mut self, len: usize, rule: Rule) -> Result<&'a str, DecodeError> {
        if len == 0 {
            return Err(DecodeError::Empty(rule.field));
        }
        if len > rule.max {
            return Err(DecodeError::TooLong(rule.field));
        }
        let (head, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        let text = str::from_utf8(head).map_err(|_| DecodeError::Characters(rule.field))?;
        if !rule.alphabet.admits(text) {
            return Err(DecodeError::Characters(rule.field));
        }
        Ok(text)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) const fn finish(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::Trailing)
        }
    }
}

/// Appends a field behind a length of one byte.
pub(crate) fn put_short(body: &mut Vec<u8>, text: &str, rule: Rule) -> Result<(), EncodeError> {
    rule.encode_check(text)?;
    body.push(u8::try_from(text.len()).map_err(|_| EncodeError::TooLong(rule.field))?);
    body.extend_from_slice(text.as_bytes());
    Ok(())
}

/// Appends a field behind a length of two bytes.
pub(crate) fn put_long(body: &mut Vec<u8>, text: &str, rule: Rule) -> Result<(), EncodeError> {
    rule.encode_check(text)?;
    let len = u16::try_from(text.len()).map_err(|_| EncodeError::TooLong(rule.field))?;
    body.extend_from_slice(&len.to_be_bytes());
    body.extend_from_slice(text.as_bytes());
    Ok(())
}
