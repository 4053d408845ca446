//! What becomes of the lines of another provider.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use keyroster_grammar::provider::{
    OfferedKey, Refusal, Verdict, rerender_key_line, rerender_principal_line,
};
use keyroster_grammar::{Algorithm, Comment, LineReason, RenderError, base64};

fn blob(fields: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in fields {
        bytes.extend_from_slice(&u32::try_from(field.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(field);
    }
    bytes
}

fn ed25519(fill: u8) -> String {
    format!(
        "ssh-ed25519 {}",
        base64::encode(&blob(&[b"ssh-ed25519", &[fill; 32]]))
    )
}

/// A certificate of this type, signed by the key that `ed25519(9)` is.
fn certificate(algorithm: Algorithm, public_fields: &[&[u8]]) -> String {
    let mut bytes = blob(&[algorithm.as_str().as_bytes(), b"nonce"]);
    bytes.extend(blob(public_fields));
    bytes.extend([0; 8 + 4]);
    bytes.extend(blob(&[b"key id", b""]));
    bytes.extend([0; 16]);
    bytes.extend(blob(&[
        b"",
        b"",
        b"",
        &blob(&[b"ssh-ed25519", &[9; 32]]),
        b"signature",
    ]));
    base64::encode(&bytes)
}

fn offer(line: &str) -> OfferedKey {
    let (name, body) = line.split_once(' ').unwrap();
    OfferedKey::parse(name, body).unwrap()
}

fn decide(line: &str, offered: &OfferedKey) -> Verdict {
    rerender_key_line(
        line.as_bytes(),
        offered,
        &Comment::parse("provider").unwrap(),
    )
}

#[test]
fn the_line_of_the_offered_key_keeps_its_meaning_and_loses_its_comment() {
    let line = format!(
        "pty,restrict,expiry-time=\"20301231\" {} hello\x1b",
        ed25519(1)
    );
    let printed = format!(
        "restrict,expiry-time=\"20301231000000\" {} provider",
        ed25519(1)
    );
    assert_eq!(decide(&line, &offer(&ed25519(1))), Verdict::Print(printed));
}

#[test]
fn lines_of_other_keys_blank_lines_and_comments_are_skipped() {
    let offered = offer(&ed25519(1));
    for line in [
        ed25519(2),
        format!("cert-authority,principals=\"a\" {}", ed25519(1)),
        "# x".into(),
        String::new(),
    ] {
        assert_eq!(decide(&line, &offered), Verdict::Skip, "{line}");
    }
}

#[test]
fn for_a_certificate_only_the_authority_that_signed_it_is_printed() {
    let plain: [(Algorithm, &[&[u8]]); 7] = [
        (Algorithm::Ed25519Certificate, &[b"pk"]),
        (Algorithm::EcdsaP256Certificate, &[b"nistp256", b"point"]),
        (Algorithm::EcdsaP384Certificate, &[b"nistp384", b"point"]),
        (Algorithm::EcdsaP521Certificate, &[b"nistp521", b"point"]),
        (Algorithm::RsaCertificate, &[b"e", b"n"]),
        (Algorithm::SkEd25519Certificate, &[b"pk", b"ssh:"]),
        (
            Algorithm::SkEcdsaP256Certificate,
            &[b"nistp256", b"point", b"ssh:"],
        ),
    ];
    let authority = format!("cert-authority,principals=\"a\" {}", ed25519(9));
    for (algorithm, fields) in plain {
        let offered =
            OfferedKey::parse(algorithm.as_str(), &certificate(algorithm, fields)).unwrap();
        assert_eq!(
            decide(&authority, &offered),
            Verdict::Print(format!("{authority} provider")),
            "{algorithm}"
        );
        assert_eq!(decide(&ed25519(9), &offered), Verdict::Skip, "{algorithm}");
        let other = format!("cert-authority,principals=\"a\" {}", ed25519(8));
        assert_eq!(decide(&other, &offered), Verdict::Skip, "{algorithm}");
    }
}

#[test]
fn a_certificate_authority_without_principals_is_refused_and_not_widened() {
    let offered = OfferedKey::SignedBy {
        base64: ed25519(9).split_once(' ').unwrap().1.to_owned(),
    };
    let verdict = decide(&format!("cert-authority {}", ed25519(9)), &offered);
    assert_eq!(
        verdict,
        Verdict::Refuse(Refusal::Render(RenderError::AuthorityWithoutPrincipals))
    );
}

#[test]
fn a_line_that_sshd_would_ignore_is_refused_with_its_reason() {
    let verdict = decide(&format!("bogus {}", ed25519(1)), &offer(&ed25519(1)));
    let Verdict::Refuse(Refusal::Line(error)) = verdict else {
        panic!("{verdict:?}")
    };
    assert!(matches!(error.reason, LineReason::Options(_)));
}

#[test]
fn an_offered_text_that_is_no_key_is_not_taken_for_one() {
    let line = ed25519(1);
    let (_, body) = line.split_once(' ').unwrap();
    assert_eq!(OfferedKey::parse("ssh-rsa", body), None);
    assert_eq!(OfferedKey::parse("ssh-ed448", body), None);
    assert_eq!(OfferedKey::parse("ssh-ed25519", "*"), None);
    let short = base64::encode(&blob(&[b"ssh-ed25519-cert-v01@openssh.com", b"nonce"]));
    assert_eq!(
        OfferedKey::parse("ssh-ed25519-cert-v01@openssh.com", &short),
        None
    );
}

#[test]
fn principals_are_printed_again_too() {
    assert_eq!(
        rerender_principal_line(b"pty,restrict  alice # x\n"),
        Verdict::Print("restrict alice".to_owned())
    );
    assert_eq!(rerender_principal_line(b"\n"), Verdict::Skip);
    assert!(matches!(
        rerender_principal_line(b"alice\r\n"),
        Verdict::Refuse(_)
    ));
}
