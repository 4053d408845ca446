//! `--benchmark cis`: what section 5.1 of the CIS Debian Linux 12 Benchmark v1.1.0 asks for, as settings with our own reasons.
//!
//! Each finding has the number of its recommendation, so that an auditor can map it. A benchmark asks for more than keyroster
//! needs, so nothing of it is an error, and none of it is looked at unless it is asked for.

use crate::doctor::checks::mend;
use crate::doctor::facts::Seen;
use crate::doctor::facts::files::{PathFact, There};
use crate::doctor::facts::sshd::{Asked, SshdFacts, names};
use crate::doctor::finding::{Finding, Remedy, Rule, rules};

rules! {
    CONFIG_MODE = Warning "cis-config-mode": "a file of sshd's configuration can be read or written by others than root",
        "it tells where keys and lists are, and who may log in", Run "chown root:root FILE && chmod 0600 FILE";
    HOST_KEY_MODE = Warning "cis-host-key-mode": "a private host key can be read by others than root",
        "who has it can be this host", Run "chown root:root FILE && chmod 0600 FILE";
    PUBLIC_KEY_MODE = Warning "cis-public-key-mode": "a public host key can be written by others than root, or run",
        "whoever changes it makes people trust another host", Run "chown root:root FILE && chmod 0644 FILE";
    ACCESS = Warning "cis-access-lists": "no list says which users or groups may log in",
        "every account with a shell is a way in", Judge "AllowUsers or AllowGroups, with every account that is granted and those of break-glass";
    LOG_LEVEL = Warning "cis-log-level": "LogLevel is below INFO, or a debug level",
        "logins go unrecorded, or what people do is", Run "sed -i.bak '1i LogLevel VERBOSE' /etc/ssh/sshd_config && sshd -t && systemctl reload ssh";
    TRIES = Warning "cis-max-auth-tries": "MaxAuthTries is more than 4",
        "more guesses fit into a connection", Run "sed -i.bak '1i MaxAuthTries 4' /etc/ssh/sshd_config && sshd -t && systemctl reload ssh";
    ROOT_LOGIN = Warning "cis-root-login": "root may log in",
        "who it was is not in the account's name; keyroster's log and the key's comment tell it", Judge "PermitRootLogin no, once another break-glass account exists";
    EMPTY_PASSWORDS = Warning "cis-empty-passwords": "accounts without a password may log in",
        "whoever knows the name is in", Run "sed -i.bak '1i PermitEmptyPasswords no' /etc/ssh/sshd_config && sshd -t && systemctl reload ssh";
    HOST_BASED = Warning "cis-host-based": "other hosts vouch for their users",
        "one host that is taken takes the others", Run "sed -i.bak '1i HostbasedAuthentication no' /etc/ssh/sshd_config && sshd -t && systemctl reload ssh";
    RHOSTS = Warning "cis-rhosts": "files of the accounts' own say which hosts are trusted",
        "an account could let others in", Run "sed -i.bak '1i IgnoreRhosts yes' /etc/ssh/sshd_config && sshd -t && systemctl reload ssh";
    X11 = Note "cis-x11": "X11 forwarding is on",
        "the host can reach into the client's screen", Run "sed -i.bak '1i X11Forwarding no' /etc/ssh/sshd_config && sshd -t && systemctl reload ssh";
    ENVIRONMENT = Warning "cis-environment": "accounts set variables of their login's environment",
        "a variable can make programs load code", Run "sed -i.bak '1i PermitUserEnvironment no' /etc/ssh/sshd_config && sshd -t && systemctl reload ssh";
    PAM = Warning "cis-pam": "UsePAM is off",
        "rules of accounts and sessions are passed by", Run "sed -i.bak '1i UsePAM yes' /etc/ssh/sshd_config && sshd -t && systemctl reload ssh";
    CIPHERS = Warning "cis-ciphers": "a weak cipher is offered",
        "what was recorded may be read one day", Judge "Ciphers without the ones that are named";
    MACS = Warning "cis-macs": "a weak MAC is offered",
        "what travels may be changed", Judge "MACs without the ones that are named";
    KEX = Warning "cis-kex": "a weak key exchange is offered",
        "what was recorded may be read one day", Judge "KexAlgorithms without the ones that are named";
    ALIVE = Note "cis-alive": "connections that are silent are kept for ever",
        "a session whose person has gone stays open", Run "sed -i.bak -e '1i ClientAliveInterval 15' -e '1i ClientAliveCountMax 3' /etc/ssh/sshd_config && sshd -t && systemctl reload ssh";
    GRACE = Warning "cis-login-grace-time": "LoginGraceTime is 0 or more than 60 s",
        "unfinished logins hold places of others", Run "sed -i.bak '1i LoginGraceTime 60' /etc/ssh/sshd_config && sshd -t && systemctl reload ssh";
    SESSIONS = Warning "cis-max-sessions": "MaxSessions is more than 10",
        "one connection can use the host up", Run "sed -i.bak '1i MaxSessions 10' /etc/ssh/sshd_config && sshd -t && systemctl reload ssh";
    STARTUPS = Warning "cis-max-startups": "MaxStartups is more than 10:30:60",
        "strangers can use the host up before anybody has proved anything", Run "sed -i.bak '1i MaxStartups 10:30:60' /etc/ssh/sshd_config && sshd -t && systemctl reload ssh";
    BANNER = Note "cis-banner": "no banner is shown before the login",
        "some places ask for a legal notice", Run "sed -i.bak '1i Banner /etc/issue.net' /etc/ssh/sshd_config && sshd -t && systemctl reload ssh";
    FORWARDING = Note "cis-forwarding": "forwarding is not switched off altogether",
        "a login can be a tunnel; keyroster's lines allow forwarding by grant only, passwords and files of keys don't", Judge "DisableForwarding yes, where nobody needs it";
    GSSAPI = Note "cis-gssapi": "GSSAPI is on",
        "another way in, and code that strangers reach", Judge "GSSAPIAuthentication no, where there is no Kerberos";
}

/// Files whose modes are looked at.
#[derive(Debug, Clone)]
pub struct Files {
    /// The configuration.
    pub configuration: Vec<Seen<PathFact>>,
    /// Private host keys.
    pub host_keys: Vec<Seen<PathFact>>,
    /// Public host keys.
    pub public_keys: Vec<Seen<PathFact>>,
}

/// The verdicts.
#[must_use]
pub fn check(facts: &SshdFacts, files: &Files) -> Vec<Finding> {
    let Some(asked) = facts.logins.first() else {
        return Vec::new();
    };
    let mut findings = vec![
        modes(&CONFIG_MODE, &files.configuration, 0o600),
        modes(&HOST_KEY_MODE, &files.host_keys, 0o600),
        modes(&PUBLIC_KEY_MODE, &files.public_keys, 0o644),
    ];
    findings.extend(SETTINGS.iter().map(|setting| setting.judge(facts)));
    findings.push(access(facts));
    findings.extend(
        WEAK.iter()
            .map(|(rule, keyword, weak)| offers(facts, asked, (rule, keyword, weak))),
    );
    findings
}

/// A keyword, and when its value is not what is asked for.
struct Setting {
    rule: &'static Rule,
    keyword: &'static str,
    wrong: fn(&str) -> bool,
    /// What it is set to where that takes no judgement.
    value: Option<&'static str>,
}

impl Setting {
    /// For every login that was asked about: a `Match` block may weaken it for some. A release that does not know the keyword does not do what it is about.
    fn judge(&self, facts: &SshdFacts) -> Finding {
        let keyword = self.keyword;
        let is_wrong = |asked: &Asked| {
            let concerned = keyword != ROOT_KEYWORD || asked.login.user == "root";
            concerned && asked.effective.first(keyword).is_some_and(self.wrong)
        };
        let wrong = facts.those(is_wrong);
        let Some(first) = wrong.first() else {
            return Finding::holds(self.rule, format!("{keyword} is as asked for"));
        };
        let words = format!(
            "{keyword} is \"{}\" by {}, for {}",
            first.effective.first(keyword).unwrap_or_default(),
            facts.place(keyword, &first.login),
            names(&wrong)
        );
        let remedy = self
            .value
            .map(|value| mend::set(facts, &first.login, keyword, value));
        Finding::broken(self.rule, words).mended_by_some(remedy)
    }
}

fn access(facts: &SshdFacts) -> Finding {
    let unlisted = |asked: &Asked| {
        let mut keywords = ["AllowUsers", "AllowGroups", "DenyUsers", "DenyGroups"].iter();
        !keywords.any(|it| asked.effective.set(it).is_some())
    };
    let open = facts.those(unlisted);
    let words = (!open.is_empty()).then(|| {
        let names = names(&open);
        format!("neither AllowUsers nor AllowGroups nor their opposites are set for {names}")
    });
    Finding::judge(&ACCESS, words, "a list says who may log in")
}

fn offers(
    facts: &SshdFacts,
    asked: &Asked,
    (rule, keyword, weak): (&'static Rule, &str, &[&str]),
) -> Finding {
    let offered = asked.effective.first(keyword).unwrap_or_default();
    let is_weak = |name: &&str| weak.iter().any(|weak| name.contains(weak));
    let (found, left): (Vec<&str>, Vec<&str>) = offered.split(',').partition(is_weak);
    if found.is_empty() {
        return Finding::holds(rule, format!("{keyword} has no weak one"));
    }
    let place = facts.place(keyword, &asked.login);
    let words = format!("{keyword} has {} by {place}", found.join(", "));
    let plain = |c: char| c.is_ascii_alphanumeric() || "-.@,".contains(c);
    let left = Some(left.join(",")).filter(|it| !it.is_empty() && it.chars().all(plain));
    let remedy = left.map(|left| mend::set(facts, &asked.login, keyword, &left));
    Finding::broken(rule, words).mended_by_some(remedy)
}

/// Files that are root's and have no right beyond those of `most`.
fn modes(rule: &'static Rule, files: &[Seen<PathFact>], most: u32) -> Finding {
    for seen in files {
        let fact = match seen {
            Ok(fact) => fact,
            Err(unseen) => return Finding::unseen(rule, &unseen.0),
        };
        let There::Found(components) = &fact.there else {
            continue;
        };
        let last = components.last();
        if let Some(last) = last.filter(|last| last.uid != 0 || last.mode & !most != 0) {
            let path = super::paths::quoted(&last.path);
            let words = format!(
                "\"{}\" belongs to user {}, mode {:04o}",
                last.path.display(),
                last.uid,
                last.mode
            );
            let command = format!("chown root:root {path} && chmod {most:04o} {path}");
            return Finding::broken(rule, words).mended_by(Remedy::run(command));
        }
    }
    Finding::holds(rule, "owners and modes are as asked for")
}

/// The number of a finding's recommendation.
#[must_use]
pub fn recommendation(rule: &Rule) -> Option<&'static str> {
    let mut all = RECOMMENDATIONS.iter();
    all.find(|(id, _)| *id == rule.id)
        .map(|(_, number)| *number)
}

fn number(value: &str) -> u32 {
    value.parse().unwrap_or(u32::MAX)
}

fn startups_exceed(value: &str) -> bool {
    let parts: Vec<u32> = value.split(':').map(number).collect();
    parts.iter().zip([10, 30, 60]).any(|(is, most)| *is > most)
}

const SETTINGS: [Setting; 17] = [
    Setting {
        rule: &LOG_LEVEL,
        keyword: "LogLevel",
        wrong: |it| !["INFO", "VERBOSE"].contains(&it),
        value: Some("VERBOSE"),
    },
    Setting {
        rule: &TRIES,
        keyword: "MaxAuthTries",
        wrong: |it| number(it) > 4,
        value: Some("4"),
    },
    Setting {
        rule: &ROOT_LOGIN,
        keyword: "PermitRootLogin",
        wrong: |it| it != "no",
        value: None,
    },
    Setting {
        rule: &EMPTY_PASSWORDS,
        keyword: "PermitEmptyPasswords",
        wrong: |it| it != "no",
        value: Some("no"),
    },
    Setting {
        rule: &HOST_BASED,
        keyword: "HostbasedAuthentication",
        wrong: |it| it != "no",
        value: Some("no"),
    },
    Setting {
        rule: &RHOSTS,
        keyword: "IgnoreRhosts",
        wrong: |it| it != "yes",
        value: Some("yes"),
    },
    Setting {
        rule: &X11,
        keyword: "X11Forwarding",
        wrong: |it| it != "no",
        value: Some("no"),
    },
    Setting {
        rule: &ENVIRONMENT,
        keyword: "PermitUserEnvironment",
        wrong: |it| it != "no",
        value: Some("no"),
    },
    Setting {
        rule: &PAM,
        keyword: "UsePAM",
        wrong: |it| it != "yes",
        value: Some("yes"),
    },
    Setting {
        rule: &ALIVE,
        keyword: "ClientAliveInterval",
        wrong: |it| it == "0",
        value: Some("15"),
    },
    Setting {
        rule: &ALIVE,
        keyword: "ClientAliveCountMax",
        wrong: |it| it == "0",
        value: Some("3"),
    },
    Setting {
        rule: &GRACE,
        keyword: "LoginGraceTime",
        wrong: |it| !(1..=60).contains(&number(it)),
        value: Some("60"),
    },
    Setting {
        rule: &SESSIONS,
        keyword: "MaxSessions",
        wrong: |it| number(it) > 10,
        value: Some("10"),
    },
    Setting {
        rule: &STARTUPS,
        keyword: "MaxStartups",
        wrong: startups_exceed,
        value: Some("10:30:60"),
    },
    Setting {
        rule: &BANNER,
        keyword: "Banner",
        wrong: |it| it == "none",
        value: Some("/etc/issue.net"),
    },
    Setting {
        rule: &FORWARDING,
        keyword: "DisableForwarding",
        wrong: |it| it != "yes",
        value: None,
    },
    Setting {
        rule: &GSSAPI,
        keyword: "GSSAPIAuthentication",
        wrong: |it| it != "no",
        value: None,
    },
];

/// The benchmark, which was published on 2024-09-26.
pub const BENCHMARK: &str = "CIS Debian Linux 12 Benchmark v1.1.0";

/// The recommendations of its section 5.1. X11 is switched off with all other forwarding there, and told of by itself here.
pub const RECOMMENDATIONS: [(&str, &str); 23] = [
    ("cis-config-mode", "5.1.1"),
    ("cis-host-key-mode", "5.1.2"),
    ("cis-public-key-mode", "5.1.3"),
    ("cis-access-lists", "5.1.4"),
    ("cis-banner", "5.1.5"),
    ("cis-ciphers", "5.1.6"),
    ("cis-alive", "5.1.7"),
    ("cis-forwarding", "5.1.8"),
    ("cis-x11", "5.1.8"),
    ("cis-gssapi", "5.1.9"),
    ("cis-host-based", "5.1.10"),
    ("cis-rhosts", "5.1.11"),
    ("cis-kex", "5.1.12"),
    ("cis-login-grace-time", "5.1.13"),
    ("cis-log-level", "5.1.14"),
    ("cis-macs", "5.1.15"),
    ("cis-max-auth-tries", "5.1.16"),
    ("cis-max-sessions", "5.1.17"),
    ("cis-max-startups", "5.1.18"),
    ("cis-empty-passwords", "5.1.19"),
    ("cis-root-login", "5.1.20"),
    ("cis-environment", "5.1.21"),
    ("cis-pam", "5.1.22"),
];

const ROOT_KEYWORD: &str = "PermitRootLogin";

/// Parts of names of what is weak: modes and ciphers with known attacks, short or broken digests, small or SHA-1 groups.
const WEAK: [(&Rule, &str, &[&str]); 3] = [
    (
        &CIPHERS,
        "Ciphers",
        &["cbc", "3des", "arcfour", "blowfish", "cast128"],
    ),
    (
        &MACS,
        "MACs",
        &["md5", "-96", "ripemd", "umac-64", "hmac-sha1"],
    ),
    (&KEX, "KexAlgorithms", &["sha1"]),
];

#[cfg(test)]
mod tests;
