//! The revocation journal's file: only ever appended to, and made durable line by line.
//!
//! Every append takes the file's lock and first reads what others have appended, so that several key servers of one data
//! directory keep one chain. A last line that a crash tore is cut off before the next is written; anything else that does not
//! fit is damage, and the file is set aside whole, for people to look at.

use std::fs::{self, File, OpenOptions};
use std::io::{
    self, BufRead as _, BufReader, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _,
};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use keyroster_roster::EventHash;

use crate::journal::JournalError;
use crate::journal::line::Line;

/// The file, and how far it was read.
#[derive(Debug)]
pub(crate) struct JournalFile {
    path: PathBuf,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    end: End,
}

/// Where a sound part of the file ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    pub bytes: u64,
    pub lines: u64,
    pub hash: EventHash,
}

impl End {
    pub const START: Self = Self {
        bytes: 0,
        lines: 0,
        hash: EventHash::ZERO,
    };
}

/// What appending began with.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Lines that this process had not read yet.
    pub lines: Vec<Line>,
    /// The file is another one than before, or is read for the first time: what was known of it does not count.
    pub is_another: bool,
    /// Where a damaged file was put.
    pub set_aside: Option<PathBuf>,
}

impl JournalFile {
    pub const fn at(path: PathBuf) -> Self {
        Self { path, open: None }
    }

    /// Reads what is new, and then appends what `make` makes of it.
    pub fn append(&mut self, make: impl FnOnce(Found) -> Vec<Line>) -> Result<(), JournalError> {
        let done = self.append_locked(make);
        match done {
            Ok(()) => self.unlock(),
            // Closing it unlocks it; it is read anew when it works again.
            Err(_) => self.open = None,
        }
        done
    }

    fn append_locked(&mut self, make: impl FnOnce(Found) -> Vec<Line>) -> Result<(), JournalError> {
        let mut found = self.lock()?;
        if let Err(error) = self.follow(&mut found) {
            if !matches!(error, JournalError::Damaged { .. }) {
                return Err(error);
            }
            let aside = self.set_aside()?;
            found = Found {
                is_another: true,
                set_aside: Some(aside),
                ..self.lock()?
            };
            self.follow(&mut found)?;
        }
        self.write(&make(found))
    }

    /// Forgets what was read, so that it is all read again.
    pub fn forget(&mut self) {
        self.open = None;
    }

    /// Opens the file if it is not open, or if another one lies in its place, and locks it.
    fn lock(&mut self) -> Result<Found, JournalError> {
        let mut found = Found::default();
        for _ in 0..OPEN_TRIES {
            if self.open.is_none() {
                found.is_another = true;
                let file = open(&self.path).map_err(|error| self.failed("open", error))?;
                let end = End::START;
                self.open = Some(Open { file, end });
            }
            let Some(open) = &self.open else { continue };
            open.file
                .lock()
                .map_err(|error| self.failed("lock", error))?;
            if is_same(&open.file, &self.path) {
                return Ok(found);
            }
            self.open = None;
        }
        Err(self.failed(
            "open",
            io::Error::other("others take it away again and again"),
        ))
    }

    fn unlock(&self) {
        if let Some(open) = &self.open {
            // Closing the file unlocks it as well.
            let _ = open.file.unlock();
        }
    }

    /// Reads on from where it was read last.
    fn follow(&mut self, found: &mut Found) -> Result<(), JournalError> {
        let path = self.path.clone();
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let failed = |error| JournalError::io("read", &path, error);
        let length = open.file.metadata().map_err(failed)?.len();
        if length < open.end.bytes {
            return Err(JournalError::Damaged {
                path,
                line: open.end.lines,
            });
        }
        if length > open.end.bytes {
            let lines = &mut found.lines;
            let (end, tail) = read_from(&open.file, &path, open.end, |line| lines.push(line))?;
            open.end = end;
            if tail == Tail::Torn {
                open.file.set_len(end.bytes).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Writes lines and makes them durable; if that fails, none of them counts.
    fn write(&mut self, lines: &[Line]) -> Result<(), JournalError> {
        let path = self.path.clone();
        let failed = |error| JournalError::io("write", &path, error);
        let Some(open) = &mut self.open else {
            return Err(failed(io::Error::other("it is not open")));
        };
        let (mut text, mut end) = (String::new(), open.end);
        for line in lines {
            let (line, hash) = line.write(end.hash).map_err(|error| failed(error.into()))?;
            end = End {
                bytes: end.bytes + line.len() as u64,
                lines: end.lines + 1,
                hash,
            };
            text.push_str(&line);
        }
        if text.is_empty() {
            return Ok(());
        }
        let written = open
            .file
            .seek(SeekFrom::Start(open.end.bytes))
            .and_then(|_| open.file.write_all(text.as_bytes()))
            .and_then(|()| open.file.sync_data());
        match written {
            Ok(()) => {
                open.end = end;
                Ok(())
            }
            Err(error) => {
                // A part that stays is cut off as a torn line later.
                let _ = open.file.set_len(open.end.bytes);
                Err(failed(error))
            }
        }
    }

    /// Renames a damaged file to a name that is free.
    fn set_aside(&mut self) -> Result<PathBuf, JournalError> {
        for number in 1..=MAX_SET_ASIDE {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".damaged-{number}"));
            let aside = PathBuf::from(name);
            // A link and not a renaming, since that would replace what is there.
            match fs::hard_link(&self.path, &aside) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(self.failed("set aside", error)),
            }
            fs::remove_file(&self.path).map_err(|error| self.failed("set aside", error))?;
            self.open = None;
            return Ok(aside);
        }
        Err(self.failed(
            "set aside",
            io::Error::other("too many damaged ones lie there"),
        ))
    }

    fn failed(&self, verb: &'static str, error: io::Error) -> JournalError {
        JournalError::io(verb, &self.path, error)
    }
}

/// What follows the last sound line.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing.
    Clean,
    /// A part of a line, as a crash leaves it.
    Torn,
}

/// Reads a file from a place on.
pub(crate) fn read_from(
    file: &File,
    path: &Path,
    from: End,
    mut each: impl FnMut(Line),
) -> Result<(End, Tail), JournalError> {
    let failed = |error| JournalError::io("read", path, error);
    let mut reader = BufReader::new(file);
    reader.seek(SeekFrom::Start(from.bytes)).map_err(failed)?;
    let (mut end, mut text) = (from, Vec::new());
    loop {
        text.clear();
        let read = reader
            .by_ref()
            .take(MAX_LINE_BYTES)
            .read_until(b'\n', &mut text);
        let read = read.map_err(failed)? as u64;
        if read == 0 {
            return Ok((end, Tail::Clean));
        }
        let Some(whole) = text.strip_suffix(b"\n") else {
            return Ok((end, Tail::Torn));
        };
        let Some((line, hash)) = Line::read(whole, end.hash) else {
            return Err(JournalError::Damaged {
                path: path.to_owned(),
                line: end.lines + 1,
            });
        };
        each(line);
        end = End {
            bytes: end.bytes + read,
            lines: end.lines + 1,
            hash,
        };
    }
}

fn open(path: &Path) -> io::Result<File> {
    let open = |new: bool| {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(new)
            .mode(FILE_MODE)
            .open(path)
    };
    match open(false) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let file = open(true)?;
            let parent = path
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty());
            File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
            Ok(file)
        }
        opened => opened,
    }
}

/// Whether the file that is open is the one at the path.
fn is_same(file: &File, path: &Path) -> bool {
    let (Ok(open), Ok(there)) = (file.metadata(), fs::metadata(path)) else {
        return false;
    };
    (open.dev(), open.ino()) == (there.dev(), there.ino())
}

const FILE_MODE: u32 = 0o600;

/// How often the file may be taken away while it is opened.
const OPEN_TRIES: u32 = 3;

/// Damaged files beside the journal; after so many nobody looks at them.
const MAX_SET_ASIDE: u32 = 100;

/// Bytes of a line. The longest tell of a group that had very many grants.
const MAX_LINE_BYTES: u64 = 256 * 1024 * 1024;
