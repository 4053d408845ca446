//! The sshd that listens, and telling it to read its configuration again.
//!
//! It is found as whoever holds a listening socket and has our configuration on its command line, and not by a pid file: that may
//! be switched off, or be another one's. sshd writes its command line into its title, `-o` and all, which is the only place
//! that tells what a unit's drop-in or `/etc/default/ssh` has added.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::process::{self, Facts, Process};
use crate::run::{TOOL_LIMIT, finish, pause};
use crate::{DEFAULT_CONFIG, SshdError};

/// An sshd that takes connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    process: Process,
    program: PathBuf,
    config: PathBuf,
    overrides: Vec<String>,
    sockets: BTreeSet<u64>,
}

/// How sshd came to have the new configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Reloaded {
    /// systemd reloaded this unit.
    Unit(String),
    /// This process had SIGHUP.
    Signalled(u32),
    /// Nobody listens for sshd but systemd, or nobody at all: the next sshd that starts reads it.
    NotRunning,
}

impl Listener {
    /// The ones that listen with this configuration: one, unless somebody runs several side by side.
    ///
    /// # Errors
    /// When processes can't be looked at.
    pub fn of(config: &Path) -> Result<Vec<Self>, SshdError> {
        let own = same_file(config);
        let all = Self::all()?;
        Ok(all
            .into_iter()
            .filter(|listener| same_file(&listener.config) == own)
            .collect())
    }

    /// Every sshd of root's that listens.
    ///
    /// # Errors
    /// When processes can't be looked at.
    pub fn all() -> Result<Vec<Self>, SshdError> {
        let found = process::all_sshd()
            .map_err(|err| SshdError::io("look at the processes in", Path::new("/proc"), err))?;
        Ok(found.iter().filter_map(Self::from).collect())
    }

    fn from(facts: &Facts) -> Option<Self> {
        let pid = facts.process.pid;
        let sockets = process::listening_sockets(pid);
        if facts.uid != 0 || sockets.is_empty() {
            return None;
        }
        let arguments = Arguments::of(&facts.title);
        Some(Self {
            process: facts.process,
            program: process::program_of(pid)?,
            config: arguments.config,
            overrides: arguments.overrides,
            sockets,
        })
    }

    /// Its process.
    #[must_use]
    pub fn process(&self) -> Process {
        self.process
    }

    /// The program that it runs.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The configuration that it reads.
    #[must_use]
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// What stands behind `-o` on its command line.
    #[must_use]
    pub fn overrides(&self) -> &[String] {
        &self.overrides
    }

    /// Tells it to read its configuration again, and waits until it listens again. Open connections stay.
    ///
    /// # Errors
    /// When it can't be told, or does not listen afterwards.
    pub fn reload(&self) -> Result<Reloaded, SshdError> {
        let told = match self.unit() {
            Some(unit) => {
                let mut command = Command::new(SYSTEMCTL);
                command.args(["reload", "--", &unit]);
                finish(&mut command, TOOL_LIMIT)?.success("systemctl reload")?;
                Reloaded::Unit(unit)
            }
            None => {
                self.signal()?;
                Reloaded::Signalled(self.process.pid)
            }
        };
        self.wait_until_it_listens_again()?;
        Ok(told)
    }

    /// The unit whose main process it is, where systemd runs.
    fn unit(&self) -> Option<String> {
        if !systemd_runs() {
            return None;
        }
        let unit = process::service_of(self.process.pid)?;
        let mut command = Command::new(SYSTEMCTL);
        command.args(["show", "--property=MainPID", "--value", "--", &unit]);
        let said = finish(&mut command, TOOL_LIMIT)
            .ok()?
            .success("systemctl show");
        let main = said.ok()?.trim().parse::<u32>().ok()?;
        (main == self.process.pid).then_some(unit)
    }

    fn signal(&self) -> Result<(), SshdError> {
        let pid = i32::try_from(self.process.pid).ok().and_then(Pid::from_raw);
        match pid {
            Some(pid) if self.process.is_alive() => kill_process(pid, Signal::HUP)
                .map_err(|err| SshdError::io("signal", &self.program, err)),
            _ => Err(SshdError::Gone(self.process.pid)),
        }
    }

    /// sshd closes its sockets, executes itself and opens others: those that systemd handed to it stay, hence not only new ones
    /// count once it has had the time.
    fn wait_until_it_listens_again(&self) -> Result<(), SshdError> {
        let until = Instant::now() + RELOAD_LIMIT;
        loop {
            let sockets = process::listening_sockets(self.process.pid);
            let anew = !sockets.is_empty() && sockets.is_disjoint(&self.sockets);
            let over = Instant::now() >= until;
            if !self.process.is_alive() || (over && sockets.is_empty()) {
                return Err(SshdError::Gone(self.process.pid));
            }
            if anew || over {
                return Ok(());
            }
            pause(LOOK_AGAIN);
        }
    }
}

/// Tells every sshd that listens with this configuration to read it again. One that is about to is waited for: it may have read the
/// configuration of before.
///
/// # Errors
/// When one can't be told, or does not listen afterwards, or in time.
pub fn reload(config: &Path) -> Result<Vec<Reloaded>, SshdError> {
    let until = Instant::now() + RELOAD_LIMIT;
    while let Some(pid) = starting(config)? {
        if Instant::now() >= until {
            return Err(SshdError::Starting(pid));
        }
        pause(LOOK_AGAIN);
    }
    let listeners = Listener::of(config)?;
    if listeners.is_empty() {
        return Ok(vec![Reloaded::NotRunning]);
    }
    listeners.iter().map(Listener::reload).collect()
}

/// Whether a process is an sshd that has its arguments still. Once it listens or serves somebody, it writes over them what it does, as
/// `sshd-session` does, which is a program of its own from 9.8 on.
fn will_listen(title: &str, arguments: &Arguments) -> bool {
    let program = title.split('\0').next().map(Path::new);
    let name = program.and_then(Path::file_name);
    name.is_some_and(|name| name == "sshd") && !arguments.flags.contains(NO_LISTENER)
}

/// Whether an sshd runs with a configuration, or systemd listens for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Presence {
    /// One does, or is about to.
    Running,
    /// None does: the next one that starts reads what is there then.
    Nobody,
}

/// Whether an sshd runs with this configuration.
///
/// # Errors
/// When processes can't be looked at.
pub fn presence(config: &Path) -> Result<Presence, SshdError> {
    let runs = starting(config)?.is_some()
        || !Listener::of(config)?.is_empty()
        || (config == Path::new(DEFAULT_CONFIG) && systemd_listens());
    Ok(match runs {
        true => Presence::Running,
        false => Presence::Nobody,
    })
}

/// For an sshd that it starts anew for each connection.
fn systemd_listens() -> bool {
    let mut command = Command::new(SYSTEMCTL);
    command.args(["is-active", "--quiet", "--", "ssh.socket", "sshd.socket"]);
    systemd_runs() && finish(&mut command, TOOL_LIMIT).is_ok_and(|done| done.status.success())
}

/// An sshd of root's that was started to listen with this configuration, and does not listen yet.
fn starting(config: &Path) -> Result<Option<u32>, SshdError> {
    let own = same_file(config);
    let found = process::all_sshd()
        .map_err(|err| SshdError::io("look at the processes in", Path::new("/proc"), err))?;
    let mut pids = found.iter().filter_map(|facts| {
        let arguments = Arguments::of(&facts.title);
        let one = facts.uid == 0
            && will_listen(&facts.title, &arguments)
            && same_file(&arguments.config) == own;
        let pid = facts.process.pid;
        (one && process::listening_sockets(pid).is_empty() && facts.process.is_alive())
            .then_some(pid)
    });
    Ok(pids.next())
}

/// Whether systemd is what runs services here.
#[must_use]
pub fn systemd_runs() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// What sshd was started with.
#[derive(Debug, PartialEq, Eq)]
struct Arguments {
    config: PathBuf,
    overrides: Vec<String>,
    /// Letters without a value.
    flags: String,
}

impl Arguments {
    /// From the title: `sshd: /usr/sbin/sshd -D -o A=b [listener] 0 of 10-100 startups`; before sshd has set it, the arguments
    /// themselves. A value with blanks ends at what looks like the next option.
    fn of(title: &str) -> Self {
        let words: Vec<&str> = match title
            .strip_prefix(TITLE)
            .and_then(|rest| rest.split_once(" [listener]"))
        {
            Some((arguments, _)) => arguments.split_ascii_whitespace().collect(),
            None => title.split('\0').filter(|word| !word.is_empty()).collect(),
        };
        let mut config = PathBuf::from(DEFAULT_CONFIG);
        let mut overrides = Vec::new();
        let mut flags = String::new();
        let mut words = words.into_iter().skip(1).peekable();
        while let Some(word) = words.next() {
            let Some(option) = word.strip_prefix('-').filter(|option| !option.is_empty()) else {
                continue;
            };
            let at = option.find(TAKES_VALUE).unwrap_or(option.len());
            let (letters, rest) = option.split_at(at);
            flags.push_str(letters);
            let Some((letter, attached)) = rest.split_at_checked(1) else {
                continue;
            };
            let mut value = attached.to_owned();
            while let Some(next) = words.next_if(|next| value.is_empty() || !is_option(next)) {
                if !value.is_empty() {
                    value.push(' ');
                }
                value.push_str(next);
            }
            match letter {
                "f" => config = value.into(),
                "o" => overrides.push(value),
                _ => {}
            }
        }
        Self {
            config,
            overrides,
            flags,
        }
    }
}

/// Whether a word can only be the next option: arguments of a key command begin with two dashes, options of sshd with one.
fn is_option(word: &str) -> bool {
    word.strip_prefix('-')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
}

fn same_file(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Options of sshd(8) behind which a value stands.
const TAKES_VALUE: [char; 11] = ['C', 'E', 'b', 'c', 'f', 'g', 'h', 'k', 'o', 'p', 'u'];
/// Options of sshd(8) with which it does not listen, and `-R`, which it gives to its own child for a connection.
const NO_LISTENER: [char; 6] = ['G', 'R', 'T', 'V', 'i', 't'];
const TITLE: &str = "sshd: ";
const SYSTEMCTL: &str = "systemctl";
/// The longest that sshd may take to listen again.
const RELOAD_LIMIT: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use keyroster_testkit::{RootDir, Sshd};

    use super::*;

    #[test]
    fn the_command_line_is_read_from_the_title() {
        let arguments = |config: &str, overrides: &[&str]| {
            let overrides = overrides.iter().map(|text| (*text).to_owned()).collect();
            (PathBuf::from(config), overrides)
        };
        for (title, expected) in [
            (
                "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups",
                arguments(DEFAULT_CONFIG, &[]),
            ),
            (
                "sshd: /usr/sbin/sshd -D -f /etc/x [listener] 1 of 10-100 startups",
                arguments("/etc/x", &[]),
            ),
            (
                "sshd: /usr/sbin/sshd -D -o AuthorizedKeysCommand=/usr/share/eic %u %f -o AuthorizedKeysCommandUser=eic [listener] 0 of 10-100 startups",
                arguments(
                    DEFAULT_CONFIG,
                    &[
                        "AuthorizedKeysCommand=/usr/share/eic %u %f",
                        "AuthorizedKeysCommandUser=eic",
                    ],
                ),
            ),
            (
                "sshd: /usr/sbin/sshd -D -o AuthorizedKeysCommand=/opt/lookup keys --user=%u --key=%k -4 [listener] 0 of 10-100 startups",
                arguments(
                    DEFAULT_CONFIG,
                    &["AuthorizedKeysCommand=/opt/lookup keys --user=%u --key=%k"],
                ),
            ),
            (
                "/usr/sbin/sshd\0-Df/etc/x\0-oPort=22\0",
                arguments("/etc/x", &["Port=22"]),
            ),
            ("", arguments(DEFAULT_CONFIG, &[])),
        ] {
            let Arguments {
                config, overrides, ..
            } = Arguments::of(title);
            assert_eq!((config, overrides), expected, "{title}");
        }
    }

    #[test]
    fn an_sshd_that_only_looks_at_its_configuration_is_told_from_one_that_will_listen() {
        for (title, listens) in [
            ("/usr/sbin/sshd\0-D\0", true),
            ("/usr/sbin/sshd\0-De\0-f\0/etc/iT\0", true),
            ("/usr/sbin/sshd\0-f\0/etc/x\0-t\0", false),
            ("/usr/sbin/sshd\0-T\0-C\0user=D\0", false),
            ("/usr/sbin/sshd\0-D\0-R\0", false),
            ("sshd\0-i\0", false),
            ("sshd: deploy [priv]\0", false),
            ("sshd-session: deploy [priv]", false),
            ("sshd-session: root@pts/0\0", false),
            ("/usr/lib/openssh/sshd-session\0-D\0-R\0", false),
            (
                "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups\0",
                false,
            ),
            ("", false),
        ] {
            let found = will_listen(title, &Arguments::of(title));
            assert_eq!(found, listens, "{title}");
        }
    }

    #[test]
    fn an_sshd_that_has_read_its_configuration_but_does_not_listen_yet_is_not_taken_for_none() {
        let dir = RootDir::new().unwrap();
        let running = Sshd::builder().start().unwrap();
        let text = std::fs::read_to_string(running.dir().join("sshd_config")).unwrap();
        // It reads its keys last, and waits at this one.
        let key = dir.path().join("key");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &key,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        let text = format!("HostKey {}\n{text}", key.display());
        let config = dir.file("sshd_config", text, 0o644).unwrap();
        let mut child = Command::new("/usr/sbin/sshd")
            .arg("-D")
            .arg("-f")
            .arg(&config)
            .spawn()
            .unwrap();
        let seen = keyroster_testkit::until("it to start", Duration::from_secs(20), || {
            Ok(starting(&config).unwrap())
        });
        let told = reload(&config);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(seen.unwrap(), child.id());
        assert!(matches!(told, Err(SshdError::Starting(_))), "{told:?}");
        assert_eq!(reload(&config).unwrap(), [Reloaded::NotRunning]);
    }

    #[test]
    fn the_sshd_that_listens_with_a_configuration_is_found_with_its_program() {
        let sshd = Sshd::builder().start().unwrap();
        let other = Sshd::builder().start().unwrap();
        let found = Listener::of(&sshd.dir().join("sshd_config")).unwrap();
        let [listener] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!(listener.process().pid, sshd.pid());
        assert_eq!(listener.program(), Path::new("/usr/sbin/sshd"));
        assert_eq!(
            Listener::of(&other.dir().join("sshd_config"))
                .unwrap()
                .len(),
            1
        );
        assert_eq!(Listener::of(Path::new("/nowhere/sshd_config")).unwrap(), []);
    }

    #[test]
    fn a_reloaded_sshd_is_the_same_process_with_the_new_configuration() {
        let sshd = Sshd::builder().start().unwrap();
        let config = sshd.dir().join("sshd_config");
        let [before] = <[_; 1]>::try_from(Listener::of(&config).unwrap()).unwrap();
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, text + "Banner none\n").unwrap();
        assert_eq!(reload(&config).unwrap(), [Reloaded::Signalled(sshd.pid())]);
        let [after] = <[_; 1]>::try_from(Listener::of(&config).unwrap()).unwrap();
        assert_eq!(after.process(), before.process());
        assert!(after.sockets.is_disjoint(&before.sockets));
    }

    #[test]
    fn where_no_sshd_listens_there_is_nothing_to_reload() {
        assert_eq!(
            reload(Path::new("/nowhere/sshd_config")).unwrap(),
            [Reloaded::NotRunning]
        );
    }
}
