//! The real SSSD, which asks a real LDAP server: `command:/usr/bin/sss_ssh_authorizedkeys`.

use keyroster_beside::Directory;
use keyroster_testkit::{Annex, SshKey};

use crate::scene::Scene;

#[test]
fn directory_users_log_in_beside_granted_ones_and_a_broken_directory_keeps_nobody_else_out() {
    let scene = Scene::new();
    let annex = Annex::open().unwrap();
    let theirs = SshKey::ed25519(scene.dir.path(), "directory").unwrap();
    let mut directory =
        Directory::start(&annex, &[theirs.public_line(), "ssh-ed25519 junk"]).unwrap();
    // The provider stands first, so that everybody waits for it.
    let host = scene
        .host()
        .in_annex(&annex)
        .chain("command:/usr/bin/sss_ssh_authorizedkeys agent")
        .start()
        .unwrap();
    let of_directory = |key: &SshKey| host.lets_in(Directory::ACCOUNT, key).unwrap();
    assert!(of_directory(&theirs), "{}", host.sshd().log());
    assert!(!of_directory(&scene.other) && !of_directory(&scene.alice));
    scene.assert_alice_alone(&host, "beside SSSD");
    directory.freeze_ssh_responder().unwrap();
    scene.assert_alice_alone(&host, "with SSSD hanging");
    assert!(!of_directory(&theirs), "{}", host.sshd().log());
    directory.thaw_ssh_responder().unwrap();
    assert!(of_directory(&theirs), "{}", host.sshd().log());
    directory.kill_server().unwrap();
    scene.assert_alice_alone(&host, "without the LDAP server");
    directory.kill_sssd().unwrap();
    scene.assert_alice_alone(&host, "without SSSD");
    assert!(!of_directory(&theirs), "{}", host.sshd().log());
}
