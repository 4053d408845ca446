//! How long it takes until a break-glass login is known: on the host's syslog, and at the key server once that can be reached.
//!
//! Real logins through sshd, with a real key server that is away meanwhile in two ways: its process is killed, so that connections are
//! refused, and the line to it is cut, so that nothing is answered and what was open leads nowhere afterwards. Outages are of many
//! lengths, so that the key server comes back at every moment of the host agent's pauses.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Read as _;
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::{Duration, Instant};

use keyroster_e2e::Host;
use keyroster_testkit::{Account, KeyServer, RootDir, SshKey, until};
use serde::Serialize;

use crate::number;
use crate::relay::Relay;
use crate::spread::Spread;

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    /// From the moment at which a key server that was killed listens again until it has the event.
    pub killed: Spread,
    /// From the moment at which a line that was cut is whole again.
    pub cut: Spread,
    /// From the start of `ssh` until the line is on syslog.
    pub syslog: Spread,
    /// From the start of `ssh` until the login's command has said something.
    pub session: Spread,
    /// Logins whose command spoke before syslog did.
    pub late: usize,
}

/// In which way the key server is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outage {
    Killed,
    Cut,
}

/// Measures with `--trials` outages of each kind.
pub async fn run(options: BTreeMap<String, String>) -> Result<Report, Box<dyn Error>> {
    let trials = number(&options, "trials", 20)?;
    let mut stage = Stage::set()?;
    let mut told = BTreeMap::from([("killed", Vec::new()), ("cut", Vec::new())]);
    let mut logins = Vec::new();
    for (name, outage) in [("killed", Outage::Killed), ("cut", Outage::Cut)] {
        for trial in 0..trials {
            let length = SHORTEST + STEP * u32::try_from(trial % STEPS)?;
            let (login, after) = stage.trial(outage, length).await?;
            logins.push(login);
            told.entry(name).or_default().push(after);
        }
    }
    let mut spread = |name| Spread::of(told.remove(name).unwrap_or_default());
    Ok(Report {
        killed: spread("killed"),
        cut: spread("cut"),
        syslog: Spread::of(logins.iter().map(|login| login.syslog).collect()),
        session: Spread::of(logins.iter().map(|login| login.session).collect()),
        late: logins
            .iter()
            .filter(|login| login.syslog > login.session)
            .count(),
    })
}

/// A key server, the line to it, and a host with an account that has a break-glass key.
struct Stage {
    server: KeyServer,
    relay: Relay,
    host: Host,
    syslog: UnixDatagram,
    account: Account,
    key: SshKey,
    _dir: RootDir,
}

/// When things were seen, from the start of a login.
struct Login {
    syslog: Duration,
    session: Duration,
}

impl Stage {
    fn set() -> Result<Self, Box<dyn Error>> {
        let server = KeyServer::start()?;
        server.admin(&["host-group", "add", "web"])?;
        let address: SocketAddr = server.url().trim_start_matches("https://").parse()?;
        let relay = Relay::to(address)?;
        let host = Host::builder(&server, "web-1", "web")
            .through(&format!("https://{}", relay.address()))
            .break_glass()
            .start()?;
        let dir = RootDir::new()?;
        let key = SshKey::ed25519(dir.path(), "glass")?;
        let account = Account::login("keyroster-t1")?;
        let file = key.public_path().display().to_string();
        let add = ["add", &account.name, "--any-key", "--file", &file];
        host.break_glass(&add)?
            .finish()?
            .success("break-glass add")?;
        let syslog = host.syslog()?;
        syslog.set_read_timeout(Some(LIMIT))?;
        Ok(Self {
            server,
            relay,
            host,
            syslog,
            account,
            key,
            _dir: dir,
        })
    }

    /// A login in an outage of this length, and how long after its end the key server knows of it.
    async fn trial(
        &mut self,
        outage: Outage,
        length: Duration,
    ) -> Result<(Login, Duration), Box<dyn Error>> {
        let before = self.events()?;
        match outage {
            Outage::Killed => self.server.kill()?,
            Outage::Cut => self.relay.turn(),
        }
        let login = self.log_in()?;
        tokio::time::sleep(length).await;
        match outage {
            Outage::Killed => self.server.run()?,
            Outage::Cut => self.relay.turn(),
        }
        let began = Instant::now();
        until("the key server to know of it", LIMIT, || {
            Ok((self.events()? > before).then_some(()))
        })?;
        Ok((login, began.elapsed()))
    }

    fn log_in(&self) -> Result<Login, Box<dyn Error>> {
        let ssh = self.host.ssh(&self.account.name, &self.key);
        let began = Instant::now();
        let mut ssh = ssh
            .command("echo in; cat")
            .build()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let listener = self.syslog.try_clone()?;
        let heard = std::thread::spawn(move || -> std::io::Result<Duration> {
            let mut message = [0; 1024];
            loop {
                let count = listener.recv(&mut message)?;
                let said = String::from_utf8_lossy(message.get(..count).unwrap_or_default());
                if said.contains("break-glass key used") {
                    return Ok(began.elapsed());
                }
            }
        });
        let mut first = [0; 1];
        let said = ssh
            .stdout
            .take()
            .map(|mut stdout| stdout.read_exact(&mut first));
        let session = began.elapsed();
        said.transpose()?;
        drop(ssh.stdin.take());
        ssh.wait()?;
        let syslog = heard.join().map_err(|_| "the listener panicked")??;
        Ok(Login { syslog, session })
    }

    fn events(&self) -> keyroster_testkit::Result<usize> {
        let log = self.server.admin(&["audit", "log", "--limit", "1000"])?;
        let uses = log.lines().filter(|line| line.contains("break-glass.use"));
        Ok(uses.count())
    }
}

/// The shortest outage, and how much longer the next one is: the host agent's pauses grow to five seconds.
const SHORTEST: Duration = Duration::from_secs(1);
const STEP: Duration = Duration::from_millis(730);
/// How many lengths there are.
const STEPS: u64 = 20;
/// Ends only a wait that will never succeed.
const LIMIT: Duration = Duration::from_secs(60);
