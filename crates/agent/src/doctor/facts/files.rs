//! Owners and modes, component by component, as sshd looks at them.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyroster_sshd::run::finish;

use crate::doctor::facts::{Seen, Unseen};

/// A path, and what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathFact {
    /// The path that was asked about.
    pub path: PathBuf,
    /// What is there.
    pub there: There,
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum There {
    /// Nothing.
    Nothing,
    /// Something, whose real path has these components, the root of the file system first.
    Found(Vec<Component>),
}

/// One component of a real path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Up to here.
    pub path: PathBuf,
    /// Its owner.
    pub uid: u32,
    /// Its mode, without its type.
    pub mode: u32,
    /// What it is.
    pub kind: Kind,
}

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A plain file.
    File,
    /// A directory.
    Directory,
    /// A socket.
    Socket,
    /// Something else.
    Other,
}

/// A list of revoked keys that sshd reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyList {
    /// Its file.
    pub path: PathBuf,
    /// Whether sshd can read it.
    pub state: ListState,
}

/// Whether sshd can read a list of revoked keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListState {
    /// It can.
    Readable,
    /// There is no such file.
    Missing,
    /// It can't, and why.
    Damaged(String),
}

/// Looks at a path, links resolved.
///
/// # Errors
/// When somebody else than root asks, and may not look.
pub fn look(path: &Path) -> Seen<PathFact> {
    let there = match path.canonicalize() {
        Ok(real) => There::Found(components(&real)?),
        Err(err) if err.kind() == ErrorKind::NotFound => There::Nothing,
        Err(err) => return Err(unseen(path, &err)),
    };
    Ok(PathFact {
        path: path.to_owned(),
        there,
    })
}

fn components(real: &Path) -> Seen<Vec<Component>> {
    let mut paths: Vec<&Path> = real.ancestors().collect();
    paths.reverse();
    let look = |path: &Path| -> Seen<Component> {
        let metadata = fs::symlink_metadata(path).map_err(|err| unseen(path, &err))?;
        Ok(Component {
            path: path.to_owned(),
            uid: metadata.uid(),
            mode: metadata.mode() & MODE,
            kind: kind(metadata.file_type()),
        })
    };
    paths.into_iter().map(look).collect()
}

fn kind(of: fs::FileType) -> Kind {
    match of {
        of if of.is_file() => Kind::File,
        of if of.is_dir() => Kind::Directory,
        of if of.is_socket() => Kind::Socket,
        _ => Kind::Other,
    }
}

/// Looks at a list of revoked keys as sshd does: a KRL, or public keys line by line.
///
/// # Errors
/// When it may not be looked at.
pub fn key_list(path: &Path) -> Seen<KeyList> {
    let state = match read_some(path, MAX_LIST_BYTES) {
        Ok(bytes) if bytes.starts_with(KRL) => krl(path)?,
        Ok(bytes) => text_list(&bytes),
        Err(err) if err.kind() == ErrorKind::NotFound => ListState::Missing,
        Err(err) if err.kind() == ErrorKind::PermissionDenied => return Err(unseen(path, &err)),
        Err(err) => ListState::Damaged(err.to_string()),
    };
    Ok(KeyList {
        path: path.to_owned(),
        state,
    })
}

fn krl(path: &Path) -> Seen<ListState> {
    let mut command = Command::new("ssh-keygen");
    command.args(["-Q", "-l", "-f"]).arg(path);
    let done = finish(&mut command, super::system::TOOL_LIMIT).map_err(Unseen::because)?;
    Ok(match done.status.success() {
        true => ListState::Readable,
        false => ListState::Damaged(done.said()),
    })
}

fn text_list(bytes: &[u8]) -> ListState {
    let text = String::from_utf8_lossy(bytes);
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') && !is_key(line) {
            return ListState::Damaged(format!("line {number} is no public key"));
        }
    }
    ListState::Readable
}

/// A key type, and a blob that begins with it.
fn is_key(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    let (Some(algorithm), Some(blob)) = (words.next(), words.next()) else {
        return false;
    };
    let blob = STANDARD.decode(blob).unwrap_or_default();
    blob.get(LENGTH_BYTES..)
        .is_some_and(|name| name.starts_with(algorithm.as_bytes()))
}

/// Up to `limit` bytes of a plain file; opening a pipe in its place must not hang.
pub fn read_some(path: &Path, limit: u64) -> std::io::Result<Vec<u8>> {
    let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options()
        .read(true)
        .custom_flags(nonblock)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is not a plain file"));
    }
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unseen(path: &Path, err: &std::io::Error) -> Unseen {
    Unseen(format!("can't look at \"{}\": {err}", path.display()))
}

const KRL: &[u8] = b"SSHKRL\n\0";
const LENGTH_BYTES: usize = 4;
const MODE: u32 = 0o7777;
const MAX_LIST_BYTES: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn state(contents: &[u8]) -> ListState {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("revoked");
        fs::write(&path, contents).unwrap();
        key_list(&path).unwrap().state
    }

    #[test]
    fn a_list_of_keys_an_empty_one_and_a_comment_can_be_read() {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0Bh0vOGdQHZ1Z1Bv2yNq5xM6nU0kqQ0Xf3Qh1pYw1k a@b\n";
        for text in ["", "# none\n\n", key] {
            assert_eq!(state(text.as_bytes()), ListState::Readable, "{text}");
        }
    }

    #[test]
    fn what_is_neither_keys_nor_a_whole_krl_is_damaged() {
        for bytes in [
            b"hello world\n".as_slice(),
            b"\xff\xfe",
            b"SSHKRL\n\0\0\0\0\x01",
        ] {
            assert!(matches!(state(bytes), ListState::Damaged(_)), "{bytes:?}");
        }
        assert_eq!(
            key_list(Path::new("/nowhere/list")).unwrap().state,
            ListState::Missing
        );
    }

    #[test]
    fn a_path_is_looked_at_from_its_root_on_with_links_resolved() {
        let There::Found(components) = look(Path::new("/usr/bin/env")).unwrap().there else {
            panic!("there is one");
        };
        assert_eq!(components[0].path, Path::new("/"));
        assert_eq!(components.last().unwrap().kind, Kind::File);
        assert_eq!(look(Path::new("/nowhere/x")).unwrap().there, There::Nothing);
    }
}
