//! `keyroster grant`: who may log in to which account on which hosts, when and how.

mod shown;

use clap::{ArgGroup, Args, Subcommand};
use keyroster_api::GrantId;
use keyroster_api::grant::{AddGrant, EffectText};
use keyroster_api::key::Revoke;
use keyroster_keys::{AccountName, GroupName, HostName, UserName};

use crate::failure::Result;
use crate::report::{People, Report};
use crate::session::Session;
use crate::span::When;
use crate::wait::WaitArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum GrantVerb {
    /// Let a user or a group log in to an account on a host or a host group, or keep them out
    Add(Box<AddArgs>),
    /// List all grants
    List,
    /// Show a grant
    Show {
        /// The grant's id
        id: GrantId,
    },
    /// End a grant
    Revoke(RevokeArgs),
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("subject").required(true).args(["user", "group"])))]
#[command(group(ArgGroup::new("target").required(true).args(["host", "host_group"])))]
pub(crate) struct AddArgs {
    /// For this user
    #[arg(long)]
    user: Option<UserName>,
    /// For every user of this group
    #[arg(long)]
    group: Option<GroupName>,
    /// The Unix account
    #[arg(long)]
    account: AccountName,
    /// On this host
    #[arg(long)]
    host: Option<HostName>,
    /// On every host of this host group
    #[arg(long)]
    host_group: Option<GroupName>,
    /// Only from these client addresses; may be given several times
    #[arg(long, value_name = "CIDR")]
    from: Vec<String>,
    /// Run this command, whatever the client asks for
    #[arg(long)]
    command: Option<String>,
    /// A key option beside `restrict`, such as `port-forwarding` or `permitopen="db:5432"`; may be given several times
    #[arg(long, value_name = "OPTION")]
    option: Vec<String>,
    /// From when it holds: an RFC 3339 time or a span from now
    #[arg(long, value_name = "WHEN")]
    not_before: Option<When>,
    /// Until when it holds: an RFC 3339 time or a span from now, such as 90d
    #[arg(long, value_name = "WHEN")]
    until: Option<When>,
    /// Why, for whoever looks at the grant later
    #[arg(long)]
    reason: Option<String>,
    /// Keep them out instead, whatever other grants say
    #[arg(long, conflicts_with_all = ["from", "command", "option"])]
    deny: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// The grant's id
    id: GrantId,
    /// Why, for the audit log
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    waiting: WaitArgs,
}

pub(crate) async fn run(verb: GrantVerb, session: &Session) -> Result<Report> {
    match verb {
        GrantVerb::Add(args) => add(*args, session).await,
        GrantVerb::List => list(session).await,
        GrantVerb::Show { id } => show(&id, session).await,
        GrantVerb::Revoke(args) => revoke(args, session).await,
    }
}

async fn add(args: AddArgs, session: &Session) -> Result<Report> {
    let until = args
        .until
        .map(|when| {
            when.in_future(
                session.now(),
                "--until",
                "give a later time, or a span such as 90d",
            )
        })
        .transpose()?;
    let body = AddGrant {
        effect: match args.deny {
            true => EffectText::Deny,
            false => EffectText::Allow,
        },
        user: args.user.map(String::from),
        group: args.group.map(String::from),
        account: args.account.into(),
        host: args.host.map(String::from),
        host_group: args.host_group.map(String::from),
        from: args.from,
        command: args.command,
        options: args.option,
        not_before: args.not_before.map(|when| when.from(session.now())),
        until,
        reason: args.reason,
    };
    let grant = session.client()?.add_grant(&body).await?;
    Report::confirm(&grant, format!("added grant {}", grant.id))
}

async fn list(session: &Session) -> Result<Report> {
    let client = session.client()?;
    let grants = client.grants(&session.progress("grants")).await?;
    let names = match session.json() || grants.iter().all(|grant| grant.host.is_none()) {
        true => shown::HostNames::default(),
        false => shown::HostNames::of(&client.hosts(&session.progress("hosts")).await?),
    };
    Report::new(&grants, People::List(shown::list(&grants, &names)))
}

async fn show(id: &GrantId, session: &Session) -> Result<Report> {
    let client = session.client()?;
    let grant = client.grant(id).await?;
    let names = match session.json() || grant.host.is_none() {
        true => shown::HostNames::default(),
        false => shown::HostNames::of(&client.hosts(&session.progress("hosts")).await?),
    };
    Report::new(&grant, People::Object(shown::object(&grant, &names)))
}

async fn revoke(args: RevokeArgs, session: &Session) -> Result<Report> {
    let body = Revoke {
        reason: args.reason,
    };
    let (client, waiting) = session.client_for(args.waiting.wait)?;
    let change = client
        .revoke_grant(&args.id, &body, waiting.as_ref())
        .await?;
    change.report(&format!("revoked grant {}", args.id))
}
