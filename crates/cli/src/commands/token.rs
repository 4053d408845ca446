//! `keyroster token`: tokens for people and programs that use the key server.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};
use keyroster_api::time;
use keyroster_api::token::{AddToken, Role};

use crate::commands::whoami::role_text;
use crate::failure::Result;
use crate::report::{People, Report};
use crate::session::Session;
use crate::span::{When, moment_text};
use crate::table::Table;

#[derive(Debug, Subcommand)]
pub(crate) enum TokenVerb {
    /// Make a token and print it, once
    Add(AddArgs),
    /// List all tokens, without their secrets
    List,
    /// End a token
    Revoke {
        /// The token's name
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        name: String,
    },
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
        TokenVerb::List => list(session).await,
        TokenVerb::Revoke { name } => revoke(&name, session).await,
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

async fn list(session: &Session) -> Result<Report> {
    let tokens = session
        .client()?
        .tokens(&session.progress("tokens"))
        .await?;
    let mut table = Table::list(&["NAME", "ROLE", "MADE BY", "EXPIRES", "REVOKED"]);
    for token in &tokens {
        table.row([
            token.name.as_str(),
            role_text(token.role),
            &token.created_by,
            &time::to_rfc3339(token.expires_at),
            &moment_text(token.revoked_at),
        ]);
    }
    Report::new(&tokens, People::List(table))
}

async fn revoke(name: &str, session: &Session) -> Result<Report> {
    let written = session.client()?.revoke_token(name).await?;
    Report::written(&written, format!("revoked token \"{name}\""))
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
