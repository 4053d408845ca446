//! `disable`: sshd asks keyroster no longer.
//!
//! It is what a package runs before its programs go, so it needs none of them: no host agent, no key server, not even the record of
//! what was there before. Then the drop-in is known by what it says. Everything that could stop it is looked for before anything is
//! changed, and what fails afterwards has the drop-in put back: half of it would be a key command that is gone, or a host that
//! nobody can enter.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use keyroster_sshd::would_be::DropIn;
use keyroster_sshd::{DEFAULT_CONFIG, SshdError};

use crate::clock::{Clock as _, SystemClock};
use crate::enable::args::DisableArgs;
use crate::enable::drop_in::{self, Origin};
use crate::enable::error::EnableError;
use crate::enable::file::{Content, Place};
use crate::enable::places::{DROP_IN, Places};
use crate::enable::record::{Enabled, Outcome, Records};
use crate::enable::restore::{self, PutBack};
use crate::enable::{diff, verb};
use crate::program::say;

mod gate;

/// One configuration of sshd's that may ask keyroster.
#[derive(Debug)]
struct Case {
    drop_in: DropIn,
    /// The sshd that reads it; none where OpenSSH or that configuration is gone, and so nobody is to be told.
    places: Option<Places>,
    place: Place,
    plan: Plan,
}

/// What is to be done.
#[derive(Debug)]
struct Plan {
    now: Content,
    before: Content,
    written: Vec<u8>,
    known: Known,
}

/// Whether something is written down about a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Yes,
    No,
}

/// Puts back what was there before keyroster: in the configuration that was asked for, else in all that are written down.
///
/// # Errors
/// When it can't, or when sshd would still ask keyroster afterwards, or let nobody in. Then everything is as it was.
pub fn disable(args: &DisableArgs) -> Result<(), EnableError> {
    verb::require_root()?;
    let records = records(args);
    let _lock = verb::lock(records.as_ref())?;
    let mut cases = Vec::new();
    for config in configs(args, records.as_ref()) {
        cases.extend(look(args, &config, records.as_ref())?);
    }
    if args.dry_run {
        say("nothing was changed");
        return Ok(());
    }
    for case in &cases {
        case.carry_out(records.as_ref())?;
    }
    Ok(())
}

/// What is written down, if that can be had: a disk that is full must not keep anybody from disabling.
fn records(args: &DisableArgs) -> Option<Records> {
    let records = match args.dry_run {
        true => Records::open(&args.places.state),
        false => Records::create(&args.places.state).map(Some),
    };
    records.unwrap_or_else(|err| {
        not_known(&err);
        None
    })
}

/// A record that can't be read must not keep anybody from disabling.
fn enabled(records: Option<&Records>) -> Vec<Enabled> {
    let read = records.map_or(Ok(Vec::new()), Records::enabled);
    read.unwrap_or_else(|err| {
        not_known(&err);
        Vec::new()
    })
}

fn not_known(err: &EnableError) {
    say(&format!(
        "not known: what was there before keyroster ({err})"
    ));
}

/// The configurations that are meant. The usual one is, also when nothing is written down: its drop-in may come from elsewhere.
fn configs(args: &DisableArgs, records: Option<&Records>) -> BTreeSet<PathBuf> {
    if let Some(config) = &args.places.sshd_config {
        return BTreeSet::from([config.clone()]);
    }
    let mut configs = BTreeSet::from([PathBuf::from(DEFAULT_CONFIG)]);
    configs.extend(enabled(records).into_iter().map(|one| one.subject.config));
    let pending = records.and_then(|records| records.pending().ok().flatten());
    configs.extend(pending.map(|pending| pending.subject.config));
    configs
}

fn look(
    args: &DisableArgs,
    config: &Path,
    records: Option<&Records>,
) -> Result<Option<Case>, EnableError> {
    let drop_in = DropIn::beside(config, DROP_IN);
    // A directory that is not there holds no drop-in.
    let place = match drop_in.directory.symlink_metadata() {
        Err(err) if err.kind() == ErrorKind::NotFound => return Ok(None),
        _ => Place::open(&drop_in)?,
    };
    let case = Case {
        plan: plan(config, records, &place)?,
        places: places(args, config)?,
        place,
        drop_in,
    };
    case.show();
    if let Some(places) = &case.places {
        gate::open(args, places, (&case.plan.now, &case.plan.before))?;
    }
    Ok(Some(case))
}

fn places(args: &DisableArgs, config: &Path) -> Result<Option<Places>, EnableError> {
    if !config.exists() {
        return Ok(None);
    }
    match Places::reading(&args.places, config) {
        Err(EnableError::Sshd(SshdError::Start { err, .. }))
            if err.kind() == ErrorKind::NotFound =>
        {
            say("no sshd is installed: there is none to tell");
            Ok(None)
        }
        places => places.map(Some),
    }
}

fn plan(config: &Path, records: Option<&Records>, place: &Place) -> Result<Plan, EnableError> {
    let now = place.read()?;
    let known = enabled(records)
        .into_iter()
        .find(|one| one.subject.config == config);
    if let Some(enabled) = known {
        return Ok(Plan {
            now,
            before: enabled.original,
            written: enabled.written.0,
            known: Known::Yes,
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
        known: Known::No,
    })
}

impl Case {
    fn show(&self) {
        let Plan { now, before, .. } = &self.plan;
        let path = self.drop_in.path();
        if now == before {
            say(&format!("nothing to do in \"{}\"", path.display()));
            return;
        }
        say(&match before {
            Content::Absent => format!("remove \"{}\"", path.display()),
            Content::File { .. } => format!("put back what \"{}\" was", path.display()),
        });
        for line in diff::lines(&now.text(), &before.text()) {
            say(&line);
        }
    }

    fn carry_out(&self, records: Option<&Records>) -> Result<(), EnableError> {
        let clock = SystemClock::new().map_err(|err| EnableError::Internal(err.to_string()))?;
        let change = (self.plan.written.as_slice(), &self.plan.before);
        let put = restore::put_back(&self.place, records, change, &clock.now())?;
        if let Some(places) = &self.places
            && let Err(failure) = self.tell(places, &put)
        {
            return Err(self.undo(places, failure));
        }
        let path = self.place.path().display();
        match &put {
            PutBack::Already => {}
            PutBack::Done => tracing::warn!(drop_in = %path, "keyroster is disabled"),
            PutBack::KeptAside(kept) => {
                say(&format!(
                    "it had been edited; what it was is in \"{}\"",
                    kept.display()
                ));
                tracing::warn!(drop_in = %path, kept = %kept.display(), "keyroster is disabled");
            }
        }
        records.map_or(Ok(()), |records| self.forget(records))
    }

    /// Has sshd read it. Also where the file was as before already: an earlier run may have ended in between, or somebody has
    /// taken the file away by hand.
    fn tell(&self, places: &Places, put: &PutBack) -> Result<(), EnableError> {
        match restore::reload(&places.sshd) {
            Ok(all) => {
                for one in all {
                    say(&verb::reloaded(&one));
                }
            }
            Err(EnableError::Broken(said))
                if *put == PutBack::Already && self.plan.known == Known::No =>
            {
                say(&format!(
                    "sshd refuses its configuration, and was not told: {said}"
                ));
            }
            Err(err) => return Err(err),
        }
        gate::nothing_left(places)
    }

    fn undo(&self, places: &Places, failure: EnableError) -> EnableError {
        let put = self.place.put(&self.plan.now);
        // It may be what has failed, and the file is what the next sshd reads.
        if let Err(err) = restore::reload(&places.sshd) {
            tracing::warn!(%err, "sshd was not told of the drop-in that was put back");
        }
        match put {
            Ok(()) => failure,
            Err(undo) => EnableError::HalfDone {
                failure: Box::new(failure),
                undo: Box::new(undo),
            },
        }
    }

    /// Of this configuration, and of no other.
    fn forget(&self, records: &Records) -> Result<(), EnableError> {
        let config = &self.drop_in.config;
        records.forget_enabled(config)?;
        let pending = records.pending().ok().flatten();
        if pending.is_some_and(|pending| pending.subject.config == *config) {
            records.tell_outcome(&Outcome::TakenBack("`disable`".to_owned()));
            records.set_pending(None)?;
        }
        Ok(())
    }
}
