//! What Prometheus is told.
//!
//! The recorder belongs to the application and not to the process, so that two servers in one test do not count for each
//! other. Counters and gauges only: latencies are the business of whoever measures from outside, where queues count too.

use axum::http::{Method, StatusCode};
use keyroster_roster::ReportKind;
use metrics::{Counter, Gauge, Key, Label, Level, Metadata, Recorder as _};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::roster_state::RosterState;
use crate::waiting::{End, Waiting};

/// The application's counters.
pub struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    /// Snapshot requests that were answered from memory.
    pub from_memory: Counter,
    /// Snapshot requests for which the roster was read, with the result that nothing changed for the host.
    pub unchanged: Counter,
    /// Snapshot requests for which a snapshot was signed.
    pub rendered: Counter,
    /// Snapshot requests that were answered with what changed.
    pub updates: Counter,
    /// Accounts that were rendered.
    pub accounts: Counter,
    waits: Waits,
    listening: Waits,
    /// Lists of revoked keys that were signed.
    pub lists_signed: Counter,
    /// Credentials that were refused.
    pub refused_credentials: Counter,
    /// Signs that the roster went back without a restore.
    pub went_back: Counter,
    reports: [Counter; ReportKind::ALL.len()],
    /// Whether the revocation journal can't be written.
    pub journal_behind: Gauge,
    /// Days until the CA in force ends.
    pub ca_days_left: Gauge,
}

/// Counters of waits, by what ended them.
struct Waits {
    change: Counter,
    time: Counter,
    stop: Counter,
}

impl Metrics {
    /// Counters at zero.
    #[must_use]
    pub fn new() -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        for (name, help) in HELP {
            let describe = if name.ends_with("_total") {
                PrometheusRecorder::describe_counter
            } else {
                PrometheusRecorder::describe_gauge
            };
            describe(&recorder, name.into(), None, help.into());
        }
        let snapshots = |from: &'static str| {
            let key = Key::from_parts(SNAPSHOTS, vec![Label::from_static_parts("from", from)]);
            recorder.register_counter(&key, &METADATA)
        };
        Self {
            from_memory: snapshots("memory"),
            unchanged: snapshots("unchanged"),
            rendered: snapshots("rendered"),
            updates: snapshots("changes"),
            accounts: recorder.register_counter(&Key::from_name(ACCOUNTS), &METADATA),
            waits: Waits::new(&recorder, WAITS),
            listening: Waits::new(&recorder, LIST_WAITS),
            reports: ReportKind::ALL.map(|kind| {
                let kind = Label::from_static_parts("kind", kind.as_str());
                recorder.register_counter(&Key::from_parts(REPORTS, vec![kind]), &METADATA)
            }),
            lists_signed: recorder.register_counter(&Key::from_name(LISTS), &METADATA),
            went_back: recorder.register_counter(&Key::from_name(WENT_BACK), &METADATA),
            journal_behind: recorder.register_gauge(&Key::from_name(JOURNAL_BEHIND), &METADATA),
            ca_days_left: recorder.register_gauge(&Key::from_name(CA_DAYS_LEFT), &METADATA),
            refused_credentials: recorder.register_counter(&Key::from_name(REFUSED), &METADATA),
            handle,
            recorder,
        }
    }

    /// Counts a request.
    pub fn request(&self, method: &Method, route: &str, status: StatusCode) {
        let labels = vec![
            Label::new("method", method_word(method)),
            Label::new("route", route.to_owned()),
            Label::from_static_parts("status", class_of(status)),
        ];
        self.recorder
            .register_counter(&Key::from_parts(REQUESTS, labels), &METADATA)
            .increment(1);
    }

    /// Counts a host's wait for a change.
    pub fn waited(&self, end: End) {
        self.waits.count(end);
    }

    /// Counts a host's wait for a change of the list of revoked keys.
    pub fn listened(&self, end: End) {
        self.listening.count(end);
    }

    /// Counts a host's report.
    pub fn reported(&self, kind: ReportKind) {
        let [uses, drills] = &self.reports;
        let counter = match kind {
            ReportKind::BreakGlass => uses,
            ReportKind::Drill => drills,
        };
        counter.increment(1);
    }

    /// The text that Prometheus reads.
    #[must_use]
    pub fn render(&self, roster: &RosterState, waiting: &Waiting, listening: &Waiting) -> String {
        let gauge = |name: &'static str, value: f64| {
            self.recorder
                .register_gauge(&Key::from_static_name(name), &METADATA)
                .set(value);
        };
        let tag = roster.last();
        #[expect(
            clippy::cast_precision_loss,
            reason = "a gauge is a float; 2^53 revisions are out of reach"
        )]
        let (epoch, revision, waiters, listeners) = (
            tag.epoch.get() as f64,
            tag.revision.get() as f64,
            waiting.count() as f64,
            listening.count() as f64,
        );
        gauge(EPOCH, epoch);
        gauge(REVISION, revision);
        gauge(WAITING, waiters);
        gauge(LISTENING, listeners);
        gauge(AGE, roster.age().as_secs_f64());
        self.handle.render()
    }
}

impl Waits {
    fn new(recorder: &PrometheusRecorder, name: &'static str) -> Self {
        let counter = |end: &'static str| {
            let key = Key::from_parts(name, vec![Label::from_static_parts("end", end)]);
            recorder.register_counter(&key, &METADATA)
        };
        Self {
            change: counter("change"),
            time: counter("time"),
            stop: counter("stop"),
        }
    }

    fn count(&self, end: End) {
        let counter = match end {
            End::Change => &self.change,
            End::Time => &self.time,
            End::Stop => &self.stop,
        };
        counter.increment(1);
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Metrics")
    }
}

/// A method's name, as long as it is one that we serve: a client may send any word for one.
fn method_word(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "HEAD" => "HEAD",
        _ => "other",
    }
}

fn class_of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

const REQUESTS: &str = "keyroster_http_requests_total";
const SNAPSHOTS: &str = "keyroster_snapshot_answers_total";
const WAITS: &str = "keyroster_snapshot_waits_total";
const WAITING: &str = "keyroster_hosts_waiting";
const REPORTS: &str = "keyroster_host_reports_total";
const LISTS: &str = "keyroster_revoked_keys_signed_total";
const LIST_WAITS: &str = "keyroster_revoked_keys_waits_total";
const LISTENING: &str = "keyroster_revoked_keys_waiting";
const REFUSED: &str = "keyroster_credentials_refused_total";
const EPOCH: &str = "keyroster_roster_epoch";
const REVISION: &str = "keyroster_roster_revision";
const AGE: &str = "keyroster_database_check_age_seconds";
const WENT_BACK: &str = "keyroster_roster_went_back_total";
const JOURNAL_BEHIND: &str = "keyroster_revocation_journal_behind";
const ACCOUNTS: &str = "keyroster_accounts_rendered_total";
const CA_DAYS_LEFT: &str = "keyroster_ca_days_left";
const HELP: [(&str, &str); 16] = [
    (REQUESTS, "Requests by method, route and class of status"),
    (SNAPSHOTS, "Snapshot requests by where the answer came from"),
    (
        ACCOUNTS,
        "Accounts that were rendered for hosts, after a change or because none was kept",
    ),
    (
        REFUSED,
        "Bearer tokens, client certificates and enrolment tokens that were refused",
    ),
    (
        WAITS,
        "Hosts' waits for a change, by what ended them: a change, the time, the stop of the server",
    ),
    (WAITING, "Requests of hosts that wait for a change now"),
    (
        REPORTS,
        "What hosts told of themselves, by kind: uses of break-glass keys, and drills",
    ),
    (LISTS, "Lists of revoked keys that were signed"),
    (
        LIST_WAITS,
        "Hosts' waits for a change of the list of revoked keys, by what ended them",
    ),
    (
        LISTENING,
        "Requests of hosts that wait for a change of the list of revoked keys now",
    ),
    (
        WENT_BACK,
        "Requests of hosts that know of more than the roster: it was put back without `keyroster-server restore`",
    ),
    (
        JOURNAL_BEHIND,
        "1 while the revocation journal can't be written",
    ),
    (CA_DAYS_LEFT, "Days until the CA in force ends"),
    (EPOCH, "Epoch of the roster"),
    (REVISION, "Revision of the roster"),
    (
        AGE,
        "Seconds since the database was last asked for the revision with success",
    ),
];
const METADATA: Metadata<'static> = Metadata::new("keyroster_server", Level::INFO, None);
