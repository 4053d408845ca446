//! Whole lines: what is taken, what is refused and where, and what is printed.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use keyroster_grammar::{
    AuthorizedKey, Comment, KeyOptions, KeyReason, LineKey, LineReason, MAX_LINE_BYTES,
    OptionReason, OptionValue, RenderError, parse_line,
};

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB";

fn refused(line: impl AsRef<[u8]>) -> (LineReason, usize) {
    let error = parse_line(line.as_ref()).unwrap_err();
    (error.reason, error.at)
}

fn printed(line: impl AsRef<[u8]>) -> String {
    parse_line(line.as_ref())
        .unwrap()
        .unwrap()
        .render()
        .unwrap()
}

fn tree(options: KeyOptions) -> AuthorizedKey {
    let (name, body) = KEY.split_once(' ').unwrap();
    AuthorizedKey {
        options,
        key: LineKey::parse(name, body).unwrap(),
        comment: Comment::default(),
    }
}

#[test]
fn blank_lines_and_comments_are_no_keys() {
    for line in ["", "\n", "\r\n", "  \t\n", "#", " \t# ssh-ed25519 AAAA\n"] {
        assert_eq!(parse_line(line.as_bytes()), Ok(None), "{line:?}");
    }
}

#[test]
fn a_key_needs_no_options_no_comment_and_no_line_feed() {
    for line in [
        KEY.to_owned(),
        format!("{KEY}\n"),
        format!("{KEY}\r\n"),
        format!(" \t{KEY} \n"),
        KEY.replace(' ', "\t \t"),
        format!(", {KEY}"),
    ] {
        assert_eq!(printed(&line), KEY, "{line:?}");
    }
}

#[test]
fn options_stand_before_the_key_and_blanks_only_inside_their_quotes() {
    assert_eq!(
        printed(format!("PTY,RESTRICT\t{KEY}\tme")),
        format!("restrict {KEY} me")
    );
    let line = format!(r#"command="echo \"a b\" #c",no-pty {KEY}"#);
    assert_eq!(
        printed(&line),
        format!(r#"no-pty,command="echo \"a b\" #c" {KEY}"#)
    );
}

#[test]
fn a_comment_keeps_only_harmless_characters() {
    assert_eq!(
        printed(format!("{KEY} a\x1b[31m\u{e9}\r#b")),
        format!("{KEY} a__31m____b")
    );
    assert_eq!(
        printed([KEY.as_bytes(), b" \xff"].concat()),
        format!("{KEY} _")
    );
}

#[test]
fn a_key_that_is_no_plain_one_is_refused_by_its_own_reason() {
    let (_, body) = KEY.split_once(' ').unwrap();
    assert_eq!(refused(format!("ssh-dss {body}")), (LineReason::Dsa, 8));
    assert_eq!(
        refused(format!("ssh-ed25519-cert-v01@openssh.com {body}")),
        (LineReason::Certificate, 33)
    );
    assert_eq!(
        refused(format!("ssh-rsa {body}")),
        (LineReason::Key(KeyReason::TypeMismatch), 8)
    );
    assert_eq!(
        refused(format!("pty {KEY}=")),
        (LineReason::Key(KeyReason::Base64), 16)
    );
    assert_eq!(
        refused("ssh-ed25519"),
        (LineReason::Key(KeyReason::TypeMismatch), 11)
    );
    assert_eq!(refused("hello"), (LineReason::NoKey, 5));
    assert_eq!(refused(format!("SSH-ED25519 {body}")).0, LineReason::NoKey);
    assert_eq!(
        refused(format!("ssh-ed25519 {KEY}")).0,
        LineReason::Key(KeyReason::Base64)
    );
}

#[test]
fn malformed_options_are_refused_with_their_place() {
    assert_eq!(
        refused(format!("pty,bogus {KEY}")),
        (LineReason::Options(OptionReason::Unknown), 4)
    );
    assert_eq!(
        refused(format!("  bogus {KEY}")),
        (LineReason::Options(OptionReason::Unknown), 2)
    );
    assert_eq!(
        refused(format!("command=\"x {KEY}")),
        (LineReason::Options(OptionReason::NoClosingQuote), 0)
    );
    assert_eq!(
        refused(format!("command=\"x\\\" {KEY}")),
        (LineReason::Options(OptionReason::NoClosingQuote), 0)
    );
    assert_eq!(refused(format!("pty pty {KEY}")).0, LineReason::NoKey);
}

#[test]
fn byte_order_marks_nuls_second_lines_and_over_long_lines_are_refused() {
    assert_eq!(
        refused(format!("\u{feff}{KEY}")),
        (LineReason::ByteOrderMark, 0)
    );
    assert_eq!(
        refused(format!("{KEY} a\0b")),
        (LineReason::Nul, KEY.len() + 2)
    );
    assert_eq!(
        refused(format!("{KEY}\n{KEY}\n")),
        (LineReason::SeveralLines, KEY.len())
    );
    assert_eq!(
        refused("a".repeat(MAX_LINE_BYTES + 1)),
        (LineReason::TooLong, MAX_LINE_BYTES)
    );
}

#[test]
fn control_characters_inside_options_are_refused() {
    for bad in ["\t", "\r", "\u{1b}", "\u{7f}", "\u{85}"] {
        let line = format!("command=\"a{bad}b\" {KEY}");
        assert_eq!(
            refused(&line).0,
            LineReason::Options(OptionReason::ControlCharacter),
            "{bad:?}"
        );
    }
}

#[test]
fn a_certificate_authority_without_principals_is_read_but_never_printed() {
    let key = parse_line(format!("cert-authority {KEY}").as_bytes())
        .unwrap()
        .unwrap();
    assert_eq!(key.render(), Err(RenderError::AuthorityWithoutPrincipals));
    let line = format!("cert-authority,principals=\"a,b\" {KEY}");
    assert_eq!(printed(&line), line);
}

#[test]
fn a_tree_that_sshd_would_read_differently_is_never_printed() {
    let principals = OptionValue::parse("a").ok();
    let without_authority = tree(KeyOptions {
        principals,
        ..KeyOptions::default()
    });
    assert_eq!(without_authority.render(), Err(RenderError::NotTheSame));
    let setting = keyroster_grammar::EnvironmentSetting::parse("A=1").unwrap();
    let twice = tree(KeyOptions {
        environment: vec![setting.clone(), setting],
        ..KeyOptions::default()
    });
    assert_eq!(twice.render(), Err(RenderError::NotTheSame));
}

#[test]
fn a_line_that_would_be_too_long_is_never_printed() {
    let command = OptionValue::parse(&"x".repeat(MAX_LINE_BYTES)).ok();
    let long = tree(KeyOptions {
        command,
        ..KeyOptions::default()
    });
    assert_eq!(long.render(), Err(RenderError::TooLong));
}
