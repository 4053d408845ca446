//! Making and opening a roster.

use keyroster_roster::Revision;
use keyroster_store::{Location, Store};

use crate::fixture::{Fixture, NOW};
use crate::model::*;
use crate::on_both;

on_both! {
    async fn a_new_roster_is_at_epoch_1_and_revision_0(fixture: Fixture) {
        let state = fixture.state().await;
        assert_eq!((state.epoch.get(), state.revision.get(), state.head.sequence), (1, 0, 0));
        fixture.store.ping().await.unwrap();
    }

    async fn a_roster_is_never_made_over_another(fixture: Fixture) {
        fixture.add_person("alice").await;
        let again = Store::create(&fixture.location).await;
        let expected = match &fixture.location {
            Location::Sqlite(_) => "location",
            Location::Postgres(_) => "already exists",
        };
        refused(again, expected, "exists already");
        assert_eq!(fixture.state().await.revision.get(), 1);
    }

    async fn a_schema_from_the_future_is_refused(fixture: Fixture) {
        fixture.tamper(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
             select 9999, description, success, checksum, execution_time from _sqlx_migrations where version = 1",
        ).await;
        refused(Store::open(&fixture.location).await, "schema too new", "schema 9999");
    }

    async fn a_schema_that_others_migrated_is_refused(fixture: Fixture) {
        let checksum = match &fixture.location {
            Location::Sqlite(_) => "x'00'",
            Location::Postgres(_) => r"'\x00'",
        };
        fixture.tamper(&format!("update _sqlx_migrations set checksum = {checksum}")).await;
        refused(Store::open(&fixture.location).await, "schema", "schema");
    }

    async fn a_roster_without_its_row_is_refused(fixture: Fixture) {
        fixture.tamper("delete from roster_state").await;
        refused(Store::open(&fixture.location).await, "not found", "roster");
        refused(fixture.write().add_user(&person("alice")).await, "not found", "roster");
    }

    async fn a_restart_keeps_every_acknowledged_write(fixture: Fixture) {
        fixture.add_person("alice").await;
        fixture.add_key("alice", 1).await;
        let state = fixture.state().await;
        fixture.store.close().await;
        let store = fixture.another_store().await;
        assert_eq!(store.state().await.unwrap(), state);
        assert_eq!(store.read().await.unwrap().key(blob(1).fingerprint()).await.unwrap(), Some(key("alice", 1)));
    }

    async fn a_roster_of_the_first_schema_is_brought_up_to_date(fixture: Fixture) {
        fixture.add_person("alice").await;
        fixture.add_host_group("web").await;
        fixture.add_host(1, "web").await;
        fixture.add_grant(2, for_user("alice"), on_host_group("web")).await;
        let before = fixture.state().await.revision;
        back_to_the_first_schema(&fixture).await;
        let store = fixture.another_store().await;
        let granted = store.write(&actor("admin"), NOW).add_grant(&grant(1, for_user("alice"), on_host(1))).await;
        let revision = granted.unwrap().revision;
        let mut reader = store.read().await.unwrap();
        let nothing = Revision::new(0).unwrap();
        let standing = reader.standings(None).await.unwrap().pop().unwrap();
        assert_eq!((standing.whole, standing.changed), (before, revision), "what it held is not known");
        let changes = reader.account_changes(&host_id(1), nothing).await.unwrap();
        assert_eq!(changes[&account("deploy")].revision, revision);
        assert_eq!(reader.receipt(revision).await.unwrap().len(), 1);
    }

    async fn key_servers_that_start_at_once_bring_the_schema_up_to_date_once(fixture: Fixture) {
        back_to_the_first_schema(&fixture).await;
        let open = || Store::open(&fixture.location);
        let opened = tokio::join!(open(), open(), open(), open());
        for store in [opened.0, opened.1, opened.2, opened.3] {
            store.unwrap().close().await;
        }
    }

    async fn a_closed_store_is_unavailable(fixture: Fixture) {
        fixture.store.close().await;
        refused(fixture.store.ping().await, "unavailable", "out of reach");
        refused(fixture.write().add_user(&person("alice")).await, "unavailable", "out of reach");
    }

    async fn every_statement_is_read_by_the_database_before_anything_is_done(fixture: Fixture) {
        fixture.store.check_statements().await.unwrap();
        fixture.tamper("alter table grants rename column ends_at to until").await;
        refused(Store::open(&fixture.location).await, "schema", "grants::");
    }
}

/// As if the first version had made it.
async fn back_to_the_first_schema(fixture: &Fixture) {
    fixture.store.close().await;
    fixture.tamper(
        "drop table write_hosts; drop table past_freshness; drop table host_confirmations; \
         drop index hosts_by_change; alter table hosts drop column changed_revision; \
         drop index services_of_owner; drop index audit_events_of_object; \
         drop table account_changes; drop index hosts_by_whole; drop index hosts_by_standing; \
         drop index grants_on_host_account; drop index grants_on_host_group_account; \
         alter table host_groups drop column settings_revision; alter table hosts drop column whole_revision; \
         alter table hosts drop column standing_revision; \
         delete from _sqlx_migrations where version in (2, 3, 6)",
    ).await;
}
