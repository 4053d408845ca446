//! Where a document names a command of ours.

use std::fmt;

use crate::documents::{Document, Kind};
use crate::judge::{PROGRAMS, verbs};
use crate::shell::{Simple, commands};

/// A command line of one of our programs.
#[derive(Debug)]
pub struct Mention {
    place: String,
    /// Which of them may be meant.
    pub programs: Vec<&'static str>,
    pub arguments: Vec<String>,
    pub manner: Manner,
}

/// How a command is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// To be typed as it stands.
    Typed,
    /// By name, among sentences: what it demands may be left out.
    Named,
}

impl fmt::Display for Mention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arguments = self.arguments.join(" ");
        write!(f, "{}: {} {arguments}", self.place, self.programs.join("|"))
    }
}

/// All that a document has.
pub fn all(document: &Document) -> Vec<Mention> {
    match document.kind {
        Kind::Markdown => markdown(document),
        Kind::Yaml => yaml(document),
        Kind::Settings => settings(document),
        Kind::Rust => rust(document),
    }
}

fn markdown(document: &Document) -> Vec<Mention> {
    let mut mentions = Vec::new();
    let mut prose = String::new();
    let mut block: Option<(&str, String)> = None;
    for line in document.text.lines() {
        match (line.trim_start().strip_prefix("```"), &mut block) {
            (Some(language), None) => {
                block = Some((language, "\n".repeat(prose.matches('\n').count())))
            }
            (Some(_), Some(_)) => mentions.extend(block.take().iter().flat_map(
                |(language, text)| match *language {
                    "sh" => typed(document, text),
                    _ => typed(document, &after_prompts(text)),
                },
            )),
            (None, Some((_, text))) => text.push_str(line),
            (None, None) => prose.push_str(line),
        }
        prose.push('\n');
        if let Some((_, text)) = &mut block {
            text.push('\n');
        }
    }
    mentions.extend(between_backticks(document, &prose));
    mentions
}

/// The lines of a transcript that somebody has typed: behind a prompt, or one of our programs with something that begins as a verb or
/// an option does.
fn after_prompts(text: &str) -> String {
    let typed = |line: &str| {
        let line = line.trim_start();
        let mut words = line.split_whitespace();
        let begins = words.next().and_then(program_named).is_some();
        let goes_on = words.next().is_some_and(|word| {
            word.starts_with(|char: char| char.is_ascii_lowercase() || char == '-')
        });
        match line.strip_prefix("$ ") {
            Some(typed) => typed.to_owned(),
            None if (begins && goes_on) || line.contains("=$(") => line.to_owned(),
            None => String::new(),
        }
    };
    let lines: Vec<String> = text.lines().map(typed).collect();
    lines.join("\n")
}

/// Lists of arguments in which one may be a whole command, with names of variables for programs.
fn yaml(document: &Document) -> Vec<Mention> {
    let mut mentions = between_backticks(document, &document.text);
    for (line, text) in document.text.lines().enumerate() {
        let list = text
            .split_once('[')
            .and_then(|(_, rest)| rest.rsplit_once(']'));
        let Some((list, _)) = list else { continue };
        let list = list
            .replace("{{ keyroster_cli }}", "keyroster")
            .replace("{{ keyroster_agent }}", "keyroster-agent")
            .replace(", ", " ");
        let at = "\n".repeat(line);
        mentions.extend(typed(document, &format!("{at}{list}")));
    }
    mentions
}

/// Line by line, since an apostrophe in a description is none of a shell's.
fn settings(document: &Document) -> Vec<Mention> {
    let mut mentions = between_backticks(document, &document.text);
    for (line, text) in document.text.lines().enumerate() {
        let at = "\n".repeat(line);
        mentions.extend(typed(
            document,
            &format!("{at}{}", text.replace("ExecStart=", "")),
        ));
    }
    mentions
}

/// Literals; one that does not begin with a command may have some between backticks.
fn rust(document: &Document) -> Vec<Mention> {
    let text = document.text.replace("\\\"", "'");
    // Tests are not for people.
    let text = text
        .split("\n#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let mut mentions = between_backticks(document, &text.replace("{0}", "NAME"));
    for (line, text) in text.lines().enumerate() {
        let literals = text.split('"').skip(1).step_by(2);
        for literal in literals.filter(|literal| !literal.contains('`') && is_command(literal)) {
            let at = "\n".repeat(line);
            mentions.extend(typed(
                document,
                &format!("{at}{}", literal.replace(", ", "; ")),
            ));
        }
    }
    mentions
}

/// Whether a text begins with a program of ours and one of its verbs.
fn is_command(text: &str) -> bool {
    let mut words = text.split([' ', ',']);
    let program = words.next().and_then(program_named);
    let verb = words.next().unwrap_or_default();
    program.is_some_and(|program| verbs(program).iter().any(|known| known == verb))
}

/// What stands between backticks within a paragraph. A line of its own may begin with comment signs.
fn between_backticks(document: &Document, text: &str) -> Vec<Mention> {
    let mut mentions = Vec::new();
    let mut line = 0;
    for paragraph in text.split_inclusive("\n\n") {
        for (index, part) in paragraph.split('`').enumerate() {
            if index % 2 == 1 && !part.contains("\n\n") {
                let one_line = part
                    .split_whitespace()
                    .filter(|word| !["#", "//", "///", "//!"].contains(word));
                // In a table a bar is written so.
                let one_line = one_line.collect::<Vec<_>>().join(" ").replace("\\|", "|");
                let at = "\n".repeat(line);
                mentions.extend(named(document, &format!("{at}{one_line}")));
            }
            line += part.matches('\n').count();
        }
    }
    mentions
}

fn typed(document: &Document, text: &str) -> Vec<Mention> {
    let simple = commands(text);
    simple
        .iter()
        .flat_map(|simple| of(document, simple, Manner::Typed))
        .collect()
}

fn named(document: &Document, text: &str) -> Vec<Mention> {
    let simple = commands(text);
    simple
        .iter()
        .flat_map(|simple| of(document, simple, Manner::Named))
        .collect()
}

/// The mention that a simple command is, or those in its quoted words.
fn of(document: &Document, simple: &Simple, manner: Manner) -> Vec<Mention> {
    let place = format!("{}:{}", document.path.display(), simple.line + 1);
    let mention = |(programs, arguments): (Vec<_>, &[String])| Mention {
        place: place.clone(),
        programs,
        arguments: arguments.to_vec(),
        manner,
    };
    if let Some((program, arguments)) = ours(&simple.words) {
        return vec![mention((vec![program], arguments))];
    }
    if manner == Manner::Named
        && let Some(programs) = programs_of_verb(&simple.words)
    {
        return vec![mention((programs, &simple.words))];
    }
    // Names of accounts and descriptions are quoted in settings.
    let inner = simple
        .words
        .iter()
        .filter(|word| word.contains(' ') && document.kind != Kind::Settings);
    inner
        .flat_map(|word| commands(word))
        .filter_map(|inner| {
            ours(&inner.words).map(|(program, arguments)| mention((vec![program], arguments)))
        })
        .collect()
}

/// The programs that could be meant by a verb with an option, where none is named.
fn programs_of_verb(words: &[String]) -> Option<Vec<&'static str>> {
    let (verb, rest) = words.split_first()?;
    rest.iter().find(|word| word.starts_with("--"))?;
    let programs = PROGRAMS
        .into_iter()
        .filter(|program| verbs(program).contains(verb));
    let programs: Vec<_> = programs.collect();
    (!programs.is_empty()).then_some(programs)
}

/// Our program and its arguments, behind whatever it is started by. A program that is only named has none.
fn ours(words: &[String]) -> Option<(&'static str, &[String])> {
    let mut words = words;
    loop {
        let (first, rest) = words.split_first()?;
        if let Some(program) = program_named(first) {
            return (!rest.is_empty()).then_some((program, rest));
        }
        let is_assignment = first.split_once('=').is_some_and(|(name, _)| {
            name.chars()
                .all(|char| char.is_ascii_uppercase() || char == '_')
        });
        words = match first.as_str() {
            "runuser" => rest.get(rest.iter().position(|word| word == "--")? + 1..)?,
            "systemd-run" => {
                rest.get(rest.iter().position(|word| program_named(word).is_some())?..)?
            }
            "sudo" => {
                let options = rest.iter().take_while(|word| word.starts_with('-')).count();
                rest.get(options..)?
            }
            "exec" | "if" | "then" | "or" | "!" | "do" | "$" | "-" => rest,
            _ if is_assignment => rest,
            _ => return None,
        };
    }
}

fn program_named(word: &str) -> Option<&'static str> {
    let name = word.rsplit('/').next().unwrap_or(word);
    PROGRAMS.into_iter().find(|program| *program == name)
}

#[test]
fn what_no_program_takes_is_found_wherever_it_stands() {
    let text = "Type `keyroster usr add`, or `keyroster user add alice`, with\n`user\nsuspend --wiat`.\n\n\
        ```sh\nsudo keyroster grant add --usr alice   # none\n```\n\
        ```\n$ keyroster key show\nkeyroster-agent status\n```\n";
    let document = Document {
        path: "page.md".into(),
        kind: Kind::Markdown,
        text: text.to_owned(),
    };
    let judge = crate::judge::Judge::new();
    let mentions = all(&document);
    let wrong = mentions
        .iter()
        .filter(|mention| judge.fault(mention).is_some());
    let wrong: Vec<String> = wrong.map(Mention::to_string).collect();
    assert_eq!(
        wrong,
        [
            "page.md:6: keyroster grant add --usr alice",
            "page.md:9: keyroster key show",
            "page.md:1: keyroster usr add",
            "page.md:2: keyroster user suspend --wiat",
        ]
    );
    assert_eq!(mentions.len(), 6);
}
