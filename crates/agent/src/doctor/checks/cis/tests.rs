use super::*;
use crate::doctor::checks::testing::{asked, broken, what_of};
use crate::doctor::facts::files::{Component, Kind};

const GOOD: &str = "loglevel VERBOSE\nmaxauthtries 4\npermitrootlogin no\npermitemptypasswords no\nhostbasedauthentication no\nignorerhosts yes\n\
    x11forwarding no\npermituserenvironment no\nusepam yes\nclientaliveinterval 15\nclientalivecountmax 3\nlogingracetime 60\nmaxsessions 10\n\
    maxstartups 10:30:60\nbanner /etc/issue.net\ndisableforwarding yes\ngssapiauthentication no\nallowgroups staff\n\
    ciphers chacha20-poly1305@openssh.com,aes256-gcm@openssh.com\nmacs hmac-sha2-512-etm@openssh.com\nkexalgorithms curve25519-sha256\n";

fn ids(said: &str) -> Vec<&'static str> {
    let files = Files {
        configuration: Vec::new(),
        host_keys: Vec::new(),
        public_keys: Vec::new(),
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
    let private = ["cis-config-mode", "cis-host-key-mode"];
    let all = [
        "cis-config-mode",
        "cis-host-key-mode",
        "cis-public-key-mode",
    ];
    for (uid, mode, expected) in [
        (0, 0o600, &all[..0]),
        (0, 0o644, &private),
        (0, 0o664, &all),
        (0, 0o755, &all),
        (7, 0o600, &all),
    ] {
        let files = Files {
            configuration: file(uid, mode),
            host_keys: file(uid, mode),
            public_keys: file(uid, mode),
        };
        let findings = check(&asked(&[("root", GOOD)], ""), &files);
        assert_eq!(broken(&findings), expected, "{uid} {mode:o}");
    }
}

#[test]
fn a_block_that_weakens_a_setting_for_one_account_is_told_with_its_line() {
    let text = "Match User deploy\nX11Forwarding yes\nPermitRootLogin yes\n";
    let weak = format!(
        "{}permitrootlogin yes\n",
        with("x11", "x11forwarding yes\n")
    );
    let facts = asked(&[("root", GOOD), ("deploy", &weak)], text);
    let files = Files {
        configuration: Vec::new(),
        host_keys: Vec::new(),
        public_keys: Vec::new(),
    };
    let findings = check(&facts, &files);
    assert_eq!(
        broken(&findings),
        ["cis-x11"],
        "root's login is root's alone"
    );
    let what = what_of(&findings, "cis-x11");
    assert!(what.contains("sshd_config:2, for \"deploy\""), "{what}");
}

#[test]
fn what_is_left_of_a_list_of_algorithms_is_what_mends_it() {
    let said = with("ciphers", "ciphers aes256-ctr,aes256-cbc\n");
    let facts = asked(&[("root", &said)], "Ciphers aes256-ctr,aes256-cbc\n");
    let files = Files {
        configuration: Vec::new(),
        host_keys: Vec::new(),
        public_keys: Vec::new(),
    };
    let mend = check(&facts, &files).iter().find_map(Finding::mend);
    let mend = mend.unwrap();
    assert!(mend.text().contains("#Ciphers aes256-ctr#I' "), "{mend:?}");
}

#[test]
fn every_finding_has_its_recommendation_and_the_page_has_the_same() {
    let page = include_str!("../../../../../../docs/doctor.md");
    assert!(page.contains(&format!("{BENCHMARK}, section 5.1")));
    for rule in RULES {
        let number = recommendation(rule).unwrap();
        assert!(
            page.contains(&format!("\n| {number} | `{}` |\n", rule.id)),
            "{}",
            rule.id
        );
    }
    assert_eq!(RECOMMENDATIONS.len(), RULES.len());
    let numbers: std::collections::BTreeSet<u32> = RECOMMENDATIONS
        .iter()
        .map(|(_, number)| number.strip_prefix("5.1.").unwrap().parse().unwrap())
        .collect();
    assert_eq!(numbers, (1..=22).collect(), "all of the section");
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
