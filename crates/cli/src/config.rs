//! The configuration file: one key server, its CA, and the token for it.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Serialize};

use crate::address::ServerAddress;
use crate::ca::Cas;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::private_file::{self, Closed};
use crate::secret::Token;

/// What the configuration file says; every part may be missing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Config {
    pub(crate) server: Option<ServerAddress>,
    pub(crate) ca: Option<Cas>,
    pub(crate) token: Option<Token>,
}

/// The file's own form.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ConfigText<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<Cow<'a, str>>,
}

impl Config {
    /// Reads the file; one that does not exist says nothing.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(broken(path, &error.to_string())),
        };
        private_file::check(&file, path, "configuration", Closed::ToAll)?;
        let mut text = Zeroizing::new(String::new());
        file.take(MAX_CONFIG_BYTES)
            .read_to_string(&mut text)
            .map_err(|error| broken(path, &error.to_string()))?;
        Self::parse(&text).map_err(|why| broken(path, &why))
    }

    /// Writes the file, its owner's alone.
    pub(crate) fn store(&self, path: &Path) -> Result<()> {
        let text = ConfigText {
            server: self.server.as_ref().map(ToString::to_string),
            ca: self.ca.as_ref().map(Cas::to_pem),
            token: self
                .token
                .as_ref()
                .map(|token| Cow::Borrowed(token.expose())),
        };
        let shown = path.display();
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(
                Exit::Io,
                format!("can't write the configuration \"{shown}\": {error}"),
            )
        };
        let text = Zeroizing::new(toml::to_string(&text).map_err(|error| failed(&error))?);
        private_file::replace(path, text.as_bytes()).map_err(|error| failed(&error))
    }

    fn parse(text: &str) -> std::result::Result<Self, String> {
        let text: ConfigText<'_> = toml::from_str(text).map_err(|error| explain(&error, text))?;
        Ok(Self {
            server: text
                .server
                .map(|server| server.parse().map_err(|error| format!("server: {error}")))
                .transpose()?,
            ca: text
                .ca
                .map(|pem| Cas::from_pem(&pem).map_err(|error| format!("ca: {error}")))
                .transpose()?,
            token: text
                .token
                .map(|token| Zeroizing::new(token.into_owned()))
                .map(|token| Token::parse(&token).map_err(|error| format!("token: {error}")))
                .transpose()?,
        })
    }
}

/// Where the file is when nobody says: `keyroster/config.toml` in `$XDG_CONFIG_HOME` or `~/.config`.
pub(crate) fn default_path() -> Result<PathBuf> {
    match etcetera::choose_base_strategy() {
        Ok(base) => Ok(base.config_dir().join("keyroster").join("config.toml")),
        Err(_) => Err(Failure::new(
            Exit::Config,
            "can't tell where the configuration is: no home directory",
        )
        .hint("give --config FILE, or set HOME or XDG_CONFIG_HOME")),
    }
}

fn broken(path: &Path, why: &str) -> Failure {
    let what = format!("can't use the configuration \"{}\": {why}", path.display());
    Failure::new(Exit::Config, what).hint("mend it, or make a new one with `keyroster login`")
}

/// The reason and the line's number. The library's own text shows the line itself, and a token may stand in it.
fn explain(error: &toml::de::Error, text: &str) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(1, |before| before.matches('\n').count() + 1);
    format!("line {line}: {}", error.message())
}

/// Bytes that are read of the file.
const MAX_CONFIG_BYTES: u64 = 128 * 1024;

#[cfg(test)]
mod tests {
    use rustls_pki_types::CertificateDer;

    use super::*;

    fn token_text() -> String {
        format!("krt_{}", "s".repeat(43))
    }

    fn config() -> Config {
        Config {
            server: Some("https://keys.example:8443".parse().unwrap()),
            ca: Some(Cas::from(CertificateDer::from(vec![7_u8; 200]))),
            token: Some(Token::parse(&token_text()).unwrap()),
        }
    }

    #[test]
    fn a_configuration_survives_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        config().store(&path).unwrap();
        let read = Config::load(&path).unwrap();
        assert_eq!(read.server, config().server);
        assert_eq!(read.ca, config().ca);
        assert_eq!(read.token.unwrap().expose(), token_text());
    }

    #[test]
    fn a_file_that_does_not_exist_says_nothing() {
        let read = Config::load(Path::new("/nonexistent/keyroster/config.toml")).unwrap();
        assert!(read.server.is_none() && read.ca.is_none() && read.token.is_none());
    }

    #[test]
    fn a_misspelt_key_and_a_bad_value_are_named_with_their_place() {
        for (text, expected) in [
            (
                "server = \"https://a\"\ntokn = \"x\"\n",
                "line 2: unknown field `tokn`",
            ),
            (
                "server = \"http://a\"\n",
                "server: a key server's address reads",
            ),
            ("ca = \"-\"\n", "ca: text is not the PEM of a certificate"),
            ("server = 5\n", "line 1: invalid type"),
        ] {
            let why = Config::parse(text).unwrap_err();
            assert!(why.starts_with(expected), "{why}");
        }
    }

    #[test]
    fn no_error_about_the_file_shows_the_token_in_it() {
        let secret = token_text();
        for text in [
            format!("token = \"{secret}"),
            format!("token = \"{secret}x\""),
            format!("token = [\"{secret}\"]"),
            format!("server = \"https://a\"\ntoken = {secret}"),
            format!("[{secret}\n"),
        ] {
            let why = Config::parse(&text).unwrap_err();
            assert!(!why.contains("sss"), "{why}");
        }
    }
}
