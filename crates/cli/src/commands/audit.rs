//! `keyroster audit`: what was changed, when and by whom, and whether the log of it is whole.
//!
//! Verification happens here and not on the key server: every hash is computed again from the event's own fields, so that the
//! answer does not depend on the word of whom it is about.

use std::collections::VecDeque;

use clap::{Args, Subcommand};
use keyroster_api::audit::{AuditHead, ChainCheck, EventView, Link, chain_check};
use keyroster_api::{Timestamp, time};
use serde::Serialize;

use crate::client::Client;
use crate::failure::Result;
use crate::progress::Progress;
use crate::report::{People, Report};
use crate::session::Session;
use crate::span::{When, moment_text};
use crate::table::Table;
use crate::text::printable;
use crate::wait::{Followed, WaitArgs, is_confirmed, still_out};

#[derive(Debug, Subcommand)]
pub(crate) enum AuditVerb {
    /// Show the newest events, the newest last
    Log(LogArgs),
    /// Show which hosts have confirmed a change, and when
    Receipt(ReceiptArgs),
    /// Check that no event was changed, removed or put in
    Verify,
}

#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// Only events from then on: an RFC 3339 time, or a span back from now
    #[arg(long, value_name = "WHEN")]
    since: Option<When>,
    /// How many events at most
    #[arg(long, value_name = "COUNT", default_value = "100", value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

#[derive(Debug, Args)]
pub(crate) struct ReceiptArgs {
    /// The revision that the change made, as the change itself or `audit log --json` tells it
    revision: u64,
    #[command(flatten)]
    waiting: WaitArgs,
}

pub(crate) async fn run(verb: AuditVerb, session: &Session) -> Result<Report> {
    match verb {
        AuditVerb::Log(args) => log(&args, session).await,
        AuditVerb::Receipt(args) => receipt(&args, session).await,
        AuditVerb::Verify => verify(session).await,
    }
}

async fn log(args: &LogArgs, session: &Session) -> Result<Report> {
    let since = args.since.map(|when| when.ago(session.now()));
    let newest = newest(
        &session.client()?,
        since,
        args.limit,
        &session.progress("events"),
    )
    .await?;
    let mut table = Table::list(&["EVENT", "AT", "ACTOR", "ACTION", "OBJECT", "DETAIL"]);
    for event in &newest {
        table.row([
            event.sequence.to_string().as_str(),
            &time::to_rfc3339(event.at),
            &event.actor,
            &event.action,
            &event.object,
            &event.detail,
        ]);
    }
    Report::new(&newest, People::List(table))
}

async fn receipt(args: &ReceiptArgs, session: &Session) -> Result<Report> {
    let (client, waiting) = session.client_for(args.waiting.wait)?;
    let Followed { receipt, note } = client.receipt(args.revision, waiting.as_ref()).await?;
    let mut confirmed = Table::list(&["CONFIRMED HOST", "AT"]);
    for host in &receipt.confirmed {
        confirmed.row([host.name.as_str(), &moment_text(host.confirmed_at)]);
    }
    let text = match receipt.confirmed.is_empty() && is_confirmed(&receipt) {
        true => format!("revision {} concerns no host\n", receipt.revision),
        false => confirmed.render(false),
    };
    let tables = still_out(&receipt).into();
    let report = Report::new(&receipt, People::Receipt(text, tables))?.notes_from(note);
    Ok(match is_confirmed(&receipt) {
        true => report,
        false => report.pending(),
    })
}

async fn newest(
    client: &Client,
    since: Option<Timestamp>,
    limit: u32,
    progress: &Progress,
) -> Result<VecDeque<EventView>> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut newest = VecDeque::new();
    let mut pages = client.audit_events();
    while let Some(page) = pages.next(client).await? {
        progress.advance(page.len());
        newest.extend(
            page.into_iter()
                .filter(|event| since.is_none_or(|since| event.at >= since)),
        );
        let surplus = newest.len().saturating_sub(limit);
        newest.drain(..surplus);
    }
    Ok(newest)
}

/// What a verification found: the JSON of `audit verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Verified {
    /// Whether every event is as it was hashed and none is missing.
    sound: bool,
    /// Events that hold, from the first on.
    events: u64,
    /// The hash of the last one that holds.
    head: String,
    /// What does not hold; null when all does.
    fault: Option<String>,
}

async fn verify(session: &Session) -> Result<Report> {
    let client = session.client()?;
    // The head first: events that are written meanwhile make the chain longer, never shorter.
    let head = client.audit_head().await?;
    let progress = session.progress("events verified");
    let mut check = Verification::new(head);
    let mut pages = client.audit_events();
    while let Some(page) = pages.next(&client).await? {
        progress.advance(page.len());
        if page
            .iter()
            .any(|event| check.next(event) == Holding::Broken)
        {
            break;
        }
    }
    drop(progress);
    report(&check.end())
}

fn report(verified: &Verified) -> Result<Report> {
    match &verified.fault {
        None => {
            let sentence = format!(
                "the audit log is sound: {} events, head {}",
                verified.events, verified.head
            );
            Report::confirm(verified, sentence)
        }
        Some(fault) => {
            let text = format!("the audit log is not sound: {}\n", printable(fault));
            let report = Report::new(verified, People::Text(text))?;
            Ok(report.unsound())
        }
    }
}

/// The chain so far, and the head that it must pass through.
struct Verification {
    chain: ChainCheck,
    promised: AuditHead,
    reached: bool,
    fault: Option<String>,
}

#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holding {
    Holds,
    Broken,
}

impl Verification {
    fn new(promised: AuditHead) -> Self {
        let mut new = Self {
            chain: chain_check(),
            promised,
            reached: false,
            fault: None,
        };
        new.pass();
        new
    }

    fn next(&mut self, event: &EventView) -> Holding {
        let link = match event.to_event() {
            Ok(event) => self.chain.next(&event),
            Err(_) => Link::Changed,
        };
        let at = event.sequence;
        self.fault = match link {
            Link::Holds => None,
            Link::OutOfPlace { expected } => {
                Some(format!("event {at} stands where event {expected} should"))
            }
            Link::Unlinked => Some(format!("event {at} does not continue the event before it")),
            Link::Changed => Some(format!("event {at} is not what it was when it was written")),
        };
        self.pass();
        match self.fault {
            None => Holding::Holds,
            Some(_) => Holding::Broken,
        }
    }

    /// Notes whether the chain goes through the head that the key server named.
    fn pass(&mut self) {
        let head = self.chain.head();
        self.reached |=
            head.sequence == self.promised.sequence && head.hash.to_string() == self.promised.hash;
    }

    fn end(self) -> Verified {
        let head = self.chain.head();
        let missing = || {
            let promised = self.promised.sequence;
            format!("it does not lead to the head that the key server named, event {promised}")
        };
        let fault = match (self.fault, self.reached) {
            (Some(fault), _) => Some(fault),
            (None, true) => None,
            (None, false) => Some(missing()),
        };
        Verified {
            sound: fault.is_none(),
            events: head.sequence,
            head: head.hash.to_string(),
            fault,
        }
    }
}
