//! The other way in: for when keyroster does not answer.
//!
//! A break-glass file that sshd would read for its account, or, where sshd still takes keys from files, one of those. Looking at a
//! file shows that sshd would accept it; that somebody holds the private key only a drill shows.

use std::fs;
use std::path::{Path, PathBuf};

use keyroster_sshd::account::Account;
use keyroster_sshd::would_be::WouldBe;
use keyroster_sshd::{Connection, Effective};

use crate::admission::key_file::{Measure, that_let_in};
use crate::admission::{Admission, Applicant, may_log_in};
use crate::break_glass::Accepted;
use crate::break_glass::check::{self, Checked, Named, Rules, Verdict};
use crate::break_glass::drill::login::is_read;
use crate::clock::Calendar;
use crate::enable::error::EnableError;
use crate::enable::granted::local_logins;
use crate::enable::places::Places;

/// A way in that needs nothing of keyroster's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WayIn {
    /// Break-glass files, one at least.
    BreakGlass(Vec<Checked>),
    /// A file of keys as sshd has always read it.
    KeyFile {
        /// Of this account.
        account: String,
        /// Its file.
        path: PathBuf,
    },
}

/// What sshd would offer: break-glass files, or else the first file of keys.
///
/// # Errors
/// When sshd or the name services can't be asked.
pub fn find(places: &Places, would_be: &WouldBe) -> Result<Option<WayIn>, EnableError> {
    let files = break_glass(places, would_be)?;
    if !files.is_empty() {
        return Ok(Some(WayIn::BreakGlass(files)));
    }
    for name in local_logins()?.into_iter().take(MAX_ACCOUNTS) {
        let Some(account) = Account::find(&name)? else {
            continue;
        };
        let effective = would_be.sshd().effective(&Connection::local(&name)?)?;
        if let Some(path) = key_file(&account, &effective)? {
            return Ok(Some(WayIn::KeyFile {
                account: name,
                path,
            }));
        }
    }
    Ok(None)
}

fn break_glass(places: &Places, would_be: &WouldBe) -> Result<Vec<Checked>, EnableError> {
    let dir = &places.break_glass;
    let passwd = Path::new("/etc/passwd");
    let text = fs::read_to_string(passwd).map_err(|err| EnableError::io("read", passwd, err))?;
    let rules = Rules {
        accepted: Accepted::Any,
        passwd: &text,
        revoked: None,
        now: Calendar::now(),
    };
    let named = check::named(dir).map_err(|err| EnableError::io("list", dir, err))?;
    let mut files = Vec::new();
    for name in named {
        let Named::Account(account) = name else {
            continue;
        };
        let checked = check::check(dir, &account, &rules);
        if checked.verdict() == Verdict::Broken {
            continue;
        }
        let connection = Connection::local(account.as_str())?;
        let effective = would_be.sshd().effective(&connection)?;
        if is_read(&effective, &checked).is_ok() {
            files.push(checked);
        }
    }
    Ok(files)
}

/// A file of this account's that sshd would take a key from.
fn key_file(account: &Account, effective: &Effective) -> Result<Option<PathBuf>, EnableError> {
    let now = Calendar::now();
    let who = Applicant::look(account, now.today())?;
    if let Admission::Shut(_) = may_log_in(&who, effective) {
        return Ok(None);
    }
    let measure = Measure {
        effective,
        revoked: None,
        now,
    };
    Ok(that_let_in(account, &measure).into_iter().next())
}

/// Accounts that are looked at.
const MAX_ACCOUNTS: usize = 64;
