//! What hosts have confirmed: the newest state of the roster that each holds, when it was last heard, and how it asked.
//!
//! With it goes the record of when a host first held each write that took something away on it. A confirmation is a host's report about itself, not a change of the roster: it raises no revision and is no audit event.
//! Reports come in by the thousand, from several key servers and in any order, so they are written in batches, and none
//! ever takes back what a later one said.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use keyroster_roster::{
    Asks, Epoch, HostId, MAX_GRACE_S, MAX_MAX_STALENESS_S, Revision, Timestamp,
};

use sqlx::FromRow;

use crate::StoreError;
use crate::db::{Record, Value, statements, values};
use crate::read::{Reader, Row};
use crate::store::Store;

/// A state of the roster that a host holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmation {
    /// The epoch of what the host holds, compared first.
    pub epoch: Epoch,
    /// The revision of what the host holds.
    pub revision: Revision,
    /// The last moment at which a key server answered the host: its bounds on staleness count from no later one.
    pub at: Timestamp,
    /// How the host asked then.
    pub asks: Asks,
}

/// The rows of a report, from the numbers of their placeholders; the first one tells PostgreSQL the types.
macro_rules! rows {
    ($($host:literal $epoch:literal $revision:literal $at:literal $asks:literal),+) => {
        concat!(
            "values (cast($1 as text), cast($2 as bigint), cast($3 as bigint), cast($4 as bigint), cast($5 as text))",
            $(", ($", $host, ", $", $epoch, ", $", $revision, ", $", $at, ", $", $asks, ")"),+
        )
    };
}

/// A statement about a batch of reports. Rows that a batch leaves empty find no host.
macro_rules! with_reported {
    ($($statement:expr),+ $(,)?) => {
        concat!(
            "with reported (host, epoch, revision, confirmed_at, asks) as (",
            rows!(
            6 7 8 9 10, 11 12 13 14 15, 16 17 18 19 20, 21 22 23 24 25,
            26 27 28 29 30, 31 32 33 34 35, 36 37 38 39 40, 41 42 43 44 45,
            46 47 48 49 50, 51 52 53 54 55, 56 57 58 59 60, 61 62 63 64 65,
            66 67 68 69 70, 71 72 73 74 75, 76 77 78 79 80, 81 82 83 84 85,
            86 87 88 89 90, 91 92 93 94 95, 96 97 98 99 100, 101 102 103 104 105,
            106 107 108 109 110, 111 112 113 114 115, 116 117 118 119 120, 121 122 123 124 125,
            126 127 128 129 130, 131 132 133 134 135, 136 137 138 139 140, 141 142 143 144 145,
            146 147 148 149 150, 151 152 153 154 155, 156 157 158 159 160
            ),
            ") ",
            $($statement),+
        )
    };
}

statements! {
    // Hosts that nobody enrolled find no host. In order of id, so that two key servers that confirm at once never wait for each
    // other in a circle.
    CONFIRM = with_reported!(
        "insert into host_confirmations (host, epoch, revision, confirmed_at, asks) \
        select h.id, r.epoch, r.revision, r.confirmed_at, r.asks from reported r join hosts h on h.id = r.host \
        join roster_state s on (r.epoch, r.revision) <= (s.epoch, s.revision) \
        where s.id = 1 order by h.id \
        on conflict (host) do update set \
            epoch = case when (excluded.epoch, excluded.revision) > (host_confirmations.epoch, host_confirmations.revision) \
                then excluded.epoch else host_confirmations.epoch end, \
            revision = case when (excluded.epoch, excluded.revision) > (host_confirmations.epoch, host_confirmations.revision) \
                then excluded.revision else host_confirmations.revision end, \
            asks = case when excluded.confirmed_at > host_confirmations.confirmed_at then excluded.asks \
                when excluded.confirmed_at = host_confirmations.confirmed_at and excluded.asks = 'daemon' then 'daemon' \
                else host_confirmations.asks end, \
            confirmed_at = case when excluded.confirmed_at > host_confirmations.confirmed_at \
                then excluded.confirmed_at else host_confirmations.confirmed_at end",
    );
    // By what was joined above and not by the report, whose rows of other hosts and other states were left out there. It also
    // locked the hosts' rows in order, so that nobody else is at these. What is old enough to be forgotten is left alone, for
    // a write may be forgetting it.
    RECORD = with_reported!(
        "update write_hosts set confirmed_at = r.confirmed_at from reported r \
        join host_confirmations c on c.host = r.host join roster_state s on s.epoch = c.epoch and s.id = 1 \
        where write_hosts.host = r.host and write_hosts.confirmed_at is null and write_hosts.revision <= c.revision \
        and write_hosts.written_at > r.confirmed_at - $161",
    );
    ASKING = "select host, epoch, revision, confirmed_at, asks from host_confirmations where host >= $1 and host <= $2";
}

impl Reader {
    /// What the hosts from the first id to the last have confirmed; without those that never asked.
    pub async fn confirmations(
        &mut self,
        first: &HostId,
        last: &HostId,
    ) -> Result<BTreeMap<HostId, Confirmation>, StoreError> {
        let range = values![first, last];
        let confirmed = self.tx.all::<ConfirmationRow>(ASKING, range).await?;
        Ok(confirmed.into_iter().collect())
    }
}

impl Store {
    /// Writes down what hosts have confirmed. A report older than what is known changes nothing. Left out are hosts that were
    /// never enrolled, and states that the roster has not come to: such a report would stand for writes that are yet to be.
    pub async fn confirm(&self, reports: &[(HostId, Confirmation)]) -> Result<(), StoreError> {
        let newest = newest(reports);
        if newest.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin_write().await?;
        for batch in newest.into_iter().collect::<Vec<_>>().chunks(ROWS) {
            let mut values = Vec::with_capacity(ROWS * COLUMNS);
            for (host, confirmed) in batch {
                values.extend([
                    Value::from(*host),
                    Value::from(confirmed.epoch.as_i64()),
                    Value::from(confirmed.revision.as_i64()),
                    Value::from(confirmed.at),
                    Value::from(confirmed.asks.as_str()),
                ]);
            }
            let empty = [
                Value::Text(None),
                Value::Number(None),
                Value::Number(None),
                Value::Number(None),
                Value::Text(None),
            ];
            values.extend(
                empty
                    .into_iter()
                    .cycle()
                    .take((ROWS - batch.len()) * COLUMNS),
            );
            tx.execute(CONFIRM, &values).await?;
            values.push(Value::from(RECEIPT_S));
            tx.execute(RECORD, &values).await?;
        }
        tx.commit().await
    }
}

impl Confirmation {
    /// What is said by a host that holds nothing, or not certainly what it names: it is answered, and that is all.
    #[must_use]
    pub fn of_nothing(at: Timestamp, asks: Asks) -> Self {
        Self {
            epoch: Epoch::FIRST,
            revision: Revision::ZERO,
            at,
            asks,
        }
    }

    /// The newest state of the two, and the last moment with how the host asked then. Of two ways in one second the daemon's
    /// counts: whoever waits had better wait for it.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let newer = if (self.epoch, self.revision) < (other.epoch, other.revision) {
            other
        } else {
            self
        };
        let asks = match self.at.cmp(&other.at) {
            Ordering::Less => other.asks,
            Ordering::Greater => self.asks,
            Ordering::Equal if self.asks == other.asks => self.asks,
            Ordering::Equal => Asks::AsDaemon,
        };
        Self {
            at: self.at.max(other.at),
            asks,
            ..newer
        }
    }
}

/// One report for each host: a statement can't change a row twice.
fn newest(reports: &[(HostId, Confirmation)]) -> BTreeMap<&HostId, Confirmation> {
    let mut newest: BTreeMap<&HostId, Confirmation> = BTreeMap::new();
    for (host, confirmed) in reports {
        newest
            .entry(host)
            .and_modify(|known| *known = known.join(*confirmed))
            .or_insert(*confirmed);
    }
    newest
}

#[derive(FromRow)]
struct ConfirmationRow {
    host: String,
    epoch: i64,
    revision: i64,
    confirmed_at: i64,
    asks: String,
}

impl Record for ConfirmationRow {
    const TABLE: &'static str = "host_confirmations";
    type Item = (HostId, Confirmation);

    fn parse(self) -> Result<Self::Item, StoreError> {
        let row = Row::new(Self::TABLE, &self.host);
        let confirmed = Confirmation {
            epoch: row.value("epoch", Epoch::try_from(self.epoch))?,
            revision: row.value("revision", Revision::try_from(self.revision))?,
            at: Timestamp::from_unix(self.confirmed_at),
            asks: row.word("asks", &self.asks, &ASKS.map(|asks| (asks, asks.as_str())))?,
        };
        Ok((row.value("host", HostId::parse(&self.host))?, confirmed))
    }
}

pub(crate) const ASKS: [Asks; 2] = [Asks::AsDaemon, Asks::AtEachLogin];

/// Seconds for which the hosts of a write are kept, with their confirmations: no host goes by anything that it heard of longer
/// ago.
#[expect(
    clippy::as_conversions,
    reason = "a constant that fits, and `from` is not const"
)]
pub const RECEIPT_S: i64 = MAX_GRACE_S as i64 + MAX_MAX_STALENESS_S as i64;

/// Reports in one statement.
const ROWS: usize = 32;

/// Values of one report.
const COLUMNS: usize = 5;
