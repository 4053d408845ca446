//! The units, as systemd itself reads them.

use std::process::Command;

use keyroster_testkit::{Failure, Result};

use crate::shell;
use crate::workspace::Workspace;

/// Fails on a unit that is more exposed than it may be; docs/packages.md quotes the numbers.
pub fn verify(workspace: &Workspace) -> Result {
    for (unit, most) in UNITS {
        let file = workspace.root.join("packaging/systemd").join(unit);
        let mut security = Command::new("systemd-analyze");
        security.args(["security", "--offline=true", "--no-pager"]);
        let said = shell::output(security.arg(&file))?;
        let level = exposure(&said)
            .ok_or_else(|| Failure::new(format!("systemd-analyze says no exposure of {unit}")))?;
        println!("{unit}: exposure {level} of {most} at most");
        if level > most {
            return Err(Failure::new(format!("{unit} is exposed by {level}")));
        }
    }
    Ok(())
}

/// `→ Overall exposure level for x.service: 1.3 OK`
fn exposure(said: &str) -> Option<f32> {
    let line = said
        .lines()
        .find(|line| line.contains("Overall exposure level"))?;
    let (_, level) = line.rsplit_once(": ")?;
    level.split_whitespace().next()?.parse().ok()
}

/// How exposed each may be, on systemd's own scale from 0 to 10; versions of it differ by a tenth or two.
pub const UNITS: [(&str, f32); 4] = [
    ("keyroster-agent.service", 2.0),
    ("keyroster-server.service", 2.0),
    ("keyroster-sessions.service", 2.0),
    // It writes where sshd's configuration is, and looks at what others' processes are.
    ("keyroster-enable.service", 3.5),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exposure_is_the_number_behind_the_units_name() {
        let said = "→ Overall exposure level for a.service: 1.3 OK :-)\n";
        assert_eq!(exposure(said), Some(1.3));
    }
}
