//! What must hold before `disable` changes anything, and after it.

use std::path::Path;

use keyroster_sshd::check::Verdict;
use keyroster_sshd::service::{self, Presence};
use keyroster_sshd::tree::Place;
use keyroster_sshd::would_be::WouldBe;
use keyroster_sshd::{Connection, Sshd, SshdError};

use crate::enable::args::DisableArgs;
use crate::enable::error::{EnableError, Unmet};
use crate::enable::file::Content;
use crate::enable::places::Places;
use crate::enable::{drop_in, granted, way_in, whereabouts};

/// Lets a change through after which sshd still takes its configuration, asks keyroster no longer, and lets somebody in.
///
/// # Errors
/// With what does not hold.
pub fn open(
    args: &DisableArgs,
    places: &Places,
    (now, before): (&Content, &Content),
) -> Result<(), EnableError> {
    if now == before {
        return Ok(());
    }
    let without = match WouldBe::new(&places.sshd, &places.drop_in, before.bytes()) {
        // Then sshd does not read what is there now either.
        Err(SshdError::NotIncluded { .. }) => return Ok(()),
        without => without?,
    };
    match (places.sshd.check()?, without.sshd().check()?) {
        (Verdict::Sound, Verdict::Broken(said)) => return Err(EnableError::BrokenWithout(said)),
        (Verdict::Broken(said), Verdict::Broken(_)) => return told(places, said),
        (_, Verdict::Sound) => {}
    }
    still_there(places, without.sshd(), Some(&places.drop_in.path()))?;
    somebody_gets_in(args, places, &without)
}

/// A configuration that sshd refuses is made no worse, but one that runs could not be told.
fn told(places: &Places, said: String) -> Result<(), EnableError> {
    match service::presence(places.sshd.config())? {
        Presence::Running => Err(EnableError::Broken(said)),
        Presence::Nobody => Ok(()),
    }
}

/// Break-glass files are read because the drop-in says so: with it they go too. Where no sshd runs, as in an image that is being
/// made, nobody can be locked out of it.
fn somebody_gets_in(
    args: &DisableArgs,
    places: &Places,
    without: &WouldBe,
) -> Result<(), EnableError> {
    if args.without_break_glass || service::presence(places.sshd.config())? == Presence::Nobody {
        return Ok(());
    }
    match way_in::find(places, without)? {
        Some(_) => Ok(()),
        None => Err(EnableError::Unmet(Unmet::new(
            "without keyroster sshd would take nobody's key, not even from a break-glass file",
            "put a key into a file that sshd reads by itself, such as ~/.ssh/authorized_keys; or, where you get in otherwise, \
             `keyroster-agent disable --without-break-glass`",
        ))),
    }
}

/// Whether sshd asks keyroster in some other way than by our drop-in.
///
/// # Errors
/// When it does, with the lines that say so.
pub fn nothing_left(places: &Places) -> Result<(), EnableError> {
    still_there(places, &places.sshd, None)
}

fn still_there(places: &Places, sshd: &Sshd, but: Option<&Path>) -> Result<(), EnableError> {
    // Those too that do not win: with what is above them gone they may.
    let lines: Vec<String> = ["AuthorizedKeysCommand", "AuthorizedPrincipalsCommand"]
        .iter()
        .flat_map(|keyword| whereabouts::lines(places, keyword, drop_in::is_lookup))
        .filter(|place| !matches!(place, Place::Line { file, .. } if but == Some(file.as_path())))
        .map(|place| place.to_string())
        .collect();
    if !lines.is_empty() {
        return Err(EnableError::StillThere(lines.join(", ")));
    }
    if sshd.check()? != Verdict::Sound {
        return Ok(());
    }
    let mut accounts = vec!["root".to_owned()];
    accounts.extend(granted::local_logins()?);
    for account in accounts.iter().take(MAX_ASKED) {
        // A name that sshd can't be asked about is none that it could look up.
        let Ok(connection) = Connection::local(account) else {
            continue;
        };
        let effective = sshd.effective(&connection)?;
        if effective.key_program().is_some_and(drop_in::is_lookup) {
            return Err(EnableError::StillThere(
                "in no file that can be read".to_owned(),
            ));
        }
    }
    Ok(())
}

/// Accounts that sshd is asked about.
const MAX_ASKED: usize = 32;
