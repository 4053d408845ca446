//! Grants.

use keyroster_api::paths;
use serde_json::{Value, json};

use crate::fixture::Fixture;

async fn with_ends() -> Fixture {
    let fixture = Fixture::start().await;
    fixture.add_user("alice").await;
    fixture.add_host_group("web").await;
    fixture
}

/// A grant to alice on the host group, with what the test adds.
fn grant(more: Value) -> Value {
    let mut body = json!({ "user": "alice", "account": "deploy", "host_group": "web" });
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn an_option_that_sshd_does_not_know_is_refused_by_name() {
    let fixture = with_ends().await;
    let before = fixture.revision().await;
    for option in [
        "allow-everything",
        "restrict",
        "cert-authority",
        "principals=\"x\"",
        "command=\"x\"",
        "expiry-time=\"x\"",
    ] {
        let reply = fixture
            .post(paths::GRANTS, grant(json!({ "options": [option] })))
            .await;
        assert_eq!(reply.problem(), "unacceptable-option", "{option}");
        let name = option.split('=').next().unwrap();
        assert!(
            reply.json()["detail"].as_str().unwrap().contains(name),
            "{reply:?}"
        );
    }
    assert_eq!(fixture.revision().await, before);
}

#[tokio::test]
async fn a_grant_is_shown_as_it_was_given() {
    let fixture = with_ends().await;
    let body = grant(json!({
        "from": ["10.0.0.0/8"], "command": "/usr/bin/backup", "options": ["port-forwarding"],
        "until": "2100-01-01T00:00:00Z", "reason": "nightly",
    }));
    let given = fixture.post(paths::GRANTS, body).await;
    assert_eq!(given.status, 201, "{given:?}");
    let shown = fixture
        .get(&paths::fill(
            paths::GRANT,
            &[given.json()["id"].as_str().unwrap()],
        ))
        .await
        .json();
    assert_eq!(shown, given.json());
    assert_eq!(shown["options"], json!(["no-pty", "port-forwarding"]));
    assert_eq!(
        (&shown["created_by"], &shown["state"]),
        (&json!("admin"), &json!("active"))
    );
}

#[tokio::test]
async fn a_grant_with_a_bad_part_is_refused_and_the_part_is_named() {
    let fixture = with_ends().await;
    for (more, field) in [
        (json!({ "account": "-h" }), "account"),
        (json!({ "account": "../../etc/x" }), "account"),
        (json!({ "from": ["10.0.0.1/8"] }), "from"),
        (json!({ "group": "ops" }), "user, group"),
        (json!({ "host": "web-1" }), "host, host_group"),
        (json!({ "until": "2020-01-01T00:00:00Z" }), "until"),
        (
            json!({ "not_before": "2101-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z" }),
            "grant",
        ),
        (
            json!({ "effect": "deny", "options": ["pty"], "command": "x" }),
            "grant",
        ),
        (json!({ "reason": "a\nb" }), "reason"),
        (json!({ "command": "a\nb" }), "options"),
    ] {
        let reply = fixture.post(paths::GRANTS, grant(more.clone())).await;
        assert_eq!(reply.problem(), "invalid-value", "{more}");
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(
            detail.starts_with(&format!("{field}: ")),
            "{more}: {detail}"
        );
    }
}

#[tokio::test]
async fn a_grant_to_or_on_what_is_not_there_is_refused() {
    let fixture = with_ends().await;
    for more in [json!({ "user": "nobody" }), json!({ "host_group": "none" })] {
        assert_eq!(
            fixture.post(paths::GRANTS, grant(more)).await.problem(),
            "not-found"
        );
    }
    let on_host = json!({ "user": "alice", "account": "deploy", "host": "web-1" });
    assert_eq!(
        fixture.post(paths::GRANTS, on_host).await.problem(),
        "not-found"
    );
}

#[tokio::test]
async fn a_revoked_grant_stays_in_the_list_as_revoked() {
    let fixture = with_ends().await;
    let id = fixture.post(paths::GRANTS, grant(json!({}))).await.json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        fixture
            .post(&paths::fill(paths::GRANT_REVOKE, &[&id]), Value::Null)
            .await
            .status,
        200
    );
    let listed = fixture.get(paths::GRANTS).await.json();
    assert_eq!(
        (&listed["items"][0]["id"], &listed["items"][0]["state"]),
        (&json!(id), &json!("revoked"))
    );
}

#[tokio::test]
async fn grants_made_in_one_second_are_listed_in_the_order_in_which_they_were_made() {
    let fixture = with_ends().await;
    let mut made = Vec::new();
    for account in ["a", "b", "c", "d"] {
        made.push(
            fixture
                .post(paths::GRANTS, grant(json!({ "account": account })))
                .await
                .json()["id"]
                .clone(),
        );
    }
    let listed = fixture.get(paths::GRANTS).await.json();
    let ids: Vec<Value> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|grant| grant["id"].clone())
        .collect();
    assert_eq!(ids, made);
}
