//! Logins, while everything is killed, and once more when nothing is any more.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http::Method;
use keyroster_api::key::KeyView;
use keyroster_api::paths;
use keyroster_bench::rows::GeneratedKey;

use crate::Report;
use crate::agents::{Agent, Told};
use crate::ledger::{Fact, Ledger};
use crate::random::Random;
use crate::scene::{HOLDING, Scene, USERS};

/// Logs in until told to stop.
pub async fn log_in(scene: Arc<Scene>) {
    let mut random = Random::of(scene.seed, 200);
    while !scene.stop.load(Ordering::Relaxed) {
        let turn = (random.below(USERS), random.below(scene.ledger.len()));
        let asked = Arc::clone(&scene);
        let done = tokio::task::spawn_blocking(move || {
            asked
                .agents
                .iter()
                .for_each(|agent| look(agent, &asked.ledger, turn));
        });
        if done.await.is_err() {
            return;
        }
        tokio::time::sleep(BETWEEN_LOGINS).await;
    }
}

/// One login with a key that holds, one with a key whose revocation this host has confirmed.
fn look(agent: &Agent, ledger: &Ledger, (user, choice): (u64, u64)) {
    let counter = match agent.ask(HOLDING + user) {
        Told::Found => &ledger.let_in,
        Told::None => &ledger.wrong_denials,
        Told::Unavailable => &ledger.undecided,
    };
    ledger.logins.fetch_add(1, Ordering::Relaxed);
    counter.fetch_add(1, Ordering::Relaxed);
    // Which key that is is read before the question, so that the receipt came before it too.
    if let Some(key) = ledger.confirmed(choice)
        && agent.ask(key) == Told::Found
    {
        ledger.wrong_allows.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits until every host has come to rest, and compares hosts and roster with what was acknowledged.
pub async fn look_once_more(scene: &Scene, report: &mut Report) -> Result<(), Box<dyn Error>> {
    for (key, fact) in scene.ledger.facts() {
        let generated = GeneratedKey::number(key);
        let path = paths::fill(paths::KEY, &[&generated.fingerprint]);
        let [admin, _] = &scene.admins;
        let shown = admin.ask(Method::GET, &path, None).await;
        let shown: Option<KeyView> = shown
            .ok()
            .and_then(|body| serde_json::from_slice(&body).ok());
        let holds = fact == Fact::Added;
        let state = shown.as_ref().map(|key| key.state.as_str());
        let as_it_was = match (holds, state) {
            (true, Some("active")) | (false, Some("revoked")) => 0,
            _ => 1,
        };
        report.lost += as_it_was;
        for agent in &scene.agents {
            match (holds, settle(agent, key, holds)) {
                (true, Told::Found) | (false, Told::None) => {}
                (true, _) => report.lost += 1,
                (false, _) => report.revived += 1,
            }
        }
    }
    let servers = scene.servers.first().ok_or("no server")?;
    let server = servers.lock().map_err(|_| "a killer panicked")?;
    server.admin(&["audit", "verify"])?;
    Ok(())
}

/// What a host says once it has heard of everything.
fn settle(agent: &Agent, key: u64, holds: bool) -> Told {
    let wanted = if holds { Told::Found } else { Told::None };
    let deadline = Instant::now() + SETTLE;
    loop {
        let told = agent.ask(key);
        if told == wanted || Instant::now() > deadline {
            return told;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

const BETWEEN_LOGINS: Duration = Duration::from_millis(10);
/// How long a host may take until it has heard of everything: its longest pause, and a little.
const SETTLE: Duration = Duration::from_secs(40);
