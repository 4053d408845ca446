//! The key server's address: `https://HOST[:PORT]` and nothing more.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

/// An https origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerAddress(String);

/// A text that is no address of a key server. It is not repeated: people put passwords into addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key server's address reads https://HOST or https://HOST:PORT, without a path")]
pub(crate) struct AddressError;

impl FromStr for ServerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let url = Url::parse(text).map_err(|_| AddressError)?;
        let origin = url.origin().ascii_serialization();
        let nothing_else = url.as_str().strip_suffix('/') == Some(origin.as_str());
        match url.scheme() == "https" && nothing_else {
            true => Ok(Self(origin)),
            false => Err(AddressError),
        }
    }
}

impl ServerAddress {
    /// The URL of a path, which begins with a slash.
    pub(crate) fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_server_has_one_spelling() {
        for (text, expected) in [
            ("https://keys.example", "https://keys.example"),
            ("https://KEYS.example:443/", "https://keys.example"),
            ("https://127.0.0.1:8443", "https://127.0.0.1:8443"),
            ("https://[::1]:8443", "https://[::1]:8443"),
        ] {
            assert_eq!(text.parse::<ServerAddress>().unwrap().to_string(), expected);
        }
    }

    #[test]
    fn anything_but_an_https_origin_is_refused() {
        for text in [
            "",
            "keys.example",
            "http://keys.example",
            "https://",
            "https://keys.example/v1",
            "https://keys.example/?a",
            "https://keys.example/#a",
            "https://me:secret@keys.example",
            "file:///etc/passwd",
        ] {
            assert_eq!(text.parse::<ServerAddress>(), Err(AddressError), "{text}");
        }
    }
}
