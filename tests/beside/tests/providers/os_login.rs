//! The real OS Login as a source, on the lines that docs/chain.md gives for it, and what that page says about its programs.

use keyroster_e2e::Host;
use keyroster_testkit::{Annex, SshKey};

use crate::documented::documented;
use crate::metadata::{Metadata, Says, in_a_network_of_its_own};
use crate::scene::Scene;

const PROGRAM: &str = "/usr/bin/google_authorized_keys";

/// A line for a security key. Nobody holds its private half.
const SECURITY_KEY: &str = "sk-ssh-ed25519@openssh.com \
    AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fAAAABHNzaDo=";

fn granted(key: &SshKey) -> Says {
    Says::Granted {
        key: key.public_line().to_owned(),
        security_key: SECURITY_KEY.to_owned(),
    }
}

/// Its exit code and its lines for the account, run as this user; were it to write into a file, a signal would end it.
fn run(annex: &Annex, program: &str, user: &str) -> (Option<i32>, String) {
    let user = format!("--reuid={user}");
    let as_user = ["/usr/bin/setpriv", &user, "--clear-groups"];
    let arguments = [&["--fsize=0"], &as_user[..], &[program, "keyroster-t1"]].concat();
    let done = annex.run("/usr/bin/prlimit", &arguments).unwrap();
    (done.code(), done.stdout.trim_end().to_owned())
}

#[test]
fn os_logins_users_log_in_and_whatever_its_server_does_so_do_granted_ones() {
    let name = "os_login::os_logins_users_log_in_and_whatever_its_server_does_so_do_granted_ones";
    in_a_network_of_its_own(name, || {
        let scene = Scene::new();
        let annex = Annex::open().unwrap();
        let bob = SshKey::ed25519(scene.dir.path(), "bob").unwrap();
        let metadata = Metadata::start(granted(&bob));
        let chain = documented("authorized_keys: agent command:os-login");
        let host: Host = scene
            .host()
            .in_annex(&annex)
            .chain(chain.strip_prefix("authorized_keys: ").unwrap())
            .lookup(&format!("{}\n", documented("command.os-login:")))
            .lookup(&format!("{}\n", documented("command.os-login-sk:")))
            .start()
            .unwrap();
        let bob_gets_in = || host.lets_in(&scene.account, &bob).unwrap();
        let attempts = (0..3).any(|_| bob_gets_in());
        assert!(attempts, "{}", host.sshd().log());
        let asked = metadata.asked();
        assert!(
            asked[0].ends_with("/users?username=keyroster-t1"),
            "{asked:?}"
        );
        assert!(asked[1].ends_with("&policy=login"), "{asked:?}");
        scene.assert_alice_alone(&host, "beside OS Login");
        let key = bob.public_line().to_owned();
        for says in [
            Says::Denied { key },
            Says::Nobody,
            Says::Failure,
            Says::Nothing,
        ] {
            metadata.say(says.clone());
            scene.assert_alice_alone(&host, &format!("{says:?}"));
            assert!(!bob_gets_in(), "{says:?}\n{}", host.sshd().log());
        }
    });
}

#[test]
fn os_login_needs_no_privilege_and_tells_a_refusal_and_a_failure_by_one_exit_code() {
    let name =
        "os_login::os_login_needs_no_privilege_and_tells_a_refusal_and_a_failure_by_one_exit_code";
    in_a_network_of_its_own(name, || {
        let scene = Scene::new();
        let annex = Annex::open().unwrap();
        let bob = SshKey::ed25519(scene.dir.path(), "bob").unwrap();
        let metadata = Metadata::start(granted(&bob));
        let sk = format!("{PROGRAM}_sk");
        for user in ["root", "nobody"] {
            let keys = (Some(0), bob.public_line().to_owned());
            assert_eq!(run(&annex, PROGRAM, user), keys);
            assert_eq!(run(&annex, &sk, user), (Some(0), SECURITY_KEY.to_owned()));
        }
        let key = bob.public_line().to_owned();
        for (says, code) in [
            (Says::Denied { key }, 1),
            (Says::Failure, 1),
            (Says::Nobody, 0),
        ] {
            metadata.say(says.clone());
            let said = run(&annex, PROGRAM, "nobody");
            assert_eq!(said, (Some(code), String::new()), "{says:?}");
        }
    });
}
