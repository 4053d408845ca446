//! Other versions: of the package, and of the database.

use keyroster_testkit::{Failure, Result};

use super::serve::{SERVER_PACKAGE, must_install};
use crate::machine::Machine;
use crate::steps::install::install;

/// To the version before.
pub fn downgrades(machine: &mut Machine) -> Result {
    let before = State::of(machine)?;
    let file = machine
        .packages
        .previous(machine.system(), SERVER_PACKAGE)?;
    let done = install(&machine.root, &file)?;
    if !done.status.success() {
        return Err(machine.failure("the package manager failed", &done));
    }
    before.must_be_another_run_of_the_same_roster(machine, "downgraded")
}

/// Back to this version.
pub fn upgrades(machine: &mut Machine) -> Result {
    let before = State::of(machine)?;
    must_install(machine, SERVER_PACKAGE)?;
    before.must_be_another_run_of_the_same_roster(machine, "upgraded")
}

/// What somebody else's version has left is not touched, and not tried again and again.
pub fn refuses_a_newer_schema(machine: &mut Machine) -> Result {
    machine.must(&sql(MIGRATE_LATER))?;
    let done = machine
        .root
        .shell("systemctl restart keyroster-server", "")?;
    let state = machine.must(ENDED)?;
    let said =
        machine.must("journalctl --no-pager --output=cat --lines=20 --unit=keyroster-server")?;
    machine.must(&sql(UNDO))?;
    let expected = "ExecMainStatus=78\nNRestarts=0\nActiveState=failed\n";
    let told =
        said.contains("schema 99990101000000") && said.contains("hint: start the newer version");
    if done.status.success() || !told || !same_lines(&state, expected) {
        return Err(machine.failure(&format!("not refused: {state}{said}"), &done));
    }
    machine.must("systemctl start keyroster-server")?;
    machine.must_serve()
}

struct State {
    run: String,
    migrations: String,
}

impl State {
    fn of(machine: &Machine) -> Result<Self> {
        let run = "systemctl show --property=InvocationID --value keyroster-server";
        Ok(Self {
            run: machine.must(run)?,
            migrations: machine.must(&sql(MIGRATIONS))?,
        })
    }

    fn must_be_another_run_of_the_same_roster(&self, machine: &Machine, key: &str) -> Result {
        machine.must_serve()?;
        let after = Self::of(machine)?;
        if after.run == self.run {
            return Err(Failure::new("the key server was not restarted"));
        }
        if after.migrations != self.migrations {
            return Err(Failure::new(format!(
                "migrations: {} before, {} after",
                self.migrations, after.migrations
            )));
        }
        machine.must_reach_the_host(key)
    }
}

fn same_lines(one: &str, other: &str) -> bool {
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
        lines.sort();
        lines
    };
    sorted(one) == sorted(other)
}

/// As the key server's user, to whom every file of the database is to belong.
fn sql(statement: &str) -> String {
    format!(
        "runuser -u keyroster-server -- sqlite3 -cmd '.timeout 5000' \
         /var/lib/keyroster-server/handed-over.db \"{statement}\""
    )
}

const MIGRATIONS: &str =
    "select version, installed_on, hex(checksum) from _sqlx_migrations order by version";
const MIGRATE_LATER: &str = "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
                             values (99990101000000, 'later', true, x'00', 0)";
const UNDO: &str = "delete from _sqlx_migrations where version = 99990101000000";
const ENDED: &str =
    "systemctl show --property=ExecMainStatus,NRestarts,ActiveState keyroster-server";
