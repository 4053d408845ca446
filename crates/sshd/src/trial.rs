//! One login to a temporary sshd.
//!
//! We listen on loopback and hand the connection to `sshd -i`, as inetd did: it reads the configuration in question with
//! authentication, PAM and key command as they are, and needs neither the ports and addresses of the real one nor its pid file.
//! The client is the real `ssh` with `-N`: it proves the key and asks for no command, so that a grant's forced command is not run.
//!
//! Whoever else connects is not served (`peer`): the log would hold what a stranger had sshd write.
//!
//! sshd's own log of that connection decides what happened. `Accepted publickey` is written once a signature was checked;
//! `Accepted key … found at`, of the same key, says which file or command had let it in.

mod peer;

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::SshdError;
use crate::run::{self, TOOL_LIMIT, bare, finish, one_line, pause};
use crate::trial::peer::Peer;
use crate::would_be::{WouldBe, write};

/// With what a client proves that it is who it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A private key in a file without a passphrase. Where it is in a security key, the environment's `SSH_SK_PROVIDER` names the library
    /// that asks it: ssh_config(5), `SecurityKeyProvider`.
    File(PathBuf),
    /// Whatever the ssh-agent at this socket holds.
    Agent(PathBuf),
    /// The key of the ssh-agent at this socket that has this public half, a line. The others are not offered: with more than
    /// `MaxAuthTries` of them the right one might never have its turn.
    AgentKey {
        /// Its socket.
        socket: PathBuf,
        /// As in a `.pub` file.
        public: String,
    },
}

/// What became of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// A key logged in.
    LoggedIn(Proof),
    /// None did; what ssh and sshd said.
    Refused(String),
}

/// The key that logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Its fingerprint: `SHA256:…`.
    pub fingerprint: String,
    /// The file, or the key command with its tokens, that let it in.
    pub found_at: String,
}

/// Tries to log in to an account of this host under a configuration.
///
/// # Errors
/// When ssh or sshd can't be run.
pub fn login(
    would_be: &WouldBe,
    account: &str,
    identities: &[Identity],
) -> Result<Outcome, SshdError> {
    login_until(would_be, account, identities, &|| true)
}

/// The same, and the connection stays open until `enough` is true, or not for long: for what happens after the key was proved, as PAM
/// does when it opens the session.
///
/// # Errors
/// When ssh or sshd can't be run.
pub fn login_until(
    would_be: &WouldBe,
    account: &str,
    identities: &[Identity],
    enough: &dyn Fn() -> bool,
) -> Result<Outcome, SshdError> {
    let host_key = HostKey::make(would_be.dir())?;
    let listener = listen().map_err(|err| SshdError::io("listen on", Path::new(LOOPBACK), err))?;
    let (listener, port) = listener;
    let known_hosts = host_key.tell(would_be.dir(), port)?;
    let said = would_be.dir().join("ssh.log");
    let mut ssh = ssh(account, port, &known_hosts);
    offer(&mut ssh, would_be.dir(), identities)?;
    ssh.arg("-E").arg(&said).arg(LOOPBACK);
    let client = bare(&mut ssh).spawn().map_err(|err| SshdError::Start {
        program: "ssh".to_owned(),
        err,
    })?;
    let mut trial = Trial {
        would_be,
        host_key,
        listener,
        client,
        server: None,
    };
    let proof = trial.run(account)?;
    if proof.is_some() {
        trial.linger(enough);
    }
    Ok(match proof {
        Some(proof) => Outcome::LoggedIn(proof),
        None => Outcome::Refused(trial.why(&said)),
    })
}

struct Trial<'a> {
    would_be: &'a WouldBe,
    host_key: HostKey,
    listener: TcpListener,
    client: Child,
    server: Option<Child>,
}

impl Trial<'_> {
    fn run(&mut self, account: &str) -> Result<Option<Proof>, SshdError> {
        let until = Instant::now() + LOGIN_LIMIT;
        loop {
            self.serve()?;
            // Before the log is looked at: what sshd wrote before the client ended is in it then.
            let ended = !matches!(self.client.try_wait(), Ok(None));
            if let Some(proof) = proof(&self.log(), account) {
                return Ok(Some(proof));
            }
            if ended || Instant::now() >= until {
                return Ok(None);
            }
            pause(LOOK_AGAIN);
        }
    }

    fn linger(&mut self, enough: &dyn Fn() -> bool) {
        let until = Instant::now() + LINGER_LIMIT;
        while !enough() && Instant::now() < until && matches!(self.client.try_wait(), Ok(None)) {
            pause(LOOK_AGAIN);
        }
    }

    /// Serves our client, when it has connected, and closes on everybody else.
    fn serve(&mut self) -> Result<(), SshdError> {
        let failed = |err| SshdError::io("listen on", Path::new(LOOPBACK), err);
        while self.server.is_none() {
            let (stream, peer) = match self.listener.accept() {
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                accepted => accepted.map_err(failed)?,
            };
            let own = stream.local_addr().map_err(failed)?;
            if peer::of(self.client.id(), peer, own).map_err(failed)? == Peer::Ours {
                self.server = Some(self.start(stream)?);
            }
        }
        Ok(())
    }

    fn start(&self, stream: TcpStream) -> Result<Child, SshdError> {
        let failed = |err| SshdError::io("serve", Path::new(LOOPBACK), err);
        stream.set_nonblocking(false).map_err(failed)?;
        let output = OwnedFd::from(stream.try_clone().map_err(failed)?);
        let mut command = self.would_be.sshd().command();
        command.arg("-i").arg("-E").arg(self.log_path());
        command.arg("-h").arg(&self.host_key.0);
        for setting in SERVER_SETTINGS {
            command.args(["-o", setting]);
        }
        command
            .stdin(OwnedFd::from(stream))
            .stdout(output)
            .stderr(Stdio::null());
        bare(&mut command).spawn().map_err(|err| SshdError::Start {
            program: self.would_be.sshd().binary().path().display().to_string(),
            err,
        })
    }

    fn log_path(&self) -> PathBuf {
        self.would_be.dir().join("sshd.log")
    }

    fn log(&self) -> String {
        fs::read(self.log_path())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    fn why(&self, said: &Path) -> String {
        let client = fs::read_to_string(said).unwrap_or_default();
        let server = self.log();
        let lines: Vec<&str> = server.lines().chain(client.lines()).collect();
        one_line(&lines.join("; "))
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        run::end(&mut self.client);
        if let Some(server) = &mut self.server {
            // The client is gone, so it ends by itself; what PAM opened is closed then.
            if run::wait(server, END_LIMIT).is_none() {
                let pid = i32::try_from(server.id()).ok().and_then(Pid::from_raw);
                let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
                if run::wait(server, END_LIMIT).is_none() {
                    run::end(server);
                }
            }
        }
    }
}

/// The key that logged in, if sshd says that one did.
fn proof(log: &str, account: &str) -> Option<Proof> {
    let accepted = format!("Accepted publickey for {account} from ");
    let line = log.lines().find(|line| line.starts_with(&accepted))?;
    let fingerprint = line
        .split_whitespace()
        .find(|word| word.starts_with("SHA256:"))?;
    let found_at = log.lines().rev().find_map(|line| {
        let rest = line.strip_prefix("Accepted key ")?;
        let (key, place) = rest.split_once(" found at ")?;
        key.ends_with(fingerprint).then_some(place)
    });
    Some(Proof {
        fingerprint: fingerprint.to_owned(),
        found_at: found_at.map(one_line).unwrap_or_default(),
    })
}

fn listen() -> io::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

/// A host key of the trial's own. On a curve that also a FIPS build knows.
struct HostKey(PathBuf);

impl HostKey {
    fn make(dir: &Path) -> Result<Self, SshdError> {
        let path = dir.join("host_key");
        for old in [
            path.clone(),
            path.with_extension("pub"),
            dir.join(KNOWN_HOSTS),
        ] {
            let _ = fs::remove_file(old);
        }
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-t", "ecdsa", "-b", "256", "-N", "", "-C", "", "-f"]);
        finish(command.arg(&path), TOOL_LIMIT)?.success("ssh-keygen")?;
        Ok(Self(path))
    }

    fn tell(&self, dir: &Path, port: u16) -> Result<PathBuf, SshdError> {
        let public = self.0.with_extension("pub");
        let key = fs::read_to_string(&public).map_err(|err| SshdError::io("read", &public, err))?;
        let path = dir.join(KNOWN_HOSTS);
        write(&path, format!("[{LOOPBACK}]:{port} {key}").as_bytes())?;
        Ok(path)
    }
}

fn ssh(account: &str, port: u16, known_hosts: &Path) -> Command {
    let mut command = Command::new("ssh");
    command.args(["-F", "none", "-N", "-T", "-p", &port.to_string()]);
    command.args(["-l", account]);
    for setting in CLIENT_SETTINGS {
        command.args(["-o", setting]);
    }
    command
        .arg("-o")
        .arg(format!("UserKnownHostsFile={}", known_hosts.display()))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Has ssh offer these keys and no others.
fn offer(ssh: &mut Command, dir: &Path, identities: &[Identity]) -> Result<(), SshdError> {
    let (mut agent, mut provider) = (None, None);
    let mut only = true;
    for (number, identity) in identities.iter().enumerate() {
        match identity {
            Identity::File(path) => {
                ssh.arg("-i").arg(path);
                provider = std::env::var_os(PROVIDER);
            }
            Identity::Agent(socket) => {
                only = false;
                agent = Some(socket);
            }
            Identity::AgentKey { socket, public } => {
                let path = dir.join(format!("offered-{number}.pub"));
                let _of_an_earlier_login = fs::remove_file(&path);
                write(&path, format!("{public}\n").as_bytes())?;
                ssh.arg("-i").arg(path);
                agent = Some(socket);
            }
        }
    }
    if let Some(library) = provider {
        // By the environment, since any path can stand there. Debian's ssh does not look at it unless it is told to.
        ssh.args(["-o", "SecurityKeyProvider=$SSH_SK_PROVIDER"])
            .env(PROVIDER, library);
    }
    if only {
        ssh.args(["-o", "IdentitiesOnly=yes"]);
    }
    match agent {
        Some(socket) => ssh
            .arg("-o")
            .arg(format!("IdentityAgent={}", socket.display())),
        None => ssh.args(["-o", "IdentityAgent=none"]),
    };
    Ok(())
}

const LOOPBACK: &str = "127.0.0.1";
/// As for ssh-add(1).
const PROVIDER: &str = "SSH_SK_PROVIDER";
const KNOWN_HOSTS: &str = "known_hosts";
/// Beats what the files say. The host key is ours, so its algorithm must be allowed; the log must name what let a key in.
const SERVER_SETTINGS: [&str; 4] = [
    "HostKeyAlgorithms=ecdsa-sha2-nistp256",
    "LogLevel=VERBOSE",
    "PidFile=none",
    "LoginGraceTime=30",
];
const CLIENT_SETTINGS: [&str; 9] = [
    "BatchMode=yes",
    "PreferredAuthentications=publickey",
    "HostKeyAlgorithms=ecdsa-sha2-nistp256",
    "StrictHostKeyChecking=yes",
    "GlobalKnownHostsFile=/dev/null",
    "UpdateHostKeys=no",
    "ConnectTimeout=10",
    "ControlPath=none",
    "ClearAllForwardings=yes",
];
/// The longest that a login may take, a key command at its own limit and a slow PAM stack included.
const LOGIN_LIMIT: Duration = Duration::from_secs(30);
/// The longest that an sshd whose client has gone may take to end.
const END_LIMIT: Duration = Duration::from_secs(5);
/// The longest that a connection stays open for what comes after the proof.
const LINGER_LIMIT: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests;
