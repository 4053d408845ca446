//! `disable`: sshd asks keyroster no longer.
//!
//! It is what a package runs before its programs go, so it needs none of them: no host agent, no key server, not even the record of
//! what was there before. Then the drop-in is known by what it says.

use keyroster_sshd::Connection;
use keyroster_sshd::check::Verdict;
use keyroster_sshd::would_be::WouldBe;

use crate::clock::{Clock as _, SystemClock};
use crate::enable::args::DisableArgs;
use crate::enable::drop_in::{self, Origin};
use crate::enable::error::EnableError;
use crate::enable::file::{Content, Place};
use crate::enable::places::Places;
use crate::enable::record::{Enabled, Outcome, Records, Subject};
use crate::enable::restore::{self, PutBack};
use crate::enable::{diff, granted, verb, whereabouts};
use crate::program::say;

/// What is to be done.
#[derive(Debug)]
struct Plan {
    now: Content,
    before: Content,
    written: Vec<u8>,
}

/// Puts back what was there before keyroster.
///
/// # Errors
/// When it can't, or when sshd still asks keyroster afterwards.
pub fn disable(args: &DisableArgs) -> Result<(), EnableError> {
    verb::require_root()?;
    let places = Places::of(&args.places)?;
    let records = records(args, &places);
    let _lock = verb::lock(records.as_ref())?;
    // A directory that is not there holds no drop-in.
    let place = match places.drop_in.directory.symlink_metadata() {
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => None,
        _ => Some(Place::open(&places.drop_in)?),
    };
    if let Some(place) = &place {
        let plan = plan(&places, records.as_ref(), place)?;
        show(&plan, &places);
        gate(&places, &plan)?;
        if !args.dry_run {
            carry_out(&places, records.as_ref(), place, &plan)?;
        }
    }
    if args.dry_run {
        say("nothing was changed");
        return Ok(());
    }
    nothing_left(&places)
}

/// What is written down, if that can be had: a disk that is full must not keep anybody from disabling.
fn records(args: &DisableArgs, places: &Places) -> Option<Records> {
    let records = match args.dry_run {
        true => Records::open(&places.state),
        false => Records::create(&places.state).map(Some),
    };
    records.unwrap_or_else(|err| {
        say(&format!(
            "not known: what was there before keyroster ({err})"
        ));
        None
    })
}

fn plan(places: &Places, records: Option<&Records>, place: &Place) -> Result<Plan, EnableError> {
    let now = place.read()?;
    let subject = Subject::of(places);
    if let Some(Enabled {
        original, written, ..
    }) = known(records).filter(|enabled| enabled.subject.config == subject.config)
    {
        return Ok(Plan {
            now,
            before: original,
            written: written.0,
        });
    }
    // Nothing is written down: what is ours goes, what is not stays.
    let origin = now.bytes().map(drop_in::origin);
    let (before, written) = match origin {
        None | Some(Origin::Foreign) => (now.clone(), Vec::new()),
        Some(Origin::Shipped) => (Content::Absent, now.bytes().unwrap_or_default().to_vec()),
        Some(Origin::Ours) => (Content::Absent, Vec::new()),
    };
    Ok(Plan {
        now,
        before,
        written,
    })
}

/// What is written down. A record that can't be read must not keep anybody from disabling.
fn known(records: Option<&Records>) -> Option<Enabled> {
    match records?.enabled() {
        Ok(enabled) => enabled,
        Err(err) => {
            say(&format!(
                "not known: what was there before keyroster ({err})"
            ));
            None
        }
    }
}

fn show(plan: &Plan, places: &Places) {
    let path = places.drop_in.path();
    if plan.now == plan.before {
        say(&format!("nothing to do in \"{}\"", path.display()));
        return;
    }
    say(&match plan.before {
        Content::Absent => format!("remove \"{}\"", path.display()),
        Content::File { .. } => format!("put back what \"{}\" was", path.display()),
    });
    for line in diff::lines(&plan.now.text(), &plan.before.text()) {
        say(&line);
    }
}

/// The configuration without us must be one that sshd takes; where it refuses it already, we make nothing worse.
fn gate(places: &Places, plan: &Plan) -> Result<(), EnableError> {
    if plan.now == plan.before {
        return Ok(());
    }
    let without = WouldBe::new(&places.sshd, &places.drop_in, plan.before.bytes())?;
    match (places.sshd.check()?, without.sshd().check()?) {
        (Verdict::Sound, Verdict::Broken(said)) => Err(EnableError::BrokenWithout(said)),
        _ => Ok(()),
    }
}

fn carry_out(
    places: &Places,
    records: Option<&Records>,
    place: &Place,
    plan: &Plan,
) -> Result<(), EnableError> {
    let now = SystemClock::new()
        .map_err(|err| EnableError::Internal(err.to_string()))?
        .now();
    let change = (plan.written.as_slice(), &plan.before);
    let put = restore::put_back(place, records, change, &now)?;
    match &put {
        PutBack::Already => {}
        PutBack::Done => tracing::warn!(drop_in = %place.path().display(), "keyroster is disabled"),
        PutBack::KeptAside(kept) => {
            say(&format!(
                "it had been edited; what it was is in \"{}\"",
                kept.display()
            ));
            tracing::warn!(drop_in = %place.path().display(), kept = %kept.display(), "keyroster is disabled");
        }
    }
    // Also where the file was as before already: an earlier run may have ended in between.
    for reloaded in restore::reload(&places.sshd)? {
        say(&verb::reloaded(&reloaded));
    }
    let Some(records) = records else {
        return Ok(());
    };
    records.set_enabled(None)?;
    if records.pending().ok().flatten().is_some() {
        records.tell_outcome(&Outcome::TakenBack("`disable`".to_owned()));
    }
    records.set_pending(None)
}

/// Whether sshd asks keyroster in some other way than by our drop-in.
fn nothing_left(places: &Places) -> Result<(), EnableError> {
    let mut accounts = vec!["root".to_owned()];
    accounts.extend(granted::local_logins()?);
    for account in accounts.iter().take(MAX_ASKED) {
        let effective = places.sshd.effective(&Connection::local(account)?)?;
        let Some(command) = effective.key_command() else {
            continue;
        };
        if drop_in::program_of(command).is_some_and(drop_in::is_lookup) {
            return Err(EnableError::StillThere(whereabouts::of_program(
                places,
                drop_in::is_lookup,
            )));
        }
    }
    Ok(())
}

/// Accounts that sshd is asked about.
const MAX_ASKED: usize = 32;
