//! Accounts that sshd is asked about although nobody granted them: they may be ways in that ask nobody.

use std::path::Path;

use keyroster_sshd::account::Account;
use keyroster_sshd::tree::Tree;

use crate::admission::key_file::expand;
use crate::admission::sends_away;
use crate::break_glass::check::{Named, named};
use crate::doctor::facts::sshd::Why;
use crate::doctor::facts::{Seen, Unseen};

/// Those that have a break-glass file, and those of /etc/passwd in which somebody could work or that have a file of keys.
///
/// # Errors
/// When they can't be listed.
pub fn of_interest(tree: &Tree, break_glass: &Path) -> Seen<Vec<(String, Why)>> {
    let patterns: Vec<&str> = tree
        .settings("authorizedkeysfile")
        .flat_map(|setting| setting.value.split_ascii_whitespace())
        .chain(DEFAULT_FILES)
        .collect();
    let named = named(break_glass)
        .map_err(|err| Unseen(format!("can't read \"{}\": {err}", break_glass.display())))?;
    let files = named.into_iter().filter_map(|name| match name {
        Named::Account(account) => Some((account.to_string(), Why::BreakGlass)),
        Named::Stray(_) => None,
    });
    let accounts = Account::local().map_err(Unseen::because)?;
    let has_file = |account: &Account| {
        let mut paths = patterns.iter().map(|pattern| expand(pattern, account));
        paths.any(|path| path.is_file())
    };
    let stays = |account: &Account| account.shell.to_str().is_some_and(|it| !sends_away(it));
    let accounts = accounts.into_iter();
    let accounts = accounts.filter(|account| stays(account) || has_file(account));
    let locals = accounts.map(|account| (account.name, Why::Local));
    Ok(files
        .take(MAX_FILES)
        .chain(locals.take(MAX_LOCAL))
        .collect())
}

/// What sshd reads where nothing is set: sshd_config(5).
const DEFAULT_FILES: [&str; 2] = [".ssh/authorized_keys", ".ssh/authorized_keys2"];
/// Break-glass files that are looked at.
const MAX_FILES: usize = 64;
/// Local accounts that are looked at.
const MAX_LOCAL: usize = 256;
