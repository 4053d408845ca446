//! Lines that sshd takes and we refuse, each for a reason that stands beside it.

use super::{Case, Class, whole, with_options};
use crate::keys::{KeyName, Keys};

pub(super) fn cases(keys: &Keys) -> Vec<Case> {
    let key = keys.line(KeyName::Ed25519);
    let (name, body) = keys.parts(KeyName::Ed25519);
    let (front, back) = body.split_at_checked(10).unwrap_or_default();
    // sshd ends a line at a NUL. What stands behind it would be another line for whoever reads the file otherwise.
    let nul = [
        ("NUL behind the key", format!("{key}\0x\n")),
        ("NUL in the comment", format!("{key} a\0b\n")),
    ];
    // sshd's base64 decoder skips what C calls a space; one key would then have many texts.
    let spaces = [
        (
            "vertical tab inside the body",
            format!("{name} {front}\u{b}{back}\n"),
        ),
        (
            "carriage return inside the body",
            format!("{name} {front}\r{back}\n"),
        ),
        ("form feed behind the body", format!("{key}\u{c}\n")),
    ];
    // sshd has no limit; ours keeps what one line can cost within bounds.
    let long = [(
        "over 8 KiB",
        format!("environment=\"A={}\" {key}\n", "x".repeat(9000)),
    )];
    let whole_lines = nul.into_iter().chain(spaces).chain(long);
    let mut cases: Vec<Case> = whole_lines
        .map(|(name, line)| whole(Class::Stricter, name, KeyName::Ed25519, line))
        .collect();
    // A value with a control character can't be shown, logged or compared safely.
    for options in [
        "command=\"true;\ttrue\"",
        "command=\"true #\u{1}\"",
        "command=\"true #\u{1b}[31m\"",
    ] {
        cases.push(with_options(Class::Stricter, options, keys));
    }
    // Text is UTF-8 everywhere else in keyroster.
    let latin1 = [b"command=\"true #\xe9\" ".as_slice(), key.as_bytes(), b"\n"].concat();
    cases.push(whole(
        Class::Stricter,
        "value that is not UTF-8",
        KeyName::Ed25519,
        latin1,
    ));
    cases
}
