//! A machine on which the key server's package is tried: a booted root with a loopback of its own, which is a host of that key server too.

use std::time::Duration;

use keyroster_testkit::{Failure, Finished, Result, until};

use crate::packages::Packages;
use crate::release::System;
use crate::root::{Afterwards, Network, Root};

/// The root and what is tried in it.
#[derive(Debug)]
pub struct Machine {
    /// The root.
    pub root: Root,
    /// What is tried.
    pub packages: Packages,
}

/// What a lookup printed for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The key's line.
    Found,
    /// An authoritative no.
    None,
}

impl Machine {
    /// Boots a root in which the key server's name is known and the account that it grants is there.
    pub fn start(store: &std::path::Path, system: System, afterwards: Afterwards) -> Result<Self> {
        let packages = Packages::from_environment()?;
        let mut root = Root::unpack(store, system, afterwards)?;
        root.boot(Network::Own)?;
        let machine = Self { root, packages };
        machine.must(BEFORE)?;
        Ok(machine)
    }

    /// Which system it is.
    pub fn system(&self) -> System {
        self.root.system()
    }

    /// Runs a script that must succeed, as root; what it printed.
    pub fn must(&self, script: &str) -> Result<String> {
        self.must_read(script, "")
    }

    /// The same with this on its standard input.
    pub fn must_read(&self, script: &str, input: &str) -> Result<String> {
        let done = self.root.shell(script, input)?;
        if done.status.success() {
            return Ok(done.stdout);
        }
        Err(self.failure(script, &done))
    }

    /// A failure with what the root's journal says about it.
    pub fn failure(&self, what: &str, done: &Finished) -> Failure {
        let (system, status, journal) = (self.system(), done.status, self.root.journal());
        let (out, err) = (&done.stdout, &done.stderr);
        Failure::new(format!(
            "{system}: {what}\nended with {status}\n{out}{err}\njournal:\n{journal}"
        ))
    }

    /// Fails unless the unit runs and both paths for health checks say so.
    pub fn must_serve(&self) -> Result {
        self.must(HEALTHY).map(drop)
    }

    /// Adds a key to the roster; the host must come to know it.
    pub fn must_reach_the_host(&self, key: &str) -> Result {
        self.must(&ADD_KEY.replace("KEY", key))?;
        self.must_come_to_answer(key, Answer::Found)
    }

    /// Waits until the host answers so for a key.
    pub fn must_come_to_answer(&self, key: &str, expected: Answer) -> Result {
        let what = format!("the host to answer {expected:?} for the key \"{key}\"");
        let waited = until(&what, REACH_LIMIT, || {
            Ok((self.answer(key)? == Some(expected)).then_some(()))
        });
        waited.map_err(|failure| Failure::new(format!("{failure}\n{}", self.root.journal())))
    }

    /// What sshd would be told; nothing when it is undecided.
    fn answer(&self, key: &str) -> Result<Option<Answer>> {
        let done = self.root.shell(&ASK.replace("KEY", key), "")?;
        let found = done.stdout.contains("ssh-ed25519 ");
        Ok(match (done.status.success(), found) {
            (true, true) => Some(Answer::Found),
            (true, false) => Some(Answer::None),
            (false, _) => None,
        })
    }
}

/// What is there before anything is installed.
const BEFORE: &str = "\
echo 127.0.0.1 keys.example.org web-1 >>/etc/hosts
useradd --create-home --shell /bin/sh --password '*' deploy
install -d -m 700 .ssh
";
const HEALTHY: &str = "\
systemctl is-active --quiet keyroster-server
for path in healthz readyz; do
    curl --silent --show-error --fail --cacert /var/lib/keyroster-server/ca.pem \"https://keys.example.org:8443/$path\"
done
";
const ADD_KEY: &str = "\
ssh-keygen -q -t ed25519 -N '' -f .ssh/KEY
keyroster key add alice --file .ssh/KEY.pub
";
/// As sshd asks.
const ASK: &str = "\
read -r type key _ <.ssh/KEY.pub
fingerprint=$(ssh-keygen -lf .ssh/KEY.pub | cut -d ' ' -f 2)
runuser -u keyroster-lookup -- /usr/lib/keyroster/keyroster-lookup keys --user=deploy \"--uid=$(id -u deploy)\" \
    \"--type=$type\" \"--key=$key\" \"--fingerprint=$fingerprint\"
";
/// The longest that a change is waited for until a host answers by it.
const REACH_LIMIT: Duration = Duration::from_secs(60);
