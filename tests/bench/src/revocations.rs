//! How long a revoked key lives: from the request that revokes it until its host refuses it, and whether any host lets it in
//! after a receipt has said that all have confirmed.
//!
//! Two hundred hosts run the host agent's own code in this process; the key server is the real program on SQLite. Beside the
//! trials there are logins with keys that hold and with keys that are revoked, and writes that change what hosts may answer.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use keyroster_api::paths;
use keyroster_testkit::KeyServer;
use serde::Serialize;
use serde_json::json;
use tempfile::TempDir;

use crate::admin::Admin;
use crate::credentials::Credentials;
use crate::real::RealHost;
use crate::rows::{GeneratedKey, Granted, Rows, host_id};
use crate::spread::Spread;

/// What was measured.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    hosts: u64,
    /// From the request to the first refusal by the host that the key was good on.
    refusal: Spread,
    /// From the request to the receipt that says that all hosts concerned have confirmed.
    receipt: Spread,
    /// Receipts with a host pending.
    unconfirmed: u64,
    /// Revoked keys that were let in after their receipt. None may be.
    accepted_after_receipt: u64,
    /// Logins beside the trials, with a key that holds.
    logins: u64,
    /// Those of them that were refused. None may be.
    logins_refused: u64,
    /// Writes beside the trials.
    writes: u64,
}

/// The key server, the hosts, and what is counted.
struct Scene {
    admin: Admin,
    hosts: Vec<RealHost>,
    trials: u64,
    next: AtomicU64,
    done: AtomicU64,
    accepted: AtomicU64,
    unconfirmed: AtomicU64,
    logins: AtomicU64,
    refused: AtomicU64,
    writes: AtomicU64,
}

type Failed = Box<dyn Error + Send + Sync>;

/// Runs `--trials` trials on `--hosts` hosts.
pub async fn run(options: BTreeMap<String, String>) -> Result<Report, Box<dyn Error>> {
    let hosts = crate::number(&options, "hosts", 200)?.clamp(1, MAX_HOSTS);
    let trials = crate::number(&options, "trials", 10_000)?.clamp(hosts, MAX_TRIALS);
    let mut server = KeyServer::start()?;
    server.stop()?;
    fill(&server, hosts, trials).await?;
    server.run()?;
    let credentials = Credentials::of(&server.data())?;
    let disk = TempDir::new()?;
    let start = |number| RealHost::start(&server.url(), &credentials, number, disk.path());
    let scene = Arc::new(Scene {
        admin: Admin::of(&server)?,
        hosts: (1..=hosts).map(start).collect::<Result<_, _>>()?,
        trials,
        next: AtomicU64::new(0),
        done: AtomicU64::new(0),
        accepted: AtomicU64::new(0),
        unconfirmed: AtomicU64::new(0),
        logins: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        writes: AtomicU64::new(0),
    });
    scene.wait_until_ready().await?;
    let beside = [
        tokio::spawn(Arc::clone(&scene).log_in()),
        tokio::spawn(Arc::clone(&scene).write()),
    ];
    let lanes = (0..LANES).map(|_| tokio::spawn(Arc::clone(&scene).lane()));
    let (mut refusal, mut receipt) = (Vec::new(), Vec::new());
    for lane in lanes.collect::<Vec<_>>() {
        let (refused, received) = lane.await?.map_err(|error| error.to_string())?;
        refusal.extend(refused);
        receipt.extend(received);
    }
    beside.iter().for_each(tokio::task::JoinHandle::abort);
    scene.look_once_more().await;
    Ok(scene.report(refusal, receipt))
}

/// One user for each host, with a key for each trial there and one that holds throughout.
async fn fill(server: &KeyServer, hosts: u64, trials: u64) -> Result<(), Box<dyn Error>> {
    let mut rows = Rows::open(&server.data().join("roster.db").to_string_lossy()).await?;
    rows.add_hosts(hosts).await?;
    rows.add_users((0..hosts).map(user)).await?;
    let of_trials = (0..trials).map(|trial| (trial, user(trial % hosts)));
    rows.add_keys(of_trials).await?;
    rows.add_keys((0..hosts).map(|host| (HOLDING + host, user(host))))
        .await?;
    let ids: Vec<_> = (1..=hosts).map(host_id).collect::<Result<_, _>>()?;
    let grants = ids.iter().zip(0..hosts).map(|(id, host)| Granted {
        user: Some(user(host)),
        host: Some(id.to_string()),
        ..Granted::default()
    });
    rows.add_grants(grants).await?;
    rows.finish().await
}

fn user(host: u64) -> String {
    format!("user-{host}")
}

impl Scene {
    fn host(&self, number: u64) -> Option<(&RealHost, u64)> {
        let place = number % u64::try_from(self.hosts.len()).ok()?;
        Some((self.hosts.get(usize::try_from(place).ok()?)?, place))
    }

    async fn wait_until_ready(&self) -> Result<(), Box<dyn Error>> {
        let deadline = Instant::now() + START_LIMIT;
        for number in 0..self.hosts.len() as u64 {
            let key = GeneratedKey::number(HOLDING + number);
            while let Some((host, _)) = self.host(number)
                && !host.lets_in(&key).await
            {
                if Instant::now() > deadline {
                    return Err(format!("host {number} does not come up").into());
                }
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(())
    }

    /// Trials, one after the other.
    async fn lane(self: Arc<Self>) -> Result<(Vec<Duration>, Vec<Duration>), Failed> {
        let (mut refused, mut received) = (Vec::new(), Vec::new());
        loop {
            let trial = self.next.fetch_add(1, Ordering::Relaxed);
            if trial >= self.trials {
                return Ok((refused, received));
            }
            let (refusal, receipt) = self.trial(trial).await?;
            refused.push(refusal);
            received.push(receipt);
            self.done.fetch_max(trial + 1, Ordering::Relaxed);
        }
    }

    async fn trial(&self, trial: u64) -> Result<(Duration, Duration), Failed> {
        let key = GeneratedKey::number(trial);
        let (host, _) = self.host(trial).ok_or("there are no hosts")?;
        if !host.lets_in(&key).await {
            return Err(format!("the key of trial {trial} is refused before it is revoked").into());
        }
        let path = paths::fill(paths::KEY_REVOKE, &[&key.fingerprint]);
        let began = Instant::now();
        let mut attempts = host.attempts();
        let refusal = async {
            while host.lets_in(&key).await {
                host.changed(&mut attempts).await;
            }
            began.elapsed()
        };
        let receipt = async {
            let receipt = self.admin.wait(Method::POST, &path, &json!({})).await?;
            let took = began.elapsed();
            if !receipt.pending.is_empty() || receipt.confirmed.is_empty() {
                self.unconfirmed.fetch_add(1, Ordering::Relaxed);
            } else if host.lets_in(&key).await {
                self.accepted.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, Failed>(took)
        };
        let (refusal, receipt) = tokio::join!(refusal, receipt);
        Ok((refusal, receipt?))
    }

    /// A hundred logins a second: with a key that holds, and with one that was revoked a while ago.
    async fn log_in(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(BETWEEN_LOGINS);
        for number in 0_u64.. {
            ticks.tick().await;
            let Some((host, place)) = self.host(number.wrapping_mul(7)) else {
                return;
            };
            self.logins.fetch_add(1, Ordering::Relaxed);
            if !host.lets_in(&GeneratedKey::number(HOLDING + place)).await {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
            // Lanes end their trials out of order; this far back all have.
            let done = self.done.load(Ordering::Relaxed).saturating_sub(LANES * 2);
            if done > 0 {
                self.must_be_out(number % done).await;
            }
        }
    }

    async fn must_be_out(&self, trial: u64) {
        if let Some((host, _)) = self.host(trial)
            && host.lets_in(&GeneratedKey::number(trial)).await
        {
            self.accepted.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Twenty writes a second, each of which changes what one host may answer.
    async fn write(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(BETWEEN_WRITES);
        for number in 0_u64.. {
            ticks.tick().await;
            let key = GeneratedKey::number(ADDED + number);
            let owner = user(number % self.hosts.len() as u64);
            let path = paths::fill(paths::USER_KEYS, &[&owner]);
            let body = json!({ "public_key": format!("ssh-ed25519 {}", key.base64) });
            if self
                .admin
                .ask(Method::POST, &path, Some(&body))
                .await
                .is_ok()
            {
                self.writes.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    async fn look_once_more(&self) {
        for trial in 0..self.trials {
            self.must_be_out(trial).await;
        }
    }

    fn report(&self, refusal: Vec<Duration>, receipt: Vec<Duration>) -> Report {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Report {
            hosts: self.hosts.len() as u64,
            refusal: Spread::of(refusal),
            receipt: Spread::of(receipt),
            unconfirmed: count(&self.unconfirmed),
            accepted_after_receipt: count(&self.accepted),
            logins: count(&self.logins),
            logins_refused: count(&self.refused),
            writes: count(&self.writes),
        }
    }
}

/// Trials that run at one time.
const LANES: u64 = 2;
const BETWEEN_LOGINS: Duration = Duration::from_millis(10);
const BETWEEN_WRITES: Duration = Duration::from_millis(50);
/// How often it is looked whether a host has come up.
const LOOK: Duration = Duration::from_millis(1);
/// How long all hosts may take to come up.
const START_LIMIT: Duration = Duration::from_secs(120);
const MAX_HOSTS: u64 = 1_000;
const MAX_TRIALS: u64 = 1_000_000;
/// The number of the first key that holds throughout.
const HOLDING: u64 = 10_000_000;
/// The number of the first key that is added meanwhile.
const ADDED: u64 = 20_000_000;
