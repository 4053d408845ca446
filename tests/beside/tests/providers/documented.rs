//! Providers that Debian 12 does not package, on the lines that docs/chain.md gives for them.
//!
//! What answers is a **stand-in**: a script in the documented place, which insists on the documented arguments and prints what the provider's manual
//! says. It shows that the line in the documentation works, and nothing about the provider.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use keyroster_e2e::Host;
use keyroster_testkit::{Annex, SshKey, finish};

use crate::scene::Scene;

/// A file of the source tree.
pub fn tree(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(name);
    fs::read_to_string(path).unwrap()
}

/// The line of docs/chain.md that begins so.
pub fn documented(start: &str) -> String {
    let page = tree("docs/chain.md");
    let mut lines = page.lines().filter(|line| line.starts_with(start));
    let line = lines.next().unwrap().to_owned();
    assert_eq!(lines.next(), None, "{start} stands there twice");
    line
}

/// Puts a stand-in into its place. It prints this key's line if its arguments are `expected`, a condition in a shell's terms.
fn stand_in(annex: &Annex, path: &str, expected: &str, line: &str) {
    let script = format!("#!/bin/sh\n{expected} || exit 2\necho '{line}'\n");
    annex.file(path, &script, 0o755).unwrap();
}

fn assert_source_works(name: &str, path: &str, expected: &str) {
    let scene = Scene::new();
    let annex = Annex::open().unwrap();
    let theirs = SshKey::ed25519(scene.dir.path(), "theirs").unwrap();
    let expected = expected.replace("FINGERPRINT", &theirs.fingerprint().unwrap());
    stand_in(&annex, path, &expected, theirs.public_line());
    let chain = documented(&format!("authorized_keys: agent command:{name}"));
    let host = scene
        .host()
        .in_annex(&annex)
        .chain(chain.strip_prefix("authorized_keys: ").unwrap())
        .lookup(&format!("{}\n", documented(&format!("command.{name}:"))))
        .start()
        .unwrap();
    let gets_in = host.lets_in(&scene.account, &theirs).unwrap();
    assert!(gets_in, "{}", host.sshd().log());
    scene.assert_alice_alone(&host, name);
}

#[test]
fn ec2_instance_connects_documented_line_is_a_source() {
    assert_source_works(
        "ec2-instance-connect",
        "/usr/share/ec2-instance-connect/eic_run_authorized_keys",
        "[ $# -eq 2 ] && [ \"$1 $2\" = 'keyroster-t1 FINGERPRINT' ]",
    );
}

/// A key of somebody's, with a certificate for the account that another key has signed: what opkssh makes at its login.
fn certified(scene: &Scene) -> (SshKey, SshKey) {
    let (key, signer) = (
        SshKey::ed25519(scene.dir.path(), "theirs").unwrap(),
        SshKey::ed25519(scene.dir.path(), "signer").unwrap(),
    );
    let mut sign = Command::new("ssh-keygen");
    sign.args([
        "-q",
        "-I",
        "opkssh",
        "-n",
        &scene.account,
        "-V",
        "+1h",
        "-s",
    ])
    .arg(signer.private_path())
    .arg(key.public_path());
    finish(&mut sign, Duration::from_secs(20))
        .unwrap()
        .success("ssh-keygen -s")
        .unwrap();
    (key, signer)
}

/// An uid that is opkssh's in the annex and nobody's outside.
const OPKSSH_UID: u32 = 61_003;

fn host_behind_opkssh(scene: &Scene, annex: &Annex) -> Host {
    annex
        .shell(&format!(
            "echo 'opksshuser:x:{OPKSSH_UID}:{OPKSSH_UID}::/nonexistent:/usr/sbin/nologin' >>/etc/passwd\n\
             echo 'opksshuser:x:{OPKSSH_UID}:' >>/etc/group"
        ))
        .unwrap();
    let host = scene
        .host()
        .in_annex(annex)
        .agent(&format!("lookup-users = [{OPKSSH_UID}]\n"))
        .sshd(&format!(
            "{}\nAuthorizedKeysCommandUser opksshuser\n",
            documented("AuthorizedKeysCommand /usr/lib/keyroster/keys-behind-opkssh")
        ))
        .start()
        .unwrap();
    let script = tree("packaging/examples/keys-behind-opkssh");
    annex
        .file("/usr/lib/keyroster/keys-behind-opkssh", &script, 0o755)
        .unwrap();
    annex
        .shell(&format!(
            "install -m 755 {dir}/keyroster-lookup /usr/lib/keyroster/\n\
             mkdir -p /etc/keyroster\ninstall -m 644 {dir}/lookup.conf /etc/keyroster/",
            dir = host.dir().display()
        ))
        .unwrap();
    host
}

#[test]
fn lookup_runs_behind_opkssh_and_whatever_that_does_granted_users_log_in() {
    let scene = Scene::new();
    let annex = Annex::open().unwrap();
    let (theirs, signer) = certified(&scene);
    let host = host_behind_opkssh(&scene, &annex);
    let line = format!("cert-authority {}", signer.public_line());
    let expected = "[ $# -eq 4 ] && [ \"$1 $2\" = 'verify keyroster-t1' ]";
    let opkssh = "/usr/local/bin/opkssh";
    let certificate = format!(
        "CertificateFile={}",
        theirs.private_path().with_extension("").display()
    ) + "-cert.pub";
    let theirs_gets_in = || {
        let login = host.ssh(&scene.account, &theirs).option(&certificate);
        login.is_let_in().unwrap()
    };
    stand_in(&annex, opkssh, expected, &line);
    assert!(theirs_gets_in(), "{}", host.sshd().log());
    scene.assert_alice_alone(&host, "behind opkssh");
    let flood = format!("while :; do echo '{line}'; done");
    let late = format!("echo '{line}'; sleep 600");
    let fails = format!("echo '{line}'; exit 1");
    for harm in [&flood, &late, &fails, "head -c 70000 /dev/urandom"] {
        annex
            .file(opkssh, &format!("#!/bin/sh\n{harm}\n"), 0o755)
            .unwrap();
        scene.assert_alice_alone(&host, harm);
        assert!(!theirs_gets_in(), "{harm}\n{}", host.sshd().log());
    }
}
