//! Reading the files, `Include` by `Include`.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::tree::condition::Condition;
use crate::tree::line::{Line, words};
use crate::tree::{Place, Setting, Tree};

/// The configuration's first file can't be read. Without it there is nothing to say about places.
#[derive(Debug, thiserror::Error)]
#[error("can't read \"{path}\": {err}")]
pub struct TreeError {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub err: io::Error,
}

/// Something in the configuration that was passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// An included file can't be read. sshd refuses to start with it.
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        why: String,
    },
    /// A pattern of an `Include` is none.
    Pattern {
        /// Where it stands.
        place: Place,
    },
    /// Files include files deeper than sshd follows.
    Depth {
        /// Where the include stands that was not followed.
        place: Place,
    },
    /// There are more files than are read.
    TooMany,
}

pub(super) fn read(config: &Path, base: &Path) -> Result<Tree, TreeError> {
    let text = contents(config).map_err(|err| TreeError {
        path: config.to_owned(),
        err,
    })?;
    let mut reading = Reading {
        base,
        tree: Tree::default(),
    };
    reading.file(config, &text, &[], 0);
    Ok(reading.tree)
}

struct Reading<'a> {
    base: &'a Path,
    tree: Tree,
}

impl Reading<'_> {
    /// One file. A `Match` in it ends with it, and those of the `Include` hold for all of it.
    fn file(&mut self, path: &Path, text: &str, outer: &[Arc<Condition>], depth: u32) {
        self.tree.files.push(path.to_owned());
        let mut conditions = outer.to_vec();
        for (number, text) in (1..).zip(text.split('\n')) {
            let Some(line) = Line::parse(text) else {
                continue;
            };
            let place = Place::Line {
                file: path.to_owned(),
                number,
            };
            match line.keyword.as_str() {
                "match" => {
                    let condition = Arc::new(Condition::parse(place, line.rest));
                    self.tree.conditions.push(Arc::clone(&condition));
                    conditions = outer.to_vec();
                    conditions.push(condition);
                }
                "include" => self.include(&place, line.rest, &conditions, depth + 1),
                _ => self.tree.settings.push(Setting {
                    place,
                    keyword: line.keyword,
                    value: line.rest.to_owned(),
                    conditions: conditions.clone(),
                }),
            }
        }
    }

    fn include(&mut self, place: &Place, value: &str, conditions: &[Arc<Condition>], depth: u32) {
        if depth > MAX_DEPTH {
            let place = place.clone();
            return self.tree.problems.push(Problem::Depth { place });
        }
        for pattern in words(value) {
            let pattern = self.base.join(pattern);
            let Ok(found) = glob::glob_with(&pattern.to_string_lossy(), AS_GLOB_3) else {
                let place = place.clone();
                self.tree.problems.push(Problem::Pattern { place });
                continue;
            };
            let mut files: Vec<PathBuf> = found.filter_map(Result::ok).collect();
            files.sort_unstable_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
            for file in files {
                self.included(&file, conditions, depth);
            }
        }
    }

    fn included(&mut self, file: &Path, conditions: &[Arc<Condition>], depth: u32) {
        if self.tree.files.len() >= MAX_FILES {
            if !self.tree.problems.contains(&Problem::TooMany) {
                self.tree.problems.push(Problem::TooMany);
            }
            return;
        }
        match contents(file) {
            Ok(text) => self.file(file, &text, conditions, depth),
            Err(err) => self.tree.problems.push(Problem::Unreadable {
                file: file.to_owned(),
                why: err.to_string(),
            }),
        }
    }
}

/// Without waiting: a pipe that stands in a file's place must not hang whoever looks.
fn contents(path: &Path) -> io::Result<String> {
    let file = File::options()
        .read(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a plain file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_FILE_BYTES {
        return Err(io::Error::other("it is longer than a megabyte"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { file, why } => write!(f, "can't read \"{}\": {why}", file.display()),
            Self::Pattern { place } => write!(f, "the pattern at {place} can't be read"),
            Self::Depth { place } => write!(f, "the include at {place} is too deep"),
            Self::TooMany => write!(f, "there are more than {MAX_FILES} files"),
        }
    }
}

/// What glob(3) does with no flags, as sshd calls it.
const AS_GLOB_3: glob::MatchOptions = glob::MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// `SERVCONF_MAX_DEPTH` of servconf.c.
const MAX_DEPTH: u32 = 16;

/// Files of one configuration; a file that includes itself would have no end.
const MAX_FILES: usize = 1_000;

/// Bytes of one file.
const MAX_FILE_BYTES: u64 = 1 << 20;
