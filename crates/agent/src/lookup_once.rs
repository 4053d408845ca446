//! `keyroster-agent lookup-once`: one request on standard input, one response on standard output, no daemon.
//!
//! The same state directory and the same rules as the daemon's, with one difference: nobody tells this host of changes, so the key
//! server is asked at every login, however fresh the snapshot is. What the daemon keeps in memory from one login to the next,
//! the breaker above all, is on disk here: an outage must not cost each login a second.

mod upkeep;

use std::io::{Read, Write as _};

use keyroster_api::asks::Asking;
use keyroster_wire::{Question, Reason, Request};
use tokio::time::Instant;

use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::core::breaker::Permit;
use crate::core::held::{Held, Lines};
use crate::core::knowledge::{Knowledge, Outcome};
use crate::core::moment::Moment;
use crate::core::resolver::{Answer, Asked, Effort, LineSource, Resolution, resolve};
use crate::error::AgentError;
use crate::fetch::{Ask, Fetched, Fetcher, Form, LOGIN_TIMEOUT};
use crate::random::jitter;
use crate::reply;
use crate::state::dir::{Lock, Locked};
use crate::state::{Credential, StateDir, StateError, files, journal, memory};
use crate::trust::{self, NewTrust};

/// Answers the one request.
///
/// # Errors
/// When not even "unavailable" can be said.
pub fn run(config: &Config) -> Result<(), AgentError> {
    let request = read_request()?;
    let frame = match reply::decode(&request) {
        Ok(Request::Keys(question)) => answer(config, &question),
        Ok(Request::Principals(_)) => reply::none(Reason::NoPrincipals),
        // Who wants to know how the daemon is must ask the daemon.
        Ok(Request::Status) => reply::unavailable(Reason::BadRequest),
        Err(refusal) => refusal,
    };
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(&frame)
        .and_then(|()| stdout.flush())
        .map_err(|err| AgentError::Internal(format!("can't write the response: {err}")))
}

/// Reads one byte more than fits, so that too long a request is seen to be one. Whoever runs this ends it after 2 s.
fn read_request() -> Result<Vec<u8>, AgentError> {
    match Request::read_from(&mut std::io::stdin().lock().take(MAX_REQUEST)) {
        Ok(frame) => Ok(frame),
        Err(keyroster_wire::ReadError::Decode(_)) => Ok(Vec::new()),
        Err(err) => Err(AgentError::Internal(format!(
            "can't read the request: {err}"
        ))),
    }
}

fn answer(config: &Config, question: &Question<'_>) -> Vec<u8> {
    let Some(asked) = Asked::parse(question) else {
        return reply::none(Reason::AccountRefused);
    };
    let answered = Once::open(config).and_then(|once| once.answer(&asked));
    match answered {
        Ok(answer) => {
            reply::report(question, &answer);
            reply::frame(&answer)
        }
        Err(AgentError::NotEnrolled) => reply::unavailable(Reason::NotEnrolled),
        Err(err) => {
            tracing::error!(error = %err, "can't decide");
            reply::unavailable(Reason::Internal)
        }
    }
}

/// Lines straight from the snapshot: for one question a cache is of no use.
struct Direct;

impl LineSource for Direct {
    fn lines(&self, held: &Held, asked: &Asked<'_>) -> std::sync::Arc<Lines> {
        std::sync::Arc::new(held.lines(&asked.account, asked.key_type, asked.key_base64))
    }
}

/// What one run works with.
struct Once<'a> {
    config: &'a Config,
    clock: SystemClock,
    dir: StateDir,
    credential: Credential,
}

impl<'a> Once<'a> {
    fn open(config: &'a Config) -> Result<Self, AgentError> {
        let dir = StateDir::open(&config.state_dir)?;
        let credential = Credential::load(&dir)?.ok_or(AgentError::NotEnrolled)?;
        Ok(Self {
            config,
            clock: SystemClock::new()?,
            dir,
            credential,
        })
    }

    fn answer(&self, asked: &Asked<'_>) -> Result<Answer, AgentError> {
        let now = self.clock.now();
        let known = self.load(&now)?;
        // After the disk was read: a daemon that starts now reads at least what was there.
        let asking = self.asking();
        let known = match files::read_breaker(&self.dir, &now).permit(now.since_boot) {
            Permit::Ask => self.ask_anew(known, asking)?,
            Permit::DontAsk => known,
        };
        match resolve(&known, asked, &self.clock.now(), Effort::LastWord, &Direct) {
            Resolution::Answer(answer) => Ok(answer),
            Resolution::Revalidate => Ok(Answer::undecided()),
        }
    }

    /// Who asks. Where a daemon runs, or that can't be found out, what is on the disk is not all that the host may go by.
    fn asking(&self) -> Asking {
        match self.dir.is_locked(files::DAEMON) {
            Ok(Locked::ByNobody) => Asking::EachLogin,
            Ok(Locked::BySomebody) | Err(_) => Asking::BesideDaemon,
        }
    }

    fn ask_anew(&self, known: Knowledge, asking: Asking) -> Result<Knowledge, AgentError> {
        let known = self.ask(known, asking)?;
        match memory::knows_more(&self.dir, &known) {
            // Another login asked later and was answered sooner.
            true => self.load(&self.clock.now()),
            false => Ok(known),
        }
    }

    fn load(&self, now: &Moment) -> Result<Knowledge, AgentError> {
        let floor = self
            .credential
            .host
            .floor()
            .map_err(|err| AgentError::Internal(err.to_string()))?;
        let (known, doubts) = memory::load(&self.dir, &self.credential.authority(), floor, now);
        for doubt in doubts {
            tracing::error!(error = %doubt, "state on disk is not used");
        }
        Ok(known)
    }

    /// Asks the key server and keeps what it said.
    fn ask(&self, known: Knowledge, asking: Asking) -> Result<Knowledge, AgentError> {
        let fetcher = Fetcher::new(&self.credential, self.config.server.as_deref())?.asking(asking);
        let sent = self.clock.now();
        let ask = Ask {
            held: known.held.clone(),
            form: match journal::is_full(&self.dir) {
                true => Form::Whole,
                false => Form::Any,
            },
            seen: known.seen,
            wait: None,
            total: LOGIN_TIMEOUT,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|err| AgentError::Internal(err.to_string()))?;
        let started = Instant::now();
        let (fetched, trusted) = runtime.block_on(self.fetch(&fetcher, (ask, &known), asking));
        let known = known.after(&fetched.outcome, &sent);
        let lock = runtime.block_on(memory::lock(&self.dir));
        if let Ok(Some(lock)) = lock {
            let kept = self.keep(&known, &fetched, &lock);
            // After the snapshot, which may be by the key that stays.
            let kept = kept.and_then(|()| upkeep::keep_trust(&self.dir, trusted.as_ref()));
            if let Err(err) = kept {
                tracing::error!(error = %err, "the answer can't be kept");
            }
        }
        if asking == Asking::EachLogin && !matches!(fetched.outcome, Outcome::Failed(_)) {
            let fetcher = trusted.map_or(fetcher, |trusted| trusted.fetcher);
            let left = LOGIN_TIMEOUT.saturating_sub(started.elapsed());
            let now_s = self.clock.now().wall_s();
            runtime.block_on(upkeep::renew(&self.dir, &fetcher, now_s, left));
        }
        // A name that is being resolved can't be interrupted; waiting for it would break the deadline.
        runtime.shutdown_background();
        Ok(known)
    }

    /// Asks, and follows an exchange of the snapshot key or the CA where no daemon does; the credential that has to be kept then.
    async fn fetch(
        &self,
        fetcher: &Fetcher,
        (ask, known): (Ask, &Knowledge),
        asking: Asking,
    ) -> (Fetched, Option<NewTrust>) {
        let started = Instant::now();
        let left = || LOGIN_TIMEOUT.saturating_sub(started.elapsed());
        let fetched = fetcher.fetch(ask.clone()).await;
        if asking != Asking::EachLogin {
            return (fetched, None);
        }
        let server = self.config.server.as_deref();
        let new = trust::follow((fetcher, &self.credential), server, known, left()).await;
        let Some(mut new) = new else {
            return (fetched, None);
        };
        let fetched = match (new.snapshot.take(), &fetched.outcome) {
            (Some(whole), _) => whole,
            (None, Outcome::Failed(_)) => {
                let total = left();
                new.fetcher.fetch(Ask { total, ..ask }).await
            }
            (None, _) => fetched,
        };
        (fetched, Some(new))
    }

    fn keep(&self, known: &Knowledge, fetched: &Fetched, lock: &Lock) -> Result<(), StateError> {
        let now = self.clock.now();
        let mut breaker = files::read_breaker(&self.dir, &now);
        let failed = match &fetched.outcome {
            Outcome::Failed(failure) => {
                tracing::warn!(error = %failure, "the key server decided nothing");
                let _pause = breaker.failed(now.since_boot, jitter());
                true
            }
            _ => {
                breaker.succeeded();
                false
            }
        };
        files::write_breaker(&self.dir, &breaker, &now).and_then(|()| match failed {
            true => memory::save_found(&self.dir, known, lock),
            false => memory::save(&self.dir, known, fetched.document.as_ref(), lock),
        })
    }
}

/// Bytes of standard input that are looked at.
const MAX_REQUEST: u64 = keyroster_wire::REQUEST_MAX as u64 + 1;
