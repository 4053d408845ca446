//! packaging/examples/haproxy.cfg, with HAProxy between a host and two key servers.

use std::path::Path;

use keyroster_admin_docs::{Files, with_words};
use keyroster_testkit::{Failure, KeyServer, Postgres, Program, Result, Running, free_port, until};
use std::time::Duration;

struct Proxied {
    first: KeyServer,
    second: KeyServer,
    files: Files,
    url: String,
    _proxy: Running,
    _database: Postgres,
}

fn proxied() -> Result<Proxied> {
    let database = Postgres::start()?;
    let first = KeyServer::start_on(&database.fresh_database()?)?;
    first.admin(&["host-group", "add", "web"])?;
    let second = first.beside()?;
    let files = Files::new()?;
    let port = free_port()?;
    let ca = first.data().join("ca.pem");
    let address = |server: &KeyServer| server.url().trim_start_matches("https://").to_owned();
    let text = with_words(
        "haproxy.cfg",
        &[
            ("bind :8443", &format!("bind 127.0.0.1:{port}")),
            ("192.0.2.11:8443", &address(&first)),
            ("192.0.2.12:8443", &address(&second)),
            ("/etc/haproxy/keyroster-ca.pem", &ca.to_string_lossy()),
        ],
    )?;
    let config = files.write("haproxy.cfg", &text)?;
    let haproxy = || {
        Program::at(Path::new("/usr/sbin/haproxy"))
            .args(["-db", "-f"])
            .arg(&config)
    };
    haproxy().arg("-c").finish()?.success("haproxy -c")?;
    Ok(Proxied {
        _proxy: haproxy().spawn()?,
        url: format!("https://127.0.0.1:{port}"),
        first,
        second,
        files,
        _database: database,
    })
}

/// The revision that the host agent has confirmed, while it is fresh.
fn fresh_revision(files: &Files) -> Result<Option<u64>> {
    let said = files.status()?;
    let status: serde_json::Value = serde_json::from_str(&said.stdout)
        .map_err(|error| Failure::new(format!("no status: {error}")))?;
    let fresh = status.get("state").is_some_and(|state| state == "fresh");
    let revision = status.get("revision").and_then(serde_json::Value::as_u64);
    Ok(revision.filter(|_| fresh))
}

#[test]
fn a_host_behind_a_proxy_that_passes_tls_through_goes_on_when_one_key_server_ends() -> Result {
    let mut proxied = proxied()?;
    let files = &proxied.files;
    let token = files.write("token", &proxied.first.enrolment_token("web")?)?;
    let enrolled = until("the proxy to find a key server", LIMIT, || {
        let tried = Program::keyroster("keyroster-agent")?
            .args([
                "enroll",
                "--name",
                "web-1",
                "--server",
                &proxied.url,
                "--config",
            ])
            .arg(files.settings())
            .arg("--token-file")
            .arg(&token)
            .finish()?;
        Ok(tried.success("enroll").ok())
    });
    enrolled?;
    let _agent = Program::keyroster("keyroster-agent")?
        .args(["run", "--config"])
        .arg(files.settings())
        .spawn()?;
    let before = until("the host to be fresh", LIMIT, || fresh_revision(files))?;
    proxied.first.stop()?;
    let second = &proxied.second;
    second.admin(&["user", "add", "alice"])?;
    second.admin(&[
        "grant",
        "add",
        "--user",
        "alice",
        "--account",
        "deploy",
        "--host",
        "web-1",
    ])?;
    until(
        "the host to hear of a write at the other key server",
        LIMIT,
        || Ok(fresh_revision(files)?.filter(|revision| *revision > before)),
    )?;
    Ok(())
}

const LIMIT: Duration = Duration::from_secs(30);
