//! Installing, which decides nothing about logins.

use std::path::Path;

use keyroster_testkit::{Finished, Result};

use crate::host::Host;
use crate::release::System;
use crate::root::Root;

/// Before and after, sshd is the same process with the same configuration, and lets the same people in.
pub fn changes_nothing(host: &mut Host) -> Result {
    let package = host.packages.current(host.system(), HOST_PACKAGE)?;
    must_install(host, &package)?;
    host.before()
        .must_equal(&host.now()?, "after the installation")?;
    host.must_let_in(&host.by_file())?;
    host.must_refuse(&host.by_grant())
}

/// Installs a package, whatever version of it is there.
pub fn must_install(host: &Host, package: &Path) -> Result {
    let done = install(&host.root, package)?;
    if done.status.success() {
        return Ok(());
    }
    Err(host.failure("the package manager failed", &done))
}

/// The same, and tells how it went.
pub fn install(root: &Root, package: &Path) -> Result<Finished> {
    let file = root.bring(package)?;
    match root.system() {
        System::Debian(_) => root.run(&[&APT_INSTALL[..], &[&file]].concat()),
        System::Rpm => root.run(&[&RPM_INSTALL[..], &[&file]].concat()),
    }
}

/// What hosts install.
pub const HOST_PACKAGE: &str = "keyroster-host";
const APT_INSTALL: [&str; 5] = [
    "apt-get",
    "install",
    "--yes",
    "--allow-downgrades",
    "--no-install-recommends",
];
/// The root's packages are Debian's, which rpm's own database knows nothing of.
const RPM_INSTALL: [&str; 4] = ["rpm", "--upgrade", "--oldpackage", "--nodeps"];
