//! The daemon as lookup, systemd and strangers meet it.

use std::io::{IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use crate::support::{
    Host, LOOKUP_DEADLINE, exchange, found, program, question, refusal, serving, snapshot, told,
};
use keyroster_agent::socket::MAX_CONNECTIONS;
use keyroster_testkit::{Behaviour, Program, until};
use keyroster_wire::{Question, Reason, Request, Response};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

/// A user that exists everywhere and may ask nowhere, unless the settings say so.
const NOBODY: u32 = 65_534;

const WAIT: Duration = Duration::from_secs(20);

#[test]
fn a_login_is_answered_with_the_one_line_for_its_key() {
    let host = Host::new(3600);
    let _daemon = host.start();
    assert_eq!(host.login(), found(Reason::Granted));
}

#[test]
fn an_account_without_grants_and_a_key_without_grants_are_answered_none() {
    let host = Host::new(3600);
    let _daemon = host.start();
    assert_eq!(
        host.ask(&Request::Keys(question("backup"))),
        refusal("none", Reason::NoGrant)
    );
    let other = Question {
        key_base64: "AAAAC3NzaC1lZDI1NTE5AAAAIP",
        ..question("deploy")
    };
    assert_eq!(
        host.ask(&Request::Keys(other)),
        refusal("none", Reason::NoGrant)
    );
}

#[test]
fn account_names_that_no_account_can_have_are_answered_none_and_touch_no_file() {
    let host = Host::new(3600);
    let _daemon = host.start();
    let asked = host.server.requests().len();
    let names = [
        "-h",
        "--user=root",
        "../../etc/x",
        "a%2fb",
        "DOM\\bob",
        "%s%n",
    ];
    for name in names {
        let answer = host.ask(&Request::Keys(question(name)));
        assert_eq!(answer, refusal("none", Reason::AccountRefused), "{name}");
    }
    let longest = "a".repeat(255);
    assert_eq!(
        host.ask(&Request::Keys(question(&longest))),
        refusal("none", Reason::NoGrant)
    );
    assert_eq!(host.server.requests().len(), asked, "no name reaches a URL");
    let mut files: Vec<_> = std::fs::read_dir(host.dir.path().join("state"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(
        files,
        [
            "confirmed",
            "credential",
            "daemon",
            "high-water",
            "lock",
            "snapshot"
        ]
    );
}

#[test]
fn a_name_that_is_not_utf_8_is_refused_as_no_request() {
    let host = Host::new(3600);
    let _daemon = host.start();
    let mut frame = Request::Keys(question("deploy")).encode().unwrap();
    let at = frame
        .windows(6)
        .position(|window| window == b"deploy")
        .unwrap();
    frame[at] = 0xff;
    let response = exchange(&host.socket(), &frame);
    let response = keyroster_wire::Response::decode(&response).unwrap();
    assert_eq!(response.reason, Reason::BadRequest);
}

#[test]
fn principals_are_answered_none() {
    let host = Host::new(3600);
    let _daemon = host.start();
    let asked = host.ask(&Request::Principals(question("deploy")));
    assert_eq!(asked, refusal("none", Reason::NoPrincipals));
}

#[test]
fn a_user_that_is_not_on_the_list_is_refused_and_logged() {
    let host = Host::new(3600);
    let installed = host
        .dir
        .install_file(env!("CARGO_BIN_EXE_keyroster-agent").as_ref())
        .unwrap();
    let mut daemon = host.start();
    let status = || {
        let mut command = std::process::Command::new(&installed);
        std::os::unix::process::CommandExt::uid(&mut command, NOBODY);
        command
            .args(["status", "--json", "--config"])
            .arg(host.config())
            .output()
            .unwrap()
    };
    assert!(
        !status().status.success(),
        "neither the socket nor the state directory is for others"
    );
    daemon
        .wait_for_line("a user that may not ask was refused uid=65534")
        .unwrap();
    drop(daemon);
    host.configure(&format!("lookup-users = [{NOBODY}]\n"));
    let _daemon = host.start();
    let told = status();
    assert!(told.status.success());
    assert!(
        String::from_utf8(told.stdout)
            .unwrap()
            .contains("\"daemon\":true")
    );
}

#[test]
fn whoever_says_nothing_is_closed_on_and_keeps_nobody_out() {
    let host = Host::new(3600);
    let _daemon = host.start();
    for said in [&b""[..], b"KYRQ\x01\x01", b"KYRQ\x01\x01\0\0\x10\0half"] {
        let mut stream = UnixStream::connect(host.socket()).unwrap();
        stream.set_read_timeout(Some(LOOKUP_DEADLINE)).unwrap();
        stream.write_all(said).unwrap();
        assert_eq!(stream.read_to_end(&mut Vec::new()).unwrap(), 0);
    }
    assert_eq!(host.login(), found(Reason::Granted));
}

#[test]
fn too_many_connections_are_told_so_and_their_places_come_back() {
    let host = Host::new(3600);
    let _daemon = host.start();
    let silent: Vec<_> = (0..MAX_CONNECTIONS)
        .map(|_| UnixStream::connect(host.socket()).unwrap())
        .collect();
    assert_eq!(host.login(), refusal("unavailable", Reason::Busy));
    drop(silent);
    let answered = until("a free place", WAIT, || {
        Ok(Some(host.login()).filter(|told| told.word == "found"))
    });
    assert_eq!(answered.unwrap(), found(Reason::Granted));
}

#[test]
fn whoever_may_not_ask_keeps_nobody_out_by_opening_sockets() {
    let host = Host::new(3600);
    let _daemon = host.start();
    let socket = host.socket();
    // Of this process the thread alone is nobody then.
    let stranger = std::thread::spawn(move || {
        rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(NOBODY)).unwrap();
        let connections = 0..2 * MAX_CONNECTIONS;
        connections
            .map(|_| UnixStream::connect(&socket).unwrap())
            .collect::<Vec<_>>()
    });
    let silent = stranger.join().unwrap();
    assert_eq!(host.login(), found(Reason::Granted));
    drop(silent);
}

#[test]
fn what_is_no_request_is_told_so() {
    let host = Host::new(3600);
    let _daemon = host.start();
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"KYRQ\x02\x03\0\0\0\0",
        b"KYRQ\x01\x03\0\0\0\x01x",
    ] {
        let response = exchange(&host.socket(), bytes);
        let response = keyroster_wire::Response::decode(&response).unwrap();
        assert_eq!(response.reason, Reason::BadRequest, "{bytes:?}");
    }
}

#[test]
fn a_socket_that_a_crash_left_is_replaced_and_open_to_all() {
    let host = Host::new(3600);
    let mut crashed = host.start();
    let before = std::fs::metadata(host.socket()).unwrap().ino();
    crashed.kill().unwrap();
    assert!(host.socket().exists());
    let _daemon = host.start();
    let after = std::fs::metadata(host.socket()).unwrap();
    assert_ne!(after.ino(), before);
    assert_eq!(after.permissions().mode() & 0o777, 0o666);
    assert_eq!(host.login(), found(Reason::Granted));
}

#[test]
fn a_second_daemon_on_the_same_state_does_not_start_and_harms_nothing() {
    let host = Host::new(3600);
    let _daemon = host.start();
    let second = host.daemon().finish().unwrap();
    assert_eq!(second.code(), Some(78));
    assert!(
        second
            .stderr
            .contains("error: another host agent is running"),
        "{}",
        second.stderr
    );
    assert_eq!(host.login(), found(Reason::Granted));
}

#[test]
fn a_file_in_the_sockets_place_and_a_directory_that_others_can_write_are_refused() {
    let host = Host::new(3600);
    std::fs::write(host.socket(), "precious").unwrap();
    let done = host.daemon().finish().unwrap();
    assert!(done.stderr.contains("is not a socket"), "{}", done.stderr);
    assert_eq!(std::fs::read(host.socket()).unwrap(), b"precious");
    std::fs::remove_file(host.socket()).unwrap();
    let run = host.dir.path().join("run");
    for mode in [0o775, 0o1777] {
        std::fs::set_permissions(&run, std::fs::Permissions::from_mode(mode)).unwrap();
        let done = host.daemon().finish().unwrap();
        assert!(
            done.stderr.contains("can be written by others"),
            "{mode:o}: {}",
            done.stderr
        );
    }
}

#[test]
fn systemd_is_told_of_readiness_and_of_the_end_and_its_watchdog_is_fed() {
    let host = Host::new(3600);
    let path = host.dir.path().join("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    systemd.set_read_timeout(Some(WAIT)).unwrap();
    let hear = || {
        let mut buffer = [0; 256];
        let length = systemd.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).trim().to_owned()
    };
    let mut daemon = host
        .daemon()
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "300000")
        .spawn()
        .unwrap();
    let mut heard = Vec::new();
    while !(heard.contains(&"READY=1".to_owned()) && heard.contains(&"WATCHDOG=1".to_owned())) {
        heard.push(hear());
    }
    assert!(daemon.terminate().unwrap().success());
    while hear() != "STOPPING=1" {}
    assert!(
        heard.contains(&"FDSTORE=1\nFDNAME=lookups".to_owned()),
        "{heard:?}"
    );
    // Its directory is systemd's to remove, unless this is a restart.
    assert!(host.socket().exists());
}

#[test]
fn without_systemd_the_socket_goes_with_the_daemon() {
    let host = Host::new(3600);
    let mut daemon = host.start();
    assert!(daemon.terminate().unwrap().success());
    assert!(!host.socket().exists());
}

#[test]
fn a_login_between_one_daemon_and_the_next_waits_for_the_next() {
    let host = Host::new(3600);
    let path = host.dir.path().join("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    systemd.set_read_timeout(Some(WAIT)).unwrap();
    let mut daemon = host.daemon().env("NOTIFY_SOCKET", &path).spawn().unwrap();
    daemon.wait_for_line("ready").unwrap();
    let kept = stored(&systemd).unwrap();
    assert!(daemon.terminate().unwrap().success());

    let mut login = UnixStream::connect(host.socket()).unwrap();
    let request = Request::Keys(question("deploy"));
    login.write_all(&request.encode().unwrap()).unwrap();

    // As systemd does it: the number 3, and the process that it is meant for (sd_listen_fds(3)).
    let script = format!(
        "exec 3<&{}; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" \"$@\"",
        kept.as_raw_fd()
    );
    let mut next = Program::at(Path::new("/bin/sh"))
        .args(["-c", &script, env!("CARGO_BIN_EXE_keyroster-agent"), "run"])
        .args([Path::new("--config"), &host.config()])
        .spawn()
        .unwrap();
    next.wait_for_line("ready").unwrap();
    assert_eq!(
        told(&Response::read_from(&mut login).unwrap()),
        found(Reason::Granted)
    );
    assert_eq!(host.login(), found(Reason::Granted));
}

#[test]
fn a_daemon_that_cannot_start_lets_go_of_the_socket_so_that_no_login_waits_for_it() {
    let host = Host::new(3600);
    let path = host.dir.path().join("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    systemd.set_read_timeout(Some(WAIT)).unwrap();
    let mut daemon = host.daemon().env("NOTIFY_SOCKET", &path).spawn().unwrap();
    daemon.wait_for_line("ready").unwrap();
    let kept = stored(&systemd).unwrap();
    assert!(daemon.terminate().unwrap().success());
    let settings = host.dir.path().join("broken.toml");
    std::fs::write(&settings, "nonsense").unwrap();
    let script = format!(
        "exec 3<&{}; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" \"$@\"",
        kept.as_raw_fd()
    );
    let next = Program::at(Path::new("/bin/sh"))
        .args(["-c", &script, env!("CARGO_BIN_EXE_keyroster-agent"), "run"])
        .args([Path::new("--config"), &settings])
        .env("NOTIFY_SOCKET", &path)
        .finish()
        .unwrap();
    assert!(!next.status.success());
    let mut text = [0; 256];
    let told = until("systemd to be told", WAIT, || {
        let length = systemd.recv(&mut text).unwrap();
        let text = String::from_utf8_lossy(&text[..length]).into_owned();
        Ok(text.contains("FDSTOREREMOVE=1").then_some(text))
    });
    assert!(told.unwrap().contains("FDNAME=lookups"));
    assert!(!host.socket().exists());
}

/// The socket that a daemon gave away, as systemd keeps it.
fn stored(systemd: &UnixDatagram) -> Option<OwnedFd> {
    loop {
        let mut text = [0; 256];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut into = [IoSliceMut::new(&mut text)];
        // Without CMSG_CLOEXEC: a child is to get it.
        recvmsg(systemd, &mut into, &mut control, RecvFlags::empty()).ok()?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(mut files) = message {
                return files.next();
            }
        }
    }
}

#[test]
fn a_host_that_is_not_enrolled_says_so_and_how_to_mend_it() {
    let host = Host::new(3600);
    std::fs::remove_dir_all(host.dir.path().join("state/credential")).unwrap();
    let done = host.daemon().finish().unwrap();
    assert_eq!(done.code(), Some(78));
    assert!(
        done.stderr
            .contains("error: this host is not enrolled\nhint: "),
        "{}",
        done.stderr
    );
    let status = program()
        .args(["status", "--json", "--config"])
        .arg(host.config())
        .finish()
        .unwrap();
    assert!(
        status.stdout.contains("\"state\":\"not-enrolled\""),
        "{}",
        status.stdout
    );
}

#[test]
fn killing_the_key_server_leaves_logins_working_also_after_a_restart() {
    let host = Host::new(1);
    let mut daemon = host.start();
    host.server.set(Behaviour::HangUp);
    let stale = until("a stale answer", WAIT, || {
        Ok(Some(host.login()).filter(|told| told.reason == Reason::GrantedStale))
    });
    assert_eq!(stale.unwrap(), found(Reason::GrantedStale));
    daemon.wait_for_line("stale answer").unwrap();
    daemon.kill().unwrap();
    let _again = host.start();
    assert_eq!(host.login(), found(Reason::GrantedStale));
}

#[test]
fn a_syslog_that_does_not_read_holds_up_no_login() {
    let host = Host::new(1);
    let path = host.dir.path().join("log");
    let _full = UnixDatagram::bind(&path).unwrap();
    host.configure(&format!(
        "log = \"syslog\"\nlog-socket = \"{}\"\n",
        path.display()
    ));
    let _daemon = host.daemon().spawn().unwrap();
    until("the socket", WAIT, || {
        Ok(host.socket().exists().then_some(()))
    })
    .unwrap();
    host.server.set(Behaviour::status(410));
    let refused = until("the refusal", WAIT, || {
        Ok(Some(host.login()).filter(|told| told.word == "none"))
    });
    assert_eq!(refused.unwrap(), refusal("none", Reason::HostRefused));
    // Each of these is logged, and a datagram socket of the kernel holds a few hundred at most.
    for _ in 0..1500 {
        assert_eq!(host.login(), refusal("none", Reason::HostRefused));
    }
}

#[test]
fn what_is_logged_stays_in_its_line() {
    let host = Host::new(1);
    let mut daemon = host.start();
    host.server.set(Behaviour::status(410));
    let forged = Question {
        fingerprint: "x\"_answer=found",
        ..question("deploy")
    };
    until("the refusal", WAIT, || {
        Ok(Some(host.ask(&Request::Keys(forged))).filter(|told| told.word == "none"))
    })
    .unwrap();
    daemon
        .wait_for_line("fingerprint=\"x\\\"_answer=found\"")
        .unwrap();
}

#[test]
fn a_listener_that_is_not_the_host_agent_is_not_asked_for_status() {
    let host = Host::new(3600);
    let _impostor = UnixListener::bind(host.socket()).unwrap();
    // It never answers; the report then comes from the disk.
    let status = program()
        .args(["status", "--json", "--config"])
        .arg(host.config())
        .finish()
        .unwrap();
    assert!(
        status.stdout.contains("\"daemon\":false"),
        "{}",
        status.stdout
    );
}

#[test]
fn a_new_snapshot_replaces_the_old_answer() {
    let host = Host::new(1);
    let _daemon = host.start();
    assert_eq!(host.login().word, "found");
    let mut revoked = snapshot(11, 1);
    revoked.accounts.clear();
    host.server.set(serving(&revoked));
    until("the revocation", WAIT, || {
        Ok((host.login().word == "none").then_some(()))
    })
    .unwrap();
}

#[test]
fn the_daemon_ends_while_the_key_server_holds_its_question() {
    let host = Host::new(3600);
    host.configure("wait-seconds = 25\n");
    let mut daemon = host.start();
    host.server.set(Behaviour::Silent);
    until("a question that may be held", WAIT, || {
        let held = |head: &String| head.to_ascii_lowercase().contains("prefer: wait=25");
        Ok(host.server.requests().iter().any(held).then_some(()))
    })
    .unwrap();
    assert!(daemon.terminate().unwrap().success());
}

#[test]
fn a_refused_snapshot_is_logged_and_the_last_good_one_answers() {
    let host = Host::new(1);
    let mut daemon = host.start();
    let mut older = snapshot(9, 1);
    older.accounts.clear();
    host.server.set(serving(&older));
    let asked = host.server.requests().len();
    until("the older snapshot", WAIT, || {
        assert_eq!(host.login().word, "found");
        Ok((host.server.requests().len() > asked).then_some(()))
    })
    .unwrap();
    daemon.wait_for_line("was seen before").unwrap();
    assert_eq!(host.login().word, "found");
}
