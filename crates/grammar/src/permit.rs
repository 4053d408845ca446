//! `permitopen=` and `permitlisten=`: a host and a port.

use std::fmt;

use crate::error::OptionReason;
use crate::number;
use crate::value::OptionValue;

/// One permitted host and port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permit {
    host: String,
    port: Port,
}

/// A port of a [`Permit`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Port {
    /// `*`: every port.
    Any,
    /// From 1 to 65535.
    Number(u16),
    /// A name that the host looks up among its services. Whether it knows it is not known here.
    Service(String),
}

impl Permit {
    /// Reads the value of `permitopen=`: `host:port`, with brackets round a host that has a colon.
    ///
    /// # Errors
    /// When sshd would refuse the option, or when it can't be written between quotes.
    pub fn parse_open(text: &str) -> Result<Self, OptionReason> {
        OptionValue::parse(text)?;
        let (host, port) = split(text)?;
        if host.len() >= MAX_HOST_BYTES {
            return Err(OptionReason::BadPermitHost);
        }
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        Ok(Self {
            host: host.to_owned(),
            port: parse_port(port)?,
        })
    }

    /// Reads the value of `permitlisten=`: the same, or a port alone, which stands for every address.
    ///
    /// # Errors
    /// As [`Permit::parse_open`].
    pub fn parse_listen(text: &str) -> Result<Self, OptionReason> {
        if text.contains(':') {
            Self::parse_open(text)
        } else {
            Self::parse_open(&format!("*:{text}"))
        }
    }

    /// The host, without brackets. May be a pattern or empty.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> &Port {
        &self.port
    }
}

impl fmt::Display for Permit {
    /// Writes `host:port` without quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains([':', '/']) || self.host.starts_with('[') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Number(number) => number.fmt(f),
            Self::Service(name) => f.write_str(name),
        }
    }
}

/// Cuts host and port apart at the first `:` or `/` that stands outside brackets.
fn split(text: &str) -> Result<(&str, &str), OptionReason> {
    let host_end = if text.starts_with('[') {
        text.find(']').ok_or(OptionReason::BadPermitHost)? + 1
    } else {
        text.find([':', '/']).ok_or(OptionReason::BadPermitPort)?
    };
    let (host, rest) = text
        .split_at_checked(host_end)
        .ok_or(OptionReason::BadPermitHost)?;
    match rest.strip_prefix([':', '/']) {
        Some(port) => Ok((host, port)),
        None if rest.is_empty() => Err(OptionReason::BadPermitPort),
        None => Err(OptionReason::BadPermitHost),
    }
}

fn parse_port(text: &str) -> Result<Port, OptionReason> {
    if text == "*" {
        return Ok(Port::Any);
    }
    if let Some(number) = number::parse(text, u32::from(u16::MAX)) {
        return match u16::try_from(number) {
            Ok(number) if number > 0 => Ok(Port::Number(number)),
            _ => Err(OptionReason::BadPermitPort),
        };
    }
    let is_name =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'+');
    if text.bytes().all(is_name)
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
        && !looks_hexadecimal(text)
    {
        Ok(Port::Service(text.to_owned()))
    } else {
        Err(OptionReason::BadPermitPort)
    }
}

/// `0x16` is what someone writes who means a number; no service is called so.
fn looks_hexadecimal(text: &str) -> bool {
    text.starts_with("0x") || text.starts_with("0X")
}

/// Bytes from which on a host is too long: the limit of the resolver.
const MAX_HOST_BYTES: usize = 1025;

#[cfg(test)]
mod tests {
    use super::*;

    fn open(text: &str) -> Result<String, OptionReason> {
        Permit::parse_open(text).map(|permit| permit.to_string())
    }

    #[test]
    fn permitopen_needs_host_and_port_and_is_written_in_one_way() {
        for (text, written) in [
            ("a:1", "a:1"),
            ("*:*", "*:*"),
            (":22", ":22"),
            ("a/22", "a:22"),
            ("[::1]:22", "[::1]:22"),
            ("[a]:22", "a:22"),
            ("[]:22", ":22"),
            ("a: 22", "a:22"),
            ("a:+0022", "a:22"),
            ("a b:22", "a b:22"),
            ("a:domain", "a:domain"),
            ("[[a]:1", "[[a]:1"),
        ] {
            assert_eq!(open(text).as_deref(), Ok(written), "{text}");
            assert_eq!(open(written).as_deref(), Ok(written), "{text}");
        }
    }

    #[test]
    fn permitopen_without_port_or_with_a_bad_one_is_refused() {
        for text in [
            "", "a", "22", "a:", "a:0", "a:65536", "a:22 ", "a:0x16", "::1:22", "a:1,b:2", "a:-1",
            "[::1]", "none",
        ] {
            assert_eq!(open(text), Err(OptionReason::BadPermitPort), "{text}");
        }
        for text in ["[a:22", "[a]b:22"] {
            assert_eq!(open(text), Err(OptionReason::BadPermitHost), "{text}");
        }
        assert!(open(&format!("{}:1", "a".repeat(1024))).is_ok());
        assert_eq!(
            open(&format!("{}:1", "a".repeat(1025))),
            Err(OptionReason::BadPermitHost)
        );
    }

    #[test]
    fn permitlisten_takes_a_port_alone_for_every_address() {
        let listen = |text| Permit::parse_listen(text).map(|permit| permit.to_string());
        for (text, written) in [
            ("22", "*:22"),
            ("*", "*:*"),
            ("a:22", "a:22"),
            (":22", ":22"),
            ("ssh", "*:ssh"),
        ] {
            assert_eq!(listen(text).as_deref(), Ok(written), "{text}");
        }
        for text in ["", "0", "a/22", "[::1]"] {
            assert!(listen(text).is_err(), "{text}");
        }
    }
}
