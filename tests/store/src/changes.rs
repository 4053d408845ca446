//! Key servers on one PostgreSQL hear of each other's writes.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use keyroster_store::{Change, Store};

use crate::fixture::Fixture;
use crate::model::*;

/// Makes alice in the store, and returns the revision of that.
async fn write(store: &Store, name: &str) -> Change {
    let writer = store.write(&actor("admin"), crate::fixture::NOW);
    Change::Written(writer.add_user(&person(name)).await.unwrap().revision)
}

#[tokio::test]
async fn a_write_is_heard_of_by_every_key_server_that_listens() {
    let fixture = Fixture::postgres().await;
    let other = fixture.another_store().await;
    let mut here = fixture.store.changes().await.unwrap();
    let mut there = other.changes().await.unwrap();
    for (store, name) in [(&fixture.store, "alice"), (&other, "bob")] {
        let written = write(store, name).await;
        assert_eq!(here.next().await.unwrap(), written);
        assert_eq!(there.next().await.unwrap(), written);
    }
}

#[tokio::test]
async fn a_write_that_was_refused_is_not_heard_of() {
    let fixture = Fixture::postgres().await;
    let mut changes = fixture.store.changes().await.unwrap();
    let first = write(&fixture.store, "alice").await;
    refused(
        fixture.write().add_user(&person("alice")).await,
        "already exists",
        "alice",
    );
    let second = write(&fixture.store, "bob").await;
    assert_eq!(changes.next().await.unwrap(), first);
    assert_eq!(changes.next().await.unwrap(), second);
}

#[tokio::test]
async fn whoever_loses_the_connection_is_told_and_can_listen_again() {
    let fixture = Fixture::postgres().await;
    let mut changes = fixture.store.changes().await.unwrap();
    let listeners = "select pg_terminate_backend(pid) from pg_stat_activity \
        where datname = current_database() and query ilike 'listen%'";
    fixture.tamper(listeners).await;
    match changes.next().await {
        Ok(heard) => assert_eq!(heard, Change::Resync),
        lost => {
            refused(lost, "unavailable", "listen");
            changes = fixture.store.changes().await.unwrap();
        }
    }
    let written = write(&fixture.store, "alice").await;
    assert_eq!(changes.next().await.unwrap(), written);
}

#[tokio::test]
async fn what_is_no_revision_asks_for_a_look_at_the_roster() {
    let fixture = Fixture::postgres().await;
    let mut changes = fixture.store.changes().await.unwrap();
    for payload in ["", "-1", "9223372036854775808", "1; drop table users"] {
        fixture
            .tamper(&format!("notify keyroster_revision, '{payload}'"))
            .await;
        assert_eq!(changes.next().await.unwrap(), Change::Resync, "{payload}");
    }
}

#[tokio::test]
async fn a_file_tells_nobody_of_its_writes() {
    let fixture = Fixture::sqlite().await;
    let mut changes = fixture.store.changes().await.unwrap();
    fixture.add_person("alice").await;
    let mut next = pin!(changes.next());
    let polled = next.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Pending));
}
