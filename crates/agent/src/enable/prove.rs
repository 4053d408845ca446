//! What `enable` proves before it changes anything, step by step, each said as it is done.

use keyroster_sshd::would_be::WouldBe;

use crate::config::Config;
use crate::core::moment::Moment;
use crate::enable::args::EnableArgs;
use crate::enable::error::{EnableError, Unmet};
use crate::enable::granted::{self, Granted, Wanted};
use crate::enable::places::Places;
use crate::enable::proof::Trial;
use crate::enable::way_in::{self, WayIn};
use crate::enable::{break_glass_login, preconditions, trial_login};
use crate::error::AgentError;
use crate::program::say;

/// What is to be done.
#[derive(Debug)]
pub struct Task<'a> {
    /// As it was asked for.
    pub args: &'a EnableArgs,
    /// The settings.
    pub config: &'a Config,
    /// Where everything is.
    pub places: &'a Places,
    /// The drop-in's text.
    pub text: &'a str,
}

/// Whether anything would change.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stake {
    /// sshd would be told something new.
    Change,
    /// It is so already: a login is tried if a key is at hand, and not demanded.
    Nothing,
}

impl Task<'_> {
    /// Looks at what must hold, and tries what can be tried.
    ///
    /// # Errors
    /// When something does not hold, or can't be tried though it must.
    pub fn prove(&self, stake: Stake, now: &Moment) -> Result<(), AgentError> {
        let keys = trial_login::keys(self.args)?;
        let wanted = Wanted {
            group: self.args.match_group.as_ref(),
            keys: &keys,
        };
        let granted = granted::granted(self.config, now, wanted)?;
        let accounts = self.accounts(&granted);
        self.hold(&accounts)?;
        let trial = Trial {
            places: self.places,
            text: self.text,
            granted: &granted,
        };
        let would_be = trial.would_be()?;
        proven("`sshd -t` accepts the configuration with the drop-in");
        answers(&trial, &would_be, &accounts)?;
        match (trial_login::plan(self.args, &granted, &keys), stake) {
            (Err(_), Stake::Nothing) => {
                say("no login was tried: nothing would change, and no granted key is at hand");
            }
            (plan, _) => trial_login::run(&plan?, &trial)?,
        }
        Ok(self.other_way(&would_be, stake, now.wall_s())?)
    }

    /// Somebody must get in while keyroster does not answer.
    fn other_way(&self, would_be: &WouldBe, stake: Stake, now_s: i64) -> Result<(), EnableError> {
        match way_in::find(self.places, would_be)? {
            Some(WayIn::BreakGlass(files)) => {
                for checked in &files {
                    proven(&format!(
                        "sshd would take the break-glass keys of \"{}\" in \"{}\"",
                        checked.account,
                        checked.path.display()
                    ));
                }
                break_glass_login::show(self, &files, stake, now_s)
            }
            Some(WayIn::KeyFile { account, path }) => {
                proven(&format!(
                    "sshd would still take the keys of \"{account}\" in \"{}\"",
                    path.display()
                ));
                break_glass_login::show(self, &[], stake, now_s)
            }
            None if self.args.without_break_glass => {
                say("there is no other way in, as was asked for");
                Ok(())
            }
            None => Err(EnableError::Unmet(Unmet::new(
                "there would be no way in while keyroster does not answer",
                format!(
                    "`keyroster-agent break-glass add`, which puts a key into \"{}/ACCOUNT\", or keep one in a file that sshd reads; \
                     or say --without-break-glass",
                    self.places.break_glass.display()
                ),
            ))),
        }
    }

    /// The one that was named, and those that are granted.
    fn accounts(&self, granted: &[Granted]) -> Vec<String> {
        let named = self.args.trial_user.as_ref();
        let granted = granted.iter().map(|one| &one.name);
        let others = granted.filter(|name| Some(*name) != named);
        named
            .into_iter()
            .chain(others)
            .map(ToString::to_string)
            .collect()
    }

    /// What must hold before anything is tried.
    fn hold(&self, accounts: &[String]) -> Result<(), EnableError> {
        let mut asked = accounts.to_vec();
        asked.push("root".to_owned());
        let unmet = preconditions::unmet(self.args, self.places, self.config, &asked)?;
        let Some((first, others)) = unmet.split_first() else {
            return Ok(());
        };
        for one in others {
            say(&format!("also: {one}\nhint: {}", one.hint));
        }
        Err(EnableError::Unmet(first.clone()))
    }
}

fn answers(trial: &Trial<'_>, would_be: &WouldBe, accounts: &[String]) -> Result<(), EnableError> {
    for account in accounts {
        let effective = trial.asks_us(would_be, account)?;
        proven(&format!(
            "for \"{account}\" sshd would run keyroster's command"
        ));
        let granted = trial
            .granted
            .iter()
            .find(|one| one.name.as_str() == account);
        if let Some((granted, key)) = granted.and_then(|one| Some((one, one.keys.first()?))) {
            trial.lookup_answers(&effective, granted, key)?;
            proven(&format!(
                "lookup, as \"{}\", lets the granted key {} in to \"{account}\"",
                trial.places.lookup.user,
                key.fingerprint()
            ));
        }
    }
    if trial.granted.is_empty() && accounts.is_empty() {
        return Err(EnableError::Unmet(Unmet::new(
            "no account of this host has a granted key, so nobody would get in by keyroster",
            "`keyroster grant add`, for an account that exists here; with --match-group, for one in the group",
        )));
    }
    Ok(())
}

fn proven(what: &str) {
    say(&format!("proven: {what}"));
}
