//! The ways in that ask nobody: break-glass files, and other files of keys that sshd still reads.

use std::path::{Path, PathBuf};

use keyroster_keys::Fingerprints;
use keyroster_sshd::account::Account;

use crate::admission::key_file::expand;
use crate::admission::{Applicant, Bar, may_log_in, takes};
use crate::break_glass::Accepted;
use crate::break_glass::check::{Checked, Named, Rules, Verdict, check, named};
use crate::break_glass::fault::Fault;
use crate::clock::Calendar;
use crate::doctor::facts::key_files::{Holder, Opens};
use crate::doctor::facts::sshd::{Asked, SshdFacts};
use crate::doctor::facts::{Seen, Unseen};
use crate::doctor::finding::Remedy;

/// The ways in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BreakGlassFacts {
    /// Where the files are.
    pub directory: PathBuf,
    /// The files, by account.
    pub files: Vec<File>,
    /// Files of keys elsewhere that let somebody in.
    pub elsewhere: Vec<PathBuf>,
}

/// A break-glass file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its account.
    pub account: String,
    /// Whether sshd would let somebody in by it, going by the file alone.
    pub verdict: Verdict,
    /// What is wrong with it, and what mends that.
    pub faults: Vec<(String, Remedy)>,
    /// What sshd makes of it.
    pub reach: Reach,
}

/// What sshd makes of a break-glass file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// It reads the file, and lets in whoever has its key.
    Open,
    /// It does not read the file.
    Unread,
    /// It keeps everybody out of the account.
    Barred {
        /// How.
        bar: Bar,
        /// The place of the setting that says so, if one does.
        place: Option<String>,
    },
    /// It was not asked, or the account could not be looked at.
    Unknown(String),
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Where the files are.
    pub directory: &'a Path,
    /// Which keys may stand there.
    pub accepted: Accepted,
    /// The revoked keys, where they are known.
    pub revoked: Option<&'a Fingerprints>,
    /// What sshd does.
    pub sshd: Option<&'a SshdFacts>,
    /// Files of keys elsewhere.
    pub holders: &'a [Holder],
}

/// Looks at all of them.
///
/// # Errors
/// When the directory may not be read.
pub fn gather(question: &Question<'_>) -> Seen<BreakGlassFacts> {
    let passwd = std::fs::read_to_string(crate::peers::PASSWD).map_err(Unseen::because)?;
    let directory = question.directory;
    let rules = Rules {
        accepted: question.accepted,
        passwd: &passwd,
        revoked: question.revoked,
        now: Calendar::now(),
    };
    let names = named(directory)
        .map_err(|err| Unseen(format!("can't read \"{}\": {err}", directory.display())))?;
    let file = |name: Named| match name {
        Named::Account(account) => {
            let checked = check(directory, &account, &rules);
            Some(of(&checked, question.sshd, rules.now))
        }
        Named::Stray(_) => None,
    };
    let opening = question.holders.iter();
    let opening = opening.filter(|holder| holder.opens == Opens::Account);
    Ok(BreakGlassFacts {
        directory: directory.to_owned(),
        files: names.into_iter().filter_map(file).collect(),
        elsewhere: opening.map(|holder| holder.path.clone()).collect(),
    })
}

fn of(checked: &Checked, sshd: Option<&SshdFacts>, now: Calendar) -> File {
    let account = checked.account.as_str();
    let asked = |sshd: &'_ SshdFacts| {
        let mut logins = sshd.logins.iter();
        logins.find(|asked| asked.login.user == account).cloned()
    };
    let reach = match sshd.and_then(|sshd| Some((sshd, asked(sshd)?))) {
        None => Reach::Unknown("sshd was not asked about it".to_owned()),
        Some((sshd, asked)) => {
            reach(checked, sshd, &asked, now).unwrap_or_else(|unseen| Reach::Unknown(unseen.0))
        }
    };
    let faults = checked.faults.iter();
    File {
        account: account.to_owned(),
        verdict: checked.verdict(),
        faults: faults
            .map(|fault| (fault.to_string(), remedy(fault)))
            .collect(),
        reach,
    }
}

fn remedy(fault: &Fault) -> Remedy {
    let command = fault.command().map(Remedy::run);
    command.unwrap_or_else(|| Remedy::judge(fault.hint()))
}

fn reach(checked: &Checked, sshd: &SshdFacts, asked: &Asked, now: Calendar) -> Seen<Reach> {
    let effective = &asked.effective;
    let account = Account::find(checked.account.as_str()).map_err(Unseen::because)?;
    let Some(account) = account else {
        return Err(Unseen(
            "the name services don't know the account".to_owned(),
        ));
    };
    let mut files = effective.key_files();
    if !files.any(|pattern| expand(pattern, &account) == checked.path) {
        return Ok(Reach::Unread);
    }
    let who = Applicant::look(&account, now.today()).map_err(Unseen::because)?;
    let none_taken = !checked.living().any(|it| takes(it.algorithm, effective));
    let none_taken = none_taken && checked.verdict() != Verdict::Broken;
    let bar = may_log_in(&who, effective).bar();
    Ok(match bar.or(none_taken.then_some(Bar::Algorithms)) {
        None => Reach::Open,
        Some(bar) => Reach::Barred {
            place: bar
                .keyword()
                .map(|keyword| sshd.place(keyword, &asked.login)),
            bar,
        },
    })
}
