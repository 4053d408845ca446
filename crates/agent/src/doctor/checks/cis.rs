//! `--benchmark cis`: what the sshd part of the CIS benchmark for Debian asks for, as settings with our own reasons.
//!
//! A benchmark asks for more than keyroster needs, so nothing of it is an error, and none of it is looked at unless it is asked for.

use crate::doctor::facts::Seen;
use crate::doctor::facts::files::{PathFact, There};
use crate::doctor::facts::sshd::{Asked, SshdFacts};
use crate::doctor::finding::{Finding, Rule, rules};

rules! {
    CONFIG_MODE = Warning "cis-config-mode": "a file of sshd's configuration can be read or written by others than root",
        "it tells where keys and lists are, and who may log in", Run "chown root:root FILE && chmod 0600 FILE";
    HOST_KEY_MODE = Warning "cis-host-key-mode": "a private host key can be read by others than root",
        "who has it can be this host", Run "chown root:root FILE && chmod 0600 FILE";
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
}

/// The verdicts.
#[must_use]
pub fn check(facts: &SshdFacts, files: &Files) -> Vec<Finding> {
    let Some(asked) = facts.logins.first() else {
        return Vec::new();
    };
    let mut findings = vec![
        modes(&CONFIG_MODE, &files.configuration, 0o077),
        modes(&HOST_KEY_MODE, &files.host_keys, 0o077),
    ];
    let judged = SETTINGS.iter().map(|setting| setting.judge(facts, asked));
    findings.extend(judged);
    findings.push(access(asked));
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
}

impl Setting {
    fn judge(&self, facts: &SshdFacts, asked: &Asked) -> Finding {
        let value = asked.effective.first(self.keyword);
        // A release that does not know the keyword does not do what it is about.
        let wrong = value.filter(|value| (self.wrong)(value));
        let words = wrong.map(|value| {
            format!(
                "{} is \"{value}\" by {}",
                self.keyword,
                facts.place(self.keyword, &asked.login)
            )
        });
        Finding::judge(
            self.rule,
            words,
            &format!("{} is as asked for", self.keyword),
        )
    }
}

fn access(asked: &Asked) -> Finding {
    let listed = ["AllowUsers", "AllowGroups", "DenyUsers", "DenyGroups"]
        .iter()
        .any(|it| asked.effective.set(it).is_some());
    let words = (!listed)
        .then(|| "neither AllowUsers nor AllowGroups nor their opposites are set".to_owned());
    Finding::judge(&ACCESS, words, "a list says who may log in")
}

fn offers(
    facts: &SshdFacts,
    asked: &Asked,
    (rule, keyword, weak): (&'static Rule, &str, &[&str]),
) -> Finding {
    let offered = asked.effective.first(keyword).unwrap_or_default();
    let found: Vec<&str> = offered
        .split(',')
        .filter(|name| weak.iter().any(|weak| name.contains(weak)))
        .collect();
    let words = (!found.is_empty()).then(|| {
        format!(
            "{keyword} has {} by {}",
            found.join(", "),
            facts.place(keyword, &asked.login)
        )
    });
    Finding::judge(rule, words, &format!("{keyword} has no weak one"))
}

fn modes(rule: &'static Rule, files: &[Seen<PathFact>], forbidden: u32) -> Finding {
    for seen in files {
        let fact = match seen {
            Ok(fact) => fact,
            Err(unseen) => return Finding::unseen(rule, &unseen.0),
        };
        let There::Found(components) = &fact.there else {
            continue;
        };
        if let Some(last) = components
            .last()
            .filter(|last| last.uid != 0 || last.mode & forbidden != 0)
        {
            let path = super::paths::quoted(&last.path);
            return Finding::broken(
                rule,
                format!(
                    "\"{}\" belongs to user {}, mode {:04o}",
                    last.path.display(),
                    last.uid,
                    last.mode
                ),
            )
            .mended_by(format!("chown root:root {path}; chmod 0600 {path}"));
        }
    }
    Finding::holds(rule, "owners and modes are as asked for")
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
    },
    Setting {
        rule: &TRIES,
        keyword: "MaxAuthTries",
        wrong: |it| number(it) > 4,
    },
    Setting {
        rule: &ROOT_LOGIN,
        keyword: "PermitRootLogin",
        wrong: |it| it != "no",
    },
    Setting {
        rule: &EMPTY_PASSWORDS,
        keyword: "PermitEmptyPasswords",
        wrong: |it| it != "no",
    },
    Setting {
        rule: &HOST_BASED,
        keyword: "HostbasedAuthentication",
        wrong: |it| it != "no",
    },
    Setting {
        rule: &RHOSTS,
        keyword: "IgnoreRhosts",
        wrong: |it| it != "yes",
    },
    Setting {
        rule: &X11,
        keyword: "X11Forwarding",
        wrong: |it| it != "no",
    },
    Setting {
        rule: &ENVIRONMENT,
        keyword: "PermitUserEnvironment",
        wrong: |it| it != "no",
    },
    Setting {
        rule: &PAM,
        keyword: "UsePAM",
        wrong: |it| it != "yes",
    },
    Setting {
        rule: &ALIVE,
        keyword: "ClientAliveInterval",
        wrong: |it| it == "0",
    },
    Setting {
        rule: &ALIVE,
        keyword: "ClientAliveCountMax",
        wrong: |it| it == "0",
    },
    Setting {
        rule: &GRACE,
        keyword: "LoginGraceTime",
        wrong: |it| !(1..=60).contains(&number(it)),
    },
    Setting {
        rule: &SESSIONS,
        keyword: "MaxSessions",
        wrong: |it| number(it) > 10,
    },
    Setting {
        rule: &STARTUPS,
        keyword: "MaxStartups",
        wrong: startups_exceed,
    },
    Setting {
        rule: &BANNER,
        keyword: "Banner",
        wrong: |it| it == "none",
    },
    Setting {
        rule: &FORWARDING,
        keyword: "DisableForwarding",
        wrong: |it| it != "yes",
    },
    Setting {
        rule: &GSSAPI,
        keyword: "GSSAPIAuthentication",
        wrong: |it| it != "no",
    },
];

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
