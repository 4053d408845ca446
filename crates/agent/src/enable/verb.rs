//! `enable`: look, show, prove, change, wait.

use std::path::Path;

use keyroster_sshd::check::Verdict;
use keyroster_sshd::service::Reloaded;
use keyroster_sshd::would_be::WouldBe;

use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::enable::args::{EnableArgs, Within};
use crate::enable::change::Change;
use crate::enable::drop_in::{Files, Shape, Who, render};
use crate::enable::error::EnableError;
use crate::enable::file::{Content, Place};
use crate::enable::places::Places;
use crate::enable::prove::{Stake, Task};
use crate::enable::record::{Outcome, Records};
use crate::enable::watcher::Watcher;
use crate::enable::{diff, finish};
use crate::error::AgentError;
use crate::program::say;
use crate::spans::span;
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
    let text = text(args, &places)?;
    introduce(&places, args, &before, &text);
    let task = Task {
        args,
        config,
        places: &places,
        text: &text,
    };
    let stake = stake(records.as_ref(), &places, (&before, &text))?;
    task.prove(stake, &clock.now())?;
    let watcher = Watcher::of(&places.state, args.common.config.as_deref());
    if args.confirm_within != Within::Never {
        watcher.check()?;
    }
    if stake == Stake::Nothing {
        say("it is so already; nothing was changed");
        return Ok(());
    }
    let Some(records) = records.filter(|_| !args.dry_run) else {
        say("it would work; nothing was changed");
        return Ok(());
    };
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

fn stake(
    records: Option<&Records>,
    places: &Places,
    (before, text): (&Content, &str),
) -> Result<Stake, EnableError> {
    let config = &places.drop_in.config;
    let enabled = records.map(|records| records.enabled_in(config));
    let enabled = enabled.transpose()?.flatten();
    Ok(match enabled {
        Some(_) if before.bytes() == Some(text.as_bytes()) => Stake::Nothing,
        _ => Stake::Change,
    })
}

fn text(args: &EnableArgs, places: &Places) -> Result<String, EnableError> {
    Ok(render(&Shape {
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
        before: before(places)?,
        break_glass: &places.break_glass,
    }))
}

/// From where sshd takes keys without our drop-in, unless break-glass files are among them.
fn before(places: &Places) -> Result<Option<Vec<String>>, EnableError> {
    if let Verdict::Broken(_) = places.sshd.check()? {
        // Told with everything else that does not hold.
        return Ok(None);
    }
    let without = WouldBe::new(&places.sshd, &places.drop_in, None)?;
    let effective = without.sshd().effective_for_all()?;
    let ours = format!("{}/%u", places.break_glass.display());
    let files: Vec<String> = effective.key_files().map(str::to_owned).collect();
    Ok((!files.contains(&ours)).then_some(files))
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
            "and reload sshd; take it back unless somebody logs in within {}",
            span(time.as_secs())
        )),
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
