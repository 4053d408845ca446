//! Whether the size of the roster matters: the same questions on a large one and on a hundredth of it, both on PostgreSQL, by
//! turns.
//!
//! Every host can be logged in to with about two hundred keys, in either roster: what grows is the rest.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, Instant};

use http::Method;
use keyroster_api::{paths, snapshot};
use keyroster_edge::{ClientLimits, HttpClient, Identity, Trust, http_client};
use keyroster_testkit::{KeyServer, Postgres};
use serde::Serialize;
use serde_json::{Value, json};

use crate::admin::Admin;
use crate::credentials::Credentials;
use crate::rows::{Granted, Rows, host_id};
use crate::spread::Spread;

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    hosts: u64,
    keys: u64,
    authorized_keys: u64,
    /// Seconds that making the large roster took.
    fill_s: f64,
    rows: Vec<Row>,
}

/// One question, on both rosters.
#[derive(Debug, Serialize)]
struct Row {
    what: &'static str,
    small: Spread,
    large: Spread,
}

/// A key server with a generated roster.
struct Scene {
    server: KeyServer,
    admin: Admin,
    credentials: Credentials,
    size: Size,
}

/// How large a roster is.
#[derive(Debug, Clone, Copy)]
struct Size {
    hosts: u64,
}

impl Size {
    fn host_groups(self) -> u64 {
        self.hosts.div_ceil(HOSTS_IN_GROUP)
    }

    fn users(self) -> u64 {
        self.hosts * 250 / 15
    }

    fn keys(self) -> u64 {
        self.users() * KEYS_OF_USER
    }

    /// Which users have grants of their own on a host: counted from the middle, away from those in the host's group.
    fn on_host(self, place: u64, number: u64) -> u64 {
        (place * USERS_ON_HOST + number + self.users() / 2) % self.users()
    }

    fn authorized_keys(self) -> u64 {
        self.hosts * (USERS_IN_GROUP + USERS_ON_HOST) * KEYS_OF_USER
    }
}

/// Runs it with `--hosts` hosts in the large roster.
pub async fn run(options: BTreeMap<String, String>) -> Result<Report, Box<dyn Error>> {
    let hosts = crate::number(&options, "hosts", 15_000)?.clamp(1_500, MAX_HOSTS);
    let rounds = crate::number(&options, "rounds", 150)?.clamp(1, MAX_ROUNDS);
    let postgres = Postgres::start()?;
    let small = Scene::set(&postgres, Size { hosts: hosts / 100 }).await?;
    let began = Instant::now();
    let large = Scene::set(&postgres, Size { hosts }).await?;
    let fill_s = began.elapsed().as_secs_f64();
    let (mut of_small, mut of_large) = (Figures::default(), Figures::default());
    for round in 0..rounds {
        small.round(round, &mut of_small).await?;
        large.round(round, &mut of_large).await?;
    }
    let size = large.size;
    Ok(Report {
        hosts,
        keys: size.keys(),
        authorized_keys: size.authorized_keys(),
        fill_s,
        rows: Figures::rows(of_small, of_large),
    })
}

/// What was measured on one roster.
#[derive(Debug, Default)]
struct Figures {
    snapshot: Vec<Duration>,
    change: Vec<Duration>,
    explain: Vec<Duration>,
}

impl Figures {
    fn rows(small: Self, large: Self) -> Vec<Row> {
        let row = |what, small, large| Row {
            what,
            small: Spread::of(small),
            large: Spread::of(large),
        };
        vec![
            row("snapshot of one host", small.snapshot, large.snapshot),
            row("a single change", small.change, large.change),
            row("explain", small.explain, large.explain),
        ]
    }
}

type Failed = Box<dyn Error + Send + Sync>;

impl Scene {
    async fn set(postgres: &Postgres, size: Size) -> Result<Self, Box<dyn Error>> {
        let database = postgres.fresh_database()?;
        let mut server = KeyServer::start_on(&database)?;
        server.stop()?;
        fill(&database, size).await?;
        server.run()?;
        Ok(Self {
            admin: Admin::of(&server)?,
            credentials: Credentials::of(&server.data())?,
            server,
            size,
        })
    }

    /// One of each; another host each time, so that nothing comes from memory.
    async fn round(&self, round: u64, figures: &mut Figures) -> Result<(), Box<dyn Error>> {
        let number = round * 7_919 % self.size.hosts + 1;
        let host = self.host(number)?;
        let url = format!("{}{}", self.server.url(), paths::HOST_SNAPSHOT);
        // The connection is made first: a handshake costs the same on any roster.
        let ready = host.request(
            Method::GET,
            &format!("{}{}", self.server.url(), paths::HEALTHZ),
        );
        host.send(ready, snapshot::MAX_BYTES).await?;
        let began = Instant::now();
        let answer = host.send(host.request(Method::GET, &url), snapshot::MAX_BYTES);
        let answer = answer.await?.success()?;
        figures.snapshot.push(began.elapsed());
        let whole = usize::try_from((USERS_IN_GROUP + USERS_ON_HOST) * KEYS_OF_USER)?;
        if answer
            .body
            .windows(BLOB.len())
            .filter(|it| *it == BLOB)
            .count()
            < whole
        {
            return Err(format!("the snapshot of host {number} lacks keys").into());
        }
        let change = self.change(number, round).await;
        figures
            .change
            .push(change.map_err(|error| error.to_string())?);
        let explain = self.explain(number).await;
        figures
            .explain
            .push(explain.map_err(|error| error.to_string())?);
        Ok(())
    }

    fn host(&self, number: u64) -> Result<HttpClient, Box<dyn Error>> {
        let credentials = &self.credentials;
        let certificate = credentials.certificate(number, crate::now_s())?;
        let identity = Identity {
            chain: keyroster_edge::certificates_from_pem(certificate.as_bytes())?,
            key: keyroster_edge::private_key_from_pem(credentials.key.as_bytes())?,
        };
        let ca = keyroster_edge::certificate_from_pem(credentials.ca().as_bytes())?;
        let limits = ClientLimits::default();
        Ok(http_client(Trust::Ca(ca), Some(identity), limits)?)
    }

    /// A grant on one host, and its revocation.
    async fn change(&self, number: u64, round: u64) -> Result<Duration, Failed> {
        let user = user(round * 31 % self.size.users());
        let host = format!("host-{number}");
        let body = json!({ "user": user, "account": "deploy", "host": host });
        let began = Instant::now();
        let added = self
            .admin
            .ask(Method::POST, paths::GRANTS, Some(&body))
            .await?;
        let added: Value = serde_json::from_slice(&added)?;
        let id = added
            .get("id")
            .and_then(Value::as_str)
            .ok_or("a grant has an id")?;
        let path = paths::fill(paths::GRANT_REVOKE, &[id]);
        self.admin
            .ask(Method::POST, &path, Some(&json!({})))
            .await?;
        Ok(began.elapsed() / 2)
    }

    async fn explain(&self, number: u64) -> Result<Duration, Failed> {
        let user = user(self.size.on_host(number - 1, 0));
        let query = format!(
            "{}?account=deploy&host=host-{number}&user={user}",
            paths::EXPLAIN
        );
        let began = Instant::now();
        self.admin.ask(Method::GET, &query, None).await?;
        Ok(began.elapsed())
    }
}

fn user(number: u64) -> String {
    format!("user-{number}")
}

async fn fill(database: &str, size: Size) -> Result<(), Box<dyn Error>> {
    let mut rows = Rows::open(database).await?;
    rows.add_hosts(size.hosts).await?;
    let host_group = |number: u64| format!("hosts-{}", number / HOSTS_IN_GROUP);
    let group = |number: u64| format!("people-{number}");
    rows.add_host_groups((0..size.host_groups()).map(|number| format!("hosts-{number}")))
        .await?;
    let ids: Vec<String> = (1..=size.hosts)
        .map(|number| host_id(number).map(|id| id.to_string()))
        .collect::<Result<_, _>>()?;
    let members = ids
        .iter()
        .zip(0..)
        .map(|(id, place)| format!("'{}','{id}'", host_group(place)));
    rows.add("host_group_members", "host_group, host", members)
        .await?;
    rows.add_users((0..size.users()).map(user)).await?;
    rows.add_keys((0..size.keys()).map(|number| (number, user(number / KEYS_OF_USER))))
        .await?;
    let names = (0..size.host_groups()).map(|number| format!("'{}'", group(number)));
    rows.add("groups", "name", names).await?;
    let in_groups = (0..size.host_groups() * USERS_IN_GROUP).map(|place| {
        let user = user(place % size.users());
        format!("'{}','{user}'", group(place / USERS_IN_GROUP))
    });
    rows.add("group_members", "group_name, user_name", in_groups)
        .await?;
    let to_groups = (0..size.host_groups()).map(|number| Granted {
        group: Some(group(number)),
        host_group: Some(format!("hosts-{number}")),
        ..Granted::default()
    });
    let to_users = ids.iter().zip(0..).flat_map(|(id, place)| {
        (0..USERS_ON_HOST).map(move |number| Granted {
            user: Some(user(size.on_host(place, number))),
            host: Some(id.clone()),
            ..Granted::default()
        })
    });
    rows.add_grants(to_groups.chain(to_users)).await?;
    rows.finish().await
}

const HOSTS_IN_GROUP: u64 = 10;
const KEYS_OF_USER: u64 = 3;
/// Users in the group that is granted each host group.
const USERS_IN_GROUP: u64 = 60;
/// Users with a grant of their own on each host.
const USERS_ON_HOST: u64 = 7;
/// What each key in a snapshot has once.
const BLOB: &[u8] = b"\"blob\":";
const MAX_HOSTS: u64 = 20_000;
const MAX_ROUNDS: u64 = 10_000;
