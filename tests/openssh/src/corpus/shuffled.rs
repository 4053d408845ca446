//! Lines put together at random from pieces, and damaged at random.

use super::{Case, Class};
use crate::keys::{KeyName, Keys};
use crate::random::Random;

pub(super) fn cases(keys: &Keys, seed: u64) -> Vec<Case> {
    let mut random = Random::from_seed(seed);
    (0..COUNT)
        .map(|number| case(number, keys, &mut random))
        .collect()
}

fn case(number: usize, keys: &Keys, random: &mut Random) -> Case {
    let mut options = options(random);
    if random.once_in(2) {
        damage(&mut options, random);
    }
    let line = format!(
        "{options}{}{}{}",
        random.pick(&BLANKS),
        keys.line(KeyName::Ed25519),
        random.pick(&ENDS)
    );
    Case {
        name: format!("shuffled {number}: {options}"),
        line: line.into_bytes(),
        key: KeyName::Ed25519,
        class: Class::Open,
    }
}

fn options(random: &mut Random) -> String {
    let count = 1 + random.below(5);
    let mut options = Vec::new();
    for _ in 0..count {
        let piece = random.pick(&PIECES);
        options.push(if random.once_in(6) {
            piece.to_uppercase()
        } else {
            piece.to_owned()
        });
    }
    options.join(if random.once_in(8) { ",," } else { "," })
}

/// Takes a character away, puts one in, or doubles one.
fn damage(options: &mut String, random: &mut Random) {
    let places: Vec<usize> = options.char_indices().map(|(at, _)| at).collect();
    let at = random.pick(&places);
    match random.below(3) {
        0 if !options.is_empty() => drop(options.remove(at)),
        1 => options.insert(
            at,
            options
                .get(at..)
                .and_then(|rest| rest.chars().next())
                .unwrap_or(','),
        ),
        _ => options.insert(at, random.pick(&MARKS)),
    }
}

/// How many lines.
const COUNT: usize = 80;

const PIECES: [&str; 32] = [
    "restrict",
    "pty",
    "no-pty",
    "port-forwarding",
    "no-port-forwarding",
    "agent-forwarding",
    "no-x11-forwarding",
    "user-rc",
    "no-user-rc",
    "no-touch-required",
    "verify-required",
    "",
    r#"command="true""#,
    r#"command="true \"a b\" #""#,
    r#"command="true; : \\a""#,
    r#"environment="A=b""#,
    r#"environment="A=c,d""#,
    r#"environment="B_2= x=y ""#,
    r#"from="127.0.0.1""#,
    r#"from="*,!10.0.0.0/8""#,
    r#"from="127.0.0.0/8,::1,*.example""#,
    r#"permitopen="a:1""#,
    r#"permitopen="[::1]:*""#,
    r#"permitopen="a/80""#,
    r#"permitlisten="80""#,
    r#"permitlisten="[::]:80""#,
    r#"tunnel="3""#,
    r#"tunnel="any""#,
    r#"expiry-time="20371231""#,
    r#"expiry-time="203712312359z""#,
    r#"expiry-time="20370230""#,
    r#"principals="a""#,
];

const BLANKS: [&str; 4] = [" ", "  ", "\t", " \t "];
const ENDS: [&str; 4] = ["\n", "", "\r\n", " me #1\n"];
const MARKS: [char; 14] = [
    '"', '"', '\\', '\\', ',', '=', '#', ' ', '-', '/', ':', '!', '0', 'a',
];
