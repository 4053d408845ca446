//! What the program does with its command line, its standard streams and its exit code.

mod rotation;
mod upkeep;

use std::fmt::Display;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use keyroster_api::time::to_rfc3339;
use keyroster_edge::Drained;
use keyroster_edge::log::{Destination, Facility, Format, LogGuard, LogOptions};
use keyroster_roster::Actor;
use keyroster_store::StoreError;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::{Parts, StartError};
use crate::cli::{self, Cli, Command};
use crate::clock::SystemClock;
use crate::config::{Config, ConfigError, DatabaseUrl, LogTo};
use crate::credentials::{Credential, Credentials};
use crate::data_dir::{self, DataDir};
use crate::data_lock::{DataLock, LockError};
use crate::init::{self, InitError, Initialised};
use crate::limits::Limits;
use crate::open::{self, OpenError};
use crate::random::OsRandom;
use crate::server::{ServeError, Server};
use crate::went_back::WentBack;
use crate::{openapi, router};

/// A failure: its exit code, and what to say.
struct Failure {
    code: u8,
    text: String,
    hint: Option<&'static str>,
}

/// Does what the command line says.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::of(EX_OSERR, &error));
    let done = runtime.and_then(|runtime| {
        runtime.block_on(async {
            match cli.command {
                Command::Init(options) => init_command(&options).await,
                Command::Run(options) => run_command(&options).await,
                Command::Openapi => openapi_command(),
                Command::AdminToken(options) => admin_token_command(&options).await,
                Command::Rotate(options) => rotation::rotate(&options).await,
                Command::Backup(options) => upkeep::backup(&options).await,
                Command::Restore(options) => upkeep::restore(&options).await,
            }
        })
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

/// Says what is wrong with a command line, or shows the help that was asked for.
#[must_use]
pub fn usage(error: &clap::Error) -> ExitCode {
    // Nobody is left to tell when the stream is closed.
    let _ = error.print();
    if error.use_stderr() {
        ExitCode::from(EX_USAGE)
    } else {
        ExitCode::SUCCESS
    }
}

async fn init_command(options: &cli::Init) -> Result<(), Failure> {
    let database = options.database.clone().map(DatabaseUrl::new);
    let config = Config::new(&options.names, database, options.listen)
        .map_err(|error| Failure::of(EX_USAGE, &error))?;
    let made = init::init(&options.data, &config, &SystemClock, &OsRandom)
        .await
        .map_err(Failure::from)?;
    let Initialised { ca, token } = made;
    let data = options.data.display();
    print(&format!(
        "The key server's data is in {data}\n\
         CA fingerprint: {ca}\n\
         Admin token:    {text}\n\
         \n\
         The token is shown this once. Its name is \"{name}\"; it ends at {end}.\n\
         Start:   keyroster-server run --data {data}\n\
         Log in:  keyroster login --server {url} --ca-fingerprint <the fingerprint above>\n",
        text = *token.text,
        name = init::FIRST_TOKEN,
        end = to_rfc3339(token.expires_at),
        url = url(options.names.first(), config.listen),
    ))
}

/// Where people reach the server, as far as `init` can know.
fn url(name: Option<&String>, listen: SocketAddr) -> String {
    let host = match name {
        Some(name) if name.contains(':') => format!("[{name}]"),
        Some(name) => name.clone(),
        None if listen.ip().is_unspecified() => "localhost".to_owned(),
        None => return format!("https://{listen}"),
    };
    format!("https://{host}:{}", listen.port())
}

async fn run_command(options: &cli::Run) -> Result<(), Failure> {
    let (dir, mut config) = open_dir(&options.data)?;
    config.listen = options.listen.unwrap_or(config.listen);
    config.database = options
        .database
        .clone()
        .map(DatabaseUrl::new)
        .or(config.database);
    let _log = start_log(&config, &options.log_filter)?;
    let _lock = DataLock::share(&dir)?;
    let (mut terminate, mut interrupt) = signals()?;
    let opened = open::open(&dir, &config, &Credentials::of_this_process()).await?;
    let parts = Parts {
        opened,
        limits: Limits::default(),
        clock: Arc::new(SystemClock),
        random: Arc::new(OsRandom),
    };
    let server = Server::start(parts, config.listen, config.names)
        .await
        .map_err(|error| Failure {
            hint: error.hint(),
            ..Failure::of(start_code(&error), &error)
        })?;
    let address = server.address();
    data_dir::replace(&dir.listen(), &format!("{address}\n"))
        .map_err(|error| Failure::of(EX_IOERR, &error))?;
    say(&format!("listening on https://{address}"));
    notify(&[NotifyState::Ready]);
    let ended = tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        () = server.went_back() => Err(Failure {
            hint: Some(WentBack::HINT),
            ..Failure::of(EX_CONFIG, &WentBack::SAID)
        }),
    };
    notify(&[NotifyState::Stopping]);
    tracing::info!("stopping");
    match server.stop().await {
        Drained::Completely => {}
        Drained::CutOff(connections) => {
            tracing::warn!(connections, "connections were cut at the drain deadline");
        }
    }
    ended
}

/// An address that can't be listened on may be free, or there, a moment later: the service manager tries again.
fn start_code(error: &ServeError) -> u8 {
    match error {
        ServeError::Listen { .. } | ServeError::Start(StartError::Store(_)) => EX_UNAVAILABLE,
        _ => EX_CONFIG,
    }
}

fn openapi_command() -> Result<(), Failure> {
    let text =
        openapi::to_json(&router::document()).map_err(|error| Failure::of(EX_SOFTWARE, &error))?;
    print(&text)
}

async fn admin_token_command(options: &cli::AdminToken) -> Result<(), Failure> {
    let (dir, config) = open_dir(&options.data)?;
    let name = Actor::parse(&options.name).map_err(|error| Failure::of(EX_USAGE, &error))?;
    let _lock = DataLock::share(&dir)?;
    let store = open::open_store(&dir, &config).await?;
    let token = init::add_admin_token(&store, &name, &SystemClock, &OsRandom)
        .await
        .map_err(Failure::from)?;
    store.close().await;
    print(&format!(
        "Admin token: {text}\nIt is shown this once. Its name is \"{name}\"; it ends at {end}.\n",
        text = *token.text,
        end = to_rfc3339(token.expires_at),
    ))
}

fn open_dir(path: &std::path::Path) -> Result<(DataDir, Config), Failure> {
    let refused = |hint, error: &dyn Display| Failure {
        hint,
        ..Failure::of(EX_CONFIG, error)
    };
    let dir = DataDir::open(path).map_err(|error| refused(error.hint(), &error))?;
    let mut settings = Config::load(&dir).map_err(|error| match &error {
        ConfigError::File(file) => refused(file.hint(), &error),
        _ => refused(None, &error),
    })?;
    let url = Credentials::of_this_process()
        .read(Credential::DatabaseUrl)
        .map_err(|error| refused(error.hint(), &error))?;
    if let Some(url) = url {
        settings.database = Some(DatabaseUrl::new(url.trim().to_owned()));
    }
    Ok((dir, settings))
}

fn start_log(config: &Config, filter: &str) -> Result<LogGuard, Failure> {
    let destination = match config.log {
        LogTo::Stderr => Destination::Stderr,
        LogTo::Syslog => Destination::Syslog {
            facility: Facility::Authpriv,
            socket: SYSLOG_SOCKET.into(),
        },
    };
    let options = LogOptions {
        program: PROGRAM,
        destination,
        format: Format::Text,
        filter: filter.to_owned(),
    };
    keyroster_edge::log::init(options).map_err(|error| Failure::of(EX_USAGE, &error))
}

type Signals = (tokio::signal::unix::Signal, tokio::signal::unix::Signal);

fn signals() -> Result<Signals, Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure::of(EX_OSERR, &error));
    Ok((
        listen(SignalKind::terminate())?,
        listen(SignalKind::interrupt())?,
    ))
}

/// Tells systemd, when there is one that asked.
fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd can't be notified");
    }
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::of(EX_IOERR, &error))
}

fn say(line: &str) {
    // Nobody is left to tell when stderr is closed.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

impl Failure {
    fn of(code: u8, error: &dyn Display) -> Self {
        Self {
            code,
            text: error.to_string(),
            hint: None,
        }
    }

    /// Adds what the error's source says.
    fn because(mut self, error: &dyn std::error::Error) -> Self {
        if let Some(source) = error.source() {
            self.text = format!("{}: {source}", self.text);
        }
        self
    }

    fn tell(&self) -> ExitCode {
        say(&format!("error: {}", self.text));
        if let Some(hint) = self.hint {
            say(&format!("hint: {hint}"));
        }
        ExitCode::from(self.code)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let (code, hint) = match &error {
            OpenError::Store(StoreError::SchemaTooNew { .. }) => (
                EX_CONFIG,
                Some(
                    "start the newer version, or restore a backup that was made before it was installed",
                ),
            ),
            OpenError::Store(StoreError::Schema { .. }) => (EX_CONFIG, None),
            OpenError::Store(_) => (EX_UNAVAILABLE, None),
            _ => (EX_CONFIG, None),
        };
        Self {
            hint,
            ..Self::of(code, &error).because(&error)
        }
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        let code = match &error {
            LockError::BeingRestored(_) | LockError::InUse(_) => EX_TEMPFAIL,
            LockError::File(_) => EX_CONFIG,
        };
        Self::of(code, &error)
    }
}

impl From<InitError> for Failure {
    fn from(error: InitError) -> Self {
        let (code, hint) = match &error {
            InitError::Exists(_) => (
                EX_CANTCREAT,
                Some("name another directory; what is there is never touched"),
            ),
            InitError::File(_) | InitError::Rename { .. } => (EX_CANTCREAT, None),
            InitError::Path(_)
            | InitError::Config(_)
            | InitError::Location(_)
            | InitError::Name(_) => (EX_USAGE, None),
            InitError::Store(_) => (EX_UNAVAILABLE, None),
            InitError::Ca(_) | InitError::SnapshotKey(_) | InitError::Random(_) => {
                (EX_SOFTWARE, None)
            }
        };
        Self {
            hint,
            ..Self::of(code, &error).because(&error)
        }
    }
}

const PROGRAM: &str = "keyroster-server";
const SYSLOG_SOCKET: &str = "/dev/log";

/// The command line is wrong.
const EX_USAGE: u8 = 64;
/// A backup or a journal is damaged, or is none.
const EX_DATAERR: u8 = 65;
/// The database is out of reach, or the address can't be listened on.
const EX_UNAVAILABLE: u8 = 69;
/// A mistake of ours.
const EX_SOFTWARE: u8 = 70;
/// The operating system refused something basic.
const EX_OSERR: u8 = 71;
/// The data directory can't be made.
const EX_CANTCREAT: u8 = 73;
/// A file can't be written or standard output is closed.
const EX_IOERR: u8 = 74;
/// Something else works on the data directory.
const EX_TEMPFAIL: u8 = 75;
/// A file of the data directory can't be used.
const EX_CONFIG: u8 = 78;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_url_is_one_that_a_client_can_use() {
        let listen: SocketAddr = "0.0.0.0:8443".parse().unwrap();
        let named = |name: &str| url(Some(&name.to_owned()), listen);
        assert_eq!(named("keys.example.org"), "https://keys.example.org:8443");
        assert_eq!(named("2001:db8::1"), "https://[2001:db8::1]:8443");
        assert_eq!(url(None, listen), "https://localhost:8443");
        assert_eq!(
            url(None, "127.0.0.1:1".parse().unwrap()),
            "https://127.0.0.1:1"
        );
    }
}
