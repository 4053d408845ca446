//! Removing and purging: where packages most easily lock people out.

use keyroster_testkit::{Failure, Result};

use crate::host::{Host, SSHD_CONFIG};
use crate::logins::Logins;
use crate::release::System;
use crate::steps::enable::{DROP_IN, chain_debians_key_command, enable};
use crate::steps::enrol::becomes_fresh;
use crate::steps::install::{HOST_PACKAGE, changes_nothing};

/// While sshd does not take its configuration, the package stays: without the drop-in sshd could not be told.
pub fn stays_at_a_broken_configuration(host: &mut Host) -> Result {
    let (before, agent) = (host.now()?, main_process(host)?);
    let sound = host.root.read(SSHD_CONFIG)?;
    host.root
        .write(SSHD_CONFIG, &format!("{sound}NoSuchKeyword yes\n"), 0o644)?;
    let done = host.root.run(remove(host.system()));
    host.root.write(SSHD_CONFIG, &sound, 0o644)?;
    let done = done?;
    if done.status.success() {
        return Err(host.failure("it was removed with a broken sshd_config", &done));
    }
    before.must_equal(&host.now()?, "after a refused removal")?;
    if main_process(host)? != agent {
        return Err(host.failure("a refused removal restarted the host agent", &done));
    }
    host.must_let_in(&host.by_grant())
}

/// The lookup can't be removed while something is mounted over it. By then the drop-in is gone, and sshd knows.
pub fn takes_the_drop_in_first(host: &mut Host) -> Result {
    host.root.must(&["mount", "--bind", LOOKUP, LOOKUP])?;
    let first = host.root.run(remove(host.system()));
    let there = host.root.path(LOOKUP).exists();
    host.root.must(&["umount", LOOKUP])?;
    let first = first?;
    if first.status.success() || !there {
        return Err(host.failure("the lookup was removed though it was in use", &first));
    }
    host.before()
        .must_equal(&host.now()?, "before the lookup is gone")?;
    host.must_let_in(&host.by_file())?;
    host.must_refuse(&host.by_grant())?;
    removes(host)
}

/// Logins by file go on meanwhile; afterwards no program of ours is left, and sshd is as it was before us.
pub fn removes(host: &mut Host) -> Result {
    let logins = Logins::across_a_reload(vec![host.by_file()]);
    let removed = host.root.run(remove(host.system()));
    logins.end()?;
    let removed = removed?;
    if !removed.status.success() {
        return Err(host.failure("removing failed", &removed));
    }
    for path in [LOOKUP, DROP_IN] {
        if host.root.path(path).exists() {
            return Err(host.failure(&format!("\"{path}\" is still there"), &removed));
        }
    }
    host.before()
        .must_equal(&host.now()?, "after the removal")?;
    host.must_refuse(&host.by_grant())
}

/// What we remembered is gone, what the admin wrote is not.
pub fn purges(host: &mut Host) -> Result {
    let dir = host.root.path(BREAK_GLASS);
    std::fs::create_dir_all(&dir).map_err(|error| Failure::io("make directory", &dir, &error))?;
    let file = format!("{BREAK_GLASS}/root");
    host.root
        .write(&file, &format!("{}\n", host.file_key.public_line()), 0o644)?;
    if let System::Debian(_) = host.system() {
        host.root
            .must(&["apt-get", "purge", "--yes", HOST_PACKAGE])?;
    }
    host.before().must_equal(&host.now()?, "after the purge")?;
    if !host.root.path(&file).exists() {
        return Err(Failure::new("the purge took the admin's break-glass keys"));
    }
    if let System::Debian(_) = host.system() {
        for path in OURS {
            if host.root.path(path).exists() {
                return Err(Failure::new(format!("the purge left \"{path}\"")));
            }
        }
    }
    host.must_let_in(&host.by_file())
}

/// From the beginning, on a host that remembers nothing. The roster does: an admin takes the host out of it first.
pub fn works_again(host: &mut Host) -> Result {
    host.server.admin(&["host", "remove", HOST_NAME])?;
    if host.system() == System::Rpm {
        // rpm knows no purge.
        host.root.must(&["rm", "-r", CREDENTIAL])?;
    }
    changes_nothing(host)?;
    chain_debians_key_command(host)?;
    becomes_fresh(host)?;
    enable(host)?;
    host.must_let_in(&host.by_grant())?;
    host.must_let_in(&host.by_file())
}

/// What removes the package.
pub fn remove(system: System) -> &'static [&'static str] {
    match system {
        System::Debian(_) => &["apt-get", "remove", "--yes", HOST_PACKAGE],
        System::Rpm => &["rpm", "--erase", HOST_PACKAGE],
    }
}

/// Which process the host agent is.
pub fn main_process(host: &Host) -> Result<String> {
    let show = ["systemctl", "show", "--property=MainPID,ActiveState"];
    host.root
        .must(&[&show[..], &["keyroster-agent.service"]].concat())
}

/// As its enrolment named it.
const HOST_NAME: &str = "web-1";
const CREDENTIAL: &str = "/var/lib/keyroster-agent/credential";
const LOOKUP: &str = "/usr/lib/keyroster/keyroster-lookup";
const BREAK_GLASS: &str = "/etc/keyroster/break-glass";
const OURS: [&str; 5] = [
    "/etc/keyroster/agent.toml",
    "/etc/keyroster/lookup.conf",
    "/usr/lib/keyroster",
    "/var/lib/keyroster-agent",
    "/var/lib/keyroster",
];
