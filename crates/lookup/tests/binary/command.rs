//! Other providers' key commands, played by scripts.

use std::fs;
use std::path::{Path, PathBuf};

use keyroster_testkit::Finished;

use crate::keys;
use crate::support::{
    Bench, assert_found, assert_none, assert_unavailable, found, none, run, unavailable,
};

/// A bench whose only source is a provider whose script is `body`.
fn bench(body: &str) -> (Bench, PathBuf) {
    let bench = Bench::new("");
    let program = bench.script("provider", body);
    bench.configure(&format!("authorized_keys: command:{}", program.display()));
    (bench, program)
}

/// A bench whose provider prints these bytes.
fn provider_printing(output: impl AsRef<[u8]>) -> (Bench, PathBuf) {
    let (bench, program) = bench("exec cat ${0%/*}/output");
    bench.dir.file("output", output, 0o644).unwrap();
    (bench, program)
}

/// What is printed for the offered key with these options.
fn line(options: &str, program: &Path) -> String {
    format!(
        "{options}ssh-ed25519 {} {}\n",
        keys::offered(),
        program.display()
    )
}

#[test]
fn only_lines_for_the_offered_key_are_printed() {
    let (offered, another) = (keys::offered(), keys::another());
    let (bench, program) = provider_printing(format!(
        "# a comment\n\nssh-ed25519 {another} a\nssh-ed25519 {offered} b\ncert-authority ssh-ed25519 {offered}\n"
    ));
    assert_found(&bench.ask(), &line("", &program));
    assert!(!bench.logged_once().contains("skipped_lines"));
}

#[test]
fn a_line_keeps_its_meaning_and_not_its_form() {
    let offered = keys::offered();
    let (bench, program) = provider_printing(format!(
        "\tPTY,no-pty,FROM=\"192.0.2.0/24,!192.0.2.7\",command=\"echo \\\"#1\\\"\"\tssh-ed25519\t{offered} \x1b[2J\r\n"
    ));
    let options = "no-pty,from=\"192.0.2.0/24,!192.0.2.7\",command=\"echo \\\"#1\\\"\" ";
    let Finished { stdout, .. } = bench.ask();
    let mut printed: Vec<_> = stdout.split(&[',', ' ']).collect();
    let expected = line(options, &program);
    let mut expected: Vec<_> = expected.split(&[',', ' ']).collect();
    printed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(printed, expected);
}

#[test]
fn a_line_that_sshd_would_not_read_is_left_out_and_counted() {
    let offered = keys::offered();
    let long = format!(
        "environment=\"A={}\" ssh-ed25519 {offered}",
        "x".repeat(8 * 1024)
    );
    let long_comment = format!("ssh-ed25519 {offered} {}", "x".repeat(16 * 1024));
    let (bench, program) = provider_printing(
        [
            format!("{long_comment}\n").as_bytes(),
            format!("bogus ssh-ed25519 {offered}\ncommand=\"x ssh-ed25519 {offered}\n{long}\n")
                .as_bytes(),
            b"nul\0 ssh-ed25519\n\xff\xfe\n",
            format!("no-pty ssh-ed25519 {offered}").as_bytes(),
        ]
        .concat(),
    );
    assert_found(&bench.ask(), &line("no-pty ", &program));
    let message = bench.logged_once();
    assert!(message.contains("skipped_lines=6"), "{message}");
}

#[test]
fn a_certificate_is_let_in_by_the_line_of_the_key_that_signed_it() {
    let (signer, offered) = (keys::another(), keys::offered());
    let (bench, program) = provider_printing(format!(
        "ssh-ed25519 {offered}\nssh-ed25519 {signer}\ncert-authority ssh-ed25519 {signer}\n\
         cert-authority,principals=\"deploy\" ssh-ed25519 {signer}\n"
    ));
    let mut arguments = bench.arguments("deploy");
    arguments[3] = "--type=ssh-ed25519-cert-v01@openssh.com".to_owned();
    arguments[4] = format!("--key={}", keys::certificate());
    let finished = run(&mut bench.command(&arguments));
    let expected = format!(
        "cert-authority,principals=\"deploy\" ssh-ed25519 {signer} {}\n",
        program.display()
    );
    assert_found(&finished, &expected);
}

#[test]
fn it_is_given_the_account_as_its_one_argument() {
    let (bench, _) = bench("printf '%s\\n' \"$@\" >${0%/*}/spool/arguments");
    let spool = bench.spool();
    assert_none(&bench.ask_for("DOM\\bob$"));
    assert_eq!(
        fs::read_to_string(spool.join("arguments")).unwrap(),
        "DOM\\bob$\n"
    );
}

#[test]
fn no_line_for_the_offered_key_is_none() {
    let (bench, _) = provider_printing(format!("ssh-ed25519 {}\n", keys::another()));
    assert_none(&bench.ask());
    let (bench, _) = provider_printing("");
    assert_none(&bench.ask());
}

#[test]
fn a_failing_exit_discards_what_was_printed() {
    let (bench, _) = provider_printing(format!("ssh-ed25519 {}\n", keys::offered()));
    for end in ["exit 1", "exit 255", "kill -9 $$"] {
        bench.script("provider", &format!("cat ${{0%/*}}/output; {end}"));
        assert_unavailable(&bench.ask());
        assert!(bench.logged_once().contains("reason=failed"), "{end}");
    }
}

#[test]
fn more_output_than_the_cap_is_unavailable_though_the_line_was_in_it() {
    let (bench, _) = provider_printing(format!("ssh-ed25519 {}\n", keys::offered()));
    bench.script("provider", "cat ${0%/*}/output; exec cat /dev/zero");
    assert_unavailable(&bench.ask());
    assert!(bench.logged_once().contains("reason=too-much-output"));
}

#[test]
fn lines_without_end_are_unavailable() {
    for body in ["exec yes", "while :; do echo; done"] {
        let (bench, _) = bench(body);
        assert_unavailable(&bench.ask());
    }
}

#[test]
fn more_lines_for_one_key_than_the_cap_are_unavailable() {
    let line = format!("ssh-ed25519 {}\n", keys::offered());
    let (bench, _) = provider_printing(line.repeat(64));
    assert_eq!(bench.ask().stdout.lines().count(), 64);
    let (bench, _) = provider_printing(line.repeat(65));
    assert_unavailable(&bench.ask());
}

#[test]
fn it_is_asked_after_the_key_server_s_no_unless_that_is_final() {
    let (bench, program) = provider_printing(format!("ssh-ed25519 {}\n", keys::offered()));
    bench.agent_saying(none());
    bench.configure(&format!(
        "authorized_keys: agent command:{}",
        program.display()
    ));
    assert_found(&bench.ask(), &line("", &program));
    bench.configure(&format!(
        "authorized_keys: agent [NOTFOUND=return] command:{}",
        program.display()
    ));
    assert_none(&bench.ask());
    bench.configure(&format!(
        "authorized_keys: agent [!NOTFOUND=return] command:{}",
        program.display()
    ));
    assert_found(&bench.ask(), &line("", &program));
}

#[test]
fn its_no_does_not_stand_for_a_key_server_that_can_not_decide() {
    let (bench, program) = provider_printing("");
    bench.configure(&format!(
        "authorized_keys: agent command:{}",
        program.display()
    ));
    assert_unavailable(&bench.ask());
    bench.agent_saying(unavailable());
    bench.configure(&format!(
        "authorized_keys: agent command:{} [NOTFOUND=return]",
        program.display()
    ));
    assert_unavailable(&bench.ask());
}

#[test]
fn it_is_not_asked_where_the_key_server_has_the_line() {
    let (bench, program) = bench("touch ${0%/*}/spool/called");
    let spool = bench.spool();
    bench.agent_saying(found(&[&keys::line()]));
    bench.configure(&format!(
        "authorized_keys: agent command:{}",
        program.display()
    ));
    assert_found(&bench.ask(), &format!("{}\n", keys::line()));
    assert!(!spool.join("called").exists());
}

#[test]
fn a_provider_with_a_line_of_its_own_is_given_what_was_asked() {
    let (bench, program) = bench("printf '%s\\n' \"$@\" >${0%/*}/spool/arguments");
    let spool = bench.spool();
    bench.configure(&format!(
        "authorized_keys: command:opkssh\ncommand.opkssh: {} verify %u %k %t --fingerprint=%f %U",
        program.display()
    ));
    assert_none(&bench.ask());
    assert_eq!(
        fs::read_to_string(spool.join("arguments")).unwrap(),
        format!(
            "verify\ndeploy\n{}\nssh-ed25519\n--fingerprint={}\n1000\n",
            keys::offered(),
            keys::FINGERPRINT
        )
    );
    assert!(bench.logged_once().contains("source=command:opkssh"));
}

#[test]
fn a_chain_that_names_a_provider_without_a_line_answers_nothing() {
    let bench = Bench::new("authorized_keys: agent command:opkssh");
    bench.agent_saying(found(&[&keys::line()]));
    assert_unavailable(&bench.ask());
}

#[test]
fn behind_another_providers_lines_undecided_is_no_failure() {
    let (bench, program) = bench("exit 1");
    let chained = |bench: &Bench| {
        let mut arguments = bench.arguments("deploy");
        arguments.push("--chained=yes".to_owned());
        run(&mut bench.command(&arguments))
    };
    assert_none(&chained(&bench));
    assert!(bench.logged_once().contains("answer=unavailable"));
    // So is a configuration that is refused.
    bench.configure("nonsense");
    assert_none(&chained(&bench));
    bench.configure(&format!(
        "authorized_keys: agent command:{}",
        program.display()
    ));
    bench.agent_saying(found(&[&keys::line()]));
    assert_found(&chained(&bench), &format!("{}\n", keys::line()));
}
