//! Shutdown: what was begun is finished, within a deadline.

use std::time::Duration;

use axum::http::Method;
use keyroster_api::paths;
use keyroster_edge::{Drained, ServerLimits};
use keyroster_server::limits::Limits;
use keyroster_testkit::Program;
use tokio::sync::mpsc;

use crate::fixture::{Fixture, url};

/// A request whose body is sent by hand, and the answer's status.
fn begin(
    fixture: &Fixture,
) -> (
    mpsc::Sender<&'static str>,
    tokio::task::JoinHandle<Option<u16>>,
) {
    let (sender, mut receiver) = mpsc::channel::<&'static str>(4);
    let chunks = futures_util::stream::poll_fn(move |context| {
        receiver
            .poll_recv(context)
            .map(|chunk| chunk.map(Ok::<_, std::io::Error>))
    });
    let trust = keyroster_edge::Trust::Ca(fixture.ca.clone());
    let client =
        keyroster_edge::http_client(trust, None, keyroster_edge::ClientLimits::default()).unwrap();
    let request = client.request(Method::POST, &url(fixture.server.address(), paths::USERS));
    let request = request
        .bearer_auth(&fixture.token)
        .header("content-type", "application/json");
    let request = request.body(reqwest::Body::wrap_stream(chunks));
    let answer = tokio::spawn(async move {
        client
            .send(request, 4096)
            .await
            .ok()
            .map(|answer| answer.status.as_u16())
    });
    (sender, answer)
}

#[tokio::test]
async fn a_request_that_was_begun_is_finished_and_nothing_new_is_taken() {
    let fixture = Fixture::start_with(Limits {
        requests: 1,
        ..Limits::default()
    })
    .await;
    let address = fixture.server.address();
    let (body, answer) = begin(&fixture);
    body.send("{\"name\":").await.unwrap();
    // The one place for requests is taken once the server works on this one.
    while fixture.get(paths::HEALTHZ).await.status == 200 {}
    let stopping = tokio::spawn(fixture.server.stop());
    // The listener is closed before anything else, so that a refused connection says that the shutdown is under way.
    while tokio::net::TcpStream::connect(address).await.is_ok() {}
    body.send("\"alice\"}").await.unwrap();
    drop(body);
    assert_eq!(answer.await.unwrap(), Some(201));
    assert_eq!(stopping.await.unwrap(), Drained::Completely);
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_hold_up_the_shutdown_for_ever() {
    let listener = ServerLimits {
        drain: Duration::from_millis(100),
        ..ServerLimits::default()
    };
    let fixture = Fixture::start_with(Limits {
        requests: 1,
        listener,
        ..Limits::default()
    })
    .await;
    let (body, _answer) = begin(&fixture);
    body.send("{").await.unwrap();
    while fixture.get(paths::HEALTHZ).await.status == 200 {}
    assert!(matches!(fixture.server.stop().await, Drained::CutOff(_)));
}

#[test]
fn the_program_ends_cleanly_at_sigterm_and_its_files_are_its_own() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let program = || Program::at(std::path::Path::new(env!("CARGO_BIN_EXE_keyroster-server")));
    let said = program()
        .args(["init", "--data"])
        .arg(&data)
        .finish()
        .unwrap()
        .success("init")
        .unwrap();
    assert_eq!(said.matches("krt_").count(), 1, "{said}");
    let mut running = program()
        .args(["run", "--data"])
        .arg(&data)
        .args(["--listen", "127.0.0.1:0"])
        .spawn()
        .unwrap();
    let line = running.wait_for_line("listening on https://").unwrap();
    let listen = std::fs::read_to_string(data.join("listen")).unwrap();
    assert_eq!(line, format!("listening on https://{}", listen.trim_end()));
    assert!(running.terminate().unwrap().success());
    for entry in std::fs::read_dir(&data).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        let public = entry.file_name().to_string_lossy().contains(".p");
        assert_eq!(mode, if public { 0o644 } else { 0o600 }, "{entry:?}");
    }
}

#[test]
fn the_program_refuses_a_secret_that_others_may_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let program = || Program::at(std::path::Path::new(env!("CARGO_BIN_EXE_keyroster-server")));
    program()
        .args(["init", "--data"])
        .arg(&data)
        .finish()
        .unwrap()
        .success("init")
        .unwrap();
    for name in ["ca.key", "snapshot-key", "server.toml", "roster.db"] {
        let path = data.join(name);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let done = program()
            .args(["run", "--listen", "127.0.0.1:0", "--data"])
            .arg(&data)
            .finish()
            .unwrap();
        assert!(
            !done.status.success() && format!("{done:?}").contains(name),
            "{done:?}"
        );
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[test]
fn whoever_runs_the_program_as_the_wrong_user_is_told_which() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::os::unix::fs::chown(&data, Some(65_534), None).unwrap();
    let done = Program::at(std::path::Path::new(env!("CARGO_BIN_EXE_keyroster-server")))
        .args(["run", "--data"])
        .arg(&data)
        .finish()
        .unwrap();
    assert!(done.stderr.contains("belongs to uid 65534"), "{done:?}");
    assert!(
        done.stderr.contains("hint: run this as that user"),
        "{done:?}"
    );
}

#[test]
fn another_admin_token_can_be_made_when_the_first_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let program = || Program::at(std::path::Path::new(env!("CARGO_BIN_EXE_keyroster-server")));
    program()
        .args(["init", "--data"])
        .arg(&data)
        .finish()
        .unwrap()
        .success("init")
        .unwrap();
    let token = |name: &str| {
        program()
            .args(["admin-token", "--name", name, "--data"])
            .arg(&data)
            .finish()
            .unwrap()
    };
    assert!(
        token("second")
            .success("admin-token")
            .unwrap()
            .contains("krt_")
    );
    assert!(
        token("second").success("admin-token").is_err(),
        "a name is given out once"
    );
}
