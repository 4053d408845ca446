use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyroster_testkit::{
    Account, Annex, Failure, Finished, KeyServer, Program, Result, RootDir, Running, Ssh, SshKey,
    Sshd, install_lookup, until,
};

/// How lookup learns its answers on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Through the daemon's socket, as the account `keyroster-lookup`.
    Agent,
    /// Without a daemon, as the account `keyroster-agent`.
    Direct,
}

/// An enrolled host with an sshd. Dropped, everything that it started is ended and its directory removed.
#[derive(Debug)]
pub struct Host {
    /// Its name in the roster.
    pub name: String,
    dir: RootDir,
    agent: Option<Running>,
    sessions: Option<Running>,
    sshd: Sshd,
}

/// What a host is to be like.
#[derive(Debug)]
pub struct HostBuilder<'a> {
    server: &'a KeyServer,
    url: String,
    name: &'a str,
    group: &'a str,
    way: Way,
    chain: String,
    lookup_lines: String,
    agent_lines: String,
    sshd_lines: String,
    revoked_keys: bool,
    sessions: bool,
    break_glass: bool,
    annex: Option<Annex>,
    asked: bool,
    token: Option<String>,
}

impl Host {
    /// Begins a host of this name that will be enrolled into `group`, which must exist.
    pub fn builder<'a>(server: &'a KeyServer, name: &'a str, group: &'a str) -> HostBuilder<'a> {
        HostBuilder {
            server,
            url: server.url(),
            name,
            group,
            way: Way::Agent,
            chain: "agent".to_owned(),
            lookup_lines: String::new(),
            agent_lines: String::new(),
            sshd_lines: String::new(),
            revoked_keys: false,
            sessions: false,
            break_glass: false,
            annex: None,
            asked: true,
            token: None,
        }
    }

    /// Its sshd.
    pub fn sshd(&self) -> &Sshd {
        &self.sshd
    }

    /// The host agent, to freeze it or to read what it said.
    pub fn agent(&mut self) -> Result<&mut Running> {
        self.agent
            .as_mut()
            .ok_or_else(|| Failure::new("this host runs no daemon"))
    }

    /// Ends the host agent as a crash does.
    pub fn kill_agent(&mut self) -> Result {
        if let Some(mut agent) = self.agent.take() {
            agent.kill()?;
        }
        Ok(())
    }

    /// Starts the host agent again.
    pub fn start_agent(&mut self) -> Result {
        self.agent = Some(start_agent(&self.dir)?);
        Ok(())
    }

    /// Ends the program that ends sessions, as a crash does.
    pub fn kill_sessions(&mut self) -> Result {
        if let Some(mut sessions) = self.sessions.take() {
            sessions.kill()?;
        }
        Ok(())
    }

    /// Starts it again.
    pub fn start_sessions(&mut self) -> Result {
        self.sessions = Some(start_sessions(&self.dir)?);
        Ok(())
    }

    /// What `keyroster-agent status` says.
    pub fn status(&self) -> Result<Finished> {
        Program::keyroster("keyroster-agent")?
            .args(["status", "--json", "--config"])
            .arg(self.dir.path().join(AGENT_CONFIG))
            .finish()
    }

    /// A login with this key.
    pub fn ssh(&self, account: &str, key: &SshKey) -> Ssh {
        Ssh::to(&self.sshd, account).key(key)
    }

    /// Whether one login with this key is let in, now.
    pub fn lets_in(&self, account: &str, key: &SshKey) -> Result<bool> {
        self.ssh(account, key).is_let_in()
    }

    /// Tries to log in until it works.
    pub fn wait_until_let_in(&self, account: &str, key: &SshKey) -> Result {
        self.wait(account, key, true)
    }

    /// Tries to log in until it is refused.
    pub fn wait_until_refused(&self, account: &str, key: &SshKey) -> Result {
        self.wait(account, key, false)
    }

    fn wait(&self, account: &str, key: &SshKey, wanted: bool) -> Result {
        let what = format!("a login to \"{account}\" to be let in: {wanted}");
        let waited = until(&what, CHANGE_LIMIT, || {
            Ok((self.lets_in(account, key)? == wanted).then_some(()))
        });
        waited.map_err(|failure| {
            let agent = self.agent.as_ref().map(Running::output).unwrap_or_default();
            Failure::new(format!(
                "{failure}\nsshd:\n{}\nagent:\n{agent}",
                self.sshd.log()
            ))
        })
    }

    /// `keyroster-agent break-glass` with these arguments, as root, where this host's sshd is and sees what that sees.
    pub fn break_glass(&self, arguments: &[&str]) -> Result<Program> {
        let pid = self.sshd.pid();
        Ok(Program::at(Path::new("/usr/bin/nsenter"))
            .arg(format!("--mount=/proc/{pid}/ns/mnt"))
            .arg("--")
            .arg(self.dir.path().join("keyroster-agent"))
            .arg("break-glass")
            .args(arguments)
            .arg("--config")
            .arg(self.dir.path().join(AGENT_CONFIG)))
    }

    /// The reports that the key server does not have yet.
    pub fn reports(&self) -> Vec<PathBuf> {
        let dirs = [
            self.dir.path().join(SPOOL),
            self.dir.path().join(SESSIONS).join("reports"),
        ];
        let entries = dirs.iter().filter_map(|dir| std::fs::read_dir(dir).ok());
        entries
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect()
    }

    /// Listens to what `keyroster-sessions record` tells syslog from now on.
    pub fn syslog(&self) -> Result<UnixDatagram> {
        let path = self.dir.path().join(LOG);
        UnixDatagram::bind(&path).map_err(|error| Failure::io("listen on", &path, &error))
    }

    /// The directory that holds the host's files.
    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }
}

impl HostBuilder<'_> {
    /// Runs without the daemon.
    #[must_use]
    pub fn direct(mut self) -> Self {
        self.way = Way::Direct;
        self.chain("direct")
    }

    /// Reaches the key server by another address, behind which it is.
    #[must_use]
    pub fn through(mut self, url: &str) -> Self {
        url.clone_into(&mut self.url);
        self
    }

    /// What stands behind `authorized_keys:` in lookup.conf.
    #[must_use]
    pub fn chain(mut self, chain: &str) -> Self {
        chain.clone_into(&mut self.chain);
        self
    }

    /// More lines for agent.toml.
    #[must_use]
    pub fn agent(mut self, lines: &str) -> Self {
        self.agent_lines.push_str(lines);
        self
    }

    /// More lines for lookup.conf.
    #[must_use]
    pub fn lookup(mut self, lines: &str) -> Self {
        self.lookup_lines.push_str(lines);
        self
    }

    /// More lines for sshd's configuration, read before ours. `@DIR@` in them is where lookup and its configuration lie.
    #[must_use]
    pub fn sshd(mut self, lines: &str) -> Self {
        self.sshd_lines.push_str(lines);
        self
    }

    /// Has the host agent keep the list of revoked keys that sshd reads, and sshd read keys from `DIR/home/ACCOUNT`.
    #[must_use]
    pub fn revoked_keys(mut self) -> Self {
        self.revoked_keys = true;
        self
    }

    /// Leaves sshd as it is: nobody has told it to ask keyroster.
    #[must_use]
    pub fn not_enabled(mut self) -> Self {
        self.asked = false;
        self
    }

    /// Records sessions, and runs the program that ends them.
    #[must_use]
    pub fn with_sessions(mut self) -> Self {
        self.sessions = true;
        self
    }

    /// Has sshd read break-glass files, records sessions, and runs the program that ends them.
    #[must_use]
    pub fn break_glass(mut self) -> Self {
        self.break_glass = true;
        self.with_sessions()
    }

    /// Runs its sshd, and so lookup, in this annex.
    #[must_use]
    pub fn in_annex(mut self, annex: &Annex) -> Self {
        self.annex = Some(annex.clone());
        self
    }

    /// Enrols it with this token, and not with one that is made now.
    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// Enrols the host and starts everything.
    pub fn start(self) -> Result<Host> {
        let dir = RootDir::named("keyroster-test-e2e")?;
        let agent_account = Account::service("keyroster-agent")?;
        Account::service("keyroster-lookup")?;
        for part in [STATE, RUN] {
            agent_account.own(&dir.dir(part, 0o700)?)?;
        }
        std::fs::set_permissions(
            dir.path().join(RUN),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )
        .map_err(|error| Failure::io("set the mode of", dir.path(), &error))?;
        self.write_configuration(&dir)?;
        self.enroll(&dir, &agent_account)?;
        let agent = match self.way {
            Way::Agent => Some(start_agent(&dir)?),
            Way::Direct => None,
        };
        let mut sshd = Sshd::builder();
        if let Some(annex) = &self.annex {
            annex.show(dir.path())?;
            sshd = sshd.in_annex(annex);
        }
        let sshd = sshd
            .config(
                &self
                    .sshd_lines
                    .replace(DIR, &dir.path().display().to_string()),
            )
            .config(&self.files(&dir)?)
            .config(&self.key_command(&dir)?);
        let (sshd, sessions) = match self.sessions {
            true => (sshd.pam(&recording(&dir)?), Some(start_sessions(&dir)?)),
            false => (sshd, None),
        };
        let sshd = sshd.start()?;
        Ok(Host {
            name: self.name.to_owned(),
            dir,
            agent,
            sessions,
            sshd,
        })
    }

    fn write_configuration(&self, dir: &RootDir) -> Result {
        let path = dir.path().display();
        let revoked_keys = match self.revoked_keys {
            true => format!("revoked-keys = \"{path}/{STATE}/{KRL}\"\n"),
            false => String::new(),
        };
        dir.file(
            AGENT_CONFIG,
            format!(
                "server = \"{}\"\nstate-dir = \"{path}/{STATE}\"\nsocket = \"{path}/{RUN}/agent.sock\"\n\
                 poll-interval-seconds = 1\nlog = \"stderr\"\n\
                 sessions-socket = \"{path}/{SESSIONS}/sessions.sock\"\n\
                 reports-run-dir = \"{path}/{SESSIONS}/reports\"\nreports-dir = \"{path}/{SPOOL}\"\n\
                 break-glass-dir = \"{path}/{BREAK_GLASS}\"\n{revoked_keys}{}",
                self.url,
                self.agent_lines
            ),
            0o644,
        )?;
        let agent = dir.install("keyroster-agent")?;
        dir.file(
            "lookup.conf",
            format!(
                "authorized_keys: {}\nagent_socket: {path}/{RUN}/agent.sock\ndirect_program: {}\n\
                 direct_config: {path}/{AGENT_CONFIG}\n{}",
                self.chain,
                agent.display(),
                self.lookup_lines
            ),
            0o644,
        )?;
        Ok(())
    }

    fn enroll(&self, dir: &RootDir, agent: &Account) -> Result {
        let token = match &self.token {
            Some(token) => token.clone(),
            None => self.server.enrolment_token(self.group)?,
        };
        let token_file = dir.file("enrolment-token", token, 0o600)?;
        agent.own(&token_file)?;
        Program::keyroster("keyroster-agent")?
            .user(agent)
            .args([
                "enroll",
                "--server",
                &self.url,
                "--name",
                self.name,
                "--token-file",
            ])
            .arg(&token_file)
            .arg("--config")
            .arg(dir.path().join(AGENT_CONFIG))
            .finish()?
            .success("keyroster-agent enroll")?;
        Ok(())
    }

    /// Where sshd finds keys, and revoked ones, without asking anybody.
    fn files(&self, dir: &RootDir) -> Result<String> {
        let path = dir.path().display();
        if self.break_glass {
            return Ok(format!("AuthorizedKeysFile {path}/{BREAK_GLASS}/%u\n"));
        }
        if !self.revoked_keys {
            return Ok(String::new());
        }
        dir.dir("home", 0o755)?;
        Ok(format!(
            "RevokedKeys {path}/{STATE}/{KRL}\nAuthorizedKeysFile {path}/home/%u\n"
        ))
    }

    fn key_command(&self, dir: &RootDir) -> Result<String> {
        let lookup = install_lookup(dir)?;
        if !self.asked {
            return Ok(String::new());
        }
        let user = match self.way {
            Way::Agent => "keyroster-lookup",
            Way::Direct => "keyroster-agent",
        };
        Ok(format!(
            "AuthorizedKeysFile none\n\
             AuthorizedKeysCommand {} keys --user=%u --uid=%U --type=%t --key=%k --fingerprint=%f --config={}/lookup.conf\n\
             AuthorizedKeysCommandUser {user}\n",
            lookup.display(),
            dir.path().display()
        ))
    }
}

fn start_agent(dir: &RootDir) -> Result<Running> {
    let mut agent = Program::at(&PathBuf::from(dir.path()).join("keyroster-agent"))
        .user(&Account::service("keyroster-agent")?)
        .args(["run", "--config"])
        .arg(dir.path().join(AGENT_CONFIG))
        .spawn()?;
    agent.wait_for_line("ready")?;
    Ok(agent)
}

/// A PAM stack that records sessions.
fn recording(dir: &RootDir) -> Result<String> {
    let program = dir.install("keyroster-sessions")?;
    let path = dir.path().display();
    Ok(format!(
        "account required pam_permit.so\nsession required pam_loginuid.so\n\
         session optional pam_exec.so quiet {} record --dir={path}/{SESSIONS} --spool={path}/{SPOOL} \
         --break-glass={path}/{BREAK_GLASS} --log-socket={path}/{LOG}\n",
        program.display(),
    ))
}

fn start_sessions(dir: &RootDir) -> Result<Running> {
    let base = dir.path().join(SESSIONS);
    let running = Program::at(&dir.path().join("keyroster-sessions"))
        .args(["serve", "--agent-user=keyroster-agent"])
        .arg(format!("--dir={}", base.display()))
        .spawn()?;
    until("keyroster-sessions to listen", CHANGE_LIMIT, || {
        Ok(UnixStream::connect(base.join("sessions.sock"))
            .ok()
            .map(drop))
    })?;
    Ok(running)
}

const AGENT_CONFIG: &str = "agent.toml";
const DIR: &str = "@DIR@";
const STATE: &str = "state";
const KRL: &str = "revoked-keys.krl";
const RUN: &str = "run";
const SESSIONS: &str = "sessions";
const SPOOL: &str = "spool";
const BREAK_GLASS: &str = "break-glass";
const LOG: &str = "log";
/// The longest that a change on the key server may take to show in a login: many polls of one second.
const CHANGE_LIMIT: Duration = Duration::from_secs(30);
