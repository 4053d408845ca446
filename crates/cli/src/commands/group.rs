//! `keyroster group`: groups of users.

use clap::{Args, Subcommand};
use keyroster_api::group::AddGroup;
use keyroster_keys::{GroupName, UserName};

use crate::failure::Result;
use crate::report::{People, Report};
use crate::session::Session;
use crate::table::Table;

#[derive(Debug, Subcommand)]
pub(crate) enum GroupVerb {
    /// Add a group without members
    Add {
        /// The group's name: `a-z 0-9 . _ -`, beginning with a letter or digit
        name: GroupName,
    },
    /// List all groups
    List,
    /// Show a group and its members
    Show {
        /// The group
        name: GroupName,
    },
    /// Remove a group and its grants; refused while one of them keeps somebody out
    Remove {
        /// The group
        name: GroupName,
    },
    /// Add a user to a group
    AddMember(MemberArgs),
    /// Remove a user from a group
    RemoveMember(MemberArgs),
}

#[derive(Debug, Args)]
pub(crate) struct MemberArgs {
    /// The group
    group: GroupName,
    /// The user
    user: UserName,
}

pub(crate) async fn run(verb: GroupVerb, session: &Session) -> Result<Report> {
    match verb {
        GroupVerb::Add { name } => add(name, session).await,
        GroupVerb::List => list(session).await,
        GroupVerb::Show { name } => show(&name, session).await,
        GroupVerb::Remove { name } => remove(&name, session).await,
        GroupVerb::AddMember(args) => add_member(&args, session).await,
        GroupVerb::RemoveMember(args) => remove_member(&args, session).await,
    }
}

async fn add(name: GroupName, session: &Session) -> Result<Report> {
    let body = AddGroup { name: name.into() };
    let group = session.client()?.add_group(&body).await?;
    Report::confirm(&group, format!("added group \"{}\"", group.name))
}

async fn list(session: &Session) -> Result<Report> {
    let groups = session
        .client()?
        .groups(&session.progress("groups"))
        .await?;
    let mut table = Table::list(&["NAME", "MEMBERS"]);
    for group in &groups {
        table.row([group.name.as_str(), &group.members.len().to_string()]);
    }
    Report::new(&groups, People::List(table))
}

async fn show(name: &GroupName, session: &Session) -> Result<Report> {
    let group = session.client()?.group(name).await?;
    let mut table = Table::object();
    table.row(["name", &group.name]);
    for member in &group.members {
        table.row(["member", member]);
    }
    Report::new(&group, People::Object(table))
}

async fn remove(name: &GroupName, session: &Session) -> Result<Report> {
    let written = session.client()?.remove_group(name).await?;
    Report::written(&written, format!("removed group \"{name}\""))
}

async fn add_member(args: &MemberArgs, session: &Session) -> Result<Report> {
    let written = session
        .client()?
        .add_member(&args.group, &args.user)
        .await?;
    Report::written(
        &written,
        format!("added user \"{}\" to group \"{}\"", args.user, args.group),
    )
}

async fn remove_member(args: &MemberArgs, session: &Session) -> Result<Report> {
    let written = session
        .client()?
        .remove_member(&args.group, &args.user)
        .await?;
    Report::written(
        &written,
        format!(
            "removed user \"{}\" from group \"{}\"",
            args.user, args.group
        ),
    )
}
