//! Lines that both refuse.

use super::{Case, Class, whole, with_options};
use crate::keys::{KeyName, Keys};

pub(super) fn cases(keys: &Keys) -> Vec<Case> {
    let mut cases: Vec<Case> = BAD
        .iter()
        .map(|options| with_options(Class::Bad, options, keys))
        .collect();
    cases.push(with_options(
        Class::Bad,
        &format!("permitopen=\"{}:1\"", "a".repeat(1025)),
        keys,
    ));
    cases.extend(malformed_keys(keys));
    cases.extend(layouts(keys));
    cases
}

#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn malformed_keys(keys: &Keys) -> Vec<Case> {
    let (name, body) = keys.parts(KeyName::Ed25519);
    let (ecdsa, ecdsa_body) = keys.parts(KeyName::EcdsaP256);
    let (_, dsa) = keys.parts(KeyName::Dsa);
    let ed25519 = [
        (
            "upper-case type",
            format!("{} {body}\n", name.to_uppercase()),
        ),
        ("type of another key", format!("ssh-rsa {body}\n")),
        (
            "type of a security key",
            format!("sk-ssh-ed25519@openssh.com {body}\n"),
        ),
        (
            "type of a certificate",
            format!("ssh-ed25519-cert-v01@openssh.com {body}\n"),
        ),
        ("unknown type", format!("ssh-ed448 {body}\n")),
        (
            "type of a private key format",
            format!("openssh-key-v1 {body}\n"),
        ),
        ("no type", format!("{body}\n")),
        ("no body", format!("{name}\n")),
        ("type twice", format!("{name} {name} {body}\n")),
        ("quoted type", format!("\"{name}\" {body}\n")),
        ("padding too much", format!("{name} {body}=\n")),
        ("a hash behind the body", format!("{name} {body}#x\n")),
        ("a comma behind the body", format!("{name} {body},x\n")),
        (
            "body cut short",
            format!(
                "{name} {}\n",
                body.get(..body.len() - 4).unwrap_or_default()
            ),
        ),
        ("body lengthened", format!("{name} {body}AAAA\n")),
        (
            "URL alphabet",
            format!("{name} -{}\n", body.get(1..).unwrap_or_default()),
        ),
        ("vertical tab between", format!("{name}\u{b}{body}\n")),
    ];
    let mut cases: Vec<Case> = ed25519
        .into_iter()
        .map(|(name, line)| whole(Class::Bad, name, KeyName::Ed25519, line))
        .collect();
    let unpadded = format!("{ecdsa} {}\n", ecdsa_body.trim_end_matches('='));
    cases.push(whole(
        Class::Bad,
        "padding left out",
        KeyName::EcdsaP256,
        unpadded,
    ));
    let wrong_curve = format!("ecdsa-sha2-nistp384 {ecdsa_body}\n");
    cases.push(whole(
        Class::Bad,
        "another curve",
        KeyName::EcdsaP256,
        wrong_curve,
    ));
    cases.push(whole(
        Class::Bad,
        "spare bits",
        KeyName::EcdsaP256,
        format!("{ecdsa} {}\n", with_spare_bits(ecdsa_body)),
    ));
    cases.push(whole(
        Class::Bad,
        "DSA",
        KeyName::Dsa,
        format!("ssh-dss {dsa}\n"),
    ));
    cases
}

/// The body with bits set that its padding leaves unused.
fn with_spare_bits(body: &str) -> String {
    let digits = body.trim_end_matches('=');
    let padding = body.get(digits.len()..).unwrap_or_default();
    let next = |last: char| {
        ALPHABET
            .find(last)
            .and_then(|at| ALPHABET.get(at + 1..at + 2))
            .unwrap_or("A")
    };
    let last = digits.chars().next_back().map_or("A", next);
    format!(
        "{}{last}{padding}",
        digits.get(..digits.len() - 1).unwrap_or_default()
    )
}

fn layouts(keys: &Keys) -> Vec<Case> {
    let key = keys.line(KeyName::Ed25519);
    let lines = [
        ("comment line", format!("#{key}\n")),
        ("comment line after blanks", format!(" \t# {key}\n")),
        ("byte-order mark", format!("\u{feff}{key}\n")),
        (
            "byte-order mark before options",
            format!("\u{feff}no-pty {key}\n"),
        ),
        ("no-break space", format!("\u{a0}{key}\n")),
        ("two words of options", format!("no-pty no-user-rc {key}\n")),
        ("blank after a comma", format!("no-pty, no-user-rc {key}\n")),
        (
            "blank round an equals sign",
            format!("command = \"true\" {key}\n"),
        ),
        ("empty", "\n".to_owned()),
        ("carriage return alone", "\r\n".to_owned()),
    ];
    lines
        .into_iter()
        .map(|(name, line)| whole(Class::Bad, name, KeyName::Ed25519, line))
        .collect()
}

const BAD: [&str; 81] = [
    "ptyx",
    "restricted",
    "no-restrict",
    "no-cert-authority",
    "no-no-pty",
    "pty=",
    r#"pty="""#,
    "pty#",
    "#pty",
    r#""""#,
    r#""pty""#,
    "unknown",
    r#"unknown="x""#,
    "ssh-ed25519",
    "pty;no-pty",
    r#"no-command="true""#,
    "é",
    r#"zos-key-ring-label="x""#,
    r#"principals="a""#,
    r#"principals="""#,
    "command",
    "command=true",
    "command='true'",
    r#"command="true"#,
    r#"command="true\""#,
    r#"command="true"x"#,
    r#"command="true"pty"#,
    r#"command="true",""#,
    r#"command="true","""#,
    r#"command="true",command="true""#,
    r#"command= "true""#,
    r#"from="127.0.0.1",from="127.0.0.1""#,
    r#"environment="A""#,
    r#"environment="=b""#,
    r#"environment="A-B=c""#,
    r#"environment="A B=c""#,
    r#"environment="É=1""#,
    r#"environment="""#,
    "environment=A=b",
    r#"from="""#,
    r#"from=",""#,
    r#"from="127.0.0.1,""#,
    r#"from="127.0.0.1,,10.0.0.1""#,
    r#"from=",127.0.0.1""#,
    r#"from="!""#,
    r#"from="127.0.0.1,!""#,
    r#"from="127.0.0.1/8""#,
    r#"from="127.0.0.1,10.0.0.1/8""#,
    r#"from="!10.0.0.1/8,*""#,
    r#"from="127.0.0.1/33""#,
    r#"from="127/8,127.0.0.1""#,
    r#"from="1.2.3/24,127.0.0.1""#,
    r#"from="::1/64,127.0.0.1""#,
    r#"from="::ffff:10.0.0.0/8,127.0.0.1""#,
    r#"from="::1%9/64,127.0.0.1""#,
    r#"permitopen="""#,
    r#"permitopen="a""#,
    r#"permitopen="22""#,
    r#"permitopen="a:0""#,
    r#"permitopen="a:65536""#,
    r#"permitopen="::1:22""#,
    r#"permitopen="[a:22""#,
    r#"permitopen="[a]b:22""#,
    r#"permitopen="a:22 ""#,
    r#"permitopen="a:0x16""#,
    r#"permitopen="none""#,
    r#"permitopen="a:1,b:2""#,
    r#"permitlisten="""#,
    r#"permitlisten="0""#,
    r#"permitlisten="a/22""#,
    r#"permitlisten="[::1]""#,
    r#"tunnel="""#,
    r#"tunnel="-1""#,
    r#"tunnel="1 ""#,
    r#"tunnel="1:2""#,
    r#"tunnel="2147483646""#,
    r#"tunnel="x""#,
    r#"expiry-time="20371301""#,
    r#"expiry-time="2037""#,
    r#"expiry-time="19700101Z""#,
    r#"expiry-time="20371231",expiry-time="20371200""#,
];

const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
