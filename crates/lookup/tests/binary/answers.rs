//! The three answers, and what a caller sees of each.

use std::os::unix::net::UnixDatagram;
use std::process::Stdio;

use crate::keys;
use crate::support::{
    Bench, OK, USAGE, assert_found, assert_none, assert_unavailable, found, keys_question, none,
    run, unavailable,
};

#[test]
fn found_is_the_line_and_exit_zero() {
    let bench = Bench::new("");
    let requests = bench.agent_saying(found(&[&keys::line()]));
    let finished = bench.ask();
    assert_found(&finished, &format!("{}\n", keys::line()));
    assert_eq!(finished.stderr, "");
    let request = requests.recv().unwrap();
    let question = keys_question(&request);
    assert_eq!((question.account, question.uid), ("deploy", 1000));
    assert_eq!(
        (question.key_type, question.key_base64),
        ("ssh-ed25519", keys::offered().as_str())
    );
    assert_eq!(question.fingerprint, keys::FINGERPRINT);
}

#[test]
fn none_is_no_output_and_exit_zero() {
    let bench = Bench::new("");
    bench.agent_saying(none());
    assert_none(&bench.ask());
}

#[test]
fn unavailable_is_no_output_and_another_exit_code() {
    let bench = Bench::new("");
    bench.agent_saying(unavailable());
    assert_unavailable(&bench.ask());
}

#[test]
fn without_a_host_agent_the_answer_is_unavailable() {
    assert_unavailable(&Bench::new("").ask());
}

#[test]
fn without_a_configuration_file_the_host_agent_alone_is_asked() {
    let bench = Bench::new("");
    let mut arguments = bench.arguments("deploy");
    arguments.pop();
    arguments.push(format!("--config={}", bench.path("absent").display()));
    assert_unavailable(&run(&mut bench.command(&arguments)));
}

#[test]
fn a_template_with_a_mistake_answers_nothing() {
    let bench = Bench::new("");
    bench.agent_saying(found(&[&keys::line()]));
    let complete = bench.arguments("deploy");
    for missing in 0..complete.len() - 1 {
        let mut arguments = complete.clone();
        arguments.remove(missing);
        let finished = run(&mut bench.command(&arguments));
        assert_eq!(
            (finished.code(), finished.stdout.as_str()),
            (USAGE, ""),
            "without {}",
            complete[missing]
        );
    }
    for extra in [
        "--user=root",
        "--unknown=1",
        "root",
        "--key-id=x",
        "--config",
    ] {
        let mut arguments = complete.clone();
        arguments.push(extra.to_owned());
        let finished = run(&mut bench.command(&arguments));
        assert_eq!(
            (finished.code(), finished.stdout.as_str()),
            (USAGE, ""),
            "with {extra}"
        );
    }
}

#[test]
fn a_reader_that_has_gone_is_success() {
    let bench = Bench::new("");
    bench.agent_saying(found(&[&keys::line()]));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = bench
        .command(&bench.arguments("deploy"))
        .stdout(Stdio::from(writer))
        .spawn()
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), OK);
}

#[test]
fn output_is_one_write() {
    let bench = Bench::new("");
    bench.agent_saying(found(&[&keys::line()]));
    // Of a datagram socket each write is a datagram.
    let (reader, writer) = UnixDatagram::pair().unwrap();
    let mut child = bench
        .command(&bench.arguments("deploy"))
        .stdout(Stdio::from(std::os::fd::OwnedFd::from(writer)))
        .spawn()
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), OK);
    let mut buffer = [0; 8 * 1024];
    let length = reader.recv(&mut buffer).unwrap();
    assert_eq!(buffer[..length], *format!("{}\n", keys::line()).as_bytes());
    reader.set_nonblocking(true).unwrap();
    // The child's end is closed, so that the end of the stream, and nothing else, is what is left.
    assert!(!matches!(reader.recv(&mut buffer), Ok(1..)));
}

#[test]
fn output_that_can_not_be_written_is_a_failure() {
    let bench = Bench::new("");
    bench.agent_saying(found(&[&keys::line()]));
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut child = bench
        .command(&bench.arguments("deploy"))
        .stdout(Stdio::from(full))
        .spawn()
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(75));
}

#[test]
fn a_key_of_a_type_that_can_not_be_granted_is_none_without_asking() {
    let bench = Bench::new("");
    let requests = bench.agent_saying(found(&[&keys::line()]));
    for (name, key) in [
        ("ssh-dss", keys::offered()),
        ("ssh-ed25519", "AAAA".to_owned()),
        ("ssh-rsa", keys::offered()),
    ] {
        let mut arguments = bench.arguments("deploy");
        arguments[3] = format!("--type={name}");
        arguments[4] = format!("--key={key}");
        assert_none(&run(&mut bench.command(&arguments)));
    }
    let mut arguments = bench.arguments("deploy");
    arguments[4] = format!("--key={}", "A".repeat(keyroster_wire::KEY_BASE64_MAX + 1));
    assert_none(&run(&mut bench.command(&arguments)));
    assert!(requests.try_recv().is_err());
}

#[test]
fn help_and_version_are_printed() {
    let bench = Bench::new("");
    let help = run(&mut bench.command(&["--help".to_owned()]));
    assert_eq!(help.code(), OK);
    assert!(help.stdout.contains("AuthorizedKeysCommand"));
    let version = run(&mut bench.command(&["--version".to_owned()]));
    assert_found(
        &version,
        concat!("keyroster-lookup ", env!("CARGO_PKG_VERSION"), "\n"),
    );
}
