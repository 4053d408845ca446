//! A backup is made and put back, as docs/restore.md and docs/admin/server.md say it.

use keyroster_testkit::Result;

use crate::machine::{Answer, Machine};

/// One key is revoked after the backup and one is added: neither is in force afterwards, and the ones from before are.
pub fn brings_the_roster_back(machine: &mut Machine) -> Result {
    machine.must_reach_the_host("revoked")?;
    machine.must(&with_url(
        "backup --data /var/lib/keyroster-server --to /var/lib/keyroster-server/backup.db",
    ))?;
    machine.must(REVOKE)?;
    machine.must_reach_the_host("lost")?;
    machine.must("systemctl stop keyroster-server")?;
    machine.must(&with_url(
        "restore --data /var/lib/keyroster-server --from /var/lib/keyroster-server/backup.db",
    ))?;
    machine.must("systemctl start keyroster-server")?;
    machine.must_serve()?;
    machine.must_come_to_answer("lost", Answer::None)?;
    machine.must_come_to_answer("revoked", Answer::None)?;
    machine.must_come_to_answer("first", Answer::Found)?;
    machine.must_reach_the_host("restored")
}

/// A verb by hand, with the database's URL as the unit has it.
fn with_url(verb: &str) -> String {
    format!(
        "systemd-run --quiet --pipe --uid=keyroster-server \
         -p LoadCredential=database-url:/etc/keyroster-server/database-url keyroster-server {verb}"
    )
}

const REVOKE: &str =
    "keyroster key revoke \"$(ssh-keygen -lf .ssh/revoked.pub | cut -d ' ' -f 2)\" --wait";
