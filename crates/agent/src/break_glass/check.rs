//! Whether sshd would let somebody in by an account's break-glass file: a look, which changes nothing.
//!
//! The rules are sshd's own, as `StrictModes` has them (sshd_config(5), and `auth_secure_path` in OpenSSH's `misc.c`): the real
//! path, the file and every directory above it belong to root or to the account, and nobody else can write there. sshd reads
//! the file as the account. On top of these stand ours: root's alone, and keys in hardware.
//!
//! Whether sshd looks at the file at all is said by its effective configuration, and not here.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use keyroster_keys::{AccountName, Fingerprints};
use rustix::fs::OFlags;

use crate::break_glass::Accepted;
use crate::break_glass::account::LocalAccount;
use crate::break_glass::fault::{Fault, Severity};
use crate::break_glass::keys::{self, Entry};
use crate::clock::Calendar;

/// What a file is held against.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// Which keys may be break-glass keys.
    pub accepted: Accepted,
    /// The text of /etc/passwd.
    pub passwd: &'a str,
    /// The revoked keys, where they are known.
    pub revoked: Option<&'a Fingerprints>,
    /// Now.
    pub now: Calendar,
}

/// What was found at one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The account.
    pub account: AccountName,
    /// Its file.
    pub path: PathBuf,
    /// The keys in it.
    pub keys: Vec<Entry>,
    /// What is wrong, the worst first.
    pub faults: Vec<Fault>,
}

/// What it comes to.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A way in, as it should be.
    Works,
    /// A way in, with something wrong about it.
    Weak,
    /// No way in.
    Broken,
}

/// An account that has a file, or a file whose name is none of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// The account.
    Account(AccountName),
    /// Something that sshd looks for under no name that keyroster knows.
    Stray(PathBuf),
}

impl Checked {
    /// What it comes to.
    pub fn verdict(&self) -> Verdict {
        match self.faults.iter().map(Fault::severity).max() {
            None => Verdict::Works,
            Some(Severity::Weakens) => Verdict::Weak,
            Some(Severity::Breaks) => Verdict::Broken,
        }
    }

    /// The keys that log somebody in: neither revoked nor ended, and no certificate authority's.
    pub fn living(&self) -> impl Iterator<Item = &Entry> {
        let spent = |entry: &Entry| {
            self.faults.iter().any(|fault| {
                matches!(fault, Fault::Revoked { line, .. } | Fault::Ended { line, .. } if *line == entry.line)
            })
        };
        self.keys
            .iter()
            .filter(move |entry| !entry.is_authority() && !spent(entry))
    }
}

/// Looks at an account's file in `dir`.
#[must_use]
pub fn check(dir: &Path, account: &AccountName, rules: &Rules<'_>) -> Checked {
    let path = dir.join(account.as_str());
    let mut checked = Checked {
        account: account.clone(),
        keys: Vec::new(),
        faults: Vec::new(),
        path,
    };
    let local = LocalAccount::find(rules.passwd, account);
    match &local {
        None => checked.faults.push(Fault::NoAccount(account.clone())),
        Some(local) if local.sends_away() => checked.faults.push(Fault::NoShell {
            account: account.clone(),
            shell: local.shell.clone(),
        }),
        Some(_) => {}
    }
    match read(&checked.path) {
        Ok((real, bytes)) => {
            checked.faults.extend(distrust(&real, local.as_ref()));
            look_at_keys(&mut checked, &bytes, rules);
        }
        Err(fault) => checked.faults.push(fault),
    }
    checked
        .faults
        .sort_by_key(|fault| std::cmp::Reverse(fault.severity()));
    checked
}

/// The names in the directory, sorted; none when there is no such directory.
///
/// # Errors
/// When it can't be read.
pub fn named(dir: &Path) -> std::io::Result<Vec<Named>> {
    let entries = match fs::read_dir(dir) {
        Err(err) if err.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?.collect::<std::io::Result<Vec<_>>>()?,
    };
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths.into_iter().map(name).collect())
}

fn name(path: PathBuf) -> Named {
    let name = path.file_name().and_then(|name| name.to_str());
    match name.and_then(|name| AccountName::parse(name).ok()) {
        Some(account) => Named::Account(account),
        None => Named::Stray(path),
    }
}

/// The file's real path, and what is in it. Opening a pipe that somebody put there must not hang.
fn read(path: &Path) -> Result<(PathBuf, Vec<u8>), Fault> {
    let unreadable = |err: std::io::Error| match err.kind() {
        ErrorKind::NotFound => Fault::Missing(path.to_owned()),
        _ => Fault::Unreadable {
            path: path.to_owned(),
            why: err.to_string(),
        },
    };
    let real = fs::canonicalize(path).map_err(unreadable)?;
    let file = File::options()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(&real)
        .map_err(unreadable)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(Fault::NotPlain(path.to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(FILE_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_MAX {
        return Err(Fault::TooLong {
            path: path.to_owned(),
            most: FILE_MAX,
        });
    }
    Ok((real, bytes))
}

/// What sshd, or we, would not accept of the file's path and what is above it.
fn distrust(real: &Path, account: Option<&LocalAccount>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (depth, path) in real.ancestors().enumerate() {
        let Ok(metadata) = fs::symlink_metadata(path) else {
            continue;
        };
        let path = path.to_owned();
        let (uid, mode) = (metadata.uid(), metadata.mode() & 0o7777);
        let needed = if depth == 0 {
            READ_BY_ALL
        } else {
            ENTERED_BY_ALL
        };
        let is_root = account.is_some_and(|account| account.uid == ROOT);
        if uid != ROOT {
            let own = account.is_some_and(|account| account.uid == uid);
            faults.push(match own {
                true => Fault::OwnAccounts { path: path.clone() },
                false => Fault::Owner {
                    path: path.clone(),
                    uid,
                },
            });
        } else if mode & needed == 0 && !is_root {
            faults.push(Fault::Hidden {
                path: path.clone(),
                mode,
            });
        }
        if mode & WRITABLE_BY_OTHERS != 0 {
            faults.push(Fault::Writable { path, mode });
        }
    }
    faults
}

fn look_at_keys(checked: &mut Checked, bytes: &[u8], rules: &Rules<'_>) {
    let (entries, useless) = keys::read(bytes);
    let faults = &mut checked.faults;
    faults.extend(useless.into_iter().map(|useless| Fault::Line {
        line: useless.line,
        why: useless.why,
    }));
    for entry in &entries {
        let (line, fingerprint) = (entry.line, entry.fingerprint);
        faults.extend(
            entry
                .limits
                .iter()
                .map(|option| Fault::Limited { line, option }),
        );
        if rules.accepted == Accepted::Hardware && !entry.algorithm.is_security_key() {
            faults.push(Fault::NotHardware { line, fingerprint });
        }
        if rules
            .revoked
            .is_some_and(|revoked| revoked.contains(&fingerprint))
        {
            faults.push(Fault::Revoked { line, fingerprint });
        }
        if entry.has_ended(rules.now) {
            faults.push(Fault::Ended { line, fingerprint });
        }
    }
    checked.keys = entries;
    if checked.keys.iter().all(Entry::is_authority) {
        checked.faults.push(Fault::NoKey(checked.path.clone()));
    } else if checked.living().next().is_none() {
        checked.faults.push(Fault::Spent(checked.path.clone()));
    }
}

/// Bytes of a break-glass file: a few keys, each a line.
pub const FILE_MAX: u64 = 64 * 1024;

const ROOT: u32 = 0;
const WRITABLE_BY_OTHERS: u32 = 0o022;
const READ_BY_ALL: u32 = 0o004;
const ENTERED_BY_ALL: u32 = 0o001;

#[cfg(test)]
mod tests;
