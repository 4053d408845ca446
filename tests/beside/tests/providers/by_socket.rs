//! A provider that needs a user of its own, asked through a socket: packaging/examples/keys-by-socket.
//!
//! systemd-socket-activate stands in for the manager: it listens, and starts the unit's command as the unit's user with the connection.

use std::process::Command;
use std::time::Duration;

use keyroster_testkit::{Annex, RootDir, Running, SshKey, finish, until};

use crate::documented::{documented, tree};
use crate::scene::Scene;

const EXAMPLE: &str = "packaging/examples/keys-by-socket";

/// The provider's user in the annex; nobody outside.
const PROVIDER_UID: u32 = 61_005;

/// What stands behind the equals sign of a unit's setting.
fn setting(unit: &str, name: &str) -> String {
    let text = tree(&format!("{EXAMPLE}/{unit}"));
    let start = format!("{name}=");
    let mut found = text.lines().filter_map(|line| line.strip_prefix(&start));
    found.next().unwrap().to_owned()
}

/// An annex with the example in its places, and what listens on its socket.
fn listening() -> (Annex, Running) {
    let annex = Annex::open().unwrap();
    annex
        .shell(&format!(
            "echo 'provider:x:{PROVIDER_UID}:{PROVIDER_UID}::/nonexistent:/usr/sbin/nologin' >>/etc/passwd\n\
             echo 'provider:x:{PROVIDER_UID}:' >>/etc/group"
        ))
        .unwrap();
    for name in ["keys-by-socket", "keys-for-socket"] {
        let text = tree(&format!("{EXAMPLE}/{name}"));
        let path = format!("/usr/lib/keyroster/{name}");
        annex.file(&path, &text, 0o755).unwrap();
    }
    let socket = setting("keyroster-source.socket", "ListenStream");
    let user = setting("keyroster-source@.service", "User");
    let command = setting("keyroster-source@.service", "ExecStart");
    let limit = setting("keyroster-source@.service", "RuntimeMaxSec");
    let mut arguments = vec!["--accept", "--inetd", "--listen", &socket];
    let (user, group) = (format!("--reuid={user}"), format!("--regid={user}"));
    arguments.extend(["/usr/bin/timeout", &limit, "/usr/bin/setpriv"]);
    arguments.extend([&*user, &*group, "--clear-groups"]);
    arguments.extend(command.split(' '));
    let manager = annex
        .start("/usr/bin/systemd-socket-activate", &arguments)
        .unwrap();
    let owner = setting("keyroster-source.socket", "SocketUser");
    let mode = setting("keyroster-source.socket", "SocketMode");
    until("the socket", Duration::from_secs(30), || {
        let there = annex.run("/usr/bin/test", &["-S", &socket])?;
        Ok(there.status.success().then_some(()))
    })
    .unwrap();
    annex
        .shell(&format!("chown {owner} {socket}\nchmod {mode} {socket}"))
        .unwrap();
    (annex, manager)
}

/// Puts a program of the provider's into its place.
fn install(annex: &Annex, script: &str) {
    let text = format!("#!/bin/sh\n{script}\n");
    let new = "/usr/local/bin/provider-keys.new";
    annex.file(new, &text, 0o755).unwrap();
    annex
        .shell(&format!("mv {new} /usr/local/bin/provider-keys"))
        .unwrap();
}

#[test]
fn a_source_that_needs_a_user_of_its_own_has_it_and_harms_nobody() {
    let scene = Scene::new();
    let bob = SshKey::ed25519(scene.dir.path(), "bob").unwrap();
    let (annex, _manager) = listening();
    let host = scene
        .host()
        .in_annex(&annex)
        .chain("agent command:provider")
        .lookup(&format!("{}\n", documented("command.provider:")))
        .start()
        .unwrap();
    let bob_gets_in = || host.lets_in(&scene.account, &bob).unwrap();
    let says = format!(
        "[ \"$(id -un):$#:$1\" = 'provider:1:keyroster-t1' ] || exit 1\necho '{}'",
        bob.public_line()
    );
    install(&annex, &says);
    let attempts = (0..3).any(|_| bob_gets_in());
    assert!(attempts, "{}", host.sshd().log());
    scene.assert_alice_alone(&host, "beside a provider of another user");
    for harm in ["exit 1", "kill -KILL $$", "exec sleep 600", "exec yes"] {
        install(&annex, &format!("{says}\n{harm}"));
        scene.assert_alice_alone(&host, harm);
        assert!(!bob_gets_in(), "{harm}\n{}", host.sshd().log());
    }
}

#[test]
fn nobody_but_the_lookups_user_can_ask_through_the_socket() {
    let (annex, _manager) = listening();
    install(&annex, "echo line");
    let ask = |user: &str| {
        let user = format!("--reuid={user}");
        let by = "/usr/lib/keyroster/keys-by-socket";
        let arguments = [
            &user,
            "--clear-groups",
            by,
            "/run/keyroster-source.sock",
            "x",
        ];
        annex.run("/usr/bin/setpriv", &arguments).unwrap()
    };
    assert_eq!(ask("keyroster-lookup").stdout, "line\n# end\n");
    assert_ne!(ask("nobody").code(), Some(0));
    assert_eq!(ask("nobody").stdout, "");
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let dir = RootDir::named("keyroster-units").unwrap();
    for unit in ["keyroster-source.socket", "keyroster-source@.service"] {
        let text = tree(&format!("{EXAMPLE}/{unit}"));
        let text = text.replace("/usr/lib/keyroster/keys-for-socket", "/usr/bin/true");
        dir.file(unit, text, 0o644).unwrap();
    }
    let mut verify = Command::new("systemd-analyze");
    verify
        .args(["verify", "--man=no"])
        .arg(dir.path().join("keyroster-source@.service"))
        .arg(dir.path().join("keyroster-source.socket"));
    let said = finish(&mut verify, Duration::from_secs(60)).unwrap();
    assert_eq!((said.code(), said.stderr.as_str()), (Some(0), ""));
}
