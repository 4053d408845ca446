//! The key server answers with too much.

use std::io::Write as _;
use std::process::{Command, Stdio};

use keyroster_testkit::{Behaviour, Failure, Result};

use crate::documents::{crowd, newer, sign};
use crate::rules::Effect::{Decided, Undecided};
use crate::stage::Stage;
use crate::table::Fault;

pub(super) fn rows() -> Vec<Fault> {
    vec![
        Fault::met_by_all("endless body", Undecided, |stage| {
            stage.serve(Behaviour::Endless).map(drop)
        }),
        Fault::met_by_all("10 GiB body", Undecided, |stage| {
            stage.serve(Behaviour::TenGibibytes).map(drop)
        }),
        Fault::met_by_all("compression bomb", Undecided, bomb)
            .how("10 MiB that would be 10 GiB, `content-encoding: gzip`"),
        Fault::met_by_all("huge headers", Undecided, |stage| {
            let huge = format!("x-huge: {}", "x".repeat(16 << 20));
            let body = sign(&stage.world.signer, &stage.poisoned(|_| {})?)?;
            stage.serve_whole(vec![huge], body)
        })
        .how("one of 16 MiB"),
        Fault::met_by_all("endless headers", Undecided, |stage| {
            stage.serve(Behaviour::EndlessHeaders).map(drop)
        }),
        Fault::met_by_daemon("100,000 keys for one user", Decided, hundred_thousand)
            .how("sound, and larger than a login can wait for: it comes beside the logins"),
    ]
}

/// Ten mebibytes of zeros take ten kibibytes; a thousand of those behind each other are one stream as well.
fn bomb(stage: &mut Stage<'_>) -> Result {
    let once = compress(&vec![0; 10 << 20])?;
    let encoding = "content-encoding: gzip".to_owned();
    stage.serve_whole(vec![encoding], once.repeat(1 << 10))
}

fn compress(bytes: &[u8]) -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| Failure::new(format!("cannot run gzip: {error}"));
    let mut child = Command::new("gzip")
        .arg("-9c")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    // What comes out is smaller than a pipe, so that nobody waits for the other.
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(bytes).map_err(failed)?;
    }
    Ok(child.wait_with_output().map_err(failed)?.stdout)
}

/// The granted key among a hundred thousand. It is signed once for all cells of a mode.
fn hundred_thousand(stage: &mut Stage<'_>) -> Result {
    let body = stage.world.make_once(stage.mode.word(), || {
        let mut snapshot = newer(stage.world, stage.mode, stage.now_s()?)?;
        crowd(&mut snapshot, CROWD)?;
        sign(&stage.world.signer, &snapshot)
    })?;
    stage.serve_whole(Vec::new(), body)
}

const CROWD: u32 = 100_000;
