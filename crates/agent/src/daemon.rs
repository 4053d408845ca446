//! `keyroster-agent run`.
//!
//! Two threads, two runtimes: logins are answered on one that does nothing else, so that no handshake and no large snapshot
//! of the poller's stands before a login.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::clock::SystemClock;
use crate::config::Config;
use crate::error::AgentError;
use crate::peers::{PASSWD, Peers};
use crate::poll::Poller;
use crate::reports::Reporter;
use crate::revoked::Lists;
use crate::shared::Shared;
use crate::socket::{Answering, Socket};
use crate::state::dir::Lock;
use crate::state::{Credential, StateDir, files, memory};
use crate::status;

/// Runs until a signal ends it.
///
/// # Errors
/// When it can't start: not enrolled, another one running, no socket.
pub fn run(config: Config) -> Result<(), AgentError> {
    warn_of_root();
    let dir = StateDir::open(&config.state_dir)?;
    let _daemon = be_the_only_one(&dir)?;
    let credential = Credential::load(&dir)?.ok_or(AgentError::NotEnrolled)?;
    let (peers, unknown) = Peers::resolve(&config.lookup_users, &passwd());
    for user in unknown {
        tracing::warn!(user, "a user of lookup-users does not exist");
    }
    let clock = SystemClock::new()?;
    let floor = credential
        .host
        .floor()
        .map_err(|err| AgentError::Internal(err.to_string()))?;
    let now = crate::clock::Clock::now(&clock);
    let (known, doubts) = memory::load(&dir, &credential.authority(), floor, &now);
    for doubt in doubts {
        tracing::error!(error = %doubt, "state on disk is not used");
    }
    let (shared, mut poked) = Shared::new(Box::new(clock), known);
    let shared = Arc::new(shared);
    let identity = Arc::new(status::Identity::new(&credential, config.server.as_deref()));
    let socket = Socket::bind(&config.socket)?;
    let key = credential.snapshot_key.clone();
    let mut poller = Poller::new(Arc::clone(&shared), config.clone(), credential, dir)?;
    let answering = Answering {
        shared: Arc::clone(&shared),
        peers: Arc::new(peers),
        identity,
    };
    let (stop, stopped) = watch::channel(());
    let answers = std::thread::Builder::new()
        .name("answers".to_owned())
        .spawn(move || answer(&socket, answering, stopped))
        .map_err(|err| AgentError::Internal(err.to_string()))?;
    let runtime = runtime().map_err(|err| AgentError::Internal(err.to_string()))?;
    let lists = Lists {
        config,
        shared,
        fetchers: poller.fetchers(),
        key,
    };
    let ended = runtime.block_on(poll_until_signal(&mut poller, &mut poked, lists));
    drop(stop);
    let _ = answers.join();
    // A name that is being resolved can't be interrupted; it is left behind.
    runtime.shutdown_background();
    ended.map_err(|err| AgentError::Internal(err.to_string()))
}

/// Takes the daemon's lock. A login that looks whether it is held has it for a moment, and one that renews the certificate for as long
/// as a login may take, so it is tried for longer than that.
fn be_the_only_one(dir: &StateDir) -> Result<Lock, AgentError> {
    let internal = |err: io::Error| AgentError::Internal(err.to_string());
    runtime().map_err(internal)?.block_on(async {
        for _ in 0..LOCK_TRIES {
            if let Some(lock) = dir.try_lock(files::DAEMON)? {
                return Ok(lock);
            }
            tokio::time::sleep(LOCK_PAUSE).await;
        }
        Err(AgentError::Running(dir.path().to_owned()))
    })
}

async fn poll_until_signal(
    poller: &mut Poller,
    poked: &mut tokio::sync::mpsc::Receiver<()>,
    lists: Lists,
) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        () = poller.first() => {}
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    }
    let reporter = Reporter::new(&lists.config);
    let telling = reporter.run(Arc::clone(&lists.shared), lists.fetchers.clone());
    notify(NotifyState::Ready);
    tracing::info!("ready");
    tokio::select! {
        () = poller.run(poked) => {}
        () = lists.run() => {}
        () = telling => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    notify(NotifyState::Stopping);
    tracing::info!("stopping");
    poller.finish().await;
    Ok(())
}

/// The thread of the logins. It feeds systemd's watchdog: a host agent that can't answer logins is one to restart.
fn answer(socket: &Socket, answering: Answering, mut stopped: watch::Receiver<()>) {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(err) => return tracing::error!(error = %err, "can't answer logins"),
    };
    runtime.block_on(async {
        tokio::select! {
            _ = stopped.changed() => {}
            () = feed_watchdog() => {}
            served = socket.serve(answering) => {
                if let Err(err) = served {
                    tracing::error!(error = %err, "can't answer logins");
                }
            }
        }
        socket.finish().await;
    });
}

async fn feed_watchdog() {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    loop {
        notify(NotifyState::Watchdog);
        tokio::time::sleep(limit / WATCHDOG_FRACTION).await;
    }
}

fn notify(state: NotifyState<'_>) {
    // Without systemd there is nobody to tell.
    let _ = sd_notify::notify(&[state]);
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

fn passwd() -> String {
    std::fs::read_to_string(PASSWD).unwrap_or_default()
}

fn warn_of_root() {
    if rustix::process::geteuid().is_root() {
        tracing::warn!(
            "running as root; keyroster-agent needs no privilege and has a user of its own"
        );
    }
}

/// How often the lock is tried …
const LOCK_TRIES: u32 = 200;

/// … and how long is waited in between.
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// How often the watchdog is fed within its limit.
const WATCHDOG_FRACTION: u32 = 3;
