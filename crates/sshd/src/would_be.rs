//! A configuration as it would be with one drop-in put in, replaced or taken away, without touching the real one.
//!
//! A copy of the main file stands in a private directory, and its `Include` of the drop-ins leads to copies of those. Everything
//! else that it includes is read where it is. So sshd itself says what would hold, drop-ins of others and their order included.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{Sshd, SshdError};

/// A drop-in of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropIn {
    /// The configuration that includes it.
    pub config: PathBuf,
    /// The directory of drop-ins.
    pub directory: PathBuf,
    /// The name of its file.
    pub name: String,
}

/// A configuration that is nowhere in effect. Dropped, it is removed.
#[derive(Debug)]
pub struct WouldBe {
    sshd: Sshd,
    dir: PrivateDir,
}

/// A directory of root's that nobody else can look into.
#[derive(Debug)]
pub(crate) struct PrivateDir(PathBuf);

impl DropIn {
    /// The drop-in of this name beside a configuration: in `sshd_config.d`.
    #[must_use]
    pub fn beside(config: &Path, name: &str) -> Self {
        Self {
            config: config.to_owned(),
            directory: config.with_file_name("sshd_config.d"),
            name: name.to_owned(),
        }
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.directory.join(&self.name)
    }
}

impl WouldBe {
    /// The configuration of `sshd` with this text as the drop-in, or without the drop-in.
    ///
    /// # Errors
    /// When files can't be read or copied, or the configuration does not include the drop-in.
    pub fn new(sshd: &Sshd, drop_in: &DropIn, text: Option<&[u8]>) -> Result<Self, SshdError> {
        let main = read(&drop_in.config)?;
        let dir = PrivateDir::new()?;
        let copies = dir.0.join("sshd_config.d");
        make_dir(&copies)?;
        let (main, included) = lead_elsewhere(&main, drop_in, &copies);
        if included == Included::No && text.is_some() {
            return Err(SshdError::NotIncluded {
                config: drop_in.config.clone(),
                directory: drop_in.directory.clone(),
            });
        }
        copy_all(&drop_in.directory, &copies, &drop_in.name)?;
        if let Some(text) = text {
            write(&copies.join(&drop_in.name), text)?;
        }
        let config = dir.0.join("sshd_config");
        write(&config, main.as_bytes())?;
        Ok(Self {
            sshd: sshd.with_config(&config),
            dir,
        })
    }

    /// An sshd that reads it.
    #[must_use]
    pub fn sshd(&self) -> &Sshd {
        &self.sshd
    }

    /// The private directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir.0
    }
}

impl PrivateDir {
    fn new() -> Result<Self, SshdError> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(RUN).join(format!("keyroster-trial-{}-{number}", process::id()));
        // One of an earlier process with our number.
        if path.symlink_metadata().is_ok() {
            fs::remove_dir_all(&path).map_err(|err| SshdError::io("remove", &path, err))?;
        }
        make_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for PrivateDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Whether a configuration reads a drop-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Included {
    Yes,
    No,
}

/// The main file with its patterns for the directory of drop-ins leading to another.
fn lead_elsewhere(main: &str, drop_in: &DropIn, copies: &Path) -> (String, Included) {
    let mut included = Included::No;
    let mut text = String::with_capacity(main.len());
    for line in main.lines() {
        match include_patterns(line) {
            Some(patterns) => {
                let new: Vec<String> = patterns
                    .iter()
                    .map(|pattern| match elsewhere(pattern, drop_in, copies) {
                        Some(other) => {
                            included = Included::Yes;
                            other
                        }
                        None => (*pattern).to_owned(),
                    })
                    .collect();
                text.push_str(&format!("Include {}", new.join(" ")));
            }
            None => text.push_str(line),
        }
        text.push('\n');
    }
    (text, included)
}

/// The patterns of a line that includes files.
fn include_patterns(line: &str) -> Option<Vec<&str>> {
    let line = line.trim_start();
    let end = line.find(|c: char| c.is_whitespace() || c == '=')?;
    let (keyword, rest) = line.split_at_checked(end)?;
    if !keyword.eq_ignore_ascii_case("include") {
        return None;
    }
    let rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '=');
    let words = rest
        .split_whitespace()
        .take_while(|word| !word.starts_with('#'));
    Some(words.map(|word| word.trim_matches('"')).collect())
}

/// The same pattern in another directory, if it takes in the drop-in.
fn elsewhere(pattern: &str, drop_in: &DropIn, copies: &Path) -> Option<String> {
    let path = Path::new(SSH_DIR).join(pattern);
    let last = path.file_name()?.to_str()?;
    let takes = path.parent()? == drop_in.directory && matches(last, &drop_in.name);
    takes.then(|| copies.join(last).display().to_string())
}

/// Whether a name fits a pattern with `*` and `?`.
fn matches(pattern: &str, name: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => name.is_empty(),
        Some('*') => {
            let rest = rest.as_str();
            let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.into_iter()
                .any(|at| name.get(at..).is_some_and(|tail| matches(rest, tail)))
        }
        Some(wanted) => {
            let mut name = name.chars();
            let found = name.next();
            let fits = found.is_some() && (wanted == '?' || found == Some(wanted));
            fits && matches(rest.as_str(), name.as_str())
        }
    }
}

fn copy_all(from: &Path, to: &Path, but: &str) -> Result<(), SshdError> {
    let failed = |err| SshdError::io("list", from, err);
    let entries = match fs::read_dir(from) {
        // An `Include` of what is not there includes nothing.
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        let source = from.join(&name);
        // What sshd can't read either, such as a directory that fits the pattern, is left to the real check.
        if name.to_str() == Some(but) || !source.is_file() {
            continue;
        }
        let bytes = fs::read(&source).map_err(|err| SshdError::io("read", &source, err))?;
        write(&to.join(&name), &bytes)?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, SshdError> {
    let bytes = fs::read(path).map_err(|err| SshdError::io("read", path, err))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn make_dir(path: &Path) -> Result<(), SshdError> {
    let made = fs::DirBuilder::new().mode(PRIVATE_DIR).create(path);
    made.map_err(|err| SshdError::io("make", path, err))
}

pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), SshdError> {
    use std::io::Write as _;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(PRIVATE_FILE);
    let written = options
        .open(path)
        .and_then(|mut file| file.write_all(bytes));
    written.map_err(|err| SshdError::io("write", path, err))
}

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Root's alone, unlike `/tmp`, and it is there also when disks can't be written.
const RUN: &str = "/run";
/// What relative paths of `Include` are relative to.
const SSH_DIR: &str = "/etc/ssh";
const PRIVATE_DIR: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;

#[cfg(test)]
mod tests {
    use keyroster_testkit::Sshd as Running;

    use super::*;
    use crate::check::Verdict;
    use crate::{Binary, Connection};

    struct Case {
        running: Running,
        sshd: Sshd,
        drop_in: DropIn,
    }

    fn case() -> Case {
        let running = Running::builder()
            .drop_in("05-first.conf", "Banner none\n")
            .drop_in(
                "20-other.conf",
                "AuthorizedKeysFile /etc/other/%u\nLogLevel DEBUG\n",
            )
            .start()
            .unwrap();
        let config = running.dir().join("sshd_config");
        let sshd = Sshd::new(Binary::at(Path::new("/usr/sbin/sshd")).unwrap(), &config);
        let drop_in = DropIn::beside(&config, "10-keyroster.conf");
        Case {
            running,
            sshd,
            drop_in,
        }
    }

    fn files(case: &Case, text: Option<&str>) -> Vec<String> {
        let would_be = WouldBe::new(&case.sshd, &case.drop_in, text.map(str::as_bytes)).unwrap();
        let connection = Connection::local("root").unwrap();
        let effective = would_be.sshd().effective(&connection).unwrap();
        effective.key_files().map(str::to_owned).collect()
    }

    #[test]
    fn a_drop_in_counts_at_its_place_among_the_others_and_nothing_real_has_changed() {
        let case = case();
        assert_eq!(
            files(&case, Some("AuthorizedKeysFile /etc/ours/%u\n")),
            ["/etc/ours/%u"]
        );
        assert_eq!(files(&case, None), ["/etc/other/%u"]);
        assert!(!case.drop_in.path().exists());
        let real = case
            .sshd
            .effective(&Connection::local("root").unwrap())
            .unwrap();
        assert_eq!(real.key_files().collect::<Vec<_>>(), ["/etc/other/%u"]);
        drop(case.running);
    }

    #[test]
    fn a_drop_in_that_is_there_is_replaced_or_taken_away_in_what_would_be() {
        let case = case();
        std::fs::write(case.drop_in.path(), "AuthorizedKeysFile /etc/old/%u\n").unwrap();
        assert_eq!(
            files(&case, Some("AuthorizedKeysFile /etc/new/%u\n")),
            ["/etc/new/%u"]
        );
        assert_eq!(files(&case, None), ["/etc/other/%u"]);
    }

    #[test]
    fn sshd_judges_what_would_be() {
        let case = case();
        let broken = WouldBe::new(&case.sshd, &case.drop_in, Some(b"Nonsense yes\n")).unwrap();
        assert!(matches!(broken.sshd().check().unwrap(), Verdict::Broken(_)));
        let sound = WouldBe::new(&case.sshd, &case.drop_in, Some(b"LogLevel INFO\n")).unwrap();
        assert_eq!(sound.sshd().check().unwrap(), Verdict::Sound);
    }

    #[test]
    fn a_configuration_that_does_not_include_drop_ins_is_named() {
        let case = case();
        let text = std::fs::read_to_string(case.sshd.config()).unwrap();
        std::fs::write(case.sshd.config(), text.replace("Include", "#Include")).unwrap();
        let failure = WouldBe::new(&case.sshd, &case.drop_in, Some(b"")).unwrap_err();
        assert!(
            matches!(failure, SshdError::NotIncluded { .. }),
            "{failure}"
        );
        assert!(WouldBe::new(&case.sshd, &case.drop_in, None).is_ok());
    }

    #[test]
    fn nothing_is_left_of_it() {
        let case = case();
        let would_be = WouldBe::new(&case.sshd, &case.drop_in, None).unwrap();
        let dir = would_be.dir().to_owned();
        assert!(dir.exists());
        drop(would_be);
        assert!(!dir.exists());
    }

    #[test]
    fn includes_are_recognised_however_they_are_written() {
        let drop_in = DropIn::beside(Path::new("/etc/ssh/sshd_config"), "10-keyroster.conf");
        let copies = Path::new("/run/x");
        for (line, expected) in [
            (
                "Include /etc/ssh/sshd_config.d/*.conf",
                "Include /run/x/*.conf\n",
            ),
            ("  include=\"sshd_config.d/*\"", "Include /run/x/*\n"),
            (
                "INCLUDE /a/b /etc/ssh/sshd_config.d/??-*.conf # x",
                "Include /a/b /run/x/??-*.conf\n",
            ),
            (
                "Include /etc/ssh/sshd_config.d/20-*.conf",
                "Include /etc/ssh/sshd_config.d/20-*.conf\n",
            ),
            (
                "#Include /etc/ssh/sshd_config.d/*.conf",
                "#Include /etc/ssh/sshd_config.d/*.conf\n",
            ),
        ] {
            let (text, included) = lead_elsewhere(line, &drop_in, copies);
            assert_eq!(text, expected);
            assert_eq!(included == Included::Yes, text.contains("/run/x"), "{line}");
        }
    }
}
