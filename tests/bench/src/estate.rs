//! A large estate on one key server: what a write for all hosts takes, whom a write for one wakes, and how hosts come back
//! after a restart.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use keyroster_api::paths;
use keyroster_testkit::KeyServer;
use serde::Serialize;
use serde_json::json;
use tempfile::TempDir;

use crate::admin::Admin;
use crate::credentials::Credentials;
use crate::fleet::{Fleet, counts};
use crate::host::peak_kib;
use crate::real::RealHost;
use crate::rows::{GeneratedKey, Granted, Rows};
use crate::spread::Spread;

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    hosts: u64,
    /// From the first connection until all hosts held a snapshot, in seconds.
    connected_s: f64,
    /// A write for all hosts: until its receipt, in milliseconds; one for each time.
    all_confirmed: Spread,
    /// The slowest host in each receipt.
    slowest_host: Spread,
    /// Hosts that had not confirmed when a receipt came.
    pending: usize,
    /// A write for one host: how many others were answered out of turn. None may be.
    woken_in_vain: u64,
    /// The most memory that the key server had, in MiB, before the restart.
    server_mib: u64,
    /// From the end of the old process until all hosts were fresh again, in seconds.
    fresh_again_s: f64,
    /// Logins on real hosts meanwhile.
    logins: u64,
    /// Those of them that were refused. None may be.
    logins_refused: u64,
    /// What the simulated hosts saw.
    seen: BTreeMap<&'static str, u64>,
}

/// The estate, up and connected.
struct Estate {
    server: KeyServer,
    admin: Admin,
    fleet: Fleet,
    hosts: u64,
}

/// Runs it with `--hosts` simulated hosts, and some real ones.
pub async fn run(options: BTreeMap<String, String>) -> Result<Report, Box<dyn Error>> {
    let hosts = crate::number(&options, "hosts", 15_000)?.clamp(2, MAX_HOSTS);
    let mut server = KeyServer::start()?;
    server.stop()?;
    fill(&server, hosts).await?;
    server.run()?;
    let credentials = Credentials::of(&server.data())?;
    let disk = TempDir::new()?;
    let real = |number| RealHost::start(&server.url(), &credentials, number, disk.path());
    let real: Vec<RealHost> = (hosts + 1..=hosts + REAL)
        .map(real)
        .collect::<Result<_, _>>()?;
    let began = Instant::now();
    let over = Duration::from_millis(hosts * MILLIS_TO_CONNECT);
    let fleet = Fleet::start(&server.url(), &credentials, hosts, over)?;
    fleet.seen().wait(usize::try_from(hosts)?, 1).await?;
    let connected_s = began.elapsed().as_secs_f64();
    let mut estate = Estate {
        admin: Admin::of(&server)?,
        server,
        fleet,
        hosts,
    };
    let (all_confirmed, slowest_host, pending) = estate.write_for_all().await?;
    let woken_in_vain = estate.write_for_one().await?;
    let server_mib = peak_kib(estate.server.process()?.pid())? / 1024;
    let logins = Logins::begin(real);
    let fresh_again_s = estate.restart().await?;
    let (logins, logins_refused) = logins.end().await?;
    Ok(Report {
        hosts,
        connected_s,
        all_confirmed: Spread::of(all_confirmed),
        slowest_host: Spread::of(slowest_host),
        pending,
        woken_in_vain,
        server_mib,
        fresh_again_s,
        logins,
        logins_refused,
        seen: counts(estate.fleet.seen()),
    })
}

/// One host group with all hosts in it, and users who are granted `deploy` on all of them.
async fn fill(server: &KeyServer, hosts: u64) -> Result<(), Box<dyn Error>> {
    let mut rows = Rows::open(&server.data().join("roster.db").to_string_lossy()).await?;
    rows.add_hosts(hosts + REAL).await?;
    rows.add_host_groups(std::iter::once(EVERYWHERE.to_owned()))
        .await?;
    let members: Result<Vec<_>, _> = (1..=hosts + REAL).map(crate::rows::host_id).collect();
    let members = members?
        .into_iter()
        .map(|id| format!("'{EVERYWHERE}','{id}'"));
    rows.add("host_group_members", "host_group, host", members)
        .await?;
    rows.add_users((0..USERS).map(user)).await?;
    rows.add_keys((0..USERS).map(|number| (number, user(number))))
        .await?;
    // The last user is granted nothing yet.
    let grants = (0..USERS - 1).map(|number| Granted {
        user: Some(user(number)),
        host_group: Some(EVERYWHERE.to_owned()),
        ..Granted::default()
    });
    rows.add_grants(grants).await?;
    rows.finish().await
}

fn user(number: u64) -> String {
    format!("user-{number}")
}

impl Estate {
    async fn write_for_all(&self) -> Result<(Vec<Duration>, Vec<Duration>, usize), Box<dyn Error>> {
        let (mut all, mut slowest, mut pending) = (Vec::new(), Vec::new(), 0);
        for number in 1..=WRITES_FOR_ALL {
            let path = paths::fill(paths::USER, &[&user(number)]);
            let began = Instant::now();
            let body = json!({ "state": "suspended" });
            let receipt = self.admin.wait(Method::PATCH, &path, &body);
            let receipt = receipt.await.map_err(|error| error.to_string())?;
            all.push(began.elapsed());
            slowest.push(Duration::from_millis(receipt.max_ms.unwrap_or(0)));
            pending += receipt.pending.len();
            let total = receipt.confirmed.len() + receipt.pending.len();
            if total < usize::try_from(self.hosts)? {
                return Err(format!("the receipt names {total} hosts").into());
            }
        }
        Ok((all, slowest, pending))
    }

    async fn write_for_one(&self) -> Result<u64, Box<dyn Error>> {
        // Whoever the writes before have woken is waiting again.
        tokio::time::sleep(SETTLE).await;
        let seen = self.fleet.seen();
        let told = |seen: &crate::fleet::Seen| {
            let counters = [&seen.whole, &seen.updates, &seen.in_vain, &seen.others];
            counters
                .iter()
                .map(|it| it.load(Ordering::Relaxed))
                .sum::<u64>()
        };
        let before = told(seen);
        let body = json!({ "user": user(USERS - 1), "account": "deploy", "host": "host-1" });
        let asked = self
            .admin
            .ask(Method::POST, paths::GRANTS, Some(&body))
            .await;
        asked.map_err(|error| error.to_string())?;
        tokio::time::sleep(SETTLE).await;
        match told(seen) - before {
            0 => Err("the host that the write is for was not woken".into()),
            woken => Ok(woken - 1),
        }
    }

    /// Ends the key server as a crash does, starts it again, and waits until all hosts have been answered.
    async fn restart(&mut self) -> Result<f64, Box<dyn Error>> {
        let before = self.fleet.seen().answers();
        let began = Instant::now();
        self.server.kill()?;
        self.server.run()?;
        loop {
            let now = self.fleet.seen().answers();
            if now.iter().zip(&before).all(|(now, before)| now > before) {
                return Ok(began.elapsed().as_secs_f64());
            }
            if began.elapsed() > RESTART_LIMIT {
                return Err(format!("hosts stay away: {:?}", counts(self.fleet.seen())).into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Logins on real hosts, until they are ended.
struct Logins {
    task: tokio::task::JoinHandle<(u64, u64)>,
    stop: Arc<AtomicBool>,
}

impl Logins {
    fn begin(hosts: Vec<RealHost>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let (mut logins, refused) = (0, AtomicU64::new(0));
            let key = GeneratedKey::number(0);
            let mut ticks = tokio::time::interval(BETWEEN_LOGINS);
            while !stopped.load(Ordering::Relaxed) {
                for host in &hosts {
                    ticks.tick().await;
                    logins += 1;
                    let let_in = host.lets_in(&key).await;
                    refused.fetch_add(u64::from(!let_in), Ordering::Relaxed);
                }
            }
            (logins, refused.into_inner())
        });
        Self { task, stop }
    }

    async fn end(self) -> Result<(u64, u64), Box<dyn Error>> {
        self.stop.store(true, Ordering::Relaxed);
        Ok(self.task.await?)
    }
}

const EVERYWHERE: &str = "everywhere";
/// Users with a key each.
const USERS: u64 = 20;
/// Real hosts beside the simulated ones.
const REAL: u64 = 10;
const WRITES_FOR_ALL: u64 = 5;
/// What one host is given to connect in, when all connect.
const MILLIS_TO_CONNECT: u64 = 3;
/// How long it takes at most until whoever was woken has asked again.
const SETTLE: Duration = Duration::from_secs(3);
const BETWEEN_LOGINS: Duration = Duration::from_millis(20);
const RESTART_LIMIT: Duration = Duration::from_secs(120);
const MAX_HOSTS: u64 = 20_000;
