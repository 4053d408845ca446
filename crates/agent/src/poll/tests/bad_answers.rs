//! Every way in which an answer can be wrong, and what it gets.

use keyroster_api::signature::{Namespace, SnapshotKey};
use keyroster_testkit::Behaviour;

use super::*;
use crate::testing::{HOST_ID, answer, tag, voucher};

/// A host whose snapshot is stale asks a server that does this, and goes on answering from what it holds.
async fn falls_back(behaviour: Behaviour) {
    let scene = Scene::new();
    let mut agent = scene.stale().await;
    let asked = scene.server.requests().len();
    scene.server.set(behaviour);
    assert_eq!(agent.login().await, STALE);
    assert_eq!(
        scene.server.requests().len(),
        asked + 1,
        "the server was asked first"
    );
    assert!(agent.health().fetch.is_some(), "status says that it failed");
    assert_eq!(agent.login().await, STALE);
    assert_eq!(
        scene.server.requests().len(),
        asked + 1,
        "and not asked again by the next login"
    );
}

/// A host whose snapshot is fresh hears this status, and lets nobody in from then on.
async fn is_out(status: u16) {
    let scene = Scene::new();
    let mut agent = scene.stale().await;
    scene.server.set(Behaviour::status(status));
    assert_eq!(agent.login().await, OUT);
    scene.server.set(Behaviour::Silent);
    scene.clock.advance(31);
    assert_eq!(
        agent.login().await,
        OUT,
        "a failure afterwards revives nothing"
    );
    agent.poller.finish().await;
    drop(agent);
    let mut restarted = scene.start();
    assert_eq!(restarted.login().await, OUT, "nor does a restart");
    drop(restarted);
    let mut again = scene.start();
    scene.clock.advance(60);
    scene.server.set(serving(&snapshot(1, 11)));
    assert_eq!(again.login().await, FRESH, "a good answer does");
}

#[tokio::test]
async fn a_401_is_an_authoritative_no() {
    is_out(401).await;
}

#[tokio::test]
async fn a_403_is_an_authoritative_no() {
    is_out(403).await;
}

#[tokio::test]
async fn a_404_is_an_authoritative_no() {
    is_out(404).await;
}

#[tokio::test]
async fn a_410_is_an_authoritative_no() {
    is_out(410).await;
}

#[tokio::test]
async fn a_429_decides_nothing() {
    falls_back(Behaviour::status(429)).await;
}

#[tokio::test]
async fn a_5xx_decides_nothing() {
    for status in [500, 502, 503, 504, 599] {
        falls_back(Behaviour::status(status)).await;
    }
}

#[tokio::test]
async fn html_with_200_decides_nothing() {
    falls_back(Behaviour::Html).await;
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_decides_nothing() {
    let elsewhere = Scene::new();
    falls_back(Behaviour::Redirect(format!(
        "{}/v1/host/snapshot",
        elsewhere.server.url()
    )))
    .await;
    assert!(elsewhere.server.requests().is_empty());
}

#[tokio::test]
async fn ten_gibibytes_decide_nothing() {
    falls_back(Behaviour::TenGibibytes).await;
}

#[tokio::test]
async fn a_truncated_body_decides_nothing() {
    falls_back(Behaviour::Truncated(sign(&snapshot(1, 11)))).await;
}

#[tokio::test]
async fn an_endless_body_decides_nothing() {
    falls_back(Behaviour::Endless).await;
}

#[tokio::test]
async fn endless_headers_decide_nothing() {
    falls_back(Behaviour::EndlessHeaders).await;
}

#[tokio::test]
async fn a_body_that_drips_decides_nothing() {
    falls_back(Behaviour::Dripping).await;
}

#[tokio::test]
async fn a_server_that_says_nothing_for_ever_decides_nothing() {
    falls_back(Behaviour::Silent).await;
}

#[tokio::test]
async fn a_server_that_hangs_up_decides_nothing() {
    falls_back(Behaviour::HangUp).await;
}

#[tokio::test]
async fn what_is_not_http_decides_nothing() {
    falls_back(Behaviour::Garbage).await;
}

#[tokio::test]
async fn a_304_to_a_host_that_holds_nothing_decides_nothing() {
    let scene = Scene::new();
    scene.server.set(unchanged(1, 10));
    let mut agent = scene.start();
    assert_eq!(agent.login().await, ("unavailable", Reason::NoSnapshot));
}

#[tokio::test]
async fn expired_foreign_and_wrongly_named_certificates_decide_nothing() {
    for kind in [
        CertificateKind::Expired,
        CertificateKind::NotYetValid,
        CertificateKind::WrongName,
        CertificateKind::ForeignCa,
        CertificateKind::SelfSigned,
    ] {
        let scene = Scene::new();
        let mut before = scene.stale().await;
        before.poller.finish().await;
        drop(before);
        // It would take the host's snapshot away, if it were believed.
        let evil = FakeKeyServer::start(&scene.ca, kind, Behaviour::status(410)).unwrap();
        let mut agent = scene.start_with(&evil.url());
        assert_eq!(agent.login().await, STALE, "{kind:?}");
        assert!(
            evil.requests().is_empty(),
            "{kind:?}: nothing was asked of it"
        );
        assert!(agent.health().fetch.unwrap().contains("TLS"), "{kind:?}");
    }
}

/// A snapshot that may not be used comes in: the last good one stays, and status says why.
async fn is_refused(document: Vec<u8>, why: &str) {
    let scene = Scene::new();
    let mut agent = scene.stale().await;
    scene.server.set(answer(&document).vouched(voucher(1, 11)));
    assert_eq!(agent.login().await, STALE);
    let said = agent.health().fetch.unwrap();
    assert!(said.contains(why), "{said}");
    assert_eq!(agent.shared.known().seen, tag(1, 10));
    agent.poller.finish().await;
    let on_disk = std::fs::read(scene.disk.path().join("state/snapshot")).unwrap();
    assert_eq!(on_disk, sign(&snapshot(1, 10)));
}

#[tokio::test]
async fn a_snapshot_with_a_flipped_bit_is_refused_and_the_last_good_one_stays() {
    let mut document = sign(&snapshot(1, 11));
    let last = document.len() - 20;
    document[last] ^= 1;
    is_refused(document, "signature").await;
}

#[tokio::test]
async fn a_snapshot_of_another_host_is_refused_and_the_last_good_one_stays() {
    let mut other = snapshot(1, 11);
    other.host = HOST_ID.replace('0', "1");
    is_refused(sign(&other), "is for host").await;
}

#[tokio::test]
async fn a_snapshot_older_than_one_seen_is_refused_and_the_last_good_one_stays() {
    is_refused(sign(&snapshot(1, 9)), "was seen before").await;
}

#[tokio::test]
async fn a_snapshot_signed_by_another_key_is_refused_and_the_last_good_one_stays() {
    let other = SnapshotKey::from_seed(&[99; 32]).unwrap();
    let bytes = serde_json::to_vec(&snapshot(1, 11)).unwrap();
    is_refused(
        other.sign(Namespace::Snapshot, &bytes).unwrap(),
        "signature does not hold",
    )
    .await;
}
