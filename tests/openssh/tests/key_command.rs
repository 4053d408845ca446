//! What sshd does with the command that it runs for keys.
//!
//! No code of ours runs here: these are the facts of `docs/sshd-contract.md` that keyroster's design rests on.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use keyroster_openssh_compliance::key_command::{AUTHORITY, KEY, Stage, set_mode};
use keyroster_openssh_compliance::keys::KEY_ID;
use keyroster_testkit::{Sshd, openssh_version};

/// Logs in with a script of this body as key command, and says whether that worked.
fn lets_in(stage: &Stage, body: &str) -> bool {
    let script = stage.script("command", body).unwrap();
    stage
        .log_in(&stage.key_command(&script.display().to_string()))
        .unwrap()
        .0
        .status
        .success()
}

#[test]
fn lines_of_a_command_that_fails_or_is_killed_are_discarded() {
    // sshd_config(5), AuthorizedKeysCommand: "The program should produce on standard output zero or more lines of
    // authorized_keys output."
    let stage = Stage::set().unwrap();
    assert!(lets_in(&stage, "echo '$KEY'"));
    assert!(lets_in(&stage, "printf '%s' '$KEY'; exit 0"));
    assert!(!lets_in(&stage, "echo '$KEY'; exit 1"));
    assert!(!lets_in(&stage, "echo '$KEY'; kill -9 $$"));
    assert!(!lets_in(&stage, "exit 0"));
}

#[test]
fn sshd_waits_for_the_end_of_the_output_and_for_the_exit() {
    let stage = Stage::set().unwrap();
    assert!(lets_in(&stage, "sleep 1; echo '$KEY'"));
    assert!(lets_in(&stage, "echo '$KEY'; exec >&-; sleep 1"));
    assert!(!lets_in(&stage, "echo '$KEY'; exec >&-; sleep 1; exit 1"));
    assert!(lets_in(&stage, "(sleep 1; echo '$KEY') & exit 0"));
}

#[test]
fn an_accepted_key_costs_two_calls_and_a_refused_one_costs_one() {
    for (body, calls) in [("echo '$KEY'", 2), ("exit 0", 1)] {
        let stage = Stage::set().unwrap();
        lets_in(&stage, &format!("echo call >>$NOTES/calls\n{body}"));
        assert_eq!(stage.note("calls").lines().count(), calls, "{body}");
    }
}

#[test]
fn the_command_is_told_nothing_of_the_login_but_its_arguments() {
    let stage = Stage::set().unwrap();
    let script = "
        tr '\\0' '\\n' </proc/$$/environ >$NOTES/environment
        readlink /proc/$$/cwd /proc/$$/fd/0 >$NOTES/places
        id -un >$NOTES/user
        id -Gn >$NOTES/groups
        exec ls /proc/self/fd >$NOTES/descriptors";
    lets_in(&stage, script);
    let environment = stage.note("environment");
    let mut names: Vec<&str> = environment
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .collect();
    names.sort_unstable();
    names.retain(|&name| name != "LANG");
    assert_eq!(names, ["HOME", "LOGNAME", "PATH", "USER"]);
    assert!(
        environment.contains(&format!("USER={}\n", stage.runner.name)),
        "{environment}"
    );
    assert_eq!(stage.note("places"), "/\n/dev/null\n");
    // The last one is the directory that `ls` itself has open.
    assert_eq!(stage.note("descriptors"), "0\n1\n2\n3\n");
    assert_eq!(stage.note("user").trim(), stage.runner.name);
    assert_eq!(stage.note("groups").trim(), stage.runner.name);
}

#[test]
fn tokens_are_expanded_after_splitting_and_a_hash_is_no_comment() {
    let stage = Stage::set().unwrap();
    let script = stage
        .script(
            "command",
            "printf '%s\\n' \"$@\" >$NOTES/arguments; echo '$KEY'",
        )
        .unwrap();
    let command = format!(
        "{} --user=%u --uid=%U --home=%h --type=%t --key=%k --fingerprint=%f %% #x",
        script.display()
    );
    let (login, _sshd) = stage.log_in(&stage.key_command(&command)).unwrap();
    assert!(login.status.success(), "{login:?}");
    let (name, body) = stage.keys.parts(KEY);
    let arguments = stage.note("arguments");
    let (fingerprint, others): (Vec<&str>, Vec<&str>) = arguments
        .lines()
        .partition(|line| line.starts_with("--fingerprint="));
    let account = &stage.account;
    let expected = format!(
        "--user={}\n--uid={}\n--home={}\n--type={name}\n--key={body}\n%\n#x",
        account.name,
        account.uid,
        account.home.display()
    );
    assert_eq!(others.join("\n"), expected);
    assert_eq!(
        fingerprint.concat().len(),
        "--fingerprint=SHA256:".len() + 43
    );
}

#[test]
fn a_path_that_others_could_change_is_never_run_and_the_check_of_the_configuration_does_not_say_so()
{
    let stage = Stage::set().unwrap();
    let (nested, open) = (
        stage.dir.dir("nested", 0o755).unwrap(),
        stage.dir.dir("open", 0o777).unwrap(),
    );
    for directory in [&nested, &open] {
        let script = directory
            .strip_prefix(stage.dir.path())
            .unwrap()
            .join("command");
        stage
            .script(script.to_str().unwrap(), "echo '$KEY'")
            .unwrap();
    }
    let script = nested.join("command");
    let works = |path: &std::path::Path| {
        let config = stage.key_command(&path.display().to_string());
        assert!(
            Sshd::builder()
                .config(&config)
                .check()
                .unwrap()
                .status
                .success()
        );
        stage.log_in(&config).unwrap().0.status.success()
    };
    assert!(works(&script));
    assert!(
        !works(&open.join("command")),
        "a directory that others can write to"
    );
    assert!(
        !works(&nested.join("missing")),
        "a program that is not there"
    );
    for mode in [0o775, 0o757] {
        for path in [&script, &nested] {
            give_to_group(path, stage.runner.gid);
            set_mode(path, mode).unwrap();
            assert!(!works(&script), "{} of mode {mode:o}", path.display());
            set_mode(path, 0o755).unwrap();
        }
    }
    assert!(works(&script));
    stage.runner.own(&script).unwrap();
    assert!(!works(&script), "a program that another account owns");
}

#[test]
fn an_account_that_does_not_exist_is_missed_by_the_check_of_the_configuration() {
    let stage = Stage::set().unwrap();
    let script = stage.script("command", "echo '$KEY'").unwrap();
    let config = format!(
        "AuthorizedKeysCommand {}\nAuthorizedKeysCommandUser keyroster-no-such\n",
        script.display()
    );
    assert!(
        Sshd::builder()
            .config(&config)
            .check()
            .unwrap()
            .status
            .success()
    );
    assert!(!stage.log_in(&config).unwrap().0.status.success());
}

#[test]
fn a_relative_or_quoted_path_is_refused_when_the_configuration_is_read() {
    let stage = Stage::set().unwrap();
    let script = stage.script("command", "echo '$KEY'").unwrap();
    for path in ["command".to_owned(), format!("\"{}\"", script.display())] {
        let config = stage.key_command(&path);
        assert!(
            !Sshd::builder()
                .config(&config)
                .check()
                .unwrap()
                .status
                .success(),
            "{path}"
        );
    }
}

#[test]
fn the_connection_token_is_known_from_9_4_on_and_kills_every_login_before() {
    let stage = Stage::set().unwrap();
    let script = stage
        .script(
            "command",
            "printf '%s\\n' \"$@\" >$NOTES/arguments; echo '$KEY'",
        )
        .unwrap();
    let config = stage.key_command(&format!("{} %C", script.display()));
    assert!(
        Sshd::builder()
            .config(&config)
            .check()
            .unwrap()
            .status
            .success()
    );
    let (login, sshd) = stage.log_in(&config).unwrap();
    let known = openssh_version().unwrap() >= (9, 4);
    assert_eq!(login.status.success(), known, "{login:?}");
    if known {
        let arguments = stage.note("arguments");
        let fields: Vec<&str> = arguments.trim().split(' ').collect();
        assert_eq!(fields.first(), Some(&"127.0.0.1"));
        assert_eq!(fields.get(1), Some(&sshd.port().to_string().as_str()));
    } else {
        assert!(sshd.log().contains("%C"), "{}", sshd.log());
    }
}

#[test]
fn a_file_of_keys_comes_first_and_works_while_the_command_hangs() {
    let stage = Stage::set().unwrap();
    let script = stage
        .script("command", "echo call >>$NOTES/calls; exec sleep 600")
        .unwrap();
    let keys = stage
        .dir
        .file("break-glass", stage.keys.line(KEY), 0o644)
        .unwrap();
    let config = format!(
        "AuthorizedKeysFile {}\n{}",
        keys.display(),
        stage.key_command(&script.display().to_string())
    );
    assert!(stage.log_in(&config).unwrap().0.status.success());
    assert_eq!(stage.note("calls"), "");
}

#[test]
fn a_missing_list_of_revoked_keys_refuses_every_key() {
    let stage = Stage::set().unwrap();
    let script = stage.script("command", "echo '$KEY'").unwrap();
    let command = stage.key_command(&script.display().to_string());
    let list = stage.dir.path().join("revoked");
    let config = format!("RevokedKeys {}\n{command}", list.display());
    assert!(!stage.log_in(&config).unwrap().0.status.success());
    stage.dir.file("revoked", "", 0o644).unwrap();
    assert!(stage.log_in(&config).unwrap().0.status.success());
    stage.dir.file("revoked", "garbage\n", 0o644).unwrap();
    assert!(!stage.log_in(&config).unwrap().0.status.success());
}

#[test]
fn the_template_of_the_command_is_shown_to_whoever_logs_in() {
    let stage = Stage::set().unwrap();
    let script = stage.script("command", "echo '$KEY'").unwrap();
    let config = stage.key_command(&format!("{} --user=%u", script.display()));
    let sshd = Sshd::builder().config(&config).start().unwrap();
    let login = stage.ssh(&sshd).argument("-v").run().unwrap();
    assert!(
        login
            .stderr
            .contains(&format!("{} --user=%u", script.display())),
        "{login:?}"
    );
}

#[test]
fn a_principals_command_behind_the_key_command_is_dropped_from_8_7_to_9_3() {
    let stage = Stage::set().unwrap();
    let (keys, principals) = (
        stage.key_command("/bin/true"),
        stage.principals_command("/bin/true"),
    );
    let is_kept = |config: String| {
        let effective = Sshd::builder()
            .config(&config)
            .explain("user=root,host=localhost,addr=127.0.0.1")
            .unwrap();
        effective
            .lines()
            .any(|line| line.starts_with("authorizedprincipalscommand /bin/true"))
    };
    assert!(is_kept(format!("{principals}{keys}")));
    let drops = (8, 7) <= openssh_version().unwrap() && openssh_version().unwrap() < (9, 4);
    assert_eq!(is_kept(format!("{keys}{principals}")), !drops);
}

#[test]
fn a_certificate_is_handed_over_whole_and_let_in_by_the_line_of_its_authority() {
    let stage = Stage::set().unwrap();
    stage.certify("alice").unwrap();
    let line = format!(
        "cert-authority,principals=\"alice\" {}",
        stage.keys.line(AUTHORITY)
    );
    let body = format!("printf '%s\\n' \"$@\" >>$NOTES/arguments; echo '{line}'");
    let script = stage.script("command", &body).unwrap();
    let config = stage.key_command(&format!("{} %t %k %f", script.display()));
    let (login, sshd) = stage.log_in(&config).unwrap();
    assert!(login.status.success(), "{login:?}");
    assert!(sshd.log().contains("ED25519-CERT"), "{}", sshd.log());
    let certificate = std::fs::read_to_string(stage.dir.path().join("ed25519-cert.pub")).unwrap();
    let arguments = stage.note("arguments");
    let mut handed = arguments
        .lines()
        .skip_while(|&word| word != "ssh-ed25519-cert-v01@openssh.com")
        .skip(1);
    assert_eq!(handed.next(), certificate.split(' ').nth(1), "{arguments}");
    let plain = stage
        .dir
        .file("plain.pub", stage.keys.line(KEY), 0o644)
        .unwrap();
    assert!(
        fingerprint(&plain).contains(handed.next().unwrap()),
        "{arguments}"
    );
}

#[test]
fn the_name_of_a_certificate_arrives_as_one_argument_whatever_it_holds() {
    let stage = Stage::set().unwrap();
    stage.certify("alice").unwrap();
    let script = stage
        .script(
            "principals",
            "printf '%s\\n' \"$@\" >$NOTES/arguments; echo alice",
        )
        .unwrap();
    let command = stage.principals_command(&format!("{} %i --id=%i", script.display()));
    let (login, _sshd) = stage
        .log_in(&format!("{}{command}", stage.trusted_authority()))
        .unwrap();
    assert!(login.status.success(), "{login:?}");
    assert_eq!(
        stage.note("arguments"),
        format!("{KEY_ID}\n--id={KEY_ID}\n")
    );
}

#[test]
fn no_principals_command_and_none_are_not_the_same() {
    let stage = Stage::set().unwrap();
    stage.certify(&stage.account.name).unwrap();
    let authority = stage.trusted_authority();
    assert!(stage.log_in(&authority).unwrap().0.status.success());
    let none = format!("{authority}AuthorizedPrincipalsCommand none\n");
    assert!(!stage.log_in(&none).unwrap().0.status.success());
}

/// Debian's sshd forgives what the group may write, if nobody but the owner is in the group.
fn give_to_group(path: &std::path::Path, gid: u32) {
    std::os::unix::fs::chown(path, None, Some(gid)).unwrap();
}

fn fingerprint(public: &std::path::Path) -> String {
    let output = std::process::Command::new("ssh-keygen")
        .arg("-lf")
        .arg(public)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}
