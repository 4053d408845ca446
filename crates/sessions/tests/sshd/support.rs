//! An sshd that records its sessions, a daemon that ends them, and a voice that says what the host agent would.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use keyroster_keys::Fingerprint;
use keyroster_testkit::{Account, Program, RootDir, Running, Ssh, SshKey, Sshd, until};
use keyroster_wire::Notice;

/// Everything together. Dropped, all of it is ended.
pub struct Stage {
    pub dir: RootDir,
    pub account: Account,
    pub sshd: Sshd,
    helper: Option<Running>,
    voice: Option<UnixStream>,
    log: UnixDatagram,
    /// What was on the log and nobody has waited for yet.
    unread: Mutex<Vec<String>>,
    keys: BTreeMap<String, SshKey>,
}

/// A login that is open: the client, and the processes that it left in files on the host.
pub struct Session {
    client: Child,
    notes: PathBuf,
}

impl Stage {
    /// sshd lets these keys in to one account, and records who came with which.
    pub fn set(account: &str, keys: &[&str], more: &str) -> Self {
        Self::with_stack(account, keys, more, "")
    }

    /// The same, with more lines behind ours in PAM's stack.
    pub fn with_stack(account: &str, keys: &[&str], more: &str, behind: &str) -> Self {
        let dir = RootDir::named("keyroster-test-sessions").unwrap();
        let account = Account::login(account).unwrap();
        let keys: BTreeMap<String, SshKey> = keys
            .iter()
            .map(|name| {
                (
                    (*name).to_owned(),
                    SshKey::ed25519(dir.path(), name).unwrap(),
                )
            })
            .collect();
        let lines: String = keys
            .values()
            .map(|key| format!("{}\n", key.public_line()))
            .collect();
        let authorized = dir.file("authorized_keys", lines, 0o644).unwrap();
        account.own(&dir.dir("notes", 0o700).unwrap()).unwrap();
        let log = UnixDatagram::bind(dir.path().join("log")).unwrap();
        log.set_nonblocking(true).unwrap();
        let program = dir.install("keyroster-sessions").unwrap();
        let path = dir.path().display();
        Account::service(AGENT).unwrap();
        let stack = format!(
            "account required pam_permit.so\nsession required pam_loginuid.so\n\
             session optional pam_exec.so quiet {} record --dir={path}/run --log-socket={path}/log \
             --agent-user={AGENT} --break-glass={path}/break-glass --spool={path}/spool\n{behind}",
            program.display()
        );
        let config = format!(
            "AuthorizedKeysFile {}\nPermitRootLogin yes\n{more}",
            authorized.display()
        );
        let sshd = Sshd::builder().config(&config).pam(&stack).start().unwrap();
        let mut stage = Self {
            dir,
            account,
            sshd,
            helper: None,
            voice: None,
            log,
            unread: Mutex::default(),
            keys,
        };
        stage.start_helper();
        stage
    }

    pub fn key(&self, name: &str) -> &SshKey {
        &self.keys[name]
    }

    /// Makes one more key, which sshd lets in to nothing.
    pub fn add_key(&mut self, name: &str) {
        let key = SshKey::ed25519(self.dir.path(), name).unwrap();
        self.keys.insert(name.to_owned(), key);
    }

    pub fn digest(&self, name: &str) -> [u8; 32] {
        let text = self.key(name).fingerprint().unwrap();
        *Fingerprint::parse(&text).unwrap().as_bytes()
    }

    /// Starts the daemon and waits until it listens.
    pub fn start_helper(&mut self) {
        let path = self.dir.path();
        // With the one privilege that its unit leaves it.
        let helper = Program::at(Path::new("/usr/bin/setpriv"))
            .args([
                "--bounding-set=-all,+kill",
                "--inh-caps=-all",
                "--no-new-privs",
            ])
            .arg(path.join("keyroster-sessions"))
            .arg("serve")
            .arg(format!("--agent-user={AGENT}"))
            .arg(format!("--dir={}/run", path.display()))
            .arg(format!("--log-socket={}/log", path.display()));
        let mut helper = helper.spawn().unwrap();
        let listening = until("the daemon to listen", LIMIT, || {
            Ok(UnixStream::connect(self.socket()).ok().map(drop))
        });
        assert!(listening.is_ok(), "{}", helper.output());
        assert!(helper.is_running());
        self.helper = Some(helper);
    }

    pub fn helper(&mut self) -> &mut Running {
        self.helper.as_mut().unwrap()
    }

    /// Ends the daemon as a crash does.
    pub fn kill_helper(&mut self) {
        self.voice = None;
        if let Some(mut helper) = self.helper.take() {
            helper.kill().unwrap();
        }
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("run/sessions.sock")
    }

    /// Says on a new connection that these keys are revoked and no others.
    pub fn say_revoked(&mut self, keys: &[&str]) {
        let mut voice = UnixStream::connect(self.socket()).unwrap();
        let digests: Vec<_> = keys.iter().map(|name| self.digest(name)).collect();
        let mut notices = vec![Notice::Begin, Notice::Revoked(digests), Notice::Complete];
        if keys.is_empty() {
            notices.remove(1);
        }
        for notice in notices {
            voice.write_all(&notice.encode().unwrap()).unwrap();
        }
        self.voice = Some(voice);
    }

    /// Says on the open connection that these keys are revoked as well.
    pub fn say_revoked_too(&mut self, key: &str) {
        let digest = self.digest(key);
        let notice = Notice::Revoked(vec![digest]).encode().unwrap();
        self.voice.as_mut().unwrap().write_all(&notice).unwrap();
    }

    pub fn ssh(&self, key: &str) -> Ssh {
        Ssh::to(&self.sshd, &self.account.name).key(self.key(key))
    }

    /// Opens a session that runs `script` with `$NOTES` set and then waits; returns when all of it is under way.
    pub fn open(&self, ssh: &Ssh, script: &str) -> Session {
        let notes = self.notes();
        let command = format!(
            "export NOTES={}; {script}; echo $$ > $NOTES/.shell && mv $NOTES/.shell $NOTES/shell; exec sleep 600",
            notes.display()
        );
        let mut client = ssh.clone().command(&command).build();
        client
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let mut session = Session {
            client: client.spawn().unwrap(),
            notes,
        };
        let opened = until(
            "a session to be open",
            LIMIT,
            || Ok(session.pid_of("shell")),
        );
        if opened.is_err() {
            let _ = session.client.kill();
            panic!("{}", self.sshd.log());
        }
        session
    }

    fn notes(&self) -> PathBuf {
        let notes = tempfile::Builder::new()
            .tempdir_in(self.dir.path().join("notes"))
            .unwrap()
            .keep();
        self.account.own(&notes).unwrap();
        notes
    }

    /// Waits until the daemon's log has a message with this text, and takes it; others stay to be waited for.
    pub fn logged(&self, text: &str) -> String {
        let mut unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
        let found = until(&format!("\"{text}\" on the log"), LIMIT, || {
            unread.extend(self.read_log());
            let place = unread.iter().position(|message| message.contains(text));
            Ok(place.map(|place| unread.remove(place)))
        });
        found.unwrap_or_else(|failure| panic!("{failure}\n{unread:#?}\n{}", self.sshd.log()))
    }

    /// What is on the log and was not read yet.
    fn read_log(&self) -> Vec<String> {
        let mut messages = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(length) = self.log.recv(&mut buffer) {
            messages.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
        messages
    }

    /// The records that there are.
    pub fn records(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.dir.path().join("run/records")) else {
            return Vec::new();
        };
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .filter(|path| path.file_name().is_some_and(|name| name != "lock"))
            .collect()
    }
}

impl Session {
    /// The number that the session's script noted under this name.
    pub fn pid_of(&self, name: &str) -> Option<u32> {
        std::fs::read_to_string(self.notes.join(name))
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    /// Whether the process that it noted under this name runs.
    pub fn runs(&self, name: &str) -> bool {
        let pid = self.pid_of(name).unwrap();
        std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| !stat.contains(") Z "))
    }

    /// The processes whose command line names the directory of its notes.
    pub fn left(&self) -> Vec<u32> {
        let notes = self.notes.display().to_string();
        let own = self.client.id();
        let pids = std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<u32>().ok());
        pids.filter(|pid| *pid != own)
            .filter(|pid| {
                let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                String::from_utf8_lossy(&line).contains(&notes)
            })
            .collect()
    }

    /// Waits until one of its processes is seen.
    pub fn wait_until_seen(&self) {
        until("a process of the session", LIMIT, || {
            Ok((!self.left().is_empty()).then_some(()))
        })
        .unwrap();
    }

    /// Whether its client is still connected.
    pub fn is_open(&mut self) -> bool {
        matches!(self.client.try_wait(), Ok(None))
    }

    /// Waits until its client has been disconnected.
    pub fn wait_until_closed(&mut self) {
        until("a session to be closed", LIMIT, || {
            Ok((!self.is_open()).then_some(()))
        })
        .unwrap();
    }

    /// The process of sshd that serves it.
    pub fn sshd_pid(&self) -> u32 {
        parent_of(self.pid_of("shell").unwrap())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.client.kill();
        let _ = self.client.wait();
        for entry in std::fs::read_dir(&self.notes)
            .into_iter()
            .flatten()
            .flatten()
        {
            let pid = std::fs::read_to_string(entry.path())
                .ok()
                .and_then(|text| text.trim().parse().ok());
            if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }
}

pub fn parent_of(pid: u32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let behind = stat.rsplit_once(')').unwrap().1;
    behind.split_whitespace().nth(1).unwrap().parse().unwrap()
}

pub fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// The host agent's user.
pub const AGENT: &str = "keyroster-t-agent";

/// Ends only a wait that will never succeed.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Leaves a process behind that has detached itself, one that hears no signals, and an ordinary one.
pub const SPREAD: &str = "(setsid sh -c 'echo $$ > $NOTES/detached; exec sleep 600' &) ; \
    sh -c 'trap \"\" HUP TERM; echo $$ > $NOTES/deaf; exec sleep 600' & \
    sh -c 'echo $$ > $NOTES/child; exec sleep 600' & \
    until [ -s $NOTES/detached ] && [ -s $NOTES/deaf ] && [ -s $NOTES/child ]; do sleep 0.01; done";
