//! An enrolled host whose sshd has not been told to ask keyroster, and somebody with a granted key.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyroster_e2e::Host;
use keyroster_testkit::{
    Account, Finished, KeyServer, Program, RootDir, Running, Ssh, SshAgent, SshKey, until,
};

pub struct Scene {
    pub host: Host,
    /// Granted into `account`.
    pub key: SshKey,
    pub account: Account,
    /// In a file of `other`'s that sshd reads, where the scene has files.
    pub file_key: SshKey,
    pub other: Account,
    pub keys: RootDir,
    /// That of whoever enables; it holds `key`.
    pub agent: SshAgent,
    server: KeyServer,
}

/// Everything about a file that a login could depend on.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    bytes: Vec<u8>,
    mode: u32,
    uid: u32,
    gid: u32,
}

impl Scene {
    /// One whose sshd also reads files of keys.
    pub fn new() -> Self {
        Self::with(true, &[])
    }

    /// One that asks keyroster.
    pub fn enabled() -> Self {
        let scene = Self::new();
        let done = scene.enable(&["--confirm-within", "never"]);
        assert_eq!(done.code(), Some(0), "{done:?}");
        assert!(scene.granted_login().is_let_in().unwrap());
        scene
    }

    /// One with these drop-ins, and files of keys or none.
    pub fn with(files: bool, drop_ins: &[(&str, &str)]) -> Self {
        let account = Account::login("keyroster-t1").unwrap();
        let other = Account::login("keyroster-t2").unwrap();
        let server = KeyServer::start().unwrap();
        let keys = RootDir::new().unwrap();
        let key = SshKey::ed25519(keys.path(), "alice").unwrap();
        let file_key = SshKey::ed25519(keys.path(), "bob").unwrap();
        server
            .add_user_with_key("alice", &key.public_path())
            .unwrap();
        server.admin(&["host-group", "add", "web"]).unwrap();
        grant(&server, &account);
        let mut builder = Host::builder(&server, "web-1", "web").not_enabled();
        if files {
            keys.dir("home", 0o755).unwrap();
            let file = format!("home/{}", other.name);
            keys.file(&file, file_key.public_line(), 0o644).unwrap();
            let lines = format!("AuthorizedKeysFile {}/home/%u\n", keys.path().display());
            builder = builder.sshd(&lines);
        }
        let host = builder.start().unwrap();
        for (name, text) in drop_ins {
            fs::write(host.sshd().dir().join("sshd_config.d").join(name), text).unwrap();
        }
        Self {
            host,
            agent: SshAgent::with(&[&key]).unwrap(),
            key,
            account,
            file_key,
            other,
            keys,
            server,
        }
    }

    /// Grants `other` as well, and waits until the host knows.
    pub fn grant(&self, account: &Account) {
        grant(&self.server, account);
        until("the grant to be known", LIMIT, || {
            let program = self.verb(
                "enable",
                &[
                    "--dry-run",
                    "--without-break-glass",
                    "--trial-user",
                    &account.name,
                ],
            );
            Ok(program.finish()?.status.success().then_some(()))
        })
        .unwrap();
    }

    /// The host agent's program with this verb, of this scene.
    pub fn verb(&self, verb: &str, arguments: &[&str]) -> Program {
        let dir = self.host.dir();
        let program = Program::at(&dir.join("keyroster-agent"))
            .arg(verb)
            .arg("--sshd-config")
            .arg(self.config())
            .arg("--state")
            .arg(self.state())
            .arg("--lookup")
            .arg(dir.join("keyroster-lookup"))
            .arg("--lookup-config")
            .arg(dir.join("lookup.conf"))
            .arg("--break-glass-dir")
            .arg(dir.join("break-glass"));
        let program = match verb {
            "enable" => {
                let (variable, socket) = self.agent.variable();
                let program = program.env(variable, socket);
                program.arg("--config").arg(dir.join("agent.toml"))
            }
            _ => program,
        };
        program.args(arguments)
    }

    pub fn enable(&self, arguments: &[&str]) -> Finished {
        self.verb("enable", arguments).finish().unwrap()
    }

    /// The same by somebody who came without an ssh-agent.
    pub fn enable_alone(&self, arguments: &[&str]) -> Finished {
        let program = self.verb("enable", arguments);
        let (variable, _) = self.agent.variable();
        program.env(variable, "").finish().unwrap()
    }

    pub fn disable(&self, arguments: &[&str]) -> Finished {
        self.verb("disable", arguments).finish().unwrap()
    }

    /// The same of another configuration.
    pub fn disable_of(&self, config: &str, arguments: &[&str]) -> Finished {
        Program::at(&self.host.dir().join("keyroster-agent"))
            .args(["disable", "--sshd-config", config, "--state"])
            .arg(self.state())
            .args(arguments)
            .finish()
            .unwrap()
    }

    /// `enable`, up to where it waits for a login.
    pub fn waiting(&self, arguments: &[&str]) -> Running {
        let mut running = self.verb("enable", arguments).spawn().unwrap();
        running.wait_for_line("now log in").unwrap();
        running
    }

    pub fn state(&self) -> PathBuf {
        self.host.dir().join("root")
    }

    pub fn config(&self) -> PathBuf {
        self.host.sshd().dir().join("sshd_config")
    }

    pub fn drop_in(&self) -> PathBuf {
        self.host
            .sshd()
            .dir()
            .join("sshd_config.d/10-keyroster.conf")
    }

    /// sshd's configuration as it lies on disk.
    pub fn seen(&self) -> BTreeMap<PathBuf, Seen> {
        let dir = self.host.sshd().dir();
        let entries = fs::read_dir(dir.join("sshd_config.d")).unwrap();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.push(dir.join("sshd_config"));
        paths
            .into_iter()
            .map(|path| (path.clone(), see(&path)))
            .collect()
    }

    /// A login with the granted key, by which only keyroster lets in.
    pub fn granted_login(&self) -> Ssh {
        self.host.ssh(&self.account.name, &self.key)
    }

    /// A login that stays, and ends when it is dropped.
    pub fn stay(&self, account: &Account, key: &SshKey) -> Login {
        let ssh = self.host.ssh(&account.name, key).command("exec sleep 600");
        Login(ssh.build().spawn().unwrap())
    }

    pub fn pending(&self) -> bool {
        self.state().join("pending").exists()
    }

    /// Waits until nothing waits for a login any more.
    pub fn wait_until_over(&self) {
        until("the change to be over", LIMIT, || {
            Ok((!self.pending()).then_some(()))
        })
        .unwrap();
    }

    pub fn key_path(&self) -> String {
        self.key.private_path().display().to_string()
    }
}

/// A client that is logged in.
pub struct Login(std::process::Child);

impl Drop for Login {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn grant(server: &KeyServer, account: &Account) {
    let grant = ["grant", "add", "--user", "alice", "--host-group", "web"];
    let account = ["--account", &account.name];
    server.admin(&[&grant[..], &account].concat()).unwrap();
}

fn see(path: &Path) -> Seen {
    let metadata = fs::symlink_metadata(path).unwrap();
    Seen {
        bytes: fs::read(path).unwrap(),
        mode: metadata.mode(),
        uid: metadata.uid(),
        gid: metadata.gid(),
    }
}

pub const LIMIT: Duration = Duration::from_secs(60);
