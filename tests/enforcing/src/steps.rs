//! The steps, in the order in which an admin comes to them. Each leaves the machine as the next one finds it.

mod break_glass;
mod confined;
mod enable;
mod install;
mod leave;
mod logins;
mod sessions;
mod sources;

use keyroster_testkit::Result;

use crate::host::Host;

/// One row of the table.
#[derive(Debug)]
pub struct Step {
    /// What holds afterwards, as a sentence.
    pub title: &'static str,
    /// Whether the kernel is to refuse something meanwhile. Otherwise it must not: every step ends with a look.
    pub denials: Denied,
    /// Tries it.
    pub run: fn(&mut Host) -> Result,
}

/// What the kernel's log is to hold at the end of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// Nothing that names us or sshd.
    Nothing,
    /// What the step itself has looked at.
    OnPurpose,
}

/// Every step.
pub const ALL: &[Step] = &[
    Step {
        title: "it enforces from the boot on, and the package is installed: logins by file go on",
        denials: Denied::Nothing,
        run: install::installs,
    },
    Step {
        title: "the host enrols, and its host agent is fresh",
        denials: Denied::Nothing,
        run: install::enrols,
    },
    Step {
        title: "set up word for word as [documented](mandatory-access.md), both daemons are confined, and fresh",
        denials: Denied::Nothing,
        run: install::is_set_up_as_documented,
    },
    Step {
        title: "`enable` without a login: it is taken back, every byte below `/etc/ssh` is as before",
        denials: Denied::Nothing,
        run: enable::is_taken_back_without_a_login,
    },
    Step {
        title: "restarted before the first login: it is taken back, and the daemons are confined again",
        denials: Denied::Nothing,
        run: enable::is_taken_back_by_a_restart,
    },
    Step {
        title: "`enable` with a trial login and a first login: a granted key is let in",
        denials: Denied::Nothing,
        run: enable::lets_granted_keys_in,
    },
    Step {
        title: "a revoked key is refused, also where only `RevokedKeys` refuses it",
        denials: Denied::Nothing,
        run: logins::refuses_revoked_keys,
    },
    Step {
        title: "a session is recorded, and ends with its key",
        denials: Denied::Nothing,
        run: sessions::end_with_their_key,
    },
    Step {
        title: "a break-glass key is drilled and lets in with the host agent dead; the key server hears of it",
        denials: Denied::Nothing,
        run: break_glass::lets_in_and_is_told,
    },
    Step {
        title: "another provider's key command, as a `command:` source, is run and ended in time",
        denials: Denied::Nothing,
        run: sources::asks_another_provider,
    },
    Step {
        title: "`direct`: without a daemon, the key server is asked at each login",
        denials: Denied::Nothing,
        run: sources::asks_directly,
    },
    Step {
        title: "`doctor` looks at everything and finds no error",
        denials: Denied::Nothing,
        run: logins::doctor_finds_no_error,
    },
    Step {
        title: "what the domains and profiles are to refuse is refused",
        denials: Denied::OnPurpose,
        run: confined::to_what_they_need,
    },
    Step {
        title: "downgraded and upgraded: labels and domains are right, and logins go on",
        denials: Denied::Nothing,
        run: leave::replaces,
    },
    Step {
        title: "restarted: labels and domains are right, and logins go on",
        denials: Denied::Nothing,
        run: leave::restarts,
    },
    Step {
        title: "`disable`, the package removed, the policy or the profiles taken out: logins by file go on",
        denials: Denied::Nothing,
        run: leave::leaves,
    },
];
