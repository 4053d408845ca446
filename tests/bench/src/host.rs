//! A host with very many accounts: what its agent takes to start and how much memory, and what a change of one account costs.
//!
//! Key server and host agent are the real programs, on SQLite; each account lets three keys in.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use http::Method;
use keyroster_api::paths;
use keyroster_testkit::{KeyServer, Program, Running};
use keyroster_wire::{Answer, Question, Request, Response};
use serde::Serialize;
use serde_json::json;
use tempfile::TempDir;

use crate::admin::Admin;
use crate::credentials::Credentials;
use crate::real::enrolled;
use crate::rows::{GeneratedKey, Granted, Rows, host_id};
use crate::spread::Spread;

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    accounts: u64,
    /// Bytes of the signed snapshot on disk.
    snapshot_bytes: u64,
    /// The most memory of the host agent that took it from the key server, and the changes too, in KiB.
    peak_kib_fetched: u64,
    /// The most memory of one that found it on disk, in KiB.
    peak_kib_started: u64,
    /// From the start of the program until it answers a login, from disk, without a key server; one for each time.
    start: Spread,
    /// A revocation of one grant, until the host has confirmed.
    change: Spread,
    /// What those changes added to the journal on disk, in bytes, each.
    change_bytes: u64,
}

/// The host.
struct Host {
    dir: TempDir,
    state: PathBuf,
}

/// Runs it with `--accounts` accounts.
pub async fn run(options: BTreeMap<String, String>) -> Result<Report, Box<dyn Error>> {
    let accounts = crate::number(&options, "accounts", 100_000)?.clamp(1_000, MAX_ACCOUNTS);
    let mut server = KeyServer::start()?;
    server.stop()?;
    fill(&server, accounts).await?;
    server.run()?;
    let credentials = Credentials::of(&server.data())?;
    let host = Host::enrol(&server, &credentials)?;
    let mut agent = host.agent()?;
    host.wait_until_answered(&mut agent)?;
    let admin = Admin::of(&server)?;
    let (change, change_bytes) = host.change(&admin, accounts).await?;
    let peak_kib_fetched = peak_kib(agent.pid())?;
    agent.terminate()?;
    server.stop()?;
    let (mut start, mut peak_kib_started) = (Vec::new(), 0);
    for _ in 0..STARTS {
        let began = Instant::now();
        let mut agent = host.agent()?;
        host.wait_until_answered(&mut agent)?;
        start.push(began.elapsed());
        peak_kib_started = peak_kib_started.max(peak_kib(agent.pid())?);
        agent.terminate()?;
    }
    Ok(Report {
        accounts,
        snapshot_bytes: std::fs::metadata(host.state.join("snapshot"))?.len(),
        peak_kib_fetched,
        peak_kib_started,
        start: Spread::of(start),
        change: Spread::of(change),
        change_bytes,
    })
}

/// Three users in a group that is granted each account on the one host.
async fn fill(server: &KeyServer, accounts: u64) -> Result<(), Box<dyn Error>> {
    let mut rows = Rows::open(&server.data().join("roster.db").to_string_lossy()).await?;
    rows.add_hosts(1).await?;
    rows.add_users((0..KEYS).map(|number| format!("user-{number}")))
        .await?;
    rows.add_keys((0..KEYS).map(|number| (number, format!("user-{number}"))))
        .await?;
    rows.add("groups", "name", std::iter::once("'people'".to_owned()))
        .await?;
    let members = (0..KEYS).map(|number| format!("'people','user-{number}'"));
    rows.add("group_members", "group_name, user_name", members)
        .await?;
    let host = host_id(1)?.to_string();
    let grants = (0..accounts).map(|number| Granted {
        group: Some("people".to_owned()),
        host: Some(host.clone()),
        account: Some(account(number)),
        ..Granted::default()
    });
    rows.add_grants(grants).await?;
    rows.finish().await
}

fn account(number: u64) -> String {
    format!("account-{number}")
}

impl Host {
    fn enrol(server: &KeyServer, credentials: &Credentials) -> Result<Self, Box<dyn Error>> {
        let dir = TempDir::new()?;
        let (state, _) = enrolled(&server.url(), credentials, 1, dir.path())?;
        let state = state.path().to_owned();
        let settings = format!(
            "state-dir = {state:?}\nsocket = {:?}\nlookup-users = []\nlog = \"stderr\"\n",
            dir.path().join("agent.sock")
        );
        std::fs::write(dir.path().join("agent.toml"), settings)?;
        Ok(Self { dir, state })
    }

    fn agent(&self) -> Result<Running, Box<dyn Error>> {
        let program = Program::keyroster("keyroster-agent")?;
        let settings = self.dir.path().join("agent.toml");
        Ok(program.arg("run").arg("--config").arg(settings).spawn()?)
    }

    /// Asks for the last account until it is let in.
    fn wait_until_answered(&self, agent: &mut Running) -> Result<(), Box<dyn Error>> {
        let socket = self.dir.path().join("agent.sock");
        let deadline = Instant::now() + START_LIMIT;
        while !lets_in(&socket).unwrap_or(false) {
            if Instant::now() > deadline || !agent.is_running() {
                return Err(format!("the host agent does not answer\n{}", agent.output()).into());
            }
            // Nothing else runs on this thread, and it is the host agent that is waited for.
            std::thread::park_timeout(LOOK);
        }
        Ok(())
    }

    /// Takes single accounts away; how long until the host had confirmed, and what it wrote.
    async fn change(
        &self,
        admin: &Admin,
        accounts: u64,
    ) -> Result<(Vec<Duration>, u64), Box<dyn Error>> {
        let journal = || std::fs::metadata(self.state.join("journal")).map_or(0, |it| it.len());
        let mut took = Vec::new();
        let mut bytes = 0;
        for number in 0..CHANGES.min(accounts - 1) {
            let grant = format!("00000000-0000-7000-9000-{number:012x}");
            let path = paths::fill(paths::GRANT_REVOKE, &[&grant]);
            let (before, began) = (journal(), Instant::now());
            let receipt = admin.wait(Method::POST, &path, &json!({})).await;
            let receipt = receipt.map_err(|error| error.to_string())?;
            took.push(began.elapsed());
            bytes += journal().saturating_sub(before);
            if receipt.confirmed.len() != 1 {
                return Err("the host does not confirm".into());
            }
        }
        Ok((took, bytes / CHANGES))
    }
}

fn lets_in(socket: &Path) -> Result<bool, Box<dyn Error>> {
    let key = GeneratedKey::number(0);
    let question = Question {
        uid: 1000,
        account: "account-999",
        key_type: "ssh-ed25519",
        key_base64: &key.base64,
        fingerprint: &key.fingerprint,
    };
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(&Request::Keys(question).encode()?)?;
    let frame = Response::read_from(&mut stream)?;
    Ok(matches!(Response::decode(&frame)?.answer, Answer::Found(_)))
}

/// The most memory that a process has had.
pub fn peak_kib(pid: u32) -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.ok_or("no VmHWM")?.parse()?)
}

/// Users, each with one key, who may log in to each account.
const KEYS: u64 = 3;
const STARTS: u64 = 5;
const CHANGES: u64 = 20;
const LOOK: Duration = Duration::from_millis(2);
const START_LIMIT: Duration = Duration::from_secs(120);
const MAX_ACCOUNTS: u64 = 200_000;
