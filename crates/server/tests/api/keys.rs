//! The door at which keys come in: what is refused is refused by name, stored nowhere and logged nowhere.

use keyroster_api::paths;
use keyroster_testkit::SshKey;
use serde_json::{Value, json};

use crate::fixture::{ED25519, Fixture, Reply, logged};

async fn add(fixture: &Fixture, user: &str, line: &str) -> Reply {
    fixture
        .post(
            &paths::fill(paths::USER_KEYS, &[user]),
            json!({ "public_key": line }),
        )
        .await
}

/// Adds a line that must be refused so, and checks that it left no trace.
async fn refused(fixture: &Fixture, line: &str, problem: &str, rule: &str) {
    let before = fixture.revision().await;
    let reply = add(fixture, "alice", line).await;
    assert_eq!(reply.problem(), problem, "{line:?}");
    assert!((400..500).contains(&reply.status));
    let detail = reply.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains(rule), "{line:?}: {detail}");
    assert_eq!(
        fixture.revision().await,
        before,
        "nothing is written for {line:?}"
    );
    let body = line.split([' ', '\n']).find(|word| word.len() > 40);
    assert!(
        body.is_none_or(|body| !logged().contains(body)),
        "{line:?} is in the log"
    );
}

async fn with_alice() -> Fixture {
    let fixture = Fixture::start().await;
    fixture.add_user("alice").await;
    fixture
}

#[tokio::test]
async fn a_key_with_a_newline_in_its_comment_is_refused() {
    let fixture = with_alice().await;
    refused(
        &fixture,
        &format!("{ED25519} a\n{ED25519} b"),
        "unacceptable-key",
        "more than one line",
    )
    .await;
    refused(
        &fixture,
        &format!("{ED25519} a\nb"),
        "unacceptable-key",
        "more than one line",
    )
    .await;
}

#[tokio::test]
async fn a_key_with_a_carriage_return_nul_or_control_character_in_its_comment_is_refused() {
    let fixture = with_alice().await;
    for character in [
        '\r', '\0', '\u{1b}', '\u{7f}', '\u{85}', '\u{2028}', '\u{202e}',
    ] {
        let line = format!("{ED25519} a{character}b");
        refused(&fixture, &line, "unacceptable-key", "control character").await;
    }
}

#[tokio::test]
async fn a_label_with_a_control_character_is_refused() {
    let fixture = with_alice().await;
    let body = json!({ "public_key": ED25519, "label": "a\nb" });
    let reply = fixture.post("/v1/users/alice/keys", body).await;
    assert_eq!(reply.problem(), "invalid-value");
    assert!(
        reply.json()["detail"]
            .as_str()
            .unwrap()
            .starts_with("label: ")
    );
    assert_eq!(fixture.get(paths::KEYS).await.json()["items"], json!([]));
}

#[tokio::test]
async fn a_private_key_is_refused_and_its_owner_is_told_to_make_a_new_one() {
    let fixture = with_alice().await;
    let dir = tempfile::tempdir().unwrap();
    let key = SshKey::ed25519(dir.path(), "oops").unwrap();
    let private = std::fs::read_to_string(key.private_path()).unwrap();
    refused(&fixture, &private, "private-key", "private key").await;
    let reply = add(&fixture, "alice", &private).await;
    assert!(
        reply.json()["hint"]
            .as_str()
            .unwrap()
            .contains("new key pair")
    );
    let log = logged();
    for line in private.lines().filter(|line| !line.starts_with("-----")) {
        assert!(!log.contains(line) && !String::from_utf8_lossy(&reply.body).contains(line));
    }
}

#[tokio::test]
async fn a_private_key_in_a_wrong_field_is_not_logged_or_repeated_either() {
    let fixture = with_alice().await;
    let secret = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW";
    for body in [
        json!({ "public_key": ED25519, "expires_at": secret }),
        json!({ "public_key": [secret] }),
        json!({ "public_key": ED25519, "label": { "x": secret } }),
    ] {
        let reply = fixture.post("/v1/users/alice/keys", body).await;
        assert!((400..500).contains(&reply.status), "{reply:?}");
        assert!(
            !String::from_utf8_lossy(&reply.body).contains(secret),
            "{reply:?}"
        );
    }
    assert!(!logged().contains(secret));
}

#[tokio::test]
async fn a_dsa_key_is_refused() {
    let fixture = with_alice().await;
    let line = "ssh-dss AAAAB3NzaC1kc3MAAACBAP+Ybe8OOvaSo/taygiZThEgIeHYwfvOgWfz7k7D3i+bzh9mj3yG0wP+PHWdLrqeckFvYJfGM7SG";
    refused(&fixture, line, "unacceptable-key", "DSA").await;
}

#[tokio::test]
async fn an_rsa_key_of_1024_bits_is_refused_and_one_of_2048_is_taken() {
    let fixture = with_alice().await;
    let dir = tempfile::tempdir().unwrap();
    let short = SshKey::rsa(dir.path(), "short", 1024).unwrap();
    refused(&fixture, short.public_line(), "unacceptable-key", "2048").await;
    let long = SshKey::rsa(dir.path(), "long", 2048).unwrap();
    assert_eq!(add(&fixture, "alice", long.public_line()).await.status, 201);
}

#[tokio::test]
async fn a_key_that_another_user_has_is_refused_without_saying_whose_it_is() {
    let fixture = with_alice().await;
    fixture.add_user("bob").await;
    fixture.add_key("bob", ED25519).await;
    let before = fixture.revision().await;
    let reply = add(&fixture, "alice", &format!("{ED25519} mine now")).await;
    assert_eq!(reply.problem(), "key-of-another-user");
    assert!(!String::from_utf8_lossy(&reply.body).contains("bob"));
    assert_eq!(fixture.revision().await, before);
    assert_eq!(
        add(&fixture, "bob", ED25519).await.problem(),
        "already-exists"
    );
}

#[tokio::test]
async fn a_key_with_options_a_certificate_and_nonsense_are_refused() {
    let fixture = with_alice().await;
    refused(
        &fixture,
        &format!("command=\"id\" {ED25519}"),
        "unacceptable-key",
        "options",
    )
    .await;
    refused(
        &fixture,
        "hello world",
        "unacceptable-key",
        "not a public key",
    )
    .await;
    refused(&fixture, "", "unacceptable-key", "no key").await;
    refused(&fixture, "ssh-ed25519 AAAA", "unacceptable-key", "").await;
}

#[tokio::test]
async fn the_comment_becomes_the_label_unless_one_is_given() {
    let fixture = with_alice().await;
    assert_eq!(
        add(&fixture, "alice", &format!("{ED25519} laptop\n"))
            .await
            .json()["label"],
        "laptop"
    );
    let body =
        json!({ "public_key": format!("{} x", crate::fixture::ANOTHER_ED25519), "label": "desk" });
    assert_eq!(
        fixture.post("/v1/users/alice/keys", body).await.json()["label"],
        "desk"
    );
}

#[tokio::test]
async fn a_revoked_key_never_comes_back() {
    let fixture = with_alice().await;
    let key = fixture.add_key("alice", ED25519).await;
    let revoke = paths::fill(paths::KEY_REVOKE, &[&key]);
    let reply = fixture.post(&revoke, json!({ "reason": "lost" })).await;
    assert_eq!(reply.json()["revision"], fixture.revision().await);
    assert_eq!(
        fixture.get(&paths::fill(paths::KEY, &[&key])).await.json()["state"],
        "revoked"
    );
    assert_eq!(
        fixture.post(&revoke, Value::Null).await.status,
        200,
        "a second time changes nothing"
    );
    assert_eq!(add(&fixture, "alice", ED25519).await.problem(), "conflict");
}

#[tokio::test]
async fn a_key_that_has_expired_already_is_refused() {
    let fixture = with_alice().await;
    let body = json!({ "public_key": ED25519, "expires_at": "2020-01-01T00:00:00Z" });
    assert_eq!(
        fixture.post("/v1/users/alice/keys", body).await.problem(),
        "invalid-value"
    );
}
