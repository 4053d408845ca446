//! Accounts as the name services know them.

use std::collections::BTreeMap;
use std::process::Command;

use keyroster_sshd::run::finish;

use crate::doctor::facts::{Seen, Unseen};

/// What the name services say of the granted accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountFacts {
    /// The accounts that the key server grants, each with its entry if there is one.
    pub granted: Vec<(String, Option<Entry>)>,
    /// Who may be root by way of which group.
    pub privileged: BTreeMap<String, Vec<String>>,
    /// The user that runs the key command, by name, with its groups; none when there is no such user.
    pub runners: BTreeMap<String, Option<Runner>>,
    /// Granted accounts that were not looked up because there are too many.
    pub passed_over: usize,
}

/// The user as whom a key command runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runner {
    /// Its number.
    pub uid: u32,
    /// Its groups.
    pub groups: Vec<String>,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub uid: u32,
    /// The number of its primary group.
    pub gid: u32,
    /// Its shell.
    pub shell: String,
    /// Whether the shadow file locks it; none where that can't be read.
    pub locked: Option<bool>,
}

/// Looks up the granted accounts and the users of key commands.
///
/// # Errors
/// When the name services don't answer.
pub fn gather(granted: &[String], runners: &[String]) -> Seen<AccountFacts> {
    let names: Vec<&str> = granted
        .iter()
        .map(String::as_str)
        .take(MAX_ACCOUNTS)
        .collect();
    let passwd = entries("passwd", &names)?;
    let shadow = entries("shadow", &names)?;
    let found = names.iter().map(|name| {
        let entry = passwd.get(*name).and_then(|fields| entry(fields));
        let lock = shadow.get(*name).map(|fields| is_locked(fields));
        let entry = entry.map(|entry| Entry {
            locked: lock,
            ..entry
        });
        ((*name).to_owned(), entry)
    });
    let granted_entries = found.collect();
    let mut privileged = BTreeMap::new();
    for (name, fields) in entries("group", &ROOT_EQUAL)? {
        let mut members = listed(&fields);
        let gid = fields.get(2).cloned().unwrap_or_default();
        let primary = passwd
            .iter()
            .filter(|(_, entry)| entry.get(3) == Some(&gid));
        members.extend(primary.map(|(account, _)| account.clone()));
        privileged.insert(name, members);
    }
    let mut found = BTreeMap::new();
    for name in runners {
        found.insert(name.clone(), runner(name)?);
    }
    Ok(AccountFacts {
        granted: granted_entries,
        privileged,
        runners: found,
        passed_over: granted.len().saturating_sub(names.len()),
    })
}

fn runner(name: &str) -> Seen<Option<Runner>> {
    let account = keyroster_sshd::account::Account::find(name).map_err(Unseen::because)?;
    let Some(account) = account else {
        return Ok(None);
    };
    let groups = account.groups().map_err(Unseen::because)?;
    Ok(Some(Runner {
        uid: account.uid,
        groups,
    }))
}

/// The members of a group as its entry lists them; empty when there is none.
#[must_use]
pub fn members_of(group: &str) -> Vec<String> {
    let found = entries("group", &[group]).unwrap_or_default();
    found
        .get(group)
        .map(|fields| listed(fields))
        .unwrap_or_default()
}

/// The names of the groups of each account, the primary one first; accounts that do not exist are left out.
///
/// # Errors
/// When the name services don't answer.
pub fn groups_of(names: &[&str]) -> Seen<BTreeMap<String, Vec<String>>> {
    let mut found = BTreeMap::new();
    for some in names.chunks(NAMES_AT_ONCE) {
        let there = entries("passwd", some)?;
        let there: Vec<&str> = there.keys().map(String::as_str).collect();
        let lists = match there.is_empty() {
            true => Vec::new(),
            false => group_lists(&there)?,
        };
        found.extend(there.into_iter().map(str::to_owned).zip(lists));
    }
    Ok(found)
}

/// One list for each of these accounts, which all exist.
fn group_lists(names: &[&str]) -> Seen<Vec<Vec<String>>> {
    let mut command = Command::new("id");
    command.args(["-Gn", "--"]).args(names);
    let done = finish(&mut command, super::system::TOOL_LIMIT).map_err(Unseen::because)?;
    let lists: Vec<Vec<String>> = done.stdout.lines().map(words).collect();
    if lists.len() == names.len() {
        return Ok(lists);
    }
    // Not every id(1) takes several names.
    match names {
        [_] => Err(Unseen(format!("id: {}", done.said()))),
        _ => names
            .iter()
            .map(|name| Ok(group_lists(&[name])?.pop().unwrap_or_default()))
            .collect(),
    }
}

fn words(line: &str) -> Vec<String> {
    line.split_ascii_whitespace().map(str::to_owned).collect()
}

fn listed(fields: &[String]) -> Vec<String> {
    let members = fields.get(3).map(String::as_str).unwrap_or_default();
    let members = members.split(',').filter(|name| !name.is_empty());
    members.map(str::to_owned).collect()
}

/// Asks getent(1) for several entries at once; those that do not exist are left out. Fields by the entry's name.
fn entries(database: &str, names: &[&str]) -> Seen<BTreeMap<String, Vec<String>>> {
    let mut found = BTreeMap::new();
    for some in names.chunks(NAMES_AT_ONCE) {
        let mut command = Command::new("getent");
        command.args([database, "--"]).args(some);
        let done = finish(&mut command, super::system::TOOL_LIMIT).map_err(Unseen::because)?;
        if !matches!(done.status.code(), Some(0 | NOT_ALL_FOUND)) {
            return Err(Unseen(format!("getent {database}: {}", done.said())));
        }
        for line in done.stdout.lines() {
            let fields: Vec<String> = line.split(':').map(str::to_owned).collect();
            // A name that is all digits is answered with whoever has that number.
            if let Some(name) = fields.first().filter(|name| some.contains(&name.as_str())) {
                found.insert(name.clone(), fields.clone());
            }
        }
    }
    Ok(found)
}

fn entry(fields: &[String]) -> Option<Entry> {
    Some(Entry {
        uid: fields.get(2)?.parse().ok()?,
        gid: fields.get(3)?.parse().ok()?,
        shell: fields.get(6).cloned().unwrap_or_default(),
        locked: None,
    })
}

/// sshd takes a password field that begins with `!` for a locked account, whatever follows, unless PAM decides (auth.c).
fn is_locked(fields: &[String]) -> bool {
    fields.get(1).is_some_and(|field| field.starts_with('!'))
}

/// Groups whose members are root or can become it without anybody's leave.
pub const ROOT_EQUAL: [&str; 16] = [
    "root",
    "sudo",
    "wheel",
    "admin",
    "docker",
    "lxd",
    "lxc",
    "libvirt",
    "incus-admin",
    "podman",
    "disk",
    "shadow",
    "kmem",
    "adm",
    "systemd-journal",
    "kvm",
];

/// Accounts that are looked up: some hundred at once.
pub const MAX_ACCOUNTS: usize = 20_000;
const NAMES_AT_ONCE: usize = 250;
/// getent(1): one or more of the keys were not found.
const NOT_ALL_FOUND: i32 = 2;

#[cfg(test)]
mod tests {
    use keyroster_testkit::Account;

    use super::*;

    #[test]
    fn groups_of_many_accounts_are_found_at_once_and_of_those_that_exist() {
        let account = Account::login("keyroster-t1").unwrap();
        let many: Vec<String> = (0..600).map(|n| format!("keyroster-none-{n}")).collect();
        let mut names: Vec<&str> = many.iter().map(String::as_str).collect();
        names.insert(300, "root");
        names.push(&account.name);
        let found = groups_of(&names).unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found["root"].first().unwrap(), "root");
        assert_eq!(found[&account.name].join(" "), account.name);
    }
}
