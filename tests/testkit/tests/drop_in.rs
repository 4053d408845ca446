//! The shipped drop-ins, judged by the installed sshd.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture that fails says why by panicking"
)]

use std::fs;
use std::path::Path;

use keyroster_testkit::{Sshd, SshdBuilder, openssh_version};

const COMMAND: &str = "/usr/lib/keyroster/keyroster-lookup keys --user=%u --uid=%U --type=%t --key=%k --fingerprint=%f";

fn shipped(name: &str) -> String {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sshd-config");
    fs::read_to_string(dir.join(name)).unwrap()
}

/// With its commented-out directives in force.
fn in_full(name: &str) -> String {
    let is_directive = |line: &str| line.starts_with("#Authorized");
    let lines = shipped(name);
    let lines = lines
        .lines()
        .map(|line| if is_directive(line) { &line[1..] } else { line });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

fn with(text: &str) -> SshdBuilder {
    Sshd::builder().drop_in("10-keyroster.conf", text)
}

fn explained(builder: SshdBuilder) -> Vec<String> {
    let said = builder
        .explain("user=root,host=localhost,addr=127.0.0.1")
        .unwrap();
    said.lines().map(str::to_owned).collect()
}

#[test]
fn both_drop_ins_pass_sshds_own_check_as_shipped_and_in_full() {
    for name in ["10-keyroster.conf", "10-keyroster-9.4.conf"] {
        for text in [shipped(name), in_full(name)] {
            let checked = with(&text).check().unwrap();
            assert!(checked.status.success(), "{name}: {}", checked.stderr);
            assert_eq!(checked.stderr, "", "{name}");
        }
    }
}

#[test]
fn the_key_command_arrives_in_sshd_as_it_is_written() {
    let lines = explained(with(&shipped("10-keyroster.conf")));
    assert!(
        lines.contains(&format!("authorizedkeyscommand {COMMAND}")),
        "{lines:#?}"
    );
    assert!(lines.contains(&"authorizedkeyscommanduser keyroster-lookup".to_owned()));
}

#[test]
fn a_later_drop_in_does_not_take_the_key_command_away() {
    let other = "AuthorizedKeysCommand /usr/bin/userdbctl ssh-authorized-keys %u\nAuthorizedKeysCommandUser root\n";
    let lines =
        explained(with(&shipped("10-keyroster.conf")).drop_in("20-systemd-userdb.conf", other));
    assert!(
        lines.contains(&format!("authorizedkeyscommand {COMMAND}")),
        "{lines:#?}"
    );
}

#[test]
fn in_full_both_commands_are_in_force() {
    let lines = explained(with(&in_full("10-keyroster.conf")));
    for keyword in [
        "authorizedkeyscommand /usr/lib",
        "authorizedprincipalscommand /usr/lib",
    ] {
        assert!(
            lines.iter().any(|line| line.starts_with(keyword)),
            "{keyword}: {lines:#?}"
        );
    }
    assert!(lines.contains(&"authorizedkeysfile /etc/keyroster/break-glass/%u".to_owned()));
}

/// The reason for the order of the two commands. When this fails, the installed sshd has mended it, and the drop-ins may
/// say so.
#[test]
fn from_8_7_to_9_3_a_principals_command_after_the_key_command_is_dropped_in_silence() {
    let text = in_full("10-keyroster.conf");
    let (principals, rest): (Vec<&str>, Vec<&str>) = text
        .lines()
        .partition(|line| line.starts_with("AuthorizedPrincipals"));
    let swapped = rest
        .into_iter()
        .chain(principals)
        .collect::<Vec<_>>()
        .join("\n")
        + "\n";
    let checked = with(&swapped).check().unwrap();
    assert!(checked.status.success(), "{}", checked.stderr);
    let dropped = !explained(with(&swapped))
        .iter()
        .any(|line| line.starts_with("authorizedprincipalscommand /usr"));
    let version = openssh_version().unwrap();
    assert_eq!(
        dropped,
        ((8, 7)..=(9, 3)).contains(&version),
        "OpenSSH {version:?}"
    );
}

#[test]
fn the_shipped_drop_in_uses_no_token_younger_than_8_4() {
    let tokens_of = |text: &str| -> Vec<char> {
        let directives: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with("# "))
            .collect();
        let text = directives.join("\n");
        text.match_indices('%')
            .filter_map(|(at, _)| text[at + 1..].chars().next())
            .collect()
    };
    let old = "uhUtkfTFKis";
    assert!(
        tokens_of(&shipped("10-keyroster.conf"))
            .iter()
            .all(|token| old.contains(*token))
    );
    assert!(tokens_of(&shipped("10-keyroster-9.4.conf")).contains(&'C'));
}
