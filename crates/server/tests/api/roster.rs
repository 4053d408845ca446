//! Users, groups, hosts and host groups.

use axum::http::Method;
use keyroster_api::paths;
use serde_json::{Value, json};

use crate::fixture::{ED25519, Fixture};

#[tokio::test]
async fn a_suspended_user_is_out_at_once_and_back_when_resumed() {
    let fixture = Fixture::start().await;
    fixture.let_alice_in(ED25519).await;
    let host = fixture.enrol("web-1", "web").await;
    let change = async |state: &str| {
        let body = json!({ "state": state, "reason": "on leave" });
        assert_eq!(
            fixture
                .admin(Method::PATCH, "/v1/users/alice", body)
                .await
                .status,
            200
        );
        host.poll(None).await.snapshot()["accounts"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(change("suspended").await, 0);
    assert_eq!(change("active").await, 1);
    assert_eq!(change("terminated").await, 0);
    let back = fixture
        .admin(
            Method::PATCH,
            "/v1/users/alice",
            json!({ "state": "active" }),
        )
        .await;
    assert_eq!(back.problem(), "conflict");
    let events = fixture.get(paths::AUDIT_EVENTS).await.json().to_string();
    assert!(events.contains("on leave"), "{events}");
}

#[tokio::test]
async fn a_service_has_a_person_who_answers_for_it() {
    let fixture = Fixture::start().await;
    fixture.add_user("alice").await;
    let robot = fixture
        .post(paths::USERS, json!({ "name": "backup", "owner": "alice" }))
        .await;
    assert_eq!(
        (&robot.json()["kind"], &robot.json()["owner"]),
        (&json!("service"), &json!("alice"))
    );
    let nobody = fixture
        .post(paths::USERS, json!({ "name": "x", "owner": "nobody" }))
        .await;
    assert_eq!(nobody.problem(), "not-found");
    assert_eq!(
        fixture
            .post(paths::USERS, json!({ "name": "Not A Name" }))
            .await
            .problem(),
        "invalid-value"
    );
}

#[tokio::test]
async fn a_member_of_a_group_is_in_by_the_groups_grant_and_out_when_taken_out() {
    let fixture = Fixture::start().await;
    fixture.add_user("alice").await;
    fixture.add_key("alice", ED25519).await;
    assert_eq!(
        fixture
            .post(paths::GROUPS, json!({ "name": "ops" }))
            .await
            .status,
        201
    );
    let host = fixture.enrol("web-1", "web").await;
    let grant = json!({ "group": "ops", "account": "root", "host": "web-1" });
    assert_eq!(fixture.post(paths::GRANTS, grant).await.status, 201);
    let member = paths::fill(paths::GROUP_MEMBER, &["ops", "alice"]);
    let accounts = async || {
        host.poll(None).await.snapshot()["accounts"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(accounts().await, 0);
    assert_eq!(
        fixture
            .admin(Method::PUT, &member, Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(
        fixture.get("/v1/groups/ops").await.json()["members"],
        json!(["alice"])
    );
    assert_eq!(accounts().await, 1);
    assert_eq!(
        fixture
            .admin(Method::DELETE, &member, Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(accounts().await, 0);
    assert_eq!(
        fixture
            .admin(Method::DELETE, "/v1/groups/ops", Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(fixture.get("/v1/groups/ops").await.problem(), "not-found");
}

#[tokio::test]
async fn a_host_is_found_by_its_name_and_by_its_id() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    let by_name = fixture.get("/v1/hosts/web-1").await.json();
    assert_eq!(
        by_name,
        fixture
            .get(&paths::fill(paths::HOST, &[&host.enrolled.host_id]))
            .await
            .json()
    );
    assert_eq!(by_name["id"], host.enrolled.host_id);
    assert_eq!(fixture.get("/v1/hosts/web-2").await.problem(), "not-found");
}

#[tokio::test]
async fn a_host_group_has_its_hosts_and_bounds_within_limits() {
    let fixture = Fixture::start().await;
    fixture.enrol("web-1", "web").await;
    assert_eq!(
        fixture.get("/v1/host-groups/web").await.json()["hosts"],
        json!(["web-1"])
    );
    let endless = json!({ "name": "x", "freshness": { "max_staleness_s": 1, "grace_s": 604_801, "mode": "grace" } });
    assert_eq!(
        fixture.post(paths::HOST_GROUPS, endless).await.problem(),
        "invalid-value"
    );
    let path = paths::fill(paths::HOST_GROUP_HOST, &["web", "web-1"]);
    assert_eq!(
        fixture
            .admin(Method::DELETE, &path, Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(
        fixture.get("/v1/host-groups/web").await.json()["hosts"],
        json!([])
    );
    assert_eq!(
        fixture
            .admin(Method::DELETE, "/v1/host-groups/web", Value::Null)
            .await
            .status,
        200
    );
}
