//! Certificates: which lines let them in, and lines of principals.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use keyroster_grammar::{LineReason, RenderError, parse_line, parse_principal_line};
use keyroster_openssh_compliance::keys::{KeyName, Keys, certify};
use keyroster_openssh_compliance::oracle::Oracle;
use keyroster_testkit::{RootDir, openssh_version};

/// An sshd, a key with a certificate, and the authority that signed it.
struct Signed {
    oracle: Oracle,
    keys: Keys,
    dir: RootDir,
}

impl Signed {
    fn start(principals: &str, config: impl Fn(&RootDir) -> String) -> Self {
        let dir = RootDir::new().unwrap();
        let keys = Keys::make(dir.path(), &[KeyName::Ed25519, AUTHORITY]).unwrap();
        certify(&keys, AUTHORITY, KeyName::Ed25519, principals).unwrap();
        let config = config(&dir);
        Self {
            oracle: Oracle::start(&dir, &config).unwrap(),
            keys,
            dir,
        }
    }

    /// Whether it was the certificate that let the login in.
    fn lets_certificate_in(&self, lines: &str) -> bool {
        self.oracle.put(lines).unwrap();
        let before = self.oracle.log().len();
        self.oracle
            .ssh(&self.keys.private_path(KeyName::Ed25519))
            .run()
            .unwrap();
        self.oracle
            .log()
            .get(before..)
            .unwrap()
            .lines()
            .any(|line| line.contains("Accepted publickey") && line.contains("-CERT"))
    }
}

#[test]
fn a_certificate_needs_one_of_the_principals_that_the_line_names() {
    // "At least one name from the list must appear in the certificate's list of principals for the certificate to be
    // accepted."
    let signed = Signed::start("alice,ops", |_| String::new());
    let authority = signed.keys.line(AUTHORITY);
    for (principals, expected) in [
        ("alice", true),
        ("bob,ops", true),
        ("bob", false),
        ("ali*", false),
        ("", false),
    ] {
        let line = format!("cert-authority,principals=\"{principals}\" {authority}\n");
        assert_eq!(signed.lets_certificate_in(&line), expected, "{principals}");
        let printed = parse_line(line.as_bytes())
            .unwrap()
            .unwrap()
            .render()
            .unwrap();
        assert_eq!(
            signed.lets_certificate_in(&printed),
            expected,
            "{principals}"
        );
    }
}

#[test]
fn a_certificate_authority_without_principals_lets_a_certificate_without_any_in_as_anyone_before_10_3()
 {
    let signed = Signed::start("", |_| String::new());
    let line = format!("cert-authority {}\n", signed.keys.line(AUTHORITY));
    assert_eq!(
        signed.lets_certificate_in(&line),
        openssh_version().unwrap() < (10, 3)
    );
    let refused = parse_line(line.as_bytes()).unwrap().unwrap().render();
    assert_eq!(refused, Err(RenderError::AuthorityWithoutPrincipals));
    let named = format!(
        "cert-authority,principals=\"keyroster-ssh\" {}\n",
        signed.keys.line(AUTHORITY)
    );
    assert!(!signed.lets_certificate_in(&named));
}

#[test]
fn neither_the_plain_key_nor_the_certificate_in_a_line_lets_the_certificate_in() {
    let signed = Signed::start("keyroster-ssh", |_| String::new());
    let certificate = std::fs::read_to_string(signed.dir.path().join("ed25519-cert.pub")).unwrap();
    assert!(!signed.lets_certificate_in(&signed.keys.line(KeyName::Ed25519)));
    assert!(!signed.lets_certificate_in(&signed.keys.line(AUTHORITY)));
    assert!(!signed.lets_certificate_in(&certificate));
    assert!(!signed.lets_certificate_in(&format!("cert-authority {certificate}")));
    assert_eq!(
        parse_line(certificate.as_bytes()).unwrap_err().reason,
        LineReason::Certificate
    );
}

#[test]
fn principals_on_a_plain_key_refuse_the_line_though_the_manual_says_they_are_ignored() {
    // "This option is ignored for keys that are not marked as trusted certificate signers using the cert-authority option."
    let signed = Signed::start("alice", |_| String::new());
    let line = format!(
        "principals=\"alice\" {}\n",
        signed.keys.line(KeyName::Ed25519)
    );
    signed.oracle.put(&line).unwrap();
    let login = signed
        .oracle
        .ssh(&signed.keys.private_path(KeyName::Ed25519))
        .is_let_in();
    assert!(!login.unwrap());
    assert!(parse_line(line.as_bytes()).is_err());
}

#[test]
fn lines_of_principals_are_read_alike() {
    // sshd_config(5), AuthorizedPrincipalsFile: "Names are listed one per line preceded by key options (as described in
    // AUTHORIZED_KEYS FILE FORMAT in sshd(8)). Empty lines and comments starting with '#' are ignored."
    let signed = Signed::start("alice", |dir| {
        let principals = dir.file("principals", "", 0o644).unwrap();
        let authority = dir.path().join(AUTHORITY.as_str()).with_extension("pub");
        format!(
            "TrustedUserCAKeys {}\nAuthorizedPrincipalsFile {}\n",
            authority.display(),
            principals.display()
        )
    });
    let lets_in = |line: &str| {
        signed.dir.file("principals", line, 0o644).unwrap();
        signed.lets_certificate_in("")
    };
    for (line, expected) in [
        ("alice", true),
        ("alice\n", true),
        (" \talice \t\n", true),
        ("alice # me\n", true),
        ("alice#me\n", true),
        ("no-pty alice\n", true),
        ("no-pty\talice\n", true),
        ("restrict,pty   alice\n", true),
        ("no-pty junk alice\n", true),
        ("command=\"true; true\" alice\n", true),
        ("PTY,, alice\n", true),
        ("alice\r\n", false),
        ("bogus alice\n", false),
        ("bob\n", false),
        ("Alice\n", false),
        ("alice,bob\n", false),
        ("ali*\n", false),
        ("\"alice\"\n", false),
        ("#alice\n", false),
        ("\n", false),
        ("alice bob\n", false),
        ("cert-authority alice\n", false),
        ("principals=\"a\" alice\n", false),
        ("command=\"true #\" alice\n", false),
        ("from=\"127.0.0.1/8\" alice\n", false),
        ("\u{feff}alice\n", false),
        ("no-pty\n", false),
    ] {
        assert_eq!(lets_in(line), expected, "{line:?}");
        let ours = parse_principal_line(line.as_bytes()).ok().flatten();
        let ours = ours.filter(|read| read.principal.as_str() == "alice");
        assert_eq!(ours.is_some(), expected, "{line:?}");
        if let Some(ours) = ours {
            assert!(lets_in(&ours.render().unwrap()), "{line:?}");
        }
    }
}

/// Whose key signs.
const AUTHORITY: KeyName = KeyName::EcdsaP256;
