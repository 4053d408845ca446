//! What demo and bench are played on: a directory, three accounts, and the servers that run. Dropped, all of it is gone.

pub mod acts;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use keyroster_testkit::{
    Account, Failure, Finished, Program, Result, RootDir, Running, SshKey, Sshd,
};

use crate::build;
use crate::workspace::{Profile, Workspace};

/// The fields are dropped in their order: processes first, then what they stand on.
#[derive(Debug)]
pub struct Stage {
    /// The key server, once it runs.
    pub server: Option<Running>,
    /// The host agent, once it runs.
    pub agent: Option<Running>,
    /// sshd, once it runs.
    pub sshd: Option<Sshd>,
    /// Runs the key server.
    pub server_account: Account,
    /// Runs the host agent.
    pub agent_account: Account,
    /// Runs sshd and the lookup, and is logged in to.
    pub login_account: Account,
    /// The user's key pair.
    pub key: SshKey,
    /// The pin of the key server's CA, once there is one.
    pub ca_fingerprint: String,
    /// The key server's address, once it listens.
    pub url: String,
    /// The drop-in as shipped.
    pub drop_in: String,
    /// What an act wants shown beneath it.
    pub notes: Vec<String>,
    home: PathBuf,
    dir: RootDir,
    _accounts: Accounts,
}

impl Stage {
    /// Makes the directory, the accounts and the user's key, and copies the programs to where sshd trusts them.
    pub fn set(workspace: &Workspace, profile: Profile) -> Result<Self> {
        let dist = workspace.dist(profile);
        let dir = RootDir::named("keyroster-demo")?;
        for program in build::PROGRAMS {
            dir.install_file(&dist.join(program))?;
        }
        let mut accounts = Accounts::default();
        let server_account = accounts.make("server")?;
        let agent_account = accounts.make("agent")?;
        let login_account = accounts.make("login")?;
        server_account.own(&dir.dir("server", 0o700)?)?;
        agent_account.own(&dir.dir("state", 0o700)?)?;
        agent_account.own(&dir.dir("socket", 0o755)?)?;
        let home = dir.dir("home", 0o700)?;
        let key = SshKey::ed25519(&home, "id_ed25519")?;
        let drop_in_path = workspace.root.join("sshd-config/10-keyroster.conf");
        let drop_in = fs::read_to_string(&drop_in_path)
            .map_err(|error| Failure::io("read", &drop_in_path, &error))?;
        Ok(Self {
            server: None,
            agent: None,
            sshd: None,
            server_account,
            agent_account,
            login_account,
            key,
            ca_fingerprint: String::new(),
            url: String::new(),
            drop_in,
            notes: Vec::new(),
            home,
            dir,
            _accounts: accounts,
        })
    }

    /// A path inside the demo's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// One of our programs, as copied, with a home of the demo's own.
    pub fn program(&self, name: &str) -> Program {
        Program::at(&self.path(name))
            .env("HOME", &self.home)
            .env("XDG_CONFIG_HOME", self.home.join(".config"))
    }

    /// `keyroster` with these arguments, as a person would type it.
    pub fn keyroster(&self, arguments: &[&str]) -> Result<String> {
        let finished: Finished = self.program("keyroster").args(arguments).finish()?;
        finished.success(&format!("`keyroster {}`", arguments.join(" ")))
    }

    /// Writes a root-owned file that everybody may read.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        self.dir.file(name, text, 0o644)
    }

    /// Makes a directory that everybody may look into.
    pub fn dir(&self, name: &str) -> Result<PathBuf> {
        self.dir.dir(name, 0o755)
    }

    /// Lets every account connect to a socket.
    pub fn open_to_all(&self, socket: &Path) -> Result {
        fs::set_permissions(socket, fs::Permissions::from_mode(0o666))
            .map_err(|error| Failure::io("set the mode of", socket, &error))
    }

    /// The shipped drop-in, its paths and its user replaced and nothing else.
    pub fn key_command(&self) -> String {
        let (program, config) = (self.path("keyroster-lookup"), self.path("lookup.conf"));
        let template = format!("{} keys --config={}", program.display(), config.display());
        let user = format!("CommandUser {}", self.login_account.name);
        self.drop_in
            .replace("/usr/lib/keyroster/keyroster-lookup keys", &template)
            .replace("CommandUser keyroster-lookup", &user)
    }

    /// Keeps what the servers have said, and shows the end of it.
    pub fn save_logs(&self, to: &Path) -> Result {
        fs::create_dir_all(to).map_err(|error| Failure::io("make directory", to, &error))?;
        let said =
            |running: &Option<Running>| running.as_ref().map(Running::output).unwrap_or_default();
        let logs = [
            ("key-server.log", said(&self.server)),
            ("host-agent.log", said(&self.agent)),
            (
                "sshd.log",
                self.sshd.as_ref().map(Sshd::log).unwrap_or_default(),
            ),
        ];
        for (name, text) in logs {
            let path = to.join(name);
            fs::write(&path, &text).map_err(|error| Failure::io("write", &path, &error))?;
            eprintln!("{}", path.display());
            let lines: Vec<&str> = text.lines().collect();
            for line in lines.iter().skip(lines.len().saturating_sub(LAST_LINES)) {
                eprintln!("    {line}");
            }
        }
        Ok(())
    }

    /// Prints what a person can type while everything is still there.
    pub fn say_how_to_go_on(&self) {
        println!("\neverything runs until Ctrl-C; in another shell, as root:");
        println!(
            "  export HOME={} XDG_CONFIG_HOME={}/.config",
            self.home.display(),
            self.home.display()
        );
        println!("  {} user list", self.path("keyroster").display());
        println!(
            "  {} key add alice --file NEW.pub",
            self.path("keyroster").display()
        );
        if let Some(sshd) = &self.sshd {
            let (port, known) = (sshd.port(), sshd.known_hosts().display());
            let (name, key) = (&self.login_account.name, self.key.private_path().display());
            println!(
                "  ssh -F none -i {key} -p {port} -o UserKnownHostsFile={known} {name}@127.0.0.1"
            );
        }
    }
}

/// The demo's accounts, named after this process. Dropped, they are removed.
#[derive(Debug, Default)]
struct Accounts {
    made: Vec<String>,
}

impl Accounts {
    fn make(&mut self, role: &str) -> Result<Account> {
        let name = format!("keyroster-demo-{role}-{}", std::process::id());
        self.made.push(name.clone());
        Account::login(&name)
    }
}

impl Drop for Accounts {
    fn drop(&mut self) {
        for name in &self.made {
            if let Err(failure) = Account::remove(name) {
                eprintln!("warning: {failure}");
            }
        }
    }
}

/// How much of each log is shown after a failure.
const LAST_LINES: usize = 15;
