//! Who may do what.

use axum::http::Method;
use keyroster_api::paths;
use serde_json::{Value, json};

use crate::fixture::{Fixture, Reply};

/// A route, and the least role that may take it; `None` for routes that take no bearer token.
struct Route {
    method: Method,
    path: String,
    role: Option<String>,
}

/// Every route that the server has, as its own document tells it, with something in each place of a path.
fn routes() -> Vec<Route> {
    let document = serde_json::to_value(keyroster_server::router::document()).unwrap();
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let security = &operation["security"][0];
            let role = security["bearer"][0].as_str().map(ToOwned::to_owned);
            let method = method.to_uppercase().parse().unwrap();
            routes.push(Route {
                method,
                path: filled(path),
                role,
            });
        }
    }
    routes
}

fn filled(path: &str) -> String {
    path.replace(
        "{fingerprint}",
        "SHA256%3ANh0Me49Zh9fDw%2FVYUfq43IJmI1T%2BXrjiYONPND8GzaM",
    )
    .replace("{id}", "01939e8a-7c3f-7b1e-9d55-0123456789ab")
    .replace("{name}", "nobody")
    .replace("{user}", "nobody")
    .replace("{host}", "nohost")
}

async fn take(fixture: &Fixture, route: &Route, token: Option<&str>) -> Reply {
    fixture
        .call(route.method.clone(), &route.path, token, Value::Null)
        .await
}

#[tokio::test]
async fn every_route_refuses_whoever_has_no_token_or_no_longer_a_good_one() {
    let fixture = Fixture::start().await;
    let (revoked, expired) = (
        fixture.token("revoked", "admin").await,
        fixture.token("expired", "admin").await,
    );
    assert_eq!(
        fixture
            .post("/v1/tokens/revoked/revoke", Value::Null)
            .await
            .status,
        200
    );
    fixture.clock.advance(3601);
    let unknown = format!("krt_{}", "A".repeat(43));
    let before = fixture.revision().await;
    for route in routes().iter().filter(|route| route.role.is_some()) {
        for token in [
            None,
            Some("nonsense"),
            Some(unknown.as_str()),
            Some(&revoked),
            Some(&expired),
        ] {
            let reply = take(&fixture, route, token).await;
            assert_eq!(
                reply.problem(),
                "unauthenticated",
                "{} {}",
                route.method,
                route.path
            );
            assert_eq!(reply.headers["www-authenticate"], "Bearer");
        }
    }
    assert_eq!(fixture.revision().await, before);
}

#[tokio::test]
async fn every_route_takes_the_roles_that_it_names_and_no_lesser_one() {
    let fixture = Fixture::start().await;
    let tokens = [
        ("auditor", fixture.token("an-auditor", "auditor").await),
        ("officer", fixture.token("an-officer", "officer").await),
        ("admin", fixture.token.clone()),
    ];
    let rank = |role: &str| tokens.iter().position(|(name, _)| *name == role).unwrap();
    for route in routes() {
        let Some(needed) = &route.role else { continue };
        for (role, token) in &tokens {
            let reply = take(&fixture, &route, Some(token)).await;
            let place = format!("{} {} as {role}: {reply:?}", route.method, route.path);
            if rank(role) < rank(needed) {
                assert_eq!(reply.problem(), "forbidden", "{place}");
            } else {
                assert!(!matches!(reply.status, 401 | 403), "{place}");
            }
        }
    }
}

#[tokio::test]
async fn the_routes_without_a_token_are_few_and_known() {
    let mut open: Vec<String> = routes()
        .into_iter()
        .filter(|route| route.role.is_none())
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    open.sort();
    let expected = [
        "GET /healthz",
        "GET /readyz",
        "GET /v1/ca",
        "GET /v1/host/keys",
        "GET /v1/host/revoked-keys",
        "GET /v1/host/snapshot",
        "GET /v1/openapi.json",
        "POST /v1/enroll",
        "POST /v1/host/certificate",
        "POST /v1/host/reports",
    ];
    assert_eq!(open, expected);
}

#[tokio::test]
async fn an_officer_takes_away_and_never_gives_back() {
    let fixture = Fixture::start().await;
    fixture.add_user("alice").await;
    let officer = fixture.token("an-officer", "officer").await;
    let change = async |state: &str| {
        fixture
            .call(
                Method::PATCH,
                "/v1/users/alice",
                Some(&officer),
                json!({ "state": state }),
            )
            .await
    };
    assert_eq!(change("suspended").await.status, 200);
    assert_eq!(change("active").await.problem(), "forbidden");
    assert_eq!(
        fixture.get("/v1/users/alice").await.json()["state"],
        "suspended"
    );
}

#[tokio::test]
async fn a_bearer_token_opens_no_path_of_hosts_and_a_hosts_certificate_no_other() {
    let fixture = Fixture::start().await;
    assert_eq!(
        fixture.get(paths::HOST_SNAPSHOT).await.problem(),
        "unauthenticated"
    );
    let host = fixture.enrol("web-1", "web").await;
    let request = host.client.request(Method::GET, &fixture.url(paths::USERS));
    let answer = host.client.send(request, 4096).await.unwrap();
    assert_eq!(answer.status.as_u16(), 401);
}

#[tokio::test]
async fn no_token_is_ever_logged() {
    let fixture = Fixture::start().await;
    let token = fixture.token("somebody", "auditor").await;
    assert_eq!(
        fixture
            .call(Method::GET, paths::WHOAMI, Some(&token), Value::Null)
            .await
            .status,
        200
    );
    let log = crate::fixture::logged();
    assert!(log.contains("/v1/whoami"), "the log has the request");
    for secret in [&token[4..], &fixture.token[4..]] {
        assert!(!log.contains(secret));
    }
}

#[tokio::test]
async fn a_token_is_for_a_year_at_most_and_never_takes_a_name_of_the_servers_own() {
    let fixture = Fixture::start().await;
    let add = async |name: &str, days: i64| {
        let end = keyroster_server::clock::Clock::now(fixture.clock.as_ref())
            .saturating_add(days * 86_400);
        let expires_at = keyroster_api::time::to_rfc3339(end);
        fixture
            .post(
                paths::TOKENS,
                json!({ "name": name, "role": "auditor", "expires_at": expires_at }),
            )
            .await
    };
    for (name, days) in [
        ("system", 1),
        ("host:x", 1),
        ("", 1),
        ("a b", 1),
        ("late", -1),
        ("long", 400),
    ] {
        assert_eq!(add(name, days).await.problem(), "invalid-value", "{name}");
    }
    assert_eq!(add("ok", 300).await.status, 201);
    assert_eq!(add("ok", 300).await.problem(), "already-exists");
    let listed = fixture.get(paths::TOKENS).await.json();
    assert!(!listed.to_string().contains("krt_"), "{listed}");
}
