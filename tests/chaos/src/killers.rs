//! Who kills what. Each victim has a killer of its own, so that several may be down at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use keyroster_testkit::{Failure, Result};

use crate::Plan;
use crate::random::Random;
use crate::scene::Scene;

/// Kills as planned, and returns when all of it runs again.
pub async fn kill(scene: &Arc<Scene>, plan: Plan) -> Result {
    let servers = spawn(scene, (1, plan.servers), kill_server);
    let postgres = spawn(scene, (2, plan.postgres), kill_postgres);
    let agents = spawn(scene, (3, plan.agents), kill_agent);
    for killer in [servers, postgres, agents] {
        killer
            .await
            .map_err(|error| Failure::new(format!("a killer panicked: {error}")))??;
    }
    Ok(())
}

type Kill = fn(&Scene, u64, &mut Random) -> Result;

fn spawn(
    scene: &Arc<Scene>,
    (purpose, kills): (u64, u64),
    kill: Kill,
) -> tokio::task::JoinHandle<Result> {
    let scene = Arc::clone(scene);
    tokio::task::spawn_blocking(move || {
        let mut random = Random::of(scene.seed, purpose);
        (0..kills).try_for_each(|number| kill(&scene, number, &mut random))
    })
}

fn kill_server(scene: &Scene, number: u64, random: &mut Random) -> Result {
    rest(random.pause(100, 1_200));
    let place = usize::try_from(number).unwrap_or(0) % scene.servers.len();
    let Some(server) = scene.servers.get(place) else {
        return Ok(());
    };
    let mut server = server.lock().map_err(poisoned)?;
    server.kill()?;
    count(&scene.ledger.servers_killed);
    // While its database is down it can't start; systemd would try again as well.
    again("a key server", || server.run())
}

fn kill_postgres(scene: &Scene, _number: u64, random: &mut Random) -> Result {
    rest(random.pause(200, 1_800));
    let mut postgres = scene.postgres.lock().map_err(poisoned)?;
    postgres.kill()?;
    count(&scene.ledger.postgres_killed);
    again("PostgreSQL", || postgres.restart())
}

fn kill_agent(scene: &Scene, number: u64, random: &mut Random) -> Result {
    rest(random.pause(100, 1_000));
    let place = usize::try_from(number).unwrap_or(0) % scene.agents.len();
    let Some(agent) = scene.agents.get(place) else {
        return Ok(());
    };
    agent.kill()?;
    count(&scene.ledger.agents_killed);
    again("a host agent", || agent.restart())
}

fn again(what: &str, mut start: impl FnMut() -> Result) -> Result {
    let deadline = Instant::now() + RETURN;
    loop {
        match start() {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > deadline => {
                return Err(Failure::new(format!("{what} does not come back: {error}")));
            }
            Err(_) => rest(Duration::from_millis(100)),
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn rest(pause: Duration) {
    // Killers have threads of their own, with nothing else to do.
    std::thread::park_timeout(pause);
}

fn poisoned<T>(_: std::sync::PoisonError<T>) -> Failure {
    Failure::new("another killer panicked")
}

/// The longest that anything may take to come back.
const RETURN: Duration = Duration::from_secs(90);
