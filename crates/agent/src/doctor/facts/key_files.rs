//! Files of keys that sshd reads beside break-glass files, and whom they let in.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use keyroster_keys::Fingerprints;
use keyroster_sshd::account::Account;

use crate::admission::key_file::{Measure, expand, holds_key, that_let_in};
use crate::admission::{Admission, Applicant, may_log_in};
use crate::clock::Calendar;
use crate::doctor::checks::key_files::is_break_glass;
use crate::doctor::facts::sshd::{Asked, SshdFacts};

/// A file with a key in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// Of this account.
    pub account: String,
    /// Where it is.
    pub path: PathBuf,
    /// Whether it lets anybody in.
    pub opens: Opens,
}

/// Whether a file lets anybody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Opens {
    /// It does.
    Account,
    /// sshd does not believe it, keeps the account out, or no key in it counts.
    Nothing,
}

/// The files of all accounts that sshd was asked about.
#[must_use]
pub fn gather(sshd: &SshdFacts, directory: &Path, revoked: Option<&Fingerprints>) -> Vec<Holder> {
    let now = Calendar::now();
    let mut seen = BTreeSet::new();
    let mut holders = Vec::new();
    for asked in &sshd.logins {
        if seen.insert(asked.login.user.as_str()) {
            let measure = Measure {
                effective: &asked.effective,
                revoked,
                now,
            };
            holders.extend(of(asked, directory, &measure));
        }
    }
    holders.sort_unstable();
    holders
}

fn of(asked: &Asked, directory: &Path, measure: &Measure<'_>) -> Vec<Holder> {
    let mut patterns = asked.effective.key_files();
    if patterns.all(|file| is_break_glass(file, directory)) {
        return Vec::new();
    }
    let Ok(Some(account)) = Account::find(&asked.login.user) else {
        return Vec::new();
    };
    let patterns = asked.effective.key_files();
    let patterns = patterns.filter(|file| !is_break_glass(file, directory));
    let paths = patterns.map(|pattern| expand(pattern, &account));
    let held: Vec<PathBuf> = paths.filter(|path| holds_key(path)).collect();
    let open = !held.is_empty() && is_open(&account, measure);
    let opening = if open {
        that_let_in(&account, measure)
    } else {
        Vec::new()
    };
    let holder = |path: PathBuf| Holder {
        account: account.name.clone(),
        opens: match opening.contains(&path) {
            true => Opens::Account,
            false => Opens::Nothing,
        },
        path,
    };
    held.into_iter().map(holder).collect()
}

fn is_open(account: &Account, measure: &Measure<'_>) -> bool {
    let who = Applicant::look(account, measure.now.today());
    who.is_ok_and(|who| may_log_in(&who, measure.effective) == Admission::Open)
}
