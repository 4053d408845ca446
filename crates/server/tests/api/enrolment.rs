//! Enrolment and renewal: how a host gets its certificate, and how a copy of one is found out.

use axum::http::Method;
use keyroster_api::paths;
use serde_json::{Value, json};

use crate::fixture::{Fixture, Reply, certificate_request, logged, secret_text};

async fn enrol(fixture: &Fixture, secret: &str, name: &str, csr: &str) -> Reply {
    let body = json!({ "secret": secret, "name": name, "csr": csr });
    fixture.call(Method::POST, paths::ENROLL, None, body).await
}

async fn hosts(fixture: &Fixture) -> Value {
    fixture.get(paths::HOSTS).await.json()["items"].clone()
}

#[tokio::test]
async fn a_token_enrols_one_host_into_its_host_group_and_pins_what_the_host_must_trust() {
    let fixture = Fixture::start().await;
    let token = fixture.enrolment_token("web").await;
    assert_eq!(
        token.ca_pin,
        *keyroster_edge::CaPin::of(&fixture.ca).as_bytes()
    );
    let host = fixture.enrol("web-1", "web").await;
    let public =
        keyroster_api::signature::SnapshotPublicKey::from_openssh(&host.enrolled.snapshot_key)
            .unwrap();
    assert_eq!(public.pin().unwrap(), token.snapshot_pin);
    let listed = hosts(&fixture).await;
    assert_eq!(listed[0]["id"], host.enrolled.host_id);
    assert_eq!(
        (&listed[0]["name"], &listed[0]["groups"]),
        (&json!("web-1"), &json!(["web"]))
    );
}

#[tokio::test]
async fn a_token_that_was_used_has_expired_or_never_was_enrols_nobody_and_all_look_alike() {
    let fixture = Fixture::start().await;
    let (csr, _) = certificate_request();
    let used = secret_text(&fixture.enrolment_token("web").await);
    assert_eq!(enrol(&fixture, &used, "web-1", &csr).await.status, 201);
    let old = secret_text(&fixture.enrolment_token("web").await);
    fixture.clock.advance(3600);
    let mut replies = Vec::new();
    for secret in [used.as_str(), &old, &"A".repeat(27), "nonsense", ""] {
        let reply = enrol(&fixture, secret, "web-2", &csr).await;
        assert_eq!(reply.problem(), "enrolment-refused", "{secret}");
        replies.push(reply.body);
    }
    replies.dedup();
    assert_eq!(replies.len(), 1, "a stranger can't tell why");
    assert_eq!(hosts(&fixture).await.as_array().unwrap().len(), 1);
    assert!(
        !logged().contains(&used) && !logged().contains(&old),
        "no secret is in the log"
    );
}

#[tokio::test]
async fn one_token_shown_by_many_at_once_enrols_one() {
    let fixture = Fixture::start().await;
    let secret = secret_text(&fixture.enrolment_token("web").await);
    let (csr, _) = certificate_request();
    let names: Vec<String> = (0..8).map(|number| format!("web-{number}")).collect();
    let tries = futures_util::future::join_all(
        names
            .iter()
            .map(|name| enrol(&fixture, &secret, name, &csr)),
    )
    .await;
    assert_eq!(tries.iter().filter(|reply| reply.status == 201).count(), 1);
    assert_eq!(hosts(&fixture).await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_bad_request_for_a_certificate_does_not_burn_the_token() {
    let fixture = Fixture::start().await;
    let secret = secret_text(&fixture.enrolment_token("web").await);
    let (csr, key) = certificate_request();
    let private = key.serialize_pem();
    for (name, csr) in [
        ("web-1", "nonsense"),
        ("web-1", private.as_str()),
        ("-h", csr.as_str()),
        ("a b", &csr),
    ] {
        assert_eq!(
            enrol(&fixture, &secret, name, csr).await.problem(),
            "invalid-value",
            "{name}"
        );
    }
    assert_eq!(enrol(&fixture, &secret, "web-1", &csr).await.status, 201);
}

#[tokio::test]
async fn a_name_that_an_active_host_has_is_refused_and_free_again_once_that_host_is_removed() {
    let fixture = Fixture::start().await;
    let first = fixture.enrol("web-1", "web").await;
    let secret = secret_text(&fixture.enrolment_token("web").await);
    let (csr, _) = certificate_request();
    assert_eq!(
        enrol(&fixture, &secret, "web-1", &csr).await.problem(),
        "already-exists"
    );
    assert_eq!(
        fixture
            .admin(Method::DELETE, "/v1/hosts/web-1", Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(enrol(&fixture, &secret, "web-1", &csr).await.status, 201);
    assert_eq!(
        first.poll(None).await.problem(),
        "host-gone",
        "the old credential does not serve for the new host"
    );
}

#[tokio::test]
async fn a_token_lives_an_hour_at_most() {
    let fixture = Fixture::start().await;
    fixture.add_host_group("web").await;
    for ttl in [0, 3601] {
        let body = json!({ "host_group": "web", "ttl_s": ttl });
        assert_eq!(
            fixture.post(paths::ENROLMENT_TOKENS, body).await.problem(),
            "invalid-value"
        );
    }
    assert_eq!(
        fixture
            .post(paths::ENROLMENT_TOKENS, json!({ "host_group": "none" }))
            .await
            .problem(),
        "not-found"
    );
}

#[tokio::test]
async fn enrolment_tokens_are_listed_without_their_secrets() {
    let fixture = Fixture::start().await;
    let secret = secret_text(&fixture.enrolment_token("web").await);
    let host = fixture.enrol("web-1", "web").await;
    let listed = fixture.get(paths::ENROLMENT_TOKENS).await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert!(!listed.to_string().contains(&secret));
    assert!(listed.to_string().contains(&host.enrolled.host_id));
}

#[tokio::test]
async fn a_renewed_certificate_takes_over_at_its_first_use() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    let (reply, key) = host.renew().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(
        host.poll(None).await.status,
        200,
        "what the host has stays good until it uses the new one"
    );
    let renewed =
        host.with_client(fixture.host_client(reply.json()["certificate"].as_str().unwrap(), &key));
    assert_eq!(renewed.poll(None).await.status, 200);
    assert_eq!(
        host.poll(None).await.status,
        200,
        "a lookup may have read the old files a moment ago"
    );
}

#[tokio::test]
async fn an_old_certificate_that_is_used_later_locks_the_host_and_raises_an_alert() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    let (reply, key) = host.renew().await;
    let renewed =
        host.with_client(fixture.host_client(reply.json()["certificate"].as_str().unwrap(), &key));
    assert_eq!(renewed.poll(None).await.status, 200);
    fixture.clock.advance(keyroster_store::OVERLAP_S + 1);
    assert_eq!(
        host.poll(None).await.problem(),
        "host-gone",
        "somebody has a copy"
    );
    assert_eq!(
        renewed.poll(None).await.problem(),
        "host-gone",
        "nobody can tell which of the two is the thief"
    );
    let events = fixture.get(paths::AUDIT_EVENTS).await.json();
    assert!(events.to_string().contains("\"host.lock\""), "{events}");
    assert!(logged().contains("somebody has a copy"));
    assert_eq!(hosts(&fixture).await[0]["state"], "removed");
}

#[tokio::test]
async fn two_holders_of_one_certificate_that_both_renew_lock_the_host() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    let (reply, key) = host.renew().await;
    let owner =
        host.with_client(fixture.host_client(reply.json()["certificate"].as_str().unwrap(), &key));
    assert_eq!(owner.poll(None).await.status, 200);
    let (thief, _) = host.renew().await;
    assert_eq!(thief.problem(), "host-gone");
    assert_eq!(owner.poll(None).await.problem(), "host-gone");
}

#[tokio::test]
async fn a_certificate_of_our_ca_that_is_no_hosts_opens_nothing() {
    let fixture = Fixture::start().await;
    let read = |name: &str| std::fs::read_to_string(fixture.file(name)).unwrap();
    let ca = keyroster_server::ca::Ca::load(&read("ca.pem"), &read("ca.key")).unwrap();
    let now = keyroster_server::clock::Clock::now(fixture.clock.as_ref());
    let leaf = ca
        .issue_server(&["localhost".to_owned()], now, [1; 16])
        .unwrap();
    let identity = keyroster_edge::Identity {
        chain: leaf.chain,
        key: leaf.key,
    };
    let trust = keyroster_edge::Trust::Ca(fixture.ca.clone());
    let client = keyroster_edge::http_client(
        trust,
        Some(identity),
        keyroster_edge::ClientLimits::default(),
    )
    .unwrap();
    let sent = client
        .send(
            client.request(Method::GET, &fixture.url(paths::HOST_SNAPSHOT)),
            4096,
        )
        .await;
    // A server's certificate is not for clients, so that the handshake itself refuses it.
    assert!(sent.is_err() || sent.is_ok_and(|answer| answer.status.as_u16() == 403));
}
