//! A `Match` line.

use crate::tree::Place;
use crate::tree::line::{canonical, take_word};
use crate::tree::login::Login;
use crate::tree::pattern::PatternList;

/// A `Match` line: all of its criteria must be met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Where it stands.
    pub place: Place,
    /// What it asks for, as it stands there.
    pub text: String,
    /// The criteria.
    pub criteria: Vec<Criterion>,
}

/// One thing that a `Match` line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Criterion {
    /// Everybody.
    All,
    /// The account.
    User(PatternList),
    /// One of the account's groups.
    Group(PatternList),
    /// The client's host name.
    Host(PatternList),
    /// The client's address.
    Address(PatternList),
    /// The address that it connected to.
    LocalAddress(PatternList),
    /// The port that it connected to.
    LocalPort(u16),
    /// Something that can't be judged here: it is taken for not met, and what sshd says will differ where that is wrong.
    Other(String),
}

impl Condition {
    pub(super) fn parse(place: Place, text: &str) -> Self {
        let mut criteria = Vec::new();
        let mut rest = text;
        while let Some(name) = take_word(&mut rest) {
            if name.starts_with('#') {
                break;
            }
            criteria.push(criterion(name, &mut rest));
        }
        Self {
            place,
            text: text.to_owned(),
            criteria,
        }
    }

    /// Whether what stands in its block counts for this login.
    #[must_use]
    pub fn holds_for(&self, login: &Login) -> bool {
        !self.criteria.is_empty()
            && self
                .criteria
                .iter()
                .all(|criterion| criterion.is_met(login))
    }
}

impl Criterion {
    fn is_met(&self, login: &Login) -> bool {
        match self {
            Self::All => true,
            Self::User(list) => list.matches(&login.user),
            Self::Group(list) => list.matches_any(&login.groups),
            Self::Host(list) => list.matches(&login.host.to_ascii_lowercase()),
            Self::Address(list) => list.matches_address(login.addr),
            Self::LocalAddress(list) => list.matches_address(login.laddr),
            Self::LocalPort(port) => *port == login.lport,
            Self::Other(_) => false,
        }
    }
}

fn criterion(name: &str, rest: &mut &str) -> Criterion {
    let name = canonical(name);
    match name.as_str() {
        "all" => return Criterion::All,
        "invalid-user" => return Criterion::Other(name),
        _ => {}
    }
    let value = take_word(rest).unwrap_or_default();
    let list = PatternList::parse(value);
    match name.as_str() {
        "user" => Criterion::User(list),
        "group" => Criterion::Group(list),
        "host" => Criterion::Host(PatternList::parse(&value.to_ascii_lowercase())),
        "address" => Criterion::Address(list),
        "localaddress" => Criterion::LocalAddress(list),
        "localport" => value
            .parse()
            .map_or(Criterion::Other(name), Criterion::LocalPort),
        _ => Criterion::Other(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login() -> Login {
        Login {
            user: "deploy".to_owned(),
            groups: vec!["deploy".to_owned(), "pilot".to_owned()],
            host: "Desk.example.org".to_owned(),
            addr: "192.0.2.7".parse().unwrap(),
            laddr: "198.51.100.1".parse().unwrap(),
            lport: 22,
        }
    }

    #[test]
    fn all_criteria_of_a_line_must_be_met() {
        for (text, holds) in [
            ("all", true),
            ("User deploy", true),
            ("user=deploy", true),
            ("User root", false),
            ("User deploy,root Group pilot", true),
            ("User deploy Group staff", false),
            ("Group pilot,!deploy", false),
            ("Host desk.EXAMPLE.org", true),
            ("Host *.example.net", false),
            ("Address 192.0.2.0/24 LocalPort 22", true),
            ("LocalAddress 198.51.100.1", true),
            ("LocalPort 2222", false),
            ("User \"deploy\" # the pilot", true),
            ("RDomain blue", false),
            ("invalid-user", false),
            ("", false),
        ] {
            let condition = Condition::parse(Place::CommandLine(1), text);
            assert_eq!(condition.holds_for(&login()), holds, "{text}");
        }
    }
}
