//! Which processes belong to a session.
//!
//! Three ways, of which a record has the best that its host offers, chosen when the session is opened and the processes are few:
//!
//! - the *audit session* that `pam_loginuid` opens: a number that every process inherits, that none can change without privilege,
//!   and that is never used twice before the next boot. What daemonised itself is found by it;
//! - the *scope* that systemd-logind makes: everything that was started below it, in one control group;
//! - *descent* from sshd's process, where there is neither: what has detached itself from its parents is not found.
//!
//! A number or a scope that sshd's listener has as well says nothing about the session: that is an sshd which somebody
//! started by hand in a session of their own.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use crate::process::{Process, Processes};

/// How a session's processes are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Membership {
    /// They are in this audit session.
    AuditSession(u32),
    /// They are in this control group.
    Scope(Scope),
    /// They descend from sshd's process.
    Descent,
}

/// The path of a control group that systemd-logind made for a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope(String);

impl Membership {
    /// The best that tells the session of `monitor` apart from what its parent is in.
    pub(crate) fn of(processes: &Processes, monitor: u32, parent: u32) -> Self {
        let audit = processes.audit_session(monitor);
        if let Some(session) = audit.filter(|_| audit != processes.audit_session(parent)) {
            return Self::AuditSession(session);
        }
        let group = processes.control_group(monitor);
        let apart = group != processes.control_group(parent);
        match group.as_deref().and_then(Scope::parse) {
            Some(scope) if apart => Self::Scope(scope),
            _ => Self::Descent,
        }
    }
}

impl Scope {
    /// Takes a path whose last part is a session's scope.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let name = path.rsplit('/').next()?;
        let id = name.strip_prefix("session-")?.strip_suffix(".scope")?;
        let plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let inside = path.starts_with('/')
            && path.len() <= SCOPE_MAX
            && path.split('/').all(|part| part != ".." && part != ".")
            && path.bytes().all(|byte| byte.is_ascii_graphic());
        (plain && inside).then(|| Self(path.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Its directories: one for each place where control groups of its kind are mounted.
    pub(crate) fn dirs(&self) -> impl Iterator<Item = PathBuf> {
        HIERARCHIES
            .iter()
            .map(|root| PathBuf::from(format!("{root}{}", self.0)))
    }
}

/// What one look showed.
#[derive(Debug)]
pub(crate) struct Look {
    /// The session's processes.
    pub(crate) found: Vec<Process>,
    /// Whether each process was still there that was there when the look began: one that was gone may have been the session's, and
    /// have started another that was not seen.
    pub(crate) is_whole: bool,
}

/// The processes of one session, followed from look to look: what descends from a process is found after that has ended.
#[derive(Debug)]
pub(crate) struct Members<'a> {
    processes: &'a Processes,
    membership: &'a Membership,
    seen: BTreeSet<Process>,
    /// Those that were found dead: they start nothing any more.
    zombies: BTreeSet<Process>,
}

impl<'a> Members<'a> {
    /// Those of the session that `monitor` holds.
    pub(crate) fn new(
        processes: &'a Processes,
        membership: &'a Membership,
        monitor: Process,
    ) -> Self {
        Self {
            processes,
            membership,
            seen: BTreeSet::from([monitor]),
            zombies: BTreeSet::new(),
        }
    }

    /// Those that run now. Never the first process, and never this one.
    pub(crate) fn look(&mut self) -> io::Result<Look> {
        let mut candidates = Vec::new();
        let mut is_whole = true;
        for pid in self.processes.all()? {
            if pid == INIT || pid == std::process::id() {
                continue;
            }
            let Some(stat) = self.processes.stat(pid)? else {
                is_whole = false;
                continue;
            };
            let process = Process {
                pid,
                start: stat.start,
            };
            if stat.is_zombie {
                is_whole &= !self.zombies.insert(process);
                continue;
            }
            candidates.push((process, stat.parent));
        }
        let found = match self.membership {
            Membership::AuditSession(session) => candidates
                .into_iter()
                .map(|(process, _)| process)
                .filter(|process| self.processes.audit_session(process.pid) == Some(*session))
                .collect(),
            Membership::Scope(scope) => candidates
                .into_iter()
                .map(|(process, _)| process)
                .filter(|process| self.is_in(scope, process.pid))
                .collect(),
            Membership::Descent => self.descendants(&candidates),
        };
        Ok(Look { found, is_whole })
    }

    fn is_in(&self, scope: &Scope, pid: u32) -> bool {
        self.processes
            .control_group(pid)
            .and_then(|group| {
                let below = group.strip_prefix(scope.as_str())?;
                Some(below.is_empty() || below.starts_with('/'))
            })
            .unwrap_or(false)
    }

    /// A parent that was seen before and has ended since has no children any more; those were seen in time or are lost.
    fn descendants(&mut self, candidates: &[(Process, u32)]) -> Vec<Process> {
        loop {
            let family: BTreeSet<u32> = candidates
                .iter()
                .filter(|(process, _)| self.seen.contains(process))
                .map(|(process, _)| process.pid)
                .collect();
            let before = self.seen.len();
            let children = candidates
                .iter()
                .filter(|(_, parent)| family.contains(parent));
            self.seen.extend(children.map(|(process, _)| *process));
            if self.seen.len() == before {
                break;
            }
        }
        candidates
            .iter()
            .map(|(process, _)| *process)
            .filter(|process| self.seen.contains(process))
            .collect()
    }
}

/// The first process of the system.
const INIT: u32 = 1;
/// Longest path of a control group, in bytes: the kernel's own limit.
const SCOPE_MAX: usize = 4096;
/// Where control groups are mounted: alone, beside older hierarchies, and systemd's older one.
const HIERARCHIES: [&str; 3] = [
    "/sys/fs/cgroup",
    "/sys/fs/cgroup/unified",
    "/sys/fs/cgroup/systemd",
];

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    struct Table(TempDir);

    impl Table {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn processes(&self) -> Processes {
            Processes::at(self.0.path())
        }

        fn put(&self, pid: u32, parent: u32, state: &str) -> Process {
            let dir = self.0.path().join(pid.to_string());
            fs::create_dir_all(&dir).unwrap();
            let zeros = "0 ".repeat(17);
            let start = 100 + u64::from(pid);
            let text = format!("{pid} (x) {state} {parent} {zeros}{start} 0");
            fs::write(dir.join("stat"), text).unwrap();
            Process { pid, start }
        }

        fn tell(&self, pid: u32, file: &str, text: &str) {
            fs::write(self.0.path().join(pid.to_string()).join(file), text).unwrap();
        }

        fn end(&self, pid: u32) {
            fs::remove_dir_all(self.0.path().join(pid.to_string())).unwrap();
        }

        fn look(&self, membership: &Membership, monitor: Process) -> Vec<u32> {
            let processes = self.processes();
            let mut members = Members::new(&processes, membership, monitor);
            pids(&mut members)
        }
    }

    fn pids(members: &mut Members<'_>) -> Vec<u32> {
        let mut pids: Vec<u32> = members
            .look()
            .unwrap()
            .found
            .iter()
            .map(|process| process.pid)
            .collect();
        pids.sort_unstable();
        pids
    }

    #[test]
    fn an_audit_session_holds_what_has_detached_itself_and_nobody_elses() {
        let table = Table::new();
        let monitor = table.put(10, 5, "S");
        for (pid, parent, session) in [
            (11, 10, "8"),
            (12, 1, "8\n"),
            (13, 10, "9"),
            (14, 10, "4294967295"),
        ] {
            table.put(pid, parent, "S");
            table.tell(pid, "sessionid", session);
        }
        table.tell(10, "sessionid", "8");
        assert_eq!(
            table.look(&Membership::AuditSession(8), monitor),
            [10, 11, 12]
        );
    }

    #[test]
    fn a_scope_holds_what_is_in_it_and_below_it() {
        let table = Table::new();
        let monitor = table.put(10, 5, "S");
        let scope = Scope::parse("/user.slice/session-5.scope").unwrap();
        for (pid, group) in [
            (10, "/user.slice/session-5.scope"),
            (11, "/user.slice/session-5.scope/inner"),
            (12, "/user.slice/session-55.scope"),
            (13, "/user.slice"),
        ] {
            table.put(pid, 1, "S");
            table.tell(pid, "cgroup", &format!("0::{group}\n"));
        }
        assert_eq!(table.look(&Membership::Scope(scope), monitor), [10, 11]);
    }

    #[test]
    fn descent_follows_children_after_their_parents_have_ended() {
        let table = Table::new();
        let monitor = table.put(10, 5, "S");
        for (pid, parent) in [(11, 10), (12, 11), (13, 5), (14, 13)] {
            table.put(pid, parent, "S");
        }
        let processes = table.processes();
        let mut members = Members::new(&processes, &Membership::Descent, monitor);
        assert_eq!(pids(&mut members), [10, 11, 12]);
        table.end(10);
        table.end(11);
        table.put(12, 1, "S");
        table.put(15, 12, "S");
        table.put(16, 1, "S");
        assert_eq!(pids(&mut members), [12, 15]);
    }

    #[test]
    fn the_monitors_number_in_another_process_is_no_ancestor() {
        let table = Table::new();
        let monitor = table.put(10, 5, "S");
        table.put(11, 10, "S");
        let earlier = Process {
            start: monitor.start - 1,
            ..monitor
        };
        assert_eq!(table.look(&Membership::Descent, earlier), [0_u32; 0]);
    }

    #[test]
    fn zombies_the_first_process_and_this_one_are_never_members() {
        let table = Table::new();
        let monitor = table.put(10, 5, "Z");
        for pid in [1, std::process::id(), 12] {
            table.put(pid, 10, "S");
            table.tell(pid, "sessionid", "8");
        }
        assert_eq!(table.look(&Membership::AuditSession(8), monitor), [12]);
    }

    #[test]
    fn what_the_listener_has_as_well_tells_no_session_apart() {
        let table = Table::new();
        table.put(10, 5, "S");
        table.put(5, 1, "S");
        let of = |audit: [&str; 2], group: [&str; 2]| {
            for (pid, audit, group) in [(10, audit[0], group[0]), (5, audit[1], group[1])] {
                table.tell(pid, "sessionid", audit);
                table.tell(pid, "cgroup", &format!("0::{group}\n"));
            }
            Membership::of(&table.processes(), 10, 5)
        };
        let none = "4294967295";
        let (scope, service) = ("/u/session-5.scope", "/s/ssh.service");
        let in_scope = Membership::Scope(Scope::parse(scope).unwrap());
        assert_eq!(
            of(["8", none], [scope, service]),
            Membership::AuditSession(8)
        );
        assert_eq!(
            of(["8", "7"], [service, service]),
            Membership::AuditSession(8)
        );
        assert_eq!(of(["7", "7"], [scope, service]), in_scope);
        assert_eq!(of([none, none], [scope, service]), in_scope);
        assert_eq!(of(["7", "7"], [scope, scope]), Membership::Descent);
        assert_eq!(of([none, none], [service, service]), Membership::Descent);
    }

    #[test]
    fn only_a_sessions_scope_is_one() {
        for path in [
            "/user.slice/user-1000.slice/session-5.scope",
            "/session-c12.scope",
        ] {
            assert!(Scope::parse(path).is_some(), "{path}");
        }
        for path in [
            "/user.slice",
            "/system.slice/ssh.service",
            "/session-.scope",
            "session-5.scope",
            "/a/../session-5.scope",
            "/session-5.scope/x",
            "/session-5/6.scope",
            "/a b/session-5.scope",
            "/session-5.scope\n",
            "",
        ] {
            assert!(Scope::parse(path).is_none(), "{path}");
        }
    }
}
