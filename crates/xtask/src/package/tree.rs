//! The files of one package, before any package manager has seen them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use keyroster_testkit::{Failure, Result};

/// Paths without a leading slash, in the order of their names.
#[derive(Debug, Default, Clone)]
pub struct Tree(BTreeMap<String, Entry>);

/// One of them.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What it holds.
    pub content: Content,
    /// What it is for.
    pub role: Role,
}

/// What a path holds.
#[derive(Debug, Clone)]
pub enum Content {
    /// A program, copied from here.
    Program(PathBuf),
    /// A file with these bytes.
    Bytes(Vec<u8>),
    /// A symbolic link to this.
    Link(String),
}

/// What a package manager has to know of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Replaced by every upgrade.
    Plain,
    /// An admin's to change: kept by upgrades.
    Settings,
    /// Documentation, which some leave out.
    Documentation,
}

impl Tree {
    /// Adds a file or a link.
    pub fn add(&mut self, path: impl Into<String>, role: Role, content: Content) {
        self.0.insert(path.into(), Entry { content, role });
    }

    /// Adds a file with these bytes.
    pub fn text(&mut self, path: impl Into<String>, role: Role, bytes: impl Into<Vec<u8>>) {
        self.add(path, role, Content::Bytes(bytes.into()));
    }

    /// All but what is an admin's to change.
    pub fn without_settings(mut self) -> Self {
        self.0.retain(|_, entry| entry.role != Role::Settings);
        self
    }

    /// Every path and what is there.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.0.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// The programs' paths.
    pub fn programs(&self) -> impl Iterator<Item = &str> {
        self.iter()
            .filter(|(_, entry)| matches!(entry.content, Content::Program(_)))
            .map(|(path, _)| path)
    }

    /// Every directory above a file, parents first.
    pub fn directories(&self) -> Vec<String> {
        let mut found: Vec<String> = self
            .iter()
            .flat_map(|(path, _)| Path::new(path).ancestors().skip(1))
            .filter(|dir| !dir.as_os_str().is_empty())
            .map(|dir| dir.display().to_string())
            .collect();
        found.sort();
        found.dedup();
        found
    }

    /// Writes everything below `root`, whatever the caller's umask.
    pub fn write(&self, root: &Path) -> Result {
        make_directory(root)?;
        for directory in self.directories() {
            make_directory(&root.join(directory))?;
        }
        for (path, entry) in self.iter() {
            entry.write(&root.join(path))?;
        }
        Ok(())
    }
}

impl Entry {
    /// The permissions that it has: only programs can be executed, only root can write.
    pub fn mode(&self) -> u32 {
        match self.content {
            Content::Program(_) => 0o755,
            Content::Bytes(_) => 0o644,
            Content::Link(_) => 0o777,
        }
    }

    fn write(&self, to: &Path) -> Result {
        let written = match &self.content {
            Content::Program(from) => fs::copy(from, to).map(drop),
            Content::Bytes(bytes) => fs::write(to, bytes),
            Content::Link(target) => {
                return symlink(target, to).map_err(|error| Failure::io("link", to, &error));
            }
        };
        written
            .and_then(|()| fs::set_permissions(to, fs::Permissions::from_mode(self.mode())))
            .map_err(|error| Failure::io("write", to, &error))
    }
}

fn make_directory(path: &Path) -> Result {
    fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o755)))
        .map_err(|error| Failure::io("make directory", path, &error))
}
