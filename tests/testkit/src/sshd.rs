//! A real sshd on loopback.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::process::{finish, stop};
use crate::{Account, Annex, Failure, Finished, Result, RootDir, SshKey, free_port, until};

/// A running sshd with a host key and a configuration of its own. Dropped, it is stopped and its directory removed.
#[derive(Debug)]
pub struct Sshd {
    child: Child,
    port: u16,
    dir: RootDir,
    known_hosts: PathBuf,
}

impl Sshd {
    /// Begins a configuration.
    pub fn builder() -> SshdBuilder {
        SshdBuilder::default()
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A file that tells a client its host key.
    pub fn known_hosts(&self) -> &Path {
        &self.known_hosts
    }

    /// The root-owned directory that holds its files.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What it has logged up to now, at level VERBOSE.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir().join(LOG_FILE)).unwrap_or_default()
    }

    /// How many bytes it has logged up to now.
    pub fn log_size(&self) -> u64 {
        fs::metadata(self.dir().join(LOG_FILE)).map_or(0, |metadata| metadata.len())
    }

    /// What it has logged behind the first `size` bytes: a login of many can be told from those before it.
    pub fn log_from(&self, size: u64) -> String {
        let mut bytes = Vec::new();
        if let Ok(mut file) = fs::File::open(self.dir().join(LOG_FILE)) {
            let _ = file.seek(SeekFrom::Start(size));
            let _ = file.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What `sshd -T -C …` says that it would do for a connection, lower-case keywords, one a line.
    pub fn effective(&self, connection: &str) -> Result<String> {
        let mut command = Command::new(SSHD);
        command
            .args(["-T", "-C", connection, "-f"])
            .arg(self.dir().join(CONFIG_FILE));
        finish(&mut command, CHECK_LIMIT)?.success("sshd -T")
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = stop(&mut self.child, Signal::TERM, STOP_LIMIT);
    }
}

/// What an sshd is to be like.
#[derive(Debug, Default)]
pub struct SshdBuilder {
    drop_ins: Vec<(String, String)>,
    user: Option<Account>,
    own_group: bool,
    dir: Option<RootDir>,
    pam: Option<String>,
    annex: Option<Annex>,
}

impl SshdBuilder {
    /// Adds a file to `sshd_config.d`, which is read before everything that the fixture sets itself: the first value
    /// wins, as on Debian. Drop-ins are read in the order of their names.
    #[must_use]
    pub fn drop_in(mut self, name: &str, text: &str) -> Self {
        self.drop_ins.push((name.to_owned(), text.to_owned()));
        self
    }

    /// Adds these lines in a drop-in that is read first.
    #[must_use]
    pub fn config(self, text: &str) -> Self {
        let name = format!("00-test-{}.conf", self.drop_ins.len());
        self.drop_in(&name, text)
    }

    /// Runs it unprivileged: only this account can log in, and the key command runs as this account too.
    #[must_use]
    pub fn as_user(mut self, account: &Account) -> Self {
        self.user = Some(account.clone());
        self
    }

    /// Puts it in a process group of its own, out of reach of Ctrl-C at the terminal.
    #[must_use]
    pub fn own_group(mut self) -> Self {
        self.own_group = true;
        self
    }

    /// Uses PAM with this text as its stack. The machine's own files stay as they are: this sshd alone sees the text in their
    /// place, in a mount namespace that ends with it.
    #[must_use]
    pub fn pam(mut self, stack: &str) -> Self {
        self.pam = Some(stack.to_owned());
        self.config("UsePAM yes\n")
    }

    /// Runs it in this annex, where its directory is shown. Its process id is then that of who entered the annex, and it ends with the annex.
    #[must_use]
    pub fn in_annex(mut self, annex: &Annex) -> Self {
        self.annex = Some(annex.clone());
        self
    }

    /// Keeps its files in this directory rather than in a new one.
    #[must_use]
    pub fn in_dir(mut self, dir: RootDir) -> Self {
        self.dir = Some(dir);
        self
    }

    /// Writes the configuration and lets `sshd -t` judge it, without starting anything.
    pub fn check(mut self) -> Result<Finished> {
        let dir = self.take_dir()?;
        self.write(&dir, free_port()?)?;
        self.test(&dir)
    }

    /// Writes the configuration and returns what `sshd -T -C` makes of it, without starting anything.
    pub fn explain(mut self, connection: &str) -> Result<String> {
        let dir = self.take_dir()?;
        self.write(&dir, free_port()?)?;
        let mut command = Command::new(SSHD);
        command
            .args(["-T", "-C", connection, "-f"])
            .arg(dir.path().join(CONFIG_FILE));
        finish(&mut command, CHECK_LIMIT)?.success("sshd -T")
    }

    /// Starts it and waits until it takes connections.
    pub fn start(mut self) -> Result<Sshd> {
        let dir = self.take_dir()?;
        for _ in 1..PORT_TRIES {
            let port = free_port()?;
            self.write(&dir, port)?;
            match self.launch(&dir, port) {
                Ok((child, known_hosts)) => {
                    return Ok(Sshd {
                        child,
                        port,
                        dir,
                        known_hosts,
                    });
                }
                Err(failure) if failure.to_string().contains("Address already in use") => {}
                Err(failure) => return Err(failure),
            }
        }
        Err(Failure::new(format!(
            "sshd found no free port in {PORT_TRIES} tries"
        )))
    }

    fn take_dir(&mut self) -> Result<RootDir> {
        let dir = self.dir.take().map_or_else(RootDir::new, Ok)?;
        if let Some(annex) = &self.annex {
            annex.show(dir.path())?;
        }
        Ok(dir)
    }

    fn write(&self, dir: &RootDir, port: u16) -> Result {
        let drop_in_dir = dir.path().join("sshd_config.d");
        let _ = fs::remove_dir_all(&drop_in_dir);
        dir.dir("sshd_config.d", 0o755)?;
        for (name, text) in &self.drop_ins {
            dir.file(&format!("sshd_config.d/{name}"), text, 0o644)?;
        }
        if !dir.path().join(HOST_KEY).exists() {
            let key = SshKey::ed25519(dir.path(), HOST_KEY)?;
            self.give_to_user(key.private_path())?;
        }
        dir.file(CONFIG_FILE, base_config(dir.path(), port), 0o644)?;
        if let Some(stack) = &self.pam {
            dir.file(PAM_FILE, stack, 0o644)?;
        }
        let log = dir.file(LOG_FILE, "", 0o644)?;
        self.give_to_user(&log)
    }

    fn give_to_user(&self, path: &Path) -> Result {
        self.user.as_ref().map_or(Ok(()), |user| user.own(path))
    }

    fn command(&self, dir: &RootDir) -> Command {
        let mut command = match (&self.pam, &self.annex) {
            (Some(_), _) => with_pam_file(&dir.path().join(PAM_FILE)),
            (None, Some(annex)) => annex.command(SSHD),
            (None, None) => Command::new(SSHD),
        };
        command
            .arg("-f")
            .arg(dir.path().join(CONFIG_FILE))
            .current_dir("/");
        if let Some(user) = &self.user {
            command.uid(user.uid).gid(user.gid);
        }
        command
    }

    fn test(&self, dir: &RootDir) -> Result<Finished> {
        make_separation_dir()?;
        finish(self.command(dir).arg("-t"), CHECK_LIMIT)
    }

    fn launch(&self, dir: &RootDir, port: u16) -> Result<(Child, PathBuf)> {
        self.test(dir)?.success("sshd -t")?;
        let mut command = self.command(dir);
        command.arg("-D").arg("-E").arg(dir.path().join(LOG_FILE));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if self.own_group {
            command.process_group(0);
        }
        let mut child = command
            .spawn()
            .map_err(|error| Failure::new(format!("cannot run sshd: {error}")))?;
        let ready = until("sshd to take connections", START_LIMIT, || {
            if let Ok(Some(status)) = child.try_wait() {
                let log = fs::read_to_string(dir.path().join(LOG_FILE)).unwrap_or_default();
                return Err(Failure::new(format!("sshd ended with {status}\n{log}")));
            }
            Ok(TcpStream::connect(("127.0.0.1", port)).ok().map(drop))
        });
        if let Err(failure) = ready {
            let _ = stop(&mut child, Signal::KILL, STOP_LIMIT);
            return Err(failure);
        }
        Ok((child, write_known_hosts(dir, port)?))
    }
}

/// The installed OpenSSH's version, as (major, minor).
pub fn openssh_version() -> Result<(u32, u32)> {
    let said = finish(Command::new("ssh").arg("-V"), CHECK_LIMIT)?.stderr;
    parse_version(&said)
        .ok_or_else(|| Failure::new(format!("no version in \"{}\"", said.trim_end())))
}

fn parse_version(said: &str) -> Option<(u32, u32)> {
    let (major, rest) = said.strip_prefix("OpenSSH_")?.split_once('.')?;
    let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// sshd, in whose eyes this file is the one that PAM reads for it. Each program becomes the next, so that the process is sshd's.
fn with_pam_file(path: &Path) -> Command {
    let mut command = Command::new("unshare");
    let script = "mount --bind \"$0\" /etc/pam.d/sshd && exec \"$@\"";
    command
        .args(["--mount", "--", "sh", "-c", script])
        .arg(path)
        .arg(SSHD);
    command
}

/// What every fixture's sshd has in common. No file of keys: what lets someone in must come from a drop-in.
fn base_config(dir: &Path, port: u16) -> String {
    let dir = dir.display();
    let penalties = match openssh_version() {
        Ok(version) if version >= (9, 8) => "PerSourcePenalties no\n",
        _ => "",
    };
    format!(
        "Include {dir}/sshd_config.d/*.conf\n\
         ListenAddress 127.0.0.1\nPort {port}\nHostKey {dir}/{HOST_KEY}\nPidFile none\n\
         LogLevel VERBOSE\nUsePAM no\nUseDNS no\nPrintMotd no\nPrintLastLog no\n\
         PubkeyAuthentication yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
         AuthorizedKeysFile none\nStrictModes yes\nMaxStartups 100\nLoginGraceTime 20\n{penalties}"
    )
}

fn write_known_hosts(dir: &RootDir, port: u16) -> Result<PathBuf> {
    let public = dir.path().join(HOST_KEY).with_extension("pub");
    let key = fs::read_to_string(&public).map_err(|error| Failure::io("read", &public, &error))?;
    dir.file("known_hosts", format!("[127.0.0.1]:{port} {key}"), 0o644)
}

/// Debian's unit makes it at boot; without it a privileged sshd refuses to start.
fn make_separation_dir() -> Result {
    let path = Path::new("/run/sshd");
    fs::create_dir_all(path).map_err(|error| Failure::io("make directory", path, &error))
}

const SSHD: &str = "/usr/sbin/sshd";
const CONFIG_FILE: &str = "sshd_config";
const LOG_FILE: &str = "sshd.log";
const HOST_KEY: &str = "host_key";
const PAM_FILE: &str = "pam";
/// How often another port is tried when someone else took the free one first.
const PORT_TRIES: u32 = 5;
/// The longest that a check of the configuration may take.
const CHECK_LIMIT: Duration = Duration::from_secs(20);
/// The longest that the start may take.
const START_LIMIT: Duration = Duration::from_secs(20);
/// The longest that the listener may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ssh;

    fn key_file(dir: &RootDir, key: &SshKey) -> String {
        let path = dir
            .file("authorized_keys", key.public_line(), 0o644)
            .unwrap();
        format!("AuthorizedKeysFile {}\n", path.display())
    }

    #[test]
    fn a_key_in_the_file_logs_in_and_another_does_not() {
        let account = Account::login("keyroster-t1").unwrap();
        let dir = RootDir::new().unwrap();
        let (good, bad) = (
            SshKey::ed25519(dir.path(), "a").unwrap(),
            SshKey::ed25519(dir.path(), "b").unwrap(),
        );
        let sshd = Sshd::builder()
            .config(&key_file(&dir, &good))
            .start()
            .unwrap();
        let login = Ssh::to(&sshd, &account.name)
            .key(&good)
            .command("id -un")
            .run()
            .unwrap();
        assert_eq!(
            (login.code(), login.stdout.as_str()),
            (Some(0), "keyroster-t1\n"),
            "{login:?}\n{}",
            sshd.log()
        );
        assert!(!Ssh::to(&sshd, &account.name).key(&bad).is_let_in().unwrap());
    }

    #[test]
    fn an_unprivileged_sshd_lets_its_own_account_in() {
        let account = Account::login("keyroster-t2").unwrap();
        let dir = RootDir::new().unwrap();
        let key = SshKey::ed25519(dir.path(), "a").unwrap();
        let sshd = Sshd::builder()
            .config(&key_file(&dir, &key))
            .as_user(&account)
            .start()
            .unwrap();
        let login = Ssh::to(&sshd, &account.name)
            .key(&key)
            .command("id -un")
            .run()
            .unwrap();
        assert_eq!(login.stdout, "keyroster-t2\n", "{login:?}\n{}", sshd.log());
    }

    #[test]
    fn a_stack_of_the_tests_own_decides_for_its_sshd_and_the_machines_is_left_alone() {
        let account = Account::login("keyroster-t1").unwrap();
        let before = fs::read("/etc/pam.d/sshd").unwrap();
        let dir = RootDir::new().unwrap();
        let key = SshKey::ed25519(dir.path(), "a").unwrap();
        for (module, expected) in [("pam_permit.so", true), ("pam_deny.so", false)] {
            let sshd = Sshd::builder()
                .config(&key_file(&dir, &key))
                .pam(&format!(
                    "account required {module}\nsession required pam_permit.so\n"
                ))
                .start()
                .unwrap();
            let login = Ssh::to(&sshd, &account.name).key(&key);
            assert_eq!(login.is_let_in().unwrap(), expected, "{}", sshd.log());
            assert_eq!(fs::read("/etc/pam.d/sshd").unwrap(), before);
        }
    }

    #[test]
    fn an_unknown_keyword_is_refused_before_anything_starts() {
        let failure = Sshd::builder()
            .config("NoSuchKeyword yes\n")
            .start()
            .unwrap_err();
        assert!(failure.to_string().contains("NoSuchKeyword"), "{failure}");
    }

    #[test]
    fn versions_are_read_from_what_ssh_says() {
        assert_eq!(
            parse_version("OpenSSH_9.2p1 Debian-2+deb12u7, OpenSSL 3.0.19"),
            Some((9, 2))
        );
        assert_eq!(
            parse_version("OpenSSH_10.0p2 Debian-7, OpenSSL 3.5.1"),
            Some((10, 0))
        );
    }
}
