//! A PostgreSQL of the tests' own.
//!
//! Never a server that happens to run on the machine: a new cluster in a temporary directory, on a free loopback port,
//! without fsync. `cargo xtask test` starts one for the whole run and names it in [`POSTGRES_URL_VARIABLE`]; a test that
//! is run by itself starts its own, which costs about a second.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use crate::process::{finish, stop};
use crate::{Account, Failure, Result, free_port, require_root, until};

/// Holds `postgres://postgres@127.0.0.1:PORT` of a server that several test processes share.
pub const POSTGRES_URL_VARIABLE: &str = "KEYROSTER_TEST_POSTGRES";

/// A server, stopped when dropped unless it is a shared one.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    programs: PathBuf,
    own: Option<Cluster>,
}

impl Postgres {
    /// Whether the programs of a server are there.
    pub fn is_installed() -> bool {
        installed_programs().is_ok()
    }

    /// The shared server if one is named in the environment, else a new one.
    pub fn start() -> Result<Self> {
        let programs = installed_programs()?;
        match std::env::var(POSTGRES_URL_VARIABLE) {
            Ok(url) => Ok(Self {
                port: port_of(&url)?,
                programs,
                own: None,
            }),
            Err(_) => Self::start_own(programs, QUICK),
        }
    }

    /// A server of the caller's own that loses nothing which it has acknowledged when it is killed: for [`Postgres::kill`].
    pub fn start_durable() -> Result<Self> {
        Self::start_own(installed_programs()?, DURABLE)
    }

    /// Ends a server of the caller's own as a crash does: SIGKILL to all of its processes, nothing flushed.
    pub fn kill(&mut self) -> Result {
        let cluster = self.own.as_mut().ok_or_else(shared)?;
        kill_group(&mut cluster.server)
    }

    /// Starts it again on the same port, and waits until it has recovered.
    pub fn restart(&mut self) -> Result {
        let (programs, port) = (self.programs.clone(), self.port);
        let cluster = self.own.as_mut().ok_or_else(shared)?;
        cluster.server = serve(
            &programs,
            &postgres_account()?,
            (cluster.data.path(), cluster.settings),
            port,
        )?;
        cluster.wait_until_ready(&programs, port)
    }

    /// Where it listens, without a database: what [`POSTGRES_URL_VARIABLE`] holds.
    pub fn url(&self) -> String {
        format!("postgres://{SUPERUSER}@127.0.0.1:{}", self.port)
    }

    /// Makes an empty database that no other test knows, and returns its URL.
    pub fn fresh_database(&self) -> Result<String> {
        // A process id alone comes round again within a long run against a shared server.
        let name = format!("test_{:016x}", RandomState::new().build_hasher().finish());
        let mut command = Command::new(self.programs.join("createdb"));
        command.args([
            "-h",
            "127.0.0.1",
            "-p",
            &self.port.to_string(),
            "-U",
            SUPERUSER,
            "-T",
            "template0",
            &name,
        ]);
        finish(&mut command, TOOL_LIMIT)?.success("createdb")?;
        Ok(format!("{}/{name}", self.url()))
    }

    /// Runs SQL through `psql` and returns the rows unadorned: one line each, columns parted by `|`.
    pub fn query(&self, database_url: &str, sql: &str) -> Result<String> {
        let mut command = Command::new(self.programs.join("psql"));
        command.args([
            "-X",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            database_url,
            "-c",
            sql,
        ]);
        finish(&mut command, TOOL_LIMIT)?.success("psql")
    }

    /// Writes a backup of a database into a file, as `pg_dump` does.
    pub fn dump(&self, database_url: &str, file: &Path) -> Result {
        let mut command = Command::new(self.programs.join("pg_dump"));
        command.args(["--format=custom", "--dbname", database_url, "--file"]);
        finish(command.arg(file), TOOL_LIMIT)?.success("pg_dump")?;
        Ok(())
    }

    /// Puts a backup in the place of what is in a database, as `pg_restore` does.
    pub fn restore(&self, database_url: &str, file: &Path) -> Result {
        let mut command = Command::new(self.programs.join("pg_restore"));
        command.args([
            "--clean",
            "--if-exists",
            "--exit-on-error",
            "--single-transaction",
        ]);
        command.args(["--dbname", database_url]);
        finish(command.arg(file), TOOL_LIMIT)?.success("pg_restore")?;
        Ok(())
    }

    fn start_own(programs: PathBuf, settings: &'static [&'static str]) -> Result<Self> {
        require_root()?;
        let owner = postgres_account()?;
        let data = init(&programs, &owner)?;
        let port = free_port()?;
        let mut cluster = Cluster {
            server: serve(&programs, &owner, (data.path(), settings), port)?,
            data,
            settings,
        };
        cluster.wait_until_ready(&programs, port)?;
        Ok(Self {
            port,
            programs,
            own: Some(cluster),
        })
    }

    /// What the server has logged; empty for a shared one.
    pub fn log(&self) -> String {
        self.own.as_ref().map(Cluster::log).unwrap_or_default()
    }
}

/// A server process and the directory that it keeps its data in.
#[derive(Debug)]
struct Cluster {
    server: Child,
    data: TempDir,
    settings: &'static [&'static str],
}

impl Cluster {
    fn wait_until_ready(&mut self, programs: &Path, port: u16) -> Result {
        let ready = until("PostgreSQL to accept connections", START_LIMIT, || {
            if let Ok(Some(status)) = self.server.try_wait() {
                return Err(Failure::new(format!("PostgreSQL ended with {status}")));
            }
            let mut command = Command::new(programs.join("pg_isready"));
            command.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
            Ok(finish(&mut command, TOOL_LIMIT)?
                .status
                .success()
                .then_some(()))
        });
        ready.map_err(|failure| Failure::new(format!("{failure}\n{}", self.log())))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.data.path().join(LOG_FILE)).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SIGINT is PostgreSQL's "fast" shutdown: clients are cut off, shared memory is given back.
        let _ = stop(&mut self.server, Signal::INT, STOP_LIMIT);
    }
}

fn init(programs: &Path, owner: &Account) -> Result<TempDir> {
    let data = tempfile::Builder::new()
        .prefix("keyroster-postgres-")
        .tempdir()
        .map_err(|error| Failure::new(format!("cannot make a temporary directory: {error}")))?;
    owner.own(data.path())?;
    let mut command = Command::new(programs.join("initdb"));
    command.uid(owner.uid).gid(owner.gid).current_dir("/");
    command.args([
        "--auth=trust",
        "--no-sync",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--username",
        SUPERUSER,
        "-D",
    ]);
    finish(command.arg(data.path()), START_LIMIT)?.success("initdb")?;
    Ok(data)
}

fn postgres_account() -> Result<Account> {
    Account::find(SUPERUSER)?.ok_or_else(|| {
        Failure::new(format!(
            "no account \"{SUPERUSER}\"\nhint: apt-get install postgresql"
        ))
    })
}

fn shared() -> Failure {
    Failure::new("a PostgreSQL that others share is not to be killed")
}

/// Kills a server with all of its processes: it leads a process group of its own.
fn kill_group(server: &mut Child) -> Result {
    let group = i32::try_from(server.id()).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL);
    }
    server
        .wait()
        .map(drop)
        .map_err(|error| Failure::new(format!("cannot wait for PostgreSQL: {error}")))
}

fn serve(
    programs: &Path,
    owner: &Account,
    (data, settings): (&Path, &[&str]),
    port: u16,
) -> Result<Child> {
    let log_path = data.join(LOG_FILE);
    let log = fs::File::options()
        .create(true)
        .append(true)
        .open(&log_path)
        .map_err(|error| Failure::io("make", &log_path, &error))?;
    let log_too = log
        .try_clone()
        .map_err(|error| Failure::io("open", &log_path, &error))?;
    // Whoever started it may be killed, and then nobody else would end it.
    let mut command = Command::new("/usr/bin/setpriv");
    command.args(["--pdeathsig", "INT", "--"]);
    command.arg(programs.join("postgres"));
    command.uid(owner.uid).gid(owner.gid).current_dir("/");
    command.process_group(0);
    command
        .arg("-D")
        .arg(data)
        .args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    for setting in COMMON.iter().chain(settings) {
        command.args(["-c", setting]);
    }
    command.stdin(Stdio::null()).stdout(log).stderr(log_too);
    command
        .spawn()
        .map_err(|error| Failure::new(format!("cannot run PostgreSQL: {error}")))
}

/// Debian keeps the server's programs out of `PATH`, one directory a version: the newest is taken.
fn installed_programs() -> Result<PathBuf> {
    let versions = fs::read_dir(DEBIAN_VERSIONS)
        .into_iter()
        .flatten()
        .flatten();
    versions
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").is_file() && bin.join("postgres").is_file())
        .max_by_key(|bin| version_of(bin))
        .ok_or_else(|| {
            Failure::new(format!(
                "no PostgreSQL server below \"{DEBIAN_VERSIONS}\"\nhint: apt-get install postgresql"
            ))
        })
}

fn version_of(bin: &Path) -> u32 {
    let version = bin
        .parent()
        .and_then(Path::file_name)
        .and_then(|name| name.to_str());
    version
        .and_then(|version| version.parse().ok())
        .unwrap_or(0)
}

fn port_of(url: &str) -> Result<u16> {
    let port = url
        .rsplit(':')
        .next()
        .and_then(|port| port.trim_end_matches('/').parse().ok());
    port.ok_or_else(|| Failure::new(format!("{POSTGRES_URL_VARIABLE} names no port: \"{url}\"")))
}

const SUPERUSER: &str = "postgres";
const DEBIAN_VERSIONS: &str = "/usr/lib/postgresql";
const LOG_FILE: &str = "server.log";
/// Many test processes connect at once.
const COMMON: [&str; 2] = ["max_connections=300", "unix_socket_directories="];
/// Nothing outlives the run, so nothing is made durable.
const QUICK: &[&str] = &[
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
];
/// What is acknowledged is in the system's hands, out of reach of whatever kills processes. The machine itself never fails
/// here, so nothing is flushed to the disk.
const DURABLE: &[&str] = &["fsync=off", "synchronous_commit=on"];
/// The longest that initdb or the first start may take.
const START_LIMIT: Duration = Duration::from_secs(60);
/// The longest that a client program may take.
const TOOL_LIMIT: Duration = Duration::from_secs(30);
/// The longest that the server may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_tests_never_share_a_database() {
        let postgres = Postgres::start().unwrap();
        let (one, two) = (
            postgres.fresh_database().unwrap(),
            postgres.fresh_database().unwrap(),
        );
        postgres
            .query(&one, "create table seen (n bigint)")
            .unwrap();
        postgres
            .query(&two, "create table seen (n bigint)")
            .unwrap();
        assert_eq!(
            postgres.query(&one, "select count(*) from seen").unwrap(),
            "0\n"
        );
    }

    #[test]
    fn what_was_acknowledged_survives_a_kill_and_a_restart() {
        let mut postgres = Postgres::start_durable().unwrap();
        let database = postgres.fresh_database().unwrap();
        postgres
            .query(&database, "create table seen (n bigint)")
            .unwrap();
        for number in 0..3 {
            let add = format!("insert into seen values ({number})");
            postgres.query(&database, &add).unwrap();
            postgres.kill().unwrap();
            postgres.restart().unwrap();
        }
        let count = postgres.query(&database, "select count(*) from seen");
        assert_eq!(count.unwrap(), "3\n");
    }

    #[test]
    fn a_server_ends_with_whoever_started_it() {
        // To the kernel the end of a thread is what the end of a killed process would be.
        let starter = std::thread::spawn(|| Postgres::start_durable().unwrap());
        let mut postgres = starter.join().unwrap();
        let server = &mut postgres.own.as_mut().unwrap().server;
        let ended = until("PostgreSQL to end", STOP_LIMIT, || {
            Ok(server.try_wait().unwrap())
        });
        assert!(ended.unwrap().success());
    }

    #[test]
    fn a_shared_server_is_found_by_its_port() {
        assert_eq!(port_of("postgres://postgres@127.0.0.1:5433").unwrap(), 5433);
        assert!(port_of("postgres://postgres@127.0.0.1").is_err());
    }
}
