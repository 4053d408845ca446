//! `enable`: look, show, prove, change, wait.

use std::path::{Path, PathBuf};

use keyroster_sshd::service::Reloaded;
use keyroster_sshd::would_be::WouldBe;

use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::enable::args::{EnableArgs, Within};
use crate::enable::change::Change;
use crate::enable::drop_in::{Files, Shape, Who, render};
use crate::enable::error::{EnableError, Unmet};
use crate::enable::file::{Content, Place};
use crate::enable::granted::{self, Granted};
use crate::enable::places::Places;
use crate::enable::proof::{self, Trial};
use crate::enable::record::{Outcome, Records};
use crate::enable::watcher::Watcher;
use crate::enable::way_in::{self, WayIn};
use crate::enable::{diff, finish, preconditions};
use crate::error::AgentError;
use crate::program::say;
use crate::state::dir::Lock;

/// Has sshd ask keyroster.
///
/// # Errors
/// When something does not hold that must, when it can't be done, or when it was taken back.
pub fn enable(args: &EnableArgs, config: &Config) -> Result<(), AgentError> {
    require_root()?;
    if args.finish {
        return Ok(finish::run(&args.places.state)?);
    }
    if args.confirm {
        return Ok(confirm(&args.places.state)?);
    }
    let clock = SystemClock::new()?;
    let places = Places::of(&args.places)?;
    let records = match args.dry_run {
        true => Records::open(&places.state)?,
        false => Some(Records::create(&places.state)?),
    };
    let lock = lock(records.as_ref())?;
    clear_up(records.as_ref(), args, &clock)?;
    let place = Place::open(&places.drop_in)?;
    let before = place.read()?;
    let text = text(args, &places);
    let granted = granted::granted(config, &clock.now())?;
    let granted = concerned(args, granted)?;
    introduce(&places, args, &before, &text);
    prove(args, &places, config, (&text, &granted))?;
    let watcher = Watcher::of(&places.state, args.common.config.as_deref());
    if args.confirm_within != Within::Never {
        watcher.check()?;
    }
    let Some(records) = records.filter(|_| !args.dry_run) else {
        say("it would work; nothing was changed");
        return Ok(());
    };
    if before.bytes() == Some(text.as_bytes()) && records.enabled()?.is_some() {
        say("it is so already; nothing was changed");
        return Ok(());
    }
    let change = Change {
        places: &places,
        records: &records,
        place: &place,
        before,
        text,
    };
    make(&change, args.confirm_within, &watcher, &clock)?;
    drop(lock);
    Ok(wait(&records, args.confirm_within)?)
}

fn make(
    change: &Change<'_>,
    within: Within,
    watcher: &Watcher,
    clock: &SystemClock,
) -> Result<(), EnableError> {
    for done in change.make(within, watcher, clock)? {
        say(&reloaded(&done));
    }
    tracing::warn!(drop_in = %change.place.path().display(), "sshd asks keyroster now");
    Ok(())
}

fn text(args: &EnableArgs, places: &Places) -> String {
    render(&Shape {
        version: places.sshd.binary().version(),
        lookup: &places.lookup,
        who: match &args.match_group {
            Some(group) => Who::Group(group.clone()),
            None => Who::Everybody,
        },
        files: match args.only_keyroster {
            true => Files::BreakGlassOnly,
            false => Files::AsBefore,
        },
        break_glass: &places.break_glass,
    })
}

/// The granted keys of accounts for which sshd would ask keyroster.
fn concerned(args: &EnableArgs, granted: Vec<Granted>) -> Result<Vec<Granted>, EnableError> {
    let Some(group) = &args.match_group else {
        return Ok(granted);
    };
    let mut concerned = Vec::new();
    for one in granted {
        if one
            .account
            .groups()?
            .iter()
            .any(|name| name == group.as_str())
        {
            concerned.push(one);
        }
    }
    Ok(concerned)
}

fn introduce(places: &Places, args: &EnableArgs, before: &Content, text: &str) {
    let sshd = &places.sshd;
    let binary = sshd.binary();
    say(&format!(
        "sshd: {}, {}, reading \"{}\"",
        binary.path().display(),
        binary.words(),
        sshd.config().display()
    ));
    match places.listeners.first() {
        Some(listener) => say(&format!("process {} listens", listener.process().pid)),
        None => say("no sshd of its own listens now: the next one that starts will have it"),
    }
    let verb = match before {
        Content::Absent => "write",
        Content::File { .. } => "replace",
    };
    say(&format!("{verb} \"{}\":", places.drop_in.path().display()));
    for line in diff::lines(&before.text(), text) {
        say(&line);
    }
    match args.confirm_within {
        Within::Never => say("and reload sshd; it stays whether or not anybody logs in"),
        Within::Time(time) => say(&format!(
            "and reload sshd; take it back unless somebody logs in within {} s",
            time.as_secs()
        )),
    }
}

/// Looks at what must hold, and tries what can be tried.
fn prove(
    args: &EnableArgs,
    places: &Places,
    config: &Config,
    (text, granted): (&str, &[Granted]),
) -> Result<(), EnableError> {
    let trial_user = args.trial_user.iter().map(ToString::to_string);
    let mut accounts: Vec<String> = trial_user.collect();
    accounts.extend(granted.iter().map(|one| one.name.to_string()));
    let mut asked = accounts.clone();
    asked.push("root".to_owned());
    let unmet = preconditions::unmet(args, places, config, &asked)?;
    if let Some((first, others)) = unmet.split_first() {
        for one in others {
            say(&format!("also: {one}\nhint: {}", one.hint));
        }
        return Err(EnableError::Unmet(first.clone()));
    }
    let trial = Trial {
        places,
        text,
        granted,
    };
    let would_be = trial.would_be()?;
    proven("`sshd -t` accepts the configuration with the drop-in");
    answers(&trial, &would_be, &accounts)?;
    logs_in(args, &trial)?;
    other_way(args, places, &would_be)
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
        if let Some(granted) = granted {
            trial.lookup_answers(&effective, granted)?;
            proven(&format!(
                "lookup, as \"{}\", lets the granted key {} in to \"{account}\"",
                trial.places.lookup.user,
                granted.fingerprint()
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

fn logs_in(args: &EnableArgs, trial: &Trial<'_>) -> Result<(), EnableError> {
    let Some(account) = &args.trial_user else {
        say(
            "not proven: that sshd lets anybody in by it, for nobody's private key is here; --trial-user shows it",
        );
        return Ok(());
    };
    let agent = std::env::var_os("SSH_AUTH_SOCK").map(PathBuf::from);
    let identities = proof::identities(&args.trial_key, agent)?;
    let shown = trial.login(account, &identities)?;
    proven(&format!(
        "a login to \"{account}\" on a temporary sshd, with {}, let in by keyroster",
        shown.fingerprint
    ));
    Ok(())
}

fn other_way(args: &EnableArgs, places: &Places, would_be: &WouldBe) -> Result<(), EnableError> {
    match way_in::first(places, would_be)? {
        Some(WayIn::BreakGlass { account, path }) => {
            proven(&format!(
                "sshd would take the break-glass keys of \"{account}\" in \"{}\"",
                path.display()
            ));
            say(
                "not proven: that somebody holds their private half; `keyroster-agent break-glass drill` shows it",
            );
            Ok(())
        }
        Some(WayIn::KeyFile { account, path }) => {
            proven(&format!(
                "sshd would still take the keys of \"{account}\" in \"{}\"",
                path.display()
            ));
            Ok(())
        }
        None if args.without_break_glass => {
            say("there is no other way in, as was asked for");
            Ok(())
        }
        None => Err(EnableError::Unmet(Unmet::new(
            "there would be no way in while keyroster does not answer",
            format!(
                "put a key into \"{}/ACCOUNT\" and use --only-keyroster, or keep one in a file that sshd reads; \
                 or say --without-break-glass",
                places.break_glass.display()
            ),
        ))),
    }
}

fn confirm(state: &Path) -> Result<(), EnableError> {
    let records = Records::open(state)?.ok_or(EnableError::NothingPending)?;
    let _lock = lock(Some(&records))?;
    let pending = records.pending()?.ok_or(EnableError::NothingPending)?;
    if pending.in_effect_since.is_none() {
        return Err(EnableError::NothingPending);
    }
    finish::confirm(&records, "--confirm")?;
    say("confirmed: it stays");
    Ok(())
}

/// What an earlier change has left: over, it is taken back; else it is waited for.
fn clear_up(
    records: Option<&Records>,
    args: &EnableArgs,
    clock: &SystemClock,
) -> Result<(), EnableError> {
    let Some(records) = records else {
        return Ok(());
    };
    let Some(pending) = records.pending()? else {
        return Ok(());
    };
    if args.dry_run {
        return Err(EnableError::Waiting);
    }
    match finish::clear_up(records, &pending, &clock.now())? {
        Some(why) => say(&format!("an earlier change was taken back: {why}")),
        None => return Err(EnableError::Waiting),
    }
    Ok(())
}

/// Tells how it ends. Whoever is told no more misses nothing: the one that waits is another.
fn wait(records: &Records, within: Within) -> Result<(), EnableError> {
    if within == Within::Never {
        return Ok(());
    }
    say(
        "now log in from elsewhere, and keep this shell open; `keyroster-agent enable --confirm` does it without a login",
    );
    while records.pending()?.is_some() {
        keyroster_sshd::run::pause(LOOK_AGAIN);
    }
    match records.outcome()? {
        Some(Outcome::Confirmed(by)) => {
            say(&format!("confirmed by {by}: it stays"));
            Ok(())
        }
        Some(Outcome::TakenBack(why)) => Err(EnableError::TakenBack(why)),
        None => Err(EnableError::Internal("the change is gone".to_owned())),
    }
}

fn proven(what: &str) {
    say(&format!("proven: {what}"));
}

/// How sshd came to have it, in words.
pub(crate) fn reloaded(how: &Reloaded) -> String {
    match how {
        Reloaded::Unit(unit) => format!("reloaded {unit}"),
        Reloaded::Signalled(pid) => format!("reloaded sshd, process {pid}"),
        Reloaded::NotRunning => "no sshd of its own listens: there was none to reload".to_owned(),
    }
}

pub(crate) fn require_root() -> Result<(), EnableError> {
    match rustix::process::geteuid().is_root() {
        true => Ok(()),
        false => Err(EnableError::NotRoot),
    }
}

/// One changes something at a time.
pub(crate) fn lock(records: Option<&Records>) -> Result<Option<Lock>, EnableError> {
    match records {
        None => Ok(None),
        Some(records) => match records.try_lock()? {
            Some(lock) => Ok(Some(lock)),
            None => Err(EnableError::Busy),
        },
    }
}

const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_millis(100);
