//! The state directory. Where it can't be believed, the key server is down: nothing else could answer.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;

use keyroster_testkit::{Failure, Result};

use crate::documents::{held, sign};
use crate::rules::Effect::{Decided, NoAgent, Unbelieved, Undecided};
use crate::stage::Stage;
use crate::table::Fault;

pub(super) fn rows() -> Vec<Fault> {
    let mut rows = unwritable();
    rows.extend(unreadable());
    rows.extend(untrusted());
    rows.extend(lost());
    rows
}

fn unwritable() -> Vec<Fault> {
    vec![
        Fault::met_by_daemon("disk full", Decided, |stage| {
            let state = on_small_disk(stage)?;
            let large = stage.sound_and_large()?;
            stage.serve(large)?;
            stage.apart(&format!("cat /dev/zero > \"{state}/filler\" || true"))
        })
        .restarted(Unbelieved)
        .how("a file system of 128 KiB, filled; restarted without the key server, nobody is let in by what is older"),
        Fault::met_by_daemon("disk read-only", Decided, |stage| {
            let state = on_small_disk(stage)?;
            sound(stage)?;
            // A host agent has run here before.
            stage.apart(&format!(
                "cd \"{state}\" && touch lock daemon && chown --reference=. lock daemon && chmod 600 lock daemon \
                 && mount -o remount,ro \"{state}\""
            ))
        })
        .restarted(Undecided)
        .how("restarted without the key server, what is older answers by its own age: nothing else was ever confirmed"),
        Fault::met_by_daemon("state directory not writable any more", Decided, |stage| {
            sound(stage)
        })
        .upset(|stage| {
            let state = stage.state();
            let _ = stage.agent()?.wait_for_line("new snapshot")?;
            set_mode(&state, 0o500)
        })
        .how("its mode is changed while the host agent runs"),
        Fault::met_by_daemon("I/O error while writing", Decided, |stage| {
            stage.limit("trap '' XFSZ; ulimit -f 0");
            sound(stage)
        })
        .restarted(Unbelieved)
        .how("each write fails with EFBIG (RLIMIT_FSIZE): there is no device here that breaks on request"),
        Fault::met_by_daemon("I/O error while reading", Unbelieved, |stage| {
            ensure(stage, &stage.state(), SNAPSHOT)?;
            let (agent, state) = (&stage.world.agent, stage.state());
            let script = format!(
                "setpriv --reuid={} --regid={} --clear-groups sleep 120 > /dev/null 2>&1 & sleep 0.2; \
                 mount --bind /proc/$!/mem \"{}/{SNAPSHOT}\"",
                agent.uid,
                agent.gid,
                state.display()
            );
            stage.apart(&script)
        })
        .how("EIO: another process's memory is mounted over the snapshot"),
    ]
}

fn unreadable() -> Vec<Fault> {
    vec![
        Fault::met_by_all("snapshot of zero length", Unbelieved, |stage| {
            spoil(stage, SNAPSHOT, |_| Vec::new())
        }),
        Fault::met_by_all("snapshot truncated", Unbelieved, |stage| {
            spoil(stage, SNAPSHOT, half)
        }),
        Fault::met_by_all("snapshot with a flipped bit", Unbelieved, |stage| {
            spoil(stage, SNAPSHOT, |bytes| {
                flip(bytes, bytes.len().saturating_sub(3))
            })
        }),
        Fault::met_by_all("confirmation of zero length", Unbelieved, |stage| {
            spoil(stage, CONFIRMED, |_| Vec::new())
        }),
        Fault::met_by_all("confirmation truncated", Unbelieved, |stage| {
            spoil(stage, CONFIRMED, half)
        }),
        Fault::met_by_all("confirmation with a flipped bit", Unbelieved, |stage| {
            spoil(stage, CONFIRMED, |bytes| {
                flip(bytes, after(bytes, "\"revision\":"))
            })
        })
        .how("in the revision that it vouches for"),
        Fault::met_by_all("high-water mark of zero length", Unbelieved, |stage| {
            spoil(stage, HIGH_WATER, |_| Vec::new())
        }),
        Fault::met_by_all("high-water mark truncated", Unbelieved, |stage| {
            spoil(stage, HIGH_WATER, half)
        }),
        Fault::met_by_all("high-water mark with a flipped bit", Unbelieved, |stage| {
            spoil(stage, HIGH_WATER, |bytes| {
                flip(bytes, after(bytes, "\"revision\":") + 1)
            })
        })
        .how("in the revision"),
        Fault::met_by_daemon("host's certificate of zero length", NoAgent, |stage| {
            spoil(stage, "credential/cert.pem", |_| Vec::new())
        })
        .how("the host agent does not start"),
    ]
}

fn untrusted() -> Vec<Fault> {
    vec![
        Fault::met_by_all("snapshot is a symbolic link", Unbelieved, |stage| {
            replace(stage, |path, aside| symlink(aside, path))
        })
        .how("to the sound one"),
        Fault::met_by_all("snapshot is a FIFO", Unbelieved, |stage| {
            let (uid, gid) = (stage.world.agent.uid, stage.world.agent.gid);
            replace(stage, |path, _| {
                let mode = rustix::fs::Mode::from_raw_mode(0o600);
                rustix::fs::mkfifoat(rustix::fs::CWD, path, mode)?;
                chown(path, Some(uid), Some(gid))
            })
        }),
        Fault::met_by_all("snapshot has a hard link", Undecided, |stage| {
            replace(stage, |path, aside| fs::hard_link(aside, path))
        })
        .how("harmless: nobody else may write the file by whichever name, and a link to another's file has another owner"),
        Fault::met_by_all("snapshot belongs to another user", Unbelieved, |stage| {
            each(stage, |path| {
                chown(path, Some(0), Some(0))?;
                fs::set_permissions(path, fs::Permissions::from_mode(0o644))
            })
        }),
        Fault::met_by_all("snapshot can be written by others", Unbelieved, |stage| {
            each(stage, |path| fs::set_permissions(path, fs::Permissions::from_mode(0o666)))
        }),
        Fault::met_by_all("host's key can be read by others", NoAgent, |stage| {
            for state in stage.states() {
                set_mode(&state.join("credential/key.pem"), 0o644)?;
            }
            Ok(())
        })
        .how("the host agent does not start"),
        Fault::met_by_all("state directory can be written by others", NoAgent, |stage| {
            for state in stage.states() {
                set_mode(&state, 0o777)?;
            }
            Ok(())
        })
        .how("the host agent does not start"),
        Fault::met_by_all("state directory belongs to another user", NoAgent, |stage| {
            for state in stage.states() {
                chown(&state, Some(0), Some(0)).map_err(|error| Failure::io("own", &state, &error))?;
                set_mode(&state, 0o755)?;
            }
            Ok(())
        })
        .how("the host agent does not start"),
    ]
}

fn lost() -> Vec<Fault> {
    vec![
        Fault::met_by_all("high-water mark deleted", Unbelieved, |stage| {
            lose(stage, HIGH_WATER)
        }),
        Fault::met_by_all("confirmation deleted", Unbelieved, |stage| {
            ensure_all(stage, CONFIRMED)?;
            lose(stage, CONFIRMED)
        }),
        Fault::met_by_all("snapshot deleted", Unbelieved, |stage| {
            ensure_all(stage, SNAPSHOT)?;
            lose(stage, SNAPSHOT)
        }),
        Fault::met_by_all("credential deleted", NoAgent, |stage| {
            for state in stage.states() {
                let path = state.join("credential");
                fs::remove_dir_all(&path).map_err(|error| Failure::io("remove", &path, &error))?;
            }
            Ok(())
        })
        .how("the host is not enrolled: the host agent does not start"),
        Fault::elsewhere("kill −9 in mid-rename", Undecided, "`cargo xtask chaos`"),
    ]
}

/// Puts the state directory on a file system of its own that soon is full; returns its path.
fn on_small_disk(stage: &mut Stage<'_>) -> Result<String> {
    let state = stage.state().display().to_string();
    stage.apart(&format!(
        "cp -a \"{state}\" \"{state}.copy\" && mount -t tmpfs -o size=128k,mode=700 none \"{state}\" \
         && cp -a \"{state}.copy/.\" \"{state}\""
    ))?;
    Ok(state)
}

fn sound(stage: &mut Stage<'_>) -> Result {
    let sound = stage.sound()?;
    stage.serve(sound).map(drop)
}

/// Changes the bytes of a file in both state directories; one that is not there is made first.
fn spoil(stage: &mut Stage<'_>, name: &str, change: fn(&[u8]) -> Vec<u8>) -> Result {
    for state in stage.states() {
        ensure(stage, &state, name)?;
        let path = state.join(name);
        let changed = fs::read(&path).map(|bytes| change(&bytes));
        changed
            .and_then(|bytes| fs::write(&path, bytes))
            .map_err(|error| Failure::io("spoil", &path, &error))?;
    }
    Ok(())
}

/// Does something to the snapshot in both state directories.
fn each(stage: &mut Stage<'_>, act: impl Fn(&Path) -> std::io::Result<()>) -> Result {
    for state in stage.states() {
        ensure(stage, &state, SNAPSHOT)?;
        let path = state.join(SNAPSHOT);
        act(&path).map_err(|error| Failure::io("change", &path, &error))?;
    }
    Ok(())
}

/// Moves the snapshot aside and puts something in its place, in both state directories.
fn replace(stage: &mut Stage<'_>, put: impl Fn(&Path, &Path) -> std::io::Result<()>) -> Result {
    each(stage, |path| {
        let aside = path.with_extension("aside");
        fs::rename(path, &aside)?;
        put(path, &aside)
    })
}

fn lose(stage: &mut Stage<'_>, name: &str) -> Result {
    for state in stage.states() {
        let path = state.join(name);
        fs::remove_file(&path).map_err(|error| Failure::io("remove", &path, &error))?;
    }
    Ok(())
}

fn ensure_all(stage: &Stage<'_>, name: &str) -> Result {
    stage
        .states()
        .iter()
        .try_for_each(|state| ensure(stage, state, name))
}

/// A host that holds nothing has no file to be spoilt: it gets a snapshot that was never confirmed, or an empty object.
fn ensure(stage: &Stage<'_>, state: &Path, name: &str) -> Result {
    let path = state.join(name);
    if path.exists() {
        return Ok(());
    }
    let bytes = match name {
        SNAPSHOT => {
            let snapshot = held(stage.world, stage.mode, stage.held, stage.now_s()?)?;
            sign(&stage.world.signer, &snapshot)?
        }
        _ => b"{\"revision\":10}\n".to_vec(),
    };
    fs::write(&path, bytes).map_err(|error| Failure::io("write", &path, &error))?;
    stage.world.agent.own(&path)?;
    set_mode(&path, 0o600)
}

fn set_mode(path: &Path, mode: u32) -> Result {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(|error| Failure::io("set the mode of", path, &error))
}

fn half(bytes: &[u8]) -> Vec<u8> {
    bytes.get(..bytes.len() / 2).unwrap_or_default().to_vec()
}

/// Where the bytes behind this text begin.
fn after(bytes: &[u8], text: &str) -> usize {
    let windows = &mut bytes.windows(text.len());
    let found = windows.position(|window| window == text.as_bytes());
    found.unwrap_or_default() + text.len()
}

/// Flips a bit that leaves a digit a digit.
fn flip(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 2;
    }
    bytes
}

const SNAPSHOT: &str = "snapshot";
const CONFIRMED: &str = "confirmed";
const HIGH_WATER: &str = "high-water";
