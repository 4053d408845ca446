//! What a command has to say: the same facts as JSON and for people.

use keyroster_api::receipt::Written;
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::table::Table;
use crate::text::{printable, printable_json};

/// The answer of a command that did what was asked.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    json: Option<String>,
    people: People,
    notes: Vec<String>,
    outcome: Outcome,
}

/// How a command ended that could be carried out.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is as it should be.
    Done,
    /// What was examined is not as it should be.
    Unsound,
    /// A host has not confirmed what was done.
    Pending,
}

/// What people read.
#[derive(Debug, Clone)]
pub(crate) enum People {
    /// Objects, one a row; quiet, their names only.
    List(Table),
    /// One object.
    Object(Table),
    /// The answer itself, already fit for a terminal.
    Text(String),
    /// A confirmation; quiet, nothing.
    Confirmation(String),
    /// What was done and who holds it, then who does not yet; quiet, only the names of these.
    Receipt(String, Vec<Table>),
}

impl Report {
    /// A report of this value.
    pub(crate) fn new(value: &impl Serialize, people: People) -> Result<Self> {
        let json = serde_json::to_string_pretty(value).map_err(|error| {
            Failure::new(
                Exit::Protocol,
                format!("can't write the answer as JSON: {error}"),
            )
        })?;
        Ok(Self {
            json: Some(format!("{json}\n")),
            people,
            notes: Vec::new(),
            outcome: Outcome::Done,
        })
    }

    /// A report of this value that people read as one sentence.
    pub(crate) fn confirm(value: &impl Serialize, sentence: impl AsRef<str>) -> Result<Self> {
        Self::new(
            value,
            People::Confirmation(format!("{}\n", printable(sentence.as_ref()))),
        )
    }

    /// A report of a write, which people read as one sentence that ends in the revision.
    pub(crate) fn written(written: &Written, sentence: impl AsRef<str>) -> Result<Self> {
        let sentence = format!("{} at revision {}", sentence.as_ref(), written.revision);
        Self::confirm(written, sentence)
    }

    /// A report of this value whose only answer for people is a secret that is told once: it stands alone on its line, so
    /// that a script can take it as it is.
    pub(crate) fn secret(value: &impl Serialize, secret: &str) -> Result<Self> {
        Self::new(value, People::Text(format!("{}\n", printable(secret))))
    }

    /// Text that is the same for people and programs.
    pub(crate) fn raw(text: String) -> Self {
        Self {
            json: None,
            people: People::Text(text),
            notes: Vec::new(),
            outcome: Outcome::Done,
        }
    }

    /// Adds something to know beside the answer; it goes to standard error.
    #[must_use]
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds what there is to know, if anything.
    #[must_use]
    pub(crate) fn notes_from(mut self, notes: impl IntoIterator<Item = String>) -> Self {
        self.notes.extend(notes);
        self
    }

    /// What was examined is not as it should be.
    #[must_use]
    pub(crate) fn unsound(mut self) -> Self {
        self.outcome = Outcome::Unsound;
        self
    }

    /// A host has not confirmed what was done.
    #[must_use]
    pub(crate) fn pending(mut self) -> Self {
        self.outcome = Outcome::Pending;
        self
    }

    pub(crate) const fn outcome(&self) -> Outcome {
        self.outcome
    }

    pub(crate) fn json(&self) -> String {
        match &self.json {
            Some(json) => printable_json(json),
            None => self.text(false, false),
        }
    }

    pub(crate) fn text(&self, quiet: bool, styled: bool) -> String {
        match &self.people {
            People::List(table) if quiet => names(table),
            People::Receipt(_, tables) if quiet => tables.iter().map(names).collect(),
            People::List(table) | People::Object(table) => table.render(styled),
            People::Text(text) => text.clone(),
            People::Receipt(text, tables) => {
                let tables = tables.iter().map(|table| table.render(styled));
                std::iter::once(text.clone()).chain(tables).collect()
            }
            People::Confirmation(_) if quiet => String::new(),
            People::Confirmation(text) => text.clone(),
        }
    }

    pub(crate) fn notes(&self) -> String {
        let line = |note: &str| format!("note: {}\n", printable(note));
        let nothing = match &self.people {
            People::List(table) if table.is_empty() => Some("there is nothing to list"),
            _ => None,
        };
        nothing
            .into_iter()
            .chain(self.notes.iter().map(String::as_str))
            .map(line)
            .collect()
    }
}

fn names(table: &Table) -> String {
    table.names().map(|name| format!("{name}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> Report {
        let mut table = Table::list(&["NAME", "STATE"]);
        table.row(["alice", "active"]);
        Report::new(&["alice"], People::List(table)).unwrap()
    }

    #[test]
    fn quiet_leaves_the_names_of_a_list_and_nothing_of_a_confirmation() {
        assert_eq!(list().text(true, false), "alice\n");
        let done = Report::confirm(&1, "added user \"alice\"").unwrap();
        assert_eq!(done.text(true, false), "");
        assert_eq!(done.text(false, false), "added user \"alice\"\n");
    }

    #[test]
    fn an_empty_list_says_that_it_is_empty_beside_the_answer() {
        let empty: [u8; 0] = [];
        let report = Report::new(&empty, People::List(Table::list(&["NAME"]))).unwrap();
        assert_eq!(report.text(false, false), "");
        assert_eq!(report.notes(), "note: there is nothing to list\n");
    }

    #[test]
    fn notes_stay_one_line_each() {
        assert_eq!(
            list().note("a\nb").note("c").notes(),
            "note: a\\u{a}b\nnote: c\n"
        );
    }
}
