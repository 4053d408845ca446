//! The command line of `keyroster-server`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use keyroster_keys::HostName;

/// The key server.
#[derive(Debug, Parser)]
#[command(
    name = "keyroster-server",
    version,
    about = "The key server: decides who may log in over SSH"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the data directory, the CA, the snapshot key, the database and the first admin token
    Init(Init),
    /// Serve
    Run(Run),
    /// Print the OpenAPI document
    Openapi,
    /// Make another admin token, for when the first is lost; works on the database itself
    AdminToken(AdminToken),
    /// Copy the roster into a file; the key server may go on meanwhile
    Backup(Backup),
    /// Exchange the snapshot key or the CA, step by step, while hosts go on
    Rotate(Rotate),
    /// Take the roster from a backup: raises the epoch, and ends again what was revoked since
    Restore(Restore),
}

/// `init`.
#[derive(Debug, Args)]
pub struct Init {
    /// The directory to make; it must not exist yet
    #[arg(long, value_name = "DIR", env = "KEYROSTER_SERVER_DATA")]
    pub data: PathBuf,
    /// A name or address under which the server will be reached; may be given several times
    #[arg(long = "name", value_name = "NAME")]
    pub names: Vec<String>,
    /// postgres://… ; an SQLite file in the data directory when absent
    #[arg(
        long,
        value_name = "URL",
        env = "KEYROSTER_SERVER_DATABASE",
        hide_env_values = true
    )]
    pub database: Option<String>,
    /// Where `run` will listen
    #[arg(long, value_name = "ADDRESS:PORT", env = "KEYROSTER_SERVER_LISTEN")]
    pub listen: Option<SocketAddr>,
}

/// `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// The directory that `init` made
    #[arg(long, value_name = "DIR", env = "KEYROSTER_SERVER_DATA")]
    pub data: PathBuf,
    /// Where to listen, instead of where server.toml says; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", env = "KEYROSTER_SERVER_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// The database, instead of the one that server.toml names
    #[arg(
        long,
        value_name = "URL",
        env = "KEYROSTER_SERVER_DATABASE",
        hide_env_values = true
    )]
    pub database: Option<String>,
    /// What to log, in the grammar of tracing: info, debug, warn,keyroster_server=debug
    #[arg(
        long,
        value_name = "FILTER",
        env = "KEYROSTER_SERVER_LOG",
        default_value = "info"
    )]
    pub log_filter: String,
}

/// `admin-token`.
#[derive(Debug, Args)]
pub struct AdminToken {
    /// The directory that `init` made
    #[arg(long, value_name = "DIR", env = "KEYROSTER_SERVER_DATA")]
    pub data: PathBuf,
    /// A name for the token that no other token has
    #[arg(long, value_name = "NAME")]
    pub name: String,
}

/// `backup`.
#[derive(Debug, Args)]
pub struct Backup {
    /// The directory that `init` made
    #[arg(long, value_name = "DIR", env = "KEYROSTER_SERVER_DATA")]
    pub data: PathBuf,
    /// The file to make; it must not exist yet
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
}

/// `rotate`.
#[derive(Debug, Args)]
pub struct Rotate {
    /// The directory that `init` made
    #[arg(long, value_name = "DIR", env = "KEYROSTER_SERVER_DATA")]
    pub data: PathBuf,
    /// Which step
    #[command(subcommand)]
    pub step: RotateStep,
}

/// The steps of an exchange.
#[derive(Debug, Subcommand)]
pub enum RotateStep {
    /// Begin: make a new snapshot key, of which hosts learn
    SnapshotKey,
    /// Begin: make a new CA, of which hosts learn
    Ca,
    /// Go by the new key or CA, once every host knows it
    Switch(Abandon),
    /// End: hosts believe the new key or CA alone, and the old one is thrown away
    Finish(Abandon),
    /// Tell where it stands, and which hosts are behind
    Status,
}

/// Hosts that are not waited for.
#[derive(Debug, Args)]
pub struct Abandon {
    /// A host that is not waited for; may be given several times
    #[arg(long, value_name = "HOST")]
    pub abandon: Vec<HostName>,
}

/// `restore`.
#[derive(Debug, Args)]
pub struct Restore {
    /// The directory that `init` made
    #[arg(long, value_name = "DIR", env = "KEYROSTER_SERVER_DATA")]
    pub data: PathBuf,
    /// The backup; without it, the database that was put in place by other means
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// A revocation journal of another key server; may be given several times
    #[arg(long = "journal", value_name = "FILE")]
    pub journals: Vec<PathBuf>,
    /// Go on though there is no journal: what was revoked after the backup is alive again
    #[arg(long)]
    pub without_journal: bool,
    /// Use what can be read of a damaged journal
    #[arg(long)]
    pub damaged_journal: bool,
    /// Tell what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
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
    fn a_database_password_from_the_environment_is_not_shown_in_help() {
        let help = Cli::command()
            .find_subcommand_mut("run")
            .unwrap()
            .render_long_help()
            .to_string();
        assert!(help.contains("[env: KEYROSTER_SERVER_DATABASE]"), "{help}");
    }
}
