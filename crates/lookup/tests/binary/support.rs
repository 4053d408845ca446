//! A directory with the program, its configuration, a socket for the host agent and one for the log.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use keyroster_testkit::{Finished, RootDir, finish};
use keyroster_wire::{Answer, Question, Reason, Request, Response};

use crate::keys;

/// The user and group that programs run as: Debian's `nobody` and `nogroup`.
pub const NOBODY: u32 = 65_534;

/// After this a program that should have ended by itself is killed and the test fails; no measure of how fast it is.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Exit codes, as the program's documentation has them.
pub const OK: Option<i32> = Some(0);
pub const USAGE: Option<i32> = Some(64);
pub const UNAVAILABLE: Option<i32> = Some(75);
pub const NOT_PERMITTED: Option<i32> = Some(77);

/// Everything one test needs.
pub struct Bench {
    pub dir: RootDir,
    program: PathBuf,
    log: UnixDatagram,
}

impl Bench {
    /// A bench whose configuration has `settings` besides the sockets' places.
    pub fn new(settings: &str) -> Self {
        let dir = RootDir::named("keyroster-lookup-test").unwrap();
        let program = dir.path().join("keyroster-lookup");
        install(Path::new(env!("CARGO_BIN_EXE_keyroster-lookup")), &program);
        let log = UnixDatagram::bind(dir.path().join("log")).unwrap();
        log.set_nonblocking(true).unwrap();
        open_to_all(&dir.path().join("log"));
        let bench = Self { dir, program, log };
        bench.configure(settings);
        bench
    }

    /// Writes the configuration anew.
    pub fn configure(&self, settings: &str) {
        let dir = self.dir.path().display();
        let text = format!("agent_socket: {dir}/agent.sock\nlog_socket: {dir}/log\n{settings}\n");
        self.dir.file("lookup.conf", text, 0o644).unwrap();
    }

    /// A path inside the bench.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A directory that the program's user can write.
    pub fn spool(&self) -> PathBuf {
        let path = self.dir.dir("spool", 0o755).unwrap();
        chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
        path
    }

    /// An executable shell script, root's alone.
    pub fn script(&self, name: &str, body: &str) -> PathBuf {
        let text = self
            .dir
            .file(&format!("{name}.sh"), format!("#!/bin/sh\n{body}\n"), 0o644)
            .unwrap();
        let program = self.path(name);
        install(&text, &program);
        program
    }

    /// The program with these arguments, as nobody without groups.
    pub fn command(&self, arguments: &[String]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .uid(NOBODY)
            .gid(NOBODY)
            .env_clear()
            .current_dir("/");
        command.stdin(Stdio::null());
        command
    }

    /// The command line for the program, to be run by another program that arranges something first.
    pub fn command_line(&self, wrapper: &[&str]) -> Command {
        let mut command = Command::new(wrapper[0]);
        command
            .args(&wrapper[1..])
            .arg(&self.program)
            .args(self.arguments("deploy"));
        command.uid(NOBODY).gid(NOBODY);
        command
    }

    /// sshd's template filled in for `account` and the test's key.
    pub fn arguments(&self, account: &str) -> Vec<String> {
        vec![
            "keys".to_owned(),
            format!("--user={account}"),
            "--uid=1000".to_owned(),
            "--type=ssh-ed25519".to_owned(),
            format!("--key={}", keys::offered()),
            format!("--fingerprint={}", keys::FINGERPRINT),
            format!("--config={}", self.path("lookup.conf").display()),
        ]
    }

    /// Runs the program for the account `deploy`.
    pub fn ask(&self) -> Finished {
        self.ask_for("deploy")
    }

    /// Runs the program for `account`.
    pub fn ask_for(&self, account: &str) -> Finished {
        run(&mut self.command(&self.arguments(account)))
    }

    /// The messages on the log so far.
    pub fn logged(&self) -> Vec<String> {
        let mut messages = Vec::new();
        let mut buffer = [0; 8 * 1024];
        while let Ok(length) = self.log.recv(&mut buffer) {
            messages.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
        messages
    }

    /// The one message on the log.
    pub fn logged_once(&self) -> String {
        let mut messages = self.logged();
        assert_eq!(messages.len(), 1, "{messages:?}");
        messages.remove(0)
    }

    /// A host agent that treats each connection as `behave` says. Its socket lies where the configuration says.
    pub fn agent(&self, behave: impl FnMut(UnixStream) + Send + 'static) {
        let path = self.path("agent.sock");
        let listener = UnixListener::bind(&path).unwrap();
        open_to_all(&path);
        serve(listener, behave);
    }

    /// A host agent that answers every request with `frame`, and the requests it was sent.
    pub fn agent_saying(&self, frame: Vec<u8>) -> Receiver<Vec<u8>> {
        let (sender, requests) = channel();
        self.agent(move |mut stream| {
            if let Ok(request) = Request::read_from(&mut stream) {
                let _ = sender.send(request);
                let _ = stream.write_all(&frame);
            }
        });
        requests
    }
}

/// Treats each connection to `listener` as `behave` says, on a thread that ends with the test program.
fn serve(listener: UnixListener, mut behave: impl FnMut(UnixStream) + Send + 'static) {
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            behave(stream);
        }
    });
}

/// Copies a program, executable by all.
///
/// Another program does it. Were the copy written here, a test on another thread could start a process in that moment, which
/// holds the file open for writing until it has executed; and a file that is open for writing can't be.
fn install(from: &Path, to: &Path) {
    let status = Command::new("install")
        .arg("--mode=755")
        .args([from, to])
        .status()
        .unwrap();
    assert!(status.success(), "{} was not installed", to.display());
}

/// Runs a program to its end.
pub fn run(command: &mut Command) -> Finished {
    finish(command, LIMIT).unwrap()
}

/// Lets everybody connect to a socket; who may is the host agent's to say.
fn open_to_all(socket: &Path) {
    fs::set_permissions(socket, fs::Permissions::from_mode(0o666)).unwrap();
}

/// Asserts that nothing was printed and the exit code says "undecided".
#[track_caller]
pub fn assert_unavailable(finished: &Finished) {
    assert_eq!(
        (finished.code(), finished.stdout.as_str()),
        (UNAVAILABLE, "")
    );
}

/// Asserts an authoritative no.
#[track_caller]
pub fn assert_none(finished: &Finished) {
    assert_eq!((finished.code(), finished.stdout.as_str()), (OK, ""));
}

/// Asserts that exactly these lines were printed.
#[track_caller]
pub fn assert_found(finished: &Finished, lines: &str) {
    assert_eq!((finished.code(), finished.stdout.as_str()), (OK, lines));
}

/// The frame of `found` with these lines.
pub fn found(lines: &[&str]) -> Vec<u8> {
    response(Answer::Found(lines.to_vec()), Reason::Granted)
}

/// The frame of an authoritative no.
pub fn none() -> Vec<u8> {
    response(Answer::None, Reason::NoGrant)
}

/// The frame of an `unavailable`.
pub fn unavailable() -> Vec<u8> {
    response(Answer::Unavailable, Reason::PastGrace)
}

fn response(answer: Answer<'_>, reason: Reason) -> Vec<u8> {
    let response = Response {
        answer,
        epoch: 3,
        revision: 812,
        staleness_ms: Some(4_200),
        reason,
    };
    response.encode().unwrap()
}

/// The question in the frame of a `keys` request.
#[track_caller]
pub fn keys_question(frame: &[u8]) -> Question<'_> {
    match Request::decode(frame).unwrap() {
        Request::Keys(question) => question,
        other => panic!("{other:?} is no request for keys"),
    }
}
