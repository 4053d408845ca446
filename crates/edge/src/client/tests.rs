use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, LOCATION};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::error::Transport;
use crate::server::ServerLimits;
use crate::testing::{Issued, TestCa, TestServer, Validity};
use crate::tls::{CertificateHandle, server_config};

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

async fn fetch(trust: Trust, url: &str) -> Result<Answer, FetchError> {
    let client = http_client(trust, None, ClientLimits::default()).unwrap();
    client.send(client.request(Method::GET, url), 1024).await
}

fn failure(result: Result<Answer, FetchError>) -> Transport {
    result.unwrap_err().transport_kind().unwrap()
}

/// Serves one TLS connection with fixed bytes, so that HTTP itself can be wrong.
async fn raw_server(shown: &Issued, answer: &'static [u8]) -> String {
    let handle = CertificateHandle::new(shown.chain.clone(), &shown.key).unwrap();
    let mut config = (*server_config(&handle, &[]).unwrap()).clone();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = TlsAcceptor::from(std::sync::Arc::new(config))
            .accept(stream)
            .await
            .unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await;
        stream.write_all(answer).await.unwrap();
        if answer.is_empty() {
            std::future::pending::<()>().await;
        }
        let _ = stream.shutdown().await;
    });
    format!("https://localhost:{port}/")
}

#[tokio::test]
async fn a_server_of_the_next_ca_is_believed_by_who_knows_either_and_by_nobody_else() {
    let [old, new, foreign] = ["ca", "ca", "ca"].map(TestCa::new);
    let mut shown = new.issue(&["localhost"]);
    shown.chain = vec![
        shown.chain[0].clone(),
        old.cross("ca", &new),
        new.der().clone(),
        old.der().clone(),
    ];
    let server = TestServer::start_with(&new, &shown, hello(), ServerLimits::default()).await;
    let pin = |ca: &TestCa| Trust::Pinned(CaPin::of(ca.der()));
    let any = |cas: &[&TestCa]| Trust::AnyOf(cas.iter().map(|ca| ca.der().clone()).collect());
    for trust in [
        any(&[&old]),
        any(&[&new]),
        any(&[&foreign, &new]),
        pin(&old),
        pin(&new),
    ] {
        let shown = format!("{trust:?}");
        assert!(fetch(trust, &server.url("/")).await.is_ok(), "{shown}");
    }
    for trust in [any(&[&foreign]), pin(&foreign)] {
        let refused = fetch(trust, &server.url("/")).await.unwrap_err();
        assert_eq!(refused.transport_kind(), Some(Transport::Tls));
        assert!(refused.is_of_unknown_ca());
    }
    let elsewhere = server.url("/").replace("localhost", "127.0.0.1");
    let misnamed = fetch(any(&[&new]), &elsewhere).await.unwrap_err();
    assert!(!misnamed.is_of_unknown_ca(), "{misnamed}");
}

#[tokio::test]
async fn a_server_of_the_given_ca_is_believed_and_one_of_another_ca_is_not() {
    let (ours, foreign) = (TestCa::new("same"), TestCa::new("same"));
    let server = TestServer::start(&ours, hello()).await;
    let answer = fetch(Trust::Ca(ours.der().clone()), &server.url("/"))
        .await
        .unwrap();
    assert_eq!(answer.body, "hello");
    assert_eq!(
        failure(fetch(Trust::Ca(foreign.der().clone()), &server.url("/")).await),
        Transport::Tls
    );
}

#[tokio::test]
async fn the_right_pin_lets_the_first_contact_through_and_hands_out_the_ca() {
    let ca = TestCa::new("pinned");
    let server = TestServer::start(&ca, hello()).await;
    let client = http_client(
        Trust::Pinned(CaPin::of(ca.der())),
        None,
        ClientLimits::default(),
    )
    .unwrap();
    assert_eq!(client.ca_seen(), None);
    client
        .send(client.request(Method::GET, &server.url("/")), 1024)
        .await
        .unwrap();
    assert_eq!(client.ca_seen().as_ref(), Some(ca.der()));
}

#[tokio::test]
async fn a_wrong_pin_ends_the_handshake_and_hands_out_nothing() {
    let (ca, other) = (TestCa::new("a"), TestCa::new("b"));
    let server = TestServer::start(&ca, hello()).await;
    let client = http_client(
        Trust::Pinned(CaPin::of(other.der())),
        None,
        ClientLimits::default(),
    )
    .unwrap();
    let result = client
        .send(client.request(Method::GET, &server.url("/")), 1024)
        .await;
    assert_eq!(failure(result), Transport::Tls);
    assert_eq!(client.ca_seen(), None);
}

#[tokio::test]
async fn the_pinned_ca_beside_a_leaf_of_another_ca_is_not_enough() {
    let (pinned, evil) = (TestCa::new("same"), TestCa::new("same"));
    let mut shown = evil.issue(&["localhost"]);
    shown.chain[1] = pinned.der().clone();
    let server = TestServer::start_with(&pinned, &shown, hello(), ServerLimits::default()).await;
    let result = fetch(Trust::Pinned(CaPin::of(pinned.der())), &server.url("/")).await;
    assert_eq!(failure(result), Transport::Tls);
}

#[tokio::test]
async fn the_pinned_certificate_as_the_leaf_itself_is_not_enough() {
    let ca = TestCa::new("leaf");
    let mut shown = ca.issue(&["localhost"]);
    let pin = CaPin::of(&shown.chain[0]);
    shown.chain.pop();
    let server = TestServer::start_with(&ca, &shown, hello(), ServerLimits::default()).await;
    assert_eq!(
        failure(fetch(Trust::Pinned(pin), &server.url("/")).await),
        Transport::Tls
    );
}

#[tokio::test]
async fn an_expired_or_wrongly_named_certificate_is_refused_with_either_kind_of_trust() {
    let ca = TestCa::new("strict");
    let expired = ca.issue_valid(&["localhost"], Validity::Past);
    let misnamed = ca.issue(&["elsewhere.example"]);
    for shown in [expired, misnamed] {
        let server = TestServer::start_with(&ca, &shown, hello(), ServerLimits::default()).await;
        for trust in [
            Trust::Ca(ca.der().clone()),
            Trust::Pinned(CaPin::of(ca.der())),
        ] {
            assert_eq!(
                failure(fetch(trust, &server.url("/")).await),
                Transport::Tls
            );
        }
    }
}

#[tokio::test]
async fn plain_http_is_refused_before_anything_is_sent() {
    let ca = TestCa::new("plain");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    assert_eq!(
        failure(fetch(Trust::Ca(ca.der().clone()), &url).await),
        Transport::Malformed
    );
    assert!(
        tokio::time::timeout(std::time::Duration::ZERO, listener.accept())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let ca = TestCa::new("redirect");
    let router = hello().route("/away", get(|| async { Redirect::temporary("/") }));
    let server = TestServer::start(&ca, router).await;
    let answer = fetch(Trust::Ca(ca.der().clone()), &server.url("/away"))
        .await
        .unwrap();
    assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT);
    assert!(answer.headers.contains_key(LOCATION));
    assert!(matches!(
        answer.success(),
        Err(FetchError::Status(StatusCode::TEMPORARY_REDIRECT))
    ));
}

#[tokio::test]
async fn a_body_longer_than_the_cap_is_refused_announced_or_not() {
    let ca = TestCa::new("large");
    let endless = || async {
        let chunks = std::iter::repeat_with(|| Ok::<_, std::convert::Infallible>(vec![0_u8; 1024]));
        let mut chunks = chunks;
        let stream = futures_util::stream::poll_fn(move |_| std::task::Poll::Ready(chunks.next()));
        Response::new(Body::from_stream(stream))
    };
    let announced = || async { ([(CONTENT_LENGTH, "10737418240")], Body::empty()).into_response() };
    let router = Router::new()
        .route("/endless", get(endless))
        .route("/announced", get(announced));
    let server = TestServer::start(&ca, router).await;
    let trust = Trust::Ca(ca.der().clone());
    let result = fetch(trust.clone(), &server.url("/endless")).await;
    assert_eq!(failure(result), Transport::TooLarge);
    let announced = raw_server(
        &ca.issue(&["localhost"]),
        b"HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\nstart",
    )
    .await;
    assert_eq!(failure(fetch(trust, &announced).await), Transport::TooLarge);
}

#[tokio::test]
async fn a_body_of_exactly_the_cap_is_read() {
    let ca = TestCa::new("exact");
    let router = Router::new().route("/", get(|| async { "x".repeat(1024) }));
    let server = TestServer::start(&ca, router).await;
    let answer = fetch(Trust::Ca(ca.der().clone()), &server.url("/"))
        .await
        .unwrap();
    assert_eq!(answer.body.len(), 1024);
}

#[tokio::test]
async fn an_answer_that_ends_early_is_truncated_and_not_short() {
    let ca = TestCa::new("cut");
    let trust = Trust::Ca(ca.der().clone());
    let cuts: [&[u8]; 3] = [
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhell",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-le",
    ];
    for cut in cuts {
        let url = raw_server(&ca.issue(&["localhost"]), cut).await;
        assert_eq!(
            failure(fetch(trust.clone(), &url).await),
            Transport::Truncated,
            "{cut:?}"
        );
    }
}

#[tokio::test]
async fn what_is_not_http_is_malformed() {
    let ca = TestCa::new("garbage");
    let url = raw_server(&ca.issue(&["localhost"]), b"SSH-2.0-OpenSSH_9.2\r\n\r\n").await;
    assert_eq!(
        failure(fetch(Trust::Ca(ca.der().clone()), &url).await),
        Transport::Malformed
    );
}

#[tokio::test]
async fn silence_is_ended_by_the_deadline() {
    let ca = TestCa::new("silent");
    let url = raw_server(&ca.issue(&["localhost"]), b"").await;
    let limits = ClientLimits::within(Duration::from_millis(300));
    let client = http_client(Trust::Ca(ca.der().clone()), None, limits).unwrap();
    let result = client.send(client.request(Method::GET, &url), 1024).await;
    assert_eq!(failure(result), Transport::Timeout);
}

#[tokio::test]
async fn a_port_without_a_listener_and_a_name_without_an_address_are_told_apart() {
    let ca = TestCa::new("nobody");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let trust = Trust::Ca(ca.der().clone());
    let refused = fetch(trust.clone(), &format!("https://localhost:{port}/")).await;
    assert_eq!(failure(refused), Transport::Connect);
    let unresolved = fetch(trust, "https://keyroster.invalid/").await;
    assert_eq!(failure(unresolved), Transport::Dns);
}

#[tokio::test]
async fn compressed_bodies_are_neither_asked_for_nor_unpacked() {
    let ca = TestCa::new("gzip");
    let router = Router::new().route(
        "/",
        get(|headers: HeaderMap| async move {
            let asked = headers.contains_key("accept-encoding");
            ([("content-encoding", "gzip")], format!("{asked}"))
        }),
    );
    let server = TestServer::start(&ca, router).await;
    let answer = fetch(Trust::Ca(ca.der().clone()), &server.url("/"))
        .await
        .unwrap();
    assert_eq!(answer.body, "false");
}

#[tokio::test]
async fn http2_is_spoken_where_the_server_offers_it() {
    let ca = TestCa::new("h2");
    let router = Router::new().route(
        "/",
        get(|request: axum::extract::Request| async move { format!("{:?}", request.version()) }),
    );
    let server = TestServer::start(&ca, router).await;
    let answer = fetch(Trust::Ca(ca.der().clone()), &server.url("/"))
        .await
        .unwrap();
    assert_eq!(answer.body, "HTTP/2.0");
}

#[test]
fn an_identity_shows_no_key() {
    let issued = TestCa::new("secret").issue(&["host"]);
    let secret = format!("{:?}", issued.key.secret_der());
    let identity = Identity {
        chain: issued.chain,
        key: issued.key,
    };
    assert!(!format!("{identity:?}").contains(&secret));
    assert!(format!("{identity:?}").len() < 60);
}

/// Stands before a server and counts connections.
async fn counted(server: &TestServer) -> (String, Arc<AtomicUsize>) {
    let to = server.address;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut to = TcpStream::connect(to).await.unwrap();
                let _ = copy_bidirectional(&mut from, &mut to).await;
            });
        }
    });
    (format!("https://localhost:{port}/"), count)
}

#[tokio::test]
async fn a_client_made_anew_leaves_the_connections_of_the_old_one_alone() {
    let ca = TestCa::new("ours");
    let server = TestServer::start(&ca, hello()).await;
    let (url, count) = counted(&server).await;
    let trust = Trust::Ca(ca.der().clone());
    let client = http_client(trust, None, ClientLimits::default()).unwrap();
    let mut counts = Vec::new();
    for client in [&client, &client, &client.anew().unwrap(), &client] {
        let request = client.request(Method::GET, &url);
        assert_eq!(client.send(request, 1024).await.unwrap().body, "hello");
        counts.push(count.load(Ordering::SeqCst));
    }
    assert_eq!(counts, [1, 1, 2, 2]);
}
