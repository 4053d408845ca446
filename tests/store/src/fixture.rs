//! A store in a database of the test's own, and a hand that reaches behind it.

use keyroster_roster::{Actor, AuditEvent, Timestamp};
use keyroster_store::{Action, AuditVerdict, Limit, Location, RosterState, Store, Writer};
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
    _place: Place,
}

/// What ends with the fixture.
enum Place {
    Directory(#[expect(dead_code, reason = "held until it is dropped")] TempDir),
    Server(#[expect(dead_code, reason = "held until it is dropped")] Postgres),
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
            _place: place,
        }
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
