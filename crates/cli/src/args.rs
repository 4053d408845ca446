//! The grammar's outer part: what holds for every command, and the nouns. Each noun's own words stand with its command.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::address::ServerAddress;
use crate::commands;

/// Decides, in one place, who may log in over SSH.
#[derive(Debug, Parser)]
#[command(name = "keyroster", version, arg_required_else_help = true)]
#[command(subcommand_required = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalOptions,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalOptions {
    /// The key server (or KEYROSTER_SERVER)
    #[arg(long, global = true, value_name = "URL", hide_short_help = true)]
    pub(crate) server: Option<ServerAddress>,
    /// The certificate of the key server's CA, in PEM (or KEYROSTER_CA)
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub(crate) ca: Option<PathBuf>,
    /// A file with the token, `-` for standard input (or the token itself in KEYROSTER_TOKEN)
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub(crate) token_file: Option<PathBuf>,
    /// The configuration file (or KEYROSTER_CONFIG)
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print nothing but what was asked for: no confirmations, notes or progress
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// No colour and no bold (or NO_COLOR)
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) no_color: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Connect to a key server and keep the token for it
    Login(commands::login::Login),
    /// Forget the token
    Logout,
    /// Show whose token is used and what it may do
    Whoami,
    /// Users: persons and service identities that own keys
    #[command(subcommand)]
    User(commands::user::UserVerb),
    /// Keys: public keys, each of one user
    #[command(subcommand)]
    Key(commands::key::KeyVerb),
    /// Groups of users
    #[command(subcommand)]
    Group(commands::group::GroupVerb),
    /// Hosts: enrolled machines
    #[command(subcommand)]
    Host(commands::host::HostVerb),
    /// Host groups, with how stale their hosts' answers may be
    #[command(subcommand)]
    HostGroup(commands::host_group::HostGroupVerb),
    /// Grants: who may log in to which account on which hosts, when and how
    #[command(subcommand)]
    Grant(commands::grant::GrantVerb),
    /// Tokens for people and programs that use the key server
    #[command(subcommand)]
    Token(commands::token::TokenVerb),
    /// Say who may log in to an account on a host, and why
    Explain(commands::explain::Explain),
    /// The audit log
    #[command(subcommand)]
    Audit(commands::audit::AuditVerb),
    /// Print a script that completes commands in a shell
    Completions(commands::completions::Completions),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_grammar_does_not_contradict_itself() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_option_takes_a_secret_by_value() {
        fn walk(command: &clap::Command) {
            for argument in command.get_arguments() {
                let name = argument.get_id().as_str();
                assert!(!matches!(name, "token" | "secret" | "password"), "{name}");
            }
            command.get_subcommands().for_each(walk);
        }
        walk(&Cli::command());
    }

    #[test]
    fn the_manual_names_every_verb_and_every_option() {
        fn walk(command: &clap::Command, noun: Option<&str>) {
            let manual = include_str!("../../../docs/cli.md");
            for argument in command.get_arguments().filter_map(clap::Arg::get_long) {
                assert!(manual.contains(&format!("--{argument}")), "--{argument}");
            }
            for verb in command.get_subcommands() {
                let name = verb.get_name();
                let first = noun.unwrap_or(name);
                let named = |line: &str| {
                    line.contains(&format!("`{first}"))
                        && line.split([' ', '`', '|']).any(|word| word == name)
                };
                assert!(manual.lines().any(named), "{first} {name}");
                walk(verb, Some(first));
            }
        }
        walk(&Cli::command(), None);
    }
}
