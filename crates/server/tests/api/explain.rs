//! Explanations say what hosts are told, and why.

use keyroster_api::paths;
use serde_json::{Value, json};

use crate::fixture::{ANOTHER_ED25519, ED25519, Fixture};

async fn explain(fixture: &Fixture, query: &str) -> Value {
    fixture
        .get(&format!(
            "{}?host=web-1&account=deploy{query}",
            paths::EXPLAIN
        ))
        .await
        .json()
}

#[tokio::test]
async fn an_allowed_key_is_explained_with_the_line_that_the_host_prints() {
    let fixture = Fixture::start().await;
    let key = fixture.let_alice_in(ED25519).await;
    let host = fixture.enrol("web-1", "web").await;
    for query in [
        "",
        "&user=alice",
        &format!("&key={}", key.replace('+', "%2B")),
    ] {
        let answer = explain(&fixture, query).await;
        assert_eq!(
            (
                &answer["keys"][0]["fingerprint"],
                &answer["keys"][0]["user"]
            ),
            (&json!(key), &json!("alice"))
        );
        assert_eq!(answer["keys"][0]["decision"], "allow", "{answer}");
        let segment =
            host.poll(None).await.snapshot()["accounts"][0]["keys"][0]["segments"][0].clone();
        let (options, comment) = (
            segment["options"].as_str().unwrap(),
            segment["comment"].as_str().unwrap(),
        );
        assert_eq!(
            answer["keys"][0]["line"],
            format!("{options} {ED25519} {comment}")
        );
        assert!(
            answer["keys"][0]["reasons"][0]
                .as_str()
                .unwrap()
                .contains("allows"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_user_without_a_grant_on_the_host_is_explained_too() {
    let fixture = Fixture::start().await;
    fixture.let_alice_in(ED25519).await;
    fixture.enrol("web-1", "web").await;
    fixture.add_user("bob").await;
    assert_eq!(
        explain(&fixture, "&user=bob").await["notes"],
        json!(["user \"bob\" has no keys"])
    );
    fixture.add_key("bob", ANOTHER_ED25519).await;
    let answer = explain(&fixture, "&user=bob").await;
    assert_eq!(
        (&answer["keys"][0]["decision"], &answer["keys"][0]["line"]),
        (&json!("deny"), &Value::Null)
    );
    assert!(
        answer["keys"][0]["reasons"]
            .to_string()
            .contains("no grant lets user"),
        "{answer}"
    );
    assert_eq!(
        explain(&fixture, "").await["keys"]
            .as_array()
            .unwrap()
            .len(),
        1,
        "only alice may log in"
    );
}

#[tokio::test]
async fn an_unknown_key_is_denied_and_says_so() {
    let fixture = Fixture::start().await;
    fixture.enrol("web-1", "web").await;
    let answer = explain(
        &fixture,
        "&key=SHA256:Nh0Me49Zh9fDw/VYUfq43IJmI1T%2BXrjiYONPND8GzaM",
    )
    .await;
    assert_eq!(
        (&answer["keys"][0]["decision"], &answer["keys"][0]["user"]),
        (&json!("deny"), &Value::Null)
    );
}

#[tokio::test]
async fn a_question_that_can_not_be_asked_is_refused() {
    let fixture = Fixture::start().await;
    fixture.enrol("web-1", "web").await;
    for (query, problem) in [
        ("host=web-1", "invalid-value"),
        ("host=web-1&account=-h", "invalid-value"),
        ("host=web-1&account=deploy&user=a&key=b", "invalid-value"),
        ("host=web-2&account=deploy", "not-found"),
        ("host=web-1&account=deploy&user=nobody", "not-found"),
    ] {
        let reply = fixture.get(&format!("{}?{query}", paths::EXPLAIN)).await;
        assert_eq!(reply.problem(), problem, "{query}");
    }
}
