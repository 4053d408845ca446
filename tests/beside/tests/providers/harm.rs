//! A provider that misbehaves, in every way that one can, in front of all others.

use std::path::Path;

use keyroster_testkit::{RootDir, SshKey};

use crate::scene::Scene;

/// What the provider does, as a shell's script. `$LINE` is a line for the key of somebody else, which would let that key in if it were used.
const HARM: [(&str, &str); 14] = [
    ("hangs", "exec sleep 600"),
    (
        "hangs and cannot be asked to end",
        "trap '' TERM INT HUP; while :; do sleep 600; done",
    ),
    ("hangs after a line", "echo \"$LINE\"; exec sleep 600"),
    (
        "leaves a child that holds its output",
        "sleep 600 & echo \"$LINE\"; exit 0",
    ),
    ("drips", "while :; do printf x; sleep 0.1; done"),
    ("is killed", "echo \"$LINE\"; kill -KILL $$"),
    ("crashes", "echo \"$LINE\"; kill -SEGV $$"),
    ("fails", "echo \"$LINE\"; exit 1"),
    ("floods with one line", "exec cat /dev/zero"),
    ("floods with lines", "exec yes \"$LINE\""),
    ("prints junk", "head -c 60000 /dev/urandom; exit 0"),
    (
        "prints a program's help",
        "echo 'usage: provider [-v] USER'; echo 'ssh-ed25519'; exit 0",
    ),
    (
        "prints half a line",
        "echo \"${LINE%????????????????}\"; exit 0",
    ),
    (
        "prints somebody else's key behind a NUL",
        "printf 'x\\000%s\\n' \"$LINE\"; exit 0",
    ),
];

/// Puts a provider into its place, or another into the place of one.
pub fn provider(dir: &RootDir, name: &str, script: &str, key: &SshKey) -> String {
    let line = key.public_line();
    let text = format!("#!/bin/sh\nLINE='{line}'\n{script}\n");
    // Another file in its place: one that is being executed cannot be written.
    let new = dir.file(&format!("{name}.new"), text, 0o755).unwrap();
    let path = dir.path().join(name);
    std::fs::rename(new, &path).unwrap();
    path.display().to_string()
}

#[test]
fn whatever_one_provider_does_the_others_users_log_in_and_nobody_else_does() {
    let scene = Scene::new();
    let bob = SshKey::ed25519(scene.dir.path(), "bob").unwrap();
    let bad = provider(&scene.dir, "bad", "exit 0", &scene.other);
    let good = provider(&scene.dir, "good", "echo \"$LINE\"", &bob);
    let host = scene
        .host()
        .chain(&format!("command:{bad} agent command:{good}"))
        .start()
        .unwrap();
    for (harm, script) in HARM {
        provider(&scene.dir, "bad", script, &scene.other);
        let when = format!("beside a provider that {harm}");
        let alice = host.lets_in(&scene.account, &scene.alice).unwrap();
        assert!(alice, "{when}\n{}", host.sshd().log());
        let theirs = host.lets_in(&scene.account, &bob).unwrap();
        assert!(theirs, "{when}\n{}", host.sshd().log());
        let other = host.lets_in(&scene.account, &scene.other).unwrap();
        assert!(!other, "{when}\n{}", host.sshd().log());
    }
    assert_no_process_is_left(Path::new(&bad));
}

/// What hangs is ended with the answer: nothing may pile up login after login.
fn assert_no_process_is_left(program: &Path) {
    let name = program.as_os_str().as_encoded_bytes();
    for process in std::fs::read_dir("/proc").unwrap() {
        let line = process.unwrap().path().join("cmdline");
        let line = std::fs::read(line).unwrap_or_default();
        let of_program = line.split(|byte| *byte == 0).any(|word| word == name);
        assert!(!of_program, "{}", String::from_utf8_lossy(&line));
    }
}
