//! The real `userdbctl`, which runs lookup behind its own lines, with a user of its own in a drop-in record.

use std::time::Duration;

use keyroster_e2e::Host;
use keyroster_testkit::{Annex, Running, SshKey, until};

use crate::scene::Scene;

const ACCOUNT: &str = "keyroster-userdb";

/// The line of docs/chain.md, with the test's directory in it.
const CHAINED: &str = "AuthorizedKeysCommand /usr/bin/userdbctl ssh-authorized-keys %u --chain -- /usr/bin/setpriv \
    --reuid=keyroster-lookup --regid=keyroster-lookup --clear-groups @DIR@/keyroster-lookup keys --user=%u --uid=%U \
    --type=%t --key=%k --fingerprint=%f --chained=yes --config=@DIR@/lookup.conf\n\
    AuthorizedKeysCommandUser root\n";

/// systemd-userdbd with one user who has this key.
fn userdb(annex: &Annex, key: &SshKey) -> Running {
    let record = format!(
        "{{\"userName\":\"{ACCOUNT}\",\"uid\":61002,\"gid\":61002,\"homeDirectory\":\"/nonexistent\",\
         \"shell\":\"/bin/sh\",\"disposition\":\"regular\"}}"
    );
    // Without a password field of its own the account is a locked one to sshd.
    let secret = format!(
        "{{\"privileged\":{{\"hashedPassword\":[\"*\"],\"sshAuthorizedKeys\":[\"{}\"]}}}}",
        key.public_line()
    );
    let group = format!("{{\"groupName\":\"{ACCOUNT}\",\"gid\":61002}}");
    for (end, text, mode) in [
        ("user", record, 0o644),
        ("user-privileged", secret, 0o600),
        ("group", group, 0o644),
    ] {
        let path = format!("/run/userdb/{ACCOUNT}.{end}");
        annex.file(&path, &text, mode).unwrap();
    }
    annex
        .shell(&format!(
            "cd /run/userdb && ln -s {ACCOUNT}.user 61002.user && ln -s {ACCOUNT}.group 61002.group\n\
             mkdir -p /run/systemd && printf 'passwd: files systemd\\ngroup: files systemd\\n' >/etc/nsswitch.conf"
        ))
        .unwrap();
    let daemon = annex.start("/lib/systemd/systemd-userdbd", &[]).unwrap();
    until("userdbd to know the user", Duration::from_secs(30), || {
        let known = annex.run("/usr/bin/getent", &["passwd", ACCOUNT])?;
        Ok(known.status.success().then_some(()))
    })
    .unwrap();
    daemon
}

#[test]
fn userdbctl_runs_lookup_behind_its_own_lines_and_an_undecided_one_spoils_none_of_them() {
    let scene = Scene::new();
    let annex = Annex::open().unwrap();
    let theirs = SshKey::ed25519(scene.dir.path(), "userdb").unwrap();
    let _daemon = userdb(&annex, &theirs);
    let mut host: Host = scene.host().in_annex(&annex).sshd(CHAINED).start().unwrap();
    let theirs_gets_in = |host: &Host| host.lets_in(ACCOUNT, &theirs).unwrap();
    assert!(theirs_gets_in(&host), "{}", host.sshd().log());
    scene.assert_alice_alone(&host, "behind userdbctl");
    assert!(!host.lets_in(ACCOUNT, &scene.alice).unwrap());
    host.kill_agent().unwrap();
    assert!(theirs_gets_in(&host), "{}", host.sshd().log());
    assert!(!host.lets_in(&scene.account, &scene.alice).unwrap());
}

#[test]
fn without_the_argument_for_chains_an_undecided_lookup_discards_the_others_lines() {
    let scene = Scene::new();
    let annex = Annex::open().unwrap();
    let theirs = SshKey::ed25519(scene.dir.path(), "userdb").unwrap();
    let _daemon = userdb(&annex, &theirs);
    let mut host = scene
        .host()
        .in_annex(&annex)
        .sshd(&CHAINED.replace(" --chained=yes", ""))
        .start()
        .unwrap();
    let theirs_gets_in = host.lets_in(ACCOUNT, &theirs).unwrap();
    assert!(theirs_gets_in, "{}", host.sshd().log());
    host.kill_agent().unwrap();
    assert!(!host.lets_in(ACCOUNT, &theirs).unwrap());
}

/// Why it is not a source: an unprivileged `userdbctl` says that there are no keys, and calls that a success.
#[test]
fn userdbctl_tells_nobody_but_root_the_keys() {
    let scene = Scene::new();
    let annex = Annex::open().unwrap();
    let theirs = SshKey::ed25519(scene.dir.path(), "userdb").unwrap();
    let _daemon = userdb(&annex, &theirs);
    let ask = format!("/usr/bin/userdbctl ssh-authorized-keys {ACCOUNT}");
    assert!(annex.shell(&ask).unwrap().contains(theirs.parts().1));
    let unprivileged = format!("setpriv --reuid=65534 --regid=65534 --clear-groups {ask}");
    assert_eq!(annex.shell(&unprivileged).unwrap(), "");
}
