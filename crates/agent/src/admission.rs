//! Whether sshd lets anybody in to an account by a key that stands in a file.
//!
//! `enable` asks before it takes other ways in away, a drill before it logs in, and `doctor` each time: one decision, so that none of
//! them calls a way in what another would not. The rules are sshd's own (`allowed_user` and `auth_root_allowed` of OpenSSH's
//! `auth.c`, `auth2_method_allowed` of `auth2.c`, sshd_config(5)), and where a rule depends on the client it is taken as the most
//! favourable client has it: what keeps out some addresses is no lock-out.
//!
//! What sshd would do is asked from it (`sshd -T -C`) and handed over; which files it reads, and whether it believes them, is for
//! [`key_file`].

mod account;
pub mod key_file;

use std::path::PathBuf;

use keyroster_keys::Algorithm;
use keyroster_sshd::Effective;
use keyroster_sshd::tree::{PatternList, wildcard};

/// An account that somebody would log in to, as far as sshd looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applicant {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// The names of its groups.
    pub groups: Vec<String>,
    /// What a login runs.
    pub shell: Shell,
    /// What the shadow file says of it.
    pub term: Term,
}

/// The program that logins run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shell {
    /// One that stays.
    Runs,
    /// One that ends at once.
    SendsAway(PathBuf),
    /// None that can be run: sshd refuses the account.
    Missing(PathBuf),
}

/// What shadow(5) says of an account. An account without an entry is neither.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Term {
    /// The password field begins with `!`.
    pub locked: bool,
    /// The day of its end has come.
    pub expired: bool,
    /// The password is so old that nobody may change it any more.
    pub aged: bool,
}

/// Whether a key lets anybody in.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// It does, if sshd finds it.
    Open,
    /// None does.
    Shut(Bar),
}

/// What keeps everybody out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Bar {
    /// sshd takes no keys.
    #[error("sshd has PubkeyAuthentication no")]
    PubkeyOff,
    /// No alternative is a key alone.
    #[error("sshd has AuthenticationMethods {0}: a key alone lets nobody in")]
    Methods(String),
    /// The account is root's, by whatever name.
    #[error("sshd has PermitRootLogin {0}")]
    RootLogin(&'static str),
    /// `DenyUsers`, `AllowUsers` or their like for groups.
    #[error("sshd's {0} keeps it out")]
    List(&'static str),
    /// None of the keys is of a type that sshd takes.
    #[error("sshd's PubkeyAcceptedAlgorithms has no type of its keys")]
    Algorithms,
    /// The login would end at once.
    #[error("its shell is \"{}\"", .0.display())]
    Shell(PathBuf),
    /// sshd refuses an account whose shell can't be run.
    #[error("its shell \"{}\" can't be run", .0.display())]
    NoShell(PathBuf),
    /// sshd refuses it where PAM does not decide.
    #[error("it is locked, and sshd has UsePAM no")]
    Locked,
    /// Its time is over: sshd itself or PAM refuses it.
    #[error("it has expired")]
    Expired,
    /// PAM refuses it.
    #[error("its password has expired for so long that PAM refuses it")]
    Aged,
}

impl Admission {
    /// What keeps everybody out; none when nothing does.
    #[must_use]
    pub fn bar(self) -> Option<Bar> {
        match self {
            Self::Open => None,
            Self::Shut(bar) => Some(bar),
        }
    }
}

impl Bar {
    /// The keyword of sshd's that says so.
    #[must_use]
    pub const fn keyword(&self) -> Option<&'static str> {
        match self {
            Self::PubkeyOff => Some("PubkeyAuthentication"),
            Self::Methods(_) => Some("AuthenticationMethods"),
            Self::RootLogin(_) => Some("PermitRootLogin"),
            Self::List(keyword) => Some(keyword),
            Self::Algorithms => Some("PubkeyAcceptedAlgorithms"),
            Self::Locked => Some("UsePAM"),
            Self::Shell(_) | Self::NoShell(_) | Self::Expired | Self::Aged => None,
        }
    }
}

/// Decides.
pub fn may_log_in(who: &Applicant, effective: &Effective) -> Admission {
    let bar = by_account(who, effective)
        .or_else(|| by_lists(&who.name, &who.groups, effective))
        .or_else(|| by_method(who, effective));
    bar.map_or(Admission::Open, Admission::Shut)
}

fn by_account(who: &Applicant, effective: &Effective) -> Option<Bar> {
    let pam = effective.is_on("UsePAM");
    match &who.shell {
        Shell::SendsAway(shell) => return Some(Bar::Shell(shell.clone())),
        Shell::Missing(shell) => return Some(Bar::NoShell(shell.clone())),
        Shell::Runs => {}
    }
    match who.term {
        Term { expired: true, .. } => Some(Bar::Expired),
        Term { locked: true, .. } if !pam => Some(Bar::Locked),
        Term { aged: true, .. } if pam => Some(Bar::Aged),
        _ => None,
    }
}

/// `DenyUsers`, `AllowUsers`, `DenyGroups` and `AllowGroups`, in sshd's order. Their patterns know `*` and `?`, and neither commas nor `!`.
#[must_use]
pub fn by_lists(name: &str, groups: &[String], effective: &Effective) -> Option<Bar> {
    let listed = |keyword: &str| {
        let values = effective.all(keyword).iter();
        let patterns = values.flat_map(|value| value.split_ascii_whitespace());
        patterns.map(str::to_owned).collect::<Vec<_>>()
    };
    let in_groups = |patterns: &[String]| {
        let mut patterns = patterns.iter();
        patterns.any(|pattern| groups.iter().any(|group| wildcard(pattern, group)))
    };
    let (denied, allowed) = (listed("DenyUsers"), listed("AllowUsers"));
    let (denied_groups, allowed_groups) = (listed("DenyGroups"), listed("AllowGroups"));
    if denied
        .iter()
        .any(|pattern| denies_everywhere(pattern, name))
    {
        return Some(Bar::List("DenyUsers"));
    }
    if !allowed.is_empty() && !allowed.iter().any(|it| allows_somewhere(it, name)) {
        return Some(Bar::List("AllowUsers"));
    }
    if in_groups(&denied_groups) {
        return Some(Bar::List("DenyGroups"));
    }
    (!allowed_groups.is_empty() && !in_groups(&allowed_groups)).then_some(Bar::List("AllowGroups"))
}

/// `USER@HOST` denies clients, and all of them only with a host part that means every host.
fn denies_everywhere(pattern: &str, name: &str) -> bool {
    match pattern.split_once('@') {
        Some((user, host)) => wildcard(user, name) && host == "*",
        None => wildcard(pattern, name),
    }
}

fn allows_somewhere(pattern: &str, name: &str) -> bool {
    let user = pattern.split_once('@').map_or(pattern, |(user, _)| user);
    wildcard(user, name)
}

fn by_method(who: &Applicant, effective: &Effective) -> Option<Bar> {
    if !effective.is_on("PubkeyAuthentication") {
        return Some(Bar::PubkeyOff);
    }
    let methods = effective.set("AuthenticationMethods").unwrap_or("any");
    let mut alternatives = methods.split_ascii_whitespace();
    if !alternatives.any(|it| it == "any" || it == "publickey") {
        return Some(Bar::Methods(methods.to_owned()));
    }
    match effective.first("PermitRootLogin") {
        Some("no") if who.uid == ROOT => Some(Bar::RootLogin("no")),
        Some(FORCED) if who.uid == ROOT => Some(Bar::RootLogin(FORCED)),
        _ => None,
    }
}

/// Whether sshd takes a key of this type, if the release has the keyword at all.
#[must_use]
pub fn takes(algorithm: Algorithm, effective: &Effective) -> bool {
    let names = ACCEPTED.iter().find_map(|keyword| effective.first(keyword));
    let patterns = names.map(PatternList::parse);
    patterns.is_none_or(|patterns| match algorithm.as_str() {
        // An RSA key signs with more than the digest that it is named after.
        RSA => RSA_SIGNATURES.iter().any(|name| patterns.matches(name)),
        name => patterns.matches(name),
    })
}

/// Whether a shell sends everybody away.
#[must_use]
pub fn sends_away(shell: &str) -> bool {
    matches!(shell.rsplit('/').next(), Some("nologin" | "false" | "sync"))
}

const ROOT: u32 = 0;
const FORCED: &str = "forced-commands-only";
/// Its name, and the one before 8.5.
const ACCEPTED: [&str; 2] = ["PubkeyAcceptedAlgorithms", "PubkeyAcceptedKeyTypes"];
const RSA: &str = "ssh-rsa";
const RSA_SIGNATURES: [&str; 3] = [RSA, "rsa-sha2-256", "rsa-sha2-512"];

#[cfg(test)]
mod tests;
