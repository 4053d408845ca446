//! The one-shot fetch, played by scripts: how it is run, and what becomes of what it prints.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;

use crate::keys;
use crate::support::{
    Bench, NOBODY, assert_found, assert_none, assert_unavailable, found, keys_question, none,
    unavailable,
};

/// A bench with a `direct` program whose script is `body`, and the chain `chain`.
fn bench(chain: &str, body: &str) -> (Bench, PathBuf) {
    let bench = Bench::new("");
    let spool = bench.spool();
    let program = bench.script("direct", body);
    bench.configure(&format!(
        "authorized_keys: {chain}\ndirect_program: {}\ndirect_config: /etc/keyroster/a b.toml",
        program.display()
    ));
    for (name, frame) in [
        ("found", found(&[&keys::line()])),
        ("none", none()),
        ("unavailable", unavailable()),
    ] {
        bench.dir.file(name, frame, 0o644).unwrap();
    }
    (bench, spool)
}

/// A script that takes the request and answers with the frame of this name.
const ANSWER: &str = "cd ${0%/*}; cat >spool/request; cat ";

#[test]
fn its_three_answers_are_the_lookup_s() {
    let (bench, _) = bench("direct", &format!("{ANSWER} found"));
    assert_found(&bench.ask(), &format!("{}\n", keys::line()));
    bench.script("direct", &format!("{ANSWER} none"));
    assert_none(&bench.ask());
    bench.script("direct", &format!("{ANSWER} unavailable"));
    assert_unavailable(&bench.ask());
}

#[test]
fn it_is_given_the_request_its_configuration_and_nothing_else() {
    let script = "cd ${0%/*}/spool; cat >request; printf '%s\\n' \"$@\" >arguments; /usr/bin/env >environment; \
                  ls /proc/self/fd >descriptors; pwd -P >/dev/null; cat ../found";
    let (bench, spool) = bench("direct", script);
    let mut command = bench.command_line(&["sh", "-c", "exec 7</etc/passwd; exec \"$@\"", "sh"]);
    command.env("SECRET", "x").env("LD_PRELOAD", "");
    let finished = crate::support::run(&mut command);
    assert_found(&finished, &format!("{}\n", keys::line()));
    let request = fs::read(spool.join("request")).unwrap();
    assert_eq!(keys_question(&request).account, "deploy");
    let read = |name: &str| fs::read_to_string(spool.join(name)).unwrap();
    assert_eq!(
        read("arguments"),
        "lookup-once\n--config\n/etc/keyroster/a b.toml\n"
    );
    let environment = read("environment");
    for line in environment.lines() {
        let name = line.split('=').next().unwrap();
        assert!(
            ["PATH", "PWD", "OLDPWD", "_"].contains(&name),
            "{environment}"
        );
    }
    // The three standard ones, and the one that `ls` reads the directory through.
    assert_eq!(
        read("descriptors").lines().collect::<Vec<_>>(),
        ["0", "1", "2", "3"]
    );
}

#[test]
fn a_failing_exit_discards_what_was_printed() {
    let (bench, _) = bench("direct", &format!("{ANSWER} found; exit 1"));
    assert_unavailable(&bench.ask());
    bench.script("direct", &format!("{ANSWER} found; kill -9 $$"));
    assert_unavailable(&bench.ask());
}

#[test]
fn what_is_no_response_or_no_end_of_one_is_unavailable() {
    let (bench, _) = bench("direct", "echo nonsense");
    assert_unavailable(&bench.ask());
    bench.script("direct", "");
    assert_unavailable(&bench.ask());
    bench.script("direct", "cd ${0%/*}; cat found found");
    assert_unavailable(&bench.ask());
    bench.script("direct", "exec cat /dev/zero");
    assert_unavailable(&bench.ask());
    assert!(
        bench
            .logged()
            .last()
            .unwrap()
            .contains("reason=too-much-output")
    );
}

#[test]
fn a_program_that_does_not_read_its_request_may_still_answer() {
    let (bench, _) = bench("direct", "exec <&-; cat ${0%/*}/found");
    assert_found(&bench.ask(), &format!("{}\n", keys::line()));
}

#[test]
fn a_program_that_others_could_change_is_not_run() {
    let (bench, spool) = bench("direct", &format!("{ANSWER} found"));
    let program = bench.path("direct");
    for mode in [0o775, 0o757] {
        fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
        assert_unavailable(&bench.ask());
    }
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    chown(&program, Some(NOBODY), None).unwrap();
    assert_unavailable(&bench.ask());
    chown(&program, Some(0), None).unwrap();
    fs::set_permissions(bench.dir.path(), fs::Permissions::from_mode(0o775)).unwrap();
    assert_unavailable(&bench.ask());
    assert!(
        bench
            .logged()
            .iter()
            .all(|message| message.contains("reason=program-mistrusted"))
    );
    assert!(!spool.join("request").exists());
    fs::set_permissions(bench.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_found(&bench.ask(), &format!("{}\n", keys::line()));
}

#[test]
fn a_link_to_a_program_is_judged_by_where_it_leads() {
    let (bench, spool) = bench("direct", &format!("{ANSWER} found"));
    fs::rename(bench.path("direct"), spool.join("direct")).unwrap();
    std::os::unix::fs::symlink(spool.join("direct"), bench.path("direct")).unwrap();
    assert_unavailable(&bench.ask());
}

#[test]
fn a_program_that_is_missing_or_can_not_be_executed_is_unavailable() {
    let (bench, _) = bench("direct", "");
    fs::set_permissions(bench.path("direct"), fs::Permissions::from_mode(0o644)).unwrap();
    assert_unavailable(&bench.ask());
    fs::remove_file(bench.path("direct")).unwrap();
    assert_unavailable(&bench.ask());
}

#[test]
fn it_is_asked_when_the_host_agent_is_not_running_or_can_not_decide() {
    let (bench, _) = bench(
        "agent [UNAVAIL=continue] direct",
        &format!("{ANSWER} found"),
    );
    assert_found(&bench.ask(), &format!("{}\n", keys::line()));
    assert!(bench.logged_once().contains("source=direct reason=granted"));
    bench.agent_saying(unavailable());
    assert_found(&bench.ask(), &format!("{}\n", keys::line()));
    assert!(
        bench
            .logged_once()
            .contains("tried=agent:unavail,direct:found")
    );
}

#[test]
fn it_can_not_override_the_host_agent_s_no() {
    let (bench, spool) = bench("agent direct", &format!("{ANSWER} found"));
    bench.agent_saying(none());
    assert_none(&bench.ask());
    assert!(!spool.join("request").exists());
}
