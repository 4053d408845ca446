//! What the host agent says of itself.
//!
//! The lines travel over the socket as `name value`; `keyroster-agent status` puts them into one JSON object of the same names
//! (see [`Report`]) or prints them for people. Without a daemon the same report is made from the state directory.

use std::path::Path;

use keyroster_keys::HostName;
use keyroster_wire::{Reason, Response};
use serde::Serialize;

use crate::core::freshness::{Age, Standing, standing};
use crate::core::knowledge::Knowledge;
use crate::core::moment::Moment;
use crate::reply;
use crate::shared::{Health, ListHealth, Shared};
use crate::spans::{from_now, span};
use crate::state::Credential;

/// Who the host is, for reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The host's id.
    pub host_id: String,
    /// Its name.
    pub host_name: String,
    /// The key server that is asked.
    pub server: String,
}

/// The report, as `--json` prints it. Fields are only ever added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// `fresh`, `within-grace`, `strictly-stale`, `past-grace`, `age-unknown`, `nothing-held`, `refused` or `not-enrolled`.
    pub state: &'static str,
    /// Whether the daemon answers on its socket.
    pub daemon: bool,
    /// This program's version.
    pub version: &'static str,
    /// The host's id.
    pub host_id: Option<String>,
    /// The host's name.
    pub host_name: Option<String>,
    /// The key server that is asked.
    pub server: Option<String>,
    /// The epoch of what is held.
    pub epoch: Option<u64>,
    /// The revision of what is held.
    pub revision: Option<u64>,
    /// Milliseconds since the key server last vouched for it.
    pub staleness_ms: Option<u64>,
    /// The bound on that for fresh answers, in seconds.
    pub max_staleness_s: Option<u32>,
    /// The bound for answers while the key server is away, in seconds.
    pub grace_s: Option<u32>,
    /// The status with which the key server refuses this host.
    pub refused: Option<u16>,
    /// Accounts into which anybody may log in.
    pub accounts: Option<usize>,
    /// The audit log's end, as the snapshot witnesses it.
    pub audit_head: Option<String>,
    /// When the host's certificate ends, in seconds since the Unix epoch.
    pub certificate_until_s: Option<i64>,
    /// How many revoked keys are known; none where nobody needs them.
    pub revoked_keys: Option<usize>,
    /// The epoch of the list of revoked keys.
    pub revoked_keys_epoch: Option<u64>,
    /// Its revision.
    pub revoked_keys_revision: Option<u64>,
    /// Milliseconds since the key server last vouched for it.
    pub revoked_keys_age_ms: Option<u64>,
    /// Why the list is out of date, or not where sshd reads it.
    pub revoked_keys_error: Option<String>,
    /// How many reports of what happened on this host the key server does not have.
    pub reports_waiting: Option<usize>,
    /// What somebody has to look at: the key server's roster went back in time.
    pub alert: Option<String>,
    /// Why the last question to the key server came to nothing.
    pub fetch_error: Option<String>,
    /// Why what is known is not on disk.
    pub disk_error: Option<String>,
    /// Why the certificate could not be renewed.
    pub renewal_error: Option<String>,
}

impl Identity {
    /// That of an enrolled host.
    #[must_use]
    pub fn new(credential: &Credential, server: Option<&str>) -> Self {
        let host = &credential.host;
        Self {
            host_id: host.host_id.clone(),
            // The name is the key server's word; what is no host name is not repeated.
            host_name: HostName::parse(&host.name)
                .map(|name| name.to_string())
                .unwrap_or_default(),
            server: server.unwrap_or(&host.server).to_owned(),
        }
    }
}

impl Report {
    /// The report of a host that is not enrolled.
    #[must_use]
    pub fn not_enrolled() -> Self {
        Self {
            state: "not-enrolled",
            daemon: false,
            version: env!("CARGO_PKG_VERSION"),
            host_id: None,
            host_name: None,
            server: None,
            epoch: None,
            revision: None,
            staleness_ms: None,
            max_staleness_s: None,
            grace_s: None,
            refused: None,
            accounts: None,
            audit_head: None,
            certificate_until_s: None,
            revoked_keys: None,
            revoked_keys_epoch: None,
            revoked_keys_revision: None,
            revoked_keys_age_ms: None,
            revoked_keys_error: None,
            reports_waiting: None,
            alert: None,
            fetch_error: None,
            disk_error: None,
            renewal_error: None,
        }
    }

    /// The report of an enrolled host.
    #[must_use]
    pub fn new(known: &Knowledge, identity: &Identity, health: &Health, now: &Moment) -> Self {
        let age = known
            .confirmed
            .map_or(Age::Unknown, |confirmed| confirmed.age(now));
        let held = known.held.as_ref();
        let rules = held.map(|held| held.freshness());
        let none = Self::not_enrolled();
        let list = health.revoked_keys.as_ref();
        Self {
            state: state(known, age),
            host_id: Some(identity.host_id.clone()),
            host_name: Some(identity.host_name.clone()),
            server: Some(identity.server.clone()),
            epoch: held.map(|held| held.tag().epoch.get()),
            revision: held.map(|held| held.tag().revision.get()),
            staleness_ms: age.as_ms(),
            max_staleness_s: rules.map(|rules| rules.max_staleness_s()),
            grace_s: rules.map(|rules| rules.grace_s()),
            refused: known.refused,
            accounts: held.map(|held| held.accounts().len()),
            audit_head: held.map(|held| held.audit_head().to_owned()),
            certificate_until_s: health.certificate_until_s,
            revoked_keys: list.map(|list| list.count),
            revoked_keys_epoch: list.and_then(|list| Some(list.tag?.epoch.get())),
            revoked_keys_revision: list.and_then(|list| Some(list.tag?.revision.get())),
            revoked_keys_age_ms: list.and_then(|list| list.age_ms(now)),
            revoked_keys_error: list.and_then(ListHealth::error),
            reports_waiting: health.reports,
            alert: health.alert.clone(),
            fetch_error: health.fetch.clone(),
            disk_error: health.disk.clone(),
            renewal_error: health.renewal.clone(),
            ..none
        }
    }
}

fn state(known: &Knowledge, age: Age) -> &'static str {
    let Some(held) = &known.held else {
        return if known.refused.is_some() {
            "refused"
        } else {
            "nothing-held"
        };
    };
    match standing(age, held.freshness()) {
        _ if known.refused.is_some() => "refused",
        Standing::Fresh => "fresh",
        Standing::WithinGrace => "within-grace",
        Standing::StrictlyStale => "strictly-stale",
        Standing::PastGrace => "past-grace",
        Standing::AgeUnknown => "age-unknown",
    }
}

/// The frame that answers a status request.
#[must_use]
pub fn frame(shared: &Shared, identity: &Identity) -> Vec<u8> {
    let health = shared.health(|health| health.clone());
    let mut report = Report::new(&shared.known(), identity, &health, &shared.now());
    report.daemon = true;
    let lines = lines(&report);
    reply::encode(&Response {
        answer: keyroster_wire::Answer::Found(lines.iter().map(String::as_str).collect()),
        epoch: report.epoch.unwrap_or(0),
        revision: report.revision.unwrap_or(0),
        staleness_ms: report.staleness_ms,
        reason: Reason::Status,
    })
}

/// The report as lines `name value`; what is not known has no line.
#[must_use]
pub fn lines(report: &Report) -> Vec<String> {
    let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(report) else {
        return Vec::new();
    };
    let line = |(name, value): (String, serde_json::Value)| match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(format!("{name} {}", one_line(&text))),
        other => Some(format!("{name} {other}")),
    };
    fields.into_iter().filter_map(line).collect()
}

/// Lines as they came over the socket, as one JSON object; numbers and truth values become such again.
#[must_use]
pub fn to_json(lines: &[&str]) -> serde_json::Value {
    let fields = lines
        .iter()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, value)| {
            let scalar = match serde_json::from_str(value) {
                Ok(scalar @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_))) => scalar,
                _ => serde_json::Value::String(value.to_owned()),
            };
            (name.to_owned(), scalar)
        });
    serde_json::Value::Object(fields.collect())
}

/// Lines as they came over the socket, with times as people read them.
#[must_use]
pub fn for_people(lines: &[String], now_s: i64) -> Vec<String> {
    lines.iter().map(|line| for_a_person(line, now_s)).collect()
}

fn for_a_person(line: &str, now_s: i64) -> String {
    let told = line.split_once(' ').and_then(|(name, value)| {
        let number: i64 = value.parse().ok()?;
        let count = number.unsigned_abs();
        Some(match name {
            "staleness_ms" => format!("confirmed {} ago", span(count / 1000)),
            "revoked_keys_age_ms" => format!("revoked_keys_confirmed {} ago", span(count / 1000)),
            "max_staleness_s" => format!("max_staleness {}", span(count)),
            "grace_s" => format!("grace {}", span(count)),
            "certificate_until_s" => format!("certificate_ends {}", from_now(number, now_s)),
            _ => return None,
        })
    });
    told.unwrap_or_else(|| line.to_owned())
}

/// Error texts come from everywhere; the protocol takes no control characters.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_VALUE_CHARS)
        .collect()
}

/// Asks the daemon. None when nobody answers.
#[must_use]
pub fn ask_daemon(socket: &Path) -> Option<Vec<String>> {
    use std::os::unix::net::UnixStream;
    let mut stream = UnixStream::connect(socket).ok()?;
    stream
        .set_read_timeout(Some(crate::socket::CONNECTION_DEADLINE))
        .ok()?;
    stream
        .set_write_timeout(Some(crate::socket::CONNECTION_DEADLINE))
        .ok()?;
    keyroster_wire::Request::Status.write_to(&mut stream).ok()?;
    let frame = Response::read_from(&mut stream).ok()?;
    match Response::decode(&frame).ok()?.answer {
        keyroster_wire::Answer::Found(lines) => {
            Some(lines.into_iter().map(str::to_owned).collect())
        }
        _ => None,
    }
}

/// Characters of one value.
const MAX_VALUE_CHARS: usize = 512;

#[cfg(test)]
mod tests;
