//! `cargo xtask build`: every program, gathered in `target/dist/`.
//!
//! lookup is built apart from the rest: statically, always for release, and in a target directory of its own, because
//! its compiler flags would otherwise throw away everything else that was compiled.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use keyroster_testkit::{Failure, Result};

use crate::shell;
use crate::workspace::{Profile, Workspace};

/// Builds and gathers everything.
pub fn run(profile: Profile) -> Result {
    let workspace = Workspace::find()?;
    programs(&workspace, profile)?;
    println!("{}", workspace.dist(profile).display());
    Ok(())
}

/// Builds the programs alone, as they are shipped.
pub fn programs(workspace: &Workspace, profile: Profile) -> Result {
    let mut command = workspace.cargo();
    command.args(["build", "--locked"]);
    for (package, _) in DYNAMIC {
        command.args(["--package", package]);
    }
    if profile == Profile::Release {
        command.arg("--release");
    }
    shell::run(&mut command)?;
    lookup(workspace)?;
    gather(workspace, &workspace.target, profile)
}

/// Builds everything that a test may need with the features that the tests are built with, so that nothing is compiled
/// twice, and gathers the programs.
pub fn everything(workspace: &Workspace) -> Result {
    shell::run(
        workspace
            .cargo()
            .args(["build", "--locked", "--workspace", "--all-targets"]),
    )?;
    lookup(workspace)?;
    gather(workspace, &workspace.target, Profile::Debug)
}

fn lookup(workspace: &Workspace) -> Result {
    let mut command = workspace.cargo();
    command.args([
        "build",
        "--locked",
        "--release",
        "--package",
        "keyroster-lookup",
        "--target",
        &host_triple()?,
    ]);
    command
        .arg("--target-dir")
        .arg(workspace.target.join(STATIC_DIR));
    command.env("RUSTFLAGS", LOOKUP_RUSTFLAGS);
    shell::run(&mut command)
}

/// Takes the programs out of a target directory.
pub fn gather(workspace: &Workspace, built: &Path, profile: Profile) -> Result {
    let dist = workspace.dist(profile);
    fs::create_dir_all(&dist).map_err(|error| Failure::io("make directory", &dist, &error))?;
    for (_, program) in DYNAMIC {
        copy(
            &built.join(profile.dir()).join(program),
            &dist.join(program),
        )?;
    }
    let lookup = built
        .join(STATIC_DIR)
        .join(host_triple()?)
        .join("release/keyroster-lookup");
    copy(&lookup, &dist.join("keyroster-lookup"))
}

/// Through a second name: a program that is running can be replaced, but not written to.
fn copy(from: &Path, to: &Path) -> Result {
    let partial = to.with_extension("new");
    fs::copy(from, &partial).map_err(|error| Failure::io("copy", from, &error))?;
    fs::set_permissions(&partial, fs::Permissions::from_mode(0o755))
        .and_then(|()| fs::rename(&partial, to))
        .map_err(|error| Failure::io("replace", to, &error))
}

/// What rustc builds for unless told.
pub fn host_triple() -> Result<String> {
    let said = shell::output(std::process::Command::new("rustc").arg("-vV"))?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| Failure::new("`rustc -vV` names no host"))
}

/// Every program that there is.
pub const PROGRAMS: [&str; 5] = [
    "keyroster",
    "keyroster-server",
    "keyroster-agent",
    "keyroster-lookup",
    "keyroster-sessions",
];

/// Package and program of each that links the system's libc.
pub const DYNAMIC: [(&str, &str); 4] = [
    ("keyroster-server", "keyroster-server"),
    ("keyroster-agent", "keyroster-agent"),
    ("keyroster-sessions", "keyroster-sessions"),
    ("keyroster-cli", "keyroster"),
];
/// Static: a dynamic program costs half again as much for each call, and sshd makes two calls for each login.
pub const LOOKUP_RUSTFLAGS: &str = "-C target-feature=+crt-static";
const STATIC_DIR: &str = "static";
