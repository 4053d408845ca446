//! Every refusal is a problem, whoever makes it.

use axum::http::Method;
use keyroster_api::paths;
use serde_json::{Value, json};

use crate::fixture::Fixture;

#[tokio::test]
async fn a_path_that_is_not_there_and_a_method_that_is_not_taken_are_problems() {
    let fixture = Fixture::start().await;
    for path in [
        "/",
        "/v1",
        "/v1/nothing",
        "/v1/users/",
        "/etc/passwd",
        "/v1/users/a/b/c",
        "/v1/../healthz/x",
    ] {
        let reply = fixture.get(path).await;
        assert_eq!(
            (reply.status, reply.problem().as_str()),
            (404, "not-found"),
            "{path}"
        );
    }
    let reply = fixture
        .admin(Method::DELETE, paths::USERS, Value::Null)
        .await;
    assert_eq!(
        (reply.status, reply.problem().as_str()),
        (405, "method-not-allowed")
    );
    assert!(reply.headers["allow"].to_str().unwrap().contains("POST"));
}

#[tokio::test]
async fn a_body_that_is_not_the_json_that_is_wanted_is_refused() {
    let fixture = Fixture::start().await;
    let post = async |content_type: &str, body: &str| {
        fixture
            .raw(Method::POST, paths::USERS, content_type, body.to_owned())
            .await
            .problem()
    };
    for body in [
        "",
        "{",
        "nonsense",
        "[]",
        "[\"alice\"]",
        "\"alice\"",
        "{}",
        r#"{"name":1}"#,
        r#"{"name":"a"} x"#,
    ] {
        assert_eq!(
            post("application/json", body).await,
            "malformed-body",
            "{body}"
        );
    }
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonx",
    ] {
        assert_eq!(
            post(content_type, r#"{"name":"alice"}"#).await,
            "unsupported-media-type",
            "{content_type}"
        );
    }
    let with_charset = fixture.raw(
        Method::POST,
        paths::USERS,
        "application/json; charset=utf-8",
        r#"{"name":"alice"}"#,
    );
    assert_eq!(with_charset.await.status, 201);
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
async fn an_unknown_or_repeated_field_is_refused_and_named() {
    let fixture = Fixture::start().await;
    for (path, body) in [
        (paths::USERS, r#"{"name":"alice","admin":true}"#),
        (paths::GROUPS, r#"{"name":"ops","members":[]}"#),
        (
            paths::HOST_GROUPS,
            r#"{"name":"web","freshness":{"max_staleness_s":1,"grace_s":1,"mode":"grace","x":1}}"#,
        ),
        (
            paths::GRANTS,
            r#"{"user":"alice","account":"deploy","host_group":"web","untill":"x"}"#,
        ),
        (paths::ENROLMENT_TOKENS, r#"{"host_group":"web","ttl":60}"#),
        (
            paths::TOKENS,
            r#"{"name":"x","role":"auditor","expires_at":"2027-01-01T00:00:00Z","scope":"x"}"#,
        ),
        (
            paths::ENROLL,
            r#"{"secret":"x","name":"x","csr":"x","key":"x"}"#,
        ),
        (
            "/v1/users/alice/keys",
            r#"{"public_key":"x","expires":"x"}"#,
        ),
    ] {
        let reply = fixture
            .raw(Method::POST, path, "application/json", body)
            .await;
        assert_eq!(reply.problem(), "malformed-body", "{path}");
        assert!(
            reply.json()["detail"]
                .as_str()
                .unwrap()
                .contains("unknown field"),
            "{path}: {reply:?}"
        );
    }
    let twice = fixture
        .raw(
            Method::POST,
            paths::USERS,
            "application/json",
            r#"{"name":"a","name":"b"}"#,
        )
        .await;
    assert!(
        twice.json()["detail"]
            .as_str()
            .unwrap()
            .contains("duplicate field `name`")
    );
}

#[tokio::test]
async fn an_unknown_query_parameter_is_refused() {
    let fixture = Fixture::start().await;
    for query in [
        "?limt=5",
        "?limit=5&limit=6",
        "?limit=x",
        "?limit=0",
        "?limit=1001",
        "?cursor=%00",
        "?cursor=%ff",
    ] {
        let reply = fixture.get(&format!("{}{query}", paths::USERS)).await;
        assert_eq!(reply.problem(), "invalid-value", "{query}");
    }
}

#[tokio::test]
async fn a_name_in_a_path_that_is_no_name_is_refused_and_never_becomes_another_path() {
    let fixture = Fixture::start().await;
    for name in [
        "-h",
        "--user=root",
        "../../etc/x",
        "a%2fb",
        "DOM\\bob",
        "%s%n",
        "\u{0}",
        "A",
        &"a".repeat(255),
    ] {
        let reply = fixture.get(&paths::fill(paths::USER, &[name])).await;
        assert_eq!(
            (reply.status, reply.problem().as_str()),
            (422, "invalid-value"),
            "{name}"
        );
    }
    let not_utf8 = fixture.get("/v1/users/%ff%fe").await;
    assert_eq!(not_utf8.problem(), "invalid-value");
}

#[tokio::test]
async fn answers_name_their_request_and_are_kept_by_no_cache() {
    let fixture = Fixture::start().await;
    let (one, two) = (
        fixture.get(paths::USERS).await,
        fixture.get("/v1/nothing").await,
    );
    for reply in [&one, &two] {
        assert_eq!(reply.headers["cache-control"], "no-store");
        assert_eq!(reply.headers["x-request-id"].len(), 16);
    }
    assert_ne!(one.headers["x-request-id"], two.headers["x-request-id"]);
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let fixture = Fixture::start().await;
    let reply = fixture.get("/v1/users/nobody").await;
    assert_eq!(reply.problem(), "not-found");
    assert_eq!(reply.json()["detail"], "there is no user \"nobody\"");
    let again = json!({ "name": "alice" });
    fixture.add_user("alice").await;
    assert_eq!(
        fixture.post(paths::USERS, again).await.problem(),
        "already-exists"
    );
}
