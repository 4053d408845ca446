//! Which snapshot keys and CAs hosts go by: the serial of the newest set that each has on disk, and the CA of the certificate that each
//! uses.
//!
//! A report of the host's about itself, like what it confirms: it raises no revision, and none takes back a later one.

use keyroster_keys::HostName;
use keyroster_roster::HostId;
use sqlx::FromRow;

use crate::StoreError;
use crate::db::{Record, statements, values};
use crate::read::{Reader, Row};
use crate::store::Store;

statements! {
    KNOW = "insert into host_keys (host, serial, ca_serial) \
        select h.id, cast($2 as bigint), cast($3 as bigint) from hosts h where h.id = $1 \
        on conflict (host) do update set \
        serial = case when excluded.serial > host_keys.serial then excluded.serial else host_keys.serial end, \
        ca_serial = case when excluded.ca_serial > host_keys.ca_serial then excluded.ca_serial else host_keys.ca_serial end";
    BEHIND = "select h.id, h.name from hosts h left join host_keys k on k.host = h.id \
        where h.state = 'active' and coalesce(k.serial, 0) < $1 order by h.name, h.id";
    OF_OLDER_CA = "select h.id, h.name from hosts h left join host_keys k on k.host = h.id \
        where h.state = 'active' and coalesce(k.ca_serial, 0) < $1 order by h.name, h.id";
    AHEAD = "select h.id, h.name from hosts h join host_keys k on k.host = h.id \
        where h.state = 'active' and k.serial > $1 order by h.name, h.id";
}

/// What a host goes by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KnownSet {
    /// The serial of the set of keys and CAs that it has on its disk.
    pub serial: u64,
    /// The serial of the set that made the CA known which its certificate is of.
    pub ca_serial: u64,
}

impl Reader {
    /// The hosts that do not go by the set of keys with this serial or a later one, in order of name.
    pub async fn hosts_behind_keys(
        &mut self,
        serial: u64,
    ) -> Result<Vec<(HostId, HostName)>, StoreError> {
        let serial = i64::try_from(serial).unwrap_or(i64::MAX);
        self.tx.all::<NamedRow>(BEHIND, values![serial]).await
    }

    /// The hosts whose certificate is of an older CA than the one that the set with this serial made known, in order of name.
    pub async fn hosts_of_older_ca(
        &mut self,
        serial: u64,
    ) -> Result<Vec<(HostId, HostName)>, StoreError> {
        let serial = i64::try_from(serial).unwrap_or(i64::MAX);
        self.tx.all::<NamedRow>(OF_OLDER_CA, values![serial]).await
    }

    /// The hosts that go by a later set of keys than this, in order of name: somebody has lost the later ones.
    pub async fn hosts_ahead_of_keys(
        &mut self,
        serial: u64,
    ) -> Result<Vec<(HostId, HostName)>, StoreError> {
        let serial = i64::try_from(serial).unwrap_or(i64::MAX);
        self.tx.all::<NamedRow>(AHEAD, values![serial]).await
    }
}

impl Store {
    /// Writes down what hosts go by. A host that nobody enrolled is left out.
    pub async fn know_host_keys(&self, reports: &[(HostId, KnownSet)]) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        for (host, known) in reports {
            let [serial, ca_serial] = [known.serial, known.ca_serial]
                .map(|serial| i64::try_from(serial).unwrap_or(i64::MAX));
            tx.execute(KNOW, values![host, serial, ca_serial]).await?;
        }
        tx.commit().await
    }
}

#[derive(FromRow)]
struct NamedRow {
    id: String,
    name: String,
}

impl Record for NamedRow {
    const TABLE: &'static str = "hosts";
    type Item = (HostId, HostName);

    fn parse(self) -> Result<Self::Item, StoreError> {
        let row = Row::new(Self::TABLE, &self.id);
        let id = row.value("id", HostId::parse(&self.id))?;
        Ok((id, row.value("name", HostName::parse(&self.name))?))
    }
}
