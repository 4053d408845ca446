//! Updates: what changed instead of everything, and the journal of them. Those that may not be used would let a stranger in.

use std::fs;
use std::path::Path;

use keyroster_api::update::{CONTENT_TYPE, Update};
use keyroster_testkit::{Behaviour, Failure, Result};

use crate::documents::{HELD_REVISION, held, newer, sign_bytes, sign_update, update};
use crate::host;
use crate::rules::Effect::{Decided, Unbelieved, Undecided};
use crate::stage::Stage;
use crate::table::Fault;
use crate::world::{OTHER_SIGNER, signer};

pub(super) fn rows() -> Vec<Fault> {
    let mut rows = told();
    rows.extend(kept());
    rows
}

/// The key server tells by an update where it may, and fails where it is asked for the whole.
fn told() -> Vec<Fault> {
    vec![
        Fault::met_by_all("update of a wrong base", Undecided, |stage| {
            poison(stage, |update| update.from_revision = HELD_REVISION - 1)
        }),
        Fault::met_by_all("update with a bad digest", Undecided, |stage| {
            poison(stage, |update| update.digest = "0".repeat(64))
        }),
        Fault::met_by_all("update for another host", Undecided, |stage| {
            poison(stage, |update| {
                update.host = "01934f6e-0000-7000-8000-00000000beef".to_owned()
            })
        }),
        Fault::met_by_all("update with a bad signature", Undecided, |stage| {
            let document = sign_update(&signer(OTHER_SIGNER)?, &poisoned(stage)?)?;
            serve(stage, document, Behaviour::status(503))
        })
        .how("another key's"),
        Fault::met_by_all("update signed as a snapshot", Undecided, |stage| {
            let bytes = serde_json::to_vec(&poisoned(stage)?);
            let bytes = bytes.map_err(|error| Failure::new(error.to_string()))?;
            let document = sign_bytes(&stage.world.signer, &bytes)?;
            serve(stage, document, Behaviour::status(503))
        }),
        Fault::met_by_all(
            "update that can't be used, and a sound whole",
            Decided,
            |stage| {
                let document = sign_update(&signer(OTHER_SIGNER)?, &poisoned(stage)?)?;
                let whole = stage.sound()?;
                serve(stage, document, whole)
            },
        )
        .how("asked for the whole at once"),
    ]
}

/// What is held was amended by an update in the journal, which took the revoked key away; the key server is down.
fn kept() -> Vec<Fault> {
    vec![
        Fault::met_by_all("journal torn", Unbelieved, |stage| {
            spoil(stage, |bytes| bytes.truncate(bytes.len().saturating_sub(1)))
        })
        .how("its last byte is missing, though what it makes was confirmed"),
        Fault::met_by_all("journal with a flipped bit", Unbelieved, |stage| {
            spoil(stage, |bytes| {
                let last = bytes.len().saturating_sub(3);
                if let Some(byte) = bytes.get_mut(last) {
                    *byte ^= 1;
                }
            })
        }),
        Fault::met_by_all("journal of zero length", Unbelieved, |stage| {
            spoil(stage, Vec::clear)
        }),
        Fault::met_by_all("journal deleted", Unbelieved, |stage| {
            spoil(stage, |_| {})?;
            for state in stage.states() {
                let path = state.join(JOURNAL);
                fs::remove_file(&path).map_err(|error| Failure::io("remove", &path, &error))?;
            }
            Ok(())
        }),
    ]
}

fn poisoned(stage: &Stage<'_>) -> Result<Update> {
    let from = held(stage.world, stage.mode, stage.held, stage.now_s()?)?;
    Ok(update(&from, &stage.poisoned(|_| {})?))
}

fn poison(stage: &mut Stage<'_>, change: impl FnOnce(&mut Update)) -> Result {
    let mut poisoned = poisoned(stage)?;
    change(&mut poisoned);
    let document = sign_update(&stage.world.signer, &poisoned)?;
    serve(stage, document, Behaviour::status(503))
}

fn serve(stage: &mut Stage<'_>, document: Vec<u8>, whole: Behaviour) -> Result {
    let answer = Behaviour::Answer {
        status: 200,
        headers: vec![format!("content-type: {CONTENT_TYPE}")],
        body: document,
    };
    let newer = newer(stage.world, stage.mode, stage.now_s()?)?;
    let told = stage.vouched(&newer, answer)?;
    stage.serve_by(move |head| match head.contains(CONTENT_TYPE) {
        true => told.clone(),
        false => whole.clone(),
    })
}

/// Lets the host have followed an update, and then changes the journal's bytes.
fn spoil(stage: &mut Stage<'_>, change: fn(&mut Vec<u8>)) -> Result {
    let from = held(stage.world, stage.mode, stage.held, stage.now_s()?)?;
    let mut to = newer(stage.world, stage.mode, stage.now_s()?)?;
    to.freshness = from.freshness;
    let document = sign_update(&stage.world.signer, &update(&from, &to))?;
    for state in stage.states() {
        host::follow(&state, stage.held, document.clone())?;
        rewrite(&state.join(JOURNAL), change)?;
    }
    Ok(())
}

fn rewrite(path: &Path, change: fn(&mut Vec<u8>)) -> Result {
    let failed = |error| Failure::io("spoil", path, &error);
    let mut bytes = fs::read(path).map_err(failed)?;
    change(&mut bytes);
    fs::write(path, bytes).map_err(failed)
}

const JOURNAL: &str = "journal";
