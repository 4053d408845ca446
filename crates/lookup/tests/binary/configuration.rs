//! A configuration that somebody other than root could have written, or that says something unclear, decides nothing.

use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::process::Command;
use std::{fs, path::Path};

use crate::keys;
use crate::support::{Bench, NOBODY, assert_found, assert_unavailable, found, run};

/// A bench where a host agent says found, so that only the configuration stands in the way.
fn bench() -> Bench {
    let bench = Bench::new("");
    bench.agent_saying(found(&[&keys::line()]));
    bench
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_file_that_group_or_others_can_write_is_refused() {
    let bench = bench();
    let path = bench.path("lookup.conf");
    for mode in [0o664, 0o646, 0o620, 0o602] {
        set_mode(&path, mode | 0o004);
        assert_unavailable(&bench.ask());
    }
    set_mode(&path, 0o644);
    assert_found(&bench.ask(), &format!("{}\n", keys::line()));
}

#[test]
fn a_file_that_is_not_root_s_is_refused() {
    let bench = bench();
    chown(bench.path("lookup.conf"), Some(NOBODY), None).unwrap();
    assert_unavailable(&bench.ask());
}

#[test]
fn a_fifo_or_a_directory_in_its_place_is_refused() {
    let bench = bench();
    let path = bench.path("lookup.conf");
    fs::remove_file(&path).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg("--mode=644")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    assert_unavailable(&bench.ask());
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_unavailable(&bench.ask());
}

#[test]
fn a_symbolic_link_is_judged_by_the_file_it_leads_to() {
    let bench = bench();
    let path = bench.path("lookup.conf");
    fs::rename(&path, bench.path("elsewhere")).unwrap();
    symlink(bench.path("elsewhere"), &path).unwrap();
    assert_found(&bench.ask(), &format!("{}\n", keys::line()));
    chown(bench.path("elsewhere"), Some(NOBODY), None).unwrap();
    assert_unavailable(&bench.ask());
}

#[test]
fn a_file_with_a_mistake_is_refused_whole() {
    let bench = bench();
    for mistake in [
        "authorised_keys: agent",
        "authorized_keys: agent [NOTFOUND=stop]",
        "authorized_keys: agent [SUCCESS=continue]",
        "authorized_keys:",
        "agent_socket: relative",
        "nonsense",
        "log_socket: /twice",
    ] {
        bench.configure(mistake);
        assert_unavailable(&bench.ask());
    }
    bench.configure(&format!("#{}", "x".repeat(16 * 1024)));
    assert_unavailable(&bench.ask());
    bench.dir.file("lookup.conf", b"# \xff\n", 0o644).unwrap();
    assert_unavailable(&run(&mut bench.command(&bench.arguments("deploy"))));
}
