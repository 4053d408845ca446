//! Real host agents, that are killed and started again.

use std::error::Error;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use keyroster_bench::credentials::Credentials;
use keyroster_bench::real::enrolled;
use keyroster_bench::rows::GeneratedKey;
use keyroster_testkit::{Failure, Program, Result, Running};
use keyroster_wire::{Answer, Question, Request, Response};
use tempfile::TempDir;

/// A host with its agent.
#[derive(Debug)]
pub struct Agent {
    dir: TempDir,
    running: Mutex<Option<Running>>,
}

/// What a login was told.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// A line.
    Found,
    /// An authoritative no.
    None,
    /// Nothing that decides.
    Unavailable,
}

impl Agent {
    /// Enrols the host of this number with the key server there, and starts its agent.
    pub fn start(
        server: &str,
        credentials: &Credentials,
        number: u64,
    ) -> std::result::Result<Self, Box<dyn Error>> {
        let dir = TempDir::new()?;
        let (state, _) = enrolled(server, credentials, number, dir.path())?;
        let settings = format!(
            "state-dir = {:?}\nsocket = {:?}\nlookup-users = []\nlog = \"stderr\"\n",
            state.path(),
            dir.path().join(SOCKET)
        );
        std::fs::write(dir.path().join("agent.toml"), settings)?;
        let agent = Self {
            dir,
            running: Mutex::new(None),
        };
        agent.restart()?;
        Ok(agent)
    }

    /// Ends it as a crash does.
    pub fn kill(&self) -> Result {
        let taken = self.running.lock().map(|mut running| running.take());
        match taken {
            Ok(Some(mut running)) => running.kill().map(drop),
            _ => Ok(()),
        }
    }

    /// Starts it again.
    pub fn restart(&self) -> Result {
        let program = Program::keyroster("keyroster-agent")?;
        let mut running = program
            .arg("run")
            .arg("--config")
            .arg(self.dir.path().join("agent.toml"))
            .spawn()?;
        running.wait_for_line("ready")?;
        *self
            .running
            .lock()
            .map_err(|_| Failure::new("a killer panicked"))? = Some(running);
        Ok(())
    }

    /// Asks as a login of `deploy` with this key does.
    pub fn ask(&self, key: u64) -> Told {
        let asked = ask(self.dir.path().join(SOCKET), &GeneratedKey::number(key));
        asked.unwrap_or(Told::Unavailable)
    }
}

fn ask(socket: PathBuf, key: &GeneratedKey) -> std::result::Result<Told, Box<dyn Error>> {
    let question = Question {
        uid: 1000,
        account: "deploy",
        key_type: "ssh-ed25519",
        key_base64: &key.base64,
        fingerprint: &key.fingerprint,
    };
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(LOOKUP_DEADLINE))?;
    stream.write_all(&Request::Keys(question).encode()?)?;
    let frame = Response::read_from(&mut stream)?;
    Ok(match Response::decode(&frame)?.answer {
        Answer::Found(_) => Told::Found,
        Answer::None => Told::None,
        Answer::Unavailable => Told::Unavailable,
    })
}

const SOCKET: &str = "agent.sock";
/// What lookup grants an answer.
const LOOKUP_DEADLINE: Duration = Duration::from_secs(2);
