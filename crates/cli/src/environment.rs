//! What the process's environment says. Read once, so that everything else takes it as a parameter.

use std::ffi::OsString;
use std::path::PathBuf;

use secrecy::SecretString;

/// The variables that mean something here; an empty one counts as not set.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    /// `KEYROSTER_SERVER`.
    pub(crate) server: Option<String>,
    /// `KEYROSTER_CA`: a file.
    pub(crate) ca: Option<PathBuf>,
    /// `KEYROSTER_TOKEN`.
    pub(crate) token: Option<SecretString>,
    /// `KEYROSTER_CONFIG`: a file.
    pub(crate) config: Option<PathBuf>,
    /// `NO_COLOR`.
    pub(crate) no_color: bool,
}

impl Environment {
    pub(crate) fn of_process() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        // Bytes that are no text make a value that its parser refuses, instead of one that counts as not set.
        let text = |value: OsString| value.to_string_lossy().into_owned();
        Self {
            server: variable("KEYROSTER_SERVER").map(text),
            ca: variable("KEYROSTER_CA").map(PathBuf::from),
            token: variable("KEYROSTER_TOKEN").map(|value| SecretString::from(text(value))),
            config: variable("KEYROSTER_CONFIG").map(PathBuf::from),
            no_color: variable("NO_COLOR").is_some(),
        }
    }
}
