//! The verbs that write and list break-glass files.

use std::path::PathBuf;

use keyroster_api::revoked_keys::{MAX_BYTES, Received};
use keyroster_keys::line::{Comment, CommentError};
use keyroster_keys::{AccountName, Fingerprint, FingerprintError, Fingerprints, NameError};
use serde_json::json;

use crate::break_glass::Accepted;
use crate::break_glass::account::LocalAccount;
use crate::break_glass::args::{AddArgs, BreakGlassArgs, BreakGlassVerb, ListArgs, RemoveArgs};
use crate::break_glass::check::{self, Checked, Named, Rules, Verdict};
use crate::break_glass::drill::{self, DrillError};
use crate::break_glass::files::{self, Change, Files, FilesError, NewKey, RefusedKey};
use crate::clock::Calendar;
use crate::config::Config;
use crate::error::AgentError;
use crate::exit;
use crate::peers::PASSWD;
use crate::program::{say, warn};
use crate::reports;
use crate::state::dir::Secrecy;
use crate::state::files::REVOKED_KEYS;
use crate::state::{Credential, StateDir};

/// Why a verb did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BreakGlassError {
    /// sshd and the files under /etc are root's.
    #[error("break-glass keys are root's business")]
    NotRoot,
    /// No name of an account.
    #[error("that is no name of an account: {0}")]
    Account(NameError),
    /// There is no such account, or none that is there when a directory is down.
    #[error("there is no account \"{0}\" in /etc/passwd")]
    NoAccount(AccountName),
    /// No fingerprint.
    #[error(transparent)]
    Fingerprint(#[from] FingerprintError),
    /// No label.
    #[error("the label has characters that can't stand in a key's line, or is too long")]
    Label(CommentError),
    /// The key may not be added.
    #[error(transparent)]
    Refused(#[from] RefusedKey),
    /// A file can't be read or written.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The directory can't be listed.
    #[error("can't list \"{path}\": {err}")]
    List {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        err: std::io::Error,
    },
    /// The account has no such key.
    #[error("account \"{account}\" has no break-glass key {key}")]
    NoSuchKey {
        /// The account.
        account: AccountName,
        /// The key.
        key: Fingerprint,
    },
    /// The drill.
    #[error(transparent)]
    Drill(#[from] DrillError),
    /// The key server was not told.
    #[error("the key server was not told, and reports are kept: {0}")]
    NotTold(String),
}

impl BreakGlassError {
    /// The exit status, from sysexits(3).
    #[must_use]
    pub const fn exit_status(&self) -> u8 {
        match self {
            Self::Account(_) | Self::Fingerprint(_) | Self::Label(_) => exit::USAGE,
            Self::NotRoot => exit::NO_PERMISSION,
            Self::Refused(_) | Self::NoAccount(_) | Self::NoSuchKey { .. } => exit::DATA,
            Self::Files(_) => exit::CANT_CREATE,
            Self::List { .. } => exit::IO,
            Self::NotTold(_) => exit::UNAVAILABLE,
            Self::Drill(err) => err.exit_status(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotRoot => Some("run it as root".to_owned()),
            Self::NoAccount(_) => Some(
                "an account of a directory does not exist while the directory is down: take a local one".to_owned(),
            ),
            Self::Refused(RefusedKey::NotHardware(_)) => Some(
                "a break-glass key is best made by `ssh-keygen -t ed25519-sk`; --any-key takes another one".to_owned(),
            ),
            Self::Refused(RefusedKey::NotAKey(_)) => Some("give the file that ends in .pub".to_owned()),
            Self::NoSuchKey { .. } => Some("`keyroster-agent break-glass list` shows those that there are".to_owned()),
            Self::Drill(err) => err.hint(),
            _ => None,
        }
    }
}

/// Runs a verb.
///
/// # Errors
/// When it did not do what it was asked.
pub fn run(args: &BreakGlassArgs) -> Result<(), AgentError> {
    match &args.verb {
        BreakGlassVerb::Add(args) => add(args),
        BreakGlassVerb::List(args) => list(args),
        BreakGlassVerb::Remove(args) => remove(args),
        BreakGlassVerb::Drill(args) => drill::run(args),
        BreakGlassVerb::Tell(args) => {
            let config = Config::load(args.config.as_deref())?;
            reports::tell_now(&config)
        }
    }
}

fn add(args: &AddArgs) -> Result<(), AgentError> {
    let config = Config::load(args.common.config.as_deref())?;
    require_root()?;
    let account = account(&args.account)?;
    if LocalAccount::find(&passwd(), &account).is_none() {
        return Err(BreakGlassError::NoAccount(account).into());
    }
    let label = args.label.as_deref().map(Comment::parse).transpose();
    let label = label.map_err(BreakGlassError::Label)?;
    let revoked = revoked(&config);
    let accepted = match args.any_key {
        true => Accepted::Any,
        false => config.break_glass_keys,
    };
    let text = files::read_key(&args.file).map_err(BreakGlassError::Files)?;
    let key = NewKey::parse(&text, label.as_ref(), accepted, revoked.as_ref())
        .map_err(BreakGlassError::Refused)?;
    let files = Files::open(&config.break_glass_dir).map_err(BreakGlassError::Files)?;
    let change = files.add(&account, &key).map_err(BreakGlassError::Files)?;
    if revoked.is_none() {
        warn("this host holds no list of revoked keys: it is not known whether the key is on it");
    }
    let fingerprint = key.fingerprint();
    say(&match change {
        Change::Made => format!("key {fingerprint} opens account \"{account}\""),
        Change::AlreadySo => format!("key {fingerprint} opens account \"{account}\" already"),
    });
    let checked = check::check(
        &config.break_glass_dir,
        &account,
        &rules(&config, &passwd(), revoked.as_ref()),
    );
    for fault in &checked.faults {
        warn(&format!("{fault}\nhint: {}", fault.hint()));
    }
    Ok(())
}

fn remove(args: &RemoveArgs) -> Result<(), AgentError> {
    let config = Config::load(args.common.config.as_deref())?;
    require_root()?;
    let account = account(&args.account)?;
    let key = Fingerprint::parse(&args.fingerprint).map_err(BreakGlassError::Fingerprint)?;
    let files = Files::open(&config.break_glass_dir).map_err(BreakGlassError::Files)?;
    match files
        .remove(&account, key)
        .map_err(BreakGlassError::Files)?
    {
        Change::Made => say(&format!("key {key} opens account \"{account}\" no more")),
        Change::AlreadySo => return Err(BreakGlassError::NoSuchKey { account, key }.into()),
    }
    Ok(())
}

fn list(args: &ListArgs) -> Result<(), AgentError> {
    let config = Config::load(args.common.config.as_deref())?;
    let (checked, stray) = check_all(&config)?;
    if args.json {
        let accounts: Vec<_> = checked.iter().map(to_json).collect();
        let stray: Vec<_> = stray
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        say(&json!({ "accounts": accounts, "stray": stray }).to_string());
        return Ok(());
    }
    if checked.is_empty() {
        say("no account has a break-glass key");
    }
    for checked in &checked {
        tell(checked);
    }
    for path in stray {
        let path = path.display().to_string();
        warn(&format!(
            "\"{}\" is under no name of an account",
            path.escape_debug()
        ));
    }
    Ok(())
}

/// Every account that has a file, and the files under no name of an account.
///
/// # Errors
/// When the directory can't be listed.
pub fn check_all(config: &Config) -> Result<(Vec<Checked>, Vec<PathBuf>), AgentError> {
    let dir = &config.break_glass_dir;
    let named = check::named(dir).map_err(|err| BreakGlassError::List {
        path: dir.clone(),
        err,
    })?;
    let (passwd, revoked) = (passwd(), revoked(config));
    let rules = rules(config, &passwd, revoked.as_ref());
    let (mut checked, mut stray) = (Vec::new(), Vec::new());
    for named in named {
        match named {
            Named::Account(account) => checked.push(check::check(dir, &account, &rules)),
            Named::Stray(path) => stray.push(path),
        }
    }
    Ok((checked, stray))
}

/// The revoked keys, as far as this host knows them; none where nobody on it needs them, or it may not read them.
#[must_use]
pub fn revoked(config: &Config) -> Option<Fingerprints> {
    let dir = StateDir::open(&config.state_dir).ok()?;
    let credential = Credential::load(&dir).ok()??;
    let document = dir.read(REVOKED_KEYS, MAX_BYTES, Secrecy::Public).ok()??;
    let received = Received::verify(&document, &credential.snapshot_key).ok()?;
    Some(received.complete(None).ok()?.keys().clone())
}

fn rules<'a>(config: &Config, passwd: &'a str, revoked: Option<&'a Fingerprints>) -> Rules<'a> {
    Rules {
        accepted: config.break_glass_keys,
        passwd,
        revoked,
        now: Calendar::now(),
    }
}

fn tell(checked: &Checked) {
    let verdict = match checked.verdict() {
        Verdict::Works => "in order",
        Verdict::Weak => "lets in, with something wrong about it",
        Verdict::Broken => "lets nobody in",
    };
    say(&format!("{}: {verdict}", checked.account));
    for key in &checked.keys {
        let line = format!("  {} {} {}", key.fingerprint, key.algorithm, key.label);
        say(line.trim_end());
    }
    for fault in &checked.faults {
        say(&format!("  {fault}\n  hint: {}", fault.hint()));
    }
}

fn to_json(checked: &Checked) -> serde_json::Value {
    let keys = checked.keys.iter().map(|key| {
        json!({
            "fingerprint": key.fingerprint.to_string(),
            "algorithm": key.algorithm.as_str(),
            "label": key.label,
            "hardware": key.algorithm.is_security_key(),
        })
    });
    let faults = checked
        .faults
        .iter()
        .map(|fault| json!({ "what": fault.to_string(), "hint": fault.hint() }));
    let verdict = match checked.verdict() {
        Verdict::Works => "works",
        Verdict::Weak => "weak",
        Verdict::Broken => "broken",
    };
    json!({
        "account": checked.account.as_str(),
        "verdict": verdict,
        "keys": keys.collect::<Vec<_>>(),
        "faults": faults.collect::<Vec<_>>(),
    })
}

pub(super) fn account(name: &str) -> Result<AccountName, BreakGlassError> {
    AccountName::parse(name).map_err(BreakGlassError::Account)
}

pub(super) fn require_root() -> Result<(), BreakGlassError> {
    match rustix::process::geteuid().is_root() {
        true => Ok(()),
        false => Err(BreakGlassError::NotRoot),
    }
}

pub(super) fn passwd() -> String {
    std::fs::read_to_string(PASSWD).unwrap_or_default()
}
