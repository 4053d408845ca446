//! Addresses and networks in `from=`, as sshd's resolver reads them.
//!
//! Looser than `std::net`: the resolver also takes `10.1`, octal and hexadecimal parts, and single numbers. That matters,
//! for what is read as an address is then held to have no host bits: `10/8` is the address 0.0.0.10 with a mask of 8, and
//! refuses its line.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::number;

/// What sshd makes of one entry of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// An address, or a network without host bits.
    Network,
    /// Anything else: compared as text with wildcards.
    Pattern,
    /// A network whose mask is too long for it, or that has host bits: refuses the whole list.
    Inconsistent,
}

impl Entry {
    pub(crate) fn classify(text: &str) -> Self {
        if text.len() >= MAX_NETWORK_BYTES {
            return Self::Pattern;
        }
        let (address, mask) = match text.split_once('/') {
            None => (text, None),
            Some((address, mask)) => match number::plain(mask, 128) {
                Some(mask) => (address, Some(mask)),
                None => return Self::Pattern,
            },
        };
        match parse_address(address) {
            None => Self::Pattern,
            Some((_, bits)) if mask.is_some_and(|mask| mask > bits) => Self::Inconsistent,
            Some((value, bits)) if has_host_bits(value, bits, mask.unwrap_or(bits)) => {
                Self::Inconsistent
            }
            Some(_) => Self::Network,
        }
    }
}

/// An address as a number, and its width in bits.
fn parse_address(text: &str) -> Option<(u128, u32)> {
    if let Some(address) = parse_ipv4(text) {
        return Some((u128::from(u32::from(address)), 32));
    }
    let address = text.split_once('%').map_or(text, |(address, _)| address);
    let address: Ipv6Addr = address.parse().ok()?;
    Some((u128::from(address), 128))
}

/// One to four numbers with dots between them, the last of which fills all bytes that remain.
fn parse_ipv4(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u32> = text.split('.').map(parse_part).collect::<Option<_>>()?;
    let (&last, leading) = parts.split_last()?;
    if leading.len() > 3 || leading.iter().any(|&part| part > 0xff) {
        return None;
    }
    let free_bits = 32 - 8 * u32::try_from(leading.len()).ok()?;
    if u64::from(last) >= 1 << free_bits {
        return None;
    }
    let high = leading
        .iter()
        .zip([24, 16, 8])
        .fold(0, |address, (part, shift)| address | part << shift);
    Some(Ipv4Addr::from(high | last))
}

/// A number in decimal, in octal after `0`, or in hexadecimal after `0x`.
fn parse_part(text: &str) -> Option<u32> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    if digits.starts_with('+') {
        return None;
    }
    u32::from_str_radix(digits, radix).ok()
}

const fn has_host_bits(address: u128, width: u32, mask: u32) -> bool {
    let host_width = width - mask;
    if host_width >= 128 {
        address != 0
    } else {
        address & ((1 << host_width) - 1) != 0
    }
}

/// Bytes from which on sshd no longer tries to read an entry as an address or network.
const MAX_NETWORK_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::Entry::{self, Inconsistent, Network, Pattern};

    #[test]
    fn networks_are_read_as_the_resolver_reads_addresses() {
        for text in [
            "127.0.0.1",
            "127.0.0.0/8",
            "127.0.0.1/32",
            "0.0.0.0/0",
            "10.0.0.0/08",
            "127.1",
            "0177.0.0.1",
            "0x7f.1",
            "2130706433",
            "1.2.768/24",
            "::1",
            "::/0",
            "fe80::/10",
            "::ffff:10.0.0.0/104",
            "fe80::1%lo",
            "0/0",
            "10.0.0.0/0000000000000000000000000000000000000000000000000008",
        ] {
            assert_eq!(Entry::classify(text), Network, "{text}");
        }
    }

    #[test]
    fn host_bits_and_masks_that_are_too_long_are_inconsistent() {
        for text in [
            "127.0.0.1/8",
            "10/8",
            "127/8",
            "1.2.3/24",
            "10.0.0.0/33",
            "::1/64",
            "::ffff:10.0.0.0/8",
            "::1%9/64",
        ] {
            assert_eq!(Entry::classify(text), Inconsistent, "{text}");
        }
    }

    #[test]
    fn everything_else_is_a_pattern() {
        let long = format!("10.0.0.1/{}8", "0".repeat(54));
        for text in [
            "*",
            "127.*",
            "localhost",
            "a b",
            "10.0.0.1/129",
            "10.0.0.1/",
            "/8",
            "10.0.0.1/+8",
            "10.0.0.1/ 8",
            "1/0x8",
            "256.0.0.1",
            "1.2.3.4.5",
            "1..2",
            "08.0.0.1/8",
            "4294967296",
            "[::1]",
            "::/129",
            "0x/8",
            "1e1/8",
            "1.2.3.4 x/8",
            "0x+1",
            long.as_str(),
        ] {
            assert_eq!(Entry::classify(text), Pattern, "{text}");
        }
    }
}
