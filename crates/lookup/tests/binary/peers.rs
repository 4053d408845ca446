//! Whether it is the host agent that listens. The lookup believes nobody else, whatever they say.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::{Child, Command, Stdio};

use keyroster_testkit::until;

use crate::keys;
use crate::support::{Bench, LIMIT, NOBODY, assert_found, assert_unavailable, found};

/// A bench whose host agent has its socket in a directory of its own, `run`, of this mode.
fn bench(mode: u32) -> Bench {
    let bench = Bench::new("");
    let dir = bench.dir.dir("run", mode).unwrap();
    bench.agent_saying(found(&[&keys::line()]));
    fs::rename(bench.path("agent.sock"), dir.join("agent.sock")).unwrap();
    write_configuration(&bench, "");
    bench
}

fn write_configuration(bench: &Bench, settings: &str) {
    let dir = bench.dir.path().display();
    let text = format!("agent_socket: {dir}/run/agent.sock\nlog_socket: {dir}/log\n{settings}\n");
    bench.dir.file("lookup.conf", text, 0o644).unwrap();
}

#[track_caller]
fn assert_mistrusted(bench: &Bench) {
    assert_unavailable(&bench.ask());
    let message = bench.logged_once();
    assert!(message.contains("reason=peer-mistrusted"), "{message}");
}

#[test]
fn a_socket_in_root_s_directory_is_believed() {
    assert_found(&bench(0o755).ask(), &format!("{}\n", keys::line()));
}

#[test]
fn a_socket_in_a_directory_that_others_can_write_is_mistrusted() {
    for mode in [0o775, 0o757, 0o1777] {
        assert_mistrusted(&bench(mode));
    }
}

#[test]
fn a_socket_whose_owner_and_whose_directory_s_owner_are_two_strangers_is_mistrusted() {
    let bench = Bench::new("");
    let dir = bench.dir.dir("run", 0o755).unwrap();
    write_configuration(&bench, "");
    let _listener = listen_as(1235, &bench);
    assert_found(&bench.ask(), &format!("{}\n", keys::line()));
    bench.logged_once();
    chown(&dir, Some(1234), None).unwrap();
    assert_mistrusted(&bench);
}

#[test]
fn a_process_that_listens_on_a_socket_of_another_owner_is_mistrusted() {
    let bench = bench(0o755);
    chown(bench.path("run/agent.sock"), Some(1234), None).unwrap();
    assert_mistrusted(&bench);
}

#[test]
fn a_file_in_the_socket_s_place_is_mistrusted() {
    let bench = bench(0o755);
    fs::remove_file(bench.path("run/agent.sock")).unwrap();
    fs::write(bench.path("run/agent.sock"), "").unwrap();
    assert_mistrusted(&bench);
}

#[test]
fn a_host_agent_of_the_lookup_s_own_user_is_believed_only_where_that_is_configured() {
    let bench = Bench::new("");
    bench.dir.dir("run", 0o755).unwrap();
    let _listener = listen_as(NOBODY, &bench);
    write_configuration(&bench, "");
    assert_mistrusted(&bench);
    write_configuration(&bench, "agent_own_uid: allow");
    assert_found(&bench.ask(), &format!("{}\n", keys::line()));
}

/// A process that ends with its test, however that ends.
struct Listener(Child);

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Another process, of this user, that listens in the directory `run`, which is then its own, and answers found.
/// `SO_PEERCRED` names the one who listens.
fn listen_as(user: u32, bench: &Bench) -> Listener {
    let script = r#"
        use IO::Socket::UNIX;
        $SIG{PIPE} = "IGNORE";
        my ($path, $response) = @ARGV;
        my $socket = IO::Socket::UNIX->new(Local => $path, Listen => 8) or die "$path: $!";
        chmod 0666, $path;
        while (my $peer = $socket->accept) {
            sysread $peer, my $request, 65536;
            syswrite $peer, pack "H*", $response;
            close $peer;
        }
    "#;
    let response: String = found(&[&keys::line()])
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let path = bench.path("run/agent.sock");
    chown(bench.path("run"), Some(user), None).unwrap();
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={user}"))
        .args(["--clear-groups", "perl", "-e", script]);
    command.arg(&path).arg(response).stdin(Stdio::null());
    let listener = Listener(command.spawn().unwrap());
    let is_open = || {
        let mode = fs::metadata(&path)
            .ok()
            .map(|metadata| metadata.permissions().mode() & 0o777);
        Ok((mode == Some(0o666)).then_some(()))
    };
    until("the socket to be open", LIMIT, is_open).unwrap();
    listener
}
