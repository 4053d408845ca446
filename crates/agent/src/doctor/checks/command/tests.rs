use super::*;
use crate::doctor::checks::testing::{OURS, SSHD, broken, sshd, what_of};

#[test]
fn one_command_for_everybody_is_fine() {
    let facts = sshd(&[("deploy", OURS), ("root", OURS)], SSHD);
    assert_eq!(broken(&check(&facts)), [""; 0]);
}

#[test]
fn a_host_that_was_not_switched_on_is_told_so_and_nothing_else() {
    let facts = sshd(&[("deploy", "none"), ("root", "none")], "");
    assert_eq!(broken(&check(&facts)), ["not-enabled"]);
}

#[test]
fn accounts_outside_of_a_pilot_group_are_a_note() {
    let facts = sshd(
        &[("deploy", OURS), ("root", "none")],
        "Match Group deploy\nAuthorizedKeysCommand x\n",
    );
    let findings = check(&facts);
    assert_eq!(broken(&findings), ["command-pilot"]);
    assert!(what_of(&findings, "command-pilot").contains("\"root\""));
}

#[test]
fn a_block_that_takes_the_command_away_is_an_error_with_its_line() {
    let text = format!("{SSHD}Match User deploy\n AuthorizedKeysCommand none\n");
    let facts = sshd(&[("deploy", "none"), ("root", OURS)], &text);
    let findings = check(&facts);
    assert_eq!(broken(&findings), ["command-unset"]);
    let what = what_of(&findings, "command-unset");
    assert!(
        what.contains("sshd_config:4") && what.contains("\"deploy\""),
        "{what}"
    );
}

#[test]
fn another_providers_command_is_an_error_with_its_line() {
    let facts = sshd(
        &[("deploy", "/usr/bin/userdbctl ssh-authorized-keys %u")],
        "AuthorizedKeysCommand /usr/bin/userdbctl ssh-authorized-keys %u\n",
    );
    let findings = check(&facts);
    assert_eq!(broken(&findings), ["command-foreign"]);
    assert!(what_of(&findings, "command-foreign").contains("sshd_config:1"));
}

#[test]
fn a_command_from_the_command_line_is_named_as_such_and_mended_in_the_unit() {
    let mut facts = sshd(&[("deploy", "/opt/eic %u")], SSHD);
    facts.tree = facts
        .tree
        .with_overrides(&["AuthorizedKeysCommand=/opt/eic %u".to_owned()]);
    let findings = check(&facts);
    assert_eq!(broken(&findings), ["command-foreign"]);
    assert!(what_of(&findings, "command-foreign").contains("-o on sshd's command line"));
    let finding = findings
        .iter()
        .find(|it| it.rule.id == "command-foreign")
        .unwrap();
    assert!(finding.mend().unwrap().text().contains("systemctl edit"));
}

#[test]
fn keyroster_behind_another_command_is_a_note() {
    let chained = "/usr/bin/userdbctl ssh-authorized-keys %u --chain /usr/lib/keyroster/keyroster-lookup keys";
    let facts = sshd(&[("deploy", chained)], SSHD);
    assert_eq!(broken(&check(&facts)), ["command-chained"]);
}

#[test]
fn a_missing_argument_and_a_token_that_sshd_does_not_know_are_errors() {
    let facts = sshd(
        &[(
            "deploy",
            "/usr/lib/keyroster/keyroster-lookup keys --user=%u",
        )],
        SSHD,
    );
    assert_eq!(broken(&check(&facts)), ["command-arguments"]);
    let with_connection = format!("{OURS} --connection=%C");
    let mut facts = sshd(&[("deploy", &with_connection)], SSHD);
    facts.version = keyroster_sshd::Version::new(9, 3);
    assert_eq!(broken(&check(&facts)), ["command-token"]);
    facts.version = keyroster_sshd::Version::new(9, 4);
    assert_eq!(broken(&check(&facts)), [""; 0]);
}
