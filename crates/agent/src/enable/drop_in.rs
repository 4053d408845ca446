//! The text of the drop-in: the file that the sources ship, with what was asked for put in.
//!
//! It is compiled in, so that the program that enables and the text that it was tried with are of one version.

use std::path::Path;

use keyroster_keys::AccountName;
use keyroster_sshd::Version;

use crate::enable::args::{DEFAULT_BREAK_GLASS, DEFAULT_LOOKUP, DEFAULT_LOOKUP_USER};
use crate::enable::places::Lookup;

/// What sshd is to be told.
#[derive(Debug, Clone)]
pub struct Shape<'a> {
    /// The release that has to understand it.
    pub version: Version,
    /// What it is to run.
    pub lookup: &'a Lookup,
    /// For whom.
    pub who: Who,
    /// Where keys are besides.
    pub files: Files,
    /// The patterns of `AuthorizedKeysFile` before, unless break-glass files are among them.
    pub before: Option<Vec<String>>,
    /// Where break-glass files are.
    pub break_glass: &'a Path,
}

/// For whom sshd asks keyroster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// For every account.
    Everybody,
    /// For the accounts in this Unix group.
    Group(AccountName),
}

/// Where sshd takes keys from besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// From where it did before, and from break-glass files first.
    AsBefore,
    /// From break-glass files alone.
    BreakGlassOnly,
}

/// Whose a drop-in is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Origin {
    /// It is a text that the sources ship.
    Shipped,
    /// It makes sshd run our lookup.
    Ours,
    /// It has nothing to do with keyroster.
    Foreign,
}

/// The drop-in's text.
#[must_use]
pub fn render(shape: &Shape<'_>) -> String {
    let template = if shape.version.knows_connection_token() {
        WITH_CONNECTION
    } else {
        PLAIN
    };
    let mut text = String::with_capacity(template.len() + 256);
    let mut indent = "";
    for line in template.lines() {
        if let (Who::Group(group), true) = (&shape.who, line.starts_with(KEYS)) {
            // A break-glass key is for whoever has one, in the group or not.
            if let Some(line) = shape.besides() {
                text.push_str(&format!("{line}\n\n"));
            }
            text.push_str(&format!("Match Group {group}\n"));
            indent = "    ";
        }
        let line = directive(line, shape);
        if !line.is_empty() && !line.starts_with('#') {
            text.push_str(indent);
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}

impl Shape<'_> {
    /// Break-glass files before those from which sshd took keys already, where it did not read them.
    fn besides(&self) -> Option<String> {
        let before = self.before.as_ref()?;
        let mut line = format!("AuthorizedKeysFile {}/%u", self.break_glass.display());
        for pattern in before {
            line.push(' ');
            line.push_str(pattern);
        }
        Some(line)
    }
}

fn directive(line: &str, shape: &Shape<'_>) -> String {
    let lookup = shape.lookup;
    let break_glass = shape.break_glass.display();
    if line.starts_with(FILES) && shape.files == Files::BreakGlassOnly {
        return format!("AuthorizedKeysFile {break_glass}/%u");
    }
    if line.starts_with(FILES)
        && shape.who == Who::Everybody
        && let Some(line) = shape.besides()
    {
        return line;
    }
    if line.starts_with(FILES) {
        return line.replace(DEFAULT_BREAK_GLASS, &break_glass.to_string());
    }
    for verb in [" keys ", " principals "] {
        let shipped = format!("{DEFAULT_LOOKUP}{verb}");
        if line.contains(&shipped) {
            let config = lookup.config.as_ref();
            let config = config.map_or(String::new(), |path| {
                format!("--config={} ", path.display())
            });
            let program = lookup.program.display();
            return line.replace(&shipped, &format!("{program}{verb}{config}"));
        }
    }
    if line.trim_start_matches('#').starts_with("Authorized") {
        let user = format!("User {DEFAULT_LOOKUP_USER}");
        return line.replace(&user, &format!("User {}", lookup.user));
    }
    line.to_owned()
}

/// The key command that a drop-in sets.
#[must_use]
pub fn key_command(text: &str) -> Option<&str> {
    text.lines().find_map(|line| {
        let line = line.trim();
        let end = line.find(|c: char| c.is_whitespace() || c == '=')?;
        let (keyword, value) = line.split_at_checked(end)?;
        let value = value.trim_start_matches(|c: char| c.is_whitespace() || c == '=');
        keyword
            .eq_ignore_ascii_case("AuthorizedKeysCommand")
            .then_some(value)
    })
}

/// Whose a drop-in is, by what it says.
pub fn origin(bytes: &[u8]) -> Origin {
    if [PLAIN, WITH_CONNECTION]
        .iter()
        .any(|text| text.as_bytes() == bytes)
    {
        return Origin::Shipped;
    }
    let text = String::from_utf8_lossy(bytes);
    match key_command(&text).and_then(program_of) {
        Some(program) if is_lookup(program) => Origin::Ours,
        _ => Origin::Foreign,
    }
}

/// The program of a key command.
#[must_use]
pub fn program_of(command: &str) -> Option<&str> {
    command.split_ascii_whitespace().next()
}

/// Whether a program is our lookup, wherever it was installed.
#[must_use]
pub fn is_lookup(program: &str) -> bool {
    Path::new(program)
        .file_name()
        .is_some_and(|name| name == "keyroster-lookup")
}

const PLAIN: &str = include_str!("../../../../sshd-config/10-keyroster.conf");
const WITH_CONNECTION: &str = include_str!("../../../../sshd-config/10-keyroster-9.4.conf");
const KEYS: &str = "AuthorizedKeysCommand ";
const FILES: &str = "#AuthorizedKeysFile ";

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(program: &str) -> Lookup {
        Lookup {
            program: program.into(),
            config: None,
            user: AccountName::parse(DEFAULT_LOOKUP_USER).unwrap(),
        }
    }

    fn shape(lookup: &Lookup, minor: u32) -> Shape<'_> {
        Shape {
            version: Version::new(9, minor),
            lookup,
            who: Who::Everybody,
            files: Files::AsBefore,
            before: None,
            break_glass: Path::new(DEFAULT_BREAK_GLASS),
        }
    }

    fn directives(shape: &Shape<'_>) -> Vec<String> {
        let text = render(shape);
        let lines = text.lines().filter(|line| !line.is_empty());
        let lines = lines.filter(|line| !line.starts_with('#'));
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn break_glass_files_come_before_those_that_sshd_read_already() {
        let lookup = lookup(DEFAULT_LOOKUP);
        let shape = Shape {
            before: Some(vec![".ssh/a".to_owned(), ".ssh/b".to_owned()]),
            ..shape(&lookup, 2)
        };
        let all = "AuthorizedKeysFile /etc/keyroster/break-glass/%u .ssh/a .ssh/b";
        assert_eq!(directives(&shape).last().unwrap(), all);
        let only = Shape {
            files: Files::BreakGlassOnly,
            ..shape.clone()
        };
        let alone = "AuthorizedKeysFile /etc/keyroster/break-glass/%u";
        assert_eq!(directives(&only).last().unwrap(), alone);
        let none_before = Shape {
            before: Some(Vec::new()),
            ..shape.clone()
        };
        assert_eq!(directives(&none_before).last().unwrap(), alone);
        let pilot = Shape {
            who: Who::Group(AccountName::parse("pilot").unwrap()),
            ..only
        };
        let lines = directives(&pilot);
        assert_eq!([&lines[0], &lines[1]], [all, "Match Group pilot"]);
        assert_eq!(lines.last().unwrap().trim(), alone);
    }

    #[test]
    fn what_is_usual_gives_the_shipped_file_of_the_release() {
        let lookup = lookup(DEFAULT_LOOKUP);
        assert_eq!(render(&shape(&lookup, 2)), PLAIN);
        assert_eq!(render(&shape(&lookup, 4)), WITH_CONNECTION);
        assert!(
            !PLAIN
                .lines()
                .any(|line| !line.starts_with('#') && line.contains("%C"))
        );
    }

    #[test]
    fn other_places_stand_wherever_the_usual_ones_did() {
        let lookup = Lookup {
            config: Some("/opt/lookup.conf".into()),
            user: AccountName::parse("keyroster-agent").unwrap(),
            ..lookup("/opt/keyroster-lookup")
        };
        let shape = Shape {
            break_glass: Path::new("/opt/glass"),
            ..shape(&lookup, 2)
        };
        let text = render(&shape);
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("Authorized"))
            .collect();
        assert!(
            lines.iter().all(|line| !line.contains(DEFAULT_LOOKUP)),
            "{lines:?}"
        );
        let command = key_command(&text).unwrap();
        assert!(
            command.starts_with("/opt/keyroster-lookup keys --config=/opt/lookup.conf --user=%u "),
            "{command}"
        );
        assert!(text.contains("\nAuthorizedKeysCommandUser keyroster-agent\n"));
        assert!(text.contains("\n#AuthorizedKeysFile /opt/glass/%u\n"));
    }

    #[test]
    fn a_group_gets_a_block_that_holds_every_directive() {
        let lookup = lookup(DEFAULT_LOOKUP);
        let shape = Shape {
            who: Who::Group(AccountName::parse("pilot").unwrap()),
            files: Files::BreakGlassOnly,
            ..shape(&lookup, 2)
        };
        let text = render(&shape);
        let directives: Vec<&str> = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .collect();
        assert_eq!(directives.len(), 4, "{directives:?}");
        assert_eq!(directives[0], "Match Group pilot");
        assert!(directives[1].starts_with("    AuthorizedKeysCommand /"));
        assert_eq!(
            directives[2],
            "    AuthorizedKeysCommandUser keyroster-lookup"
        );
        assert_eq!(
            directives[3],
            "    AuthorizedKeysFile /etc/keyroster/break-glass/%u"
        );
    }

    #[test]
    fn a_drop_in_is_ours_by_the_program_that_it_runs() {
        assert_eq!(origin(PLAIN.as_bytes()), Origin::Shipped);
        for text in [
            "authorizedkeyscommand=/opt/keyroster-lookup keys\n",
            "Match User a\n\tAuthorizedKeysCommand\t/usr/lib/keyroster/keyroster-lookup keys --user=%u\n",
        ] {
            assert_eq!(origin(text.as_bytes()), Origin::Ours, "{text}");
        }
        for text in [
            "",
            "#AuthorizedKeysCommand /usr/lib/keyroster/keyroster-lookup keys\n",
            "AuthorizedKeysCommand /usr/bin/sss_ssh_authorizedkeys %u keyroster-lookup\n",
            "AuthorizedKeysCommandUser keyroster-lookup\n",
        ] {
            assert_eq!(origin(text.as_bytes()), Origin::Foreign, "{text}");
        }
    }
}
