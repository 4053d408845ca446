//! Snapshots: to whom, when a new one, and signed so that OpenSSH can check it.

use std::process::{Command, Stdio};

use axum::http::Method;
use keyroster_api::paths;
use keyroster_server::limits::Limits;
use serde_json::{Value, json};

use crate::fixture::{ANOTHER_ED25519, ED25519, Fixture};

#[tokio::test]
async fn a_host_is_told_who_may_log_in_and_with_which_line() {
    let fixture = Fixture::start().await;
    fixture.let_alice_in(ED25519).await;
    let host = fixture.enrol("web-1", "web").await;
    let snapshot = host.poll(None).await.snapshot();
    assert_eq!(
        (&snapshot["host"], &snapshot["host_name"]),
        (&json!(host.enrolled.host_id), &json!("web-1"))
    );
    assert_eq!(
        snapshot["freshness"],
        json!({ "max_staleness_s": 30, "grace_s": 3600, "mode": "grace" })
    );
    let account = &snapshot["accounts"][0];
    assert_eq!(account["name"], "deploy");
    let segment = &account["keys"][0]["segments"][0];
    assert_eq!(
        (&segment["from"], &segment["until"]),
        (&json!(0), &Value::Null)
    );
    assert_eq!(segment["options"], "restrict,pty");
    assert!(
        segment["comment"]
            .as_str()
            .unwrap()
            .starts_with("keyroster:alice:")
    );
    let line = format!(
        "{} {}",
        account["keys"][0]["algorithm"].as_str().unwrap(),
        account["keys"][0]["blob"].as_str().unwrap()
    );
    assert_eq!(line, ED25519);
}

#[tokio::test]
async fn ssh_keygen_verifies_a_snapshot_by_the_key_that_init_wrote() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    let document = host.poll(None).await.body;
    let (armour, json) = keyroster_api::signature::split(&document).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        std::fs::write(dir.path().join(name), bytes).unwrap();
        dir.path().join(name)
    };
    let public = std::fs::read_to_string(fixture.file("snapshot-key.pub")).unwrap();
    let signers = file("allowed_signers", format!("keyserver {public}").as_bytes());
    let signature = file("snapshot.sig", armour);
    let verify = |bytes: &[u8]| {
        let mut command = Command::new("ssh-keygen");
        command
            .args([
                "-Y",
                "verify",
                "-I",
                "keyserver",
                "-n",
                "keyroster-snapshot@v1",
                "-f",
            ])
            .arg(&signers);
        command
            .arg("-s")
            .arg(&signature)
            .stdin(std::fs::File::open(file("snapshot.json", bytes)).unwrap());
        command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    };
    assert!(verify(json));
    assert!(!verify(&[json, b" "].concat()));
}

#[tokio::test]
async fn a_host_that_has_the_newest_is_told_so_without_a_body() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    let first = host.poll(None).await;
    let again = host.poll(Some(first.etag())).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(again.etag(), first.etag());
    assert!(
        again.headers.contains_key("date"),
        "the host measures its clock by it"
    );
}

#[tokio::test]
async fn a_change_that_concerns_the_host_is_in_the_very_next_answer() {
    let fixture = Fixture::start().await;
    let key = fixture.let_alice_in(ED25519).await;
    let host = fixture.enrol("web-1", "web").await;
    let first = host.poll(None).await;
    let written = fixture
        .post(&paths::fill(paths::KEY_REVOKE, &[&key]), Value::Null)
        .await
        .json();
    let next = host.poll(Some(first.etag())).await;
    assert_eq!(next.snapshot()["accounts"], json!([]));
    assert_eq!(next.snapshot()["revision"], written["revision"]);
    assert_ne!(next.etag(), first.etag());
}

#[tokio::test]
async fn a_change_that_does_not_concern_the_host_leaves_it_its_entity_tag() {
    let fixture = Fixture::start().await;
    fixture.let_alice_in(ED25519).await;
    let host = fixture.enrol("web-1", "web").await;
    let first = host.poll(None).await;
    fixture.clock.advance(10);
    fixture.add_user("bob").await;
    fixture.add_key("bob", ANOTHER_ED25519).await;
    assert_eq!(host.poll(Some(first.etag())).await.status, 304);
    assert_eq!(
        host.poll(None).await.body,
        first.body,
        "not even the bytes are others"
    );
}

#[tokio::test]
async fn a_host_from_the_future_of_the_roster_is_answered_with_what_there_is() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    for tag in ["\"1.99999\"", "\"7.1\""] {
        let reply = host.poll(Some(tag)).await;
        assert_eq!(
            reply.snapshot()["revision"],
            fixture.revision().await,
            "the host refuses it by its own rule"
        );
    }
}

#[tokio::test]
async fn a_tag_of_another_form_is_no_tag() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    let tag = host.poll(None).await.etag().to_owned();
    for other in [
        "*",
        &format!("W/{tag}"),
        &tag.replace('"', ""),
        "\"1.-1\"",
        "\"01.1\"",
    ] {
        assert_eq!(host.poll(Some(other)).await.status, 200, "{other}");
    }
}

#[tokio::test]
async fn a_host_reads_its_own_snapshot_and_nobody_elses() {
    let fixture = Fixture::start().await;
    fixture.let_alice_in(ED25519).await;
    let (web, db) = (
        fixture.enrol("web-1", "web").await,
        fixture.enrol("db-1", "db").await,
    );
    assert_eq!(db.poll(None).await.snapshot()["host_name"], "db-1");
    assert_eq!(db.poll(None).await.snapshot()["accounts"], json!([]));
    // No name, header or query of the request says whose snapshot it is: the certificate alone does.
    let path = format!("{}?host={}", paths::HOST_SNAPSHOT, web.enrolled.host_id);
    let request = db
        .client
        .request(Method::GET, &fixture.url(&path))
        .header("x-host", &web.enrolled.host_id);
    let answer = db.client.send(request, 1 << 20).await.unwrap();
    assert!(!String::from_utf8_lossy(&answer.body).contains(&web.enrolled.host_id));
}

#[tokio::test]
async fn a_removed_host_is_told_that_it_is_gone() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    let tag = host.poll(None).await.etag().to_owned();
    let id = &host.enrolled.host_id;
    assert_eq!(
        fixture
            .admin(
                Method::DELETE,
                &paths::fill(paths::HOST, &[id]),
                Value::Null
            )
            .await
            .status,
        200
    );
    let reply = host.poll(Some(&tag)).await;
    assert_eq!((reply.status, reply.problem().as_str()), (410, "host-gone"));
}

#[tokio::test]
async fn a_client_without_a_certificate_is_no_host() {
    let fixture = Fixture::start().await;
    let reply = fixture
        .call(Method::GET, paths::HOST_SNAPSHOT, None, Value::Null)
        .await;
    assert_eq!(
        (reply.status, reply.problem().as_str()),
        (401, "unauthenticated")
    );
}

#[tokio::test]
async fn a_server_that_can_not_vouch_for_its_revision_answers_unavailable_and_never_unchanged() {
    let never = Limits {
        state_age: std::time::Duration::ZERO,
        ..Limits::default()
    };
    let fixture = Fixture::start_with(never).await;
    let host = fixture.enrol("web-1", "web").await;
    for held in [None, Some("\"1.1\""), Some("\"1.99\"")] {
        let reply = host.poll(held).await;
        assert_eq!(
            (reply.status, reply.problem().as_str()),
            (503, "unavailable")
        );
    }
}

#[tokio::test]
async fn a_write_on_another_server_is_seen_without_a_restart() {
    let fixture = Fixture::start().await;
    let key = fixture.let_alice_in(ED25519).await;
    let host = fixture.enrol("web-1", "web").await;
    let beside = fixture.beside().await;
    let first = host.poll_at(beside.address(), None).await;
    assert_eq!(first.snapshot()["accounts"][0]["name"], "deploy");
    assert_eq!(
        fixture
            .post(&paths::fill(paths::KEY_REVOKE, &[&key]), Value::Null)
            .await
            .status,
        200
    );
    // The other server asks the database twice a second; whoever polls meanwhile is told the old state at most.
    loop {
        let reply = host.poll_at(beside.address(), Some(first.etag())).await;
        if reply.status == 200 {
            assert_eq!(reply.snapshot()["accounts"], json!([]));
            break;
        }
        assert_eq!(reply.status, 304);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let _ = beside.stop().await;
}

#[tokio::test]
async fn a_restarted_server_goes_on_where_it_was() {
    let fixture = Fixture::start().await;
    fixture.let_alice_in(ED25519).await;
    let host = fixture.enrol("web-1", "web").await;
    let first = host.poll(None).await;
    let fixture = fixture.restart().await;
    let again = host
        .poll_at(fixture.server.address(), Some(first.etag()))
        .await;
    assert!(again.status == 304 || again.tag() >= first.tag());
}

#[tokio::test]
async fn a_host_that_asks_many_times_at_once_costs_one_rendering() {
    let fixture = Fixture::start().await;
    fixture.let_alice_in(ED25519).await;
    let host = fixture.enrol("web-1", "web").await;
    let polls = futures_util::future::join_all((0..16).map(|_| host.poll(None))).await;
    assert!(polls.iter().all(|reply| reply.body == polls[0].body));
    let metrics = String::from_utf8(fixture.get(paths::METRICS).await.body.to_vec()).unwrap();
    assert!(
        metrics.contains("keyroster_snapshot_answers_total{from=\"rendered\"} 1\n"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_grant_that_begins_later_and_ends_is_told_as_a_span_of_time() {
    let fixture = Fixture::start().await;
    fixture.add_user("alice").await;
    fixture.add_key("alice", ED25519).await;
    fixture.add_host_group("web").await;
    let grant = json!({ "user": "alice", "account": "deploy", "host_group": "web",
        "not_before": "2100-01-01T00:00:00Z", "until": "2101-01-01T00:00:00Z" });
    assert_eq!(fixture.post(paths::GRANTS, grant).await.status, 201);
    let host = fixture.enrol("web-1", "web").await;
    let snapshot = host.poll(None).await.snapshot();
    let segments = &snapshot["accounts"][0]["keys"][0]["segments"];
    assert_eq!(segments.as_array().unwrap().len(), 1);
    assert_eq!(
        (&segments[0]["from"], &segments[0]["until"]),
        (&json!(4_102_444_800_i64), &json!(4_133_980_800_i64))
    );
}

#[tokio::test]
async fn the_strictest_of_a_hosts_groups_says_how_stale_an_answer_may_be() {
    let fixture = Fixture::start().await;
    let strict = json!({ "name": "vault", "freshness": { "max_staleness_s": 5, "grace_s": 0, "mode": "strict" } });
    assert_eq!(fixture.post(paths::HOST_GROUPS, strict).await.status, 201);
    let host = fixture.enrol("web-1", "web").await;
    let before = host.poll(None).await.etag().to_owned();
    assert_eq!(
        fixture
            .admin(
                Method::PUT,
                "/v1/host-groups/vault/hosts/web-1",
                Value::Null
            )
            .await
            .status,
        200
    );
    let freshness = host.poll(Some(&before)).await.snapshot()["freshness"].clone();
    assert_eq!(
        freshness,
        json!({ "max_staleness_s": 5, "grace_s": 0, "mode": "strict" })
    );
}

#[tokio::test]
async fn a_host_ends_sessions_if_one_of_its_host_groups_says_so_and_else_not() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    let before = host.poll(None).await;
    let tag = before.etag().to_owned();
    assert_eq!(before.snapshot()["end_sessions"], json!(false));
    let ending = json!({ "name": "vault", "end_sessions": true });
    let added = fixture.post(paths::HOST_GROUPS, ending).await;
    assert_eq!(added.json()["end_sessions"], json!(true));
    let put = fixture.admin(
        Method::PUT,
        "/v1/host-groups/vault/hosts/web-1",
        Value::Null,
    );
    assert_eq!(put.await.status, 200);
    let after = host.poll(Some(&tag)).await.snapshot();
    assert_eq!(after["end_sessions"], json!(true));
}
