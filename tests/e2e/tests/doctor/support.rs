//! A host that doctor looks at, and what it says of it.

use keyroster_e2e::Host;
use keyroster_testkit::{Account, KeyServer, Program, RootDir, SshKey, until};
use serde_json::Value;

/// A key server with a grant for the account, and what its key lies in.
pub fn server() -> (KeyServer, RootDir) {
    server_with(&[])
}

/// The same with more words about the host group.
pub fn server_with(bounds: &[&str]) -> (KeyServer, RootDir) {
    Account::login(ACCOUNT).unwrap();
    let server = KeyServer::start().unwrap();
    let dir = RootDir::new().unwrap();
    let key = SshKey::ed25519(dir.path(), "alice").unwrap();
    server
        .add_user_with_key("alice", &key.public_path())
        .unwrap();
    server
        .admin(&[&["host-group", "add", "web"], bounds].concat())
        .unwrap();
    let who = ["grant", "add", "--user", "alice", "--account", ACCOUNT];
    server
        .admin(&[who.as_slice(), &["--host-group", "web"]].concat())
        .unwrap();
    (server, dir)
}

/// A host that was told of the grant.
pub fn start(server: &(KeyServer, RootDir), sshd: &str) -> Host {
    start_with(server, sshd, 1)
}

/// A host that was told of grants for so many accounts.
pub fn start_with(server: &(KeyServer, RootDir), sshd: &str, accounts: usize) -> Host {
    let host = Host::builder(&server.0, "web-1", "web")
        .sshd(sshd)
        .start()
        .unwrap();
    prepare(&host);
    until("the host to hold the snapshot", LIMIT, || {
        let status = host.status()?.stdout;
        let told = format!("\"accounts\":{accounts}");
        Ok(status.contains(&told).then_some(()))
    })
    .unwrap();
    host
}

/// Makes the directory of break-glass files and settings for doctor alone.
pub fn prepare(host: &Host) {
    let path = host.dir().join("agent.toml");
    let settings = std::fs::read_to_string(path).unwrap();
    std::fs::create_dir(host.dir().join("break-glass")).unwrap();
    std::fs::write(host.dir().join(SETTINGS), settings).unwrap();
}

/// Gives root a break-glass file that sshd would read.
pub fn break_glass(host: &Host, keys: &RootDir) {
    let directory = host.dir().join("break-glass");
    std::fs::copy(keys.path().join("alice.pub"), directory.join("root")).unwrap();
    let drop_in = host.sshd().dir().join("sshd_config.d/00-break-glass.conf");
    let line = format!("AuthorizedKeysFile {}/%u\n", directory.display());
    std::fs::write(drop_in, line).unwrap();
}

pub fn plain(host: &Host) -> Program {
    Program::at(&host.dir().join("keyroster-agent"))
        .args(["doctor", "--config"])
        .arg(host.dir().join(SETTINGS))
        .arg("--sshd-config")
        .arg(host.sshd().dir().join("sshd_config"))
}

pub fn command(host: &Host, more: &[&str]) -> Program {
    plain(host).arg("--json").args(more)
}

pub fn doctor(host: &Host, more: &[&str]) -> Value {
    let done = command(host, more).finish().unwrap();
    let said: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(said["exit_code"].as_i64(), done.code().map(i64::from));
    said
}

pub fn finding<'a>(said: &'a Value, id: &str) -> &'a Value {
    let findings = said["findings"].as_array().unwrap();
    let rank = |it: &&Value| {
        ["ok", "note", "warning", "error"]
            .iter()
            .position(|word| it["severity"] == *word)
    };
    let these = findings.iter().filter(|it| it["id"] == id);
    these.max_by_key(rank).unwrap_or(&Value::Null)
}

pub fn severity<'a>(said: &'a Value, id: &str) -> &'a str {
    finding(said, id)["severity"].as_str().unwrap_or("none")
}

pub fn what(said: &Value, id: &str) -> String {
    let finding = finding(said, id);
    assert_ne!(finding["severity"], "ok", "{id}: {said:#}");
    finding["what"].as_str().unwrap().to_owned()
}

pub fn ids(said: &Value) -> Vec<&str> {
    let findings = said["findings"].as_array().unwrap();
    findings.iter().filter_map(|it| it["id"].as_str()).collect()
}

pub fn errors(said: &Value) -> Vec<&str> {
    let findings = said["findings"].as_array().unwrap();
    let errors = findings.iter().filter(|it| it["severity"] == "error");
    errors.filter_map(|it| it["id"].as_str()).collect()
}

pub const LIMIT: std::time::Duration = std::time::Duration::from_secs(30);
pub const ACCOUNT: &str = "keyroster-t1";
pub const SETTINGS: &str = "doctor.toml";

/// What doctor says, when these lines are read before all others of sshd's.
pub fn with_lines(host: &Host, lines: &str) -> Value {
    std::fs::write(host.sshd().dir().join(FIRST), lines).unwrap();
    doctor(host, &[])
}

/// The file that is read before all others.
pub const FIRST: &str = "sshd_config.d/00-a.conf";
