//! Keys in FIDO security keys, without one.
//!
//! A client first asks whether a key would do, and signs only then. For the question the public half is enough, so sshd's
//! reading of a line is seen without any device. What signs for the rest is the software authenticator of OpenSSH's own tests: it
//! states in a signature that somebody touched it, or that it verified the user, as the key was made to demand.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use keyroster_grammar::{KeyOptions, parse_line};
use keyroster_openssh_compliance::keys::{KeyName, Keys, security_keys};
use keyroster_openssh_compliance::oracle::{Oracle, Verdict};
use keyroster_testkit::{RootDir, SecurityKeyType, SshKey};

#[test]
fn lines_with_security_keys_are_read_alike_and_printed_with_the_same_meaning() {
    // "no-touch-required: Do not require demonstration of user presence for signatures made using this key." …
    // "verify-required: Require that signatures made using this key attest that they verified the user, e.g. via a PIN."
    let dir = RootDir::new().unwrap();
    let keys = Keys::make(dir.path(), &[KeyName::Ed25519, KeyName::EcdsaP256]).unwrap();
    let oracle = Oracle::start(&dir, "").unwrap();
    for (number, key) in security_keys(&keys).iter().enumerate() {
        let public = dir
            .file(&format!("sk{number}.pub"), format!("{key}\n"), 0o644)
            .unwrap();
        for options in [
            "restrict",
            "no-touch-required",
            "verify-required",
            "restrict,verify-required,no-touch-required,pty",
        ] {
            let line = format!("{options} {key}\n");
            let sshd = oracle.ask(line.as_bytes(), &public).unwrap();
            assert!(matches!(sshd, Verdict::Accept(_)), "{line}");
            let ours = parse_line(line.as_bytes()).unwrap().unwrap();
            assert!(ours.algorithm().is_security_key());
            let printed = ours.render().unwrap();
            assert_eq!(
                oracle.ask(printed.as_bytes(), &public).unwrap(),
                sshd,
                "{printed}"
            );
        }
        assert_eq!(
            oracle
                .ask(format!("bogus {key}\n").as_bytes(), &public)
                .unwrap(),
            Verdict::Ignore
        );
    }
}

#[test]
fn touch_is_required_and_verification_is_not_unless_a_line_says_otherwise() {
    let options = KeyOptions::parse("").unwrap();
    assert!(!options.no_touch_required && !options.verify_required);
    let options = KeyOptions::parse("no-touch-required,verify-required").unwrap();
    assert!(options.no_touch_required && options.verify_required);
    let options =
        KeyOptions::parse("no-touch-required,touch-required,verify-required,no-verify-required")
            .unwrap();
    assert!(!options.no_touch_required && !options.verify_required);
}

/// Whether a line lets in a key that signs without touch, with touch, and with touch and verification.
fn lets_in(options: &str) -> [bool; 3] {
    let dir = RootDir::new().unwrap();
    let oracle = Oracle::start(&dir, "").unwrap();
    let made: [&[&str]; 3] = [&["no-touch-required"], &[], &["verify-required"]];
    let results = SecurityKeyType::ALL.map(|kind| {
        made.map(|claims| {
            let name = format!("{kind:?}{}", claims.len() + claims.concat().len());
            let key = SshKey::security_key(dir.path(), &name, kind, claims).unwrap();
            let line = format!("{options} {}\n", key.public_line());
            let ours = parse_line(line.as_bytes()).unwrap().unwrap();
            oracle.put(ours.render().unwrap()).unwrap();
            let login = oracle.ssh(key.private_path()).security_key(&key);
            login.is_let_in().unwrap()
        })
    });
    let [ed25519, ecdsa] = results;
    assert_eq!(ed25519, ecdsa, "{options}");
    ed25519
}

#[test]
fn a_signature_without_touch_is_refused_unless_the_line_takes_it() {
    assert_eq!(lets_in("restrict"), [false, true, true]);
    assert_eq!(lets_in("restrict,no-touch-required"), [true, true, true]);
}

#[test]
fn a_signature_without_verification_is_refused_where_the_line_demands_it() {
    assert_eq!(lets_in("restrict,verify-required"), [false, false, true]);
}
