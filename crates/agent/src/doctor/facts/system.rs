//! What systemd, PAM and the clock say.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use keyroster_sshd::run::finish;
use keyroster_sshd::service::systemd_runs;

use crate::doctor::facts::files::read_some;
use crate::doctor::facts::{Seen, Unseen};

/// What systemd says of the units; none where systemd does not run.
pub type Units = Option<BTreeMap<String, BTreeMap<String, String>>>;

/// Asks systemd about the units that matter.
///
/// # Errors
/// When it does not answer.
pub fn units() -> Seen<Units> {
    if !systemd_runs() {
        return Ok(None);
    }
    let mut units = BTreeMap::new();
    for unit in UNITS {
        let mut command = Command::new("systemctl");
        command.args(["show", "--property", PROPERTIES, "--", unit]);
        let said = finish(&mut command, TOOL_LIMIT).and_then(|done| done.success("systemctl show"));
        let said = said.map_err(Unseen::because)?;
        let pairs = said.lines().filter_map(|line| line.split_once('='));
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        units.insert(unit.to_owned(), pairs.collect());
    }
    Ok(Some(units))
}

/// Whether systemd holds sshd's socket and starts an sshd for it.
#[must_use]
pub fn listens_for_sshd() -> bool {
    if !systemd_runs() {
        return false;
    }
    let mut command = Command::new("systemctl");
    command.args(["--quiet", "is-active", "ssh.socket", "sshd.socket"]);
    finish(&mut command, TOOL_LIMIT).is_ok_and(|done| done.status.success())
}

/// Whether the clock is kept in step with others; none where nobody here could know.
///
/// # Errors
/// When the one who knows does not answer.
pub fn synchronised() -> Seen<Option<bool>> {
    if !systemd_runs() {
        return Ok(None);
    }
    let mut command = Command::new("timedatectl");
    command.args(["show", "--property", "NTPSynchronized", "--value"]);
    let said = finish(&mut command, TOOL_LIMIT).and_then(|done| done.success("timedatectl"));
    let said = said.map_err(Unseen::because)?;
    Ok(match said.trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    })
}

/// The PAM stack of sshd.
///
/// # Errors
/// When it can't be read.
pub fn pam(path: &Path) -> Seen<String> {
    let bytes = read_some(path, MAX_PAM_BYTES);
    let bytes = bytes.map_err(|err| Unseen(format!("can't read \"{}\": {err}", path.display())))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Where sshd's PAM stack is.
pub const PAM: &str = "/etc/pam.d/sshd";

/// Tools of the system answer in a moment, or not at all.
pub const TOOL_LIMIT: Duration = Duration::from_secs(10);

/// Debian calls sshd's unit ssh, others sshd; the one is an alias of the other or not there.
const UNITS: [&str; 4] = [
    "keyroster-agent.service",
    "keyroster-sessions.service",
    "ssh.service",
    "sshd.service",
];
const PROPERTIES: &str = "LoadState,ActiveState,SubState,UnitFileState,RestrictAddressFamilies,ProtectSystem,NoNewPrivileges,IPAddressDeny,NRestarts";
const MAX_PAM_BYTES: u64 = 64 * 1024;
