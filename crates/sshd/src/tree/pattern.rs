//! Patterns as sshd's `Match` and lists of users have them.

use std::net::IpAddr;

/// Patterns with commas between them; one that begins with `!` says no, and one no outweighs every yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternList(Vec<Pattern>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    negated: bool,
    text: String,
}

impl PatternList {
    /// Reads `a,!b,c*`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let patterns = text.split(',').map(|item| match item.strip_prefix('!') {
            Some(rest) => Pattern {
                negated: true,
                text: rest.to_owned(),
            },
            None => Pattern {
                negated: false,
                text: item.to_owned(),
            },
        });
        Self(patterns.collect())
    }

    /// Whether a name is meant.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.verdict(|pattern| wildcard(&pattern.text, name)) == Some(true)
    }

    /// Whether one of several names is meant, and none is excluded.
    #[must_use]
    pub fn matches_any(&self, names: &[String]) -> bool {
        let verdicts: Vec<_> = names
            .iter()
            .map(|name| self.verdict(|pattern| wildcard(&pattern.text, name)))
            .collect();
        verdicts.contains(&Some(true)) && !verdicts.contains(&Some(false))
    }

    /// Whether an address is meant: by network, or as text with wildcards.
    #[must_use]
    pub fn matches_address(&self, address: IpAddr) -> bool {
        let text = address.to_string();
        self.verdict(|pattern| match network(&pattern.text) {
            Some((base, bits)) => contains(base, bits, address),
            None => wildcard(&pattern.text, &text),
        }) == Some(true)
    }

    /// Names without wildcards that are meant.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        let literal = |pattern: &&Pattern| !pattern.negated && !pattern.text.contains(['*', '?']);
        self.0
            .iter()
            .filter(literal)
            .map(|pattern| pattern.text.as_str())
    }

    /// An address of each network that is meant.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.literals()
            .filter_map(network)
            .map(|(address, _)| address)
    }

    fn verdict(&self, hits: impl Fn(&Pattern) -> bool) -> Option<bool> {
        let mut said = None;
        for pattern in self.0.iter().filter(|pattern| hits(pattern)) {
            if pattern.negated {
                return Some(false);
            }
            said = Some(true);
        }
        said
    }
}

/// Whether `text` is of the pattern: `*` stands for any number of characters, `?` for one.
#[must_use]
pub fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    // Where to go on when the characters behind the last star do not fit: at the star, one character of the text later.
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(b'?') => (p, t) = (p + 1, t + 1),
            Some(byte) if Some(byte) == text.get(t) => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((at, from)) => {
                    (p, t) = (at + 1, from + 1);
                    star = Some((at, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|byte| *byte == b'*')
}

/// An address with the length of its network; an address alone is a network of one.
fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(longest);
    (bits <= longest).then_some((address, bits))
}

fn contains(base: IpAddr, bits: u8, address: IpAddr) -> bool {
    let (base, address, longest) = match (base, address) {
        (IpAddr::V4(base), IpAddr::V4(address)) => (
            u128::from(base.to_bits()),
            u128::from(address.to_bits()),
            32,
        ),
        (IpAddr::V6(base), IpAddr::V6(address)) => (base.to_bits(), address.to_bits(), 128),
        _ => return false,
    };
    let host_bits = longest - u32::from(bits);
    let prefix = |value: u128| value.checked_shr(host_bits).unwrap_or(0);
    prefix(base) == prefix(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_stand_for_characters() {
        for (pattern, text, matches) in [
            ("*", "", true),
            ("dep*", "deploy", true),
            ("*-ci", "deploy-ci", true),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "xxaxxbxx", false),
            ("d?ploy", "deploy", true),
            ("d?ploy", "dploy", false),
            ("deploy", "deploy2", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(wildcard(pattern, text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn one_no_outweighs_every_yes() {
        let list = PatternList::parse("dep*,!deploy-ci");
        assert!(list.matches("deploy"));
        assert!(!list.matches("deploy-ci"));
        assert!(!list.matches("root"));
        let groups = PatternList::parse("*,!contractors");
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        assert!(groups.matches_any(&names(&["staff"])));
        assert!(!groups.matches_any(&names(&["staff", "contractors"])));
        assert!(!groups.matches_any(&[]));
    }

    #[test]
    fn only_a_no_means_nobody() {
        assert!(!PatternList::parse("!deploy").matches("root"));
    }

    #[test]
    fn addresses_are_matched_by_network_and_by_their_text() {
        let list = PatternList::parse("192.0.2.0/24,!192.0.2.9,2001:db8::/32,198.51.*");
        for (address, matches) in [
            ("192.0.2.7", true),
            ("192.0.2.9", false),
            ("192.0.3.7", false),
            ("2001:db8::7", true),
            ("2001:db9::7", false),
            ("198.51.100.1", true),
        ] {
            assert_eq!(
                list.matches_address(address.parse().unwrap()),
                matches,
                "{address}"
            );
        }
        assert!(PatternList::parse("0.0.0.0/0").matches_address("203.0.113.1".parse().unwrap()));
        assert!(PatternList::parse("::/0").matches_address("2001:db8::1".parse().unwrap()));
        assert!(!PatternList::parse("::/0").matches_address("203.0.113.1".parse().unwrap()));
    }
}
