//! Limits of a source's own, on a real sshd.

use keyroster_e2e::Host;
use keyroster_testkit::SshKey;

use crate::harm::provider;
use crate::scene::Scene;

/// A host whose chain is `command:theirs agent`, where `theirs` is this script with these limits.
fn host(scene: &Scene, name: &str, (script, theirs): (&str, &SshKey), limits: &str) -> Host {
    let program = provider(&scene.dir, "theirs", script, theirs);
    let started = Host::builder(&scene.server, name, "web")
        .chain("command:theirs agent")
        .lookup(&format!("command.theirs: {program}\n{limits}\n"))
        .start();
    started.unwrap()
}

/// Whether one of some logins is let in: what is slow here is the machine that the tests run on.
fn gets_in(host: &Host, scene: &Scene, key: &SshKey) -> bool {
    (0..5).any(|_| host.lets_in(&scene.account, key).unwrap())
}

#[test]
fn a_source_that_needs_more_than_a_second_lets_its_users_in_once_it_is_given_the_time() {
    let scene = Scene::new();
    let bob = SshKey::ed25519(scene.dir.path(), "bob").unwrap();
    let slow = "sleep 1.4; echo \"$LINE\"";
    let given = host(
        &scene,
        "web-1",
        (slow, &bob),
        "command.theirs.deadline: 1500ms",
    );
    assert!(gets_in(&given, &scene, &bob), "{}", given.sshd().log());
    scene.assert_alice_alone(&given, "beside a slow source");
    drop(given);
    let cut = host(&scene, "web-2", (slow, &bob), "");
    assert!(!cut.lets_in(&scene.account, &bob).unwrap());
    scene.assert_alice_alone(&cut, "beside a source that is cut short");
}

#[test]
fn a_source_with_the_longest_deadline_that_hangs_leaves_the_others_their_logins() {
    let scene = Scene::new();
    let hangs = "echo \"$LINE\"; exec sleep 600";
    let limits = "command.theirs.deadline: 1700ms";
    let host = host(&scene, "web-1", (hangs, &scene.other), limits);
    assert!(
        gets_in(&host, &scene, &scene.alice),
        "{}",
        host.sshd().log()
    );
    assert!(!host.lets_in(&scene.account, &scene.other).unwrap());
}

#[test]
fn a_source_that_floods_past_its_own_cap_is_cut_and_harms_nobody() {
    let scene = Scene::new();
    let bob = SshKey::ed25519(scene.dir.path(), "bob").unwrap();
    let talks = "echo \"$LINE\"; head -c 2000 /dev/zero | tr '\\0' '\\n'; exit 0";
    let cut = host(
        &scene,
        "web-1",
        (talks, &bob),
        "command.theirs.max-output: 1KiB",
    );
    assert!(!cut.lets_in(&scene.account, &bob).unwrap());
    scene.assert_alice_alone(&cut, "beside a source over its cap");
    drop(cut);
    let roomy = host(
        &scene,
        "web-2",
        (talks, &bob),
        "command.theirs.max-output: 4KiB",
    );
    assert!(gets_in(&roomy, &scene, &bob), "{}", roomy.sshd().log());
    provider(&scene.dir, "theirs", "exec yes \"$LINE\"", &scene.other);
    scene.assert_alice_alone(&roomy, "beside a source that floods");
}
