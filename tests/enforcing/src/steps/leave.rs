//! Other versions, restarts, and the end.

use keyroster_testkit::{Failure, Result};

use crate::control::Control;
use crate::host::Host;
use crate::steps::install::{DEBIAN, HOST_PACKAGE, are_confined, wait_until_fresh};

/// The version before, and this one again.
pub fn replaces(host: &mut Host) -> Result {
    let versions = [
        host.packages.previous(DEBIAN, HOST_PACKAGE)?,
        host.packages.current(DEBIAN, HOST_PACKAGE)?,
    ];
    for package in versions {
        let package = host.machine.bring(&package)?;
        host.must(&format!("dpkg --install '{package}'"))?;
        goes_on(host)?;
    }
    Ok(())
}

/// From the kernel on.
pub fn restarts(host: &mut Host) -> Result {
    host.machine.reboot()?;
    goes_on(host)
}

/// In the order of the page: sshd first.
pub fn leaves(host: &mut Host) -> Result {
    host.must(
        "rm /etc/ssh/sshd_config.d/20-revoked-keys.conf\n\
         sed -i /keyroster/d /etc/pam.d/sshd\n\
         keyroster-agent disable\n\
         dpkg --purge keyroster-host",
    )?;
    host.must_let_in(&host.by_file())?;
    host.must(match host.control {
        Control::SeLinux => {
            "semanage port -d -t keyroster_port_t -p tcp \
             $(semanage port -l | awk '$1 == \"keyroster_port_t\" { print $3 }')\n\
             semodule -r keyroster"
        }
        Control::AppArmor => {
            "for profile in keyroster-agent keyroster-sessions; do\n\
             apparmor_parser -R /etc/apparmor.d/$profile && rm /etc/apparmor.d/$profile\n\
             done"
        }
    })?;
    host.must_let_in(&host.by_file())?;
    host.must_refuse(&host.by_grant())
}

fn goes_on(host: &Host) -> Result {
    are_confined(host)?;
    wait_until_fresh(host)?;
    if host.control == Control::SeLinux {
        let wrong = host.must(&format!("restorecon -nRv {LABELLED}"))?;
        if !wrong.is_empty() {
            return Err(Failure::new(format!("wrong labels:\n{wrong}")));
        }
    }
    host.must_let_in(&host.by_grant())?;
    host.must_let_in(&host.with(&host.keys.break_glass))?;
    host.must_refuse(&host.with(&host.keys.revoked))?;
    host.must_let_in(&host.by_file())
}

/// Everything that the policy has labels of its own for.
const LABELLED: &str = "/usr/lib/keyroster /var/lib/keyroster /var/lib/keyroster-agent /var/spool/keyroster \
    /run/keyroster /run/keyroster-sessions";
