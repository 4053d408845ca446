//! The commands are run by a shell on real files and looked at with the real sshd.

use std::process::Command;
use std::sync::Arc;

use keyroster_sshd::run::{TOOL_LIMIT, finish};
use keyroster_sshd::tree::Tree;
use keyroster_sshd::{Connection, Effective};
use keyroster_testkit as testkit;

use super::*;
use crate::doctor::checks::testing::asked;

/// Facts about the configuration of this sshd.
fn facts(sshd: &testkit::Sshd) -> SshdFacts {
    let mut facts = asked(&[("root", "")], "");
    facts.config = sshd.dir().join("sshd_config");
    facts.tree = Tree::read(&facts.config).unwrap();
    facts
}

/// Runs a command without its last step: no unit of the machine's is reloaded here.
fn paste(remedy: &Remedy) {
    let Remedy::Run(command) = remedy else {
        panic!("{remedy:?}");
    };
    let command = command.strip_suffix(" && systemctl reload ssh").unwrap();
    let mut shell = Command::new("/bin/sh");
    finish(shell.args(["-c", command]), TOOL_LIMIT)
        .and_then(|done| done.success("the shell"))
        .unwrap();
}

fn effective(sshd: &testkit::Sshd) -> Effective {
    let binary = keyroster_sshd::Binary::at(Path::new("/usr/sbin/sshd")).unwrap();
    let asked = keyroster_sshd::Sshd::new(binary, &sshd.dir().join("sshd_config"));
    asked
        .effective(&Connection::local("root").unwrap())
        .unwrap()
}

#[test]
fn a_line_that_wins_is_replaced_where_it_stands_even_in_a_block() {
    let lines = "X11Forwarding no\nMatch User root\n  x11forwarding=yes\n";
    let sshd = testkit::Sshd::builder().config(lines).start().unwrap();
    let facts = facts(&sshd);
    let login = facts.logins[0].login.clone();
    assert!(effective(&sshd).is_on("X11Forwarding"));
    paste(&set(&facts, &login, "X11Forwarding", "no"));
    assert!(!effective(&sshd).is_on("X11Forwarding"));
    let file = sshd.dir().join("sshd_config.d/00-test-0.conf");
    let text = std::fs::read_to_string(file).unwrap();
    assert_eq!(
        text,
        "X11Forwarding no\nMatch User root\nX11Forwarding no\n"
    );
}

#[test]
fn what_is_set_nowhere_is_set_before_everything() {
    let sshd = testkit::Sshd::builder().start().unwrap();
    let facts = facts(&sshd);
    let login = facts.logins[0].login.clone();
    paste(&set(&facts, &login, "Banner", "/etc/issue.net"));
    assert_eq!(effective(&sshd).first("Banner"), Some("/etc/issue.net"));
}

#[test]
fn a_line_is_taken_away_and_another_is_put_behind_one() {
    let lines = "Match User root\nAuthorizedKeysCommand /bin/true %u\nBanner /etc/motd\n";
    let sshd = testkit::Sshd::builder().config(lines).start().unwrap();
    let facts = facts(&sshd);
    let login = facts.logins[0].login.clone();
    paste(&remove(&facts, &login, "Banner"));
    assert_eq!(effective(&sshd).set("Banner"), None);
    let user = "AuthorizedKeysCommandUser keyroster-lookup";
    paste(&behind(&facts, &login, "AuthorizedKeysCommand", user));
    let user = effective(&sshd).key_command_user().map(str::to_owned);
    assert_eq!(user.as_deref(), Some("keyroster-lookup"));
}

#[test]
fn a_line_that_is_another_one_by_now_is_left_alone() {
    let sshd = testkit::Sshd::builder()
        .config("Banner /etc/motd\n")
        .start()
        .unwrap();
    let facts = facts(&sshd);
    let login = facts.logins[0].login.clone();
    let file = sshd.dir().join("sshd_config.d/00-test-0.conf");
    let changed = "BannerOfOurs\nBanner /etc/motd\n".replace("BannerOfOurs", "# Banner of ours");
    std::fs::write(&file, &changed).unwrap();
    paste(&set(&facts, &login, "Banner", "none"));
    paste(&remove(&facts, &login, "Banner"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), changed);
}

/// OpenSSH 9.2 takes the last value, so a command for the first would change nothing.
#[test]
fn of_a_keyword_whose_last_value_may_win_several_lines_are_a_judgement() {
    let one = asked(&[("root", "")], "MaxStartups 2\n");
    let several = asked(&[("root", "")], "MaxStartups 2\nMaxStartups 100\n");
    let mend = |facts: &SshdFacts| set(facts, &facts.logins[0].login, "MaxStartups", "10:30:60");
    assert!(matches!(mend(&one), Remedy::Run(_)));
    assert!(matches!(mend(&several), Remedy::Judge(_)));
}

#[test]
fn an_option_of_the_command_line_is_nothing_to_edit_in_a_file() {
    let mut facts = asked(&[("root", "")], "");
    let tree = std::mem::take(&mut facts.tree);
    facts.tree = tree.with_overrides(&["Banner=/etc/motd".to_owned()]);
    let login = facts.logins[0].login.clone();
    for remedy in [
        set(&facts, &login, "Banner", "none"),
        remove(&facts, &login, "Banner"),
    ] {
        assert!(matches!(remedy, Remedy::Judge(_)), "{remedy:?}");
    }
}

#[test]
fn a_path_that_a_shell_would_expand_is_one_word() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("a $(touch b)'c");
    std::fs::write(&config, "Banner /etc/motd\n").unwrap();
    let mut facts = asked(&[("root", "")], "");
    facts.tree = Tree::read(&config).unwrap();
    facts.config = config.clone();
    facts.program = "/bin/true".into();
    let asked = facts.logins[0].clone();
    let effective = Arc::clone(&asked.effective);
    assert!(effective.first("Banner").is_none());
    paste(&set(&facts, &asked.login, "Banner", "none"));
    assert_eq!(std::fs::read_to_string(&config).unwrap(), "Banner none\n");
}
