//! The steps, in the order in which an admin comes to them.
//!
//! Each leaves the host as the next one finds it: that is how packages live, and an upgrade of a host that was never
//! enabled would prove little. Those of the key server's package are in [`server`].

mod cut_short;
mod enable;
mod enrol;
mod install;
mod leave;
mod replace;
pub mod server;
mod watch;

use keyroster_testkit::Result;

use crate::host::Host;
use crate::release::{Release, System};

/// One row of the matrix, tried on a `Subject`.
#[derive(Debug)]
pub struct Step<Subject> {
    /// What holds afterwards, as a sentence.
    pub title: &'static str,
    /// Whether there is anything to try on a system.
    pub on: fn(System) -> bool,
    /// Tries it.
    pub run: fn(&mut Subject) -> Result,
}

/// Every step of a host's.
pub const ALL: &[Step<Host>] = &[
    Step {
        title: "installing changes no byte below `/etc/ssh` and nothing that `sshd -T` says; sshd runs on",
        on: everywhere,
        run: install::changes_nothing,
    },
    Step {
        title: "the host enrols, and its host agent is fresh",
        on: everywhere,
        run: enrol::becomes_fresh,
    },
    Step {
        title: "a broken `sshd_config` stops `enable` before anything changes",
        on: everywhere,
        run: enable::stops_at_a_broken_configuration,
    },
    Step {
        title: "another provider's `AuthorizedKeysCommand` is reported with its file, and stays",
        on: without_userdb,
        run: enable::keeps_anothers_key_command,
    },
    Step {
        title: "Debian's own `20-systemd-userdb.conf` is reported, and stays",
        on: with_userdb,
        run: enable::keeps_debians_key_command,
    },
    Step {
        title: "`enable` reloads sshd and does not restart it, open connections stay; a granted key is let in, and logins by file go on",
        on: everywhere,
        run: enable::lets_granted_keys_in,
    },
    Step {
        title: "a revoked key is refused",
        on: everywhere,
        run: enable::refuses_revoked_keys,
    },
    Step {
        title: "downgraded while people log in: no login is refused, nothing below `/etc/ssh` changes, sshd runs on",
        on: everywhere,
        run: replace::downgrades,
    },
    Step {
        title: "upgraded while people log in: the same",
        on: everywhere,
        run: replace::upgrades,
    },
    Step {
        title: "a broken `sshd_config` stops the removal",
        on: everywhere,
        run: leave::stays_at_a_broken_configuration,
    },
    Step {
        title: "removing takes the drop-in first and the lookup afterwards; logins by file go on",
        on: debian,
        run: leave::takes_the_drop_in_first,
    },
    Step {
        title: "erased: the drop-in is gone, sshd runs on, and logins by file go on",
        on: rpm,
        run: leave::removes,
    },
    Step {
        title: "after a purge (of an .rpm, its erasure) every byte below `/etc/ssh` is as before; break-glass keys are kept",
        on: everywhere,
        run: leave::purges,
    },
    Step {
        title: "installed, enrolled and enabled again",
        on: everywhere,
        run: leave::works_again,
    },
    Step {
        title: "a line of the admin's that names keyroster, behind a quoted `Include`, stops the removal before anything changes, with file and line",
        on: everywhere,
        run: cut_short::is_refused_before_anything_changes,
    },
    Step {
        title: "unpacked, never configured and removed: the drop-in is gone, sshd knows, and logins by file go on",
        on: debian,
        run: cut_short::is_survived_after_half_an_upgrade,
    },
    Step {
        title: "installed again after a removal: the host agent runs",
        on: debian,
        run: cut_short::is_undone_by_installing_again,
    },
    Step {
        title: "without a login `keyroster-enable.service` takes the change back",
        on: everywhere,
        run: watch::takes_back,
    },
    Step {
        title: "the same though it is killed, and `enable` too",
        on: everywhere,
        run: watch::comes_back_when_killed,
    },
    Step {
        title: "rebooted with a change that waits: sshd starts without the drop-in",
        on: everywhere,
        run: watch::comes_before_sshd_at_a_boot,
    },
    Step {
        title: "removed while sshd is stopped: the drop-in is gone, and sshd starts as before",
        on: everywhere,
        run: cut_short::works_with_sshd_stopped,
    },
];

fn everywhere(_: System) -> bool {
    true
}

fn debian(system: System) -> bool {
    system != System::Rpm
}

fn rpm(system: System) -> bool {
    system == System::Rpm
}

fn with_userdb(system: System) -> bool {
    system == System::Debian(Release::Debian13)
}

fn without_userdb(system: System) -> bool {
    !with_userdb(system)
}
