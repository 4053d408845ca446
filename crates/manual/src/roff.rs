//! The little of roff that pages about files need.

use std::fmt::Write as _;

/// A page that grows.
#[derive(Debug)]
pub struct Page(String);

impl Page {
    /// A page with its title, its section and its one line.
    pub fn new(name: &str, section: &str, summary: &str) -> Self {
        let mut page = Self(String::new());
        let version = env!("CARGO_PKG_VERSION");
        let title = name.to_uppercase();
        page.line(&format!(
            ".TH \"{title}\" {section} \"\" \"keyroster {version}\" \"keyroster\""
        ));
        page.heading("NAME");
        page.line(&format!("{} \\- {}", escaped(name), escaped(summary)));
        page
    }

    /// A section.
    pub fn heading(&mut self, title: &str) {
        self.line(&format!(".SH {title}"));
    }

    /// Running text.
    pub fn paragraph(&mut self, text: &str) {
        self.line(".PP");
        self.line(&escaped(text));
    }

    /// Lines as they are.
    pub fn verbatim(&mut self, lines: &[&str]) {
        self.line(".PP");
        self.line(".RS 4");
        self.line(".nf");
        for line in lines {
            self.line(&escaped(line));
        }
        self.line(".fi");
        self.line(".RE");
    }

    /// The whole page.
    pub fn finish(self) -> String {
        self.0
    }

    fn line(&mut self, line: &str) {
        let _ = writeln!(self.0, "{line}");
    }
}

/// Text that roff takes for text: backslashes, hyphens that are minus signs, and a dot or a quote that begins a line.
fn escaped(text: &str) -> String {
    let plain = text
        .replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('…', "...");
    if plain.starts_with(['.', '\'']) {
        format!("\\&{plain}")
    } else {
        plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        assert_eq!(escaped(".so x"), "\\&.so x");
        assert_eq!(escaped("a\\b --c"), "a\\eb \\-\\-c");
    }
}
