use keyroster_keys::line::{MAX_LINE_BYTES, parse_line};

use super::*;
use crate::testing::{blob, from_list, grant_id, options, user_name};
use crate::{ForcedCommand, MAX_COMMAND_BYTES};

const GRANT: &str = "00000000-0000-7000-8000-000000000007";

fn written(terms: &Terms) -> Result<String, DenyReason> {
    write(&blob(1), &user_name("alice"), &grant_id(7), terms).map(|line| line.text)
}

fn text(texts: &[&str], command: Option<&str>) -> String {
    let line = written(&Terms {
        options: options(texts, command),
        from: None,
    })
    .unwrap();
    let (options, key) = line.split_once(" ssh-ed25519 ").unwrap();
    assert_eq!(key, format!("{} keyroster:alice:{GRANT}", blob(1).base64()));
    options.to_owned()
}

#[test]
fn a_line_begins_with_restrict_and_names_user_and_grant() {
    assert_eq!(text(&[], None), "restrict,pty");
    assert_eq!(text(&["no-pty"], None), "restrict");
    assert_eq!(
        text(&[], Some("say \"hi\"")),
        r#"restrict,command="say \"hi\"""#
    );
}

#[test]
fn every_option_of_a_grant_reaches_the_line() {
    let all = [
        "port-forwarding",
        "agent-forwarding",
        "X11-forwarding",
        "user-rc",
        "no-touch-required",
        "verify-required",
        "permitopen=[::1]:22",
        "permitopen=*:80",
        "permitlisten=8080",
        "environment=A=x \"y\"",
        "tunnel=3",
    ];
    let terms = Terms {
        options: options(&all, Some("id")),
        from: Some(from_list(&["10.0.0.0/8", "2001:db8::/32"])),
    };
    let line = parse_line(written(&terms).unwrap().as_bytes())
        .unwrap()
        .unwrap();
    assert_eq!(
        line.options.render(),
        "restrict,port-forwarding,agent-forwarding,X11-forwarding,user-rc,no-touch-required,verify-required,\
         from=\"10.0.0.0/8,2001:db8::/32\",command=\"id\",environment=\"A=x \\\"y\\\"\",\
         permitopen=\"*:80\",permitopen=\"[::1]:22\",permitlisten=\"*:8080\",tunnel=\"3\""
    );
}

#[test]
fn a_line_longer_than_a_host_prints_is_refused() {
    let variables: Vec<String> = (0..8)
        .map(|at| format!("environment=A{at}={}", "x".repeat(1_000)))
        .collect();
    let options = GrantOptions::parse(variables.iter().map(String::as_str), None).unwrap();
    assert_eq!(
        written(&Terms {
            options,
            from: None
        }),
        Err(DenyReason::LineTooLong)
    );
}

#[test]
fn the_longest_command_fits_even_if_every_character_is_escaped() {
    let command = "\"".repeat(MAX_COMMAND_BYTES);
    let options = options(&[], Some(&command));
    assert_eq!(
        options.command().map(ForcedCommand::as_str),
        Some(command.as_str())
    );
    assert!(
        written(&Terms {
            options,
            from: None
        })
        .unwrap()
        .len()
            < MAX_LINE_BYTES
    );
}
