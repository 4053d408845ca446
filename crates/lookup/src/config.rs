//! `/etc/keyroster/lookup.conf`.
//!
//! ```text
//! # which sources answer, in which order (see `chain`)
//! authorized_keys: agent [UNAVAIL=continue] direct
//! principals:      agent
//!
//! # where they are; these are the defaults
//! agent_socket:    /run/keyroster/agent.sock
//! direct_program:  /usr/lib/keyroster/keyroster-agent
//! direct_config:   /etc/keyroster/agent.toml
//! log_socket:      /dev/log
//! agent_own_uid:   refuse
//!
//! # another provider that wants more than the account, asked as `command:opkssh` (see `provider`)
//! command.opkssh:  /usr/local/bin/opkssh verify %u %k %t
//! # and what it may take (see `limits`)
//! command.opkssh.deadline:   1500ms
//! command.opkssh.max-output: 64KiB
//! ```
//!
//! One setting a line, each once, `#` begins a comment anywhere. An unknown setting is refused: a misspelt
//! `authorised_keys` would otherwise quietly mean the default. The form is nsswitch's and not TOML because the one value that matters
//! is nsswitch's, and because a TOML parser would be most of this program.
//!
//! The file must be root's and not writable by group or others. A file that is refused makes every answer `unavailable`. A file
//! that is missing means the defaults, so that a package works once it is installed.
//!
//! `agent_own_uid: allow` is for hosts whose key command runs as the host agent's own user, as a host without the daemon does: without it,
//! a socket that a process of the lookup's own uid listens on is not believed, since any program that sshd runs as that user could.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::chain::{Chain, Source};
use crate::fault::{ConfigError, Fault};
use crate::limits::{self, Limit, Setting};
use crate::provider::Provider;

/// The configuration file, unless `--config` names another.
pub(crate) const DEFAULT_PATH: &str = "/etc/keyroster/lookup.conf";

/// Longest configuration file, in bytes.
pub(crate) const FILE_MAX: u64 = 16 * 1024;

/// Longest path of a socket, in bytes: what fits into `sockaddr_un` with its zero.
pub(crate) const SOCKET_PATH_MAX: usize = 107;

/// The settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// Sources of the verb `keys`.
    pub(crate) authorized_keys: Chain,
    /// Sources of the verb `principals`.
    pub(crate) principals: Chain,
    /// The host agent's socket.
    pub(crate) agent_socket: PathBuf,
    /// Whether a host agent that runs as this process's own user is believed.
    pub(crate) agent_own_uid: OwnUid,
    /// The program that `direct` executes.
    pub(crate) direct_program: PathBuf,
    /// The configuration file it is given.
    pub(crate) direct_config: PathBuf,
    /// The system log's socket.
    pub(crate) log_socket: PathBuf,
    /// Providers with a command line of their own.
    pub(crate) providers: Vec<Provider>,
}

/// Whether a host agent that runs as this process's own user is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnUid {
    /// It is.
    Allow,
    /// It is not.
    Refuse,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            authorized_keys: Chain::agent_only(),
            principals: Chain::agent_only(),
            agent_socket: "/run/keyroster/agent.sock".into(),
            agent_own_uid: OwnUid::Refuse,
            direct_program: "/usr/lib/keyroster/keyroster-agent".into(),
            direct_config: "/etc/keyroster/agent.toml".into(),
            log_socket: "/dev/log".into(),
            providers: Vec::new(),
        }
    }
}

impl Config {
    /// Reads the file at `path`; `None` when there is none.
    pub(crate) fn load(path: &Path) -> Result<Option<Self>, ConfigError> {
        // Non-blocking, so that a FIFO in the file's place does not hang the open.
        let opened = File::options()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path);
        let file = match opened {
            Ok(file) => file,
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(err) => return Err(ConfigError::Io(err)),
        };
        let metadata = file.metadata().map_err(ConfigError::Io)?;
        if !metadata.is_file() {
            return Err(ConfigError::NotAFile);
        }
        if metadata.uid() != 0 {
            return Err(ConfigError::NotRoots);
        }
        if metadata.mode() & WRITABLE_BY_OTHERS != 0 {
            return Err(ConfigError::Writable);
        }
        if metadata.len() > FILE_MAX {
            return Err(ConfigError::TooLong);
        }
        let mut text = Vec::with_capacity(metadata.len() as usize + 1);
        file.take(FILE_MAX + 1)
            .read_to_end(&mut text)
            .map_err(ConfigError::Io)?;
        if text.len() as u64 > FILE_MAX {
            return Err(ConfigError::TooLong);
        }
        let text = str::from_utf8(&text).map_err(|_| ConfigError::NotUtf8)?;
        Self::parse(text).map(Some)
    }

    /// The settings that `text` makes.
    pub(crate) fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        let mut seen: Vec<&str> = Vec::new();
        let mut limits: Vec<Setting<'_>> = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line
                .split_once('#')
                .map_or(line, |(before, _comment)| before)
                .trim_ascii();
            if line.is_empty() {
                continue;
            }
            let at = |fault| ConfigError::Line { number, fault };
            let (name, value) = line.split_once(':').ok_or(at(Fault::NoColon))?;
            let (name, value) = (name.trim_ascii_end(), value.trim_ascii());
            if seen.contains(&name) {
                return Err(at(Fault::Twice));
            }
            seen.push(name);
            match limits::named(name) {
                None => config.set(name, value).map_err(at)?,
                Some((name, key)) => limits.push(Setting {
                    name,
                    number,
                    limit: Limit::parse(name, key, value).map_err(|err| at(Fault::Limit(err)))?,
                }),
            }
        }
        config.limit(&limits)?;
        config.check_names()?;
        Ok(config)
    }

    /// The provider of this name.
    pub(crate) fn provider(&self, name: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.name == name)
    }

    /// A limit may stand above the line of the source that it is for.
    fn limit(&mut self, settings: &[Setting<'_>]) -> Result<(), ConfigError> {
        for setting in settings {
            let mut providers = self.providers.iter_mut();
            let provider = providers.find(|provider| provider.name == setting.name);
            let provider = provider.ok_or_else(|| ConfigError::NobodysLimit {
                number: setting.number,
                name: setting.name.to_owned(),
                key: setting.limit.key(),
            })?;
            provider.limits.set(setting.limit);
        }
        Ok(())
    }

    /// A chain may stand above the settings that it names.
    fn check_names(&self) -> Result<(), ConfigError> {
        let chains = [&self.authorized_keys, &self.principals];
        for step in chains.into_iter().flat_map(Chain::steps) {
            if let Source::Named(name) = &step.source
                && self.provider(name).is_none()
            {
                return Err(ConfigError::NoProvider(name.clone()));
            }
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Fault> {
        match name {
            "authorized_keys" => {
                self.authorized_keys = Chain::parse(value).map_err(Fault::Chain)?
            }
            "principals" => self.principals = Chain::parse(value).map_err(Fault::Chain)?,
            "agent_socket" => self.agent_socket = socket(value)?,
            "agent_own_uid" => {
                self.agent_own_uid = match value {
                    "allow" => OwnUid::Allow,
                    "refuse" => OwnUid::Refuse,
                    _ => return Err(Fault::Word),
                }
            }
            "direct_program" => self.direct_program = absolute(value)?,
            "direct_config" => self.direct_config = absolute(value)?,
            "log_socket" => self.log_socket = socket(value)?,
            _ => match name.strip_prefix("command.") {
                Some(name) => self
                    .providers
                    .push(Provider::parse(name, value).map_err(Fault::Provider)?),
                None => return Err(Fault::Unknown),
            },
        }
        Ok(())
    }
}

fn absolute(value: &str) -> Result<PathBuf, Fault> {
    let path = PathBuf::from(value);
    if path.is_absolute() && !value.bytes().any(|byte| byte.is_ascii_control()) {
        Ok(path)
    } else {
        Err(Fault::Path)
    }
}

fn socket(value: &str) -> Result<PathBuf, Fault> {
    if value.len() > SOCKET_PATH_MAX {
        Err(Fault::LongSocket)
    } else {
        absolute(value)
    }
}

/// The mode bits that let group or others write.
pub(crate) const WRITABLE_BY_OTHERS: u32 = 0o022;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::ChainError;
    use crate::limits::{LimitError, Limits};
    use crate::provider::ProviderError;

    fn fault(text: &str) -> (u32, Fault) {
        match Config::parse(text) {
            Err(ConfigError::Line { number, fault }) => (number, fault),
            other => panic!("{text:?} gave {other:?}"),
        }
    }

    #[test]
    fn an_empty_file_means_the_defaults() {
        assert_eq!(
            Config::parse("\n  # nothing here\n\r\n").unwrap(),
            Config::default()
        );
    }

    #[test]
    fn a_file_that_can_not_be_read_is_not_taken_for_missing() {
        assert!(matches!(
            Config::load(Path::new("/nowhere/lookup.conf")),
            Ok(None)
        ));
        assert!(matches!(
            Config::load(Path::new("/dev/null/lookup.conf")),
            Err(ConfigError::Io(_))
        ));
    }

    #[test]
    fn every_setting_has_its_place() {
        let text = "authorized_keys : direct # first\nprincipals:agent direct\nagent_socket: /a\nagent_own_uid: allow\n\
                    direct_program: /b\r\ndirect_config:\t/c d\nlog_socket: /e\n\
                    command.opkssh: /f verify %u # last";
        let expected = Config {
            authorized_keys: Chain::parse("direct").unwrap(),
            principals: Chain::parse("agent direct").unwrap(),
            agent_socket: "/a".into(),
            agent_own_uid: OwnUid::Allow,
            direct_program: "/b".into(),
            direct_config: "/c d".into(),
            log_socket: "/e".into(),
            providers: vec![Provider::parse("opkssh", "/f verify %u").unwrap()],
        };
        assert_eq!(Config::parse(text).unwrap(), expected);
    }

    #[test]
    fn what_is_not_a_setting_is_refused_with_its_line() {
        assert_eq!(fault("\nauthorized_keys agent"), (2, Fault::NoColon));
        assert_eq!(fault("authorised_keys: agent"), (1, Fault::Unknown));
        assert_eq!(
            fault("principals: agent\n\nprincipals: direct"),
            (3, Fault::Twice)
        );
        assert_eq!(
            fault("authorized_keys: files"),
            (1, Fault::Chain(ChainError::UnknownSource))
        );
        assert_eq!(
            fault("authorized_keys:"),
            (1, Fault::Chain(ChainError::Empty))
        );
        assert_eq!(fault("direct_program: keyroster-agent"), (1, Fault::Path));
        assert_eq!(fault("direct_config:"), (1, Fault::Path));
        assert_eq!(fault("agent_own_uid: yes"), (1, Fault::Word));
    }

    #[test]
    fn a_provider_that_a_chain_names_must_be_there_above_or_below() {
        let chain = "authorized_keys: agent command:opkssh";
        let line = "command.opkssh: /usr/local/bin/opkssh verify %u %k %t";
        assert!(Config::parse(&format!("{chain}\n{line}")).is_ok());
        assert!(Config::parse(&format!("{line}\n{chain}")).is_ok());
        assert!(matches!(
            Config::parse(chain),
            Err(ConfigError::NoProvider(name)) if name == "opkssh"
        ));
        assert_eq!(fault(&format!("{line}\n{line}")), (2, Fault::Twice));
        assert_eq!(
            fault("command.opkssh: opkssh"),
            (1, Fault::Provider(ProviderError::RelativeProgram))
        );
    }

    #[test]
    fn a_socket_path_that_does_not_fit_an_address_is_refused() {
        let longest = format!("/{}", "a".repeat(SOCKET_PATH_MAX - 1));
        assert!(Config::parse(&format!("agent_socket: {longest}")).is_ok());
        assert_eq!(
            fault(&format!("agent_socket: {longest}a")),
            (1, Fault::LongSocket)
        );
        assert_eq!(
            fault(&format!("log_socket: {longest}a")),
            (1, Fault::LongSocket)
        );
    }
    #[test]
    fn a_limit_is_its_source_s_alone_and_stands_above_or_below_its_line() {
        let text = "command.a.deadline: 1500ms\ncommand.a: /a\ncommand.b: /b\ncommand.a.max-output: 64KiB # small";
        let config = Config::parse(text).unwrap();
        let limits = |name| config.provider(name).unwrap().limits;
        let within = std::time::Duration::from_millis(1_500);
        let output = 64 * 1024;
        assert_eq!(limits("a"), Limits { within, output });
        assert_eq!(limits("b"), Limits::DEFAULT);
    }

    #[test]
    fn a_limit_that_is_nobodys_or_cannot_be_kept_is_refused_with_its_line_and_its_name() {
        let said = |text: &str| Config::parse(text).unwrap_err().to_string();
        let nobodys = said("command.a: /a\ncommand.b.deadline: 1s");
        assert_eq!(
            nobodys,
            "line 2: `command.b.deadline` is for a source that has no `command.b:`"
        );
        let late = said("command.a: /a\ncommand.a.deadline: 3s");
        assert!(late.starts_with("line 2: `deadline` is not"), "{late}");
        for (line, err) in [
            ("command.a.deadline: 1500", LimitError::Deadline),
            ("command.a.max-output: 2MiB", LimitError::MaxOutput),
            ("command.a.user: root", LimitError::Key),
            ("command./a.deadline: 1s", LimitError::Name),
        ] {
            assert_eq!(fault(line), (1, Fault::Limit(err)));
        }
        let twice = "command.a.deadline: 1s\n";
        assert_eq!(fault(&twice.repeat(2)), (2, Fault::Twice));
    }
}
