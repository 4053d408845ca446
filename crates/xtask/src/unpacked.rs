//! Debian's packages that tests use without installing them.
//!
//! What keyroster lives beside (directory services, SELinux's and AppArmor's tools) would change the machine if it were installed: its name
//! service, its PAM stack, its security policy. So the packages are only unpacked, into one directory that the tests lay over the machine's root
//! in a mount namespace of their own. No maintainer script runs, and no service starts.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use keyroster_testkit::{Failure, Result};

use crate::install::apt;
use crate::shell;
use crate::workspace::Workspace;

/// Makes the directory, and says where it is.
pub fn run() -> Result {
    let dir = prepare(&Workspace::find()?)?;
    println!("{}", dir.display());
    Ok(())
}

/// The directory with the packages, which is made unless it is there.
pub fn prepare(workspace: &Workspace) -> Result<PathBuf> {
    let dir = workspace.target.join("unpacked");
    let marker = dir.join("packages");
    let wanted = PACKAGES.join(" ");
    let root = dir.join("root");
    if fs::read_to_string(&marker).is_ok_and(|there| there == wanted) {
        return Ok(root);
    }
    let _ = fs::remove_dir_all(&dir);
    let archives = dir.join("archives");
    fs::create_dir_all(archives.join("partial"))
        .map_err(|error| Failure::io("make directory", &archives, &error))?;
    // Among the files are programs that run as root whoever starts them.
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700))
        .map_err(|error| Failure::io("set the mode of", &dir, &error))?;
    println!("unpacking {wanted}");
    download(&archives)?;
    make_root(&root)?;
    for archive in entries(&archives)? {
        if archive.extension().is_some_and(|end| end == "deb") {
            unpack(&archive, &root)?;
        }
    }
    let _ = fs::remove_dir_all(&archives);
    fs::write(&marker, wanted).map_err(|error| Failure::io("write", &marker, &error))?;
    Ok(root)
}

/// What the machine lacks of the packages, with all that they need.
fn download(archives: &Path) -> Result {
    shell::run(apt().args(["update", "-qq"]))?;
    shell::run(
        apt()
            .args(["install", "-y", "-qq", "--no-install-recommends"])
            .arg("--download-only")
            .arg("-o")
            .arg(format!("Dir::Cache::Archives={}", archives.display()))
            .args(PACKAGES),
    )
}

/// The links that Debian's root has instead of directories: without them a package's `/lib` would hide the machine's.
fn make_root(root: &Path) -> Result {
    fs::create_dir_all(root).map_err(|error| Failure::io("make directory", root, &error))?;
    for name in ["bin", "sbin", "lib", "lib32", "lib64", "libx32"] {
        let Ok(target) = fs::read_link(Path::new("/").join(name)) else {
            continue;
        };
        let at = root.join(name);
        symlink(&target, &at).map_err(|error| Failure::io("make link", &at, &error))?;
        let target = root.join(&target);
        fs::create_dir_all(&target)
            .map_err(|error| Failure::io("make directory", &target, &error))?;
    }
    Ok(())
}

fn unpack(archive: &Path, root: &Path) -> Result {
    let mut opened = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(archive)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| Failure::new(format!("cannot run dpkg-deb: {error}")))?;
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--keep-directory-symlink", "--directory"])
        .arg(root);
    if let Some(files) = opened.stdout.take() {
        tar.stdin(files);
    }
    let unpacked = tar
        .status()
        .map_err(|error| Failure::new(format!("cannot run tar: {error}")))?;
    let opened = opened
        .wait()
        .map_err(|error| Failure::new(format!("cannot wait for dpkg-deb: {error}")))?;
    if unpacked.success() && opened.success() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "\"{}\" could not be unpacked",
        archive.display()
    )))
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let read = fs::read_dir(dir).map_err(|error| Failure::io("read", dir, &error))?;
    read.map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()
        .map_err(|error| Failure::io("read", dir, &error))
}

/// Other providers of keys, directory services, and what makes and asks security policies.
const PACKAGES: [&str; 18] = [
    "google-compute-engine-oslogin",
    "socat",
    "sssd-ldap",
    "sudo",
    "libnss-sss",
    "slapd",
    "systemd-userdbd",
    "libnss-systemd",
    "apparmor",
    "checkpolicy",
    "m4",
    "make",
    "policycoreutils",
    "selinux-policy-default",
    "selinux-policy-dev",
    "semodule-utils",
    "selinux-utils",
    "setools",
];
