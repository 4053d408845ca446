use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::clock::SystemClock;
use crate::random::OsRandom;

fn config() -> Config {
    Config::new(&[], None, None).unwrap()
}

fn names_in(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_is_made_is_whole_and_private() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    init(&path, &config(), &SystemClock, &OsRandom)
        .await
        .unwrap();
    assert_eq!(names_in(parent.path()), ["data"]);
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o700
    );
    let dir = DataDir::open(&path).unwrap();
    for secret in [dir.config(), dir.ca_key(), dir.snapshot_key(), dir.sqlite()] {
        assert_eq!(
            std::fs::metadata(&secret).unwrap().permissions().mode() & 0o777,
            0o600,
            "{secret:?}"
        );
    }
    let names = names_in(&path);
    assert_eq!(
        names,
        [
            "ca.key",
            "ca.pem",
            "roster.db",
            "server.toml",
            "snapshot-key",
            "snapshot-key.pub"
        ]
    );
}

#[tokio::test]
async fn what_is_there_is_refused_and_left_as_it_is() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("mine");
    std::fs::write(&file, "mine").unwrap();
    std::os::unix::fs::symlink("/nowhere", parent.path().join("link")).unwrap();
    for path in [
        parent.path().to_owned(),
        file.clone(),
        parent.path().join("link"),
    ] {
        let error = init(&path, &config(), &SystemClock, &OsRandom)
            .await
            .err()
            .unwrap();
        assert!(matches!(error, InitError::Exists(_)), "{error}");
    }
    assert_eq!(names_in(parent.path()), ["link", "mine"]);
}

#[tokio::test]
async fn an_empty_directory_of_our_own_is_filled_as_packages_make_one() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    DataDir::create(&path).unwrap();
    init(&path, &config(), &SystemClock, &OsRandom)
        .await
        .unwrap();
    let names = names_in(&path);
    assert_eq!(
        names,
        [
            "ca.key",
            "ca.pem",
            "roster.db",
            "server.toml",
            "snapshot-key",
            "snapshot-key.pub"
        ]
    );
    assert!(
        init(&path, &config(), &SystemClock, &OsRandom)
            .await
            .is_err(),
        "once"
    );
}

#[tokio::test]
async fn an_empty_directory_that_others_may_write_in_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    DataDir::create(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
    let error = init(&path, &config(), &SystemClock, &OsRandom)
        .await
        .err()
        .unwrap();
    assert!(
        matches!(error, InitError::File(FileError::Exposed { .. })),
        "{error}"
    );
    assert!(names_in(&path).is_empty());
}

#[tokio::test]
async fn a_step_that_fails_leaves_an_empty_directory_empty() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    DataDir::create(&path).unwrap();
    let database = Some(crate::config::DatabaseUrl::new(
        "mysql://localhost/keyroster".into(),
    ));
    let config = Config {
        database,
        ..config()
    };
    assert!(init(&path, &config, &SystemClock, &OsRandom).await.is_err());
    assert!(names_in(&path).is_empty());
}

#[tokio::test]
async fn a_step_that_fails_leaves_nothing_behind() {
    let parent = tempfile::tempdir().unwrap();
    let database = Some(crate::config::DatabaseUrl::new(
        "mysql://localhost/keyroster".into(),
    ));
    let config = Config {
        database,
        ..config()
    };
    let error = init(
        &parent.path().join("data"),
        &config,
        &SystemClock,
        &OsRandom,
    )
    .await
    .err()
    .unwrap();
    assert!(matches!(error, InitError::Location(_)), "{error}");
    assert!(names_in(parent.path()).is_empty());
}

#[tokio::test]
async fn a_second_init_makes_another_ca_and_another_token() {
    let parent = tempfile::tempdir().unwrap();
    let one = init(
        &parent.path().join("one"),
        &config(),
        &SystemClock,
        &OsRandom,
    )
    .await
    .unwrap();
    let two = init(
        &parent.path().join("two"),
        &config(),
        &SystemClock,
        &OsRandom,
    )
    .await
    .unwrap();
    assert_ne!(one.ca, two.ca);
    assert_ne!(*one.token.text, *two.token.text);
}

#[tokio::test]
async fn a_path_without_a_last_part_is_refused() {
    let error = init(
        Path::new("/nonexistent/.."),
        &config(),
        &SystemClock,
        &OsRandom,
    )
    .await
    .err()
    .unwrap();
    assert!(
        matches!(error, InitError::Path(_) | InitError::Exists(_)),
        "{error}"
    );
}
