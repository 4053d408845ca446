//! `/proc`: who a process is, and whose child.
//!
//! A process is never named by its number alone. With the time of its start, counted by the kernel since boot, the number is
//! that of one process and of no later one.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// One process, and no other that gets its number later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Process {
    /// Its number.
    pub(crate) pid: u32,
    /// When it started, in clock ticks since boot.
    pub(crate) start: u64,
}

/// What `/proc/<pid>/stat` says of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    /// The number of its parent.
    pub(crate) parent: u32,
    /// When it started.
    pub(crate) start: u64,
    /// The name of its program.
    pub(crate) program: Vec<u8>,
    /// Whether it has ended, and only its exit code is left.
    pub(crate) is_zombie: bool,
}

/// A view of the system's processes; a test looks at a directory of its own.
#[derive(Clone, Debug)]
pub(crate) struct Processes {
    root: PathBuf,
}

impl Processes {
    /// Those of this system.
    pub(crate) fn of_system() -> Self {
        Self::at(Path::new("/proc"))
    }

    /// Those that this directory tells of.
    pub(crate) fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// What is known of the process of this number; none when there is none.
    pub(crate) fn stat(&self, pid: u32) -> io::Result<Option<Stat>> {
        match fs::read(self.file(pid, "stat")) {
            Ok(text) => parse_stat(&text)
                .map(Some)
                .ok_or_else(|| io::ErrorKind::InvalidData.into()),
            Err(err) if is_gone(&err) => Ok(None),
            Err(err) => Err(err),
        }
    }

    /// What is known of this very process; none when it has ended.
    pub(crate) fn of(&self, process: Process) -> io::Result<Option<Stat>> {
        let stat = self.stat(process.pid)?;
        Ok(stat.filter(|stat| stat.start == process.start && !stat.is_zombie))
    }

    /// The audit session of a process: inherited by whatever it starts, and changed only by whoever opens a login. None where
    /// no login was opened above it, or the kernel keeps none.
    pub(crate) fn audit_session(&self, pid: u32) -> Option<u32> {
        let text = fs::read_to_string(self.file(pid, "sessionid")).ok()?;
        text.trim_end()
            .parse()
            .ok()
            .filter(|session| *session != NO_SESSION)
    }

    /// The control group of a process in the unified hierarchy, or in the one that systemd keeps beside older ones.
    pub(crate) fn control_group(&self, pid: u32) -> Option<String> {
        let text = fs::read_to_string(self.file(pid, "cgroup")).ok()?;
        ["0::", "1:name=systemd:"]
            .iter()
            .find_map(|hierarchy| {
                text.lines()
                    .filter_map(|line| line.strip_prefix(hierarchy))
                    .find(|path| *path != "/")
            })
            .map(str::to_owned)
    }

    /// The numbers of all processes.
    pub(crate) fn all(&self) -> io::Result<Vec<u32>> {
        let entries = fs::read_dir(&self.root)?.collect::<io::Result<Vec<_>>>()?;
        Ok(entries
            .iter()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect())
    }

    fn file(&self, pid: u32, name: &str) -> PathBuf {
        self.root.join(pid.to_string()).join(name)
    }
}

impl Stat {
    /// Whether it is one of sshd's own programs: `sshd`, and from 9.8 on `sshd-session`.
    pub(crate) fn is_sshd(&self) -> bool {
        [&b"sshd"[..], b"sshd-session"].contains(&self.program.as_slice())
    }
}

/// `<pid>-<start>`: also the name of the session's record.
impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.pid, self.start)
    }
}

impl FromStr for Process {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (pid, start) = text.split_once('-').ok_or(())?;
        let process = Self {
            pid: pid.parse().map_err(drop)?,
            start: start.parse().map_err(drop)?,
        };
        // One process has one name.
        if process.pid == 0 || process.to_string() != text {
            return Err(());
        }
        Ok(process)
    }
}

/// The name of the program stands in brackets and may hold brackets and blanks: it ends at the last one.
fn parse_stat(text: &[u8]) -> Option<Stat> {
    let open = text.iter().position(|byte| *byte == b'(')?;
    let close = text.iter().rposition(|byte| *byte == b')')?;
    let fields = str::from_utf8(text.get(close + 1..)?).ok()?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    Some(Stat {
        program: text.get(open + 1..close)?.to_owned(),
        is_zombie: ["Z", "X"].contains(fields.get(STATE)?),
        parent: fields.get(PARENT)?.parse().ok()?,
        start: fields.get(START)?.parse().ok()?,
    })
}

/// A process that ends while it is looked at is missing in one of two ways.
fn is_gone(err: &io::Error) -> bool {
    err.kind() == io::ErrorKind::NotFound
        || err.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

/// Places in `/proc/<pid>/stat`, behind the name of the program.
const STATE: usize = 0;
const PARENT: usize = 1;
const START: usize = 19;
/// What the kernel says where there is no audit session.
const NO_SESSION: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(program: &str, state: &str) -> Vec<u8> {
        let zeros = "0 ".repeat(17);
        format!("41 ({program}) {state} 7 {zeros}4711 0 0\n").into_bytes()
    }

    #[test]
    fn a_program_may_have_any_name() {
        for name in ["sshd", "a b", ") S 1 2 (", "((", ""] {
            let stat = parse_stat(&stat(name, "S")).unwrap();
            assert_eq!((stat.parent, stat.start), (7, 4711), "{name}");
            assert_eq!(stat.program, name.as_bytes());
        }
    }

    #[test]
    fn only_sshds_own_programs_are_sshd() {
        for (name, expected) in [
            ("sshd", true),
            ("sshd-session", true),
            ("sshd-auth", false),
            ("sshdx", false),
            ("ssh", false),
            ("bash", false),
        ] {
            assert_eq!(
                parse_stat(&stat(name, "S")).unwrap().is_sshd(),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn a_text_that_breaks_off_is_no_process() {
        let whole = stat("sshd", "S");
        for length in 0..whole.len() - 10 {
            assert_eq!(parse_stat(&whole[..length]), None, "{length}");
        }
    }

    #[test]
    fn this_process_is_found_and_one_with_its_number_and_another_start_is_not() {
        let processes = Processes::of_system();
        let pid = std::process::id();
        let start = processes.stat(pid).unwrap().unwrap().start;
        let own = Process { pid, start };
        assert!(processes.of(own).unwrap().is_some());
        let later = Process {
            start: own.start + 1,
            ..own
        };
        assert_eq!(processes.of(later).unwrap(), None);
        assert!(processes.all().unwrap().contains(&own.pid));
    }

    #[test]
    fn a_process_has_one_name() {
        let process = Process {
            pid: 41,
            start: 4711,
        };
        assert_eq!("41-4711".parse(), Ok(process));
        for name in [
            "",
            "41",
            "41-",
            "-4711",
            "+41-4711",
            "041-4711",
            "0-1",
            "41-4711-",
            "41-4711.new",
            "4294967296-1",
        ] {
            assert_eq!(name.parse::<Process>(), Err(()), "{name}");
        }
    }

    #[test]
    fn a_control_group_is_read_from_whichever_hierarchy_systemd_uses() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("41")).unwrap();
        let processes = Processes::at(dir.path());
        for (text, expected) in [
            (
                "0::/user.slice/session-5.scope\n",
                Some("/user.slice/session-5.scope"),
            ),
            (
                "4:pids:/x\n1:name=systemd:/user.slice/session-5.scope\n0::/\n",
                Some("/user.slice/session-5.scope"),
            ),
            ("0::/\n", None),
            ("", None),
        ] {
            fs::write(dir.path().join("41/cgroup"), text).unwrap();
            assert_eq!(processes.control_group(41).as_deref(), expected, "{text}");
        }
    }
}
