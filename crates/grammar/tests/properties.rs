//! Properties that hold for every tree and for every line of bytes.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use keyroster_grammar::{
    AuthorizedKey, AuthorizedPrincipal, CivilTime, Comment, EnvironmentSetting, FromPatterns,
    KeyOptions, LineKey, OptionValue, Permissions, Permit, Principal, Tunnel, parse_line,
    parse_principal_line,
};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

const KEYS: [&str; 3] = [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB",
    "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAAAABHNzaDo=",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC",
];

fn value() -> impl Strategy<Value = OptionValue> {
    let nasty = "[ -~]{0,12}|[\"\\\\,= #]{0,8}|\\PC{0,6}";
    nasty.prop_filter_map("can't be written", |text| OptionValue::parse(&text).ok())
}

fn from() -> impl Strategy<Value = FromPatterns> {
    let entry = "!?(10\\.0\\.0\\.0/8|::1|\\*\\.example\\.com|[ -+.-~]{1,8})";
    vec(entry, 1..4).prop_filter_map("sshd refuses it", |entries| {
        FromPatterns::parse(&entries.join(",")).ok()
    })
}

fn permit() -> impl Strategy<Value = Permit> {
    let text = "(\\*|[a-z]{0,5}|\\[::1\\]|\\[[ -Z]{0,5}\\]|[ -~]{0,6}):(\\*|ssh|[1-9][0-9]{0,3})";
    text.prop_filter_map("sshd refuses it", |text| Permit::parse_open(&text).ok())
}

fn environment() -> impl Strategy<Value = Vec<EnvironmentSetting>> {
    vec(("[A-C_0-9]{1,2}", value()), 0..4).prop_map(|settings| {
        let mut unique: Vec<EnvironmentSetting> = Vec::new();
        for (name, value) in settings {
            let setting = EnvironmentSetting::parse(&format!("{name}={}", value.as_str())).unwrap();
            if unique.iter().all(|held| held.name() != setting.name()) {
                unique.push(setting);
            }
        }
        unique
    })
}

fn permissions() -> impl Strategy<Value = Permissions> {
    any::<[bool; 5]>().prop_map(
        |[
            port_forwarding,
            agent_forwarding,
            x11_forwarding,
            pty,
            user_rc,
        ]| Permissions {
            port_forwarding,
            agent_forwarding,
            x11_forwarding,
            pty,
            user_rc,
        },
    )
}

fn time() -> impl Strategy<Value = CivilTime> {
    (1..253_402_300_800_u64).prop_map(|seconds| CivilTime::from_seconds(seconds).unwrap())
}

fn tunnel() -> impl Strategy<Value = Tunnel> {
    prop_oneof![
        Just(Tunnel::Any),
        (0..i32::MAX as u32 - 2).prop_map(Tunnel::Device)
    ]
}

prop_compose! {
    fn plain_options()(
        (restrict, permissions, no_touch_required, verify_required) in (any::<bool>(), permissions(), any::<bool>(), any::<bool>()),
        (from, command, environment) in (of(from()), of(value()), environment()),
        (permit_open, permit_listen, tunnel) in (vec(permit(), 0..3), vec(permit(), 0..3), of(tunnel())),
        (expiry_utc, expiry_local) in (of(time()), of(time())),
    ) -> KeyOptions {
        KeyOptions {
            restrict, permissions, cert_authority: false, principals: None, from, command, environment,
            permit_open, permit_listen, tunnel, expiry_utc, expiry_local, no_touch_required, verify_required,
        }
    }
}

fn options() -> impl Strategy<Value = KeyOptions> {
    (plain_options(), of(value())).prop_map(|(options, principals)| KeyOptions {
        cert_authority: principals.is_some(),
        principals,
        ..options
    })
}

fn line_key() -> impl Strategy<Value = LineKey> {
    prop::sample::select(KEYS.as_slice()).prop_map(|line| {
        let (name, body) = line.split_once(' ').unwrap();
        LineKey::parse(name, body).unwrap()
    })
}

fn tree() -> impl Strategy<Value = AuthorizedKey> {
    let comment = vec(any::<u8>(), 0..40).prop_map(|bytes| Comment::sanitise(&bytes));
    (options(), line_key(), comment).prop_map(|(options, key, comment)| AuthorizedKey {
        options,
        key,
        comment,
    })
}

/// Bytes that come close to lines: pieces of them, put together at random.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(KEYS[0].as_bytes().to_vec()),
        Just(b"command=\"".to_vec()),
        Just(b"from=\"".to_vec()),
        Just(b"restrict,".to_vec()),
        Just(b"no-pty".to_vec()),
        Just(b"cert-authority,principals=\"".to_vec()),
        Just(b"permitopen=\"[".to_vec()),
        Just(b"expiry-time=\"2030".to_vec()),
        Just(b"ssh-ed25519 ".to_vec()),
        Just(b"\\\"".to_vec()),
        Just(b"\",".to_vec()),
        Just(b" \t#".to_vec()),
        vec(any::<u8>(), 0..4),
    ];
    vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_printed_tree_is_read_back_as_itself(tree in tree()) {
        let line = tree.render().unwrap();
        prop_assert_eq!(parse_line(line.as_bytes()), Ok(Some(tree)));
    }

    #[test]
    fn printed_options_are_read_back_as_themselves(options in options()) {
        prop_assert_eq!(KeyOptions::parse(&options.render()), Ok(options));
    }

    #[test]
    fn a_printed_line_is_one_line_without_control_characters(tree in tree()) {
        let line = tree.render().unwrap();
        prop_assert!(!line.chars().any(char::is_control), "{}", line.escape_debug());
    }

    #[test]
    fn any_bytes_are_read_without_a_panic_and_what_is_read_prints_stably(bytes in prop_oneof![pieces(), vec(any::<u8>(), 0..64)]) {
        if let Ok(Some(tree)) = parse_line(&bytes) {
            let without_principals = tree.options.cert_authority && tree.options.principals.is_none();
            match tree.render() {
                Ok(line) => prop_assert_eq!(parse_line(line.as_bytes()), Ok(Some(tree))),
                Err(error) => prop_assert!(without_principals, "{}", error),
            }
        }
    }

    #[test]
    fn any_bytes_are_read_as_principals_without_a_panic(bytes in prop_oneof![pieces(), vec(any::<u8>(), 0..64)]) {
        if let Ok(Some(tree)) = parse_principal_line(&bytes) {
            let line = tree.render().unwrap();
            prop_assert!(!line.chars().any(char::is_control));
            prop_assert_eq!(parse_principal_line(line.as_bytes()), Ok(Some(tree)));
        }
    }

    #[test]
    fn a_printed_principal_is_read_back_as_itself(options in plain_options(), name in "[a-z@.-]{1,20}") {
        let has_hash = options.render().contains('#');
        let tree = AuthorizedPrincipal { options, principal: Principal::parse(&name).unwrap() };
        match tree.render() {
            Ok(line) => prop_assert_eq!(parse_principal_line(line.as_bytes()), Ok(Some(tree))),
            Err(error) => prop_assert!(has_hash, "{}", error),
        }
    }
}
