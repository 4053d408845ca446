//! What is written down about a session: one small text.
//!
//! ```text
//! keyroster-session 1
//! monitor 18387-4711234
//! account deploy
//! opened-at 1764000000
//! key SHA256:…
//! audit-session 8
//! ```
//!
//! `account` is missing where its name is none that keyroster knows; it is there for the log alone. `key` stands once for each
//! key that the login rests on. The last line is `audit-session`, `scope`, or `descent`: see [`crate::membership`].

use std::collections::BTreeSet;
use std::fmt::Write as _;

use keyroster_keys::{AccountName, Fingerprint};

use crate::membership::{Membership, Scope};
use crate::process::Process;

/// A session that sshd opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// The process of sshd that holds the connection.
    pub(crate) monitor: Process,
    /// The account, if its name is one that keyroster knows.
    pub(crate) account: Option<AccountName>,
    /// When it was opened, in seconds since the Unix epoch.
    pub(crate) opened_at: u64,
    /// The keys that the login rests on: each that proved itself, and of certificates the keys that signed them.
    pub(crate) keys: BTreeSet<Fingerprint>,
    /// How its processes are found.
    pub(crate) membership: Membership,
}

impl Record {
    /// The text.
    pub(crate) fn to_text(&self) -> String {
        let mut text = format!("{HEADER}\nmonitor {}\n", self.monitor);
        let mut line = |name: &str, value: &dyn std::fmt::Display| {
            let _never_fails = writeln!(text, "{name} {value}");
        };
        if let Some(account) = &self.account {
            line("account", account);
        }
        line("opened-at", &self.opened_at);
        for key in &self.keys {
            line("key", key);
        }
        match &self.membership {
            Membership::AuditSession(session) => line("audit-session", session),
            Membership::Scope(scope) => line("scope", &scope.as_str()),
            Membership::Descent => text.push_str("descent\n"),
        }
        text
    }

    /// Reads the text; none when it is not wholly one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n').peekable();
        if lines.next()? != HEADER {
            return None;
        }
        let mut take = |name: &str| {
            let value = lines.peek()?.strip_prefix(name)?.strip_prefix(' ')?;
            lines.next();
            Some(value)
        };
        let monitor = take("monitor")?.parse().ok()?;
        let account = match take("account") {
            Some(name) => Some(AccountName::parse(name).ok()?),
            None => None,
        };
        let opened_at = take("opened-at")?.parse().ok()?;
        let mut keys = BTreeSet::new();
        while let Some(key) = take("key") {
            keys.insert(Fingerprint::parse(key).ok()?);
        }
        let membership = membership(lines.next()?)?;
        (lines.next().is_none() && !keys.is_empty()).then_some(Self {
            monitor,
            account,
            opened_at,
            keys,
            membership,
        })
    }

    /// The account's name, or what stands for it in a message.
    pub(crate) fn account_text(&self) -> &str {
        self.account.as_ref().map_or("-", AccountName::as_str)
    }
}

fn membership(line: &str) -> Option<Membership> {
    if line == "descent" {
        return Some(Membership::Descent);
    }
    let (name, value) = line.split_once(' ')?;
    match name {
        "audit-session" => value.parse().ok().map(Membership::AuditSession),
        "scope" => Scope::parse(value).map(Membership::Scope),
        _ => None,
    }
}

/// The first line. Another layout gets another number.
const HEADER: &str = "keyroster-session 1";

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const KEY: &str = "SHA256:Nh0Me49Zh9fDw/VYUfq43IJmI1T+XrjiYONPND8GzaM";

    pub(crate) fn record(monitor: Process) -> Record {
        Record {
            monitor,
            account: Some(AccountName::parse("deploy").unwrap()),
            opened_at: 1_764_000_000,
            keys: BTreeSet::from([Fingerprint::parse(KEY).unwrap()]),
            membership: Membership::Descent,
        }
    }

    const MONITOR: Process = Process {
        pid: 41,
        start: 4711,
    };

    #[test]
    fn a_record_comes_back_as_it_was() {
        let scope = Scope::parse("/user.slice/session-5.scope").unwrap();
        for membership in [
            Membership::AuditSession(8),
            Membership::Scope(scope),
            Membership::Descent,
        ] {
            for account in [AccountName::parse("deploy").ok(), None] {
                let whole = Record {
                    membership: membership.clone(),
                    account,
                    ..record(MONITOR)
                };
                assert_eq!(Record::parse(&whole.to_text()), Some(whole));
            }
        }
    }

    #[test]
    fn a_text_with_anything_missing_or_added_is_no_record() {
        let text = record(MONITOR).to_text();
        for length in 0..text.len() {
            assert_eq!(Record::parse(&text[..length]), None, "{length}");
        }
        for line in text.lines() {
            let without = text.replace(&format!("{line}\n"), "");
            let optional = line.starts_with("account");
            assert_eq!(Record::parse(&without).is_some(), optional, "{line}");
        }
        for more in ["\n", "descent\n", "key x\n", " "] {
            assert_eq!(Record::parse(&format!("{text}{more}")), None, "{more:?}");
        }
        assert_eq!(Record::parse(&text.replace("deploy", "de ploy")), None);
    }
}
