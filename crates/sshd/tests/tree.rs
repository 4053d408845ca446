//! The tree against the real sshd: for configurations that nobody thought of, the line that the tree names holds the value that
//! `sshd -T -C` reports.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail by panicking"
)]

use std::process::Command;
use std::time::Duration;

use keyroster_sshd::tree::{Login, Tree};
use keyroster_testkit::{RootDir, SshKey, finish};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// A line of a generated configuration.
#[derive(Debug, Clone)]
enum Piece {
    Set,
    Match(&'static str),
    Include(&'static str),
}

#[test]
fn the_line_that_the_tree_names_holds_the_value_that_sshd_reports() {
    let dir = RootDir::new().unwrap();
    let key = SshKey::ed25519(dir.path(), "host_key").unwrap();
    std::fs::create_dir_all("/run/sshd").unwrap();
    let base = dir.path().display().to_string();
    let mut runner = TestRunner::new(Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    });
    let files = (
        pieces(&["*.conf", "deep"]),
        pieces(&["deep", "none-such"]),
        pieces(&["deep"]),
        pieces(&["none-such"]),
    );
    let case = (
        files,
        prop::bool::ANY,
        prop::sample::select(LOGINS.to_vec()),
    );
    runner
        .run(
            &case,
            |((main, first, second, deep), given, (user, addr))| {
                let mut number = 0;
                let head = format!("HostKey {}\nPort 22\n", key.private_path().display());
                for (name, pieces, head) in [
                    ("sshd_config", &main, head.as_str()),
                    ("10-a.conf", &first, ""),
                    ("20-b.conf", &second, ""),
                    ("deep", &deep, "# nothing\n"),
                ] {
                    let text = format!("{head}{}", text(pieces, &base, &mut number));
                    dir.file(name, text, 0o644).unwrap();
                }
                let options: &[&str] = if given { &["-o", "Banner=/given"] } else { &[] };
                let reported = reported(&dir, options, user, addr);
                let overrides: Vec<String> =
                    options.iter().skip(1).map(|it| (*it).to_owned()).collect();
                let tree = Tree::read(&dir.path().join("sshd_config"))
                    .unwrap()
                    .with_overrides(&overrides);
                let login = login(user, addr);
                let named = tree.winner("Banner", &login);
                let named = named.map_or("none", |setting| setting.value.as_str());
                prop_assert_eq!(named, reported);
                Ok(())
            },
        )
        .unwrap();
}

/// Includes go down only: a drop-in that includes all drop-ins would go on for ever.
fn pieces(includes: &'static [&'static str]) -> impl Strategy<Value = Vec<Piece>> {
    let include = prop::sample::select(includes).prop_map(Piece::Include);
    let condition = prop::sample::select(MATCHES.to_vec()).prop_map(Piece::Match);
    let piece = prop_oneof![
        3 => Just(Piece::Set),
        3 => condition,
        1 => include,
    ];
    prop::collection::vec(piece, 0..6)
}

/// Each value is another one, so that the value tells the line.
fn text(pieces: &[Piece], base: &str, number: &mut u32) -> String {
    let mut text = String::new();
    for piece in pieces {
        *number += 1;
        text.push_str(&match piece {
            Piece::Set => format!("  bAnner /{number}\n"),
            Piece::Match(condition) => format!("Match {condition}\n"),
            Piece::Include(name) => format!("Include {base}/{name}\n"),
        });
    }
    text
}

fn reported(dir: &RootDir, options: &[&str], user: &str, addr: &str) -> String {
    let connection = format!("user={user},host={addr},addr={addr},laddr=127.0.0.1,lport=22");
    let mut command = Command::new("/usr/sbin/sshd");
    command
        .args(["-T", "-C", &connection])
        .args(options)
        .arg("-f")
        .arg(dir.path().join("sshd_config"));
    let said = finish(&mut command, LIMIT)
        .unwrap()
        .success("sshd -T")
        .unwrap();
    let value = said.lines().find_map(|line| line.strip_prefix("banner "));
    value.expect("sshd always tells a banner").to_owned()
}

fn login(user: &str, addr: &str) -> Login {
    Login {
        user: user.to_owned(),
        groups: vec![user.to_owned()],
        host: addr.to_owned(),
        addr: addr.parse().unwrap(),
        laddr: "127.0.0.1".parse().unwrap(),
        lport: 22,
    }
}

const MATCHES: [&str; 12] = [
    "all",
    "User root",
    "User r*,!daemon",
    "User *,!root",
    "user=daemon",
    "Group root",
    "Group daemon Address 192.0.2.0/24",
    "Address 192.0.2.*,2001:db8::/32",
    "Address 192.0.2.0/24,!192.0.2.7",
    "LocalPort 22 LocalAddress 127.0.0.1",
    "LocalPort 2222",
    "Host 192.0.*",
];

/// Accounts that every system has, in a group of their own name.
const LOGINS: [(&str, &str); 4] = [
    ("root", "192.0.2.7"),
    ("daemon", "192.0.2.8"),
    ("daemon", "2001:db8::1"),
    ("root", "203.0.113.9"),
];

const CASES: u32 = 80;
const LIMIT: Duration = Duration::from_secs(20);
