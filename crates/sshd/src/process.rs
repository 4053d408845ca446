//! `/proc`: which process is whose child, and since when.
//!
//! A process is never named by its number alone: with the time of its start the number is that of one process and of no later
//! one.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::binary::without_deleted;

/// One process, and no other that gets its number later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub start: u64,
}

/// What the kernel says of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) process: Process,
    pub(crate) parent: u32,
    /// The real user.
    pub(crate) uid: u32,
    /// Its command line, or what it has written over that.
    pub(crate) title: String,
}

impl Process {
    /// The process that has this number now; none when there is none.
    #[must_use]
    pub fn now(pid: u32) -> Option<Self> {
        let stat = parse_stat(&fs::read(file(pid, "stat")).ok()?)?;
        Some(Self {
            pid,
            start: stat.start,
        })
    }

    /// Whether it is still this one.
    #[must_use]
    pub fn is_alive(self) -> bool {
        Self::now(self.pid) == Some(self)
    }
}

impl Facts {
    /// Those of this process, if it runs one of sshd's own programs: `sshd`, and from 9.8 on `sshd-session`. The others cost one
    /// look each: this is asked often.
    fn of_sshd(pid: u32) -> Option<Self> {
        let stat = parse_stat(&fs::read(file(pid, "stat")).ok()?)?;
        if ![&b"sshd"[..], b"sshd-session"].contains(&stat.program.as_slice()) {
            return None;
        }
        let status = fs::read_to_string(file(pid, "status")).ok()?;
        let uid = status
            .lines()
            .find_map(|line| line.strip_prefix("Uid:"))?
            .split_ascii_whitespace()
            .next()?
            .parse()
            .ok()?;
        let title = fs::read(file(pid, "cmdline")).ok()?;
        Some(Self {
            process: Process {
                pid,
                start: stat.start,
            },
            parent: stat.parent,
            uid,
            title: String::from_utf8_lossy(&title).into_owned(),
        })
    }
}

/// All processes of sshd's programs that see the same files as this one: an sshd in a container is somebody else's.
pub(crate) fn all_sshd() -> io::Result<Vec<Facts>> {
    let own = root_of("self");
    let entries = fs::read_dir(PROC)?.collect::<io::Result<Vec<_>>>()?;
    let pids = entries
        .iter()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let found = pids.filter_map(Facts::of_sshd);
    Ok(found
        .filter(|facts| root_of(&facts.process.pid.to_string()) == own)
        .collect())
}

fn root_of(process: &str) -> Option<(u64, u64)> {
    let metadata = fs::metadata(Path::new(PROC).join(process).join("root")).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// The file that a process runs.
pub(crate) fn program_of(pid: u32) -> Option<PathBuf> {
    fs::read_link(file(pid, "exe"))
        .ok()
        .map(|path| without_deleted(&path))
}

/// The sockets on which a process takes TCP connections, by their numbers in the kernel.
pub(crate) fn listening_sockets(pid: u32) -> BTreeSet<u64> {
    let tables = ["net/tcp", "net/tcp6"];
    let listening: BTreeSet<u64> = tables
        .iter()
        .filter_map(|table| fs::read_to_string(file(pid, table)).ok())
        .flat_map(|table| parse_table(&table))
        .collect();
    let Ok(entries) = fs::read_dir(file(pid, "fd")) else {
        return BTreeSet::new();
    };
    let links = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links
        .filter_map(|link| {
            let name = str::from_utf8(link.as_os_str().as_bytes()).ok()?;
            name.strip_prefix("socket:[")?
                .strip_suffix(']')?
                .parse()
                .ok()
        })
        .filter(|socket| listening.contains(socket))
        .collect()
}

/// The systemd service in whose control group a process is.
pub(crate) fn service_of(pid: u32) -> Option<String> {
    let text = fs::read_to_string(file(pid, "cgroup")).ok()?;
    let path = text.lines().find_map(|line| {
        line.strip_prefix("0::")
            .or(line.strip_prefix("1:name=systemd:"))
    })?;
    let unit = path.rsplit('/').find(|part| part.ends_with(".service"))?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "@._-".contains(c);
    (!unit.starts_with('-') && unit.chars().all(plain)).then(|| unit.to_owned())
}

fn parse_table(table: &str) -> Vec<u64> {
    let socket = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        (fields.get(TCP_STATE) == Some(&TCP_LISTEN))
            .then(|| fields.get(TCP_INODE)?.parse().ok())
            .flatten()
    };
    table.lines().skip(1).filter_map(socket).collect()
}

struct Stat {
    program: Vec<u8>,
    parent: u32,
    start: u64,
}

/// The name of the program stands in brackets and may hold brackets and blanks: it ends at the last one.
fn parse_stat(text: &[u8]) -> Option<Stat> {
    let open = text.iter().position(|byte| *byte == b'(')?;
    let close = text.iter().rposition(|byte| *byte == b')')?;
    let fields = str::from_utf8(text.get(close + 1..)?).ok()?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    if fields
        .first()
        .is_some_and(|state| ["Z", "X"].contains(state))
    {
        return None;
    }
    Some(Stat {
        program: text.get(open + 1..close)?.to_owned(),
        parent: fields.get(STAT_PARENT)?.parse().ok()?,
        start: fields.get(STAT_START)?.parse().ok()?,
    })
}

fn file(pid: u32, name: &str) -> PathBuf {
    Path::new(PROC).join(pid.to_string()).join(name)
}

const PROC: &str = "/proc";
/// Places in `/proc/<pid>/stat`, behind the name of the program.
const STAT_PARENT: usize = 1;
const STAT_START: usize = 19;
/// Places in `/proc/<pid>/net/tcp`.
const TCP_STATE: usize = 3;
const TCP_INODE: usize = 9;
/// `TCP_LISTEN` of the kernel.
const TCP_LISTEN: &str = "0A";

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn this_process_is_found_until_its_number_belongs_to_another() {
        let own = Process::now(std::process::id()).unwrap();
        assert!(own.is_alive());
        let other = Process {
            start: own.start + 1,
            ..own
        };
        assert!(!other.is_alive());
    }

    #[test]
    fn only_sockets_that_take_connections_are_listening() {
        let pid = std::process::id();
        let before = listening_sockets(pid);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let new: Vec<u64> = listening_sockets(pid)
            .difference(&before)
            .copied()
            .collect();
        assert_eq!(new.len(), 1, "{new:?}");
        drop((listener, client));
    }

    #[test]
    fn a_program_with_brackets_in_its_name_does_not_move_the_fields() {
        let zeros = "0 ".repeat(17);
        let text = format!("41 (a) R 1 () S 7 {zeros}4711 0 0\n");
        let stat = parse_stat(text.as_bytes()).unwrap();
        assert_eq!(
            (stat.parent, stat.start, stat.program.as_slice()),
            (7, 4711, &b"a) R 1 ("[..])
        );
    }
}
