//! Removing and purging the key server's package: what hosts trust must outlive a slip of the hand.

use keyroster_testkit::{Failure, Result};

use super::serve::{SERVER_PACKAGE, must_install};
use super::{DATA, HANDED_OVER};
use crate::machine::{Answer, Machine};
use crate::release::System;
use crate::tree::Tree;

/// Stopped first, so that what is compared is not written to meanwhile.
pub fn removes(machine: &mut Machine) -> Result {
    machine.must("systemctl stop keyroster-server")?;
    let before = kept(machine)?;
    machine.must("systemctl start keyroster-server")?;
    let remove = match machine.system() {
        System::Debian(_) => ["apt-get", "remove", "--yes", SERVER_PACKAGE].as_slice(),
        System::Rpm => &["rpm", "--erase", SERVER_PACKAGE],
    };
    machine.root.must(remove)?;
    machine.must("! systemctl is-active --quiet keyroster-server")?;
    if machine.root.path("/usr/bin/keyroster-server").exists() {
        return Err(Failure::new("the program is still there"));
    }
    let after = kept(machine)?;
    let gone = |change: &String| change.starts_with("gone: ");
    let changes = before
        .iter()
        .zip(&after)
        .flat_map(|(one, other)| one.changes(other));
    let gone: Vec<String> = changes.filter(gone).collect();
    if gone.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the removal took {}",
        gone.join(", ")
    )))
}

/// The package manager forgets the package, and nothing else.
pub fn purges(machine: &mut Machine) -> Result {
    let before = kept(machine)?;
    let said = machine
        .root
        .must(&["apt-get", "purge", "--yes", SERVER_PACKAGE])?;
    for (one, other) in before.iter().zip(&kept(machine)?) {
        one.must_equal(other, &format!("after the purge ({said})"))?;
    }
    Ok(())
}

/// With the roster, the CA and the secrets that were left, and the admin's drop-in.
pub fn serves_again(machine: &mut Machine) -> Result {
    must_install(machine, SERVER_PACKAGE)?;
    machine.must("systemctl enable --now keyroster-server")?;
    machine.must_serve()?;
    machine.must_come_to_answer("first", Answer::Found)?;
    machine.must_reach_the_host("again")
}

fn kept(machine: &Machine) -> Result<[Tree; 2]> {
    let read = |dir| Tree::read(&machine.root.path(dir));
    Ok([read(DATA)?, read(HANDED_OVER)?])
}
