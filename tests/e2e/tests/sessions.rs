//! A session ends with the key that opened it, from the administrator's command to the process on the host.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture that fails says why by panicking"
)]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use keyroster_e2e::Host;
use keyroster_testkit::{Account, KeyServer, RootDir, Ssh, SshKey, until};

/// A key server with alice and bob, both of whom may log in to one account.
struct Scene {
    server: KeyServer,
    account: Account,
    alice: SshKey,
    bob: SshKey,
    _dir: RootDir,
}

/// A login that is open.
struct Session {
    client: Child,
    pid: u32,
}

impl Scene {
    /// `more` is said of the host group `web`.
    fn set(more: &[&str]) -> Self {
        let server = KeyServer::start().unwrap();
        let dir = RootDir::new().unwrap();
        let account = Account::login("keyroster-t1").unwrap();
        server
            .admin(&[&["host-group", "add", "web"], more].concat())
            .unwrap();
        let [alice, bob] = ["alice", "bob"].map(|user| {
            let key = SshKey::ed25519(dir.path(), user).unwrap();
            server.add_user_with_key(user, &key.public_path()).unwrap();
            let (on, to) = (["--host-group", "web"], ["--account", &account.name]);
            let grant = [&["grant", "add", "--user", user][..], &on, &to].concat();
            server.admin(&grant).unwrap();
            key
        });
        Self {
            server,
            account,
            alice,
            bob,
            _dir: dir,
        }
    }

    fn host(&self) -> Host {
        Host::builder(&self.server, "web-1", "web")
            .with_sessions()
            .start()
            .unwrap()
    }

    fn revoke(&self, key: &SshKey) {
        let fingerprint = key.fingerprint().unwrap();
        self.server
            .admin(&["key", "revoke", &fingerprint, "--wait"])
            .unwrap();
    }

    fn open(&self, host: &Host, key: &SshKey) -> Session {
        Session::open(&host.ssh(&self.account.name, key))
    }

    fn open_with_terminal(&self, host: &Host, key: &SshKey) -> Session {
        Session::open(&host.ssh(&self.account.name, key).argument("-tt"))
    }
}

impl Session {
    fn open(ssh: &Ssh) -> Self {
        let mut client = ssh.clone().command("echo $$; exec sleep 600").build();
        client
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut client = client.spawn().unwrap();
        let said = BufReader::new(client.stdout.take().unwrap());
        // With a terminal, complaints about the missing home directory come the same way.
        let pid = said
            .lines()
            .find_map(|line| line.unwrap().trim().parse().ok());
        Self {
            client,
            pid: pid.unwrap(),
        }
    }

    fn is_open(&mut self) -> bool {
        matches!(self.client.try_wait(), Ok(None)) && self.runs()
    }

    /// Whether what it runs on the host is still there.
    fn runs(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid));
        stat.is_ok_and(|stat| stat.contains("(sleep)") && !stat.contains(") Z "))
    }

    fn wait_until_ended(&mut self) {
        until("a session to end", LIMIT, || {
            let over = matches!(self.client.try_wait(), Ok(Some(_))) && !self.runs();
            Ok(over.then_some(()))
        })
        .unwrap();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}

/// Ends only a wait that will never succeed.
const LIMIT: Duration = Duration::from_secs(40);

#[test]
fn of_two_people_in_one_account_the_one_whose_key_is_revoked_is_out_and_the_other_stays() {
    let scene = Scene::set(&["--end-sessions"]);
    let host = scene.host();
    let mut alices = [
        scene.open(&host, &scene.alice),
        scene.open_with_terminal(&host, &scene.alice),
    ];
    let mut bobs = [
        scene.open(&host, &scene.bob),
        scene.open_with_terminal(&host, &scene.bob),
    ];
    scene.revoke(&scene.alice);
    alices.iter_mut().for_each(Session::wait_until_ended);
    assert!(bobs.iter_mut().all(Session::is_open));
    assert!(!host.lets_in(&scene.account.name, &scene.alice).unwrap());
}

#[test]
fn a_suspended_users_session_ends_and_after_resuming_a_new_one_stays() {
    let scene = Scene::set(&["--end-sessions"]);
    let host = scene.host();
    let mut alices = scene.open(&host, &scene.alice);
    let mut bobs = scene.open(&host, &scene.bob);
    scene
        .server
        .admin(&["user", "suspend", "alice", "--wait"])
        .unwrap();
    alices.wait_until_ended();
    assert!(bobs.is_open());
    scene.server.admin(&["user", "resume", "alice"]).unwrap();
    host.wait_until_let_in(&scene.account.name, &scene.alice)
        .unwrap();
    scene.revoke(&scene.bob);
    bobs.wait_until_ended();
    // The list that ended bob's has no key of alice's any more, so hers has nothing to fear from then on.
    assert!(scene.open(&host, &scene.alice).is_open());
}

#[test]
fn nothing_is_ended_before_the_host_group_says_so() {
    let scene = Scene::set(&[]);
    let host = scene.host();
    let mut alices = scene.open(&host, &scene.alice);
    let mut bobs = scene.open(&host, &scene.bob);
    scene.revoke(&scene.alice);
    host.wait_until_refused(&scene.account.name, &scene.alice)
        .unwrap();
    assert!(alices.is_open());
    scene
        .server
        .admin(&["host-group", "set", "web", "--end-sessions", "yes"])
        .unwrap();
    alices.wait_until_ended();
    assert!(bobs.is_open());
}

#[test]
fn a_program_that_was_away_ends_what_it_missed_and_a_host_agent_that_was_away_as_well() {
    let scene = Scene::set(&["--end-sessions"]);
    let mut host = scene.host();
    let mut alices = scene.open(&host, &scene.alice);
    let mut bobs = scene.open(&host, &scene.bob);
    host.kill_sessions().unwrap();
    scene.revoke(&scene.alice);
    assert!(alices.is_open());
    host.start_sessions().unwrap();
    alices.wait_until_ended();
    assert!(bobs.is_open());
    host.kill_agent().unwrap();
    let fingerprint = scene.bob.fingerprint().unwrap();
    scene
        .server
        .admin(&["key", "revoke", &fingerprint])
        .unwrap();
    assert!(bobs.is_open());
    host.start_agent().unwrap();
    bobs.wait_until_ended();
}
