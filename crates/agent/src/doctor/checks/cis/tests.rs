use super::*;
use crate::doctor::checks::testing::{asked, broken};
use crate::doctor::facts::files::{Component, Kind};

const GOOD: &str = "loglevel VERBOSE\nmaxauthtries 4\npermitrootlogin no\npermitemptypasswords no\nhostbasedauthentication no\nignorerhosts yes\n\
    x11forwarding no\npermituserenvironment no\nusepam yes\nclientaliveinterval 15\nclientalivecountmax 3\nlogingracetime 60\nmaxsessions 10\n\
    maxstartups 10:30:60\nbanner /etc/issue.net\ndisableforwarding yes\ngssapiauthentication no\nallowgroups staff\n\
    ciphers chacha20-poly1305@openssh.com,aes256-gcm@openssh.com\nmacs hmac-sha2-512-etm@openssh.com\nkexalgorithms curve25519-sha256\n";

fn ids(said: &str) -> Vec<&'static str> {
    let files = Files {
        configuration: Vec::new(),
        host_keys: Vec::new(),
    };
    broken(&check(&asked(&[("root", said)], ""), &files))
}

fn with(keyword: &str, line: &str) -> String {
    let kept = GOOD
        .lines()
        .map(str::trim)
        .filter(|it| !it.starts_with(keyword));
    let mut lines: Vec<&str> = kept.collect();
    lines.push(line);
    lines.join("\n")
}

#[test]
fn a_configuration_as_asked_for_has_no_finding() {
    assert_eq!(ids(GOOD), [""; 0]);
}

#[test]
fn each_setting_that_differs_is_told() {
    for (keyword, line, id) in DIFFERENT {
        assert_eq!(ids(&with(keyword, line)), [id], "{line}");
    }
}

#[test]
fn files_and_host_keys_are_for_root_alone() {
    let file = |uid, mode| {
        vec![Ok(PathFact {
            path: "/x".into(),
            there: There::Found(vec![Component {
                path: "/x".into(),
                uid,
                mode,
                kind: Kind::File,
            }]),
        })]
    };
    for (uid, mode, wrong) in [(0, 0o600, false), (0, 0o640, true), (7, 0o600, true)] {
        let files = Files {
            configuration: file(uid, mode),
            host_keys: file(uid, mode),
        };
        let expected: &[&str] = if wrong {
            &["cis-config-mode", "cis-host-key-mode"]
        } else {
            &[]
        };
        assert_eq!(
            broken(&check(&asked(&[("root", GOOD)], ""), &files)),
            expected
        );
    }
}

/// A keyword, a line in its place, and what that is called.
const DIFFERENT: [(&str, &str, &str); 22] = [
    ("loglevel", "loglevel QUIET", "cis-log-level"),
    ("loglevel", "loglevel DEBUG3", "cis-log-level"),
    ("maxauthtries", "maxauthtries 6", "cis-max-auth-tries"),
    (
        "permitrootlogin",
        "permitrootlogin without-password",
        "cis-root-login",
    ),
    (
        "permitemptypasswords",
        "permitemptypasswords yes",
        "cis-empty-passwords",
    ),
    (
        "hostbasedauthentication",
        "hostbasedauthentication yes",
        "cis-host-based",
    ),
    ("ignorerhosts", "ignorerhosts no", "cis-rhosts"),
    ("x11forwarding", "x11forwarding yes", "cis-x11"),
    (
        "permituserenvironment",
        "permituserenvironment LANG",
        "cis-environment",
    ),
    ("usepam", "usepam no", "cis-pam"),
    ("clientaliveinterval", "clientaliveinterval 0", "cis-alive"),
    (
        "logingracetime",
        "logingracetime 120",
        "cis-login-grace-time",
    ),
    ("logingracetime", "logingracetime 0", "cis-login-grace-time"),
    ("maxsessions", "maxsessions 11", "cis-max-sessions"),
    ("maxstartups", "maxstartups 10:30:100", "cis-max-startups"),
    ("banner", "banner none", "cis-banner"),
    (
        "disableforwarding",
        "disableforwarding no",
        "cis-forwarding",
    ),
    (
        "gssapiauthentication",
        "gssapiauthentication yes",
        "cis-gssapi",
    ),
    ("allowgroups", "x y", "cis-access-lists"),
    ("ciphers", "ciphers aes256-ctr,aes256-cbc", "cis-ciphers"),
    ("macs", "macs umac-64-etm@openssh.com", "cis-macs"),
    (
        "kexalgorithms",
        "kexalgorithms diffie-hellman-group14-sha1",
        "cis-kex",
    ),
];
