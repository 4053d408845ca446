//! One question, by the real lookup, as sshd would ask it.

use std::path::Path;
use std::time::{Duration, Instant};

use keyroster_testkit::{Account, Failure, Finished, Program, Result};

use crate::rules::{Key, Word};
use crate::world::World;

/// What lookup said, and how long it took to say it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    pub(crate) word: Word,
    pub(crate) took: Duration,
}

/// Asks for a login with `key`, with this configuration, as this account.
pub(crate) fn ask(world: &World, config: &Path, user: &Account, key: Key) -> Result<Told> {
    let (key_type, blob) = world.key(key)?.parts();
    let program = Program::at(&world.lookup_program).user(user).args([
        "keys".to_owned(),
        format!("--user={}", world.login.name),
        format!("--uid={}", world.login.uid),
        format!("--type={key_type}"),
        format!("--key={blob}"),
        "--fingerprint=SHA256:x".to_owned(),
        format!("--config={}", config.display()),
    ]);
    let started = Instant::now();
    let finished = program.finish_within(GIVE_UP)?;
    let took = started.elapsed();
    Ok(Told {
        word: word(&finished, blob)?,
        took,
    })
}

/// How long lookup takes when it asks nobody.
pub(crate) fn start_and_end(world: &World) -> Result<Duration> {
    let program = Program::at(&world.lookup_program).user(&world.lookup);
    let started = Instant::now();
    program.arg("--version").finish_within(GIVE_UP)?;
    Ok(started.elapsed())
}

/// What sshd makes of it: a failure discards whatever was printed.
fn word(finished: &Finished, blob: &str) -> Result<Word> {
    let whole_line = |line: &str| {
        line.starts_with("restrict,")
            && line.contains(&format!(" {blob} keyroster:alice:"))
            && line.lines().count() == 1
    };
    match (finished.code(), finished.stdout.as_str()) {
        (Some(0), "") => Ok(Word::None),
        (Some(0), line) if whole_line(line) => Ok(Word::Found),
        (Some(UNAVAILABLE), "") => Ok(Word::Unavailable),
        _ => Err(Failure::new(format!("lookup gave no answer: {finished:?}"))),
    }
}

/// The exit code for "could not be decided".
const UNAVAILABLE: i32 = 75;
/// After this lookup is killed: it ends by itself long before, or is hung.
const GIVE_UP: Duration = Duration::from_secs(30);
