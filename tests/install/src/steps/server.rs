//! The steps of the key server's package, in the order in which an admin comes to them.

mod leave;
mod replace;
mod restore;
mod secrets;
mod serve;

use super::{Step, debian, everywhere};
use crate::machine::Machine;
use crate::release::{Release, System};

/// Every step of a key server's.
pub const ALL: &[Step<Machine>] = &[
    Step {
        title: "installing starts nothing and makes no roster",
        on: everywhere,
        run: serve::installs_and_starts_nothing,
    },
    Step {
        title: "`init`, and the unit serves: `/healthz` and `/readyz` say 200; a host enrols and is served its snapshot",
        on: everywhere,
        run: serve::serves_a_host,
    },
    Step {
        title: "`LoadCredential=` hands over the database's URL, the CA's key and the snapshot key, which then lie neither in the data directory nor in the environment nor in the command line; hosts are served on",
        on: everywhere,
        run: secrets::are_handed_over,
    },
    Step {
        title: "`LoadCredentialEncrypted=` hands over what `systemd-creds` encrypted",
        on: with_systemd_creds,
        run: secrets::are_decrypted,
    },
    Step {
        title: "`backup` while it serves, and `restore`: what was revoked since stays revoked, and hosts follow",
        on: everywhere,
        run: restore::brings_the_roster_back,
    },
    Step {
        title: "downgraded to the package before: restarted, and serves",
        on: everywhere,
        run: replace::downgrades,
    },
    Step {
        title: "upgraded: restarted, and serves; no migration runs a second time",
        on: everywhere,
        run: replace::upgrades,
    },
    Step {
        title: "a database of a newer schema is refused with exit code 78 and a hint, and systemd does not try again",
        on: everywhere,
        run: replace::refuses_a_newer_schema,
    },
    Step {
        title: "removing (of an .rpm, erasing) stops it, and keeps the roster, the CA and what was handed over",
        on: everywhere,
        run: leave::removes,
    },
    Step {
        title: "a purge keeps them too, byte for byte",
        on: debian,
        run: leave::purges,
    },
    Step {
        title: "installed again, it serves the same roster",
        on: everywhere,
        run: leave::serves_again,
    },
];

/// `systemd-creds` came with systemd 250.
fn with_systemd_creds(system: System) -> bool {
    system.release() != Release::Debian11
}

/// Where the key server's data is.
const DATA: &str = "/var/lib/keyroster-server";
/// What the unit hands over, unless told otherwise.
const HANDED_OVER: &str = "/etc/keyroster-server";
