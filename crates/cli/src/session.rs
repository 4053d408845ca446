//! One run of the program: what was said on the way in, and the connection that comes of it.

use std::path::PathBuf;

use keyroster_api::Timestamp;

use crate::address::ServerAddress;
use crate::args::GlobalOptions;
use crate::client::{Client, FirstTrust, Heard};
use crate::config::Config;
use crate::environment::Environment;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::progress::{Audience, Progress};
use crate::settings::{self, Settings};
use crate::wait::{Patience, Waiting};

/// Options, environment and moment of this run.
#[derive(Debug)]
pub(crate) struct Session {
    options: GlobalOptions,
    environment: Environment,
    now: Timestamp,
    heard: Heard,
}

impl Session {
    pub(crate) fn new(options: GlobalOptions, environment: Environment, now: Timestamp) -> Self {
        Self {
            options,
            environment,
            now,
            heard: Heard::default(),
        }
    }

    /// The moment of this run.
    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    /// Where the configuration file is.
    pub(crate) fn config_path(&self) -> Result<PathBuf> {
        settings::config_path(&self.options, &self.environment)
    }

    /// What flags, environment and file say together.
    pub(crate) fn settings(&self) -> Result<Settings> {
        let config = Config::load(&self.config_path()?)?;
        Settings::gather(&self.options, &self.environment, config)
    }

    /// The same for a login, which replaces the file: its token is not used, and where the server is named elsewhere, a file
    /// that can't be used is no obstacle.
    pub(crate) fn login_settings(&self) -> Result<Settings> {
        let named = self.options.server.is_some() || self.environment.server.is_some();
        let config = match Config::load(&self.config_path()?) {
            Ok(config) => Config {
                token: None,
                ..config
            },
            Err(_) if named => Config::default(),
            Err(failure) => return Err(failure),
        };
        Settings::gather(&self.options, &self.environment, config)
    }

    /// The key server, with CA and token known.
    pub(crate) fn client(&self) -> Result<Client> {
        let settings = self.settings()?;
        let server = settings
            .server()
            .map_err(|failure| self.unconfigured(failure))?;
        let client = Client::new(server, settings.ca()?, settings.token()?)?;
        Ok(client.heard_by(&self.heard))
    }

    /// A key server that is known by its CA alone, or by its fingerprint.
    pub(crate) fn meet(&self, server: &ServerAddress, known: FirstTrust<'_>) -> Result<Client> {
        Ok(Client::first_contact(server, known)?.heard_by(&self.heard))
    }

    /// Which CAs the key server has, where they were ever exchanged.
    pub(crate) fn heard(&self) -> Option<String> {
        self.heard.get()
    }

    /// Whether it is the configuration file that says which CA to believe.
    pub(crate) const fn knows_ca_by_file(&self) -> bool {
        self.options.ca.is_none() && self.environment.ca.is_none()
    }

    /// The key server for a change that may be waited for, and the wait.
    pub(crate) fn client_for(&self, wait: Option<Patience>) -> Result<(Client, Option<Waiting>)> {
        let audience = match (self.options.quiet, self.options.json) {
            (true, _) => Audience::Nobody,
            (false, true) => Audience::Watching,
            (false, false) => Audience::Reading,
        };
        let waiting = |patience| Waiting::new(patience, audience);
        Ok((self.client()?, wait.map(waiting)))
    }

    /// No key server is known: the reason may be a configuration file that was named and is not there.
    fn unconfigured(&self, failure: Failure) -> Failure {
        let named = self
            .options
            .config
            .as_ref()
            .or(self.environment.config.as_ref());
        match named {
            Some(path) if !path.exists() => {
                let what = format!("there is no configuration \"{}\"", path.display());
                Failure::new(Exit::Config, what)
                    .hint("is the path right? `keyroster login` makes a new one")
            }
            _ => failure,
        }
    }

    /// Progress of long work, unless quiet was asked for.
    pub(crate) fn progress(&self, what: &'static str) -> Progress {
        Progress::begin(!self.options.quiet, what)
    }

    /// Whether the answer is for programs.
    pub(crate) const fn json(&self) -> bool {
        self.options.json
    }
}
