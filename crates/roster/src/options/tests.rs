use super::*;

fn parse(texts: &[&str]) -> Result<GrantOptions, ModelError> {
    GrantOptions::parse(texts.iter().copied(), None)
}

fn parse_with_command(texts: &[&str]) -> GrantOptions {
    GrantOptions::parse(texts.iter().copied(), Some("backup")).unwrap()
}

#[test]
fn a_login_has_a_terminal_unless_a_command_is_forced() {
    assert_eq!(parse(&[]).unwrap(), GrantOptions::default());
    assert_eq!(parse(&[]).unwrap().texts(), ["pty"]);
    assert_eq!(parse(&["no-pty"]).unwrap().texts(), ["no-pty"]);
    assert_eq!(parse_with_command(&[]).texts(), ["no-pty"]);
    assert_eq!(parse_with_command(&["pty"]).texts(), ["pty"]);
}

#[test]
fn options_are_read_in_any_order_and_case_and_written_in_one() {
    let options = parse(&[
        "VERIFY-REQUIRED",
        "tunnel=\"3\"",
        "environment=\"B=say \\\"hi\\\"\"",
        "permitlisten=8080",
        "permitopen=\"[::1]:22\"",
        "PermitOpen=db:5432",
        "no-touch-required",
        "x11-forwarding",
        "Port-Forwarding",
        "no-user-rc",
        "environment=A=",
    ])
    .unwrap();
    assert_eq!(
        options.texts(),
        [
            "pty",
            "port-forwarding",
            "X11-forwarding",
            "no-touch-required",
            "permitopen=[::1]:22",
            "permitopen=db:5432",
            "permitlisten=*:8080",
            "environment=A=",
            "environment=B=say \"hi\"",
            "tunnel=3",
            "verify-required",
        ]
    );
    assert_eq!(
        GrantOptions::parse(options.texts().iter().map(String::as_str), None).unwrap(),
        options
    );
}

#[test]
fn an_option_that_has_no_place_in_a_grant_is_refused_with_its_rule() {
    for (text, rule) in [
        (
            "restrict",
            "every grant is restricted; name only what it opens",
        ),
        (
            "cert-authority",
            "a grant is for plain keys, never for a certificate authority",
        ),
        (
            "principals=\"root\"",
            "a grant is for plain keys, never for a certificate authority",
        ),
        (
            "command=\"sh\"",
            "the forced command is given apart, with --command",
        ),
        ("from=\"*\"", "addresses are given apart, with --from"),
        ("expiry-time=\"20300101\"", "a grant ends with --until"),
        ("permitopen", "it needs a value, as in NAME=VALUE"),
        ("pty=yes", "it takes no value"),
        ("verify-required=1", "it takes no value"),
        ("no-x11-forwarding=1", "it takes no value"),
        ("sudo", "sshd knows no such option"),
        ("", "sshd knows no such option"),
        ("pty,port-forwarding", "sshd knows no such option"),
        ("pty\nssh-ed25519", "sshd knows no such option"),
    ] {
        let option = text.split('=').next().unwrap().to_owned();
        assert_eq!(
            parse(&[text]),
            Err(ModelError::Option { option, rule }),
            "{text:?}"
        );
    }
}

#[test]
fn an_option_that_contradicts_another_is_refused() {
    for texts in [
        ["pty", "no-pty"],
        ["pty", "PTY"],
        ["touch-required", "no-touch-required"],
        ["verify-required", "no-verify-required"],
        ["tunnel=1", "tunnel=1"],
        ["environment=A=1", "environment=A=2"],
        ["permitopen=db:22", "no-port-forwarding"],
        ["permitlisten=22", "pty"],
    ] {
        assert!(parse(&texts).is_err(), "{texts:?}");
    }
}

#[test]
fn a_malformed_value_is_refused() {
    for text in [
        "permitopen=\"db:22",
        "environment=\"A=\"b\"",
        "environment=\"A=b\\\"",
        "environment=A=b\\",
        "environment=A=b\nc",
        "tunnel=-1",
        "tunnel=01",
        "tunnel=2147483646",
        "tunnel=",
        "tunnel=0:1",
    ] {
        assert!(parse(&["port-forwarding", text]).is_err(), "{text:?}");
    }
    assert_eq!(parse(&["tunnel=any"]).unwrap().tunnel(), Some(Tunnel::Any));
    assert_eq!(
        parse(&["tunnel=2147483645"]).unwrap().tunnel(),
        Some(Tunnel::Device(MAX_TUNNEL_DEVICE))
    );
}

#[test]
fn the_number_of_options_is_capped() {
    assert!(matches!(
        parse(&vec!["permitopen=a:1"; MAX_OPTIONS + 1]),
        Err(ModelError::TooMany { .. })
    ));
}
