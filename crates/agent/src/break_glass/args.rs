//! The command line of `break-glass`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::args::Common;
use crate::break_glass::DEFAULT_STATE;

/// What `break-glass` takes.
#[derive(Debug, Args)]
pub struct BreakGlassArgs {
    /// What to do.
    #[command(subcommand)]
    pub verb: BreakGlassVerb,
}

/// What to do with break-glass keys.
#[derive(Debug, Subcommand)]
pub enum BreakGlassVerb {
    /// Let a key in to an account, whatever else is out of order
    Add(AddArgs),
    /// List the keys, and what is wrong with their files
    List(ListArgs),
    /// Take a key out again
    Remove(RemoveArgs),
    /// Prove by a real login that the way in works
    Drill(DrillArgs),
    /// Tell the key server of uses now, on a host without the daemon
    Tell(Common),
}

/// What `add` takes.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// The settings [default: /etc/keyroster/agent.toml]
    #[command(flatten)]
    pub common: Common,
    /// The Unix account
    #[arg(value_name = "ACCOUNT")]
    pub account: String,
    /// The file of the public key; `-` for standard input
    #[arg(long, value_name = "KEY.pub")]
    pub file: PathBuf,
    /// What stands behind the key, such as whose it is and where it lies [default: the key's own comment]
    #[arg(long, value_name = "TEXT")]
    pub label: Option<String>,
    /// Take a key that is not in a security key, whatever the settings say
    #[arg(long)]
    pub any_key: bool,
}

/// What `list` takes.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// The settings [default: /etc/keyroster/agent.toml]
    #[command(flatten)]
    pub common: Common,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// What `remove` takes.
#[derive(Debug, Args)]
pub struct RemoveArgs {
    /// The settings [default: /etc/keyroster/agent.toml]
    #[command(flatten)]
    pub common: Common,
    /// The Unix account
    #[arg(value_name = "ACCOUNT")]
    pub account: String,
    /// The key: `SHA256:…`
    #[arg(value_name = "FINGERPRINT")]
    pub fingerprint: String,
}

/// What `drill` takes.
#[derive(Debug, Args)]
pub struct DrillArgs {
    /// The settings [default: /etc/keyroster/agent.toml]
    #[command(flatten)]
    pub common: Common,
    /// The Unix account [default: every account that has a break-glass file]
    #[arg(value_name = "ACCOUNT")]
    pub account: Option<String>,
    /// The private key [default: whatever the ssh-agent holds]; for a security key that is to be asked by another library than ssh's
    /// own, SSH_SK_PROVIDER names it, as for ssh-add(1)
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// sshd's configuration
    #[arg(long, value_name = "FILE", default_value = "/etc/ssh/sshd_config")]
    pub sshd_config: PathBuf,
    /// The sshd [default: the one that listens]
    #[arg(long, value_name = "PATH")]
    pub sshd: Option<PathBuf>,
    /// Where root's own state is
    #[arg(long, value_name = "DIR", default_value = DEFAULT_STATE, hide = true)]
    pub state: PathBuf,
}
