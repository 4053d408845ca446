//! Which accounts of this host somebody has a granted key for, by the snapshot that the host agent keeps.

use keyroster_api::snapshot::AccountKey;
use keyroster_keys::{AccountName, KeyBlob};
use keyroster_sshd::account::Account;

use crate::config::Config;
use crate::core::moment::Moment;
use crate::error::AgentError;
use crate::state::{Credential, StateDir, memory};

use crate::enable::error::EnableError;
use crate::enable::keys_at_hand::KeyAtHand;

/// An account that exists here, with the keys that are granted for it now.
#[derive(Debug, Clone)]
pub struct Granted {
    /// The account.
    pub account: Account,
    /// Its name.
    pub name: AccountName,
    /// The keys: one at least.
    pub keys: Vec<KeyBlob>,
}

/// Which of the granted accounts are of interest.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Those in this Unix group, where sshd is to ask for no others.
    pub group: Option<&'a AccountName>,
    /// Those that one of these keys opens come first.
    pub keys: &'a [KeyAtHand],
}

/// Some granted accounts that exist here; none where the host is not enrolled or holds nothing.
///
/// # Errors
/// When the host agent's state or the name services can't be read.
pub fn granted(
    config: &Config,
    now: &Moment,
    wanted: Wanted<'_>,
) -> Result<Vec<Granted>, AgentError> {
    let Some(dir) = opened(config)? else {
        return Ok(Vec::new());
    };
    let Some(credential) = Credential::load(&dir)? else {
        return Ok(Vec::new());
    };
    let floor = credential
        .host
        .floor()
        .map_err(|err| AgentError::Internal(err.to_string()))?;
    let (known, _) = memory::load(&dir, &credential.authority(), floor, now);
    let Some(held) = known.held else {
        return Ok(Vec::new());
    };
    let accounts = held.accounts().iter().filter_map(Result::ok);
    let named: Vec<(AccountName, Vec<KeyBlob>)> = accounts
        .filter_map(|entry| {
            let keys = entry.keys.iter().filter(|key| holds(key, now));
            let keys = keys.filter_map(|key| KeyBlob::parse(&key.algorithm, &key.blob).ok());
            let keys: Vec<KeyBlob> = keys.collect();
            let name = AccountName::parse(&entry.name).ok();
            name.filter(|_| !keys.is_empty()).map(|name| (name, keys))
        })
        .collect();
    Ok(existing(named, wanted)?)
}

fn holds(key: &AccountKey, now: &Moment) -> bool {
    key.segments
        .iter()
        .any(|segment| segment.holds_at(now.wall_s()))
}

/// Those that exist here and are wanted, up to a few.
fn existing(
    mut named: Vec<(AccountName, Vec<KeyBlob>)>,
    wanted: Wanted<'_>,
) -> Result<Vec<Granted>, EnableError> {
    let opened = |keys: &[KeyBlob]| wanted.keys.iter().any(|key| keys.contains(&key.blob));
    named.sort_by_cached_key(|(_, keys)| !opened(keys));
    let mut found = Vec::new();
    for (name, keys) in named.into_iter().take(MAX_TRIED) {
        let Some(account) = Account::find(name.as_str())? else {
            continue;
        };
        if let Some(group) = wanted.group
            && !account.groups()?.iter().any(|name| name == group.as_str())
        {
            continue;
        }
        found.push(Granted {
            account,
            name,
            keys,
        });
        if found.len() == MAX_FOUND {
            break;
        }
    }
    Ok(found)
}

fn opened(config: &Config) -> Result<Option<StateDir>, AgentError> {
    match StateDir::open(&config.state_dir) {
        Ok(dir) => Ok(Some(dir)),
        Err(crate::state::StateError::Io { err, .. })
            if err.kind() == std::io::ErrorKind::NotFound =>
        {
            Ok(None)
        }
        Err(err) => Err(err.into()),
    }
}

/// Local accounts that can log in, by name.
///
/// # Errors
/// When they can't be listed.
pub fn local_logins() -> Result<Vec<String>, EnableError> {
    let accounts = Account::local()?;
    let can = |account: &Account| {
        let shell = account.shell.file_name().and_then(|name| name.to_str());
        !matches!(shell, Some("nologin" | "false" | "sync"))
    };
    Ok(accounts
        .into_iter()
        .filter(|account| can(account) && AccountName::parse(&account.name).is_ok())
        .map(|account| account.name)
        .collect())
}

/// Accounts of the snapshot that are looked for here, at some milliseconds each.
const MAX_TRIED: usize = 512;
/// Accounts that are enough.
const MAX_FOUND: usize = 8;
