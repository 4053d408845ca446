//! Waiting until the hosts concerned have confirmed a change: the option `--wait`, and the receipt that comes of it.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use keyroster_api::receipt::{MAX_TIMEOUT_S, PendingHost, Receipt, Written};
use tokio::time::Instant;

use crate::failure::Result;
use crate::progress::{Audience, HostsProgress};
use crate::report::{People, Report};
use crate::span::{Span, SpanError, moment_text};
use crate::table::Table;

/// The option of every command that takes something away.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct WaitArgs {
    /// Wait for every host concerned to confirm it: 30s, or as long as given
    #[arg(
        long,
        value_name = "SPAN",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = DEFAULT_PATIENCE
    )]
    pub(crate) wait: Option<Patience>,
}

/// How long a receipt is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience(Span);

/// Why a span is none that can be waited for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PatienceError {
    #[error(transparent)]
    Span(#[from] SpanError),
    #[error("a receipt can't be waited for longer than {MAX_TIMEOUT_S}s")]
    TooLong,
}

/// What the key server answers to a change that can be waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// It was made; nobody waited.
    Written(Written),
    /// It was made, and this is who holds it.
    Confirmed(Followed),
}

/// A receipt at the end of a wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Followed {
    /// As it was when it was last heard.
    pub(crate) receipt: Receipt,
    /// Why it may say less than it could.
    pub(crate) note: Option<String>,
}

/// A wait that goes on.
#[derive(Debug)]
pub(crate) struct Waiting {
    patience: Patience,
    progress: HostsProgress,
}

impl FromStr for Patience {
    type Err = PatienceError;

    fn from_str(text: &str) -> std::result::Result<Self, PatienceError> {
        let span: Span = text.parse()?;
        match span.seconds() <= MAX_TIMEOUT_S {
            true => Ok(Self(span)),
            false => Err(PatienceError::TooLong),
        }
    }
}

impl Patience {
    /// Whole seconds, as the key server takes them.
    pub(crate) const fn seconds(self) -> u32 {
        self.0.seconds()
    }
}

impl Waiting {
    /// Begins.
    pub(crate) fn new(patience: Patience, audience: Audience) -> Self {
        Self {
            patience,
            progress: HostsProgress::begin(audience),
        }
    }

    /// How long.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.patience.seconds().into())
    }

    /// Shows how far it is.
    pub(crate) fn show(&self, receipt: &Receipt, now: Instant) {
        let confirmed = receipt.confirmed.len();
        self.progress
            .show(confirmed, confirmed + receipt.pending.len(), now);
    }
}

impl From<Receipt> for Followed {
    fn from(receipt: Receipt) -> Self {
        let note = None;
        Self { receipt, note }
    }
}

impl Change {
    /// The report of it, which begins with this sentence.
    pub(crate) fn report(&self, sentence: &str) -> Result<Report> {
        match self {
            Self::Written(written) => Report::written(written, sentence),
            Self::Confirmed(followed) => {
                let report = receipt_report(&followed.receipt, sentence)?;
                Ok(report.notes_from(followed.note.clone()))
            }
        }
    }
}

fn receipt_report(receipt: &Receipt, sentence: &str) -> Result<Report> {
    let lines = format!(
        "{sentence} at revision {}\n{}\n",
        receipt.revision,
        confirmed_text(receipt)
    );
    let report = Report::new(receipt, People::Receipt(lines, still_out(receipt).into()))?;
    Ok(match is_confirmed(receipt) {
        true => report,
        false => report.pending(),
    })
}

/// Whether every host that a change concerns holds it.
pub(crate) fn is_confirmed(receipt: &Receipt) -> bool {
    receipt.pending.is_empty() && receipt.each_login.is_empty()
}

/// Whether nobody is left to wait for: hosts that ask at each login are not.
pub(crate) fn is_settled(receipt: &Receipt) -> bool {
    receipt.pending.is_empty()
}

/// Those that have not confirmed: who will, and who asks when somebody logs in.
pub(crate) fn still_out(receipt: &Receipt) -> [Table; 2] {
    let groups = [
        (["PENDING HOST", "ENDS BY"], &receipt.pending),
        (
            ["ASKS AT EACH LOGIN", "OUT OF REACH, ENDS BY"],
            &receipt.each_login,
        ),
    ];
    groups.map(|(header, hosts)| {
        let mut table = Table::list(&header);
        for host in hosts {
            table.row([host.name.as_str(), &ends_by_text(host)]);
        }
        table
    })
}

fn confirmed_text(receipt: &Receipt) -> String {
    let hosts = |count: usize| match count {
        1 => String::from("1 host"),
        count => format!("{count} hosts"),
    };
    let all = receipt.confirmed.len() + receipt.pending.len() + receipt.each_login.len();
    let Receipt {
        p50_ms: Some(p50),
        p99_ms: Some(p99),
        max_ms: Some(max),
        ..
    } = receipt
    else {
        return match all {
            0 => String::from("it concerns no host"),
            all => format!("confirmed by none of {}", hosts(all)),
        };
    };
    let who = match receipt.confirmed.len() == all {
        true => hosts(all),
        false => format!("{} of {}", receipt.confirmed.len(), hosts(all)),
    };
    format!("confirmed by {who}: p50 {p50} ms, p99 {p99} ms, max {max} ms")
}

fn ends_by_text(host: &PendingHost) -> String {
    match host.ends_by {
        None => String::from("unknown"),
        moment => moment_text(moment),
    }
}

/// What `--wait` alone means; the key server's own default.
const DEFAULT_PATIENCE: &str = "30s";

#[cfg(test)]
mod tests {
    use keyroster_api::receipt::{ConfirmedHost, DEFAULT_TIMEOUT_S};

    use super::*;
    use crate::report::Outcome;

    fn receipt(confirmed: &[u64], pending: &[&str]) -> Receipt {
        let confirmed = confirmed.iter().map(|after_ms| ConfirmedHost {
            host: String::from("id"),
            name: format!("web-{after_ms}"),
            after_ms: *after_ms,
            confirmed_at: None,
        });
        let pending = pending.iter().map(|name| PendingHost {
            host: String::from("id"),
            name: (*name).to_owned(),
            ends_by: None,
        });
        Receipt::new(7, confirmed.collect(), pending.collect(), Vec::new())
    }

    fn report(receipt: Receipt) -> Report {
        Change::Confirmed(receipt.into())
            .report("revoked it")
            .unwrap()
    }

    #[test]
    fn to_wait_without_a_span_is_what_the_key_server_would_do() {
        let patience: Patience = DEFAULT_PATIENCE.parse().unwrap();
        assert_eq!(patience.seconds(), DEFAULT_TIMEOUT_S);
    }

    #[test]
    fn a_wait_ends_within_two_minutes() {
        assert_eq!("2m".parse::<Patience>().map(Patience::seconds), Ok(120));
        assert_eq!(
            "121s".parse::<Patience>().unwrap_err(),
            PatienceError::TooLong
        );
        assert_eq!(
            "0s".parse::<Patience>().unwrap_err(),
            PatienceError::Span(SpanError::Zero)
        );
    }

    #[test]
    fn a_receipt_says_how_many_confirmed_and_how_quickly() {
        let text = |receipt| report(receipt).text(false, false);
        assert_eq!(
            text(receipt(&[3, 5, 9], &[])),
            "revoked it at revision 7\nconfirmed by 3 hosts: p50 5 ms, p99 9 ms, max 9 ms\n"
        );
        assert_eq!(
            text(receipt(&[], &[])),
            "revoked it at revision 7\nit concerns no host\n"
        );
        assert_eq!(
            text(receipt(&[3], &["db-1"])),
            "revoked it at revision 7\nconfirmed by 1 of 2 hosts: p50 3 ms, p99 3 ms, max 3 ms\n\
             PENDING HOST  ENDS BY\ndb-1          unknown\n"
        );
    }

    #[test]
    fn a_host_without_the_daemon_stands_apart_and_has_not_confirmed() {
        let mut receipt = receipt(&[3], &["db-1"]);
        receipt.each_login = receipt.pending.clone();
        receipt.each_login[0].name = String::from("edge-1");
        receipt.each_login[0].ends_by = Some(keyroster_api::Timestamp::from_unix(1_795_250_096));
        assert_eq!(
            report(receipt.clone()).text(false, false),
            "revoked it at revision 7\nconfirmed by 1 of 3 hosts: p50 3 ms, p99 3 ms, max 3 ms\n\
             PENDING HOST  ENDS BY\ndb-1          unknown\n\
             ASKS AT EACH LOGIN  OUT OF REACH, ENDS BY\nedge-1              2026-11-21T08:34:56Z\n"
        );
        assert_eq!(report(receipt.clone()).text(true, false), "db-1\nedge-1\n");
        receipt.pending.clear();
        assert_eq!(report(receipt).outcome(), Outcome::Pending);
    }

    #[test]
    fn whoever_is_pending_makes_the_outcome_one_to_try_again() {
        assert_eq!(report(receipt(&[3], &[])).outcome(), Outcome::Done);
        assert_eq!(report(receipt(&[3], &["db-1"])).outcome(), Outcome::Pending);
    }

    #[test]
    fn quiet_leaves_the_hosts_that_are_pending() {
        assert_eq!(report(receipt(&[3], &[])).text(true, false), "");
        assert_eq!(report(receipt(&[3], &["db-1"])).text(true, false), "db-1\n");
    }
}
