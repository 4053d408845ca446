//! Columns for people: padded, without lines between them, never wrapped, so that a fingerprint can be copied whole.

use comfy_table::Table as Layout;
use comfy_table::presets::NOTHING;

use crate::terminal::bold;
use crate::text::printable;

/// Rows of cells. Cells may come from anywhere; they are made fit for a terminal when they are added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A list, with a name over each column.
    pub(crate) fn list(header: &[&'static str]) -> Self {
        Self {
            header: header.to_vec(),
            rows: Vec::new(),
        }
    }

    /// One object: a name and a value on each line.
    pub(crate) fn object() -> Self {
        Self::list(&[])
    }

    /// Adds a row.
    pub(crate) fn row<'a>(&mut self, cells: impl IntoIterator<Item = &'a str>) -> &mut Self {
        let cells = cells.into_iter().map(|cell| printable(cell).into_owned());
        self.rows.push(cells.collect());
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The first cell of each row: what names the objects of a list.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.rows
            .iter()
            .filter_map(|row| row.first())
            .map(String::as_str)
    }

    /// The text, each line ended. A list without rows has no text, not even its header.
    pub(crate) fn render(&self, styled: bool) -> String {
        if self.is_empty() {
            return String::new();
        }
        let mut layout = Layout::new();
        layout.load_style(NOTHING);
        if !self.header.is_empty() {
            layout.set_header(self.header.iter().copied());
        }
        layout.add_rows(self.rows.iter().map(|row| row.iter().map(String::as_str)));
        for column in layout.column_iter_mut() {
            column.set_padding((0, COLUMN_GAP));
        }
        let mut text = String::new();
        for (number, line) in layout.lines().enumerate() {
            let is_header = number == 0 && !self.header.is_empty();
            text.push_str(&bold(line.trim_end(), styled && is_header));
            text.push('\n');
        }
        text
    }
}

/// Blanks between columns.
const COLUMN_GAP: u16 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn users() -> Table {
        let mut table = Table::list(&["NAME", "STATE"]);
        table
            .row(["alice", "active"])
            .row(["build-bot", "suspended"]);
        table
    }

    #[test]
    fn columns_line_up_and_no_line_ends_in_blanks() {
        assert_eq!(
            users().render(false),
            "NAME       STATE\nalice      active\nbuild-bot  suspended\n"
        );
    }

    #[test]
    fn only_the_header_is_styled() {
        let styled = users().render(true);
        assert!(styled.starts_with("\u{1b}[1mNAME"), "{styled:?}");
        assert_eq!(styled.matches('\u{1b}').count(), 2);
    }

    #[test]
    fn a_cell_cannot_end_its_line_or_style_it() {
        let mut table = Table::object();
        table.row(["label", "a\n\u{1b}[31mb"]);
        assert_eq!(table.render(false), "label  a\\u{a}\\u{1b}[31mb\n");
    }

    #[test]
    fn a_long_cell_is_never_wrapped() {
        let mut table = Table::object();
        table.row(["line", &"word ".repeat(200)]);
        assert_eq!(table.render(false).lines().count(), 1);
    }
}
