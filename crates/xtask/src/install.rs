//! Installing what a fresh machine lacks.
//!
//! Whatever is there already is left alone, and found by its program rather than by its package, so that other systems
//! than Debian work too once the programs are in place.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use keyroster_testkit::{Failure, Postgres, Result, SECURITY_KEY_PROVIDER, require_root};

use crate::shell;
use crate::workspace::Workspace;

/// A program that Debian packages.
#[derive(Debug, Clone, Copy)]
pub enum Tool {
    /// The client.
    Ssh,
    /// The server.
    Sshd,
    /// OpenSSH's own regression tests: among them a security key without hardware.
    SshTests,
    /// The database server.
    Postgres,
    /// Judges units, and the files for accounts and directories.
    Systemd,
    /// Checks shell scripts.
    Shellcheck,
    /// Counts instructions.
    Valgrind,
    /// The C compiler of the reference programs.
    Cc,
    /// Enrols hosts from one place.
    Ansible,
    /// Reads a new machine's user data.
    CloudInit,
    /// Stands before several key servers.
    Haproxy,
    /// Gives a test's own network its addresses.
    Ip,
    /// Reads and strips programs.
    Binutils,
    /// Renders manual pages.
    Man,
    /// Makes and judges RPM packages.
    Rpm,
    /// Makes roots of Debian's.
    Debootstrap,
    /// Judges Debian packages.
    Lintian,
    /// Judges RPM packages.
    Rpmlint,
    /// Boots roots.
    Nspawn,
    /// Makes Arch's packages.
    Makepkg,
    /// Evaluates Nix's expressions.
    Nix,
    /// Runs virtual machines.
    Qemu,
    /// Makes their disks.
    Ext4,
}

impl Tool {
    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Ssh => &["openssh-client"],
            Self::Sshd => &["openssh-server"],
            Self::SshTests => &["openssh-tests"],
            Self::Postgres => &["postgresql"],
            Self::Systemd => &["systemd"],
            Self::Shellcheck => &["shellcheck"],
            Self::Valgrind => &["valgrind"],
            // gcc only recommends what it links programs with.
            Self::Cc => &["gcc", "libc6-dev"],
            Self::Ansible => &["ansible-core"],
            Self::CloudInit => &["cloud-init"],
            Self::Haproxy => &["haproxy"],
            Self::Ip => &["iproute2"],
            Self::Binutils => &["binutils"],
            Self::Man => &["man-db"],
            Self::Rpm => &["rpm"],
            Self::Debootstrap => &["debootstrap"],
            Self::Lintian => &["lintian"],
            Self::Rpmlint => &["rpmlint"],
            Self::Nspawn => &["systemd-container"],
            Self::Makepkg => &["makepkg"],
            Self::Nix => &["nix-bin"],
            Self::Qemu => &["qemu-system-x86"],
            Self::Ext4 => &["e2fsprogs"],
        }
    }

    fn is_there(self) -> bool {
        match self {
            Self::Ssh => in_path("ssh") && in_path("ssh-keygen"),
            Self::Sshd => Path::new("/usr/sbin/sshd").exists(),
            Self::SshTests => Path::new(SECURITY_KEY_PROVIDER).exists(),
            Self::Postgres => Postgres::is_installed(),
            Self::Systemd => in_path("systemd-analyze") && in_path("systemd-sysusers"),
            Self::Shellcheck => in_path("shellcheck"),
            Self::Valgrind => in_path("valgrind"),
            Self::Cc => in_path("cc") && Path::new("/usr/include/stdio.h").exists(),
            Self::Ansible => in_path("ansible-playbook"),
            Self::CloudInit => in_path("cloud-init"),
            Self::Haproxy => Path::new("/usr/sbin/haproxy").exists(),
            Self::Ip => in_path("ip"),
            Self::Binutils => in_path("strip") && in_path("objdump"),
            Self::Man => in_path("man"),
            Self::Rpm => in_path("rpmbuild"),
            Self::Debootstrap => in_path("debootstrap"),
            Self::Lintian => in_path("lintian"),
            Self::Rpmlint => in_path("rpmlint"),
            Self::Nspawn => in_path("systemd-nspawn"),
            Self::Makepkg => in_path("makepkg"),
            Self::Nix => in_path("nix-instantiate"),
            Self::Qemu => in_path("qemu-system-x86_64"),
            Self::Ext4 => Path::new("/usr/sbin/mkfs.ext4").exists(),
        }
    }
}

/// Installs the packages of those tools that are missing.
pub fn packages(tools: &[Tool]) -> Result {
    let missing: Vec<&str> = tools
        .iter()
        .filter(|tool| !tool.is_there())
        .flat_map(|tool| tool.packages().iter().copied())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !in_path("apt-get") {
        return Err(Failure::new(format!(
            "missing: {}\nhint: install what provides them",
            missing.join(", ")
        )));
    }
    require_root()?;
    println!("installing {}", missing.join(", "));
    let _no_services = NoServices::begin()?;
    shell::run(apt().args(["update", "-qq"]))?;
    shell::run(
        apt()
            .args(["install", "-y", "-qq", "--no-install-recommends"])
            .args(&missing),
    )
}

/// Installs a cargo subcommand at this version unless some version of it is there.
pub fn cargo_tool(workspace: &Workspace, name: &str, version: &str) -> Result {
    if shell::succeeds(workspace.cargo().args([name, "--version"])) {
        return Ok(());
    }
    println!("installing cargo-{name} {version}");
    let mut command = workspace.cargo();
    command.args([
        "install",
        "--locked",
        &format!("cargo-{name}"),
        "--version",
        version,
    ]);
    // It runs for a second and compiles for minutes: optimising it is not worth its while.
    command
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_RELEASE_LTO", "off");
    command
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0");
    shell::run(&mut command)
}

/// While it lives, no package that is installed starts its service: the tests start their own, on their own ports.
struct NoServices {
    own: bool,
}

impl NoServices {
    fn begin() -> Result<Self> {
        let path = Path::new(POLICY);
        if path.exists() {
            return Ok(Self { own: false });
        }
        fs::write(path, "#!/bin/sh\nexit 101\n")
            .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o755)))
            .map_err(|error| Failure::io("write", path, &error))?;
        Ok(Self { own: true })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.own {
            let _ = fs::remove_file(POLICY);
        }
    }
}

/// apt-get, asking nothing.
pub fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["-o", "Dpkg::Use-Pty=0"]);
    command
}

fn in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// Debian's maintainer scripts ask it before they start a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";
/// The versions that are installed when there is none.
pub const CARGO_DENY: &str = "0.20.2";
/// The same for the test runner.
pub const CARGO_NEXTEST: &str = "0.9.143";
