use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::ModelError;

/// A range of addresses in the one form that sshd reads without surprise: a network with its prefix length and no host
/// bits.
///
/// sshd refuses a whole line for one range with host bits, and compares an IPv4 peer as IPv4 even when it came in over an
/// IPv6 socket, so that an IPv4-mapped range never matches: both are refused at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    network: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// Reads `10.0.0.0/8`, `2001:db8::/32` or a single address.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        let refused = |rule| ModelError::Cidr {
            text: text.into(),
            rule,
        };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let network: IpAddr = address
            .parse()
            .map_err(|_| refused("write an IPv4 or IPv6 address and a prefix length"))?;
        let prefix = match prefix {
            Some(digits) => prefix_length(digits, network)
                .ok_or_else(|| refused("the prefix length does not fit"))?,
            None => address_bits(network),
        };
        if let IpAddr::V6(v6) = network
            && v6.to_ipv4_mapped().is_some()
        {
            return Err(refused("write IPv4 addresses in the IPv4 form"));
        }
        if masked(network, prefix) != network {
            return Err(refused("the address has bits beyond the prefix length"));
        }
        Ok(Self { network, prefix })
    }

    /// Whether an address lies in the range. An IPv4-mapped IPv6 address counts as the IPv4 address, as it does for sshd.
    pub fn contains(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.network.is_ipv4() && masked(address, self.prefix) == self.network
    }

    /// The addresses in both ranges: of two ranges that meet, one lies in the other.
    pub fn intersect(self, other: Self) -> Option<Self> {
        let (wide, narrow) = if self.prefix <= other.prefix {
            (self, other)
        } else {
            (other, self)
        };
        wide.contains(narrow.network).then_some(narrow)
    }
}

impl FromStr for Cidr {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        Self::parse(text)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

/// The ranges that a login may come from: sorted, none inside another, never empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FromList(Vec<Cidr>);

impl FromList {
    /// Takes up to [`MAX_FROM_RANGES`] ranges, at least one.
    pub fn new(ranges: impl IntoIterator<Item = Cidr>) -> Result<Self, ModelError> {
        let ranges: Vec<Cidr> = ranges.into_iter().collect();
        if ranges.len() > MAX_FROM_RANGES {
            return Err(ModelError::TooMany {
                what: "from",
                count: ranges.len(),
                max: MAX_FROM_RANGES,
            });
        }
        Self::widest(ranges).ok_or(ModelError::Empty { what: "from" })
    }

    /// Reads each range.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, ModelError> {
        let ranges = texts
            .into_iter()
            .take(MAX_FROM_RANGES + 1)
            .map(Cidr::parse)
            .collect::<Result<Vec<_>, _>>()?;
        Self::new(ranges)
    }

    /// The ranges, in order.
    pub fn ranges(&self) -> &[Cidr] {
        &self.0
    }

    /// Whether an address lies in one of the ranges.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|range| range.contains(address))
    }

    /// The addresses in both lists; `None` where there are none. May be longer than a list that is read.
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        Self::widest(
            self.0
                .iter()
                .flat_map(|a| other.0.iter().filter_map(|b| a.intersect(*b)))
                .collect(),
        )
    }

    /// Keeps the ranges that lie in no other. Sorted by network and then by length, a range comes right before those inside
    /// it.
    fn widest(mut ranges: Vec<Cidr>) -> Option<Self> {
        ranges.sort_unstable();
        ranges.dedup_by(|next, kept| kept.intersect(*next).is_some());
        (!ranges.is_empty()).then_some(Self(ranges))
    }
}

impl fmt::Display for FromList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, range) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{range}")?;
        }
        Ok(())
    }
}

/// Reads decimal digits without sign or leading zero, up to the address's width.
fn prefix_length(digits: &str, network: IpAddr) -> Option<u8> {
    let plain =
        digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    digits
        .parse()
        .ok()
        .filter(|prefix| plain && *prefix <= address_bits(network))
}

/// The address with everything beyond the prefix cleared.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX
                .checked_shl(IPV4_BITS.saturating_sub(prefix).into())
                .unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX
                .checked_shl(IPV6_BITS.saturating_sub(prefix).into())
                .unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

const fn address_bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => IPV4_BITS,
        IpAddr::V6(_) => IPV6_BITS,
    }
}

/// Ranges in one grant's `from`.
pub const MAX_FROM_RANGES: usize = 64;

const IPV4_BITS: u8 = 32;
const IPV6_BITS: u8 = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn list(texts: &[&str]) -> FromList {
        FromList::parse(texts.iter().copied()).unwrap()
    }

    #[test]
    fn a_range_is_read_and_written_in_one_form() {
        for (text, canonical) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:DB8:0:0::/32", "2001:db8::/32"),
            ("::1", "::1/128"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(Cidr::parse(text).unwrap().to_string(), canonical);
        }
    }

    #[test]
    fn a_range_that_sshd_would_refuse_or_never_match_is_refused() {
        for text in [
            "10.0.0.1/8",
            "2001:db8::1/32",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/08",
            "10.0.0.0/8/8",
            "10.0.0/8",
            "010.0.0.0/8",
            "fe80::1%eth0",
            "::ffff:10.0.0.0/104",
            "*.example.com",
            "!10.0.0.0/8",
            " 10.0.0.0/8",
            "",
        ] {
            assert!(
                matches!(Cidr::parse(text), Err(ModelError::Cidr { .. })),
                "{text:?}"
            );
        }
    }

    #[test]
    fn an_ipv4_peer_on_an_ipv6_socket_counts_as_ipv4() {
        let range = Cidr::parse("192.0.2.0/24").unwrap();
        assert!(range.contains("::ffff:192.0.2.9".parse().unwrap()));
        assert!(!range.contains("192.0.3.9".parse().unwrap()));
        assert!(
            !Cidr::parse("::/0")
                .unwrap()
                .contains("192.0.2.9".parse().unwrap())
        );
    }

    #[test]
    fn ranges_inside_others_and_repeated_ones_are_left_off() {
        let ranges = list(&[
            "10.1.0.0/16",
            "192.0.2.1",
            "10.0.0.0/8",
            "::1",
            "10.255.255.255",
            "192.0.2.1/32",
        ]);
        assert_eq!(ranges.to_string(), "10.0.0.0/8,192.0.2.1/32,::1/128");
    }

    #[test]
    fn an_intersection_keeps_the_narrower_range_or_nothing() {
        let office = list(&["10.0.0.0/8", "2001:db8::/32"]);
        let bastion = list(&["10.1.2.3", "192.0.2.0/24", "2001:db8:1::/48"]);
        assert_eq!(
            office.intersect(&bastion).unwrap().to_string(),
            "10.1.2.3/32,2001:db8:1::/48"
        );
        assert_eq!(office.intersect(&list(&["192.0.2.0/24"])), None);
    }

    #[test]
    fn a_list_holds_at_least_one_range_and_at_most_the_limit() {
        assert_eq!(FromList::parse([]), Err(ModelError::Empty { what: "from" }));
        assert!(FromList::parse([".."; MAX_FROM_RANGES + 1]).is_err());
        assert!(matches!(
            FromList::parse(["::1"; MAX_FROM_RANGES + 1]),
            Err(ModelError::TooMany { .. })
        ));
    }
}
