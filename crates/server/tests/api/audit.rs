//! The audit log, as it is read over the API.

use keyroster_api::audit::EventView;
use keyroster_api::paths;
use keyroster_roster::{AuditEvent, ChainCheck, EventHash, Link, Revision};
use serde_json::json;

use crate::fixture::{ED25519, Fixture};

fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}

fn event(view: &EventView) -> AuditEvent {
    AuditEvent {
        sequence: view.sequence,
        revision: Revision::new(view.revision).unwrap(),
        at: view.at,
        actor: view.actor.clone(),
        action: view.action.clone(),
        object: view.object.clone(),
        detail: view.detail.clone(),
        previous_hash: EventHash::parse(&view.previous_hash).unwrap(),
        hash: EventHash::parse(&view.hash).unwrap(),
    }
}

#[tokio::test]
async fn whoever_reads_the_events_can_check_the_chain_up_to_the_head_that_hosts_witness() {
    let fixture = Fixture::start().await;
    let key = fixture.let_alice_in(ED25519).await;
    let host = fixture.enrol("web-1", "web").await;
    fixture
        .post(
            &paths::fill(paths::KEY_REVOKE, &[&key]),
            json!({ "reason": "lost" }),
        )
        .await;
    let page = fixture.get(paths::AUDIT_EVENTS).await.json();
    let events: Vec<EventView> = serde_json::from_value(page["items"].clone()).unwrap();
    let mut check = ChainCheck::from_start(sha256);
    for view in &events {
        assert_eq!(check.next(&event(view)), Link::Holds, "{view:?}");
    }
    let head = fixture.get(paths::AUDIT_HEAD).await.json();
    assert_eq!(head["hash"], check.head().hash.to_string());
    assert_eq!(host.poll(None).await.snapshot()["audit_head"], head["hash"]);
    let last = events.last().unwrap();
    assert_eq!(
        (
            last.actor.as_str(),
            last.action.as_str(),
            last.object.as_str()
        ),
        ("admin", "key.revoke", key.as_str())
    );
    assert!(last.detail.contains("lost"));
}

#[tokio::test]
async fn no_event_holds_a_secret() {
    let fixture = Fixture::start().await;
    let token = fixture.token("somebody", "auditor").await;
    let enrolment = crate::fixture::secret_text(&fixture.enrolment_token("web").await);
    let events = fixture.get(paths::AUDIT_EVENTS).await.json().to_string();
    assert!(events.contains("token.add") && events.contains("enrolment-token.add"));
    assert!(!events.contains(&token[4..]) && !events.contains(&enrolment));
}
