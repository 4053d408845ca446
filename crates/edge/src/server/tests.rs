use axum::extract::Request as AxumRequest;
use axum::routing::get;
use axum::{Extension, Router};
use http::Method;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream as ClientStream;

use super::*;
use crate::client::{ClientLimits, HttpClient, Identity, Trust, http_client};
use crate::pin::CaPin;
use crate::testing::{TestCa, TestServer};
use crate::tls::{CertificateHandle, client_config};

fn client(ca: &TestCa, identity: Option<Identity>) -> HttpClient {
    http_client(
        Trust::Ca(ca.der().clone()),
        identity,
        ClientLimits::default(),
    )
    .unwrap()
}

async fn get_text(client: &HttpClient, url: &str) -> String {
    let answer = client
        .send(client.request(Method::GET, url), 64 * 1024)
        .await
        .unwrap();
    String::from_utf8(answer.body.to_vec()).unwrap()
}

fn whoami() -> Router {
    let whoami = |Extension(peer): Extension<PeerCertificate>,
                  Extension(addr): Extension<PeerAddr>| async move {
        let pin = peer
            .0
            .map(|leaf| CaPin::of(&leaf).to_string())
            .unwrap_or_default();
        format!("{} {pin}", addr.0.ip())
    };
    Router::new().route("/", get(whoami))
}

/// A TLS connection that speaks HTTP/1 by hand.
async fn raw(ca: &TestCa, server: &TestServer) -> ClientStream<TcpStream> {
    let (mut config, _) = client_config(Trust::Ca(ca.der().clone()), None).unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let stream = TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .unwrap()
}

/// What the server still says until it closes the connection; hangs when it never does.
async fn until_closed(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text).await;
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn the_service_learns_the_peers_address_and_certificate() {
    let ca = TestCa::new("peers");
    let server = TestServer::start(&ca, whoami()).await;
    assert_eq!(
        get_text(&client(&ca, None), &server.url("/")).await,
        "127.0.0.1 "
    );
    let host = ca.issue(&["web-1"]);
    let pin = CaPin::of(&host.chain[0]);
    let identity = Identity {
        chain: host.chain,
        key: host.key,
    };
    assert_eq!(
        get_text(&client(&ca, Some(identity)), &server.url("/")).await,
        format!("127.0.0.1 {pin}")
    );
}

#[tokio::test]
async fn a_client_certificate_of_another_ca_ends_the_connection() {
    let (ca, foreign) = (TestCa::new("same"), TestCa::new("same"));
    let server = TestServer::start(&ca, whoami()).await;
    let host = foreign.issue(&["web-1"]);
    let identity = Identity {
        chain: host.chain,
        key: host.key,
    };
    let client = client(&ca, Some(identity));
    let result = client
        .send(client.request(Method::GET, &server.url("/")), 1024)
        .await;
    assert!(result.unwrap_err().transport_kind().is_some());
}

#[tokio::test]
async fn a_replaced_certificate_is_shown_from_the_next_handshake_on() {
    let ca = TestCa::new("renewed");
    let (old, new) = (ca.issue(&["elsewhere.example"]), ca.issue(&["localhost"]));
    let handle = CertificateHandle::new(old.chain, &old.key).unwrap();
    let server = TestServer::start_handle(&ca, &handle, whoami(), ServerLimits::default()).await;
    let client = client(&ca, None);
    assert!(
        client
            .send(client.request(Method::GET, &server.url("/")), 1024)
            .await
            .is_err()
    );
    handle.replace(new.chain, &new.key).unwrap();
    assert_eq!(get_text(&client, &server.url("/")).await, "127.0.0.1 ");
}

#[tokio::test]
async fn a_client_that_never_shakes_hands_is_dropped_at_the_deadline() {
    let ca = TestCa::new("mute");
    let limits = ServerLimits {
        handshake: Duration::from_millis(50),
        ..ServerLimits::default()
    };
    let server = TestServer::start_with(&ca, &ca.issue(&["localhost"]), whoami(), limits).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(until_closed(&mut stream).await, "");
}

#[tokio::test]
async fn a_client_that_never_ends_its_headers_is_dropped_at_the_deadline() {
    let ca = TestCa::new("slow");
    let limits = ServerLimits {
        header_read: Duration::from_millis(50),
        ..ServerLimits::default()
    };
    let server = TestServer::start_with(&ca, &ca.issue(&["localhost"]), whoami(), limits).await;
    for start in [
        "",
        "GET / HT",
        "GET / HTTP/1.1\r\nhost: localhost\r\nx-slow: ",
    ] {
        let mut stream = raw(&ca, &server).await;
        stream.write_all(start.as_bytes()).await.unwrap();
        assert!(!until_closed(&mut stream).await.contains("127.0.0.1"));
    }
}

#[tokio::test]
async fn too_many_or_too_long_headers_are_refused() {
    let ca = TestCa::new("heads");
    let server = TestServer::start(&ca, whoami()).await;
    let many: String = (0..=MAX_HEADERS).map(|n| format!("x-{n}: y\r\n")).collect();
    let long = format!("x-long: {}\r\n", "y".repeat(MAX_HEADER_BYTES));
    for headers in [many, long] {
        let mut stream = raw(&ca, &server).await;
        let request = format!("GET / HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        assert!(until_closed(&mut stream).await.starts_with("HTTP/1.1 431"));
    }
}

#[tokio::test]
async fn http2_headers_beyond_the_cap_never_reach_the_service() {
    let ca = TestCa::new("h2heads");
    let server = TestServer::start(&ca, whoami()).await;
    let client = client(&ca, None);
    let request = client
        .request(Method::GET, &server.url("/"))
        .header("x-long", "y".repeat(MAX_HEADER_LIST_BYTES as usize));
    let refused = match client.send(request, 1024).await {
        Ok(answer) => answer.status == http::StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Err(err) => err.transport_kind().is_some(),
    };
    assert!(refused);
}

#[tokio::test]
async fn beyond_the_connection_limit_the_next_one_waits_for_a_free_place() {
    let ca = TestCa::new("full");
    let limits = ServerLimits {
        max_connections: 1,
        ..ServerLimits::default()
    };
    let server = TestServer::start_with(&ca, &ca.issue(&["localhost"]), whoami(), limits).await;
    let mut first = raw(&ca, &server).await;
    first
        .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    assert!(
        first.read_u8().await.is_ok(),
        "the first connection is being served"
    );
    let url = server.url("/");
    let mut second = tokio::spawn({
        let client = client(&ca, None);
        async move { get_text(&client, &url).await }
    });
    let waited = tokio::time::timeout(Duration::from_millis(100), &mut second).await;
    assert!(waited.is_err(), "the second connection had to wait");
    drop(first);
    assert_eq!(second.await.unwrap(), "127.0.0.1 ");
}

/// A router whose request says when it has started and ends when it is told to.
fn held() -> (Router, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (started, has_started) = mpsc::channel(1);
    let (release, released) = mpsc::channel::<()>(1);
    let released = Arc::new(tokio::sync::Mutex::new(released));
    let handler = move |_: AxumRequest| {
        let (started, released) = (started.clone(), Arc::clone(&released));
        async move {
            started.send(()).await.unwrap();
            released.lock().await.recv().await;
            "finished"
        }
    };
    (Router::new().route("/", get(handler)), has_started, release)
}

#[tokio::test]
async fn a_shutdown_lets_an_open_request_finish_and_accepts_no_new_one() {
    let ca = TestCa::new("drain");
    let (router, mut has_started, release) = held();
    let server = TestServer::start(&ca, router).await;
    let (url, address) = (server.url("/"), server.address);
    let request = tokio::spawn({
        let client = client(&ca, None);
        async move { get_text(&client, &url).await }
    });
    has_started.recv().await.unwrap();
    let stopping = tokio::spawn(server.stop());
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    release.send(()).await.unwrap();
    assert_eq!(request.await.unwrap(), "finished");
    assert_eq!(stopping.await.unwrap(), Drained::Completely);
}

#[tokio::test]
async fn a_request_that_outlasts_the_drain_deadline_is_cut_and_counted() {
    let ca = TestCa::new("cut");
    let (router, mut has_started, _release) = held();
    let limits = ServerLimits {
        drain: Duration::from_millis(50),
        ..ServerLimits::default()
    };
    let server = TestServer::start_with(&ca, &ca.issue(&["localhost"]), router, limits).await;
    let url = server.url("/");
    let client = client(&ca, None);
    let request = tokio::spawn(async move {
        client
            .send(client.request(Method::GET, &url), 1024)
            .await
            .is_err()
    });
    has_started.recv().await.unwrap();
    assert_eq!(server.stop().await, Drained::CutOff(1));
    assert!(request.await.unwrap());
}

#[tokio::test]
async fn a_connection_of_full_age_is_closed_after_its_request() {
    let ca = TestCa::new("old");
    let limits = ServerLimits {
        connection_age: Duration::from_millis(50),
        ..ServerLimits::default()
    };
    let server = TestServer::start_with(&ca, &ca.issue(&["localhost"]), whoami(), limits).await;
    let mut stream = raw(&ca, &server).await;
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    assert!(until_closed(&mut stream).await.contains("127.0.0.1"));
}
