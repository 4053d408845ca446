//! What clap has to say: help, the version, and mistakes on the command line.

use std::io::{self, IsTerminal as _, Write as _};

use clap::error::ErrorKind;
use keyroster_api::{enroll, token};

use crate::exit::{Exit, SUCCESS};
use crate::text::printable_lines;

/// Writes help to standard output, a mistake to standard error, and returns the exit code.
pub(crate) fn show(error: &clap::Error) -> u8 {
    let rendered = error.render();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let styled = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            let text = match styled {
                true => rendered.ansi().to_string(),
                false => rendered.to_string(),
            };
            // A reader that has gone away, such as a pager that was quit, has read enough.
            let _ = io::stdout().write_all(text.as_bytes());
            SUCCESS
        }
        _ => {
            // Unstyled: the text repeats what was typed, and in that no escape sequence may live.
            let text = format!("{}\n", safe(&rendered.to_string()));
            let _ = io::stderr().write_all(text.as_bytes());
            Exit::Usage.code()
        }
    }
}

/// The text without control characters, and without a token that was typed where none belongs; its last word is a hint, as
/// everywhere else.
fn safe(text: &str) -> String {
    let mut shown = printable_lines(text).replace(CLAP_HINT, HINT);
    for prefix in [token::PREFIX, enroll::PREFIX] {
        shown = hide_after(&shown, prefix);
    }
    shown
}

fn hide_after(text: &str, prefix: &str) -> String {
    let mut parts = text.split(prefix);
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let of_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        shown.push_str(prefix);
        shown.push('…');
        shown.push_str(part.trim_start_matches(of_token));
    }
    shown
}

/// How clap ends what it says about a mistake.
const CLAP_HINT: &str = "\n\nFor more information, try '--help'.";
/// How we do.
const HINT: &str = "\nhint: --help shows what can be given";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_typed_by_mistake_is_not_repeated() {
        assert_eq!(
            safe("unexpected argument 'krt_abc-_9' found, 'kre1.a.b.c' too"),
            "unexpected argument 'krt_…' found, 'kre1.…' too"
        );
    }

    #[test]
    fn what_was_typed_cannot_write_to_the_terminal() {
        assert_eq!(
            safe("unexpected argument '\u{1b}[2J' found"),
            "unexpected argument '\\u{1b}[2J' found"
        );
    }
}
