//! `keyroster host`: enrolled machines.

use clap::{Args, Subcommand};
use keyroster_api::enroll::{AddEnrolmentToken, MAX_TTL_S};
use keyroster_api::host::HostView;
use keyroster_api::host_report::HostReportView;
use keyroster_api::time;
use keyroster_keys::{GroupName, HostName};

use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::report::{People, Report};
use crate::session::Session;
use crate::span::{Span, moment_text, seconds_text};
use crate::table::Table;

#[derive(Debug, Subcommand)]
pub(crate) enum HostVerb {
    /// List all hosts
    List,
    /// Show a host
    Show {
        /// The host's name or id
        host: HostName,
    },
    /// Take a host out: from now on it gets no answers
    Remove {
        /// The host's name or id
        host: HostName,
    },
    /// Make a token with which one host can enrol
    EnrollToken(EnrollTokenArgs),
    /// List all enrolment tokens, used and expired ones too, without their secrets
    ListEnrollTokens,
}

#[derive(Debug, Args)]
pub(crate) struct EnrollTokenArgs {
    /// The host group that the host will be in
    #[arg(long)]
    group: GroupName,
    /// How long the token is valid: a span of an hour at most
    #[arg(long, value_name = "SPAN", default_value = "1h")]
    ttl: Span,
}

pub(crate) async fn run(verb: HostVerb, session: &Session) -> Result<Report> {
    match verb {
        HostVerb::List => list(session).await,
        HostVerb::Show { host } => show(&host, session).await,
        HostVerb::Remove { host } => remove(&host, session).await,
        HostVerb::EnrollToken(args) => enroll_token(args, session).await,
        HostVerb::ListEnrollTokens => list_enroll_tokens(session).await,
    }
}

async fn list(session: &Session) -> Result<Report> {
    let hosts = session.client()?.hosts(&session.progress("hosts")).await?;
    let mut table = Table::list(&["NAME", "HOST GROUPS", "STATE", "ENROLLED", "ASKS"]);
    for host in &hosts {
        let enrolled = time::to_rfc3339(host.enrolled_at);
        table.row([
            host.name.as_str(),
            &host.groups.join(","),
            &host.state,
            &enrolled,
            asks(host),
        ]);
    }
    Report::new(&hosts, People::List(table))
}

async fn show(name: &HostName, session: &Session) -> Result<Report> {
    let host = session.client()?.host(name).await?;
    let mut table = Table::object();
    table
        .row(["name", &host.name])
        .row(["id", &host.id])
        .row(["host groups", &host.groups.join(",")])
        .row(["state", &host.state])
        .row(["enrolled", &time::to_rfc3339(host.enrolled_at)])
        .row(["asks", asks(&host)])
        .row(["last answered", &moment_text(host.answered_at)])
        .row(["break-glass used", &report(host.last_break_glass.as_ref())])
        .row(["break-glass tried", &report(host.last_drill.as_ref())]);
    Report::new(&host, People::Object(table))
}

/// Who came in, when by the host's clock, and when the key server was told.
fn report(last: Option<&HostReportView>) -> String {
    let Some(last) = last else {
        return "-".to_owned();
    };
    let (at, received_at) = (
        time::to_rfc3339(last.at),
        time::to_rfc3339(last.received_at),
    );
    format!(
        "{at}, told {received_at}: {} with {}",
        last.account, last.fingerprint
    )
}

/// How a host comes to its answers.
fn asks(host: &HostView) -> &str {
    match host.asks.as_deref() {
        Some("daemon") => "as daemon",
        Some("each-login") => "at each login",
        Some(other) => other,
        None => "-",
    }
}

async fn remove(host: &HostName, session: &Session) -> Result<Report> {
    let written = session.client()?.remove_host(host).await?;
    Report::written(&written, format!("removed host \"{host}\""))
}

async fn enroll_token(args: EnrollTokenArgs, session: &Session) -> Result<Report> {
    if args.ttl.seconds() > MAX_TTL_S {
        let what = format!("an enrolment token can't be valid for {}", args.ttl);
        let hint = format!("give --ttl {} or less", seconds_text(MAX_TTL_S));
        return Err(Failure::new(Exit::Usage, what).hint(hint));
    }
    let body = AddEnrolmentToken {
        host_group: args.group.to_string(),
        ttl_s: Some(args.ttl.seconds()),
    };
    let new = session.client()?.add_enrolment_token(&body).await?;
    let until = time::to_rfc3339(new.expires_at);
    let report = Report::secret(&new, &new.token)?;
    Ok(report.note(format!(
        "it enrols one host into host group \"{}\" until {until}: keyroster-agent enroll",
        args.group
    )))
}

async fn list_enroll_tokens(session: &Session) -> Result<Report> {
    let client = session.client()?;
    let tokens = client
        .enrolment_tokens(&session.progress("enrolment tokens"))
        .await?;
    let mut table = Table::list(&["ID", "HOST GROUP", "MADE BY", "EXPIRES", "USED", "HOST ID"]);
    for token in &tokens {
        table.row([
            token.id.as_str(),
            &token.host_group,
            &token.created_by,
            &time::to_rfc3339(token.expires_at),
            &moment_text(token.used_at),
            token.used_by.as_deref().unwrap_or("-"),
        ]);
    }
    Report::new(&tokens, People::List(table))
}
