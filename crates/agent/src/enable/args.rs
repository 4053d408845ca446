//! The command lines of `enable` and `disable`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use keyroster_keys::AccountName;

use crate::args::Common;

/// What `enable` takes.
#[derive(Debug, Args)]
pub struct EnableArgs {
    /// The settings [default: /etc/keyroster/agent.toml]
    #[command(flatten)]
    pub common: Common,
    /// Where things are
    #[command(flatten)]
    pub places: PlaceArgs,
    /// Show what would be done and try it on a temporary sshd, but change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Only for accounts in this Unix group
    #[arg(long, value_name = "GROUP", value_parser = parse_name)]
    pub match_group: Option<AccountName>,
    /// Take keys from keyroster and from break-glass files, and no longer from home directories
    #[arg(long)]
    pub only_keyroster: bool,
    /// Go on though no way in is left when keyroster does not answer
    #[arg(long)]
    pub without_break_glass: bool,
    /// A private key of a break-glass file, to log in with on the temporary sshd; those in your ssh-agent are tried as well
    #[arg(long, value_name = "FILE")]
    pub break_glass_key: Vec<PathBuf>,
    /// Take it back unless somebody logs in within this time: `90s`, `5m`, `1h` or `never`
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_within)]
    pub confirm_within: Within,
    /// Log in to this account in the trial [default: the first granted one that a key at hand opens]
    #[arg(long, value_name = "ACCOUNT", value_parser = parse_name)]
    pub trial_user: Option<AccountName>,
    /// A private key for the trial login, or `agent` for those in your ssh-agent [default: agent]
    #[arg(long, value_name = "FILE")]
    pub trial_key: Vec<PathBuf>,
    /// Go on though nobody's key is at hand for a trial login: that sshd lets anybody in is not proven then
    #[arg(long, conflicts_with_all = ["trial_user", "trial_key"])]
    pub without_trial_login: bool,
    /// Confirm a change that waits for its first login
    #[arg(long, conflicts_with_all = ["dry_run", "match_group", "only_keyroster", "trial_user", "trial_key", "without_trial_login", "break_glass_key", "finish"])]
    pub confirm: bool,
    /// Wait for the first login, or take back what was left unconfirmed: what the service and a boot run
    #[arg(long, conflicts_with_all = ["dry_run", "match_group", "only_keyroster", "trial_user", "trial_key", "without_trial_login", "break_glass_key"])]
    pub finish: bool,
}

/// What `disable` takes.
#[derive(Debug, Args)]
pub struct DisableArgs {
    /// Where things are
    #[command(flatten)]
    pub places: PlaceArgs,
    /// Show what would be done, but change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Go on though sshd would take nobody's key then, not even from a break-glass file
    #[arg(long)]
    pub without_break_glass: bool,
}

/// Where things are.
#[derive(Debug, Args)]
pub struct PlaceArgs {
    /// The program of sshd [default: the one that listens]
    #[arg(long, value_name = "PATH")]
    pub sshd: Option<PathBuf>,
    /// What sshd reads; drop-ins are in `sshd_config.d` beside it [default: /etc/ssh/sshd_config; `disable` takes all that were enabled]
    #[arg(long, value_name = "FILE")]
    pub sshd_config: Option<PathBuf>,
    /// Where it is written down what was there before
    #[arg(long, value_name = "DIR", default_value = DEFAULT_STATE)]
    pub state: PathBuf,
    /// The program that sshd is to run
    #[arg(long, value_name = "PATH", default_value = DEFAULT_LOOKUP)]
    pub lookup: PathBuf,
    /// Its settings [default: /etc/keyroster/lookup.conf]
    #[arg(long, value_name = "FILE")]
    pub lookup_config: Option<PathBuf>,
    /// The user as whom it runs; `keyroster-agent` where no daemon runs
    #[arg(long, value_name = "USER", default_value = DEFAULT_LOOKUP_USER, value_parser = parse_name)]
    pub lookup_user: AccountName,
    /// Where break-glass files are
    #[arg(long, value_name = "DIR", default_value = DEFAULT_BREAK_GLASS)]
    pub break_glass_dir: PathBuf,
}

/// How long the first login may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// So long; then the change is taken back.
    Time(Duration),
    /// It stays whether or not somebody logs in.
    Never,
}

fn parse_name(text: &str) -> Result<AccountName, String> {
    AccountName::parse(text).map_err(|err| err.to_string())
}

fn parse_within(text: &str) -> Result<Within, String> {
    if text == "never" {
        return Ok(Within::Never);
    }
    let wrong = || "a number with `s`, `m` or `h` behind it, or `never`".to_owned();
    let (number, seconds) = [("s", 1), ("m", 60), ("h", 3600)]
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))
        .ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let time = Duration::from_secs(number.saturating_mul(seconds));
    if !(MIN_WITHIN..=MAX_WITHIN).contains(&time) {
        return Err("from 1s to 24h, or `never`".to_owned());
    }
    Ok(Within::Time(time))
}

/// Root's own records.
pub const DEFAULT_STATE: &str = "/var/lib/keyroster";
/// Where packages put the lookup.
pub const DEFAULT_LOOKUP: &str = "/usr/lib/keyroster/keyroster-lookup";
/// The user that packages make for it.
pub const DEFAULT_LOOKUP_USER: &str = "keyroster-lookup";
/// Where break-glass files are.
pub const DEFAULT_BREAK_GLASS: &str = "/etc/keyroster/break-glass";
const MIN_WITHIN: Duration = Duration::from_secs(1);
const MAX_WITHIN: Duration = Duration::from_secs(24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_confirm_has_a_unit_and_bounds() {
        assert_eq!(parse_within("never"), Ok(Within::Never));
        for (text, seconds) in [("1s", 1), ("5m", 300), ("24h", 86_400)] {
            let time = Duration::from_secs(seconds);
            assert_eq!(parse_within(text), Ok(Within::Time(time)), "{text}");
        }
        for text in [
            "",
            "5",
            "m",
            "0s",
            "25h",
            "-1m",
            "1d",
            "5 m",
            "99999999999999999999s",
        ] {
            assert!(parse_within(text).is_err(), "{text}");
        }
    }
}
