//! The command line of `doctor`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::args::Common;

/// What `doctor` takes.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The settings [default: /etc/keyroster/agent.toml]
    #[command(flatten)]
    pub common: Common,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
    /// Show what is as it should be, too
    #[arg(long)]
    pub all: bool,
    /// Look at what a benchmark asks for besides
    #[arg(long, value_name = "NAME")]
    pub benchmark: Option<Benchmark>,
    /// Show what can be mended without judgement, ask, and mend it
    #[arg(long)]
    pub fix: bool,
    /// With --fix: mend without asking
    #[arg(long, requires = "fix")]
    pub yes: bool,
    /// The program of sshd [default: the one that listens]
    #[arg(long, value_name = "PATH")]
    pub sshd: Option<PathBuf>,
    /// What sshd reads
    #[arg(long, value_name = "FILE", default_value = keyroster_sshd::DEFAULT_CONFIG)]
    pub sshd_config: PathBuf,
    /// Where `enable` keeps its records
    #[arg(long, value_name = "DIR", default_value = "/var/lib/keyroster")]
    pub state: PathBuf,
}

/// A benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Benchmark {
    /// The sshd part of the CIS benchmark for Debian
    Cis,
}
