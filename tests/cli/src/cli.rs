//! `keyroster` in a home of its own.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use keyroster_testkit::{Failure, KeyServer, Result, binary};
use tempfile::TempDir;

/// A person's home, the program, and a transcript of everything that was run.
#[derive(Debug)]
pub struct Cli {
    home: TempDir,
    program: PathBuf,
    variables: Vec<(String, String)>,
    transcript: String,
}

impl Cli {
    /// One that knows no key server.
    pub fn new() -> Result<Self> {
        Ok(Self {
            home: TempDir::new().map_err(|error| Failure::new(format!("no home: {error}")))?,
            program: binary("keyroster")?,
            variables: Vec::new(),
            transcript: String::new(),
        })
    }

    /// One that is logged in as the first admin.
    pub fn logged_in(server: &KeyServer) -> Result<Self> {
        let mut cli = Self::new()?;
        let (url, pin) = (server.url(), server.ca_fingerprint());
        let login = ["login", "--server", &url, "--ca-fingerprint", pin];
        let output = cli.output(&login, server.token())?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Failure::new(format!("keyroster login failed: {said}")));
        }
        cli.transcript.clear();
        Ok(cli)
    }

    /// Sets a variable for everything that is run from now on.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.push((name.to_owned(), value.into()));
    }

    /// The person's home.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The configuration file in it.
    pub fn config(&self) -> PathBuf {
        self.home().join(".config/keyroster/config.toml")
    }

    /// Writes a file into the home and returns its path.
    pub fn file(&self, name: &str, content: &str) -> Result<String> {
        let path = self.home().join(name);
        fs::write(&path, content).map_err(|error| Failure::io("write", &path, &error))?;
        Ok(path.to_string_lossy().into_owned())
    }

    /// Runs the program and adds to the transcript what was run and what it said. Returns standard output.
    pub fn run(&mut self, arguments: &[&str]) -> Result<String> {
        self.run_with_input(arguments, "")
    }

    /// The same, with this on standard input.
    pub fn run_with_input(&mut self, arguments: &[&str], input: &str) -> Result<String> {
        let output = self.output(arguments, input)?;
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code().unwrap_or(-1);
        if !self.transcript.is_empty() {
            self.transcript.push('\n');
        }
        self.transcript
            .push_str(&format!("$ keyroster {}\n", shown(arguments)));
        self.transcript.push_str(&stdout);
        for line in stderr.lines() {
            self.transcript.push_str(&format!("2> {line}\n"));
        }
        if code != 0 {
            self.transcript.push_str(&format!("[exit code {code}]\n"));
        }
        Ok(stdout)
    }

    /// What was run and said until now; the next one begins empty.
    pub fn transcript(&mut self) -> String {
        std::mem::take(&mut self.transcript)
    }

    /// The program with these arguments, not yet run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.home())
            .envs(self.variables.iter().cloned());
        command
    }

    fn output(&self, arguments: &[&str], input: &str) -> Result<Output> {
        let failed = |error: std::io::Error| Failure::new(format!("cannot run keyroster: {error}"));
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that does not read its input may have ended already.
            let _ = stdin.write_all(input.as_bytes());
        }
        child.wait_with_output().map_err(failed)
    }
}

/// Arguments as they would be typed.
fn shown(arguments: &[&str]) -> String {
    let quoted = arguments.iter().map(|argument| {
        let plain = |c: char| c.is_alphanumeric() || "-_./:=@+,…".contains(c);
        match !argument.is_empty() && argument.chars().all(plain) {
            true => (*argument).to_owned(),
            false => format!("'{}'", argument.escape_debug()),
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}
