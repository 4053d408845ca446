//! `break-glass drill`: a real login by the file alone.
//!
//! A temporary sshd on loopback reads the configuration that this host's sshd reads, except that its key command is slow and knows no
//! key: whoever gets in got in without it. sshd's own log says which file let the key in, and that must be the account's. Nothing of the host agent or the
//! key server takes part.
//!
//! Without a private key at hand everything but the signature is looked at, and that is said, with an exit status of its own: a drill
//! that proves less must not look like one that proves all.

pub(crate) mod login;
mod mark;

use std::path::{Path, PathBuf};

use keyroster_keys::AccountName;
use keyroster_sshd::service::Listener;
use keyroster_sshd::trial::Identity;
use keyroster_sshd::would_be::DropIn;
use keyroster_sshd::{Binary, Connection, Sshd, SshdError};

use crate::admission::Bar;
use crate::break_glass::args::DrillArgs;
use crate::break_glass::check::{Checked, Verdict};
use crate::break_glass::drill::login::{NOT_SEEN, Seen, Stage, is_read, sessions_dir};
use crate::break_glass::past_drills::{self, PastDrill, Proof};
use crate::break_glass::verbs::{check_all, require_root};
use crate::break_glass::{fault, verbs};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::enable::places::DROP_IN;
use crate::error::AgentError;
use crate::exit;
use crate::program::{say, warn};

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
    /// Nobody gets in to the account, whatever the file says.
    #[error("account \"{account}\": {bar}")]
    Barred {
        /// The account.
        account: AccountName,
        /// What keeps everybody out.
        bar: Bar,
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
        warn(&format!("the drill is not remembered: {err}"));
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
    drop_in: DropIn,
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
            drop_in: DropIn::beside(&args.sshd_config, DROP_IN),
            identities: key.or(agent).into_iter().collect(),
            sessions: sessions_dir(config).to_owned(),
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
        if checked
            .keys
            .iter()
            .any(|key| key.algorithm.is_security_key())
        {
            say(&format!(
                "account \"{account}\": touch the security key when it blinks"
            ));
        }
        let text = std::fs::read(self.drop_in.path()).ok();
        let stage = Stage {
            sshd: &self.sshd,
            drop_in: &self.drop_in,
            text: text.as_deref(),
            sessions: &self.sessions,
        };
        let login = stage.log_in(checked, &self.identities)?;
        say(&format!(
            "account \"{account}\": key {} logged in by \"{}\" alone",
            login.key,
            checked.path.display()
        ));
        if login.seen == Seen::ByNobody {
            warn(NOT_SEEN);
        }
        Ok(past(Proof::Login, Some(login.key)))
    }
}
