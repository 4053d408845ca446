//! `from=`: where a login may come from.

use std::fmt;

use crate::address::Entry;
use crate::error::OptionReason;
use crate::value::OptionValue;

/// A list of addresses, networks and wildcard patterns, each perhaps negated with `!`.
///
/// The text is kept and not taken apart: sshd compares it entry by entry, and an entry that is no network is compared as
/// text. What is checked is what makes sshd refuse the whole line: an empty entry, a network with host bits, a mask that is
/// too long.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FromPatterns(OptionValue);

impl FromPatterns {
    /// Checks a list.
    ///
    /// # Errors
    /// When sshd would refuse every login with it, or when it can't be written between quotes.
    pub fn parse(text: &str) -> Result<Self, OptionReason> {
        Self::new(OptionValue::parse(text)?)
    }

    pub(crate) fn new(value: OptionValue) -> Result<Self, OptionReason> {
        for entry in value.as_str().split(',') {
            let pattern = entry.strip_prefix('!').unwrap_or(entry);
            if pattern.is_empty() {
                return Err(OptionReason::EmptyFromEntry);
            }
            match Entry::classify(pattern) {
                Entry::Network | Entry::Pattern => {}
                Entry::Inconsistent => return Err(OptionReason::InconsistentNetwork),
            }
        }
        Ok(Self(value))
    }

    /// The list as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The entries, from left to right, with their `!`.
    pub fn entries(&self) -> impl Iterator<Item = &str> {
        self.as_str().split(',')
    }

    /// Whether every entry is an address or a network, none of them negated: a list that names and wildcards can't widen.
    #[must_use]
    pub fn is_networks_only(&self) -> bool {
        self.entries()
            .all(|entry| Entry::classify(entry) == Entry::Network)
    }
}

impl fmt::Display for FromPatterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_networks_patterns_and_negations_are_taken() {
        for text in [
            "10.0.0.0/8",
            "*",
            "*.example.com,!bad.example.com",
            "::1,127.0.0.1",
            "!!10.0.0.0/8",
            "a b",
        ] {
            assert_eq!(FromPatterns::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn empty_entries_and_host_bits_refuse_the_list() {
        for text in ["", ",", "127.0.0.1,", "!", "127.0.0.1,!", "a,,b"] {
            assert_eq!(
                FromPatterns::parse(text),
                Err(OptionReason::EmptyFromEntry),
                "{text}"
            );
        }
        for text in ["127.0.0.1/8", "*,10.0.0.1/8", "!10.0.0.1/8,*"] {
            assert_eq!(
                FromPatterns::parse(text),
                Err(OptionReason::InconsistentNetwork),
                "{text}"
            );
        }
    }

    #[test]
    fn only_plain_addresses_and_networks_count_as_networks() {
        assert!(
            FromPatterns::parse("10.0.0.0/8,::1")
                .unwrap()
                .is_networks_only()
        );
        assert!(
            !FromPatterns::parse("10.0.0.0/8,*")
                .unwrap()
                .is_networks_only()
        );
        assert!(
            !FromPatterns::parse("!10.0.0.0/8")
                .unwrap()
                .is_networks_only()
        );
    }
}
