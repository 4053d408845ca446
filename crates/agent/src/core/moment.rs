//! A moment, on two clocks.
//!
//! The boot clock counts on through suspend and can't be set, but begins anew with each boot; the wall clock survives a boot
//! and can be set to anything. Ages are measured with the first wherever both ends lie in one boot.

use std::time::Duration;

/// Which boot of the machine this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootId(u128);

impl BootId {
    /// Reads the kernel's text, a UUID.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex: String = text.trim_end().chars().filter(|c| *c != '-').collect();
        if hex.len() != HEX_DIGITS || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        u128::from_str_radix(&hex, 16).ok().map(Self)
    }
}

impl std::fmt::Display for BootId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The boot that it lies in.
    pub boot: BootId,
    /// Time since that boot, suspend included.
    pub since_boot: Duration,
    /// Milliseconds since the Unix epoch, as the wall clock has it.
    pub wall_ms: i64,
}

impl Moment {
    /// Whole seconds since the Unix epoch, as the wall clock has it.
    #[must_use]
    pub fn wall_s(&self) -> i64 {
        self.wall_ms.div_euclid(1000)
    }
}

/// Hexadecimal digits of a UUID.
const HEX_DIGITS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_id_is_read_from_the_kernels_text_and_from_its_own() {
        let id = BootId::parse("0e6a4cf8-6dd8-4d40-8a7d-8a8a1f0a0b0c\n").unwrap();
        assert_eq!(BootId::parse(&id.to_string()), Some(id));
    }

    #[test]
    fn a_text_that_is_no_uuid_is_no_boot_id() {
        for text in [
            "",
            "0e6a4cf8",
            "zz6a4cf8-6dd8-4d40-8a7d-8a8a1f0a0b0c",
            "+e6a4cf86dd84d408a7d8a8a1f0a0b0c",
        ] {
            assert_eq!(BootId::parse(text), None, "{text:?}");
        }
    }
}
