//! Pages about configuration files, made of the examples that are shipped.
//!
//! An example names every setting at its default with a comment above it, and a test loads each of them; so a page made of one can't
//! forget a setting.

use std::fs;
use std::io;
use std::path::Path;

use crate::roff::Page;

/// Writes the pages of section 5 into `dir`.
pub fn write(dir: &Path) -> io::Result<()> {
    for file in FILES {
        fs::write(dir.join(format!("{}.5", file.name)), file.page())?;
    }
    Ok(())
}

struct File {
    name: &'static str,
    summary: &'static str,
    example: &'static str,
    see_also: &'static str,
}

const FILES: [File; 3] = [
    File {
        name: "keyroster-agent.toml",
        summary: "settings of keyroster's host agent",
        example: include_str!("../../../packaging/examples/agent.toml"),
        see_also: "keyroster-agent(8), keyroster-lookup.conf(5)",
    },
    File {
        name: "keyroster-lookup.conf",
        summary: "whom keyroster's key command asks",
        example: include_str!("../../../packaging/examples/lookup.conf"),
        see_also: "keyroster-lookup(8), keyroster-agent.toml(5), nsswitch.conf(5), sshd_config(5)",
    },
    File {
        name: "keyroster-server.toml",
        summary: "settings of keyroster's key server",
        example: include_str!("../../../packaging/examples/server.toml"),
        see_also: "keyroster-server(8)",
    },
];

impl File {
    fn page(&self) -> String {
        let mut page = Page::new(self.name, "5", self.summary);
        page.heading("DESCRIPTION");
        for block in self.example.split("\n\n") {
            for part in parts(block) {
                match part {
                    Part::Prose(text) => page.paragraph(&text),
                    Part::Verbatim(lines) => page.verbatim(&lines),
                }
            }
        }
        page.heading("SEE ALSO");
        page.paragraph(self.see_also);
        page.finish()
    }
}

/// What a run of lines is.
#[derive(Debug, PartialEq, Eq)]
enum Part<'a> {
    /// Comment that runs on.
    Prose(String),
    /// Settings, and comment that is set in columns.
    Verbatim(Vec<&'a str>),
}

fn parts(block: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    for line in block.lines().filter(|line| !matches!(*line, "" | "#")) {
        let prose = line
            .strip_prefix("# ")
            .filter(|text| !text.starts_with(' '));
        match (prose, parts.last_mut()) {
            (Some(text), Some(Part::Prose(before))) => {
                before.push(' ');
                before.push_str(text);
            }
            (Some(text), _) => parts.push(Part::Prose(text.to_owned())),
            (None, Some(Part::Verbatim(lines))) => lines.push(shown(line)),
            (None, _) => parts.push(Part::Verbatim(vec![shown(line)])),
        }
    }
    parts
}

/// A setting at its default is commented out in the example; in the manual it is only named.
fn shown(line: &str) -> &str {
    line.strip_prefix('#').unwrap_or(line).trim_start()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comment_becomes_prose_and_settings_stay_lines() {
        assert_eq!(
            parts("# First\n# and more.\n#a = 1\nb = 2"),
            [
                Part::Prose("First and more.".to_owned()),
                Part::Verbatim(vec!["a = 1", "b = 2"])
            ]
        );
    }

    #[test]
    fn what_is_set_in_columns_stays_so() {
        assert_eq!(
            parts("#   agent   the socket"),
            [Part::Verbatim(vec!["agent   the socket"])]
        );
    }

    #[test]
    fn every_example_becomes_a_page_with_all_its_settings() {
        for file in FILES {
            let page = file.page();
            let settings = file.example.lines().filter_map(|line| {
                let line = line.trim_start_matches('#');
                let (key, _) = line.split_once([' ', ':'])?;
                line.contains(['=', ':'])
                    .then_some(key)
                    .filter(|key| !key.is_empty() && !line.starts_with(' '))
            });
            for setting in settings {
                let setting = setting.replace('-', "\\-");
                assert!(page.contains(&setting), "{} lacks {setting}", file.name);
            }
        }
    }
}
