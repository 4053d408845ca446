//! The other way in: for when keyroster does not answer.
//!
//! A break-glass file that sshd would read for its account, or, where sshd still takes keys from files, one of those. Looking at a
//! file shows that sshd would accept it; that somebody holds the private key only a drill shows.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use keyroster_keys::line::parse_line;
use keyroster_sshd::account::Account;
use keyroster_sshd::would_be::WouldBe;
use keyroster_sshd::{Connection, Effective};

use crate::break_glass::Accepted;
use crate::break_glass::check::{self, Checked, Named, Rules, Verdict};
use crate::break_glass::drill::login::is_read;
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
        if let Some(path) = key_file(&account, &effective) {
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
fn key_file(account: &Account, effective: &Effective) -> Option<PathBuf> {
    if !may_log_in(account, effective) {
        return None;
    }
    effective
        .key_files()
        .map(|pattern| expand(pattern, account))
        .find(|path| holds_key(path, account))
}

fn may_log_in(account: &Account, effective: &Effective) -> bool {
    let keys = effective.is_on("PubkeyAuthentication");
    let root = effective.first("PermitRootLogin");
    keys && (account.uid != 0 || !matches!(root, Some("no" | "forced-commands-only")))
}

fn expand(pattern: &str, account: &Account) -> PathBuf {
    let home = account.home.to_string_lossy();
    let path = pattern
        .replace("%h", &home)
        .replace("%u", &account.name)
        .replace("%U", &account.uid.to_string())
        .replace("%%", "%");
    account.home.join(path)
}

/// sshd's rule for `StrictModes`: the file and what is above it up to the home directory is the account's or root's.
fn holds_key(path: &Path, account: &Account) -> bool {
    let Ok(metadata) = fs::metadata(path) else {
        return false;
    };
    let trusted = |metadata: &fs::Metadata| {
        [0, account.uid].contains(&metadata.uid()) && metadata.mode() & 0o022 == 0
    };
    let above = path.ancestors().skip(1);
    let above = above.take_while(|dir| dir.starts_with(&account.home));
    let mut above = above.filter_map(|dir| fs::metadata(dir).ok());
    if !metadata.is_file() || metadata.len() > MAX_FILE || !trusted(&metadata) {
        return false;
    }
    let bytes = fs::read(path).unwrap_or_default();
    above.all(|dir| trusted(&dir))
        && bytes
            .split(|byte| *byte == b'\n')
            .any(|line| matches!(parse_line(line), Ok(Some(_))))
}

/// Accounts that are looked at.
const MAX_ACCOUNTS: usize = 64;
/// Bytes of a file of keys that is looked at.
const MAX_FILE: u64 = 1024 * 1024;
