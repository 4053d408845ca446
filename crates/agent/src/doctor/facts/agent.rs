//! The host agent: what it says, and what lies on its disk.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::certificate::Lifetime;
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::doctor::checks::certificates::{Certificate, Whose};
use crate::doctor::facts::{Seen, Unseen, within};
use crate::shared::Health;
use crate::state::{Credential, StateDir, StateError, memory};
use crate::status::{self, Report};

/// The host agent's socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketFact {
    /// There is none.
    Missing(PathBuf),
    /// There is one, and nobody listens on it.
    Deserted(PathBuf),
    /// Somebody listens.
    Served(Served),
}

/// A socket on which somebody listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Where it is.
    pub path: PathBuf,
    /// Its owner.
    pub owner: u32,
    /// The owner and the mode of its directory.
    pub directory: (u32, u32),
    /// Who is at the other end, as the kernel says.
    pub peer: u32,
    /// What the host agent says of itself; none when it says nothing in time.
    pub said: Option<BTreeMap<String, String>>,
}

/// What the host agent has on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiskFacts {
    /// Whether the host is enrolled.
    pub enrolled: bool,
    /// The report that it comes to, as `name value`.
    pub report: BTreeMap<String, String>,
    /// What on it is not believed, and why: signatures were checked again for this.
    pub doubts: Vec<String>,
    /// The accounts that are granted.
    pub granted: Vec<String>,
    /// Whether the host group ends sessions.
    pub end_sessions: bool,
    /// The certificates that lie there.
    pub certificates: Vec<Certificate>,
    /// The key server's time less this host's, in seconds, when they last spoke.
    pub ahead_s: Option<i64>,
    /// The key server.
    pub server: Option<String>,
    /// The CA that vouches for it, PEM.
    pub ca: Option<String>,
    /// Now, in seconds since the Unix epoch.
    pub now_s: i64,
}

/// Asks the host agent. A host agent that was stopped takes a connection all the same, and a full queue takes none: both are waited for
/// in a thread that is left behind.
///
/// # Errors
/// When the socket may not be looked at.
pub fn socket(config: &Config) -> Seen<SocketFact> {
    let path = config.socket.clone();
    let asked = within(SOCKET_LIMIT, "the host agent's socket", {
        let path = path.clone();
        move || look_at_socket(&path)
    });
    match asked {
        Err(_) if path.exists() => look_without_asking(&path),
        asked => asked,
    }
}

fn look_at_socket(path: &Path) -> Seen<SocketFact> {
    let stream = match UnixStream::connect(path) {
        Ok(stream) => stream,
        Err(err) if err.kind() == ErrorKind::NotFound => {
            return Ok(SocketFact::Missing(path.to_owned()));
        }
        Err(err) if err.kind() == ErrorKind::ConnectionRefused => {
            return Ok(SocketFact::Deserted(path.to_owned()));
        }
        Err(err) => return Err(Unseen(format!("can't ask \"{}\": {err}", path.display()))),
    };
    let peer = rustix::net::sockopt::socket_peercred(&stream).map_err(Unseen::because)?;
    drop(stream);
    let said = status::ask_daemon(path).map(|lines| table(&lines));
    served(path, peer.uid.as_raw(), said)
}

/// Nobody took the connection in time: who listens is then not known, only whose the socket is.
fn look_without_asking(path: &Path) -> Seen<SocketFact> {
    let owner = std::fs::symlink_metadata(path)
        .map_err(Unseen::because)?
        .uid();
    served(path, owner, None)
}

fn served(path: &Path, peer: u32, said: Option<BTreeMap<String, String>>) -> Seen<SocketFact> {
    let owner = std::fs::symlink_metadata(path)
        .map_err(Unseen::because)?
        .uid();
    let parent = path.parent().unwrap_or(Path::new("/"));
    let directory = std::fs::metadata(parent).map_err(Unseen::because)?;
    Ok(SocketFact::Served(Served {
        path: path.to_owned(),
        owner,
        directory: (directory.uid(), directory.mode() & 0o7777),
        peer,
        said,
    }))
}

fn table(lines: &[String]) -> BTreeMap<String, String> {
    let pairs = lines.iter().filter_map(|line| line.split_once(' '));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Reads the state directory and checks every signature in it again.
///
/// # Errors
/// When it may not be read, or can't be believed at all.
pub fn disk(config: &Config) -> Seen<DiskFacts> {
    let now = SystemClock::new().map_err(Unseen::because)?.now();
    let nothing = DiskFacts {
        now_s: now.wall_s(),
        server: config.server.clone(),
        ..DiskFacts::default()
    };
    let dir = match StateDir::open(&config.state_dir) {
        Ok(dir) => dir,
        Err(StateError::Io { err, .. }) if err.kind() == ErrorKind::NotFound => return Ok(nothing),
        Err(err) => return Err(Unseen::because(err)),
    };
    let Some(credential) = Credential::load(&dir).map_err(Unseen::because)? else {
        return Ok(nothing);
    };
    let floor = credential.host.floor().map_err(Unseen::because)?;
    let (known, doubts) = memory::load(&dir, &credential.authority(), floor, &now);
    let identity = status::Identity::new(&credential, config.server.as_deref());
    let report = Report::new(&known, &identity, &Health::default(), &now);
    let held = known.held.as_ref();
    let accounts = held.into_iter().flat_map(|held| held.accounts().iter());
    let lifetimes = [
        (Whose::Host, credential.lifetime()),
        (Whose::Ca, Lifetime::of_pem(&credential.ca)),
    ];
    let certificates = lifetimes
        .into_iter()
        .filter_map(|(whose, life)| Some(Certificate { whose, life: life? }));
    Ok(DiskFacts {
        enrolled: true,
        report: table(&status::lines(&report)),
        doubts: doubts.iter().map(ToString::to_string).collect(),
        granted: accounts.filter_map(Result::ok).map(|it| it.name).collect(),
        end_sessions: held.is_some_and(|held| held.end_sessions()),
        certificates: certificates.collect(),
        ahead_s: known
            .confirmed
            .map(|it| it.server_time_s.saturating_sub(it.wall_ms.div_euclid(1000))),
        server: Some(identity.server),
        ca: Some(credential.ca.clone()),
        now_s: now.wall_s(),
    })
}

/// Longer than the host agent gives any connection.
const SOCKET_LIMIT: Duration = Duration::from_secs(5);
