//! What a login may do, by the options of its line.
//!
//! Each test quotes what sshd(8) says under AUTHORIZED_KEYS FILE FORMAT. The lines are printed from our tree: what is held
//! here is that the tree means what its fields are called.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::net::TcpListener;

use keyroster_grammar::{
    AuthorizedKey, CivilTime, Comment, EnvironmentSetting, FromPatterns, KeyOptions, LineKey,
    OptionValue, Permit,
};
use keyroster_openssh_compliance::keys::{KeyName, Keys};
use keyroster_openssh_compliance::oracle::Oracle;
use keyroster_testkit::{Account, Finished, Result, RootDir, Ssh, free_port};

/// An sshd, and the key that everybody logs in with.
struct Login {
    oracle: Oracle,
    keys: Keys,
    _dir: RootDir,
}

impl Login {
    fn start(config: &str) -> Result<Self> {
        let dir = RootDir::new()?;
        Ok(Self {
            oracle: Oracle::start(&dir, config)?,
            keys: Keys::make(dir.path(), &[KeyName::Ed25519])?,
            _dir: dir,
        })
    }

    /// A login with these options, to whatever the caller makes of it.
    fn with(&self, options: KeyOptions) -> Ssh {
        let (name, body) = self.keys.parts(KeyName::Ed25519);
        let key = LineKey::parse(name, body).unwrap();
        let line = AuthorizedKey {
            options,
            key,
            comment: Comment::default(),
        };
        self.oracle.put(line.render().unwrap()).unwrap();
        self.oracle.ssh(&self.keys.private_path(KeyName::Ed25519))
    }

    fn run(&self, options: KeyOptions, command: &str) -> Finished {
        self.with(options).command(command).run().unwrap()
    }

    fn has_terminal(&self, options: &str) -> bool {
        let options = KeyOptions::parse(options).unwrap();
        let login = self
            .with(options)
            .argument("-tt")
            .command("test -t 0 && echo a terminal")
            .run();
        login.unwrap().stdout.contains("a terminal")
    }

    fn is_let_in(&self, options: KeyOptions) -> bool {
        self.run(options, "true").status.success()
    }
}

fn command(text: &str) -> KeyOptions {
    KeyOptions {
        command: OptionValue::parse(text).ok(),
        ..KeyOptions::default()
    }
}

#[test]
fn a_forced_command_runs_instead_of_what_was_asked_for() {
    // "The command supplied by the user (if any) is ignored." … "The command originally supplied by the client is available
    // in the SSH_ORIGINAL_COMMAND environment variable." … "A quote may be included in the command by quoting it with a
    // backslash."
    let login = Login::start("").unwrap();
    let forced = login.run(
        command(r#"printf '%s' "forced: $SSH_ORIGINAL_COMMAND""#),
        "echo asked for",
    );
    assert_eq!(forced.stdout, "forced: echo asked for");
    let with_backslashes = login.run(command(r#"printf '%s' 'a\b\\c"d\"e'"#), "true");
    assert_eq!(with_backslashes.stdout, r#"a\b\\c"d\"e"#);
}

#[test]
fn a_terminal_is_given_or_not_by_the_order_of_the_flags() {
    // "restrict: Enable all restrictions, i.e. disable port, agent and X11 forwarding, as well as disabling PTY allocation
    // and execution of ~/.ssh/rc." … "pty: Permits tty allocation previously disabled by the restrict option."
    let login = Login::start("").unwrap();
    for (options, expected) in [
        ("", true),
        ("no-pty", false),
        ("restrict", false),
        ("restrict,pty", true),
        ("pty,restrict", false),
        ("no-pty,pty", true),
        ("pty,no-pty", false),
    ] {
        assert_eq!(login.has_terminal(options), expected, "{options}");
        let parsed = KeyOptions::parse(options).unwrap();
        assert_eq!(parsed.permissions.pty, expected, "{options}");
    }
}

#[test]
fn environment_settings_reach_the_login_if_the_host_permits_them() {
    // "Environment variables set this way override other default environment values." … "Environment processing is disabled
    // by default and is controlled via the PermitUserEnvironment option."
    let options = || {
        let settings =
            ["KR_A=b c", "KR_Q=say \"hi\""].map(|text| EnvironmentSetting::parse(text).unwrap());
        KeyOptions {
            environment: settings.to_vec(),
            ..KeyOptions::default()
        }
    };
    let show = "printf '%s|%s' \"$KR_A\" \"$KR_Q\"";
    let permitted = Login::start("PermitUserEnvironment yes").unwrap();
    assert_eq!(permitted.run(options(), show).stdout, "b c|say \"hi\"");
    let forbidden = Login::start("PermitUserEnvironment no").unwrap();
    let login = forbidden.run(options(), show);
    assert_eq!((login.code(), login.stdout.as_str()), (Some(0), "|"));
}

#[test]
fn of_two_settings_of_one_variable_the_first_wins() {
    let login = Login::start("").unwrap();
    let (name, body) = login.keys.parts(KeyName::Ed25519);
    login
        .oracle
        .put(format!(
            "environment=\"KR_A=1\",environment=\"KR_A=2\" {name} {body}\n"
        ))
        .unwrap();
    let ssh = login.oracle.ssh(&login.keys.private_path(KeyName::Ed25519));
    assert_eq!(
        ssh.command("printf '%s' \"$KR_A\"").run().unwrap().stdout,
        "1"
    );
}

#[test]
fn an_expiry_lets_in_before_it_and_not_after_and_the_earliest_counts() {
    // "Specifies a time after which the key will not be accepted."
    let login = Login::start("").unwrap();
    let at = |seconds| CivilTime::from_seconds(seconds);
    let (past, future) = (1_600_000_000, 4_000_000_000);
    let options = |utc, local| KeyOptions {
        expiry_utc: utc,
        expiry_local: local,
        ..KeyOptions::default()
    };
    assert!(login.is_let_in(options(at(future), None)));
    assert!(login.is_let_in(options(None, at(future))));
    assert!(login.is_let_in(options(at(future), at(future))));
    assert!(!login.is_let_in(options(at(past), None)));
    assert!(!login.is_let_in(options(None, at(past))));
    assert!(!login.is_let_in(options(at(future), at(past))));
    assert!(!login.is_let_in(options(at(past), at(future))));
}

#[test]
fn a_login_from_elsewhere_is_refused() {
    // "either the canonical name of the remote host or its IP address must be present in the comma-separated list of
    // patterns" … "a from stanza may match IP addresses using CIDR address/masklen notation."
    let login = Login::start("").unwrap();
    for (patterns, expected) in [
        ("127.0.0.1", true),
        ("127.0.0.0/8", true),
        ("127.0.0.*", true),
        ("10.0.0.0/8", false),
        ("*,!127.0.0.1", false),
        ("localhost", false),
    ] {
        let from = FromPatterns::parse(patterns).ok();
        assert_eq!(
            login.is_let_in(KeyOptions {
                from,
                ..KeyOptions::default()
            }),
            expected,
            "{patterns}"
        );
    }
}

#[test]
fn port_forwarding_leads_only_where_permitopen_says() {
    // "Limit local port forwarding with the ssh(1) -L option such that it may only connect to the specified host and port."
    let login = Login::start("").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let forward = format!("127.0.0.1:{port}");
    let reaches = |options: &str, permit: Option<&str>| {
        let permit_open = permit
            .map(|text| Permit::parse_open(text).unwrap())
            .into_iter()
            .collect();
        let options = KeyOptions {
            permit_open,
            ..KeyOptions::parse(options).unwrap()
        };
        let before = login.oracle.log().matches("direct-tcpip").count();
        let finished = login
            .with(options)
            .argument("-W")
            .argument(&forward)
            .run()
            .unwrap();
        assert!(
            login.oracle.log().matches("direct-tcpip").count() > before,
            "{finished:?}"
        );
        !finished.stderr.contains("administratively prohibited")
    };
    // The far end is closed at once, so that a forwarding that is let through ends.
    std::thread::spawn(move || listener.incoming().for_each(drop));
    assert!(reaches("", None));
    assert!(reaches("restrict,port-forwarding", Some(&forward)));
    assert!(reaches("", Some("127.0.0.1:*")));
    assert!(!reaches("", Some("127.0.0.1:1")));
    assert!(!reaches("restrict", None));
    assert!(!reaches("no-port-forwarding", Some(&forward)));
}

#[test]
fn port_forwarding_listens_only_where_permitlisten_says() {
    // "Limit remote port forwarding with the ssh(1) -R option such that it may only listen on the specified host (optional)
    // and port."
    let login = Login::start("").unwrap();
    let listens = |options: &str, permit: Option<&str>| {
        let port = free_port().unwrap();
        let text = permit.map(|text| text.replace("PORT", &port.to_string()));
        let permit_listen = text
            .iter()
            .map(|text| Permit::parse_listen(text).unwrap())
            .collect();
        let options = KeyOptions {
            permit_listen,
            ..KeyOptions::parse(options).unwrap()
        };
        let forward = format!("localhost:{port}:127.0.0.1:1");
        let ssh = login
            .with(options)
            .option("ExitOnForwardFailure=yes")
            .argument("-R")
            .argument(&forward);
        ssh.run().unwrap().status.success()
    };
    assert!(listens("", None));
    assert!(listens("restrict,port-forwarding", Some("PORT")));
    assert!(listens("", Some("localhost:*")));
    assert!(!listens("", Some("localhost:1")));
    assert!(!listens("", Some("example.com:*")));
    assert!(!listens("restrict", Some("*")));
}

#[test]
fn user_rc_runs_unless_it_is_forbidden() {
    // "no-user-rc: Disables execution of ~/.ssh/rc."
    let dir = RootDir::named("keyroster-rc").unwrap();
    let home = std::path::Path::new("/run/keyroster-rc-home");
    let account = Account::ensure("keyroster-rc", "/bin/sh", "/run/keyroster-rc-home").unwrap();
    std::fs::create_dir_all(home.join(".ssh")).unwrap();
    std::fs::write(home.join(".ssh/rc"), "echo rc\n").unwrap();
    let keys = Keys::make(dir.path(), &[KeyName::Ed25519]).unwrap();
    let oracle = Oracle::start_for(&dir, "", account).unwrap();
    for (options, expected) in [
        ("", true),
        ("no-user-rc", false),
        ("restrict", false),
        ("restrict,user-rc", true),
    ] {
        oracle
            .put(format!("{options} {}\n", keys.line(KeyName::Ed25519)))
            .unwrap();
        let login = oracle
            .ssh(&keys.private_path(KeyName::Ed25519))
            .run()
            .unwrap();
        assert_eq!(
            login.stdout.contains("rc"),
            expected,
            "{options}: {login:?}"
        );
        assert_eq!(
            KeyOptions::parse(options).unwrap().permissions.user_rc,
            expected,
            "{options}"
        );
    }
    std::fs::remove_dir_all(home).unwrap();
}

#[test]
fn of_several_lines_for_one_key_the_first_that_lets_in_wins() {
    let login = Login::start("").unwrap();
    let key = login.keys.line(KeyName::Ed25519);
    let said = |lines: &str| {
        login.oracle.put(lines).unwrap();
        login
            .oracle
            .ssh(&login.keys.private_path(KeyName::Ed25519))
            .run()
            .unwrap()
            .stdout
    };
    let (first, second) = (
        format!("command=\"echo 1\" {key}\n"),
        format!("command=\"echo 2\" {key}\n"),
    );
    assert_eq!(said(&format!("{first}{second}")), "1\n");
    assert_eq!(said(&format!("bogus,{first}{second}")), "2\n");
    assert_eq!(said(&format!("from=\"10.0.0.1\",{first}{second}")), "2\n");
}
