//! `keyroster user`: persons and service identities that own keys.

use clap::{Args, Subcommand};
use keyroster_api::time;
use keyroster_api::user::{AddUser, ChangeUser, UserState, UserView, state_text};
use keyroster_keys::UserName;

use crate::failure::Result;
use crate::report::{People, Report};
use crate::session::Session;
use crate::table::Table;
use crate::wait::{Patience, WaitArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum UserVerb {
    /// Add a user
    Add(AddArgs),
    /// List all users
    List,
    /// Show a user
    Show {
        /// The user
        name: UserName,
    },
    /// Keep a user out until resumed; keys and grants stay
    Suspend(EndArgs),
    /// End a suspension
    Resume(StateArgs),
    /// Keep a user out for good; this can't be taken back
    Terminate(EndArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// The user's name: `a-z 0-9 . _ @ -`, beginning with a letter or digit
    name: UserName,
    /// Make it a service identity that this person answers for
    #[arg(long, value_name = "USER")]
    owner: Option<UserName>,
}

#[derive(Debug, Args)]
pub(crate) struct StateArgs {
    /// The user
    name: UserName,
    /// Why, for the audit log
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct EndArgs {
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    waiting: WaitArgs,
}

pub(crate) async fn run(verb: UserVerb, session: &Session) -> Result<Report> {
    match verb {
        UserVerb::Add(args) => add(args, session).await,
        UserVerb::List => list(session).await,
        UserVerb::Show { name } => show(&name, session).await,
        UserVerb::Suspend(args) => end(args, UserState::Suspended, session).await,
        UserVerb::Resume(args) => change(args, UserState::Active, None, session).await,
        UserVerb::Terminate(args) => end(args, UserState::Terminated, session).await,
    }
}

async fn add(args: AddArgs, session: &Session) -> Result<Report> {
    let body = AddUser {
        name: args.name.into(),
        owner: args.owner.map(String::from),
    };
    let user = session.client()?.add_user(&body).await?;
    Report::confirm(&user, format!("added user \"{}\"", user.name))
}

async fn list(session: &Session) -> Result<Report> {
    let users = session.client()?.users(&session.progress("users")).await?;
    let mut table = Table::list(&["NAME", "KIND", "OWNER", "STATE", "ADDED"]);
    for user in &users {
        table.row([
            &user.name,
            &user.kind,
            owner(user),
            &user.state,
            &time::to_rfc3339(user.created_at),
        ]);
    }
    Report::new(&users, People::List(table))
}

async fn show(name: &UserName, session: &Session) -> Result<Report> {
    let user = session.client()?.user(name).await?;
    let mut table = Table::object();
    table
        .row(["name", &user.name])
        .row(["kind", &user.kind])
        .row(["owner", owner(&user)])
        .row(["state", &user.state])
        .row(["added", &time::to_rfc3339(user.created_at)]);
    Report::new(&user, People::Object(table))
}

async fn end(args: EndArgs, state: UserState, session: &Session) -> Result<Report> {
    change(args.state, state, args.waiting.wait, session).await
}

async fn change(
    args: StateArgs,
    state: UserState,
    wait: Option<Patience>,
    session: &Session,
) -> Result<Report> {
    let body = ChangeUser {
        state: state_text(state).to_owned(),
        reason: args.reason,
    };
    let done = match state {
        UserState::Active => "resumed",
        UserState::Suspended => "suspended",
        UserState::Terminated => "terminated",
    };
    let (client, waiting) = session.client_for(wait)?;
    let change = client
        .change_user(&args.name, &body, waiting.as_ref())
        .await?;
    change.report(&format!("{done} user \"{}\"", args.name))
}

fn owner(user: &UserView) -> &str {
    user.owner.as_deref().unwrap_or("-")
}
