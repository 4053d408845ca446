//! What the programs make of a command line.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory as _};

use crate::mentions::{Manner, Mention};

/// The programs, by name.
pub const PROGRAMS: [&str; 3] = ["keyroster", "keyroster-agent", "keyroster-server"];

/// Their command lines.
pub struct Judge([Command; 3]);

impl Judge {
    pub fn new() -> Self {
        Self(PROGRAMS.map(command))
    }

    /// Why none of the programs takes this; none where one does.
    pub fn fault(&self, mention: &Mention) -> Option<String> {
        let programs = mention.programs.iter();
        let faults: Option<Vec<String>> = programs
            .map(|program| self.fault_of(program, mention))
            .collect();
        faults?.pop()
    }

    fn fault_of(&self, program: &str, mention: &Mention) -> Option<String> {
        let place = PROGRAMS.iter().position(|known| *known == program)?;
        let command = &self.0[place];
        let is_elided = mention.arguments.iter().any(|word| is_ellipsis(word));
        let may_lack = is_elided || mention.manner == Manner::Named;
        let mut words: Vec<String> = mention
            .arguments
            .iter()
            .filter(|word| !is_ellipsis(word))
            .map(|word| word.trim_matches(['[', ']']).to_owned())
            .collect();
        for (turn, value) in std::iter::repeat_n(VALUES, TURNS).flatten().enumerate() {
            let line = std::iter::once(program).chain(words.iter().map(String::as_str));
            let error = command.clone().try_get_matches_from(line).err()?;
            match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return None,
                ErrorKind::MissingRequiredArgument
                | ErrorKind::MissingSubcommand
                | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                    if may_lack =>
                {
                    return None;
                }
                ErrorKind::InvalidSubcommand
                    if value_of(&error, ContextKind::InvalidSubcommand)
                        .is_some_and(is_placeholder) =>
                {
                    return None;
                }
                _ => {}
            }
            let replaced = value_of(&error, ContextKind::InvalidValue).map(str::to_owned);
            match replaced.as_deref() {
                // A flag that is named without its value.
                Some("") | None if may_lack && lacks_value(&error) => {
                    words.push((*value).to_owned())
                }
                Some(given) if is_ours(given, mention) => {
                    let place = words.iter().position(|word| word == given)?;
                    words[place] = (*value).to_owned();
                }
                _ => return Some(one_line(&error)),
            }
            if turn + 1 == VALUES.len() * TURNS {
                return Some(one_line(&error));
            }
        }
        None
    }
}

/// The verbs of a program.
pub fn verbs(program: &str) -> Vec<String> {
    let command = command(program);
    let verbs = command.get_subcommands();
    verbs.map(|verb| verb.get_name().to_owned()).collect()
}

fn command(program: &str) -> Command {
    match program {
        "keyroster" => keyroster_cli::command(),
        "keyroster-agent" => keyroster_agent::args::Cli::command(),
        _ => keyroster_server::cli::Cli::command(),
    }
}

fn value_of(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind)? {
        ContextValue::String(value) => Some(value),
        _ => None,
    }
}

fn lacks_value(error: &clap::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidValue | ErrorKind::WrongNumberOfValues | ErrorKind::TooFewValues
    )
}

fn one_line(error: &clap::Error) -> String {
    error
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// Whether a word stands for something else, or is what was put in the place of such a word.
fn is_ours(word: &str, mention: &Mention) -> bool {
    let was_written = mention
        .arguments
        .iter()
        .any(|argument| argument.trim_matches(['[', ']']) == word);
    is_placeholder(word) || (!was_written && VALUES.contains(&word))
}

fn is_placeholder(word: &str) -> bool {
    let is_capital = |char: char| char.is_ascii_uppercase() || "_-.@".contains(char);
    let is_name =
        word.starts_with(|char: char| char.is_ascii_uppercase()) && word.chars().all(is_capital);
    is_name || word.contains(['…', '{', '$']) || word.contains("...")
}

fn is_ellipsis(word: &str) -> bool {
    ["…", "...", "[…]"].contains(&word)
}

/// What may stand where a document has a word for it; one of these fits each type of argument.
const VALUES: &[&str] = &[
    "web",
    "1",
    "15m",
    "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
    "2030-01-01T00:00:00Z",
    "10.0.0.0/8",
    "deploy@web-1",
    "https://keys.example.org:8443",
    "0190a8b4-7e3c-7000-8000-000000000001",
    "yes",
    "admin",
];
/// How many words of one command may be of that kind.
const TURNS: usize = 6;
