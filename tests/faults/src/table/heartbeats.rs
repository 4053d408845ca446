//! Heartbeats: the key server's signed word that an answer is to this question. The snapshots beside them are sound, and would
//! let a stranger in.

use keyroster_testkit::{Behaviour, Flaw, Result};

use crate::documents::{HELD_REVISION, newer, serving, sign, voucher};
use crate::rules::Effect::{HeardOnce, Undecided};
use crate::stage::Stage;
use crate::table::Fault;

pub(super) fn rows() -> Vec<Fault> {
    let mut rows = beside_snapshots();
    rows.extend(beside_nothing());
    rows
}

fn beside_snapshots() -> Vec<Fault> {
    vec![
        Fault::met_by_all("heartbeat missing", Undecided, |stage| flawed(stage, Flaw::Missing)),
        Fault::met_by_all("heartbeat with a wrong nonce", Undecided, |stage| {
            flawed(stage, Flaw::OtherNonce)
        }),
        Fault::met_by_all("heartbeat for another host", Undecided, |stage| {
            flawed(stage, Flaw::OtherHost)
        }),
        Fault::met_by_all("heartbeat with a bad signature", Undecided, |stage| {
            flawed(stage, Flaw::OtherKey)
        })
        .how("another key's"),
        Fault::met_by_all("heartbeat too long", Undecided, |stage| flawed(stage, Flaw::TooLong)),
        Fault::met_by_all("heartbeat that is none", Undecided, |stage| flawed(stage, Flaw::Garbage)),
        Fault::met_by_all("heartbeat for another snapshot", Undecided, |stage| {
            let mut other = stage.poisoned(|_| {})?;
            let body = sign(&stage.world.signer, &other)?;
            other.revision += 1;
            let answer = stage.vouched(&other, serving(body))?;
            stage.serve(answer).map(drop)
        })
        .how("for a newer one than the answer has"),
        Fault::met_by_daemon("heartbeat replayed", HeardOnce, replayed)
            .upset(outlive)
            .how("the first answer again and again, past max staleness: what it said once is stale by then"),
    ]
}

fn beside_nothing() -> Vec<Fault> {
    vec![
        Fault::met_by_all("not modified, without a heartbeat", Undecided, |stage| {
            stage.serve(Behaviour::status(304)).map(drop)
        }),
        Fault::met_by_all(
            "not modified, with a heartbeat for another revision",
            Undecided,
            |stage| {
                let newer = newer(stage.world, stage.mode, stage.now_s()?)?;
                let answer = stage.vouched(&newer, Behaviour::status(304))?;
                stage.serve(answer).map(drop)
            },
        ),
        Fault::met_by_all(
            "not modified, by a roster that went back",
            Undecided,
            |stage| {
                let mut older = newer(stage.world, stage.mode, stage.now_s()?)?;
                older.revision = HELD_REVISION - 1;
                let answer = stage.vouched(&older, Behaviour::status(304))?;
                stage.serve(answer).map(drop)
            },
        ),
    ]
}

fn flawed(stage: &mut Stage<'_>, flaw: Flaw) -> Result {
    let poisoned = stage.poisoned(|_| {})?;
    let body = sign(&stage.world.signer, &poisoned)?;
    let voucher = voucher(&poisoned, stage.now_s()?)?.with(flaw);
    stage.serve(serving(body).vouched(voucher)).map(drop)
}

/// Sound once. Whoever asks again gets the same bytes.
fn replayed(stage: &mut Stage<'_>) -> Result {
    let mut newer = newer(stage.world, stage.mode, stage.now_s()?)?;
    newer.freshness.max_staleness_s = 1;
    let body = sign(&stage.world.signer, &newer)?;
    let voucher = voucher(&newer, stage.now_s()?)?.with(Flaw::Replayed);
    stage.serve(serving(body).vouched(voucher)).map(drop)
}

/// Until the one good answer is stale.
fn outlive(stage: &mut Stage<'_>) -> Result {
    stage.agent()?.wait_for_line("new snapshot")?;
    stage.rest_until_stale()
}
