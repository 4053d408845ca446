//! The verbs of the program, and how it ends.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;
use keyroster_api::enroll::EnrolmentToken;
use keyroster_edge::log::{self, Destination, Facility, Format, LogGuard, LogOptions};
use keyroster_keys::HostName;
use zeroize::Zeroizing;

use crate::args::{Cli, EnrollArgs, StatusArgs, Verb};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, LogTarget};
use crate::enroll::{self, EnrollError};
use crate::error::AgentError;
use crate::shared::Health;
use crate::state::{Credential, StateDir, memory};
use crate::status::{self, Report};
use crate::{break_glass, daemon, doctor, enable, exit, lookup_once, socket};

/// Runs what the command line says.
#[must_use]
pub fn main() -> ExitCode {
    keyroster_edge::install_provider();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(err) => {
            let told = err.print();
            let asked_for = matches!(
                err.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            );
            return ExitCode::from(if asked_for && told.is_ok() {
                exit::OK
            } else {
                exit::USAGE
            });
        }
    };
    let done = match cli.verb {
        Verb::Enroll(args) => enroll(args),
        Verb::Run(args) => {
            let ended = load(args.config.as_deref()).and_then(|(config, _log)| daemon::run(config));
            // The next one may fail as well, and logins would wait for it each time.
            ended.inspect_err(|_| socket::let_go())
        }
        Verb::LookupOnce(args) => {
            load(args.config.as_deref()).and_then(|(config, _log)| lookup_once::run(&config))
        }
        Verb::BreakGlass(args) => break_glass::verbs::run(&args),
        Verb::Status(args) => status(&args),
        Verb::Doctor(args) => return ExitCode::from(doctor::main(&args)),
        Verb::Enable(args) if args.finish || args.confirm => {
            let (config, _log) = load_if_possible(args.common.config.as_deref());
            enable::enable(&args, &config)
        }
        Verb::Enable(args) => load_for(Facility::Authpriv, args.common.config.as_deref())
            .and_then(|(config, _log)| enable::enable(&args, &config)),
        Verb::Disable(args) => {
            let (_, _log) = load_if_possible(None);
            enable::disable(&args).map_err(AgentError::from)
        }
    };
    match done {
        Ok(()) => ExitCode::from(exit::OK),
        Err(err) => complain(&err),
    }
}

fn complain(err: &AgentError) -> ExitCode {
    let mut stderr = std::io::stderr().lock();
    // Nobody is left to tell when stderr is closed.
    let _ = writeln!(stderr, "error: {err}");
    if let Some(hint) = err.hint() {
        let _ = writeln!(stderr, "hint: {hint}");
    }
    ExitCode::from(err.exit_status())
}

fn load(path: Option<&Path>) -> Result<(Config, LogGuard), AgentError> {
    load_for(Facility::Daemon, path)
}

fn load_for(facility: Facility, path: Option<&Path>) -> Result<(Config, LogGuard), AgentError> {
    let config = Config::load(path)?;
    let log = log_to(&config, facility)?;
    Ok((config, log))
}

/// For those who take a change back or let it stay: settings that can't be read must not keep them from it.
fn load_if_possible(path: Option<&Path>) -> (Config, Option<LogGuard>) {
    let (config, doubt) = match Config::load(path) {
        Ok(config) => (config, None),
        Err(err) => (Config::default(), Some(err)),
    };
    let log = log_to(&config, Facility::Authpriv).ok();
    if let Some(err) = doubt {
        tracing::warn!(%err, "goes on without settings");
    }
    (config, log)
}

fn log_to(config: &Config, facility: Facility) -> Result<LogGuard, AgentError> {
    let destination = match config.log {
        LogTarget::Stderr => Destination::Stderr,
        LogTarget::Syslog => Destination::Syslog {
            facility,
            socket: config.log_socket.clone(),
        },
    };
    let filter = "info".to_owned();
    let options = LogOptions {
        program: PROGRAM,
        destination,
        format: Format::Text,
        filter,
    };
    Ok(log::init(options)?)
}

fn enroll(args: EnrollArgs) -> Result<(), AgentError> {
    let config = Config::load(args.common.config.as_deref())?;
    let server = args.server.or(config.server).ok_or(EnrollError::NoServer)?;
    let text = match (&args.token, &args.token_file) {
        (Some(token), _) => Zeroizing::new(token.clone()),
        (None, Some(path)) => read_token(path)?,
        (None, None) => {
            return Err(EnrollError::Token(keyroster_api::enroll::EnrolmentTokenError).into());
        }
    };
    let token = EnrolmentToken::parse(text.trim()).map_err(EnrollError::Token)?;
    let name = args.name.unwrap_or_else(own_name);
    let name = HostName::parse(&name).map_err(|_| EnrollError::Name(name))?;
    let dir = StateDir::create(&config.state_dir)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|err| AgentError::Internal(err.to_string()))?;
    let enrolled = runtime.block_on(enroll::enroll(
        &dir,
        enroll::Request {
            server,
            token,
            name,
        },
    ));
    runtime.shutdown_background();
    let host = enrolled?;
    say(&format!(
        "enrolled as \"{}\" (host id {})",
        host.name, host.host_id
    ));
    Ok(())
}

fn read_token(path: &Path) -> Result<Zeroizing<String>, EnrollError> {
    let failed = |err| EnrollError::TokenFile {
        path: path.to_owned(),
        err,
    };
    let mut text = Zeroizing::new(String::new());
    if path == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(MAX_TOKEN_BYTES)
            .read_to_string(&mut text)
            .map_err(failed)?;
    } else {
        let file = File::open(path).map_err(failed)?;
        file.take(MAX_TOKEN_BYTES)
            .read_to_string(&mut text)
            .map_err(failed)?;
    }
    Ok(text)
}

fn own_name() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .to_ascii_lowercase()
}

fn status(args: &StatusArgs) -> Result<(), AgentError> {
    let config = Config::load(args.common.config.as_deref())?;
    let lines = match status::ask_daemon(&config.socket) {
        Some(lines) => lines,
        None => status::lines(&report_from_disk(&config)?),
    };
    if args.json {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        say(&status::to_json(&lines).to_string());
    } else {
        let now_s = SystemClock::new()?.now().wall_s();
        say(&status::for_people(&lines, now_s).join("\n"));
    }
    Ok(())
}

/// What a `lookup-once` would work with now.
fn report_from_disk(config: &Config) -> Result<Report, AgentError> {
    let dir = match StateDir::open(&config.state_dir) {
        Ok(dir) => dir,
        Err(crate::state::StateError::Io { err, .. })
            if err.kind() == std::io::ErrorKind::NotFound =>
        {
            return Ok(Report::not_enrolled());
        }
        Err(err) => return Err(err.into()),
    };
    let Some(credential) = Credential::load(&dir)? else {
        return Ok(Report::not_enrolled());
    };
    let now = SystemClock::new()?.now();
    let floor = credential
        .host
        .floor()
        .map_err(|err| AgentError::Internal(err.to_string()))?;
    let (known, doubts) = memory::load(&dir, &credential.authority(), floor, &now);
    let doubts: Vec<String> = doubts.iter().map(ToString::to_string).collect();
    let health = Health {
        disk: (!doubts.is_empty()).then(|| doubts.join("; ")),
        certificate_until_s: credential.lifetime().map(|lifetime| lifetime.until_s),
        ..Health::default()
    };
    let identity = status::Identity::new(&credential, config.server.as_deref());
    Ok(Report::new(&known, &identity, &health, &now))
}

/// Tells whoever started this.
pub(crate) fn say(text: &str) {
    // A closed pipe is no error of ours.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Tells whoever started this what they should not miss.
pub(crate) fn warn(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "warning: {text}");
}

const PROGRAM: &str = "keyroster-agent";

/// Bytes of a token's file that are read.
const MAX_TOKEN_BYTES: u64 = 1024;
