//! agent.toml, which decides what everything else is about.

use crate::config::ConfigError;
use crate::doctor::finding::{Finding, rules};

rules! {
    BROKEN = Error "settings-broken": "agent.toml can't be used",
        "the host agent does not start with it; what is said here goes by the defaults",
        Judge "mend what is named in /etc/keyroster/agent.toml, then restart keyroster-agent";
}

/// The verdict.
#[must_use]
pub fn check(loaded: Result<(), &ConfigError>) -> Finding {
    let words = loaded.err().map(ToString::to_string);
    Finding::judge(&BROKEN, words, "agent.toml can be used")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::testing::broken;

    #[test]
    fn settings_that_can_not_be_used_are_an_error() {
        assert_eq!(broken(&[check(Ok(()))]), [""; 0]);
        let err = ConfigError::Writable("/etc/keyroster/agent.toml".into());
        assert_eq!(broken(&[check(Err(&err))]), ["settings-broken"]);
    }
}
