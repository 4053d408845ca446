//! The files of sshd's configuration, and which line of which file wins for a login.
//!
//! sshd says what holds (`sshd -T -C`), never where it stands. This module answers *where*, and nothing else: whoever needs a value asks
//! sshd, and compares. It follows servconf.c: the file is read twice, first for what stands outside of `Match` blocks and then, once the
//! login is known, for what stands inside of those that hold for it; the first value of either reading stays, and the second reading
//! beats the first. So a `Match` block beats what stands above it, and beats an `-o` of the command line too.
//!
//! The tests compare it with the real sshd on generated configurations.

mod condition;
mod line;
mod login;
mod pattern;
mod read;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use condition::{Condition, Criterion};
pub use line::Line;
pub use login::Login;
pub use pattern::{PatternList, wildcard};
pub use read::{Problem, TreeError};

/// All settings of sshd's configuration, in the order in which sshd reads them.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    settings: Vec<Setting>,
    conditions: Vec<Arc<Condition>>,
    files: Vec<PathBuf>,
    problems: Vec<Problem>,
    overrides: Vec<Setting>,
}

/// One line that sets something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Where it stands.
    pub place: Place,
    /// The keyword in lower case, by its present name.
    pub keyword: String,
    /// What follows it, as it stands there.
    pub value: String,
    /// The `Match` lines that must all hold for it to count.
    pub conditions: Vec<Arc<Condition>>,
}

/// Where a setting stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A line of a file.
    Line {
        /// The file.
        file: PathBuf,
        /// Its line, from 1.
        number: u32,
    },
    /// An `-o` of the running sshd's command line, counted from 1.
    CommandLine(u32),
}

impl Tree {
    /// Reads the configuration file and everything that it includes.
    ///
    /// # Errors
    /// When the first file can't be read. What is wrong with included ones is among [`Self::problems`].
    pub fn read(config: &Path) -> Result<Self, TreeError> {
        read::read(config, Path::new(BASE))
    }

    /// The same with what stands behind `-o` on the command line of the sshd that runs.
    #[must_use]
    pub fn with_overrides(mut self, overrides: &[String]) -> Self {
        let given = (1..).zip(overrides);
        self.overrides = given
            .filter_map(|(number, text)| {
                let line = line::Line::parse(text)?;
                Some(Setting {
                    place: Place::CommandLine(number),
                    keyword: line.keyword,
                    value: line.rest.to_owned(),
                    conditions: Vec::new(),
                })
            })
            .collect();
        self
    }

    /// The setting that wins for this keyword and login; none when sshd's default holds.
    #[must_use]
    pub fn winner(&self, keyword: &str, login: &Login) -> Option<&Setting> {
        self.holding(keyword, login).first().copied()
    }

    /// Every setting of a keyword that holds for this login, the winner first. Of keywords that add up (`AllowUsers`) all count.
    #[must_use]
    pub fn holding(&self, keyword: &str, login: &Login) -> Vec<&Setting> {
        let keyword = line::canonical(keyword);
        let holds = |setting: &&Setting| {
            let mut conditions = setting.conditions.iter();
            !setting.conditions.is_empty() && conditions.all(|it| it.holds_for(login))
        };
        let matched = self.settings.iter().filter(holds);
        let global = self.settings.iter();
        let global = global.filter(|setting| setting.conditions.is_empty());
        matched
            .chain(&self.overrides)
            .chain(global)
            .filter(|setting| setting.keyword == keyword)
            .collect()
    }

    /// Every setting of a keyword, whether it ever wins or not, in reading order.
    pub fn settings<'a>(&'a self, keyword: &str) -> impl Iterator<Item = &'a Setting> {
        let keyword = line::canonical(keyword);
        self.overrides
            .iter()
            .chain(&self.settings)
            .filter(move |setting| setting.keyword == keyword)
    }

    /// What the command line sets.
    #[must_use]
    pub fn overrides(&self) -> &[Setting] {
        &self.overrides
    }

    /// The `Match` lines, in reading order.
    #[must_use]
    pub fn conditions(&self) -> &[Arc<Condition>] {
        &self.conditions
    }

    /// The files, in reading order; one that is included twice stands there twice.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// What could not be read or understood.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl Setting {
    /// The words of the value without quotes, up to a comment. Commands have none: sshd takes their whole line.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        line::words(&self.value)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { file, number } => write!(f, "{}:{number}", file.display()),
            Self::CommandLine(_) => f.write_str("-o on sshd's command line"),
        }
    }
}

/// What relative paths of `Include` are relative to, whatever file they stand in: sshd_config(5).
const BASE: &str = "/etc/ssh";

#[cfg(test)]
mod tests;
