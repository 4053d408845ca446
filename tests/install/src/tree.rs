//! A directory with every byte below it, to compare what it was with what it has become.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use keyroster_testkit::{Failure, Result};

/// Everything below a directory: contents, modes, owners, where links point to. Times of change do not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree(BTreeMap<PathBuf, Entry>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    mode: u32,
    owner: (u32, u32),
    content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Directory,
    Link(PathBuf),
    File(Vec<u8>),
}

impl Tree {
    /// Reads it all.
    pub fn read(dir: &Path) -> Result<Self> {
        let mut entries = BTreeMap::new();
        read_into(&mut entries, dir, dir)?;
        Ok(Self(entries))
    }

    /// The paths of what is not the same in both, each with how it differs.
    pub fn changes(&self, after: &Self) -> Vec<String> {
        let gone = self.0.keys().filter(|path| !after.0.contains_key(*path));
        let gone = gone.map(|path| format!("gone: {}", path.display()));
        let other = after
            .0
            .iter()
            .filter_map(|(path, entry)| match self.0.get(path) {
                None => Some(format!("new: {}", path.display())),
                Some(before) if before != entry => Some(format!("changed: {}", path.display())),
                Some(_) => None,
            });
        gone.chain(other).collect()
    }

    /// Fails, naming what differs, unless nothing does.
    pub fn must_equal(&self, after: &Self, when: &str) -> Result {
        let changes = self.changes(after);
        if changes.is_empty() {
            return Ok(());
        }
        Err(Failure::new(format!("{when}: {}", changes.join(", "))))
    }
}

fn read_into(entries: &mut BTreeMap<PathBuf, Entry>, top: &Path, dir: &Path) -> Result {
    let listed = fs::read_dir(dir).map_err(|error| Failure::io("read", dir, &error))?;
    for path in listed.flatten().map(|entry| entry.path()) {
        let fail = |error| Failure::io("read", &path, &error);
        let metadata = fs::symlink_metadata(&path).map_err(fail)?;
        let content = if metadata.is_dir() {
            read_into(entries, top, &path)?;
            Content::Directory
        } else if metadata.is_symlink() {
            Content::Link(fs::read_link(&path).map_err(fail)?)
        } else {
            Content::File(fs::read(&path).map_err(fail)?)
        };
        let entry = Entry {
            mode: metadata.mode(),
            owner: (metadata.uid(), metadata.gid()),
            content,
        };
        entries.insert(path.strip_prefix(top).unwrap_or(&path).to_owned(), entry);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use keyroster_testkit::RootDir;

    use super::*;

    #[test]
    fn a_byte_a_mode_and_a_link_that_change_are_each_named() {
        let dir = RootDir::new().unwrap();
        let byte = dir.file("byte", "a", 0o644).unwrap();
        let mode = dir.file("mode", "a", 0o644).unwrap();
        let gone = dir.file("gone", "a", 0o644).unwrap();
        let before = Tree::read(dir.path()).unwrap();
        assert_eq!(
            before.changes(&Tree::read(dir.path()).unwrap()),
            Vec::<String>::new()
        );
        fs::write(byte, "b").unwrap();
        fs::set_permissions(mode, fs::Permissions::from_mode(0o600)).unwrap();
        fs::remove_file(gone).unwrap();
        std::os::unix::fs::symlink("byte", dir.path().join("link")).unwrap();
        let changes = before.changes(&Tree::read(dir.path()).unwrap());
        assert_eq!(
            changes,
            ["gone: gone", "changed: byte", "new: link", "changed: mode"]
        );
    }
}
