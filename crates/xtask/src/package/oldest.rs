//! Release programs, built in a root of the oldest Debian that they are to run on.
//!
//! A program that is linked against one glibc runs with every later one and with no earlier one. So the C compiler, the linker and the
//! C library are Debian 11's, in a root of its own below the target directory; Rust comes from this machine, mounted
//! into it. Every path in there is the same on every machine, and so are the bytes that come out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use keyroster_testkit::{Failure, Result, require_root};

use super::Facts;
use super::facts::EPOCH_VARIABLE;
use crate::build;
use crate::install::{self, Tool};
use crate::shell;
use crate::workspace::{Profile, Workspace};

/// Builds the programs and gathers them where those of the release profile are.
pub fn programs(workspace: &Workspace, facts: &Facts) -> Result {
    require_root()?;
    install::packages(&[Tool::Debootstrap])?;
    let oldest = Oldest {
        workspace,
        epoch: facts.epoch,
        root: workspace.target.join(SUITE).join("root"),
        target: workspace.target.join(SUITE).join("target"),
    };
    oldest.bootstrap()?;
    shell::run(workspace.cargo().args(["fetch", "--locked"]))?;
    let packages = build::DYNAMIC.map(|(package, _)| package);
    oldest.cargo(&packages, "", &[])?;
    let own = ["--target", &build::host_triple()?, "--target-dir", STATIC];
    oldest.cargo(&["keyroster-lookup"], build::LOOKUP_RUSTFLAGS, &own)?;
    build::gather(workspace, &oldest.target, Profile::Release)
}

struct Oldest<'a> {
    workspace: &'a Workspace,
    epoch: u64,
    root: PathBuf,
    target: PathBuf,
}

impl Oldest<'_> {
    /// Once: the root is kept, as compiled libraries are.
    fn bootstrap(&self) -> Result {
        let done = self.root.join("build/done");
        if done.exists() {
            return Ok(());
        }
        println!("making a root of Debian's {SUITE}");
        if self.root.exists() {
            fs::remove_dir_all(&self.root)
                .map_err(|error| Failure::io("remove", &self.root, &error))?;
        }
        let mut debootstrap = Command::new("debootstrap");
        debootstrap.args(["--variant=minbase", "--include=gcc,libc6-dev", SUITE]);
        shell::output(debootstrap.arg(&self.root))?;
        for directory in MOUNTS {
            make_directory(&self.root.join("build").join(directory))?;
        }
        fs::write(&done, "").map_err(|error| Failure::io("write", &done, &error))
    }

    /// cargo, in there, without a network and without anything of this machine's environment.
    fn cargo(&self, packages: &[&str], flags: &str, more: &[&str]) -> Result {
        make_directory(&self.target)?;
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "/bin/sh", "-euc"]);
        command.arg(INSIDE).arg("sh").arg(&self.root);
        command.arg(&self.workspace.root).arg(&self.target);
        command.arg(cargo_home()?).arg(toolchain()?);
        command.env_clear().env("PATH", SYSTEM_PATH);
        command
            .env("CARGO_HOME", "/build/cargo")
            .env("CARGO_TARGET_DIR", "/build/target")
            .env("CARGO_NET_OFFLINE", "true")
            .env("HOME", "/root")
            .env("LC_ALL", "C")
            .env("RUSTFLAGS", format!("{REMAPPED} {flags}"))
            .env(EPOCH_VARIABLE, self.epoch.to_string());
        command.args(["build", "--locked", "--release"]).args(more);
        for package in packages {
            command.args(["--package", package]);
        }
        shell::run(&mut command)
    }
}

fn make_directory(path: &Path) -> Result {
    fs::create_dir_all(path).map_err(|error| Failure::io("make directory", path, &error))
}

fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = std::env::var_os("HOME").ok_or_else(|| Failure::new("no home directory is set"))?;
    Ok(PathBuf::from(home).join(".cargo"))
}

fn toolchain() -> Result<String> {
    let said = shell::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    Ok(said.trim_end().to_owned())
}

/// The mounts end with the namespace, and so with the build, however it ends.
const INSIDE: &str = "\
root=$1
mount --bind \"$2\" \"$root/build/src\"
mount -o remount,ro,bind \"$root/build/src\"
mount --bind \"$3\" \"$root/build/target\"
mount --bind \"$4\" \"$root/build/cargo\"
mount --bind \"$5\" \"$root/build/rust\"
mount -t proc proc \"$root/proc\"
shift 5
export PATH=/build/rust/bin:$PATH
exec chroot \"$root\" /bin/sh -euc 'cd /build/src; exec cargo \"$@\"' sh \"$@\"
";
/// Where lookup is built: a directory of its own, as outside.
const STATIC: &str = "/build/target/static";
const MOUNTS: [&str; 4] = ["src", "target", "cargo", "rust"];
const SYSTEM_PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// What stands in messages of a panic: no more of this machine than of any other.
const REMAPPED: &str =
    "--remap-path-prefix=/build/cargo=/cargo --remap-path-prefix=/build/src=/keyroster";
/// Debian 11, with glibc 2.31.
const SUITE: &str = "bullseye";
