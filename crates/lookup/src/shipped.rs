//! The files that are shipped say what this program takes.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use crate::args::{self, Invocation};
use crate::asked::{Asked, Verb};
use crate::config::Config;
use crate::limits;

/// A file of the source tree.
fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path);
    fs::read_to_string(&path)
        .unwrap_or_else(|err| panic!("{} could not be read: {err}", path.display()))
}

/// The lookup's command lines in a drop-in, commented out or not, with sshd's tokens filled in.
fn templates(drop_in: &str) -> Vec<Asked> {
    let tokens = [
        ("%u", "deploy"),
        ("%U", "1000"),
        ("%t", "ssh-ed25519"),
        ("%k", "AAAA"),
        ("%f", "SHA256:x"),
    ];
    let fill = |word: &str| {
        let filled = tokens.iter().fold(word.to_owned(), |word, (token, value)| {
            word.replace(token, value)
        });
        OsString::from(filled)
    };
    let text = read(drop_in);
    let lines = text.lines().map(|line| line.trim_start_matches('#'));
    let commands =
        lines.filter(|line| line.split_ascii_whitespace().next().is_some_and(is_command));
    commands
        .map(
            |line| match args::parse(line.split_ascii_whitespace().skip(1).map(fill)) {
                Ok(Invocation::Answer(asked)) => *asked,
                other => panic!("{line} gave {other:?}"),
            },
        )
        .collect()
}

fn is_command(directive: &str) -> bool {
    ["AuthorizedKeysCommand", "AuthorizedPrincipalsCommand"].contains(&directive)
}

#[test]
fn the_shipped_configuration_is_the_default_one() {
    assert_eq!(
        Config::parse(&read("packaging/examples/lookup.conf")).unwrap(),
        Config::default()
    );
}

#[test]
fn every_setting_that_is_shipped_commented_out_can_be_switched_on() {
    let text = read("packaging/examples/lookup.conf");
    let offered: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()))
        .collect();
    assert!(!offered.is_empty());
    for line in offered {
        // A limit is refused without the source that it is for.
        let named = line.split(':').next().and_then(limits::named);
        let source = named.map(|(name, _limit)| format!("command.{name}: /x\n"));
        Config::parse(&(source.unwrap_or_default() + line))
            .unwrap_or_else(|err| panic!("{line}: {err}"));
    }
}

#[test]
fn the_templates_in_the_shipped_drop_ins_are_read() {
    for drop_in in [
        "sshd-config/10-keyroster.conf",
        "sshd-config/10-keyroster-9.4.conf",
    ] {
        let asked = templates(drop_in);
        let verbs: Vec<_> = asked.iter().map(|asked| asked.verb).collect();
        assert_eq!(verbs, [Verb::Principals, Verb::Keys], "{drop_in}");
        let connection = drop_in.contains("9.4");
        assert!(
            asked
                .iter()
                .all(|asked| asked.noted.connection.is_some() == connection),
            "{drop_in}"
        );
    }
}

#[test]
fn the_manual_page_has_every_option_that_help_has() {
    let page = read("packaging/man/keyroster-lookup.8").replace("\\-", "-");
    let words = args::HELP.split(|c: char| !(c.is_ascii_lowercase() || c == '-'));
    for option in words.filter(|word| word.starts_with("--")) {
        assert!(page.contains(option), "{option}");
    }
}
