//! Which accounts of this host somebody has a granted key for, by the snapshot that the host agent keeps.

use keyroster_keys::{AccountName, Fingerprint, KeyBlob};
use keyroster_sshd::account::Account;

use crate::config::Config;
use crate::core::moment::Moment;
use crate::error::AgentError;
use crate::state::{Credential, StateDir, memory};

use crate::enable::error::EnableError;

/// A key that is granted now, into an account that exists here.
#[derive(Debug, Clone)]
pub struct Granted {
    /// The account.
    pub account: Account,
    /// Its name.
    pub name: AccountName,
    /// The key.
    pub key: KeyBlob,
}

impl Granted {
    /// The key's id.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        *self.key.fingerprint()
    }
}

/// Granted keys, one an account, of some accounts that exist here; none where the host is not enrolled or holds nothing.
///
/// # Errors
/// When the host agent's state or the name services can't be read.
pub fn granted(config: &Config, now: &Moment) -> Result<Vec<Granted>, AgentError> {
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
    let mut found = Vec::new();
    let accounts = held.accounts().iter().filter_map(Result::ok);
    for entry in accounts.take(MAX_TRIED) {
        let valid = entry.keys.iter().find(|key| {
            key.segments
                .iter()
                .any(|segment| segment.holds_at(now.wall_s()))
        });
        let key = valid.and_then(|key| KeyBlob::parse(&key.algorithm, &key.blob).ok());
        let (Some(key), Ok(name)) = (key, AccountName::parse(&entry.name)) else {
            continue;
        };
        if let Some(account) = Account::find(name.as_str()).map_err(EnableError::from)? {
            found.push(Granted { account, name, key });
        }
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

/// Accounts of the snapshot that are looked for here: a directory takes its time for each.
const MAX_TRIED: usize = 64;
/// Accounts that are enough.
const MAX_FOUND: usize = 8;
