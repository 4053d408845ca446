//! The decision, and further down whether the real sshd decides so.

mod real;

use super::*;

fn deploy() -> Applicant {
    Applicant {
        name: "deploy".to_owned(),
        uid: 1000,
        groups: vec!["deploy".to_owned(), "staff".to_owned()],
        shell: Shell::Runs,
        term: Term::default(),
    }
}

fn root() -> Applicant {
    Applicant {
        name: "toor".to_owned(),
        uid: 0,
        ..deploy()
    }
}

fn bar(who: &Applicant, said: &str) -> Option<Bar> {
    let said = format!("{said}pubkeyauthentication yes\nusepam yes\n");
    may_log_in(who, &Effective::parse(&said)).bar()
}

#[test]
fn an_account_is_open_as_sshd_is_by_default() {
    let said = "authenticationmethods any\npermitrootlogin prohibit-password\n";
    assert_eq!(bar(&deploy(), said), None);
    assert_eq!(bar(&root(), said), None);
    assert_eq!(bar(&root(), "permitrootlogin without-password\n"), None);
}

#[test]
fn an_sshd_that_takes_no_keys_shuts_it() {
    assert_eq!(
        bar(&deploy(), "pubkeyauthentication no\n"),
        Some(Bar::PubkeyOff)
    );
    let nothing = may_log_in(&deploy(), &Effective::parse(""));
    assert_eq!(nothing, Admission::Shut(Bar::PubkeyOff));
}

#[test]
fn whoever_has_number_0_is_root_for_permit_root_login() {
    for word in ["no", "forced-commands-only"] {
        let said = format!("permitrootlogin {word}\n");
        assert_eq!(bar(&root(), &said), Some(Bar::RootLogin(word)));
        assert_eq!(bar(&deploy(), &said), None);
    }
}

#[test]
fn one_alternative_has_to_be_a_key_alone() {
    for (methods, open) in [
        ("publickey", true),
        ("password publickey", true),
        ("password", false),
        ("publickey,password", false),
        ("publickey,password publickey", true),
        ("publickey,publickey", false),
    ] {
        let said = format!("authenticationmethods {methods}\n");
        assert_eq!(bar(&deploy(), &said).is_none(), open, "{methods}");
    }
}

/// match_user() and ga_match() of OpenSSH: patterns with `*` and `?`, no lists and no `!`.
#[test]
fn lists_of_users_and_groups_mean_what_they_mean_to_sshd() {
    for (said, list) in [
        ("denyusers deploy\n", Some("DenyUsers")),
        ("denyusers root\ndenyusers dep*\n", Some("DenyUsers")),
        ("denyusers !deploy\n", None),
        ("denyusers deploy,root\n", None),
        ("denyusers deploy@192.0.2.*\n", None),
        ("denyusers deploy@*\n", Some("DenyUsers")),
        ("denyusers *@192.0.2.1\n", None),
        ("allowusers root\nallowusers alice\n", Some("AllowUsers")),
        ("allowusers root\nallowusers deplo?\n", None),
        ("allowusers deploy@192.0.2.*\n", None),
        ("denygroups staff\n", Some("DenyGroups")),
        ("denygroups !staff\n", None),
        ("allowgroups admin\n", Some("AllowGroups")),
        ("allowgroups admin\nallowgroups st*\n", None),
        (
            "allowusers deploy\nallowgroups admin\n",
            Some("AllowGroups"),
        ),
    ] {
        assert_eq!(bar(&deploy(), said), list.map(Bar::List), "{said}");
    }
}

#[test]
fn an_account_in_no_group_is_in_none_of_those_that_are_allowed() {
    let alone = Applicant {
        groups: Vec::new(),
        ..deploy()
    };
    assert_eq!(
        bar(&alone, "allowgroups *\n"),
        Some(Bar::List("AllowGroups"))
    );
}

#[test]
fn a_locked_account_is_shut_where_pam_does_not_decide() {
    let locked = Applicant {
        term: Term {
            locked: true,
            ..Term::default()
        },
        ..deploy()
    };
    assert_eq!(bar(&locked, "usepam no\n"), Some(Bar::Locked));
    assert_eq!(bar(&locked, ""), None);
}

#[test]
fn an_account_whose_day_has_come_is_shut_and_one_with_too_old_a_password_where_pam_decides() {
    let with = |term| Applicant { term, ..deploy() };
    let expired = with(Term {
        expired: true,
        ..Term::default()
    });
    let aged = with(Term {
        aged: true,
        ..Term::default()
    });
    for said in ["usepam no\n", ""] {
        assert_eq!(bar(&expired, said), Some(Bar::Expired));
    }
    assert_eq!(bar(&aged, ""), Some(Bar::Aged));
    assert_eq!(bar(&aged, "usepam no\n"), None);
}

#[test]
fn a_shell_that_ends_or_is_not_there_is_no_login() {
    let with = |shell| Applicant { shell, ..deploy() };
    let path = || PathBuf::from("/x");
    assert_eq!(
        bar(&with(Shell::SendsAway(path())), ""),
        Some(Bar::Shell(path()))
    );
    assert_eq!(
        bar(&with(Shell::Missing(path())), ""),
        Some(Bar::NoShell(path()))
    );
    for (shell, away) in [
        ("/usr/sbin/nologin", true),
        ("/bin/false", true),
        ("/bin/sync", true),
        ("/bin/sh", false),
        ("", false),
    ] {
        assert_eq!(sends_away(shell), away, "{shell}");
    }
}

#[test]
fn a_key_is_taken_if_its_type_is_among_the_accepted_ones() {
    let takes_it = |name: &str, said: &str| {
        let algorithm = Algorithm::from_name(name).unwrap();
        takes(algorithm, &Effective::parse(said))
    };
    let strict = "pubkeyacceptedalgorithms ssh-ed25519,rsa-sha2-512\n";
    assert!(takes_it("ssh-ed25519", strict));
    assert!(takes_it("ssh-rsa", strict));
    assert!(!takes_it("sk-ssh-ed25519@openssh.com", strict));
    let older = "pubkeyacceptedkeytypes sk-*,!sk-ecdsa*\n";
    assert!(takes_it("sk-ssh-ed25519@openssh.com", older));
    assert!(!takes_it("ssh-ed25519", older));
    assert!(takes_it("ssh-ed25519", ""));
}
