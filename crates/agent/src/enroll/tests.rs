use axum::Json;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};

use super::*;
use crate::enrolment_server::{Authority, EnrolmentServer};
use crate::state::files::read_high_water;
use crate::testing::{HOST_ID, tag};

struct Scene {
    server: EnrolmentServer,
    temp: tempfile::TempDir,
    dir: StateDir,
}

async fn scene(
    answerer: impl Fn(&Authority, &str, &[u8]) -> Response + Send + Sync + 'static,
) -> Scene {
    let temp = tempfile::tempdir().unwrap();
    let dir = StateDir::create(&temp.path().join("state")).unwrap();
    Scene {
        server: EnrolmentServer::start(answerer).await,
        temp,
        dir,
    }
}

fn soundly(authority: &Authority, path: &str, body: &[u8]) -> Response {
    assert_eq!(path, ENROLL);
    (StatusCode::CREATED, Json(authority.enrol(body))).into_response()
}

impl Scene {
    async fn enroll_with(&self, token: EnrolmentToken) -> Result<HostFile, EnrollError> {
        let name = HostName::parse("web-1").unwrap();
        enroll(
            &self.dir,
            Request {
                server: self.server.url(),
                token,
                name,
            },
        )
        .await
    }

    async fn enroll(&self) -> Result<HostFile, EnrollError> {
        self.enroll_with(self.server.token()).await
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.temp.path().join("state")).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }
}

/// An enrolment that a sound answer changed like this would bring is refused, and nothing of it is kept.
async fn is_refused(change: impl Fn(&mut Enrolled) + Send + Sync + 'static, why: &str) {
    let scene = scene(move |authority, _, body| {
        let mut enrolled = authority.enrol(body);
        change(&mut enrolled);
        Json(enrolled).into_response()
    })
    .await;
    let err = scene.enroll().await.unwrap_err();
    assert!(err.to_string().contains(why), "{err}");
    assert!(scene.files().is_empty(), "{:?}", scene.files());
}

#[tokio::test]
async fn a_host_is_enrolled_with_a_key_of_its_own_that_never_leaves_it() {
    let scene = scene(soundly).await;
    let host = scene.enroll().await.unwrap();
    assert_eq!(
        (host.host_id.as_str(), host.name.as_str()),
        (HOST_ID, "web-1")
    );
    let credential = Credential::load(&scene.dir).unwrap().unwrap();
    credential.identity().unwrap();
    assert_eq!(read_high_water(&scene.dir).unwrap(), Some(tag(3, 7)));
    let body = scene.server.bodies().pop().unwrap();
    assert!(
        body.contains("CERTIFICATE REQUEST") && !body.contains("PRIVATE"),
        "{body}"
    );
}

#[tokio::test]
async fn with_the_wrong_pin_not_even_the_secret_is_sent() {
    let scene = scene(soundly).await;
    let token = EnrolmentToken {
        ca_pin: [1; 32],
        ..scene.server.token()
    };
    let err = scene.enroll_with(token).await.unwrap_err();
    assert!(
        matches!(&err, EnrollError::Fetch(fetch) if fetch.transport_kind() == Some(Transport::Tls))
    );
    assert!(
        err.hint()
            .unwrap()
            .contains("not the one that the token is for")
    );
    assert!(scene.server.bodies().is_empty() && scene.files().is_empty());
}

#[tokio::test]
async fn a_token_that_was_used_is_refused_in_the_key_servers_words_with_a_hint() {
    let scene = scene(|_, _, _| {
        let problem = ProblemKind::EnrolmentRefused.with("the enrolment token was used");
        let headers = [("content-type", keyroster_api::problem::CONTENT_TYPE)];
        (
            StatusCode::FORBIDDEN,
            headers,
            Json(problem).into_response().into_body(),
        )
            .into_response()
    })
    .await;
    let err = scene.enroll().await.unwrap_err();
    assert_eq!(
        err.to_string(),
        "the key server refused the enrolment: the enrolment token was used"
    );
    assert_eq!(err.hint().unwrap(), NEW_TOKEN);
    assert_eq!(err.exit_status(), exit::NO_PERMISSION);
    assert!(scene.files().is_empty());
}

#[tokio::test]
async fn a_web_page_is_no_enrolment_whatever_its_status() {
    for status in [
        StatusCode::OK,
        StatusCode::CREATED,
        StatusCode::FORBIDDEN,
        StatusCode::BAD_GATEWAY,
    ] {
        let scene = scene(move |_, _, _| (status, Html("<h1>hello</h1>")).into_response()).await;
        let err = scene.enroll().await.unwrap_err();
        assert!(
            matches!(err, EnrollError::Answer(_) | EnrollError::Fetch(_)),
            "{status}: {err}"
        );
        assert!(scene.files().is_empty());
    }
}

#[tokio::test]
async fn an_answer_that_disagrees_with_the_token_or_the_key_is_refused() {
    is_refused(
        |enrolled| enrolled.ca = enrolled.certificate.clone(),
        "CA is not the one",
    )
    .await;
    is_refused(
        |enrolled| enrolled.certificate = enrolled.ca.clone(),
        "not for this host's key",
    )
    .await;
    let other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
    is_refused(
        |enrolled| enrolled.snapshot_key = other.to_owned(),
        "snapshot key is not the one",
    )
    .await;
}

#[tokio::test]
async fn an_answer_that_names_the_host_with_what_is_no_name_is_refused() {
    is_refused(
        |enrolled| enrolled.host_id = "../../etc".to_owned(),
        "no host can be named",
    )
    .await;
    is_refused(
        |enrolled| enrolled.name = "a\nb".to_owned(),
        "no host can be named",
    )
    .await;
    is_refused(
        |enrolled| enrolled.revision = u64::MAX,
        "no host can be named",
    )
    .await;
}

#[tokio::test]
async fn a_host_that_is_enrolled_is_not_enrolled_again_by_accident() {
    let scene = scene(soundly).await;
    scene.enroll().await.unwrap();
    let asked = scene.server.bodies().len();
    assert!(matches!(scene.enroll().await, Err(EnrollError::Already(name)) if name == "web-1"));
    assert_eq!(
        scene.server.bodies().len(),
        asked,
        "no token is burnt for it"
    );
}

#[tokio::test]
async fn a_server_without_tls_is_refused_before_anything_is_sent() {
    let scene = scene(soundly).await;
    for server in ["http://keys.example", "keys.example", ""] {
        let (server, token) = (server.to_owned(), scene.server.token());
        let name = HostName::parse("web-1").unwrap();
        let refused = enroll(
            &scene.dir,
            Request {
                server,
                token,
                name,
            },
        )
        .await;
        assert!(matches!(refused, Err(EnrollError::Server(_))));
    }
}

#[tokio::test]
async fn what_an_earlier_enrolment_left_is_gone_after_the_next() {
    let scene = scene(soundly).await;
    for name in [files::SNAPSHOT, files::CONFIRMED, files::BREAKER] {
        scene.dir.write(name, b"of another host").unwrap();
    }
    files::raise_high_water(&scene.dir, tag(9, 9)).unwrap();
    scene.enroll().await.unwrap();
    assert_eq!(read_high_water(&scene.dir).unwrap(), Some(tag(3, 7)));
    let mut files = scene.files();
    files.sort();
    assert_eq!(files, ["credential", "high-water"]);
}

#[test]
fn no_error_shows_the_token() {
    let err = EnrolmentToken::parse("kre1.c2VjcmV0").unwrap_err();
    assert!(!EnrollError::Token(err).to_string().contains("c2VjcmV0"));
}
