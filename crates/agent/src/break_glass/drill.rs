//! `break-glass drill`: a real login by the file alone.
//!
//! A temporary sshd on loopback reads the configuration that this host's sshd reads, except that its key command is slow and knows no
//! key: whoever gets in got in without it. sshd's own log says which file let the key in, and that must be the account's. Nothing of the host agent or the
//! key server takes part.
//!
//! Without a private key at hand everything but the signature is looked at, and that is said, with an exit status of its own: a drill
//! that proves less must not look like one that proves all.

mod mark;

use std::path::{Path, PathBuf};

use keyroster_keys::AccountName;
use keyroster_sshd::service::Listener;
use keyroster_sshd::trial::{self, Identity, Outcome};
use keyroster_sshd::would_be::{DropIn, WouldBe};
use keyroster_sshd::{Binary, Connection, Effective, Sshd, SshdError};

use crate::break_glass::args::DrillArgs;
use crate::break_glass::check::{Checked, Verdict};
use crate::break_glass::drill::mark::Mark;
use crate::break_glass::past_drills::{self, PastDrill, Proof};
use crate::break_glass::verbs::{check_all, require_root, say, warn};
use crate::break_glass::{fault, verbs};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::error::AgentError;
use crate::exit;

/// Why the way in is not proved.
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    /// No account has a file, or not the one that was named.
    #[error("there is no break-glass way in: no key stands in \"{0}\"")]
    None(PathBuf),
    /// The file lets nobody in.
    #[error("account \"{account}\": {fault}")]
    Broken {
        /// The account.
        account: AccountName,
        /// What is wrong.
        fault: fault::Fault,
    },
    /// sshd does not look at the file.
    #[error(
        "account \"{account}\": sshd does not read \"{path}\" (its AuthorizedKeysFile: {files})"
    )]
    NotRead {
        /// The account.
        account: AccountName,
        /// The file.
        path: PathBuf,
        /// What it reads.
        files: String,
    },
    /// sshd takes no keys for the account.
    #[error("account \"{account}\": sshd has {setting}")]
    Forbidden {
        /// The account.
        account: AccountName,
        /// The setting that says so.
        setting: &'static str,
    },
    /// The login failed.
    #[error("account \"{account}\": the login failed: {why}")]
    Refused {
        /// The account.
        account: AccountName,
        /// What ssh and sshd said.
        why: String,
    },
    /// The login worked, but not by the file.
    #[error(
        "account \"{account}\": it was \"{found_at}\" that let the key in, and not the break-glass file"
    )]
    OtherWay {
        /// The account.
        account: AccountName,
        /// What let the key in.
        found_at: String,
    },
    /// There was no private key.
    #[error(
        "everything but the signature is in order for {0}: there was no private key to log in with"
    )]
    NoSignature(String),
    /// sshd could not be asked or started.
    #[error(transparent)]
    Sshd(#[from] SshdError),
    /// The mark that makes a login a drill could not be left.
    #[error("can't write \"{path}\": {err}")]
    Mark {
        /// The file.
        path: PathBuf,
        /// What the system said.
        err: std::io::Error,
    },
}

impl DrillError {
    /// The exit status, from sysexits(3).
    #[must_use]
    pub const fn exit_status(&self) -> u8 {
        match self {
            Self::NoSignature(_) => exit::UNPROVEN,
            Self::Sshd(_) => exit::SOFTWARE,
            Self::Mark { .. } => exit::CANT_CREATE,
            _ => exit::UNAVAILABLE,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::None(_) => {
                Some("`keyroster-agent break-glass add ACCOUNT --file KEY.pub`".to_owned())
            }
            Self::Broken { fault, .. } => Some(fault.hint()),
            Self::NotRead { path, .. } => {
                let dir = path.parent().unwrap_or(Path::new("/"));
                Some(format!("AuthorizedKeysFile {}/%u", dir.display()))
            }
            Self::NoSignature(_) => {
                Some("give --key FILE, or run it with an ssh-agent (SSH_AUTH_SOCK)".to_owned())
            }
            _ => None,
        }
    }
}

/// Drills the account, or every account that has a file.
///
/// # Errors
/// When the way in is not proved.
pub fn run(args: &DrillArgs) -> Result<(), AgentError> {
    let config = Config::load(args.common.config.as_deref())?;
    require_root()?;
    let only = args.account.as_deref().map(verbs::account).transpose()?;
    let (mut checked, _) = check_all(&config)?;
    checked.retain(|checked| only.as_ref().is_none_or(|only| *only == checked.account));
    if checked.is_empty() {
        return Err(failed(DrillError::None(config.break_glass_dir)));
    }
    let host = Host::new(args, &config).map_err(failed)?;
    let mut drills = Vec::new();
    let mut unsigned = Vec::new();
    for checked in &checked {
        let past = host.drill(checked).map_err(failed)?;
        if past.proof == Proof::AllButSignature {
            unsigned.push(checked.account.to_string());
        }
        drills.push((checked.account.clone(), past));
    }
    if let Err(err) = past_drills::note(&args.state, &drills) {
        warn(&format!(
            "the drill is not remembered: can't write in \"{}\": {err}",
            args.state.display()
        ));
    }
    match unsigned.is_empty() {
        true => Ok(()),
        false => Err(failed(DrillError::NoSignature(unsigned.join(", ")))),
    }
}

fn failed(err: DrillError) -> AgentError {
    verbs::BreakGlassError::from(err).into()
}

/// What is drilled with.
struct Host {
    sshd: Sshd,
    identities: Vec<Identity>,
    /// The directory of sessions, where drills are marked.
    sessions: PathBuf,
    now_s: i64,
}

impl Host {
    fn new(args: &DrillArgs, config: &Config) -> Result<Self, DrillError> {
        let listener = Listener::of(&args.sshd_config)?.into_iter().next();
        let binary = Binary::find(args.sshd.as_deref(), listener.as_ref())?;
        let overrides = listener.as_ref().map_or(&[][..], Listener::overrides);
        let agent = std::env::var_os("SSH_AUTH_SOCK").map(|socket| Identity::Agent(socket.into()));
        let key = args.key.clone().map(Identity::File);
        let wall_s = SystemClock::new().map(|clock| clock.now().wall_s());
        Ok(Self {
            sshd: Sshd::new(binary, &args.sshd_config).with_overrides(overrides),
            identities: key.or(agent).into_iter().collect(),
            sessions: config
                .sessions_socket
                .parent()
                .unwrap_or(Path::new("/run"))
                .to_owned(),
            now_s: wall_s.unwrap_or_default(),
        })
    }

    fn drill(&self, checked: &Checked) -> Result<PastDrill, DrillError> {
        let account = &checked.account;
        if let (Verdict::Broken, Some(fault)) = (checked.verdict(), checked.faults.first()) {
            return Err(DrillError::Broken {
                account: account.clone(),
                fault: fault.clone(),
            });
        }
        for fault in &checked.faults {
            warn(&format!("account \"{account}\": {fault}"));
        }
        let connection = Connection::local(account.as_str())?;
        let effective = self.sshd.effective(&connection)?;
        is_read(&effective, checked)?;
        let past = |proof, key| PastDrill {
            at_s: self.now_s,
            proof,
            key,
        };
        if self.identities.is_empty() {
            return Ok(past(Proof::AllButSignature, None));
        }
        let key = self.log_in(checked, &effective)?;
        say(&format!(
            "account \"{account}\": key {key} logged in by \"{}\" alone",
            checked.path.display()
        ));
        Ok(past(Proof::Login, Some(key)))
    }

    /// Logs in, and returns the key that did.
    fn log_in(&self, checked: &Checked, effective: &Effective) -> Result<String, DrillError> {
        let mark = Mark::leave(&self.sessions)?;
        let drop_in = DropIn::beside(self.sshd.config(), DROP_IN);
        let text = std::fs::read(drop_in.path()).ok();
        let alone = self
            .sshd
            .clone()
            .with_overrides(&KNOWS_NOBODY.map(str::to_owned));
        let would_be = WouldBe::new(&alone, &drop_in, text.as_deref())?;
        let records = effective.is_on("UsePAM");
        let seen = || !records || mark.was_seen();
        let account = checked.account.as_str();
        let proof = match trial::login_until(&would_be, account, &self.identities, &seen)? {
            Outcome::LoggedIn(proof) => proof,
            Outcome::Refused(why) => {
                let account = checked.account.clone();
                return Err(DrillError::Refused { account, why });
            }
        };
        if !is_at(&proof.found_at, &checked.path) {
            return Err(DrillError::OtherWay {
                account: checked.account.clone(),
                found_at: proof.found_at,
            });
        }
        if !mark.was_seen() {
            warn(
                "nobody saw this login: uses of break-glass keys are not told\nhint: the line in /etc/pam.d/sshd of docs/sessions.md is missing, or behind one that ends the stack",
            );
        }
        Ok(proof.fingerprint)
    }
}

/// Whether sshd looks at the account's file at all.
fn is_read(effective: &Effective, checked: &Checked) -> Result<(), DrillError> {
    let account = &checked.account;
    let forbidden = |setting| DrillError::Forbidden {
        account: account.clone(),
        setting,
    };
    if !effective.is_on("PubkeyAuthentication") {
        return Err(forbidden("PubkeyAuthentication no"));
    }
    if account.is_root() && effective.first("PermitRootLogin") == Some("no") {
        return Err(forbidden("PermitRootLogin no"));
    }
    let files: Vec<&str> = effective.key_files().collect();
    if files
        .iter()
        .any(|file| expand(file, account) == checked.path)
    {
        return Ok(());
    }
    Err(DrillError::NotRead {
        account: account.clone(),
        path: checked.path.clone(),
        files: files.join(" "),
    })
}

/// The file that a pattern of `AuthorizedKeysFile` names: `%u` and `%%` of the tokens in sshd_config(5). The others lead to
/// homes and numbers, which no break-glass path has.
fn expand(pattern: &str, account: &AccountName) -> PathBuf {
    let parts: Vec<String> = pattern
        .split("%%")
        .map(|part| part.replace("%u", account.as_str()))
        .collect();
    PathBuf::from(parts.join("%"))
}

/// Whether sshd's `FILE:LINE` is of this file.
fn is_at(found_at: &str, path: &Path) -> bool {
    let file = found_at.rsplit_once(':').map_or(found_at, |(file, _)| file);
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    Path::new(file) == path || real(Path::new(file)).is_some_and(|file| Some(file) == real(path))
}

/// The drop-in that `enable` writes.
const DROP_IN: &str = "10-keyroster.conf";

/// A key command that knows nobody, in the place of whatever is set. Not one that never ends: nobody would end it where the file
/// lets nobody in.
const KNOWS_NOBODY: [&str; 2] = [
    "AuthorizedKeysCommand=/usr/bin/sleep 3",
    "AuthorizedKeysCommandUser=nobody",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_expanded_for_the_account() {
        let account = AccountName::parse("deploy").unwrap();
        for (pattern, expected) in [
            (
                "/etc/keyroster/break-glass/%u",
                "/etc/keyroster/break-glass/deploy",
            ),
            ("/a%%u/%u", "/a%u/deploy"),
            (".ssh/authorized_keys", ".ssh/authorized_keys"),
        ] {
            assert_eq!(expand(pattern, &account), Path::new(expected));
        }
    }

    #[test]
    fn a_place_is_compared_by_its_file() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("deploy");
        std::fs::write(&file, "").unwrap();
        assert!(is_at(&format!("{}:3", file.display()), &file));
        assert!(!is_at("/home/deploy/.ssh/authorized_keys:1", &file));
        assert!(!is_at("/usr/bin/sleep 3", &file));
        assert!(!is_at("", &file));
    }
}
