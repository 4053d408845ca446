//! The commands, one file a noun.

pub(crate) mod audit;
pub(crate) mod completions;
pub(crate) mod explain;
pub(crate) mod grant;
pub(crate) mod group;
pub(crate) mod host;
pub(crate) mod host_group;
pub(crate) mod key;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod token;
pub(crate) mod user;
pub(crate) mod whoami;

use crate::args::Command;
use crate::failure::Result;
use crate::report::Report;
use crate::session::Session;

/// Carries out a command.
pub(crate) async fn run(command: Command, session: &Session) -> Result<Report> {
    match command {
        Command::Login(login) => login::run(login, session).await,
        Command::Logout => logout::run(session),
        Command::Whoami => whoami::run(session).await,
        Command::User(verb) => user::run(verb, session).await,
        Command::Key(verb) => key::run(verb, session).await,
        Command::Group(verb) => group::run(verb, session).await,
        Command::Host(verb) => host::run(verb, session).await,
        Command::HostGroup(verb) => host_group::run(verb, session).await,
        Command::Grant(verb) => grant::run(verb, session).await,
        Command::Token(verb) => token::run(verb, session).await,
        Command::Explain(explain) => explain::run(explain, session).await,
        Command::Audit(verb) => audit::run(verb, session).await,
        Command::Completions(completions) => Ok(completions::run(&completions)),
    }
}
