//! Signed documents. Each one that may not be used would let a stranger in.

use keyroster_api::snapshot::Snapshot;
use keyroster_testkit::{Failure, Result};

use crate::documents::{DAY_S, EPOCH, HELD_REVISION, NEWER_REVISION, serving, sign, sign_bytes};
use crate::rules::Effect::{Ended, Undecided};
use crate::stage::Stage;
use crate::table::Fault;
use crate::world::{OTHER_SIGNER, signer};

pub(super) fn rows() -> Vec<Fault> {
    let mut rows = refused_by_signature();
    rows.extend(refused_by_content());
    rows.extend(refused_by_form());
    rows.extend(used());
    rows
}

fn refused_by_signature() -> Vec<Fault> {
    vec![
        Fault::met_by_all("bad signature", Undecided, |stage| {
            let poisoned = stage.poisoned(|_| {})?;
            let mut body = sign(&stage.world.signer, &poisoned)?;
            let last = body.len().saturating_sub(3);
            if let Some(byte) = body.get_mut(last) {
                *byte ^= 1;
            }
            serve(stage, &poisoned, body)
        })
        .how("one bit of the signed bytes is flipped"),
        Fault::met_by_all("no signature", Undecided, |stage| {
            let poisoned = stage.poisoned(|_| {})?;
            serve(stage, &poisoned, bytes(&poisoned)?.into_bytes())
        }),
        Fault::met_by_all("unknown signer", Undecided, |stage| {
            let poisoned = stage.poisoned(|_| {})?;
            serve(stage, &poisoned, sign(&signer(OTHER_SIGNER)?, &poisoned)?)
        }),
    ]
}

fn refused_by_content() -> Vec<Fault> {
    vec![
        Fault::met_by_all("another host's snapshot", Undecided, |stage| {
            poison(stage, |snapshot| {
                snapshot.host = "01934f6e-0000-7000-8000-00000000beef".to_owned()
            })
        }),
        Fault::met_by_all("older revision", Undecided, |stage| {
            poison(stage, |snapshot| snapshot.revision = HELD_REVISION - 1)
        }),
        Fault::met_by_all("older epoch", Undecided, |stage| {
            poison(stage, |snapshot| {
                (snapshot.epoch, snapshot.revision) = (EPOCH - 1, NEWER_REVISION * 1000);
            })
        }),
        Fault::met_by_all("issued in the future", Undecided, |stage| {
            poison(stage, |snapshot| snapshot.issued_at += 366 * DAY_S)
        }),
        Fault::met_by_all("revision 2^63", Undecided, |stage| {
            poison(stage, |snapshot| snapshot.revision = 1 << 63)
        }),
        Fault::met_by_all("grace beyond its limit", Undecided, |stage| {
            poison(stage, |snapshot| snapshot.freshness.grace_s = u32::MAX)
        }),
        Fault::met_by_all(
            "a key that stands twice in an account",
            Undecided,
            |stage| {
                poison(stage, |snapshot| {
                    for account in &mut snapshot.accounts {
                        account.keys.extend_from_within(..);
                    }
                })
            },
        ),
    ]
}

fn refused_by_form() -> Vec<Fault> {
    vec![
        Fault::met_by_all("unknown schema", Undecided, |stage| {
            poison(stage, |snapshot| snapshot.schema = 99)
        }),
        Fault::met_by_all("duplicate JSON keys", Undecided, |stage| {
            let text = bytes(&stage.poisoned(|_| {})?)?;
            let twice = text.replacen('{', &format!("{{\"revision\":{HELD_REVISION},"), 1);
            signed(stage, twice.as_bytes())
        }),
        Fault::met_by_all("an unknown JSON key", Undecided, |stage| {
            let text = bytes(&stage.poisoned(|_| {})?)?;
            signed(
                stage,
                text.replacen('{', "{\"critical\":true,", 1).as_bytes(),
            )
        }),
        Fault::met_by_all("deep nesting", Undecided, |stage| {
            let text = bytes(&stage.poisoned(|_| {})?)?;
            let deep = format!(
                "{{\"accounts\":{}{},",
                "[".repeat(BRACKETS),
                "]".repeat(BRACKETS)
            );
            signed(stage, text.replacen('{', &deep, 1).as_bytes())
        })
        .how("ten thousand brackets, signed"),
    ]
}

fn used() -> Vec<Fault> {
    vec![
        Fault::met_by_all("expired snapshot", Ended, |stage| {
            let until = stage.now_s()? - DAY_S;
            let ended = stage.poisoned(|snapshot| {
                let keys = snapshot.accounts.iter_mut().flat_map(|account| &mut account.keys);
                for segment in keys.flat_map(|key| &mut key.segments) {
                    segment.until = Some(until);
                }
            })?;
            let body = sign(&stage.world.signer, &ended)?;
            serve(stage, &ended, body)
        })
        .how("sound, and every span of time in it is over; a snapshot as a whole has no end of its own"),
        Fault::met_by_all("an empty set", Ended, |stage| {
            let empty = stage.poisoned(|snapshot| snapshot.accounts.clear())?;
            let body = sign(&stage.world.signer, &empty)?;
            serve(stage, &empty, body)
        })
        .how("sound: nobody may log in any more"),

    ]
}

fn poison(stage: &mut Stage<'_>, spoil: impl FnOnce(&mut Snapshot)) -> Result {
    let behaviour = stage.poison(spoil)?;
    stage.serve(behaviour).map(drop)
}

fn bytes(snapshot: &Snapshot) -> Result<String> {
    serde_json::to_string(snapshot).map_err(|error| Failure::new(error.to_string()))
}

/// Signs these bytes and serves them, with heartbeats for the snapshot that they would be.
fn signed(stage: &mut Stage<'_>, bytes: &[u8]) -> Result {
    let body = sign_bytes(&stage.world.signer, bytes)?;
    let poisoned = stage.poisoned(|_| {})?;
    serve(stage, &poisoned, body)
}

fn serve(stage: &mut Stage<'_>, vouched: &Snapshot, body: Vec<u8>) -> Result {
    let answer = stage.vouched(vouched, serving(body))?;
    stage.serve(answer).map(drop)
}

const BRACKETS: usize = 10_000;
