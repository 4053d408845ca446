//! Which key server, believed through which CA, with which token: flags before the environment before the file.
//!
//! One rule beyond that order: the file's CA and token are for the file's server. Whoever names another server is asked
//! for both again, so that no flag or variable can send a token to a server that it was not made for.

use std::path::PathBuf;

use secrecy::ExposeSecret as _;

use crate::address::ServerAddress;
use crate::args::GlobalOptions;
use crate::ca::Cas;
use crate::config::{self, Config};
use crate::environment::Environment;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::secret::{self, Token};

/// What flags, environment and file say together; every part may be missing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    pub(crate) server: Option<ServerAddress>,
    pub(crate) ca: Option<Cas>,
    pub(crate) token: Option<Token>,
}

impl Settings {
    /// Puts them together. Standard input is read only if the token is to come from there.
    pub(crate) fn gather(
        options: &GlobalOptions,
        environment: &Environment,
        config: Config,
    ) -> Result<Self> {
        let named = match (&options.server, &environment.server) {
            (Some(server), _) => Some(server.clone()),
            (None, Some(text)) => Some(parse_server(text)?),
            (None, None) => None,
        };
        let of_file = match named.is_none() || named == config.server {
            true => config,
            false => Config::default(),
        };
        let ca = match options.ca.as_ref().or(environment.ca.as_ref()) {
            Some(path) => Some(Cas::from_file(path)?),
            None => of_file.ca,
        };
        let token = match (&options.token_file, &environment.token) {
            (Some(path), _) => Some(secret::from_file(path)?),
            (None, Some(text)) => Some(parse_token(text.expose_secret())?),
            (None, None) => of_file.token,
        };
        Ok(Self {
            server: named.or(of_file.server),
            ca,
            token,
        })
    }

    pub(crate) fn server(&self) -> Result<&ServerAddress> {
        self.server
            .as_ref()
            .ok_or_else(|| missing("no key server is set").hint(LOGIN_HINT))
    }

    pub(crate) fn ca(&self) -> Result<&Cas> {
        let server = self.server()?;
        self.ca.as_ref().ok_or_else(|| {
            missing(&format!("no CA is known for \"{server}\""))
                .hint("log in to it with `keyroster login`, or give --ca FILE")
        })
    }

    pub(crate) fn token(&self) -> Result<&Token> {
        let server = self.server()?;
        self.token.as_ref().ok_or_else(|| {
            missing(&format!("no token is known for \"{server}\"")).hint(
                "log in to it with `keyroster login`, or give --token-file FILE or KEYROSTER_TOKEN",
            )
        })
    }
}

/// Where the configuration file is.
pub(crate) fn config_path(options: &GlobalOptions, environment: &Environment) -> Result<PathBuf> {
    match options.config.as_ref().or(environment.config.as_ref()) {
        Some(path) => Ok(path.clone()),
        None => config::default_path(),
    }
}

fn parse_server(text: &str) -> Result<ServerAddress> {
    text.parse()
        .map_err(|error| missing(&format!("KEYROSTER_SERVER: {error}")))
}

fn parse_token(text: &str) -> Result<Token> {
    Token::parse(text).map_err(|error| missing(&format!("KEYROSTER_TOKEN: {error}")))
}

fn missing(what: &str) -> Failure {
    Failure::new(Exit::Config, what)
}

const LOGIN_HINT: &str = "`keyroster login --server URL --ca-fingerprint SHA256:…`, or give --server or KEYROSTER_SERVER";

#[cfg(test)]
mod tests {
    use rustls_pki_types::CertificateDer;
    use secrecy::SecretString;

    use super::*;

    fn token(letter: &str) -> String {
        format!("krt_{}", letter.repeat(43))
    }

    fn file() -> Config {
        Config {
            server: Some("https://file.example".parse().unwrap()),
            ca: Some(Cas::from(CertificateDer::from(vec![7_u8; 100]))),
            token: Some(Token::parse(&token("f")).unwrap()),
        }
    }

    fn server(options: Option<&str>, environment: Option<&str>) -> Settings {
        let options = GlobalOptions {
            server: options.map(|text| text.parse().unwrap()),
            ..GlobalOptions::default()
        };
        let environment = Environment {
            server: environment.map(ToOwned::to_owned),
            ..Environment::default()
        };
        Settings::gather(&options, &environment, file()).unwrap()
    }

    #[test]
    fn a_flag_wins_over_the_environment_and_the_environment_over_the_file() {
        let name = |settings: Settings| settings.server.unwrap().to_string();
        assert_eq!(
            name(server(Some("https://flag"), Some("https://env"))),
            "https://flag"
        );
        assert_eq!(name(server(None, Some("https://env"))), "https://env");
        assert_eq!(name(server(None, None)), "https://file.example");
    }

    #[test]
    fn the_token_and_the_ca_of_one_server_are_never_used_for_another() {
        let same = server(Some("https://FILE.example:443/"), None);
        assert!(same.ca().is_ok() && same.token().is_ok());
        for other in [
            server(Some("https://other"), None),
            server(None, Some("https://other")),
        ] {
            assert_eq!(other.token().unwrap_err().exit(), Exit::Config);
            assert_eq!(other.ca().unwrap_err().exit(), Exit::Config);
        }
    }

    #[test]
    fn a_token_of_the_environment_wins_over_the_files() {
        let environment = Environment {
            token: Some(SecretString::from(token("e"))),
            ..Environment::default()
        };
        let settings = Settings::gather(&GlobalOptions::default(), &environment, file()).unwrap();
        assert_eq!(settings.token().unwrap().expose(), token("e"));
    }

    #[test]
    fn a_bad_variable_is_named_and_its_value_is_not_shown() {
        let environment = Environment {
            token: Some(SecretString::from("hunter2")),
            ..Environment::default()
        };
        let failure =
            Settings::gather(&GlobalOptions::default(), &environment, file()).unwrap_err();
        assert_eq!(failure.exit(), Exit::Config);
        assert!(
            failure.to_string().contains("KEYROSTER_TOKEN")
                && !failure.to_string().contains("hunter2")
        );
    }

    #[test]
    fn what_is_missing_is_named_with_the_command_that_sets_it() {
        let failure = Settings::default().server().unwrap_err().to_string();
        assert!(
            failure.contains("no key server is set\nhint: `keyroster login"),
            "{failure}"
        );
    }
}
