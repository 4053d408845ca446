//! A root directory of its own, laid over the machine's, in which packages are present that the machine does not have.
//!
//! Programs in an annex see the machine's files, and the unpacked packages on top; what they write goes to memory. `/run` is empty but
//! for the directories that are shown there, and the network is the machine's, so that a client outside reaches an sshd inside.
//! Everything in it ends with it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crate::process::finish;
use crate::{Failure, Finished, Program, Result, RootDir, Running, until};

/// Names the directory with the unpacked packages.
pub const UNPACKED_VARIABLE: &str = "KEYROSTER_UNPACKED";

/// A handle to an annex; the annex ends with the last one.
#[derive(Clone, Debug)]
pub struct Annex(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    holder: Child,
    /// Of the first process inside, whose end is the end of all of them.
    first: String,
    dir: RootDir,
}

impl Annex {
    /// Opens one over the unpacked packages.
    pub fn open() -> Result<Self> {
        let unpacked = unpacked()?;
        let dir = RootDir::named("keyroster-annex")?;
        let place = dir.dir("place", 0o755)?;
        let ready = dir.path().join("ready");
        let mut holder = Command::new("unshare")
            .args([
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "sh",
                "-euc",
                SCRIPT,
            ])
            .args([
                OsStr::new("sh"),
                place.as_os_str(),
                unpacked.as_os_str(),
                ready.as_os_str(),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| Failure::new(format!("cannot run unshare: {error}")))?;
        let first = until("an annex to open", OPEN_LIMIT, || {
            if let Ok(Some(status)) = holder.try_wait() {
                return Err(Failure::new(format!("the annex ended with {status}")));
            }
            let said = fs::read_to_string(&ready).unwrap_or_default();
            Ok(said.strip_suffix('\n').map(str::to_owned))
        })?;
        Ok(Self(Arc::new(Inner { holder, first, dir })))
    }

    /// Shows a directory of the machine in the same place inside.
    pub fn show(&self, dir: &Path) -> Result {
        let mut command = self.enter(&["--mount", "--"]);
        let place = self.0.dir.path().join("place/root");
        command
            .args([
                "sh",
                "-euc",
                "mkdir -p \"$1$2\" && mount --bind \"$2\" \"$1$2\"",
                "sh",
            ])
            .args([place.as_path(), dir]);
        finish(&mut command, TOOL_LIMIT)?
            .success("mount --bind")
            .map(drop)
    }

    /// A program inside, to be run to its end or to be started.
    pub fn program(&self, path: &str) -> Program {
        Program::at(Path::new("/usr/bin/nsenter"))
            .args(["--target", &self.0.first])
            .args(INSIDE)
            .arg(path)
    }

    /// The same as a plain command.
    pub fn command(&self, path: &str) -> Command {
        let mut command = self.enter(&INSIDE);
        command.arg(path);
        command
    }

    /// Runs a program inside to its end, however that is.
    pub fn run(&self, path: &str, arguments: &[&str]) -> Result<Finished> {
        self.program(path)
            .args(arguments)
            .finish_within(SCRIPT_LIMIT)
    }

    /// Runs a shell's script inside, which must succeed; returns what it printed.
    pub fn shell(&self, script: &str) -> Result<String> {
        self.program("/bin/sh")
            .args(["-euc", script])
            .finish_within(SCRIPT_LIMIT)?
            .success(script)
    }

    /// Writes a file inside, root's and of this mode.
    pub fn file(&self, path: &str, contents: &str, mode: u32) -> Result {
        let from = RootDir::named("keyroster-annex-file")?;
        self.show(from.path())?;
        let file = from.file("contents", contents, 0o600)?;
        let script = format!(
            "mkdir -p \"$(dirname '{path}')\"\ninstall -m {mode:o} '{}' '{path}'\numount '{}'",
            file.display(),
            from.path().display()
        );
        self.shell(&script).map(drop)
    }

    /// Starts a service inside.
    pub fn start(&self, path: &str, arguments: &[&str]) -> Result<Running> {
        self.program(path).args(arguments).spawn()
    }

    fn enter(&self, what: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.0.first]).args(what);
        command
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn unpacked() -> Result<PathBuf> {
    let dir = match std::env::var_os(UNPACKED_VARIABLE) {
        Some(dir) => PathBuf::from(dir),
        None => target_dir()?.join("unpacked/root"),
    };
    if dir.is_dir() {
        return Ok(dir);
    }
    Err(Failure::new(format!(
        "no unpacked packages in \"{}\"\nhint: `cargo xtask unpack`, then {UNPACKED_VARIABLE}=<target>/unpacked/root",
        dir.display()
    )))
}

/// The target directory that this test runs in: its program lies in `<target>/<profile>/deps`.
fn target_dir() -> Result<PathBuf> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::new(format!("cannot tell where this test is: {error}")))?;
    program
        .ancestors()
        .nth(3)
        .map(Path::to_owned)
        .ok_or_else(|| Failure::new("this test lies in no target directory"))
}

/// `$1`: where to build it; `$2`: the unpacked packages; `$3`: the file that says who the first process is, in the machine's numbers.
const SCRIPT: &str = r#"
mount -t tmpfs -o mode=755 none "$1"
mkdir -m 755 "$1/upper" "$1/work" "$1/root"
# A copy: one layer may not lie inside of another.
cp -a "$2" "$1/packages"
mount -t overlay -o "lowerdir=$1/packages:/,upperdir=$1/upper,workdir=$1/work" none "$1/root"
for part in dev sys; do mount --rbind "/$part" "$1/root/$part"; done
mount -t proc none "$1/root/proc"
mount -t tmpfs -o mode=755 none "$1/root/run"
mkdir -m 755 "$1/root/run/sshd"
read -r pid rest </proc/self/stat
echo "$pid" >"$3"
exec chroot "$1/root" sleep infinity
"#;
/// All of an annex: its files and its processes.
const INSIDE: [&str; 5] = ["--mount", "--pid", "--root", "--wd", "--"];
/// The longest that opening may take.
const OPEN_LIMIT: Duration = Duration::from_secs(20);
/// The longest that a mount may take.
const TOOL_LIMIT: Duration = Duration::from_secs(20);
/// The longest that a program inside may run: a whole security policy is linked there.
const SCRIPT_LIMIT: Duration = Duration::from_secs(300);
