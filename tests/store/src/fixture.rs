//! A store in a database of the test's own, and a hand that reaches behind it.

use keyroster_roster::{Actor, AuditEvent, HostId, Revision, Timestamp};
use keyroster_store::{
    Action, AuditVerdict, Damage, Journal, JournalRecord, Limit, Location, RestoreMode, Restored,
    RosterState, Store, Told, Writer,
};
use std::path::PathBuf;

use keyroster_testkit::Postgres;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

/// A store, and what it lies in; gone when dropped.
pub struct Fixture {
    /// The store.
    pub store: Store,
    /// Where it lies.
    pub location: Location,
    url: String,
    place: Place,
    files: TempDir,
}

/// What ends with the fixture.
enum Place {
    Directory(#[expect(dead_code, reason = "held until it is dropped")] TempDir),
    Server(Postgres),
}

impl Fixture {
    pub async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("roster.db");
        let url = format!("sqlite:{}", path.display());
        Self::at(url, Place::Directory(directory)).await
    }

    pub async fn postgres() -> Self {
        let server = Postgres::start().unwrap();
        let url = server.fresh_database().unwrap();
        Self::at(url, Place::Server(server)).await
    }

    async fn at(url: String, place: Place) -> Self {
        let location = Location::parse(&url).unwrap();
        let store = Store::create(&location).await.unwrap();
        Self {
            store,
            location,
            url,
            place,
            files: tempfile::tempdir().unwrap(),
        }
    }

    /// The same, with a revocation journal.
    pub fn with_journal(mut self) -> Self {
        let journal = Journal::at(&self.journal_path());
        self.store = self.store.with_journal(journal);
        self
    }

    pub fn journal_path(&self) -> PathBuf {
        self.files.path().join("revocations.journal")
    }

    /// What the journal says, to its end.
    pub async fn journal(&self) -> JournalRecord {
        let told = self.store.tell_journal().await.unwrap();
        assert_eq!(told, Told::Everything { set_aside: None });
        JournalRecord::read(&self.journal_path(), Damage::Refuse).unwrap()
    }

    /// Backs the roster up, each database with its own means.
    pub async fn back_up(&self) {
        let file = self.files.path().join("backup");
        match (&self.location, &self.place) {
            (Location::Sqlite(path), _) => Store::back_up(path, &file).await.unwrap(),
            (_, Place::Server(server)) => server.dump(&self.url, &file).unwrap(),
            (_, Place::Directory(_)) => unreachable!("a PostgreSQL database has a server"),
        }
    }

    /// Puts the backup in the roster's place behind the store's back, and opens the roster again.
    pub async fn bring_back(mut self) -> Self {
        let journal = self.store.journal().is_some();
        self.store.close().await;
        let file = self.files.path().join("backup");
        match (&self.location, &self.place) {
            (Location::Sqlite(path), _) => drop(std::fs::copy(file, path).unwrap()),
            (_, Place::Server(server)) => server.restore(&self.url, &file).unwrap(),
            (_, Place::Directory(_)) => unreachable!("a PostgreSQL database has a server"),
        }
        self.store = self.another_store().await;
        if journal { self.with_journal() } else { self }
    }

    /// Raises the epoch and replays the journal.
    pub async fn restore(&self) -> Restored {
        let path = self.journal_path();
        let records = path
            .exists()
            .then(|| JournalRecord::read(&path, Damage::Refuse).unwrap());
        self.restore_from(records.into_iter().collect()).await
    }

    pub async fn restore_from(&self, records: Vec<JournalRecord>) -> Restored {
        let actor = Actor::parse("system:restore").unwrap();
        let writer = self.store.write(&actor, LATER);
        writer.restore(records, RestoreMode::Commit).await.unwrap()
    }

    /// Writes as `admin` at [`NOW`].
    pub fn write(&self) -> Writer<'_> {
        self.store.write(&Actor::parse("admin").unwrap(), NOW)
    }

    pub fn write_at(&self, now: Timestamp) -> Writer<'_> {
        self.store.write(&Actor::parse("admin").unwrap(), now)
    }

    /// Another key server, or a restarted one, at the same roster.
    pub async fn another_store(&self) -> Store {
        Store::open(&self.location).await.unwrap()
    }

    pub async fn state(&self) -> RosterState {
        self.store.state().await.unwrap()
    }

    /// The hosts that writes after this revision concern, each with the newest such write and in its order: as the key server finds
    /// whom to wake.
    pub async fn changed_hosts(&self, after: Revision) -> Vec<(HostId, Revision)> {
        let mut reader = self.store.read().await.unwrap();
        let standings = reader.standings(Some(after)).await.unwrap();
        let changed = standings.into_iter().filter(|host| host.changed > after);
        let mut changed: Vec<_> = changed.map(|host| (host.id, host.changed)).collect();
        changed.sort_by_key(|(_, revision)| *revision);
        changed
    }

    pub async fn events(&self) -> Vec<AuditEvent> {
        let mut reader = self.store.read().await.unwrap();
        let mut events = Vec::new();
        let mut after = Some(0);
        while let Some(place) = after {
            let page = reader.audit_events(place, Limit::MAX).await.unwrap();
            events.extend(page.items);
            after = page.next;
        }
        events
    }

    /// The newest event, as its action, its object and its detail.
    pub async fn last_event(&self) -> (Action, String, String) {
        let event = self.events().await.pop().unwrap();
        (
            Action::parse(&event.action).unwrap(),
            event.object,
            event.detail,
        )
    }

    pub async fn verdict(&self) -> AuditVerdict {
        self.store
            .read()
            .await
            .unwrap()
            .verify_audit()
            .await
            .unwrap()
    }

    /// Has the database refuse to commit what touches a key, until [`Fixture::let_it_commit`].
    pub async fn refuse_to_commit(&self) {
        // A reference that is checked at the commit, from a row that a trigger adds.
        self.tamper(match &self.location {
            Location::Sqlite(_) => {
                "create table bad (name text references users (name) deferrable initially deferred); \
                 create trigger bad after update on keys begin insert into bad values ('nobody'); end"
            }
            Location::Postgres(_) => {
                "create table bad (name text references users (name) deferrable initially deferred); \
                 create function bad() returns trigger language plpgsql as \
                    $$ begin insert into bad values ('nobody'); return new; end $$; \
                 create trigger bad after update on keys for each row execute function bad()"
            }
        })
        .await;
    }

    /// Lets it commit again.
    pub async fn let_it_commit(&self) {
        self.tamper(match &self.location {
            Location::Sqlite(_) => "drop trigger bad; drop table bad",
            Location::Postgres(_) => "drop trigger bad on keys; drop function bad; drop table bad",
        })
        .await;
    }

    /// Runs SQL behind the store's back, past foreign keys and checks wherever the database lets one.
    pub async fn tamper(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        if let Location::Sqlite(_) = &self.location {
            let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
            let unbound = "pragma foreign_keys = off; pragma ignore_check_constraints = on";
            sqlx::raw_sql(unbound)
                .execute(&mut connection)
                .await
                .unwrap();
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        } else {
            let mut connection = PgConnection::connect(&self.url).await.unwrap();
            let unbound = "set session_replication_role = replica";
            sqlx::raw_sql(unbound)
                .execute(&mut connection)
                .await
                .unwrap();
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
    }
}

/// The moment at which tests write.
pub const NOW: Timestamp = Timestamp::from_unix(1_795_250_096);

/// A moment before `NOW`.
pub const BEFORE: Timestamp = Timestamp::from_unix(1_795_000_000);

/// A moment after `NOW`.
pub const LATER: Timestamp = Timestamp::from_unix(1_796_000_000);
