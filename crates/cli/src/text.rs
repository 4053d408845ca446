//! Text that somebody else wrote, made fit for a terminal.
//!
//! The key server refuses most of these characters at its door. But what is printed here decides what a person believes
//! about who may log in, so it is not left to another program to have been careful.

use std::borrow::Cow;

/// The text with everything escaped that could move the cursor, end the line, or change the direction of reading.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(unsafe_to_show) {
        return Cow::Borrowed(text);
    }
    let escape = |shown: &mut String, c: char| match unsafe_to_show(c) {
        true => shown.extend(c.escape_unicode()),
        false => shown.push(c),
    };
    Cow::Owned(fold(text, escape))
}

/// Several lines, each made fit as [`printable`] does it.
pub(crate) fn printable_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(printable).collect();
    lines.join("\n")
}

/// JSON with the same characters escaped as JSON escapes them.
///
/// Outside of strings JSON has none of them but line feeds, and inside of strings it escapes those itself.
pub(crate) fn printable_json(json: &str) -> String {
    let escape = |shown: &mut String, c: char| match c != '\n' && unsafe_to_show(c) {
        true => shown.push_str(&format!("\\u{:04x}", u32::from(c))),
        false => shown.push(c),
    };
    fold(json, escape)
}

fn fold(text: &str, escape: impl Fn(&mut String, char)) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        escape(&mut shown, c);
    }
    shown
}

/// Control characters, line ends of Unicode, marks that change the direction of reading, and what shows as nothing at all.
/// All of them lie below U+10000, which [`printable_json`] relies on.
fn unsafe_to_show(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_of_any_script_stays_as_it_is() {
        for text in ["alice's laptop", "Zoë", "鍵", "a\\b \"c\""] {
            assert_eq!(printable(text), text);
        }
    }

    #[test]
    fn whatever_could_deceive_on_a_terminal_is_shown_by_its_number() {
        assert_eq!(
            printable("a\u{1b}[2J\r\n\u{9b}x\u{202e}y\u{200b}"),
            "a\\u{1b}[2J\\u{d}\\u{a}\\u{9b}x\\u{202e}y\\u{200b}"
        );
    }

    #[test]
    fn json_stays_json_of_the_same_meaning() {
        let value = serde_json::json!({"label": "a\u{1b}\u{7f}\u{9b}\u{202e}\n\u{feff}鍵"});
        let shown = printable_json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(
            !shown.contains(|c| c != '\n' && unsafe_to_show(c)),
            "{shown}"
        );
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&shown).unwrap(),
            value
        );
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(printable_lines("a\nb\u{7}\n"), "a\nb\\u{7}");
    }
}
