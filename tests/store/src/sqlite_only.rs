//! What only a file can get wrong.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use keyroster_store::{AuditVerdict, Location, LocationError, Store, StoreError};

use crate::fixture::Fixture;
use crate::model::*;

fn path(fixture: &Fixture) -> &std::path::Path {
    match &fixture.location {
        Location::Sqlite(path) => path,
        Location::Postgres(_) => panic!("not a file"),
    }
}

#[tokio::test]
async fn only_the_owner_can_read_the_file_and_its_companions() {
    let fixture = Fixture::sqlite().await;
    fixture.add_person("alice").await;
    let mut names = Vec::new();
    for entry in fs::read_dir(path(&fixture).parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(
            entry.metadata().unwrap().permissions().mode() & 0o777,
            0o600,
            "{:?}",
            entry.file_name()
        );
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["roster.db", "roster.db-shm", "roster.db-wal"]);
}

#[tokio::test]
async fn a_file_that_others_have_access_to_is_refused() {
    let fixture = Fixture::sqlite().await;
    for mode in [0o640, 0o620, 0o604, 0o602, 0o666] {
        fs::set_permissions(path(&fixture), Permissions::from_mode(mode)).unwrap();
        let opened = Store::open(&fixture.location).await;
        assert!(
            matches!(
                opened,
                Err(StoreError::Location(LocationError::FileMode { .. }))
            ),
            "{mode:o}"
        );
    }
    fs::set_permissions(path(&fixture), Permissions::from_mode(0o600)).unwrap();
    Store::open(&fixture.location).await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_not_there_is_not_made_by_opening_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("roster.db");
    refused(
        Store::open(&Location::sqlite(&path)).await,
        "location",
        "roster.db",
    );
    assert!(!path.exists());
}

#[tokio::test]
async fn a_roster_is_not_made_through_a_dangling_link() {
    let directory = tempfile::tempdir().unwrap();
    let (link, target) = (
        directory.path().join("roster.db"),
        directory.path().join("elsewhere"),
    );
    symlink(&target, &link).unwrap();
    refused(
        Store::create(&Location::sqlite(&link)).await,
        "location",
        "exists already",
    );
    assert!(!target.exists());
}

#[tokio::test]
async fn what_was_acknowledged_is_in_the_files_before_anything_is_closed() {
    let fixture = Fixture::sqlite().await;
    fixture.add_person("alice").await;
    let state = fixture.state().await;
    let elsewhere = tempfile::tempdir().unwrap();
    for name in ["roster.db", "roster.db-wal"] {
        fs::copy(
            path(&fixture).with_file_name(name),
            elsewhere.path().join(name),
        )
        .unwrap();
    }
    let copy = Store::open(&Location::sqlite(elsewhere.path().join("roster.db")))
        .await
        .unwrap();
    assert_eq!(copy.state().await.unwrap(), state);
    assert_eq!(
        copy.read().await.unwrap().verify_audit().await.unwrap(),
        AuditVerdict::Intact(state.head)
    );
}

#[tokio::test]
async fn a_file_that_is_no_database_is_unavailable_and_named() {
    let fixture = Fixture::sqlite().await;
    fixture.store.close().await;
    fs::write(
        path(&fixture),
        "not a database, though long enough to look like one".repeat(100),
    )
    .unwrap();
    refused(
        Store::open(&fixture.location).await,
        "unavailable",
        "connect",
    );
}
