//! Which hosts a write took something away on, and what each has confirmed since.

use std::collections::BTreeMap;

use keyroster_keys::HostName;
use keyroster_roster::{Epoch, Freshness, FreshnessMode, HostId, ModelError, Revision, Timestamp};
use sqlx::FromRow;

use crate::StoreError;
use crate::confirmations::{ASKS, Confirmation};
use crate::db::{Record, statements, values};
use crate::host_groups::MODES;
use crate::read::{Reader, Row};

/// What is known of one host about one write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostReceipt {
    /// The host.
    pub host: HostId,
    /// Its name, for people.
    pub name: HostName,
    /// When it was first heard to hold the write; `None` if it was not yet.
    pub recorded_at: Option<Timestamp>,
    /// What it holds, as far as it has said; `None` if it never said anything.
    pub confirmed: Option<Confirmation>,
    /// The laxest bound on staleness that it may go by, as long as it does not hold the write.
    pub freshness: Freshness,
}

statements! {
    HOSTS = "select h.id, h.name, w.confirmed_at as recorded_at, c.epoch, c.revision, c.confirmed_at, c.asks from write_hosts w \
        join hosts h on h.id = w.host left join host_confirmations c on c.host = w.host \
        where w.revision = $1 order by h.name, h.id";
    // The strictest of a host's groups, part by part; of the two words the stricter is the greater.
    FRESHNESS = "select m.host, cast(0 as bigint) as revision, min(g.max_staleness_s) as max_staleness_s, \
        min(g.grace_s) as grace_s, max(g.mode) as mode from write_hosts w \
        join host_group_members m on m.host = w.host join host_groups g on g.name = m.host_group \
        where w.revision = $1 group by m.host";
    PAST_FRESHNESS = "select p.host, p.revision, p.max_staleness_s, p.grace_s, p.mode from write_hosts w \
        join past_freshness p on p.host = w.host where w.revision = $1 order by p.host, p.revision";
}

impl Reader {
    /// The hosts that the write with this revision took something away on, in order of name. None for a write that took
    /// nothing away, and for one that is so long ago that every host has ended by its own bounds what it then held.
    pub async fn receipt(&mut self, revision: Revision) -> Result<Vec<HostReceipt>, StoreError> {
        let epoch = self.state().await?.epoch;
        let of_write = values![revision.as_i64()];
        let hosts = self.tx.all::<ReceiptRow>(HOSTS, of_write).await?;
        let now = self.tx.all::<FreshnessRow>(FRESHNESS, of_write).await?;
        let past = self
            .tx
            .all::<FreshnessRow>(PAST_FRESHNESS, of_write)
            .await?;
        let mut now: BTreeMap<HostId, Freshness> = now
            .into_iter()
            .map(|(host, _, freshness)| (host, freshness))
            .collect();
        let mut bounds: BTreeMap<HostId, Vec<(Revision, Freshness)>> = BTreeMap::new();
        for (host, until, freshness) in past {
            bounds.entry(host).or_default().push((until, freshness));
        }
        let receipt = |(host, name, recorded_at, confirmed): Heard| {
            let heard = confirmed.filter(|confirmed| confirmed.epoch == epoch);
            let freshness = Bounds {
                past: bounds.remove(&host).unwrap_or_default(),
                now: now.remove(&host).unwrap_or_default(),
            }
            .laxest(heard.map(|heard| heard.revision), revision);
            let row = Row::new(FreshnessRow::TABLE, "of a receipt");
            Ok(HostReceipt {
                freshness: row.value("max_staleness_s, grace_s", freshness)?,
                host,
                name,
                recorded_at,
                confirmed,
            })
        };
        hosts.into_iter().map(receipt).collect()
    }
}

/// The bounds on staleness that a host has had.
struct Bounds {
    /// Each with the revision that ended it, in order.
    past: Vec<(Revision, Freshness)>,
    now: Freshness,
}

impl Bounds {
    /// The laxest that a host may go by that has heard of this revision, or of nobody knows which, and not of the write.
    /// What came with the write or after it does not count: a host that knows of it holds the write too.
    fn laxest(self, heard: Option<Revision>, written: Revision) -> Result<Freshness, ModelError> {
        let ends = self.past.iter().map(|(until, _)| Some(*until));
        let begins = std::iter::once(None).chain(ends.clone());
        let all = self.past.iter().map(|(_, freshness)| *freshness);
        let may_be_gone_by = begins
            .zip(ends.chain([None]))
            .zip(all.chain([self.now]))
            .filter(|((begin, end), _)| {
                let is_known = begin.is_none_or(|begin| begin < written);
                let is_over = end.is_some_and(|end| heard >= Some(end));
                is_known && !is_over
            })
            .map(|(_, freshness)| freshness);
        let laxest = may_be_gone_by
            .map(Ok)
            .reduce(|one, other| laxer(one?, other?));
        laxest.unwrap_or(Ok(self.now))
    }
}

/// The laxer of two, part by part: what a host may do that goes by one of them. Each part is in its limits, as it is in one
/// of the two.
fn laxer(one: Freshness, other: Freshness) -> Result<Freshness, ModelError> {
    let mode = match (one.mode(), other.mode()) {
        (FreshnessMode::Strict, FreshnessMode::Strict) => FreshnessMode::Strict,
        _ => FreshnessMode::Grace,
    };
    let max_staleness_s = one.max_staleness_s().max(other.max_staleness_s());
    Freshness::new(max_staleness_s, one.grace_s().max(other.grace_s()), mode)
}

/// A host, and what it has said.
type Heard = (HostId, HostName, Option<Timestamp>, Option<Confirmation>);

#[derive(FromRow)]
struct ReceiptRow {
    id: String,
    name: String,
    recorded_at: Option<i64>,
    epoch: Option<i64>,
    revision: Option<i64>,
    confirmed_at: Option<i64>,
    asks: Option<String>,
}

impl Record for ReceiptRow {
    const TABLE: &'static str = "host_confirmations";
    type Item = Heard;

    fn parse(self) -> Result<Self::Item, StoreError> {
        let row = Row::new(Self::TABLE, &self.id);
        let confirmed = match (self.epoch, self.revision, self.confirmed_at, &self.asks) {
            (Some(epoch), Some(revision), Some(at), Some(asks)) => Some(Confirmation {
                epoch: row.value("epoch", Epoch::try_from(epoch))?,
                revision: row.value("revision", Revision::try_from(revision))?,
                at: Timestamp::from_unix(at),
                asks: row.word("asks", asks, &ASKS.map(|asks| (asks, asks.as_str())))?,
            }),
            _ => None,
        };
        let id = row.value("host", HostId::parse(&self.id))?;
        Ok((
            id,
            row.value("name", HostName::parse(&self.name))?,
            self.recorded_at.map(Timestamp::from_unix),
            confirmed,
        ))
    }
}

#[derive(FromRow)]
struct FreshnessRow {
    host: String,
    revision: i64,
    max_staleness_s: Option<i64>,
    grace_s: Option<i64>,
    mode: Option<String>,
}

impl Record for FreshnessRow {
    const TABLE: &'static str = "past_freshness";
    type Item = (HostId, Revision, Freshness);

    fn parse(self) -> Result<Self::Item, StoreError> {
        let row = Row::new(Self::TABLE, &self.host);
        let freshness = match (self.max_staleness_s, self.grace_s, &self.mode) {
            (None, None, None) => Freshness::default(),
            (Some(max_staleness_s), Some(grace_s), Some(mode)) => {
                let max_staleness_s =
                    row.value("max_staleness_s", u32::try_from(max_staleness_s))?;
                let grace_s = row.value("grace_s", u32::try_from(grace_s))?;
                let mode = row.word("mode", mode, &MODES.map(|mode| (mode, mode.as_str())))?;
                row.value("freshness", Freshness::new(max_staleness_s, grace_s, mode))?
            }
            _ => return Err(row.wrong("mode", &"a bound has all of its parts, or none")),
        };
        let host = row.value("host", HostId::parse(&self.host))?;
        Ok((
            host,
            row.value("revision", Revision::try_from(self.revision))?,
            freshness,
        ))
    }
}
