//! A host agent that answers wrongly. Nothing of what it says is printed, and none of it is taken for a no.

use std::io::Write;
use std::os::unix::net::UnixStream;

use keyroster_wire::{RESPONSE_MAX, Request};

use crate::keys;
use crate::support::{Bench, assert_found, assert_unavailable, found, none};

/// Asserts that a host agent that sends `bytes` and closes is not believed.
#[track_caller]
fn assert_not_believed(what: &str, bytes: Vec<u8>) {
    let bench = Bench::new("");
    bench.agent_saying(bytes);
    let finished = bench.ask();
    assert_eq!(
        (finished.code(), finished.stdout.as_str()),
        (Some(75), ""),
        "{what}"
    );
}

#[test]
fn a_truncated_response_is_not_believed() {
    let whole = found(&[&keys::line()]);
    for length in [0, 1, 9, 10, whole.len() / 2, whole.len() - 1] {
        assert_not_believed(&format!("cut to {length} bytes"), whole[..length].to_vec());
    }
}

#[test]
fn a_response_with_bytes_after_it_is_not_believed() {
    assert_not_believed("found", [found(&[&keys::line()]), b"x".to_vec()].concat());
    assert_not_believed(
        "none, then found",
        [none(), found(&[&keys::line()])].concat(),
    );
}

#[test]
fn garbage_is_not_believed() {
    assert_not_believed("a bare line", format!("{}\n", keys::line()).into_bytes());
    assert_not_believed("zeroes", vec![0; 4096]);
    assert_not_believed(
        "HTTP",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(),
    );
    assert_not_believed("a request", Request::Status.encode().unwrap());
    let mut newer = found(&[&keys::line()]);
    newer[4] = 2;
    assert_not_believed("another version", newer);
}

#[test]
fn a_response_over_the_cap_is_not_read() {
    let mut header = b"KYRS\x01\x00".to_vec();
    header.extend_from_slice(&u32::try_from(RESPONSE_MAX).unwrap().to_be_bytes());
    assert_not_believed(
        "one byte over the cap",
        [header, vec![b'x'; RESPONSE_MAX]].concat(),
    );
    assert_not_believed("4 GiB", b"KYRS\x01\x00\xff\xff\xff\xff".to_vec());
}

#[test]
fn an_endless_response_is_given_up() {
    let bench = Bench::new("");
    bench.agent(|mut stream: UnixStream| {
        let _ = Request::read_from(&mut stream);
        let _ = stream.write_all(b"KYRS\x01\x00\x00\x00\xf0\x00");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    assert_unavailable(&bench.ask());
}

#[test]
fn a_line_for_another_key_is_never_printed() {
    for line in [
        format!("restrict ssh-ed25519 {}", keys::another()),
        format!("restrict ssh-rsa {}", keys::offered()),
        format!(
            "cert-authority,principals=\"deploy\" ssh-ed25519 {}",
            keys::offered()
        ),
    ] {
        assert_not_believed(&line, found(&[&line]));
    }
}

#[test]
fn what_is_not_one_plain_line_is_never_printed() {
    for line in ["", "# comment", "x", "restrict", "  "]
        .map(str::to_owned)
        .into_iter()
        .chain([
            format!("# {}", keys::line()),
            format!("bogus-option {}", keys::line()),
            format!("{} ssh-ed25519 {}", "restrict,command=\"x", keys::offered()),
            format!("\u{feff}{}", keys::line()),
        ])
    {
        if !line.is_empty() {
            assert_not_believed(&line, found(&[&line]));
        }
    }
}

#[test]
fn two_lines_for_one_key_are_never_printed() {
    let open = format!("ssh-ed25519 {}", keys::offered());
    assert_not_believed(
        "a restricted and an open one",
        found(&[&keys::line(), &open]),
    );
}

#[test]
fn a_line_feed_inside_a_line_is_never_printed() {
    let line = format!("{}_ssh-ed25519 {}", keys::line(), keys::another());
    let mut frame = found(&[&line]);
    let at = frame.iter().position(|byte| *byte == b'_').unwrap();
    frame[at] = b'\n';
    assert_not_believed("a second key behind a line feed", frame);
}

#[test]
fn what_is_printed_is_rendered_from_the_parsed_line() {
    let bench = Bench::new("");
    bench.agent_saying(found(&[&format!(
        "  pty,restrict,,PTY   ssh-ed25519  {}   a  b ",
        keys::offered()
    )]));
    let finished = bench.ask();
    assert_found(
        &finished,
        &format!("restrict,pty ssh-ed25519 {} a  b\n", keys::offered()),
    );
}
