//! Two key servers on one PostgreSQL exchange the snapshot key and then the CA, in the order that docs/rotation.md has.

use std::fs;

use keyroster_e2e::Host;
use keyroster_testkit::{KeyServer, Postgres, Program, Result};

use crate::estate::Estate;

/// Both key servers, and a host at each.
struct Two {
    estate: Estate,
    second: KeyServer,
    hosts: [Host; 2],
}

impl Two {
    fn hand_over(&self, files: &[&str]) {
        for file in files {
            let from = self.estate.server.data().join(file);
            fs::copy(from, self.second.data().join(file)).unwrap();
        }
    }

    fn take_away(&self, files: &[&str]) {
        for file in files {
            fs::remove_file(self.second.data().join(file)).unwrap();
        }
    }

    fn restart(server: &mut KeyServer) {
        server.stop().unwrap();
        server.run().unwrap();
    }

    fn logins_are_right(&self) {
        let [one, two] = &self.hosts;
        self.estate.logins_are_right(&[one, two]);
    }

    /// From the first step to the last, with these private files.
    fn exchange(&mut self, what: &str, secret: &str, public: &[&str]) -> Result {
        self.estate.rotate(&[what])?.success("the first step")?;
        self.hand_over(&[&[secret, CHAIN], public].concat());
        Self::restart(&mut self.estate.server);
        Self::restart(&mut self.second);
        self.logins_are_right();
        self.estate.step_when_ready(&["switch"])?;
        // One is in the one state, and one in the other.
        self.logins_are_right();
        let switched = Program::keyroster("keyroster-server")?
            .args(["rotate", "--data"])
            .arg(self.second.data())
            .arg("switch")
            .finish()?;
        switched.success("switch on the second")?;
        Self::restart(&mut self.second);
        self.logins_are_right();
        self.logins_are_right();
        self.estate.step_when_ready(&["finish"])?;
        self.hand_over(&[CHAIN]);
        self.take_away(&[&[secret], public].concat());
        Self::restart(&mut self.second);
        self.logins_are_right();
        self.estate.until_nobody_is_behind()
    }
}

#[test]
fn two_key_servers_exchange_the_snapshot_key_and_the_ca_and_no_login_fails() {
    let postgres = Postgres::start().unwrap();
    let first = KeyServer::start_on(&postgres.fresh_database().unwrap()).unwrap();
    let second = first.beside().unwrap();
    let estate = Estate::start_with(first, "keyroster-t7").unwrap();
    let host = |server: &KeyServer, name| Host::builder(server, name, "web").start().unwrap();
    let hosts = [host(&estate.server, "web-1"), host(&second, "web-2")];
    let mut two = Two {
        estate,
        second,
        hosts,
    };
    two.logins_are_right();
    two.exchange("snapshot-key", "snapshot-key.next", &[])
        .unwrap();
    two.exchange("ca", "ca.next.key", &["ca.next.pem", "ca.cross.pem"])
        .unwrap();
}

const CHAIN: &str = "snapshot-keys.json";
