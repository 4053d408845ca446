//! One version in the place of another, while people log in.

use std::path::Path;

use keyroster_testkit::{Failure, Result};

use crate::host::Host;
use crate::logins::Logins;
use crate::release::System;
use crate::steps::enrol::wait_until_fresh;
use crate::steps::install::{HOST_PACKAGE, must_install};

/// To the version before.
pub fn downgrades(host: &mut Host) -> Result {
    let package = host.packages.previous(host.system(), HOST_PACKAGE)?;
    replace(host, &package, "downgrade")
}

/// Back to this version.
pub fn upgrades(host: &mut Host) -> Result {
    let package = host.packages.current(host.system(), HOST_PACKAGE)?;
    replace(host, &package, "upgrade")
}

/// No login is refused meanwhile, sshd and its configuration stay as they are, and the host agent runs the new program.
fn replace(host: &Host, package: &Path, what: &str) -> Result {
    let (before, version) = (host.now()?, version(host)?);
    let settings = format!("{}# before the {what}\n", host.root.read(SETTINGS)?);
    host.root.write(SETTINGS, &settings, 0o644)?;
    let logins = Logins::begin(vec![host.by_grant(), host.by_file()]);
    let installed = must_install(host, package);
    let tried = logins.end();
    installed?;
    tried.map_err(|failure| {
        let journal = host.root.journal();
        Failure::new(format!("during the {what}: {failure}\njournal:\n{journal}"))
    })?;
    before.must_equal(&host.now()?, &format!("after the {what}"))?;
    if self::version(host)? == version {
        return Err(Failure::new(format!(
            "after the {what} it is still {version}"
        )));
    }
    if host.root.read(SETTINGS)? != settings {
        return Err(Failure::new(format!("the {what} changed \"{SETTINGS}\"")));
    }
    wait_until_fresh(host)?;
    host.must_let_in(&host.by_grant())
}

fn version(host: &Host) -> Result<String> {
    let query: &[&str] = match host.system() {
        System::Debian(_) => &["dpkg-query", "--show", HOST_PACKAGE],
        System::Rpm => &["rpm", "--query", HOST_PACKAGE],
    };
    host.root.must(query)
}

/// Where the admin has changed something.
const SETTINGS: &str = "/etc/keyroster/agent.toml";
