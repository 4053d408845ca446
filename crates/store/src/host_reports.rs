//! What hosts say happened on them: each report is an audit event of its own, and is written once, however often it is told.

use std::collections::BTreeMap;

use keyroster_keys::{AccountName, Fingerprint};
use keyroster_roster::{HostId, HostReport, ReportId, ReportKind, Revision, Timestamp};
use serde_json::json;
use sqlx::FromRow;

use crate::StoreError;
use crate::action::Action;
use crate::audit::Event;
use crate::db::{Record, statements, values};
use crate::error::Object;
use crate::read::{Reader, Row};
use crate::write::{WriteTx, Writer};

/// What became of a host's reports.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reported {
    /// All of them are written, in the order in which they came.
    Taken(Vec<TakenReport>),
    /// The host has told too many within [`REPORTS_SPAN_S`]. None of these is written: it is to come back with them.
    TooMany,
}

/// A report that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenReport {
    /// Which.
    pub id: ReportId,
    /// The revision of its audit event.
    pub revision: Revision,
    /// Whether it was told before.
    pub novelty: Novelty,
}

/// Whether a report was told before.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Novelty {
    /// It was not.
    New,
    /// It was.
    Known,
}

/// The newest report of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastReport {
    /// What was told.
    pub report: HostReport,
    /// When, by the key server's clock.
    pub received_at: Timestamp,
}

statements! {
    ADD = "insert into host_reports (host, id, kind, account, fingerprint, host_time, received_at, revision) \
        values ($1, $2, $3, $4, $5, $6, $7, $8)";
    KNOWN = "select revision as number from host_reports where host = $1 and id = $2";
    LATELY = "select count(*) as number from host_reports where host = $1 and received_at > $2";
    NEWEST = "select host, id, kind, account, fingerprint, host_time, received_at from host_reports \
        where host >= $1 and host <= $2 and revision in \
            (select max(r.revision) from host_reports r where r.host >= $1 and r.host <= $2 group by r.host, r.kind)";
}

impl Reader {
    /// The newest report of each kind, of the hosts from the first id to the last.
    pub async fn last_reports(
        &mut self,
        first: &HostId,
        last: &HostId,
    ) -> Result<BTreeMap<(HostId, ReportKind), LastReport>, StoreError> {
        let rows = self
            .tx
            .all::<ReportRow>(NEWEST, values![first, last])
            .await?;
        let keyed = rows
            .into_iter()
            .map(|(host, last)| ((host, last.report.kind), last));
        Ok(keyed.collect())
    }

    async fn number(
        &mut self,
        statement: crate::db::Statement,
        values: &[crate::db::Value<'_>],
    ) -> Result<Option<i64>, StoreError> {
        self.tx.first::<NumberRow>(statement, values).await
    }
}

impl Writer<'_> {
    /// Takes what a host reports about itself.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] and [`StoreError::Conflict`] about the host.
    pub async fn report(
        &self,
        host: &HostId,
        reports: &[HostReport],
    ) -> Result<Reported, StoreError> {
        let mut tx = self.begin().await?;
        tx.active_host(host).await?;
        let mut room = tx.room_for_reports(host).await?;
        let (mut taken, mut fresh) = (Vec::new(), 0_usize);
        for report in reports {
            let known = values![host, report.id.as_str()];
            if let Some(revision) = tx.read.number(KNOWN, known).await? {
                let row = Row::new("host_reports", report.id.as_str());
                taken.push(TakenReport {
                    id: report.id.clone(),
                    revision: row.value("revision", Revision::try_from(revision))?,
                    novelty: Novelty::Known,
                });
                continue;
            }
            if room == 0 {
                let _ = tx.unchanged().await?;
                return Ok(Reported::TooMany);
            }
            if fresh > 0 {
                tx.raise_again().await?;
            }
            (room, fresh) = (room - 1, fresh + 1);
            taken.push(self.take(&mut tx, host, report).await?);
        }
        if fresh > 0 {
            tx.commit_recorded().await?;
        } else {
            let _ = tx.unchanged().await?;
        }
        Ok(Reported::Taken(taken))
    }

    async fn take(
        &self,
        tx: &mut WriteTx,
        host: &HostId,
        report: &HostReport,
    ) -> Result<TakenReport, StoreError> {
        let (revision, key) = (tx.revision(), report.key.to_string());
        let row = values![
            host,
            report.id.as_str(),
            report.kind.as_str(),
            &report.account,
            &key,
            report.at,
            tx.now,
            revision.as_i64(),
        ];
        tx.execute(ADD, row).await?;
        let action = match report.kind {
            ReportKind::BreakGlass => Action::BreakGlassUse,
            ReportKind::Drill => Action::BreakGlassDrill,
        };
        let detail = json!({
            "account": report.account.as_str(),
            "host_time": report.at.to_string(),
            "report": report.id.as_str(),
        });
        let event = Event::new(action, &Object::Key(report.key), &detail);
        tx.record(&self.actor, event).await?;
        Ok(TakenReport {
            id: report.id.clone(),
            revision,
            novelty: Novelty::New,
        })
    }
}

impl WriteTx {
    /// How many more reports the host may tell now.
    async fn room_for_reports(&mut self, host: &HostId) -> Result<i64, StoreError> {
        let since = self.now.as_unix().saturating_sub(REPORTS_SPAN_S);
        let lately = self.read.number(LATELY, values![host, since]).await?;
        Ok(REPORTS_MAX.saturating_sub(lately.unwrap_or(0)).max(0))
    }
}

#[derive(FromRow)]
struct NumberRow {
    number: i64,
}

impl Record for NumberRow {
    const TABLE: &'static str = "host_reports";
    type Item = i64;

    fn parse(self) -> Result<i64, StoreError> {
        Ok(self.number)
    }
}

#[derive(FromRow)]
struct ReportRow {
    host: String,
    id: String,
    kind: String,
    account: String,
    fingerprint: String,
    host_time: i64,
    received_at: i64,
}

impl Record for ReportRow {
    const TABLE: &'static str = "host_reports";
    type Item = (HostId, LastReport);

    fn parse(self) -> Result<Self::Item, StoreError> {
        let row = Row::new(Self::TABLE, &self.id);
        let kinds = ReportKind::ALL.map(|kind| (kind, kind.as_str()));
        let report = HostReport {
            id: row.value("id", ReportId::parse(&self.id))?,
            kind: row.word("kind", &self.kind, &kinds)?,
            account: row.value("account", AccountName::parse(&self.account))?,
            key: row.value("fingerprint", Fingerprint::parse(&self.fingerprint))?,
            at: Timestamp::from_unix(self.host_time),
        };
        let last = LastReport {
            report,
            received_at: Timestamp::from_unix(self.received_at),
        };
        Ok((row.value("host", HostId::parse(&self.host))?, last))
    }
}

/// Reports of one host within [`REPORTS_SPAN_S`]; more are to come later.
pub const REPORTS_MAX: i64 = 60;

/// Seconds within which a host's reports are counted.
pub const REPORTS_SPAN_S: i64 = 60;
