//! `ACCOUNT@HOST`: where a login goes, as people write it.

use std::str::FromStr;

use keyroster_keys::{AccountName, HostName, NameError};

/// An account on a host. The host may be named by its id, which has the form of a host name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LoginTarget {
    pub(crate) account: AccountName,
    pub(crate) host: HostName,
}

/// Why a text names no account on a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetError {
    #[error("write it as ACCOUNT@HOST, for example deploy@web-1")]
    NoAt,
    #[error(transparent)]
    Name(#[from] NameError),
}

impl FromStr for LoginTarget {
    type Err = TargetError;

    /// Splits at the last `@`: an account may have one in its name, a host never.
    fn from_str(text: &str) -> Result<Self, TargetError> {
        let (account, host) = text.rsplit_once('@').ok_or(TargetError::NoAt)?;
        Ok(Self {
            account: AccountName::parse(account)?,
            host: HostName::parse(host)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_at_sign_divides_account_and_host() {
        let target: LoginTarget = "bob@corp@web-1.example".parse().unwrap();
        assert_eq!(target.account.as_str(), "bob@corp");
        assert_eq!(target.host.as_str(), "web-1.example");
    }

    #[test]
    fn half_a_target_and_names_that_could_be_more_than_names_are_refused() {
        assert_eq!("deploy".parse::<LoginTarget>(), Err(TargetError::NoAt));
        for text in [
            "@web-1",
            "deploy@",
            "../x@web-1",
            "deploy@WEB",
            "-h@web-1",
            "a b@web-1",
        ] {
            assert!(
                matches!(text.parse::<LoginTarget>(), Err(TargetError::Name(_))),
                "{text}"
            );
        }
    }
}
