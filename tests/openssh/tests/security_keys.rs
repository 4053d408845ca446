//! Keys in FIDO security keys, without one.
//!
//! A client first asks whether a key would do, and signs only then. For the question the public half is enough, so sshd's
//! reading of a line is seen without any device.

use keyroster_grammar::{KeyOptions, parse_line};
use keyroster_openssh_compliance::keys::{KeyName, Keys, security_keys};
use keyroster_openssh_compliance::oracle::{Oracle, Verdict};
use keyroster_testkit::RootDir;

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
