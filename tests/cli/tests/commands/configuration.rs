use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};

use keyroster_cli_snapshots::{Cli, snapshot};
use keyroster_testkit::{Failure, KeyServer, Result, require_root};

/// Writes a configuration file with this mode and says which file to use.
fn configure(cli: &mut Cli, content: &str, mode: u32) -> Result {
    let file = cli.file("config.toml", content)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(mode))
        .map_err(|error| Failure::io("close", file.as_ref(), &error))?;
    cli.set("KEYROSTER_CONFIG", file);
    Ok(())
}

#[test]
fn a_configuration_that_others_can_read_or_write_is_refused() {
    let mut cli = Cli::new().unwrap();
    for mode in [0o644, 0o640, 0o620, 0o602] {
        configure(&mut cli, "server = \"https://keys.example\"\n", mode).unwrap();
        cli.run(&["user", "list"]).unwrap();
    }
    snapshot!(cli.transcript());
}

#[test]
fn a_configuration_of_another_user_is_refused() {
    require_root().unwrap();
    let mut cli = Cli::new().unwrap();
    configure(&mut cli, "server = \"https://keys.example\"\n", 0o600).unwrap();
    chown(cli.home().join("config.toml"), Some(NOBODY), None).unwrap();
    cli.run(&["user", "list"]).unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn a_configuration_that_was_named_and_is_not_there_is_an_error() {
    let mut cli = Cli::new().unwrap();
    cli.run(&["user", "list", "--config", "/nonexistent/k.toml"])
        .unwrap();
    cli.set("KEYROSTER_CONFIG", "/nonexistent/k.toml");
    cli.run(&["user", "list"]).unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn a_mistake_in_the_configuration_is_named_without_the_token() {
    let mut cli = Cli::new().unwrap();
    let token = format!("krt_{}", "s".repeat(43));
    for content in [
        format!("server = \"https://keys.example\"\ntokn = \"{token}\"\n"),
        format!("token = \"{token}\n"),
        format!("token = \"{token}s\"\n"),
        "server = \"keys.example\"\n".to_owned(),
        "ca = \"/etc/ca.pem\"\n".to_owned(),
    ] {
        configure(&mut cli, &content, 0o600).unwrap();
        cli.run(&["whoami"]).unwrap();
    }
    let transcript = cli.transcript();
    assert!(!transcript.contains("sss"));
    snapshot!(transcript);
}

#[test]
fn the_environment_alone_is_configuration_enough() {
    let server = KeyServer::start().unwrap();
    let first = Cli::logged_in(&server).unwrap();
    let config = fs::read_to_string(first.config()).unwrap();
    let ca = first
        .file(
            "ca.pem",
            config.split("\"\"\"").nth(1).unwrap().trim_start(),
        )
        .unwrap();
    let mut cli = Cli::new().unwrap();
    cli.set("KEYROSTER_SERVER", server.url());
    cli.set("KEYROSTER_CA", ca);
    cli.set("KEYROSTER_TOKEN", server.token());
    cli.run(&["whoami"]).unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn a_token_is_never_sent_to_another_server_than_its_own() {
    let server = KeyServer::start().unwrap();
    let mut cli = Cli::logged_in(&server).unwrap();
    cli.run(&["whoami", "--server", "https://other.example"])
        .unwrap();
    cli.set("KEYROSTER_SERVER", "https://other.example");
    cli.run(&["whoami"]).unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn a_token_file_that_others_can_write_is_refused() {
    let server = KeyServer::start().unwrap();
    let mut cli = Cli::logged_in(&server).unwrap();
    let token = cli.file("token", server.token()).unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o666)).unwrap();
    cli.run(&["whoami", "--token-file", &token]).unwrap();
    cli.run(&["whoami", "--token-file", "/nonexistent/token"])
        .unwrap();
    cli.run_with_input(&["whoami", "--token-file", "-", "--quiet"], server.token())
        .unwrap();
    cli.set("KEYROSTER_TOKEN", "hunter2");
    cli.run(&["whoami"]).unwrap();
    snapshot!(cli.transcript());
}

/// A uid that is nobody's here.
const NOBODY: u32 = 65_534;
