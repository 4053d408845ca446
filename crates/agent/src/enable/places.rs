//! The files and programs that a change concerns.

use std::path::{Path, PathBuf};

use keyroster_keys::AccountName;
use keyroster_sshd::service::Listener;
use keyroster_sshd::would_be::DropIn;
use keyroster_sshd::{Binary, DEFAULT_CONFIG, Sshd};

use crate::enable::args::PlaceArgs;
use crate::enable::error::EnableError;

/// Where everything is.
#[derive(Debug, Clone)]
pub struct Places {
    /// The sshd, with its configuration and command line.
    pub sshd: Sshd,
    /// Those that listen with it.
    pub listeners: Vec<Listener>,
    /// Our file.
    pub drop_in: DropIn,
    /// Where root's records are.
    pub state: PathBuf,
    /// The lookup and whom it runs as.
    pub lookup: Lookup,
    /// Where break-glass files are.
    pub break_glass: PathBuf,
}

/// The program that sshd runs.
#[derive(Debug, Clone)]
pub struct Lookup {
    /// Its path.
    pub program: PathBuf,
    /// Its settings, where they are not in the usual place.
    pub config: Option<PathBuf>,
    /// As whom it runs.
    pub user: AccountName,
}

impl Places {
    /// Those that the command line names, and for the rest those of the sshd that listens.
    ///
    /// # Errors
    /// When sshd can't be run, or a path can't stand in a configuration.
    pub fn of(args: &PlaceArgs) -> Result<Self, EnableError> {
        let config = args.sshd_config.as_deref();
        Self::reading(args, config.unwrap_or(Path::new(DEFAULT_CONFIG)))
    }

    /// The same for an sshd that reads this.
    ///
    /// # Errors
    /// As for [`Self::of`].
    pub fn reading(args: &PlaceArgs, sshd_config: &Path) -> Result<Self, EnableError> {
        let config = args.lookup_config.as_deref();
        for path in [args.lookup.as_path(), &args.break_glass_dir]
            .into_iter()
            .chain(config)
        {
            if !is_plain(path) {
                return Err(EnableError::Path(path.to_owned()));
            }
        }
        let listeners = Listener::of(sshd_config)?;
        let listener = listeners.first();
        let binary = Binary::find(args.sshd.as_deref(), listener)?;
        let overrides = listener.map(Listener::overrides).unwrap_or_default();
        Ok(Self {
            sshd: Sshd::new(binary, sshd_config).with_overrides(overrides),
            drop_in: DropIn::beside(sshd_config, DROP_IN),
            listeners,
            state: args.state.clone(),
            lookup: Lookup {
                program: args.lookup.clone(),
                config: args.lookup_config.clone(),
                user: args.lookup_user.clone(),
            },
            break_glass: args.break_glass_dir.clone(),
        })
    }
}

impl Lookup {
    /// The file with its settings.
    #[must_use]
    pub fn settings(&self) -> &Path {
        self.config
            .as_deref()
            .unwrap_or(Path::new(DEFAULT_LOOKUP_CONFIG))
    }
}

/// sshd splits a command at blanks, expands `%`, and takes no quotes around a path.
fn is_plain(path: &Path) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._+-@".contains(c);
    path.is_absolute() && path.to_str().is_some_and(|text| text.chars().all(plain))
}

/// The name of our file: before those of distributions and clouds.
pub const DROP_IN: &str = "10-keyroster.conf";
const DEFAULT_LOOKUP_CONFIG: &str = "/etc/keyroster/lookup.conf";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_sshd_would_split_or_expand_is_refused() {
        assert!(is_plain(Path::new(
            "/nix/store/a1-keyroster_0.1+b/bin/keyroster-lookup"
        )));
        for path in ["lookup", "/a b", "/a%u", "/a\"b", "/a#b", "/a\nb", "/ä"] {
            assert!(!is_plain(Path::new(path)), "{path:?}");
        }
    }
}
