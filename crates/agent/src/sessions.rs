//! Hands the revoked keys to the program that ends sessions.
//!
//! The host agent has no privilege, and ending other people's processes takes it: so a small program beside it has that privilege
//! and nothing else (docs/sessions.md). It is told which keys are revoked, over a socket of its own: the whole set on
//! connecting, additions after that, and the whole set again when something was taken back.
//!
//! It is a task of its own beside the poller, since that program may be missing, hang or be restarted, and neither a login nor
//! the next question to the key server may wait for it. Where the snapshot does not say that sessions end, the set is empty:
//! told once if anybody listens, so that what was said before the setting was changed does not go on.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use keyroster_api::revoked_keys::RevokedKeys;
use keyroster_keys::{Fingerprint, Fingerprints};
use keyroster_wire::{FINGERPRINTS_MAX, Notice};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::core::held::Held;
use crate::random::jitter;
use crate::revoked::Listed;
use crate::shared::Shared;

/// What that program is to be told.
#[derive(Debug, Clone, Default)]
pub enum Revoked {
    /// It is not known yet: what was said before stays.
    #[default]
    Unknown,
    /// Sessions don't end on this host.
    Off,
    /// Sessions that these keys opened end.
    These(Arc<RevokedKeys>),
}

impl Revoked {
    /// What follows from a snapshot and a list.
    #[must_use]
    pub fn of(held: Option<&Held>, list: &Listed) -> Self {
        match (held.map(Held::end_sessions), list) {
            (Some(false), _) => Self::Off,
            (Some(true), Some(list)) => Self::These(Arc::clone(list)),
            (Some(true), None) | (None, _) => Self::Unknown,
        }
    }

    /// Whether it is the same, without a look at the keys.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Unknown, Self::Unknown) | (Self::Off, Self::Off) => true,
            (Self::These(one), Self::These(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

/// Follows the snapshot and the list, and hands over what follows from the two. It never returns; drop it to end it.
pub async fn run(socket: PathBuf, shared: Arc<Shared>, mut list: watch::Receiver<Listed>) {
    let (say, heard) = watch::channel(Revoked::default());
    let choose = async {
        let mut attempts = shared.attempts();
        loop {
            let now = Revoked::of(shared.known().held.as_deref(), &list.borrow_and_update());
            say.send_if_modified(|before| {
                let news = !before.is(&now);
                *before = now;
                news
            });
            tokio::select! {
                Ok(()) = attempts.changed() => {}
                Ok(()) = list.changed() => {}
                else => std::future::pending().await,
            }
        }
    };
    tokio::join!(choose, hand_over(socket, heard));
}

/// Speaks to the program at `socket` until nobody is left who could change what is to be said.
async fn hand_over(socket: PathBuf, mut revoked: watch::Receiver<Revoked>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let now = revoked.borrow_and_update().clone();
        let spoken = match now {
            Revoked::Unknown => Ok(()),
            Revoked::Off => {
                // Whoever has the setting off need not have the program.
                let _ = connect(&socket, &Fingerprints::default()).await;
                Ok(())
            }
            Revoked::These(list) => match connect(&socket, list.keys()).await {
                Ok(stream) => {
                    tracing::info!(
                        keys = list.keys().len(),
                        "sessions of revoked keys are ended"
                    );
                    pause = FIRST_PAUSE;
                    follow(stream, list, &mut revoked).await
                }
                Err(err) => Err(err),
            },
        };
        match spoken {
            Ok(()) => {
                if revoked.changed().await.is_err() {
                    return;
                }
            }
            Err(err) => {
                tracing::error!(error = %err, "sessions of revoked keys are not ended: nobody hears which these are");
                tokio::time::sleep(spread(pause)).await;
                pause = (pause * 2).min(LAST_PAUSE);
            }
        }
        if revoked.has_changed().is_err() {
            return;
        }
    }
}

/// Connects, and tells the whole set.
async fn connect(socket: &Path, keys: &Fingerprints) -> io::Result<UnixStream> {
    let mut stream = timeout(STEP, UnixStream::connect(socket)).await??;
    if stream.peer_cred()?.uid() != ROOT {
        return Err(io::Error::other("it is not root who listens"));
    }
    tell_all(&mut stream, keys).await?;
    Ok(stream)
}

/// Tells each change, until there is nothing more to tell on this connection.
///
/// # Errors
/// When the other side is gone, or does not read.
async fn follow(
    mut stream: UnixStream,
    mut told: Arc<RevokedKeys>,
    revoked: &mut watch::Receiver<Revoked>,
) -> io::Result<()> {
    let mut nothing = [0];
    loop {
        tokio::select! {
            read = stream.read(&mut nothing) => {
                // It never says anything: what ends here is the connection.
                read?;
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            changed = revoked.changed() => if changed.is_err() { return Ok(()) },
        }
        let now = revoked.borrow_and_update().clone();
        match now {
            Revoked::Unknown => {}
            Revoked::Off => return tell_all(&mut stream, &Fingerprints::default()).await,
            Revoked::These(list) => {
                let (before, keys) = (told.keys(), list.keys());
                if before.without(keys).next().is_some() {
                    tell_all(&mut stream, keys).await?;
                } else {
                    tell(&mut stream, keys.without(before)).await?;
                }
                told = list;
            }
        }
    }
}

async fn tell_all(stream: &mut UnixStream, keys: &Fingerprints) -> io::Result<()> {
    send(stream, &Notice::Begin).await?;
    tell(stream, keys.iter()).await?;
    send(stream, &Notice::Complete).await
}

async fn tell<'a>(
    stream: &mut UnixStream,
    keys: impl Iterator<Item = &'a Fingerprint>,
) -> io::Result<()> {
    let mut part = Vec::new();
    for key in keys {
        part.push(*key.as_bytes());
        if part.len() == FINGERPRINTS_MAX {
            send(stream, &Notice::Revoked(std::mem::take(&mut part))).await?;
        }
    }
    if !part.is_empty() {
        send(stream, &Notice::Revoked(part)).await?;
    }
    Ok(())
}

async fn send(stream: &mut UnixStream, notice: &Notice) -> io::Result<()> {
    let frame = notice.encode().map_err(io::Error::other)?;
    timeout(STEP, stream.write_all(&frame)).await?
}

/// Between half the pause and all of it.
fn spread(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + 0.5 * f64::from(jitter()) / f64::from(u16::MAX))
}

/// How long the other side may take to accept a connection or to read one notice.
const STEP: Duration = Duration::from_secs(5);
/// The pause after a failure …
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// … and the longest after many.
const LAST_PAUSE: Duration = Duration::from_secs(30);
/// Who listens.
const ROOT: u32 = 0;

#[cfg(test)]
mod tests;
