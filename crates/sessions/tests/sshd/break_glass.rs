//! Logins with a break-glass key, told to whoever reads the log and to the host agent.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use keyroster_testkit::{Account, until};
use keyroster_wire::{Report, ReportKind};

use crate::support::{AGENT, LIMIT, Stage};

const ACCOUNT: &str = "keyroster-ts5";

/// Alice's key is a break-glass key, and Bob's is not.
fn stage() -> Stage {
    let stage = Stage::set(ACCOUNT, &["alice", "bob"], "");
    stage.dir.dir("break-glass", 0o755).unwrap();
    let line = format!(
        "# safe\nrestrict,pty {}\n",
        stage.key("alice").public_line()
    );
    let file = format!("break-glass/{ACCOUNT}");
    stage.dir.file(&file, line, 0o644).unwrap();
    stage
}

fn reports(dir: &Path) -> Vec<Report> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
        .map(|entry| Report::parse(&fs::read_to_string(entry.path()).unwrap()).unwrap())
        .collect()
}

fn wait_for_report(dir: &Path) -> Report {
    until("a report", LIMIT, || Ok(reports(dir).pop())).unwrap()
}

#[test]
fn a_use_is_logged_at_once_and_left_on_disk_for_the_host_agent() {
    let stage = stage();
    assert!(stage.ssh("bob").is_let_in().unwrap());
    assert!(stage.ssh("alice").is_let_in().unwrap());
    let key = stage.key("alice").fingerprint().unwrap();
    let logged = stage.logged("break-glass key used");
    // Facility authpriv, severity alert.
    assert!(logged.starts_with("<81>"), "{logged}");
    assert!(
        logged.contains(&format!("account={ACCOUNT} key={key} pid=")),
        "{logged}"
    );
    let spool = stage.dir.path().join("spool");
    let report = wait_for_report(&spool);
    assert_eq!(
        (report.kind, report.account.as_str()),
        (ReportKind::BreakGlass, ACCOUNT)
    );
    assert_eq!(report.key, key.to_string());
    until("memory to be empty", LIMIT, || {
        Ok(reports(&stage.dir.path().join("run/reports"))
            .is_empty()
            .then_some(()))
    })
    .unwrap();
    assert_eq!(reports(&spool).len(), 1);
    let agent = Account::service(AGENT).unwrap();
    let file = spool.join(report.id.to_string());
    for (path, mode) in [(&spool, 0o770), (&file, 0o640)] {
        let metadata = fs::metadata(path).unwrap();
        assert_eq!(
            (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777),
            (0, agent.gid, mode)
        );
    }
}

#[test]
fn a_report_that_cannot_be_put_on_disk_stays_in_memory() {
    let stage = stage();
    stage.dir.file("spool", "in the way", 0o644).unwrap();
    assert!(stage.ssh("alice").is_let_in().unwrap());
    stage.logged("reports stay in memory");
    let report = wait_for_report(&stage.dir.path().join("run/reports"));
    assert_eq!(report.account, ACCOUNT);
}

#[test]
fn a_use_is_told_where_the_session_itself_cannot_be_recorded() {
    let mut stage = stage();
    stage.kill_helper();
    fs::remove_dir_all(stage.dir.path().join("run")).unwrap();
    stage
        .account
        .own(&stage.dir.dir("run", 0o777).unwrap())
        .unwrap();
    assert!(stage.ssh("alice").is_let_in().unwrap());
    stage.logged("break-glass key used");
    stage.logged("a session is not recorded");
    assert_eq!(
        wait_for_report(&stage.dir.path().join("spool")).account,
        ACCOUNT
    );
}

#[test]
fn a_break_glass_file_that_cannot_be_read_is_logged_and_the_login_goes_on() {
    let stage = stage();
    let file = stage.dir.path().join("break-glass").join(ACCOUNT);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert!(stage.ssh("alice").is_let_in().unwrap());
    stage.logged("a use of it is not told");
}

#[test]
fn a_login_through_the_sshd_of_a_drill_is_a_drill_and_no_use() {
    let stage = stage();
    let drills = stage.dir.path().join("run/drills");
    fs::create_dir(&drills).unwrap();
    fs::set_permissions(&drills, fs::Permissions::from_mode(0o700)).unwrap();
    let pid = stage.sshd.pid();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let start = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .nth(19)
        .unwrap();
    let mark = drills.join(format!("{pid}-{start}"));
    fs::write(&mark, "").unwrap();
    assert!(stage.ssh("alice").is_let_in().unwrap());
    let logged = stage.logged("break-glass drill");
    assert!(logged.starts_with("<85>"), "{logged}");
    assert_eq!(
        wait_for_report(&stage.dir.path().join("spool")).kind,
        ReportKind::Drill
    );
    let key = stage.key("alice").fingerprint().unwrap();
    assert_eq!(fs::read_to_string(mark).unwrap(), format!("saw {key}\n"));
}
