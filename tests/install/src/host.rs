//! A host on which packages are tried: a booted root, a key server outside, and three people who log in.

use std::path::Path;

use keyroster_testkit::{Failure, Finished, KeyServer, Result, RootDir, Ssh, SshKey, free_port};

use crate::packages::Packages;
use crate::release::{Release, System};
use crate::root::{Afterwards, Network, Root};
use crate::tree::Tree;

/// The root, what stands beside it, and how its sshd was before anything was installed.
#[derive(Debug)]
pub struct Host {
    /// The root.
    pub root: Root,
    /// The key server, outside.
    pub server: KeyServer,
    /// What is tried.
    pub packages: Packages,
    /// Lets in to [`BY_FILE`], through `~/.ssh/authorized_keys`.
    pub file_key: SshKey,
    /// Is granted [`GRANTED`].
    pub granted_key: SshKey,
    /// Was granted [`GRANTED`] until it was revoked.
    pub revoked_key: SshKey,
    before: SshdState,
    port: u16,
    known_hosts: std::path::PathBuf,
    _keys: RootDir,
}

/// What sshd is told, and which sshd it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshdState {
    /// Every byte below `/etc/ssh`.
    pub files: Tree,
    /// What `sshd -T` prints for a login.
    pub effective: String,
    /// The main process and systemd's name for this run of it: the latter is another after a restart.
    pub process: String,
}

impl Host {
    /// Boots a root whose sshd lets one account in by its file.
    pub fn start(store: &Path, system: System, afterwards: Afterwards) -> Result<Self> {
        let packages = Packages::from_environment()?;
        let server = KeyServer::start()?;
        let keys = RootDir::named("keyroster-test-install")?;
        let key = |name| SshKey::ed25519(keys.path(), name);
        let (file_key, granted_key, revoked_key) = (key("file")?, key("granted")?, key("revoked")?);
        let port = free_port()?;
        let mut root = Root::unpack(store, system, afterwards)?;
        set_up(&root, port, &file_key)?;
        root.boot(Network::Shared)?;
        let host_key = root.read("/etc/ssh/ssh_host_ed25519_key.pub")?;
        let known_hosts = format!("[127.0.0.1]:{port} {host_key}");
        let host = Self {
            before: SshdState::of(&root)?,
            known_hosts: keys.file("known_hosts", known_hosts, 0o644)?,
            root,
            server,
            packages,
            file_key,
            granted_key,
            revoked_key,
            port,
            _keys: keys,
        };
        host.must_let_in(&host.by_file())?;
        host.fill_roster()?;
        Ok(host)
    }

    /// Which system it is.
    pub fn system(&self) -> System {
        self.root.system()
    }

    /// How sshd was before anything was installed.
    pub fn before(&self) -> &SshdState {
        &self.before
    }

    /// How sshd is now.
    pub fn now(&self) -> Result<SshdState> {
        SshdState::of(&self.root)
    }

    /// A login through `authorized_keys`, which keyroster has no part in.
    pub fn by_file(&self) -> Ssh {
        self.ssh(BY_FILE, &self.file_key)
    }

    /// A login that the key server grants.
    pub fn by_grant(&self) -> Ssh {
        self.ssh(GRANTED, &self.granted_key)
    }

    /// A login with this key.
    pub fn ssh(&self, account: &str, key: &SshKey) -> Ssh {
        Ssh::at(self.port, &self.known_hosts, account).key(key)
    }

    /// Fails unless the login is let in.
    pub fn must_let_in(&self, login: &Ssh) -> Result {
        let done = login.run()?;
        if done.status.success() {
            return Ok(());
        }
        Err(self.failure("a login was refused", &done))
    }

    /// Fails unless sshd refuses the login: a connection that can't be made is another failure.
    pub fn must_refuse(&self, login: &Ssh) -> Result {
        let done = login.run()?;
        if done.code() == Some(255) && done.stderr.contains("Permission denied") {
            return Ok(());
        }
        Err(self.failure("a login was not refused", &done))
    }

    /// A failure with what the root's journal says about it.
    pub fn failure(&self, what: &str, done: &Finished) -> Failure {
        let system = self.system();
        let (out, err, journal) = (&done.stdout, &done.stderr, self.root.journal());
        Failure::new(format!("{system}: {what}\n{out}{err}\njournal:\n{journal}"))
    }

    fn fill_roster(&self) -> Result {
        self.server.admin(&["host-group", "add", GROUP])?;
        for (user, key) in [("alice", &self.granted_key), ("bob", &self.revoked_key)] {
            self.server.add_user_with_key(user, &key.public_path())?;
            let grant = ["grant", "add", "--user", user, "--account", GRANTED];
            let until = [
                "--host-group",
                GROUP,
                "--until",
                "1d",
                "--reason",
                "install",
            ];
            self.server.admin(&[grant.as_slice(), &until].concat())?;
        }
        Ok(())
    }
}

impl SshdState {
    fn of(root: &Root) -> Result<Self> {
        let connection = format!("user={GRANTED},host=localhost,addr=127.0.0.1");
        let effective = root.must(&["/usr/sbin/sshd", "-T", "-C", &connection])?;
        let show = ["systemctl", "show", "--property=MainPID,InvocationID"];
        Ok(Self {
            files: Tree::read(&root.path("/etc/ssh"))?,
            effective,
            process: root.must(&[show.as_slice(), &["ssh.service"]].concat())?,
        })
    }

    /// Fails unless nothing at all has changed.
    pub fn must_equal(&self, after: &Self, when: &str) -> Result {
        self.files
            .must_equal(&after.files, &format!("/etc/ssh {when}"))?;
        if self.effective != after.effective {
            let changed = |line: &&str| !self.effective.lines().any(|before| before == *line);
            let lines: Vec<&str> = after.effective.lines().filter(changed).collect();
            return Err(Failure::new(format!(
                "sshd -T {when}: {}",
                lines.join("; ")
            )));
        }
        self.must_be_same_process(after, when)
    }

    /// Fails when sshd was restarted.
    pub fn must_be_same_process(&self, after: &Self, when: &str) -> Result {
        if self.process == after.process {
            return Ok(());
        }
        Err(Failure::new(format!(
            "sshd was restarted {when}: {} before, {} after",
            self.process.replace('\n', " "),
            after.process.replace('\n', " ")
        )))
    }
}

/// A port of its own, since the machine's loopback has others, and two accounts.
fn set_up(root: &Root, port: u16, file_key: &SshKey) -> Result {
    let mut config = format!("Port {port}\nListenAddress 127.0.0.1\n");
    if root.system().release() == Release::Debian13 {
        // Refused logins are part of the steps, and their source address is that of all others.
        config.push_str("PerSourcePenaltyExemptList 127.0.0.1\n");
    }
    config.push_str(&root.read(SSHD_CONFIG)?);
    root.write(SSHD_CONFIG, &config, 0o644)?;
    for account in [BY_FILE, GRANTED] {
        let useradd = [
            "--create-home",
            "--shell",
            "/bin/sh",
            "--password",
            "*",
            account,
        ];
        keyroster_testkit::Program::at(Path::new("/usr/sbin/chroot"))
            .arg(root.path("/"))
            .arg("/usr/sbin/useradd")
            .args(useradd)
            .finish()?
            .success("useradd")?;
    }
    let keys = root.path(&format!("/home/{BY_FILE}/.ssh"));
    std::fs::create_dir(&keys).map_err(|error| Failure::io("make directory", &keys, &error))?;
    let file = format!("/home/{BY_FILE}/.ssh/authorized_keys");
    // Root's own file in a directory of root's is as good to sshd as the account's own.
    root.write(&file, &format!("{}\n", file_key.public_line()), 0o644)
}

/// The account that a file in its home lets in to.
pub const BY_FILE: &str = "byfile";
/// The account that the key server grants.
pub const GRANTED: &str = "deploy";
/// The host's group.
pub const GROUP: &str = "web";
/// sshd's own configuration.
pub const SSHD_CONFIG: &str = "/etc/ssh/sshd_config";
