//! What doctor finds, and what it may find at all.

use std::fmt;

use crate::doctor::fix::Fix;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// It works, and a promise of keyroster's does not hold, or soon will not.
    Warning,
    /// Somebody is kept out or let in who should not be, or soon will be.
    Error,
}

/// Something that can be wrong. Each has its row in docs/doctor.md.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name, for scripts: it stays.
    pub id: &'static str,
    /// How bad it is when it is broken.
    pub severity: Severity,
    /// What is wrong then.
    pub meaning: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// What mends it.
    pub mend: Mend,
}

/// What mends something anywhere. Words in capitals stand for what a finding names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mend {
    /// A command line.
    Run(&'static str),
    /// What somebody has to decide or to find out first.
    Judge(&'static str),
}

/// What mends something here; safe to print.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// A command line to paste: what is no constant in it is quoted.
    Run(String),
    /// What somebody has to decide or to find out first.
    Judge(String),
}

/// One look at one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which thing.
    pub rule: &'static Rule,
    /// What the look came to.
    pub outcome: Outcome,
    /// What was seen, where; safe to print.
    pub what: String,
    /// What mends it here, where that is more than the rule says; safe to print.
    mend: Option<Remedy>,
    /// What `--fix` would do about it.
    pub fix: Option<Fix>,
    /// Every account that it is about, where they are more than people would read; safe to print.
    pub accounts: Vec<String>,
}

/// What a look came to.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is as it should be.
    Holds,
    /// It is not.
    Broken,
    /// It could not be seen.
    Unseen,
}

impl Finding {
    /// It is as it should be.
    #[must_use]
    pub fn holds(rule: &'static Rule, what: impl AsRef<str>) -> Self {
        Self::new(rule, Outcome::Holds, what.as_ref())
    }

    /// It is not.
    #[must_use]
    pub fn broken(rule: &'static Rule, what: impl AsRef<str>) -> Self {
        Self::new(rule, Outcome::Broken, what.as_ref())
    }

    /// It could not be seen, and why.
    #[must_use]
    pub fn unseen(rule: &'static Rule, why: impl AsRef<str>) -> Self {
        Self::new(rule, Outcome::Unseen, why.as_ref())
    }

    /// Broken with these words, or as it should be with the others.
    #[must_use]
    pub fn judge(rule: &'static Rule, broken: Option<String>, holds: &str) -> Self {
        broken.map_or_else(|| Self::holds(rule, holds), |what| Self::broken(rule, what))
    }

    fn new(rule: &'static Rule, outcome: Outcome, what: &str) -> Self {
        Self {
            rule,
            outcome,
            what: plain(what),
            mend: None,
            fix: None,
            accounts: Vec::new(),
        }
    }

    /// With every account that it is about, for programs.
    #[must_use]
    pub fn about<'a>(self, accounts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut accounts: Vec<String> = accounts.into_iter().map(plain).collect();
        accounts.dedup();
        Self { accounts, ..self }
    }

    /// With what mends it here.
    #[must_use]
    pub fn mended_by(self, remedy: Remedy) -> Self {
        Self {
            mend: Some(remedy),
            ..self
        }
    }

    /// With what mends it here, where that is more than the rule says.
    #[must_use]
    pub fn mended_by_some(self, remedy: Option<Remedy>) -> Self {
        match remedy {
            Some(remedy) => self.mended_by(remedy),
            None => self,
        }
    }

    /// With what `--fix` would do about it.
    #[must_use]
    pub fn fixed_by(self, fix: Fix) -> Self {
        Self {
            fix: Some(fix),
            ..self
        }
    }

    /// How bad it is; what could not be seen is no worse than a note.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self.outcome {
            Outcome::Holds => Severity::Ok,
            Outcome::Broken => self.rule.severity,
            Outcome::Unseen => Severity::Note,
        }
    }

    /// What mends it; none when there is nothing to mend.
    #[must_use]
    pub fn mend(&self) -> Option<Remedy> {
        let remedy = || self.mend.clone().unwrap_or_else(|| self.rule.mend.into());
        (self.outcome == Outcome::Broken).then(remedy)
    }
}

impl Remedy {
    /// A command line. One that could not be printed as it is can't be pasted either, and is a thing to look at.
    pub fn run(command: impl AsRef<str>) -> Self {
        let printed = plain(command.as_ref());
        match printed == command.as_ref() {
            true => Self::Run(printed),
            false => Self::Judge(printed),
        }
    }

    /// Words about what to decide.
    pub fn judge(words: impl AsRef<str>) -> Self {
        Self::Judge(plain(words.as_ref()))
    }

    /// Its words.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Run(text) | Self::Judge(text) => text,
        }
    }

    /// What it is called in `--json`, and before its words.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Run(_) => "mend",
            Self::Judge(_) => "judge",
        }
    }
}

impl From<Mend> for Remedy {
    fn from(mend: Mend) -> Self {
        match mend {
            Mend::Run(command) => Self::run(command),
            Mend::Judge(words) => Self::judge(words),
        }
    }
}

impl Severity {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Text of files, of programs and of names as it may stand on a terminal: whatever is no plain character is written as a number,
/// and what is long is cut.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for (count, c) in text.chars().enumerate() {
        if count >= MAX_CHARS {
            safe.push('…');
            break;
        }
        match c {
            '…' | '–' => safe.push(c),
            c if c.is_ascii_graphic() || c == ' ' => safe.push(c),
            c => safe.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
        }
    }
    safe
}

/// Makes the rules of a check, and the list of them: one that is not in the list would have no row in the documentation.
macro_rules! rules {
    ($($name:ident = $severity:ident $id:literal: $meaning:literal, $why:literal, $kind:ident $mend:literal;)+) => {
        $(
            #[doc = $meaning]
            pub static $name: crate::doctor::finding::Rule = crate::doctor::finding::Rule {
                id: $id,
                severity: crate::doctor::finding::Severity::$severity,
                meaning: $meaning,
                why: $why,
                mend: crate::doctor::finding::Mend::$kind($mend),
            };
        )+

        /// All of them.
        pub static RULES: &[&crate::doctor::finding::Rule] = &[$(&$name),+];
    };
}

pub(crate) use rules;

/// Characters of one text.
const MAX_CHARS: usize = 600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_gets_through() {
        assert_eq!(
            plain("a\u{1b}[2Jb\n\u{202e}c"),
            "a\\u{1b}[2Jb\\u{a}\\u{202e}c"
        );
        assert_eq!(plain(&"x".repeat(1000)).chars().count(), MAX_CHARS + 1);
    }

    #[test]
    fn what_could_not_be_seen_is_neither_good_nor_bad() {
        static RULE: Rule = Rule {
            id: "x",
            severity: Severity::Error,
            meaning: "",
            why: "",
            mend: Mend::Run("do"),
        };
        let severity = |finding: &Finding| finding.severity();
        assert_eq!(severity(&Finding::unseen(&RULE, "no")), Severity::Note);
        assert_eq!(severity(&Finding::broken(&RULE, "no")), Severity::Error);
        assert_eq!(severity(&Finding::holds(&RULE, "yes")), Severity::Ok);
        assert_eq!(Finding::unseen(&RULE, "no").mend(), None);
        let mend = Finding::broken(&RULE, "no").mend();
        assert_eq!(mend, Some(Remedy::Run("do".to_owned())));
    }

    #[test]
    fn a_command_that_can_not_be_printed_as_it_is_is_nothing_to_paste() {
        assert!(matches!(Remedy::run("chmod go-w /a"), Remedy::Run(_)));
        for command in [
            "chmod go-w '/a\u{1b}[2J'",
            "chmod go-w '/ä'",
            &"x".repeat(700),
        ] {
            assert!(
                matches!(Remedy::run(command), Remedy::Judge(_)),
                "{command}"
            );
        }
    }
}
