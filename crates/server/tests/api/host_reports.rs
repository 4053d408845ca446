//! What hosts report about themselves.

use axum::http::Method;
use keyroster_api::paths;
use serde_json::{Value, json};

use crate::fixture::{Fixture, Host, Reply, logged};

const KEY: &str = "SHA256:Nh0Me49Zh9fDw/VYUfq43IJmI1T+XrjiYONPND8GzaM";

fn report(number: u32) -> Value {
    json!({
        "id": format!("8c1f6b1e-65b4-4c8e-a6f0-{number:012}"), "kind": "break-glass", "account": "root",
        "fingerprint": KEY, "at": "2026-11-21T09:00:00Z",
    })
}

async fn tell(host: &Host, reports: &[Value]) -> Reply {
    host.post(paths::HOST_REPORTS, json!({ "reports": reports }))
        .await
}

#[tokio::test]
async fn a_use_of_a_break_glass_key_is_an_event_of_the_host_is_shown_counted_and_logged() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    let told = tell(&host, &[report(1)]).await;
    assert_eq!(told.status, 200, "{:?}", told.body);
    let page = fixture.get(paths::AUDIT_EVENTS).await.json();
    let event = page["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(event["action"], "break-glass.use");
    assert_eq!(event["object"], KEY);
    assert_eq!(event["actor"], format!("host:{}", host.enrolled.host_id));
    assert_eq!(event["revision"], told.json()["reports"][0]["revision"]);
    assert!(
        event["detail"]
            .as_str()
            .unwrap()
            .contains(r#""host_time":"2026-11-21T09:00:00Z""#)
    );
    for shown in [
        fixture
            .get(&paths::fill(paths::HOST, &["web-1"]))
            .await
            .json(),
        fixture.get(paths::HOSTS).await.json()["items"][0].clone(),
    ] {
        let last = &shown["last_break_glass"];
        assert_eq!(
            (&last["account"], &last["fingerprint"]),
            (&json!("root"), &json!(KEY))
        );
        assert_eq!(
            (&last["at"], &shown["last_drill"]),
            (&json!("2026-11-21T09:00:00Z"), &Value::Null)
        );
    }
    assert_eq!(
        fixture
            .metric("keyroster_host_reports_total{kind=\"break-glass\"}")
            .await,
        1
    );
    assert!(logged().contains("a break-glass key was used"));
}

#[tokio::test]
async fn telling_again_is_answered_alike_and_is_no_second_event() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    let first = tell(&host, &[report(1)]).await;
    let revision = fixture.revision().await;
    let again = tell(&host, &[report(1)]).await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(fixture.revision().await, revision);
    assert_eq!(
        fixture
            .metric("keyroster_host_reports_total{kind=\"break-glass\"}")
            .await,
        1
    );
}

#[tokio::test]
async fn what_is_no_report_is_refused_by_the_name_of_the_field_and_nothing_is_written() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    let revision = fixture.revision().await;
    for (field, value) in [
        ("id", "1"),
        ("kind", "party"),
        ("account", "../x"),
        ("account", "a\nb"),
        ("fingerprint", "SHA256:x"),
    ] {
        let mut wrong = report(2);
        wrong[field] = json!(value);
        let reply = tell(&host, &[report(1), wrong]).await;
        assert_eq!(reply.problem(), "invalid-value", "{field}");
        let detail = reply.json()["detail"].clone();
        assert!(
            detail.as_str().unwrap().starts_with(&format!("{field}: ")),
            "{detail}"
        );
    }
    assert_eq!(tell(&host, &[]).await.problem(), "invalid-value");
    let many: Vec<Value> = (0..33).map(report).collect();
    assert_eq!(tell(&host, &many).await.problem(), "invalid-value");
    let mut more = report(1);
    more["host"] = json!("another");
    assert_eq!(tell(&host, &[more]).await.problem(), "malformed-body");
    assert_eq!(fixture.revision().await, revision);
}

#[tokio::test]
async fn a_host_that_floods_is_told_to_wait_and_others_are_heard() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    let part = |from: u32| (from..from + 30).map(report).collect::<Vec<_>>();
    for from in [0, 30] {
        assert_eq!(tell(&host, &part(from)).await.status, 200);
    }
    let over = tell(&host, &[report(60)]).await;
    assert_eq!(
        (over.status, over.problem()),
        (429, "too-many-requests".to_owned())
    );
    let other = fixture.enrol("web-2", "web").await;
    assert_eq!(tell(&other, &[report(60)]).await.status, 200);
    fixture.clock.advance(60);
    assert_eq!(tell(&host, &[report(60)]).await.status, 200);
}

#[tokio::test]
async fn whoever_is_no_host_of_the_roster_reports_nothing() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    let body = json!({ "reports": [report(1)] });
    let person = fixture.admin(Method::POST, paths::HOST_REPORTS, body).await;
    assert_eq!(person.problem(), "unauthenticated");
    fixture
        .admin(
            Method::DELETE,
            &paths::fill(paths::HOST, &["web-1"]),
            Value::Null,
        )
        .await;
    assert_eq!(tell(&host, &[report(1)]).await.problem(), "host-gone");
}
