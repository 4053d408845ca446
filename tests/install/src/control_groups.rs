//! Control groups of a root's own.
//!
//! `systemd-nspawn` makes the root's tree of them below the group that it is started in. Two roots side by side that were started in the
//! same group would share one tree, and whichever stops a service takes away the group in which the other is starting it.

use std::fs;
use std::path::{Path, PathBuf};

use keyroster_testkit::{Failure, Result};

/// One group in each tree that systemd uses; removed when dropped, with what the root has left in there.
#[derive(Debug)]
pub struct ControlGroups(Vec<PathBuf>);

impl ControlGroups {
    /// Makes them, with nothing in them yet.
    pub fn new(name: &str) -> Result<Self> {
        let mut made = Self(Vec::new());
        for tree in TREES {
            if !Path::new(tree).join(PROCESSES).exists() {
                continue;
            }
            let group = Path::new(tree).join(format!("keyroster-{name}"));
            fs::create_dir_all(&group)
                .map_err(|error| Failure::io("make control group", &group, &error))?;
            made.0.push(group);
        }
        Ok(made)
    }

    /// The files that take a process in.
    pub fn doors(&self) -> impl Iterator<Item = PathBuf> {
        self.0.iter().map(|group| group.join(PROCESSES))
    }
}

impl Drop for ControlGroups {
    fn drop(&mut self) {
        for group in &self.0 {
            remove(group);
        }
    }
}

/// From the innermost outwards. Of a group, directories are all that can be removed.
fn remove(group: &Path) {
    let entries = fs::read_dir(group).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        if path.is_dir() {
            remove(&path);
        }
    }
    let _ = fs::remove_dir(group);
}

/// Where systemd keeps track of services: a machine has the first alone, or the second, or the second and the third (systemd's
/// `docs/CGROUP_DELEGATION.md`: unified, legacy, hybrid).
const TREES: [&str; 3] = [
    "/sys/fs/cgroup",
    "/sys/fs/cgroup/systemd",
    "/sys/fs/cgroup/unified",
];
const PROCESSES: &str = "cgroup.procs";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_there_until_they_are_dropped_with_what_was_made_in_them() {
        let groups = ControlGroups::new(&format!("test-{}", std::process::id())).unwrap();
        let made = groups.0.clone();
        assert!(!made.is_empty());
        for group in &made {
            fs::create_dir_all(group.join("payload/system.slice")).unwrap();
        }
        assert!(groups.doors().all(|door| door.exists()));
        drop(groups);
        assert!(made.iter().all(|group| !group.exists()));
    }
}
