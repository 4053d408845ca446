//! Removals that begin where nobody expects one: logins depend on more than the drop-in, a package was never configured, sshd is stopped.

use keyroster_testkit::{Failure, Result};

use crate::host::Host;
use crate::logins::Logins;
use crate::steps::enable::{DROP_IN, enable};
use crate::steps::enrol::wait_until_fresh;
use crate::steps::install::{HOST_PACKAGE, must_install};
use crate::steps::leave::{main_process, remove};

/// A line of the admin's that names keyroster, in a file that only a quoted `Include` of another one leads to. It is told with its place, and
/// until it is gone everything stays, the drop-in and running processes too.
pub fn is_refused_before_anything_changes(host: &mut Host) -> Result {
    let before = host.now()?;
    let agent = main_process(host)?;
    let dir = host.root.path("/etc/ssh/our own");
    std::fs::create_dir(&dir).map_err(|error| Failure::io("make directory", &dir, &error))?;
    host.root
        .write(LEADS_THERE, "Include=\"our own/*.conf\"\n", 0o644)?;
    host.root.write(THEIRS, THEIR_TEXT, 0o644)?;
    let with = host.now()?;
    let refused = host.root.run(remove(host.system()))?;
    // dpkg's words come out of apt on standard output.
    let said = format!("{}{}", refused.stdout, refused.stderr);
    if refused.status.success() || !said.contains(&format!("{THEIRS}:3")) {
        return Err(host.failure("the removal was not refused with file and line", &refused));
    }
    with.must_equal(&host.now()?, "after a refused removal")?;
    if main_process(host)? != agent {
        return Err(host.failure("a refused removal restarted the host agent", &refused));
    }
    host.must_let_in(&host.by_grant())?;
    for path in [host.root.path(LEADS_THERE), host.root.path(THEIRS)] {
        std::fs::remove_file(&path).map_err(|error| Failure::io("remove", &path, &error))?;
    }
    std::fs::remove_dir(&dir).map_err(|error| Failure::io("remove", &dir, &error))?;
    before.must_equal(&host.now()?, "without the admin's lines")
}

/// An upgrade that ended between unpacking and configuring: dpkg then removes without asking our prerm.
pub fn is_survived_after_half_an_upgrade(host: &mut Host) -> Result {
    let package = host.packages.previous(host.system(), HOST_PACKAGE)?;
    let file = host.root.bring(&package)?;
    host.root.must(&["dpkg", "--unpack", &file])?;
    host.must_let_in(&host.by_grant())?;
    let logins = Logins::across_a_reload(vec![host.by_file()]);
    let removed = host.root.run(&["dpkg", "--remove", HOST_PACKAGE]);
    logins.end()?;
    let removed = removed?;
    if !removed.status.success() || host.root.path(DROP_IN).exists() {
        return Err(host.failure("sshd was left with a lookup that is gone", &removed));
    }
    host.before()
        .must_equal(&host.now()?, "after half an upgrade and a removal")?;
    host.must_refuse(&host.by_grant())
}

/// What a removal stopped runs again once the package is back, though dpkg calls that an upgrade.
pub fn is_undone_by_installing_again(host: &mut Host) -> Result {
    let package = host.packages.current(host.system(), HOST_PACKAGE)?;
    must_install(host, &package)?;
    wait_until_fresh(host)
}

/// sshd's own `-t` fails then, for want of a directory, though nothing is wrong with its configuration.
pub fn works_with_sshd_stopped(host: &mut Host) -> Result {
    let before = host.now()?;
    enable(host)?;
    host.root.must(&["systemctl", "stop", "ssh.service"])?;
    let removed = host.root.run(remove(host.system()))?;
    if !removed.status.success() || host.root.path(DROP_IN).exists() {
        return Err(host.failure(
            "with sshd stopped the package could not be removed",
            &removed,
        ));
    }
    host.root.must(&["systemctl", "start", "ssh.service"])?;
    let after = host.now()?;
    before
        .files
        .must_equal(&after.files, "/etc/ssh after a removal with sshd stopped")?;
    host.must_let_in(&host.by_file())?;
    host.must_refuse(&host.by_grant())
}

const LEADS_THERE: &str = "/etc/ssh/sshd_config.d/30-more.conf";
const THEIRS: &str = "/etc/ssh/our own/keys.conf";
const THEIR_TEXT: &str = "\
# /usr/lib/keyroster is told of below
Match Address 192.0.2.1
    AuthorizedKeysFile /etc/keyroster/others/%u
";
