//! A root that is booted: its own systemd, its own sshd, its own package manager.
//!
//! `systemd-nspawn --boot` and not chroot, because half of what packages do is done through systemd: units are enabled,
//! sshd is reloaded, accounts are made by sysusers. The machine outside needs no systemd that runs. What a root starts
//! ends with it, since all of it lives in the root's own process namespace.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use keyroster_testkit::{Failure, Finished, Program, Result, Running, until};

use crate::base;
use crate::control_groups::ControlGroups;
use crate::release::System;

/// A booted root. Dropped, it is shut down and removed.
#[derive(Debug)]
pub struct Root {
    system: System,
    machine: Option<Running>,
    leader: u32,
    groups: ControlGroups,
    dir: Dir,
}

/// Whether the root sees the machine's loopback or one of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// The machine's: servers outside are reached, and ports must not collide.
    Shared,
    /// A loopback of its own and nothing else.
    Own,
}

/// Whether a root is there afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Afterwards {
    /// It is removed.
    Remove,
    /// It stays, to be looked into.
    Keep,
}

impl Root {
    /// Unpacks a root below `store`; it is not booted yet.
    pub fn unpack(store: &Path, system: System, afterwards: Afterwards) -> Result<Self> {
        let tarball = base::tarball(store, system)?;
        let dir = Dir::new(store, system, afterwards)?;
        base::unpack(&tarball, &dir.path)?;
        let name = dir.path.file_name().unwrap_or_default();
        let root = Self {
            system,
            machine: None,
            leader: 0,
            groups: ControlGroups::new(&name.to_string_lossy())?,
            dir,
        };
        // debootstrap gives it the name of the machine outside.
        root.write("/etc/hostname", HOST_NAME, 0o644)?;
        Ok(root)
    }

    /// Boots it, and waits until its sshd runs.
    pub fn boot(&mut self, network: Network) -> Result {
        let mut machine = nspawn(&self.dir.path, &self.groups, network).spawn()?;
        let up = until("a root to boot", BOOT_LIMIT, || {
            still_runs(&mut machine)?;
            // nspawn's first child of all only makes the namespaces, and then the one that is meant.
            self.leader = first_child(machine.pid()).unwrap_or_default();
            let asked = self.run(&["systemctl", "is-active", "--quiet", "ssh.service"])?;
            Ok(asked.status.success().then_some(()))
        });
        let said = machine.output();
        self.machine = Some(machine);
        up.map_err(|failure| Failure::new(format!("{failure}\n{said}\n{}", self.journal())))
    }

    /// Shuts it down and boots it again.
    pub fn reboot(&mut self) -> Result {
        if let Some(mut machine) = self.machine.take() {
            machine.terminate()?;
        }
        self.boot(Network::Shared)
    }

    /// What is in it.
    pub fn system(&self) -> System {
        self.system
    }

    /// Where a path of the root's lies outside. Not below `/run` and `/tmp`: those it mounts for itself.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.dir.path.join(inside.trim_start_matches('/'))
    }

    /// Runs a program inside, as root.
    pub fn run(&self, arguments: &[&str]) -> Result<Finished> {
        self.enter().args(arguments).finish_within(RUN_LIMIT)
    }

    /// Runs a program inside that must succeed; what it printed.
    pub fn must(&self, arguments: &[&str]) -> Result<String> {
        let what = format!("{}: `{}`", self.system, arguments.join(" "));
        self.run(arguments)?.success(&what)
    }

    /// Runs a shell script inside, with this on its standard input, as a person would who is logged in as root.
    pub fn shell(&self, script: &str, input: &str) -> Result<Finished> {
        let file = self.path(INPUT);
        fs::write(&file, input).map_err(|error| Failure::io("write", &file, &error))?;
        let script = format!("cd /root && exec <{INPUT}\n{script}");
        self.run(&["bash", "-e", "-c", &script])
    }

    /// Starts a shell script inside, without input, and goes on.
    pub fn begin(&self, script: &str) -> Result<Running> {
        self.enter().args(["bash", "-e", "-c", script]).spawn()
    }

    /// Writes a file of root's.
    pub fn write(&self, inside: &str, text: &str, mode: u32) -> Result {
        let path = self.path(inside);
        fs::write(&path, text)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode)))
            .map_err(|error| Failure::io("write", &path, &error))
    }

    /// Reads a file of the root's.
    pub fn read(&self, inside: &str) -> Result<String> {
        let path = self.path(inside);
        fs::read_to_string(&path).map_err(|error| Failure::io("read", &path, &error))
    }

    /// Copies a file into the root's `/root`, and returns its path there.
    pub fn bring(&self, file: &Path) -> Result<String> {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let inside = format!("/root/{name}");
        fs::copy(file, self.path(&inside)).map_err(|error| Failure::io("copy", file, &error))?;
        Ok(inside)
    }

    /// What the root's journal says last, to go with a failure.
    pub fn journal(&self) -> String {
        let asked = self.run(&["journalctl", "--no-pager", "--lines=60", "--output=short"]);
        asked.map(|done| done.stdout).unwrap_or_default()
    }

    fn enter(&self) -> Program {
        Program::at(Path::new("/usr/bin/nsenter"))
            .args(["--mount", "--uts", "--ipc", "--net", "--pid", "--root"])
            .arg("--wd")
            .arg(format!("--target={}", self.leader))
            .arg("--")
            .arg("/usr/bin/env")
            .args(["HOME=/root", "USER=root", "DEBIAN_FRONTEND=noninteractive"])
    }
}

/// Its systemd stops its services first, as at the end of any machine.
impl Drop for Root {
    fn drop(&mut self) {
        if let Some(mut machine) = self.machine.take() {
            let _ = machine.terminate();
        }
    }
}

/// The directory of one root.
#[derive(Debug)]
struct Dir {
    path: PathBuf,
    afterwards: Afterwards,
}

impl Dir {
    fn new(store: &Path, system: System, afterwards: Afterwards) -> Result<Self> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("root-{system}-{}-{number}", std::process::id());
        let path = store.join(name);
        fs::create_dir(&path).map_err(|error| Failure::io("make directory", &path, &error))?;
        Ok(Self { path, afterwards })
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        if self.afterwards == Afterwards::Remove {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Through `setpriv`, so that a root ends even when whoever started it is killed, and through a shell that enters the control groups.
fn nspawn(dir: &Path, groups: &ControlGroups, network: Network) -> Program {
    let program = Program::at(Path::new("/usr/bin/setpriv"))
        .args(["--pdeathsig", "TERM", "--", "/bin/sh", "-ec", ENTER, "sh"])
        .args(groups.doors())
        .args(["--", "/usr/bin/systemd-nspawn"])
        .args(["--boot", "--quiet", "--register=no", "--keep-unit"])
        .args(["--console=pipe", "--resolv-conf=off", "--timezone=off"])
        .arg("--link-journal=no")
        .arg(format!("--directory={}", dir.display()))
        .own_group();
    match network {
        Network::Shared => program,
        Network::Own => program.arg("--private-network"),
    }
}

fn still_runs(machine: &mut Running) -> Result {
    if machine.is_running() {
        return Ok(());
    }
    let said = machine.output();
    Err(Failure::new(format!(
        "a root ended while it booted: {said}"
    )))
}

/// The root's own first process, which is nspawn's only child once there is a root.
fn first_child(parent: u32) -> Option<u32> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let children = fs::read_to_string(&path).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

/// Without a process of the shell's own beside it, which would look like the root's first.
const ENTER: &str = "\
while [ \"$1\" != -- ]; do
    echo $$ >\"$1\"
    shift
done
shift
exec \"$@\"
";
static NEXT: AtomicU32 = AtomicU32::new(0);
const HOST_NAME: &str = "web-1\n";
/// What scripts read, out of the way of the commands' own files.
const INPUT: &str = "/root/.input";
/// The longest that a root may take to boot, on a machine that is busy.
const BOOT_LIMIT: Duration = Duration::from_secs(90);
/// The longest that one command inside may take: the longest of them installs packages.
const RUN_LIMIT: Duration = Duration::from_secs(240);
