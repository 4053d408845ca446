//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::break_glass::args::BreakGlassArgs;
use crate::doctor::args::DoctorArgs;
use crate::enable::args::{DisableArgs, EnableArgs};

/// Keeps this host's snapshot of the roster and answers logins from it.
#[derive(Debug, Parser)]
#[command(name = "keyroster-agent", version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Enrol this host with a key server
    Enroll(EnrollArgs),
    /// Run as a daemon
    Run(Common),
    /// Answer one request from standard input, without a daemon
    LookupOnce(Common),
    /// Keys that work when nothing else does
    BreakGlass(BreakGlassArgs),
    /// Say how the host agent is
    Status(StatusArgs),
    /// Say what is wrong on this host, why it matters, and what mends it
    Doctor(DoctorArgs),
    /// Have sshd ask keyroster, as root
    Enable(Box<EnableArgs>),
    /// Have sshd ask keyroster no longer, as root
    Disable(Box<DisableArgs>),
}

/// What every verb takes.
#[derive(Debug, Args)]
pub struct Common {
    /// The settings [default: /etc/keyroster/agent.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// What `enroll` takes.
#[derive(Debug, Args)]
pub struct EnrollArgs {
    /// The settings [default: /etc/keyroster/agent.toml]
    #[command(flatten)]
    pub common: Common,
    /// The key server [default: `server` of the settings]
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// The enrolment token; other users of this machine can see it while this runs
    #[arg(
        long,
        required_unless_present = "token_file",
        conflicts_with = "token_file"
    )]
    pub token: Option<String>,
    /// A file with the enrolment token; `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The name that the host asks for [default: its host name]
    #[arg(long, value_name = "HOSTNAME")]
    pub name: Option<String>,
}

/// What `status` takes.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The settings [default: /etc/keyroster/agent.toml]
    #[command(flatten)]
    pub common: Common,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_token_is_given_once_in_one_way() {
        let parse =
            |args: &[&str]| Cli::try_parse_from([&["keyroster-agent", "enroll"], args].concat());
        assert!(parse(&["--token", "kre1.x"]).is_ok());
        assert!(parse(&["--token-file", "f"]).is_ok());
        assert!(parse(&[]).is_err());
        assert!(parse(&["--token", "kre1.x", "--token-file", "f"]).is_err());
    }
}
