//! `cargo xtask test`: everything that is checked before a change lands, in one command.
//!
//! The cheap checks come first, so that a slip is told within seconds. Nothing is skipped because something is missing:
//! what is missing is installed.

use std::fs;
use std::path::Path;
use std::process::Command;

use keyroster_testkit::{
    BIN_DIR_VARIABLE, Failure, POSTGRES_URL_VARIABLE, Postgres, Result, RootDir, UNPACKED_VARIABLE,
    require_root,
};

use crate::accounts::TestAccounts;
use crate::install::Tool;
use crate::package::trial::{self, Versions};
use crate::steps::Steps;
use crate::workspace::{Profile, Workspace};
use crate::{arrows, build, demo, files, install, package, shell, unpacked};

/// Runs every check; the first that fails ends the run.
pub fn run() -> Result {
    require_root()?;
    let workspace = Workspace::find()?;
    let mut steps = Steps::new();
    let outcome = all(&workspace, &mut steps);
    steps.summary();
    outcome
}

fn all(workspace: &Workspace, steps: &mut Steps) -> Result {
    steps.run("tools", || tools(workspace))?;
    steps.run("format", || {
        shell::run(workspace.cargo().args(["fmt", "--all", "--check"]))
    })?;
    steps.run("file lengths", || files::check_lengths(workspace))?;
    steps.run("shell scripts", || files::check_scripts(workspace))?;
    steps.run("dependency arrows", || arrows::check(workspace))?;
    steps.run("bans, licences, sources", || deny(workspace))?;
    steps.run("clippy", || clippy(workspace))?;
    steps.run("build", || build::everything(workspace))?;
    steps.run("lookup is small and static", || {
        small_and_static(&workspace.dist(Profile::Debug).join(LOOKUP))
    })?;
    steps.run("packages", || package::check::all(workspace))?;
    steps.run("tests", || tests(workspace))?;
    steps.run("documentation tests", || {
        shell::run(
            workspace
                .cargo()
                .args(["test", "--locked", "--workspace", "--doc", "--quiet"]),
        )
    })?;
    steps.run("demo", || demo::tell(workspace, demo::Options::default()))?;
    steps.run("documentation", || documentation(workspace))
}

fn tools(workspace: &Workspace) -> Result {
    let tools = [
        Tool::Ssh,
        Tool::Sshd,
        Tool::SshTests,
        Tool::Postgres,
        Tool::Systemd,
        Tool::Shellcheck,
        Tool::Ansible,
        Tool::CloudInit,
        Tool::Haproxy,
        Tool::Ip,
        Tool::Cc,
    ];
    install::packages(&tools)?;
    install::packages(&trial::tools())?;
    install::cargo_tool(workspace, "nextest", install::CARGO_NEXTEST)?;
    install::cargo_tool(workspace, "deny", install::CARGO_DENY)?;
    unpacked::prepare(workspace).map(drop)
}

fn deny(workspace: &Workspace) -> Result {
    let arguments = [
        "deny",
        "--log-level",
        "error",
        "check",
        "--hide-inclusion-graph",
        "bans",
        "licenses",
        "sources",
    ];
    shell::run(workspace.cargo().args(arguments))
}

fn clippy(workspace: &Workspace) -> Result {
    let arguments = [
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    shell::run(workspace.cargo().args(arguments))
}

/// One PostgreSQL for all test processes, the accounts that they log in to, packages to install, and the programs where all of those can run
/// them: a target directory may well lie below a home that nobody else can enter.
fn tests(workspace: &Workspace) -> Result {
    let postgres = Postgres::start()?;
    let _accounts = TestAccounts::prepare()?;
    let packages = Versions::checked(workspace)?;
    let mut command = workspace.cargo();
    command.args(["nextest", "run", "--locked", "--workspace"]);
    command.env(POSTGRES_URL_VARIABLE, postgres.url());
    let programs = RootDir::named("keyroster-programs")?;
    for program in build::PROGRAMS {
        programs.install_file(&workspace.dist(Profile::Debug).join(program))?;
    }
    command.env(BIN_DIR_VARIABLE, programs.path());
    command.envs(packages.variables());
    command.env(UNPACKED_VARIABLE, unpacked::prepare(workspace)?);
    shell::run(&mut command)
}

fn documentation(workspace: &Workspace) -> Result {
    let mut command = workspace.cargo();
    command
        .args(["doc", "--locked", "--workspace", "--no-deps", "--quiet"])
        .env("RUSTDOCFLAGS", "-D warnings");
    shell::run(&mut command)
}

fn small_and_static(lookup: &Path) -> Result {
    let bytes = fs::metadata(lookup)
        .map_err(|error| Failure::io("look at", lookup, &error))?
        .len();
    if bytes > LOOKUP_BYTES {
        return Err(Failure::new(format!(
            "\"{}\" has {bytes} bytes of {LOOKUP_BYTES} at most",
            lookup.display()
        )));
    }
    let headers = shell::output(Command::new("readelf").arg("-lW").arg(lookup))?;
    if headers.contains("INTERP") {
        return Err(Failure::new(format!(
            "\"{}\" needs a dynamic linker",
            lookup.display()
        )));
    }
    println!("{bytes} bytes of {LOOKUP_BYTES}, no interpreter");
    Ok(())
}

const LOOKUP: &str = "keyroster-lookup";
/// What lookup may take on disk: 1.5 MiB.
const LOOKUP_BYTES: u64 = 3 << 19;
