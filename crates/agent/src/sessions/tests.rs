//! What the other side of the socket hears.

use std::os::unix::net::UnixListener;

use keyroster_roster::Revision;

use tempfile::TempDir;

use super::*;
use crate::testing::{fingerprints, snapshot_key, tag};

/// The program that ends sessions, as far as it listens.
struct Listener {
    listener: UnixListener,
    dir: TempDir,
}

impl Listener {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("socket")).unwrap();
        Self { listener, dir }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("socket")
    }

    async fn accept(&self) -> std::os::unix::net::UnixStream {
        let listener = self.listener.try_clone().unwrap();
        let accepted = tokio::task::spawn_blocking(move || listener.accept().unwrap().0);
        accepted.await.unwrap()
    }
}

async fn hear(stream: &std::os::unix::net::UnixStream) -> Option<Notice> {
    let mut stream = stream.try_clone().unwrap();
    tokio::task::spawn_blocking(move || Notice::read_from(&mut stream).unwrap())
        .await
        .unwrap()
}

fn list(keys: Fingerprints) -> Arc<RevokedKeys> {
    let at = (tag(1, 10), Revision::new(0).unwrap());
    Arc::new(RevokedKeys::sign(&snapshot_key(), at, 0, keys).unwrap())
}

fn keys(numbers: &[u8]) -> Arc<RevokedKeys> {
    list(fingerprints(numbers))
}

fn revoked(numbers: &[u8]) -> Option<Notice> {
    Some(Notice::Revoked(
        numbers.iter().map(|number| [*number; 32]).collect(),
    ))
}

fn start(listener: &Listener, first: Revoked) -> watch::Sender<Revoked> {
    let (sender, receiver) = watch::channel(first);
    tokio::spawn(hand_over(listener.path(), receiver));
    sender
}

#[tokio::test]
async fn the_whole_set_comes_first_then_additions_and_the_whole_again_when_one_is_taken_back() {
    let listener = Listener::new();
    let says = start(&listener, Revoked::Unknown);
    says.send_replace(Revoked::These(keys(&[1, 2])));
    let stream = listener.accept().await;
    for expected in [
        Some(Notice::Begin),
        revoked(&[1, 2]),
        Some(Notice::Complete),
    ] {
        assert_eq!(hear(&stream).await, expected);
    }
    says.send_replace(Revoked::These(keys(&[1, 2, 3])));
    assert_eq!(hear(&stream).await, revoked(&[3]));
    says.send_replace(Revoked::These(keys(&[1, 3])));
    for expected in [
        Some(Notice::Begin),
        revoked(&[1, 3]),
        Some(Notice::Complete),
    ] {
        assert_eq!(hear(&stream).await, expected);
    }
}

#[tokio::test]
async fn where_sessions_do_not_end_an_empty_set_is_told_and_the_connection_closed() {
    let listener = Listener::new();
    let says = start(&listener, Revoked::Off);
    let stream = listener.accept().await;
    for expected in [Some(Notice::Begin), Some(Notice::Complete), None] {
        assert_eq!(hear(&stream).await, expected);
    }
    says.send_replace(Revoked::These(keys(&[1])));
    let stream = listener.accept().await;
    for expected in [Some(Notice::Begin), revoked(&[1]), Some(Notice::Complete)] {
        assert_eq!(hear(&stream).await, expected);
    }
    says.send_replace(Revoked::Off);
    for expected in [Some(Notice::Begin), Some(Notice::Complete), None] {
        assert_eq!(hear(&stream).await, expected);
    }
}

#[tokio::test]
async fn whoever_lost_the_connection_is_told_all_of_it_again() {
    let listener = Listener::new();
    let _says = start(&listener, Revoked::These(keys(&[1])));
    for _ in 0..2 {
        let stream = listener.accept().await;
        for expected in [Some(Notice::Begin), revoked(&[1]), Some(Notice::Complete)] {
            assert_eq!(hear(&stream).await, expected);
        }
    }
}

#[tokio::test]
async fn a_set_of_many_keys_comes_in_several_notices() {
    let listener = Listener::new();
    let numbered = |number: usize| {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.to_be_bytes());
        Fingerprint::from_digest(digest)
    };
    let many = Fingerprints::from_ascending((0..=2 * FINGERPRINTS_MAX).map(numbered)).unwrap();
    let _says = start(&listener, Revoked::These(list(many)));
    let stream = listener.accept().await;
    assert_eq!(hear(&stream).await, Some(Notice::Begin));
    for expected in [FINGERPRINTS_MAX, FINGERPRINTS_MAX, 1] {
        match hear(&stream).await {
            Some(Notice::Revoked(part)) => assert_eq!(part.len(), expected),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(hear(&stream).await, Some(Notice::Complete));
}

#[tokio::test]
async fn while_nothing_is_known_nothing_is_said() {
    let listener = Listener::new();
    let says = start(&listener, Revoked::Unknown);
    drop(says);
    listener.listener.set_nonblocking(true).unwrap();
    tokio::task::yield_now().await;
    assert!(listener.listener.accept().is_err());
}
