//! A real key server, with a CLI that is logged in to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::{Failure, Finished, Program, Result, Running, finish, free_port};

/// A key server of a test's own on a loopback port, initialised and running. Dropped, it is ended and its data removed.
#[derive(Debug)]
pub struct KeyServer {
    dir: TempDir,
    running: Option<Running>,
    listen: String,
    ca_fingerprint: String,
    token: String,
}

impl KeyServer {
    /// One on SQLite.
    pub fn start() -> Result<Self> {
        Self::init(&[])
    }

    /// One on the database at this URL.
    pub fn start_on(database: &str) -> Result<Self> {
        Self::init(&["--database", database])
    }

    /// One on SQLite that is reached under these names as well: from another machine.
    pub fn start_named(names: &[&str]) -> Result<Self> {
        let names = ["127.0.0.1"].iter().chain(names);
        let arguments: Vec<&str> = names.flat_map(|name| ["--name", name]).collect();
        Self::init(&arguments)
    }

    fn init(more: &[&str]) -> Result<Self> {
        let dir = TempDir::new().map_err(|error| Failure::new(format!("no directory: {error}")))?;
        let said = Program::keyroster("keyroster-server")?
            .args(["init", "--data"])
            .arg(dir.path().join(DATA))
            .args(more)
            .finish()?
            .success("keyroster-server init")?;
        let mut server = Self {
            running: None,
            listen: format!("127.0.0.1:{}", free_port()?),
            ca_fingerprint: word(&said, "SHA256:")?,
            token: word(&said, "krt_")?,
            dir,
        };
        server.run()?;
        server.log_in()?;
        Ok(server)
    }

    /// A second key server on the same PostgreSQL database, with the same CA and snapshot key.
    pub fn beside(&self) -> Result<Self> {
        let dir = TempDir::new().map_err(|error| Failure::new(format!("no directory: {error}")))?;
        let data = dir.path().join(DATA);
        let copied = finish(
            Command::new("cp").arg("-a").arg(self.data()).arg(&data),
            COPY_LIMIT,
        )?;
        copied.success("cp")?;
        let mut server = Self {
            running: None,
            listen: format!("127.0.0.1:{}", free_port()?),
            ca_fingerprint: self.ca_fingerprint.clone(),
            token: self.token.clone(),
            dir,
        };
        server.run()?;
        server.log_in()?;
        Ok(server)
    }

    /// Starts it again on the same address, after [`KeyServer::stop`] or [`KeyServer::kill`].
    pub fn run(&mut self) -> Result {
        let (variable, value) = SERVER_ENVIRONMENT;
        let mut running = Program::keyroster("keyroster-server")?
            .env(variable, value)
            .args(["run", "--data"])
            .arg(self.data())
            .args(["--listen", &self.listen])
            .spawn()?;
        running.wait_for_line("listening on")?;
        self.running = Some(running);
        Ok(())
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("https://{}", self.listen)
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join(DATA)
    }

    /// The pin of its CA.
    pub fn ca_fingerprint(&self) -> &str {
        &self.ca_fingerprint
    }

    /// The first admin token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The process, to freeze it or to read what it said.
    pub fn process(&mut self) -> Result<&mut Running> {
        self.running
            .as_mut()
            .ok_or_else(|| Failure::new("the key server is stopped"))
    }

    /// Ends it as systemd does.
    pub fn stop(&mut self) -> Result {
        if let Some(mut running) = self.running.take() {
            running.terminate()?;
        }
        Ok(())
    }

    /// Ends it as a crash does.
    pub fn kill(&mut self) -> Result {
        if let Some(mut running) = self.running.take() {
            running.kill()?;
        }
        Ok(())
    }

    /// The configuration file of the CLI that is logged in.
    pub fn cli_config(&self) -> PathBuf {
        self.dir.path().join("cli.toml")
    }

    /// `keyroster` with these arguments, not yet run.
    pub fn cli(&self, arguments: &[&str]) -> Result<Program> {
        Ok(Program::keyroster("keyroster")?
            .env("HOME", self.dir.path())
            .env("KEYROSTER_CONFIG", self.cli_config())
            .args(arguments))
    }

    /// Runs `keyroster` with these arguments; what it printed, if it succeeded.
    pub fn admin(&self, arguments: &[&str]) -> Result<String> {
        let done: Finished = self.cli(arguments)?.finish()?;
        done.success(&format!("keyroster {}", arguments.join(" ")))
    }

    /// Adds a user who owns the key in this file.
    pub fn add_user_with_key(&self, user: &str, public_key: &Path) -> Result {
        self.admin(&["user", "add", user])?;
        self.add_key(user, public_key)
    }

    /// Adds the key in this file to a user.
    pub fn add_key(&self, user: &str, public_key: &Path) -> Result {
        let file = public_key.to_string_lossy();
        self.admin(&["key", "add", user, "--file", &file])?;
        Ok(())
    }

    /// A new enrolment token for this host group.
    pub fn enrolment_token(&self, host_group: &str) -> Result<String> {
        let said = self.admin(&["host", "enroll-token", "--group", host_group])?;
        word(&said, "kre1.")
    }

    fn log_in(&self) -> Result {
        let token_file = self.dir.path().join("token");
        fs::write(&token_file, &self.token)
            .map_err(|error| Failure::io("write", &token_file, &error))?;
        let file = token_file.to_string_lossy();
        self.admin(&[
            "login",
            "--server",
            &self.url(),
            "--ca-fingerprint",
            &self.ca_fingerprint,
            "--token-file",
            &file,
        ])?;
        Ok(())
    }
}

/// The first word of a text that begins so: a token or a fingerprint among sentences for people.
fn word(text: &str, prefix: &str) -> Result<String> {
    text.split(|c: char| c.is_whitespace() || "\"',".contains(c))
        .find(|word| word.starts_with(prefix))
        .map(ToOwned::to_owned)
        .ok_or_else(|| Failure::new(format!("no word \"{prefix}…\" in what was printed")))
}

/// What the unit of packaging/systemd gives the key server to run in.
pub const SERVER_ENVIRONMENT: (&str, &str) = ("MALLOC_ARENA_MAX", "2");
const DATA: &str = "data";
/// The longest that copying a data directory may take.
const COPY_LIMIT: Duration = Duration::from_secs(30);
