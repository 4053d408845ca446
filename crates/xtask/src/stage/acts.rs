//! What a person does to bring keyroster up, one function an act, through the programs as they would type them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use keyroster_testkit::{Failure, Result, SERVER_ENVIRONMENT, Sshd};

use super::Stage;

/// The key server's data, CA, snapshot key and first admin token, which goes to a file.
pub fn init_server(stage: &mut Stage) -> Result {
    let data = stage.path("server/data");
    let init = stage
        .program("keyroster-server")
        .user(&stage.server_account)
        .args(["init", "--data"])
        .arg(data);
    let said = init.finish()?.success("`keyroster-server init`")?;
    stage.ca_fingerprint = word(&said, "SHA256:")?;
    let token = stage.write("home/token", &word(&said, "krt_")?)?;
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600))
        .map_err(|error| Failure::io("set the mode of", &token, &error))
}

/// The key server, on a port of its own choice.
pub fn run_server(stage: &mut Stage) -> Result {
    let data = stage.path("server/data");
    let (variable, value) = SERVER_ENVIRONMENT;
    let run = stage
        .program("keyroster-server")
        .env(variable, value)
        .user(&stage.server_account)
        .args(["run", "--data"])
        .arg(data);
    let mut server = run.args(["--listen", "127.0.0.1:0"]).own_group().spawn()?;
    let line = server.wait_for_line("listening on https://");
    stage.server = Some(server);
    stage.url = word(&line?, "https://")?;
    Ok(())
}

/// The CLI's configuration, with the CA pinned.
pub fn log_in(stage: &mut Stage) -> Result {
    let token = stage.path("home/token");
    let token = token.to_string_lossy();
    let (url, pin) = (stage.url.as_str(), stage.ca_fingerprint.as_str());
    let arguments = [
        "login",
        "--server",
        url,
        "--ca-fingerprint",
        pin,
        "--token-file",
        &token,
    ];
    stage.keyroster(&arguments).map(drop)
}

/// A user and her key.
pub fn add_user(stage: &mut Stage) -> Result {
    stage.keyroster(&["user", "add", USER])?;
    let public = stage.key.public_path();
    stage
        .keyroster(&["key", "add", USER, "--file", &public.to_string_lossy()])
        .map(drop)
}

/// A host group, and a grant on it.
pub fn add_grant(stage: &mut Stage) -> Result {
    stage.keyroster(&["host-group", "add", HOST_GROUP])?;
    let account = stage.login_account.name.as_str();
    let subject = ["grant", "add", "--user", USER, "--account", account];
    let rest = [
        "--host-group",
        HOST_GROUP,
        "--until",
        "1d",
        "--reason",
        "to show how it works",
    ];
    stage
        .keyroster(&[subject.as_slice(), &rest].concat())
        .map(drop)
}

/// This host's credential.
pub fn enrol(stage: &mut Stage) -> Result {
    let token = word(
        &stage.keyroster(&["host", "enroll-token", "--group", HOST_GROUP])?,
        "kre1.",
    )?;
    let config = stage.write("agent.toml", &agent_toml(stage))?;
    let enroll = stage
        .program("keyroster-agent")
        .user(&stage.agent_account)
        .arg("enroll");
    let enroll = enroll
        .arg("--config")
        .arg(config)
        .args(["--server", &stage.url, "--token", &token]);
    enroll
        .args(["--name", HOST])
        .finish()?
        .success("`keyroster-agent enroll`")
        .map(drop)
}

/// The host agent, once it holds a snapshot.
pub fn run_agent(stage: &mut Stage) -> Result {
    let run = stage
        .program("keyroster-agent")
        .user(&stage.agent_account)
        .arg("run");
    let mut agent = run
        .arg("--config")
        .arg(stage.path("agent.toml"))
        .own_group()
        .spawn()?;
    let ready = agent.wait_for_line("ready");
    stage.agent = Some(agent);
    ready.map(drop)
}

/// What lookup is to ask.
pub fn configure_lookup(stage: &mut Stage) -> Result {
    let socket = stage.path("socket/agent.sock");
    let text = format!(
        "authorized_keys: agent\nagent_socket: {}\n",
        socket.display()
    );
    stage.write("lookup.conf", &text).map(drop)
}

/// An unprivileged sshd with the shipped drop-in.
pub fn run_sshd(stage: &mut Stage) -> Result {
    configure_lookup(stage)?;
    let builder = Sshd::builder().drop_in("10-keyroster.conf", &stage.key_command());
    stage.sshd = Some(builder.as_user(&stage.login_account).own_group().start()?);
    Ok(())
}

fn agent_toml(stage: &Stage) -> String {
    format!(
        "server = \"{}\"\nstate-dir = \"{}\"\nsocket = \"{}\"\nlookup-users = [\"{}\"]\n\
         poll-interval-seconds = 1\nlog = \"stderr\"\n",
        stage.url,
        stage.path("state").display(),
        stage.path("socket/agent.sock").display(),
        stage.login_account.name,
    )
}

/// The first word of a text that begins so: a token or a fingerprint among sentences for people.
fn word(text: &str, prefix: &str) -> Result<String> {
    let mut words = text.split(|c: char| c.is_whitespace() || "\"',".contains(c));
    let word = words
        .find(|word| word.starts_with(prefix))
        .map(str::to_owned);
    word.ok_or_else(|| Failure::new(format!("no word \"{prefix}…\" in what was printed")))
}

/// The user.
pub const USER: &str = "alice";
/// This host's name in the roster.
pub const HOST: &str = "demo-host";
const HOST_GROUP: &str = "demo-hosts";
