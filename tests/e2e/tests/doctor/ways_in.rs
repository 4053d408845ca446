//! A way in is what sshd lets somebody in by, and nothing else.

use std::os::unix::fs::PermissionsExt as _;

use keyroster_e2e::Host;
use keyroster_testkit::{RootDir, SshKey, until};

use crate::support::*;

#[test]
fn what_keeps_everybody_out_of_the_account_is_named_and_the_file_is_no_way_in() {
    let server = server();
    let host = start(&server, "");
    break_glass(&host, &server.1);
    for (line, said) in [
        ("PermitRootLogin no", "PermitRootLogin no"),
        ("PubkeyAuthentication no", "PubkeyAuthentication no"),
        (
            "AuthenticationMethods publickey,publickey",
            "AuthenticationMethods publickey,publickey",
        ),
        ("DenyUsers keyroster-t9 ro?t", "DenyUsers keeps it out"),
        ("AllowUsers keyroster-t1", "AllowUsers keeps it out"),
        ("AllowGroups keyroster-t1", "AllowGroups keeps it out"),
        (
            "PubkeyAcceptedKeyTypes rsa-sha2-512",
            "has no type of its keys",
        ),
    ] {
        let found = with_lines(&host, &format!("# first\n{line}\n"));
        let barred = what(&found, "break-glass-barred");
        assert!(
            barred.contains(said) && barred.contains("00-a.conf:2"),
            "{barred}"
        );
        assert!(errors(&found).contains(&"no-way-in"), "{line}");
    }
    let found = with_lines(&host, "PermitRootLogin prohibit-password\n");
    assert_eq!(severity(&found, "no-way-in"), "ok");
}

#[test]
fn a_file_whose_only_key_has_ended_is_no_way_in() {
    let server = server();
    let host = start(&server, "");
    break_glass(&host, &server.1);
    assert_eq!(severity(&doctor(&host, &[]), "no-way-in"), "ok");
    let line = key(&server.1).public_line().to_owned();
    let file = host.dir().join("break-glass/root");
    std::fs::write(file, format!("expiry-time=\"20200101Z\" {line}\n")).unwrap();
    let found = doctor(&host, &[]);
    assert!(errors(&found).contains(&"no-way-in"), "{found:#}");
    assert!(what(&found, "break-glass-broken").contains("has ended"));
}

#[test]
fn a_file_whose_only_key_is_revoked_is_no_way_in() {
    let server = server();
    let host = Host::builder(&server.0, "web-1", "web")
        .revoked_keys()
        .start()
        .unwrap();
    prepare(&host);
    break_glass(&host, &server.1);
    let fingerprint = key(&server.1).fingerprint().unwrap();
    server.0.admin(&["key", "revoke", &fingerprint]).unwrap();
    let found = until("doctor to know of the revocation", LIMIT, || {
        let found = doctor(&host, &[]);
        Ok((severity(&found, "break-glass-broken") == "error").then_some(found))
    });
    let found = found.unwrap();
    assert!(errors(&found).contains(&"no-way-in"), "{found:#}");
    assert!(what(&found, "break-glass-broken").contains("is revoked"));
}

#[test]
fn accounts_with_keys_in_files_are_named_and_a_file_that_sshd_refuses_is_no_way_in() {
    let server = server();
    let host = start(&server, "");
    let homes = host.dir().join("homes");
    std::fs::create_dir(&homes).unwrap();
    let file = homes.join(ACCOUNT);
    std::fs::write(&file, key(&server.1).public_line()).unwrap();
    let lines = format!("AuthorizedKeysFile {}/%u\n", homes.display());
    let found = with_lines(&host, &lines);
    let home = what(&found, "home-keys");
    assert!(home.contains(&format!("held by \"{ACCOUNT}\"")), "{home}");
    assert_eq!(finding(&found, "home-keys")["accounts"][0], ACCOUNT);
    assert_eq!(severity(&found, "no-break-glass"), "warning");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
    let found = with_lines(&host, &lines);
    assert!(what(&found, "home-keys").contains("which lets nobody in"));
    assert_eq!(severity(&found, "no-way-in"), "error");
}

fn key(dir: &RootDir) -> SshKey {
    SshKey::open(dir.path(), "alice").unwrap()
}
