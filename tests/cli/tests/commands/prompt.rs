//! The prompt for the token, on a terminal of the test's own.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Stdio};

use keyroster_cli_snapshots::Cli;
use keyroster_testkit::{Failure, KeyServer, Result};
use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

/// Both ends of a terminal: the one that a person looks at, and the one that programs have.
struct Terminal {
    person: File,
    program: File,
    seen: String,
}

impl Terminal {
    fn open() -> Result<Self> {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).map_err(failed)?;
        grantpt(&person).map_err(failed)?;
        unlockpt(&person).map_err(failed)?;
        let name = ptsname(&person, Vec::new()).map_err(failed)?;
        let program = rustix::fs::open(
            name,
            OFlags::RDWR | OFlags::NOCTTY,
            rustix::fs::Mode::empty(),
        );
        Ok(Self {
            person: person.into(),
            program: program.map_err(failed)?.into(),
            seen: String::new(),
        })
    }

    fn log_in(&self, cli: &Cli, server: &KeyServer) -> Result<Child> {
        let end = || self.program.try_clone().map(Stdio::from).map_err(failed);
        cli.command(&[
            "login",
            "--server",
            &server.url(),
            "--ca-fingerprint",
            server.ca_fingerprint(),
        ])
        .stdin(end()?)
        .stdout(Stdio::null())
        .stderr(end()?)
        .spawn()
        .map_err(failed)
    }

    /// Looks at the screen until this stands there.
    fn wait_for(&mut self, text: &str) -> Result {
        let mut bytes = [0; 1024];
        while !self.seen.contains(text) {
            let length = self.person.read(&mut bytes).map_err(failed)?;
            self.seen.push_str(&String::from_utf8_lossy(
                bytes.get(..length).unwrap_or_default(),
            ));
        }
        Ok(())
    }

    fn type_in(&mut self, text: &str) -> Result {
        self.person.write_all(text.as_bytes()).map_err(failed)
    }

    fn echoes(&self) -> Result<bool> {
        Ok(tcgetattr(&self.program)
            .map_err(failed)?
            .local_modes
            .contains(LocalModes::ECHO))
    }
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(error.to_string())
}

#[test]
fn a_token_that_is_typed_is_not_shown() {
    let server = KeyServer::start().unwrap();
    let (cli, mut terminal) = (Cli::new().unwrap(), Terminal::open().unwrap());
    let mut login = terminal.log_in(&cli, &server).unwrap();
    terminal.wait_for("Token: ").unwrap();
    assert!(!terminal.echoes().unwrap());
    terminal.type_in(&format!("{}\n", server.token())).unwrap();
    assert!(login.wait().unwrap().success());
    assert!(terminal.echoes().unwrap());
    assert!(cli.config().exists());
    // A mark behind everything that was shown.
    terminal.program.write_all(b"end of it").unwrap();
    terminal.wait_for("end of it").unwrap();
    assert!(!terminal.seen.contains("krt_"), "{}", terminal.seen);
}

#[test]
fn ctrl_c_at_the_prompt_leaves_the_terminal_as_it_was() {
    let server = KeyServer::start().unwrap();
    let (cli, mut terminal) = (Cli::new().unwrap(), Terminal::open().unwrap());
    let mut login = terminal.log_in(&cli, &server).unwrap();
    terminal.wait_for("Token: ").unwrap();
    terminal.type_in("krt_half\u{3}").unwrap();
    assert_eq!(login.wait().unwrap().code(), Some(66));
    assert!(terminal.echoes().unwrap());
    assert!(!cli.config().exists());
    terminal.wait_for("no token was entered").unwrap();
}
