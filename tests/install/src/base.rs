//! A root of each system as its archive makes it, kept as one tarball.
//!
//! Making one takes minutes and the network, unpacking one takes seconds and neither. The file's name holds what is in it,
//! so that a root that is to hold more is made anew. Nothing of ours is in there, and no test changes one.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyroster_testkit::{Failure, Program, Result};

use crate::mirror::mirror;
use crate::release::System;

/// The tarball of this system below `store`, made when it is not there.
pub fn tarball(store: &Path, system: System) -> Result<PathBuf> {
    tarball_with(store, system, &[])
}

/// The same with more packages of the archive's.
pub fn tarball_with(store: &Path, system: System, more: &[&str]) -> Result<PathBuf> {
    fs::create_dir_all(store).map_err(|error| Failure::io("make directory", store, &error))?;
    let include = include(system, more);
    let made = store.join(file_name(system, &include));
    let _alone = lock(store, system)?;
    if !made.exists() {
        make(&made, system, &include)?;
    }
    Ok(made)
}

/// Other test processes want the same root: one makes it, the others wait for it.
fn lock(store: &Path, system: System) -> Result<File> {
    let path = store.join(format!("{system}.lock"));
    let file = File::create(&path).map_err(|error| Failure::io("make", &path, &error))?;
    file.lock()
        .map_err(|error| Failure::io("lock", &path, &error))?;
    Ok(file)
}

fn make(made: &Path, system: System, include: &str) -> Result {
    let work = Work::below(made)?;
    Program::at(Path::new("/usr/sbin/debootstrap"))
        .args(["--variant=minbase", include])
        .arg(system.release().suite())
        .arg(&work.0)
        .arg(mirror())
        .finish_within(MAKE_LIMIT)?
        .success("debootstrap")?;
    for cache in ["var/cache/apt/archives", "var/cache/apt"] {
        remove_files(&work.0.join(cache))?;
    }
    let partial = made.with_extension("partial");
    Program::at(Path::new("/usr/bin/tar"))
        .args(["--one-file-system", "--numeric-owner", "-cf"])
        .arg(&partial)
        .arg("-C")
        .arg(&work.0)
        .arg(".")
        .finish_within(TAR_LIMIT)?
        .success("tar")?;
    fs::rename(&partial, made).map_err(|error| Failure::io("make", made, &error))
}

/// Unpacks a tarball into a directory that exists.
pub fn unpack(tarball: &Path, into: &Path) -> Result {
    Program::at(Path::new("/usr/bin/tar"))
        .args(["--numeric-owner", "-xpf"])
        .arg(tarball)
        .arg("-C")
        .arg(into)
        .finish_within(TAR_LIMIT)?
        .success("tar")
        .map(drop)
}

fn include(system: System, more: &[&str]) -> String {
    let mut names = PACKAGES.to_vec();
    names.extend(system.more_packages());
    names.extend(more);
    format!("--include={}", names.join(","))
}

fn file_name(system: System, include: &str) -> String {
    let mut hasher = DefaultHasher::new();
    include.hash(&mut hasher);
    format!("{system}-{:016x}.tar", hasher.finish())
}

fn remove_files(dir: &Path) -> Result {
    let entries = fs::read_dir(dir).map_err(|error| Failure::io("read", dir, &error))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_file() {
            fs::remove_file(&path).map_err(|error| Failure::io("remove", &path, &error))?;
        }
    }
    Ok(())
}

/// The directory that a root is made in; gone when it is dropped.
struct Work(PathBuf);

impl Work {
    fn below(made: &Path) -> Result<Self> {
        let path = made.with_extension("work");
        if path.exists() {
            fs::remove_dir_all(&path).map_err(|error| Failure::io("remove", &path, &error))?;
        }
        Ok(Self(path))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What boots, runs an sshd and can be looked into; what our packages need beyond that, apt is to fetch.
const PACKAGES: [&str; 7] = [
    "systemd",
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "ca-certificates",
    "curl",
    "sqlite3",
];
/// The longest that making a root may take: it fetches some hundred packages.
const MAKE_LIMIT: Duration = Duration::from_secs(1200);
/// The longest that packing or unpacking one may take.
const TAR_LIMIT: Duration = Duration::from_secs(180);
