//! The last look at a line before it is printed.
//!
//! Nothing is printed as it came. Each line is parsed, held against the key that was offered, and printed from its tree. A
//! source that could be made to print a line of its choice still can't let in a key other than the one it was asked about.

use keyroster_grammar::provider::{
    OfferedKey, Verdict, rerender_key_line, rerender_principal_line,
};
use keyroster_grammar::{Comment, parse_line};

/// What the lines of an answer must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Authorized keys that let this key in, or this certificate through the key that signed it.
    Keys(OfferedKey),
    /// Principals.
    Principals,
}

/// The key server's lines, checked; `None` when one of them is not what is expected, and then none of them is to be used.
///
/// There is one line for a key and not more: of several for one key sshd takes the first that it likes, so a
/// restricted line and an open one make an open one.
pub(crate) fn own_lines(lines: &[&str], expected: &Expected) -> Option<Vec<String>> {
    match (expected, lines) {
        (Expected::Keys(offered), [line]) => own_key_line(line, offered).map(|line| vec![line]),
        (Expected::Keys(_), _) => None,
        (Expected::Principals, lines) => {
            lines.iter().map(|line| own_principal_line(line)).collect()
        }
    }
}

fn own_key_line(line: &str, offered: &OfferedKey) -> Option<String> {
    let key = parse_line(line.as_bytes()).ok()??;
    if offered.concerns(&key) {
        key.render().ok()
    } else {
        None
    }
}

fn own_principal_line(line: &str) -> Option<String> {
    match rerender_principal_line(line.as_bytes()) {
        Verdict::Print(line) => Some(line),
        Verdict::Skip | Verdict::Refuse(_) => None,
    }
}

/// What becomes of one line of another provider; `comment` takes the place of the line's own.
pub(crate) fn provided_line(line: &[u8], expected: &Expected, comment: &Comment) -> Verdict {
    match expected {
        Expected::Keys(offered) => rerender_key_line(line, offered, comment),
        Expected::Principals => rerender_principal_line(line),
    }
}
