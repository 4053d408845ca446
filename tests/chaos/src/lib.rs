//! Key servers, their PostgreSQL and host agents are killed at random, with SIGKILL, while keys are added and revoked and
//! people log in.
//!
//! What must hold is little and absolute: what was acknowledged is there in the end, what was revoked and confirmed lets
//! nobody in at any time, and no host is ever told "none" for a key that holds because somebody's database was gone.
//!
//! A write whose answer was lost with its server may have been made or not; it is made again, as an administrator would.

mod agents;
mod killers;
mod ledger;
mod logins;
mod random;
mod scene;
mod writers;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::Serialize;

use scene::Scene;

/// How often what is killed.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Key servers, by turns.
    pub servers: u64,
    /// PostgreSQL.
    pub postgres: u64,
    /// Host agents, by turns.
    pub agents: u64,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// With it the same kills come in the same order; not at the same moments.
    pub seed: u64,
    /// Kills of key servers.
    pub servers_killed: u64,
    /// Kills of PostgreSQL.
    pub postgres_killed: u64,
    /// Kills of host agents.
    pub agents_killed: u64,
    /// Keys whose addition was acknowledged.
    pub added: u64,
    /// Keys whose revocation was acknowledged.
    pub revoked: u64,
    /// Those of them whose receipt said that all hosts have confirmed.
    pub confirmed: u64,
    /// Writes that got no answer, and were made again.
    pub unanswered: u64,
    /// Logins with a key that holds.
    pub logins: u64,
    /// Those that were let in.
    pub let_in: u64,
    /// Those that could not be decided, most of them because the host agent had just been killed.
    pub undecided: u64,
    /// Those that were answered with an authoritative no. None may be.
    pub wrong_denials: u64,
    /// Logins with a key whose revocation all hosts had confirmed, let in. None may be.
    pub wrong_allows: u64,
    /// Writes that were acknowledged and are not there in the end. None may be.
    pub lost: u64,
    /// Revoked keys that a host lets in, in the end. None may be.
    pub revived: u64,
}

/// Runs a plan.
///
/// # Errors
/// When something can't be started, or does not come back.
pub async fn run(plan: Plan) -> Result<Report, Box<dyn Error>> {
    keyroster_edge::install_provider();
    let scene = Arc::new(Scene::set().await?);
    let lane = |lane| tokio::spawn(writers::write(Arc::clone(&scene), lane));
    let writers: Vec<_> = (0..writers::LANES).map(lane).collect();
    let logins = tokio::spawn(logins::log_in(Arc::clone(&scene)));
    let killed = killers::kill(&scene, plan).await;
    scene.stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await?;
    }
    logins.await?;
    killed?;
    let mut report = scene.ledger.report();
    report.seed = scene.seed;
    logins::look_once_more(&scene, &mut report).await?;
    Ok(report)
}

impl Report {
    /// What must not have happened, in words; empty when it has not.
    pub fn faults(&self) -> Vec<String> {
        let counts = [
            (
                self.wrong_allows,
                "revoked keys were let in after all hosts had confirmed",
            ),
            (self.wrong_denials, "keys that hold were answered \"none\""),
            (self.lost, "acknowledged writes are lost"),
            (self.revived, "revoked keys are let in at the end"),
        ];
        let happened = counts.iter().filter(|(count, _)| *count > 0);
        happened
            .map(|(count, what)| format!("{count} {what}"))
            .collect()
    }
}
