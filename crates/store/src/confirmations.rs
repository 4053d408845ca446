//! What hosts have confirmed: the newest state of the roster that each holds, and when it was last heard.
//!
//! A confirmation is a host's report about itself, not a change of the roster: it raises no revision and is no audit event.
//! Reports come in by the thousand, from several key servers and in any order, so they are written in batches, and none
//! ever takes back what a later one said.

use std::collections::BTreeMap;

use keyroster_roster::{Epoch, HostId, Revision, Timestamp};

use crate::StoreError;
use crate::db::{Value, statements};
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
}

/// The rows of a report, from the numbers of their placeholders; the first one tells PostgreSQL the types.
macro_rules! rows {
    ($($host:literal $epoch:literal $revision:literal $at:literal),+) => {
        concat!(
            "values (cast($1 as text), cast($2 as bigint), cast($3 as bigint), cast($4 as bigint))",
            $(", ($", $host, ", $", $epoch, ", $", $revision, ", $", $at, ")"),+
        )
    };
}

statements! {
    // One statement for a batch of reports; rows that a batch leaves empty, and hosts that nobody enrolled, find no
    // host. In order of id, so that two key servers that confirm at once never wait for each other in a circle.
    CONFIRM = concat!(
        "with reported (host, epoch, revision, confirmed_at) as (",
        rows!(
            5 6 7 8, 9 10 11 12, 13 14 15 16, 17 18 19 20, 21 22 23 24, 25 26 27 28,
            29 30 31 32, 33 34 35 36, 37 38 39 40, 41 42 43 44, 45 46 47 48, 49 50 51 52,
            53 54 55 56, 57 58 59 60, 61 62 63 64, 65 66 67 68, 69 70 71 72, 73 74 75 76,
            77 78 79 80, 81 82 83 84, 85 86 87 88, 89 90 91 92, 93 94 95 96, 97 98 99 100,
            101 102 103 104, 105 106 107 108, 109 110 111 112, 113 114 115 116, 117 118 119 120, 121 122 123 124,
            125 126 127 128
        ),
        ") insert into host_confirmations (host, epoch, revision, confirmed_at) \
        select h.id, r.epoch, r.revision, r.confirmed_at from reported r join hosts h on h.id = r.host \
        join roster_state s on (r.epoch, r.revision) <= (s.epoch, s.revision) \
        where s.id = 1 order by h.id \
        on conflict (host) do update set \
            epoch = case when (excluded.epoch, excluded.revision) > (host_confirmations.epoch, host_confirmations.revision) \
                then excluded.epoch else host_confirmations.epoch end, \
            revision = case when (excluded.epoch, excluded.revision) > (host_confirmations.epoch, host_confirmations.revision) \
                then excluded.revision else host_confirmations.revision end, \
            confirmed_at = case when excluded.confirmed_at > host_confirmations.confirmed_at \
                then excluded.confirmed_at else host_confirmations.confirmed_at end"
    );
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
                ]);
            }
            let empty = [
                Value::Text(None),
                Value::Number(None),
                Value::Number(None),
                Value::Number(None),
            ];
            values.extend(
                empty
                    .into_iter()
                    .cycle()
                    .take((ROWS - batch.len()) * COLUMNS),
            );
            tx.execute(CONFIRM, &values).await?;
        }
        tx.commit().await
    }
}

impl Confirmation {
    /// The newest state of the two, and the last moment.
    fn join(self, other: Self) -> Self {
        let newer = if (self.epoch, self.revision) < (other.epoch, other.revision) {
            other
        } else {
            self
        };
        Self {
            at: self.at.max(other.at),
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

/// Reports in one statement.
const ROWS: usize = 32;

/// Values of one report.
const COLUMNS: usize = 4;
