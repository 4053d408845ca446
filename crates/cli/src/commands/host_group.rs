//! `keyroster host-group`: named sets of hosts, with how stale their answers may be.

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use keyroster_api::freshness::{ChangeFreshness, FreshnessBody, ModeText};
use keyroster_api::host_group::{AddHostGroup, ChangeHostGroup, HostGroupView};
use keyroster_keys::{GroupName, HostName};

use crate::failure::Result;
use crate::report::{People, Report};
use crate::session::Session;
use crate::span::{Span, seconds_text};
use crate::table::Table;
use crate::wait::WaitArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum HostGroupVerb {
    /// Add a host group without hosts
    Add(AddArgs),
    /// List all host groups
    List,
    /// Show a host group and its hosts
    Show {
        /// The host group
        name: GroupName,
    },
    /// Change the rules of a host group
    Set(SetArgs),
    /// Remove a host group and its grants; refused while one of them keeps somebody out
    Remove {
        /// The host group
        name: GroupName,
    },
    /// Put a host into a host group
    AddHost(HostArgs),
    /// Take a host out of a host group
    RemoveHost(HostArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// The host group's name: `a-z 0-9 . _ -`, beginning with a letter or digit
    name: GroupName,
    /// How old a confirmation may be that answers without asking again
    #[arg(long, value_name = "SPAN", default_value = "30s")]
    max_staleness: Span,
    /// How long stale answers may serve while the key server is out of reach
    #[arg(long, value_name = "SPAN", default_value = "1h")]
    grace: Span,
    /// Answer nothing once stale, whatever the grace
    #[arg(long)]
    strict: bool,
    /// When a key is revoked, end the sessions on these hosts that were opened with it
    #[arg(long)]
    end_sessions: bool,
}

/// At least one of the changes.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("change").args(["max_staleness", "grace", "mode", "end_sessions"]).required(true).multiple(true))]
pub(crate) struct SetArgs {
    /// The host group
    name: GroupName,
    /// How old a confirmation may be that answers without asking again
    #[arg(long, value_name = "SPAN")]
    max_staleness: Option<Span>,
    /// How long stale answers may serve while the key server is out of reach
    #[arg(long, value_name = "SPAN")]
    grace: Option<Span>,
    /// What happens to answers once they are stale
    #[arg(long)]
    mode: Option<Mode>,
    /// Whether sessions on these hosts end when the key is revoked that they were opened with
    #[arg(long, value_name = "YES OR NO")]
    end_sessions: Option<Answer>,
    #[command(flatten)]
    waiting: WaitArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Answer {
    /// They do
    Yes,
    /// They stay
    No,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Mode {
    /// They serve until grace has passed
    Grace,
    /// They serve no longer
    Strict,
}

#[derive(Debug, Args)]
pub(crate) struct HostArgs {
    /// The host group
    group: GroupName,
    /// The host's name or id
    host: HostName,
}

pub(crate) async fn run(verb: HostGroupVerb, session: &Session) -> Result<Report> {
    match verb {
        HostGroupVerb::Add(args) => add(args, session).await,
        HostGroupVerb::List => list(session).await,
        HostGroupVerb::Show { name } => show(&name, session).await,
        HostGroupVerb::Set(args) => set(args, session).await,
        HostGroupVerb::Remove { name } => remove(&name, session).await,
        HostGroupVerb::AddHost(args) => add_host(&args, session).await,
        HostGroupVerb::RemoveHost(args) => remove_host(&args, session).await,
    }
}

async fn add(args: AddArgs, session: &Session) -> Result<Report> {
    let freshness = FreshnessBody {
        max_staleness_s: args.max_staleness.seconds(),
        grace_s: args.grace.seconds(),
        mode: match args.strict {
            true => ModeText::Strict,
            false => ModeText::Grace,
        },
    };
    let body = AddHostGroup {
        name: args.name.into(),
        freshness: Some(freshness),
        end_sessions: args.end_sessions,
    };
    let group = session.client()?.add_host_group(&body).await?;
    Report::confirm(&group, format!("added host group \"{}\"", group.name))
}

async fn list(session: &Session) -> Result<Report> {
    let groups = session
        .client()?
        .host_groups(&session.progress("host groups"))
        .await?;
    let mut table = Table::list(&[
        "NAME",
        "HOSTS",
        "MAX STALENESS",
        "GRACE",
        "MODE",
        "END SESSIONS",
    ]);
    for group in &groups {
        table.row([
            group.name.as_str(),
            &group.hosts.len().to_string(),
            &seconds_text(group.freshness.max_staleness_s),
            &seconds_text(group.freshness.grace_s),
            mode(group),
            end_sessions(group),
        ]);
    }
    Report::new(&groups, People::List(table))
}

async fn show(name: &GroupName, session: &Session) -> Result<Report> {
    let group = session.client()?.host_group(name).await?;
    let mut table = Table::object();
    table
        .row(["name", &group.name])
        .row([
            "max staleness",
            &seconds_text(group.freshness.max_staleness_s),
        ])
        .row(["grace", &seconds_text(group.freshness.grace_s)])
        .row(["mode", mode(&group)])
        .row(["end sessions", end_sessions(&group)]);
    for host in &group.hosts {
        table.row(["host", host]);
    }
    Report::new(&group, People::Object(table))
}

async fn set(args: SetArgs, session: &Session) -> Result<Report> {
    let freshness = ChangeFreshness {
        max_staleness_s: args.max_staleness.map(Span::seconds),
        grace_s: args.grace.map(Span::seconds),
        mode: args.mode.map(|mode| match mode {
            Mode::Grace => ModeText::Grace,
            Mode::Strict => ModeText::Strict,
        }),
    };
    let body = ChangeHostGroup {
        freshness,
        end_sessions: args.end_sessions.map(|answer| answer == Answer::Yes),
    };
    let (client, waiting) = session.client_for(args.waiting.wait)?;
    let change = client
        .change_host_group(&args.name, &body, waiting.as_ref())
        .await?;
    change.report(&format!("changed host group \"{}\"", args.name))
}

async fn remove(name: &GroupName, session: &Session) -> Result<Report> {
    let written = session.client()?.remove_host_group(name).await?;
    Report::written(&written, format!("removed host group \"{name}\""))
}

async fn add_host(args: &HostArgs, session: &Session) -> Result<Report> {
    let written = session.client()?.add_host(&args.group, &args.host).await?;
    Report::written(
        &written,
        format!(
            "put host \"{}\" into host group \"{}\"",
            args.host, args.group
        ),
    )
}

async fn remove_host(args: &HostArgs, session: &Session) -> Result<Report> {
    let written = session
        .client()?
        .take_host_out(&args.group, &args.host)
        .await?;
    Report::written(
        &written,
        format!(
            "took host \"{}\" out of host group \"{}\"",
            args.host, args.group
        ),
    )
}

const fn mode(group: &HostGroupView) -> &'static str {
    match group.freshness.mode {
        ModeText::Grace => "grace",
        ModeText::Strict => "strict",
    }
}

const fn end_sessions(group: &HostGroupView) -> &'static str {
    if group.end_sessions { "yes" } else { "no" }
}
