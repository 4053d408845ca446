//! Two key servers on one PostgreSQL, and hosts that hang on the one or the other.

use std::error::Error;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use keyroster_bench::admin::Admin;
use keyroster_bench::credentials::Credentials;
use keyroster_bench::rows::{Granted, Rows, host_id};
use keyroster_testkit::{KeyServer, Postgres};

use crate::agents::{Agent, Told};
use crate::ledger::Ledger;
use crate::random;

/// Everything that runs. The fields are dropped in their order: agents first, PostgreSQL last.
pub struct Scene {
    /// The hosts.
    pub agents: Vec<Agent>,
    /// The key servers.
    pub servers: Vec<Mutex<KeyServer>>,
    /// An administrator at each.
    pub admins: [Admin; 2],
    /// Their database.
    pub postgres: Mutex<Postgres>,
    /// What was acknowledged.
    pub ledger: Ledger,
    /// Whether writers and logins are to end.
    pub stop: AtomicBool,
    /// What chance begins with.
    pub seed: u64,
}

impl Scene {
    /// Starts all of it.
    pub async fn set() -> Result<Self, Box<dyn Error>> {
        let postgres = Postgres::start_durable()?;
        let database = postgres.fresh_database()?;
        let mut first = KeyServer::start_on(&database)?;
        first.stop()?;
        fill(&database).await?;
        first.run()?;
        let second = first.beside()?;
        let credentials = Credentials::of(&first.data())?;
        let (even, odd) = (first.url(), second.url());
        let start = |number: u64| {
            let url = if number.is_multiple_of(2) {
                &even
            } else {
                &odd
            };
            Agent::start(url, &credentials, number)
        };
        let scene = Self {
            agents: (1..=HOSTS).map(start).collect::<Result<_, _>>()?,
            admins: [Admin::of(&first)?, Admin::of(&second)?],
            servers: vec![Mutex::new(first), Mutex::new(second)],
            postgres: Mutex::new(postgres),
            ledger: Ledger::default(),
            stop: AtomicBool::new(false),
            seed: random::seed(),
        };
        for agent in &scene.agents {
            for user in 0..USERS {
                if agent.ask(HOLDING + user) != Told::Found {
                    return Err(
                        "a host does not let in whom it should before anything was killed".into(),
                    );
                }
            }
        }
        Ok(scene)
    }
}

/// Users with one key each that holds throughout, granted `deploy` on all hosts.
async fn fill(database: &str) -> Result<(), Box<dyn Error>> {
    let mut rows = Rows::open(database).await?;
    rows.add_hosts(HOSTS).await?;
    rows.add_host_groups(std::iter::once("all".to_owned()))
        .await?;
    let ids: Vec<_> = (1..=HOSTS).map(host_id).collect::<Result<_, _>>()?;
    let members = ids.iter().map(|id| format!("'all','{id}'"));
    rows.add("host_group_members", "host_group, host", members)
        .await?;
    rows.add_users((0..USERS).map(user)).await?;
    rows.add_keys((0..USERS).map(|number| (HOLDING + number, user(number))))
        .await?;
    let grants = (0..USERS).map(|number| Granted {
        user: Some(user(number)),
        host_group: Some("all".to_owned()),
        ..Granted::default()
    });
    rows.add_grants(grants).await?;
    rows.finish().await
}

/// The user of this number.
pub fn user(number: u64) -> String {
    format!("user-{number}")
}

/// Hosts.
pub const HOSTS: u64 = 4;
/// Users.
pub const USERS: u64 = 5;
/// The number of the first key that holds throughout.
pub const HOLDING: u64 = 10_000_000;
