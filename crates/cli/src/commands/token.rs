//! `keyroster token`: tokens for people and programs that use the key server.

use clap::{Args, Subcommand, ValueEnum};
use keyroster_api::time;
use keyroster_api::token::{AddToken, Role};

use crate::commands::whoami::role_text;
use crate::failure::Result;
use crate::report::Report;
use crate::session::Session;
use crate::span::When;

#[derive(Debug, Subcommand)]
pub(crate) enum TokenVerb {
    /// Make a token and print it, once
    Add(AddArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// A name for it, which the audit log will show
    name: String,
    /// What its bearer may do
    #[arg(long, value_enum)]
    role: RoleArg,
    /// When it ends: an RFC 3339 time or a span from now
    #[arg(long, value_name = "WHEN", default_value = "30d")]
    expires: When,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoleArg {
    /// Everything
    Admin,
    /// Suspend, terminate and revoke, and everything that an auditor may
    Officer,
    /// Read everything, the audit log included
    Auditor,
}

pub(crate) async fn run(verb: TokenVerb, session: &Session) -> Result<Report> {
    match verb {
        TokenVerb::Add(args) => add(args, session).await,
    }
}

async fn add(args: AddArgs, session: &Session) -> Result<Report> {
    let body = AddToken {
        name: args.name,
        role: args.role.into(),
        expires_at: args.expires.in_future(
            session.now(),
            "--expires",
            "give a later time, or a span such as 30d",
        )?,
    };
    let new = session.client()?.add_token(&body).await?;
    let until = time::to_rfc3339(new.expires_at);
    let report = Report::secret(&new, &new.token)?;
    Ok(report.note(format!(
        "token \"{}\" ({}, until {until}) is not shown again",
        body.name,
        role_text(body.role)
    )))
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Admin => Self::Admin,
            RoleArg::Officer => Self::Officer,
            RoleArg::Auditor => Self::Auditor,
        }
    }
}
