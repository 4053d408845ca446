//! The prompt for the token, on a terminal of the test's own.

use std::process::Child;

use keyroster_cli_snapshots::Cli;
use keyroster_testkit::{KeyServer, Result};

use crate::terminal::Terminal;

fn log_in(terminal: &Terminal, cli: &Cli, server: &KeyServer) -> Result<Child> {
    let (url, pin) = (server.url(), server.ca_fingerprint());
    terminal.spawn(&mut cli.command(&["login", "--server", &url, "--ca-fingerprint", pin]))
}

#[test]
fn a_token_that_is_typed_is_not_shown() {
    let server = KeyServer::start().unwrap();
    let (cli, mut terminal) = (Cli::new().unwrap(), Terminal::open().unwrap());
    let mut login = log_in(&terminal, &cli, &server).unwrap();
    terminal.wait_for("Token: ").unwrap();
    assert!(!terminal.echoes().unwrap());
    terminal.type_in(&format!("{}\n", server.token())).unwrap();
    assert!(login.wait().unwrap().success());
    assert!(terminal.echoes().unwrap());
    assert!(cli.config().exists());
    // A mark behind everything that was shown.
    let seen = terminal.end().unwrap();
    assert!(!seen.contains("krt_"), "{seen}");
}

#[test]
fn ctrl_c_at_the_prompt_leaves_the_terminal_as_it_was() {
    let server = KeyServer::start().unwrap();
    let (cli, mut terminal) = (Cli::new().unwrap(), Terminal::open().unwrap());
    let mut login = log_in(&terminal, &cli, &server).unwrap();
    terminal.wait_for("Token: ").unwrap();
    terminal.type_in("krt_half\u{3}").unwrap();
    assert_eq!(login.wait().unwrap().code(), Some(66));
    assert!(terminal.echoes().unwrap());
    assert!(!cli.config().exists());
    terminal.wait_for("no token was entered").unwrap();
}
