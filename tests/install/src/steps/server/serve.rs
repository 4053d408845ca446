//! From the package to a key server that serves a host, as docs/admin/server.md says it.

use std::fs;

use keyroster_testkit::{Failure, Result};

use super::DATA;
use crate::machine::Machine;
use crate::steps::install::{HOST_PACKAGE, install};

/// There is no roster yet, so nothing runs: the unit is passed over.
pub fn installs_and_starts_nothing(machine: &mut Machine) -> Result {
    for package in [SERVER_PACKAGE, CLI_PACKAGE, HOST_PACKAGE] {
        must_install(machine, package)?;
    }
    machine.must("! systemctl is-active --quiet keyroster-server")?;
    machine
        .must("systemctl start keyroster-server; ! systemctl is-active --quiet keyroster-server")?;
    let data = machine.root.path(DATA);
    let mut found = fs::read_dir(&data).map_err(|error| Failure::io("read", &data, &error))?;
    match found.next() {
        None => Ok(()),
        Some(_) => Err(Failure::new(format!(
            "something is in \"{DATA}\" before `init`"
        ))),
    }
}

/// Installs a package of this version.
pub fn must_install(machine: &Machine, package: &str) -> Result {
    let file = machine.packages.current(machine.system(), package)?;
    let done = install(&machine.root, &file)?;
    if done.status.success() {
        return Ok(());
    }
    Err(machine.failure(&format!("installing {package} failed"), &done))
}

/// A roster with one user, and a host that follows it: this machine.
pub fn serves_a_host(machine: &mut Machine) -> Result {
    let said = machine.must(INIT)?;
    machine.must_serve()?;
    let (pin, token) = (word(&said, "SHA256:")?, word(&said, "krt_")?);
    let said = machine.must_read(&FILL.replace("PIN", pin), token)?;
    machine.must_read(ENROL, word(&said, "kre1.")?)?;
    machine.must_reach_the_host("first")
}

fn word<'a>(said: &'a str, prefix: &str) -> Result<&'a str> {
    let found = said
        .split_whitespace()
        .find(|word| word.starts_with(prefix));
    found.ok_or_else(|| Failure::new(format!("no word \"{prefix}…\" in what was printed")))
}

/// The key server's.
pub const SERVER_PACKAGE: &str = "keyroster-server";
const CLI_PACKAGE: &str = "keyroster";
const INIT: &str = "\
runuser -u keyroster-server -- keyroster-server init --data /var/lib/keyroster-server \
    --name keys.example.org --listen 0.0.0.0:8443
systemctl enable --now keyroster-server
";
const FILL: &str = "\
keyroster login --server https://keys.example.org:8443 --ca-fingerprint PIN
keyroster user add alice
keyroster host-group add web
keyroster grant add --user alice --account deploy --host-group web --until 90d --reason install
keyroster host enroll-token --group web
";
const ENROL: &str = "\
runuser -u keyroster-agent -- keyroster-agent enroll --server https://keys.example.org:8443 --token-file -
systemctl enable --now keyroster-agent
";
