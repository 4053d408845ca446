//! Limits: each of these fails when the limit is not applied.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use keyroster_api::paths;
use keyroster_edge::ServerLimits;
use keyroster_server::limits::{Limits, MAX_BODY_BYTES};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::fixture::Fixture;

const SOON: Duration = Duration::from_millis(100);

/// HTTP/1 by hand, over real TLS.
async fn connect(fixture: &Fixture) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(fixture.ca.clone()).unwrap();
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(fixture.server.address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .unwrap()
}

/// All that comes until the server closes; waits for ever if it does not.
async fn until_closed(stream: &mut TlsStream<TcpStream>) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

fn head(fixture: &Fixture, length: usize) -> String {
    format!(
        "POST {} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         connection: close\r\ncontent-length: {length}\r\n\r\n",
        paths::USERS,
        fixture.token
    )
}

#[tokio::test]
async fn headers_that_never_end_are_given_up() {
    let listener = ServerLimits {
        header_read: SOON,
        ..ServerLimits::default()
    };
    let fixture = Fixture::start_with(Limits {
        listener,
        ..Limits::default()
    })
    .await;
    let mut stream = connect(&fixture).await;
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-slow: ")
        .await
        .unwrap();
    assert!(!until_closed(&mut stream).await.contains(" 200 "));
}

#[tokio::test]
async fn a_body_that_dribbles_is_given_up() {
    let fixture = Fixture::start_with(Limits {
        body_read: SOON,
        ..Limits::default()
    })
    .await;
    let mut stream = connect(&fixture).await;
    stream
        .write_all(head(&fixture, 1000).as_bytes())
        .await
        .unwrap();
    let (mut read, mut write) = tokio::io::split(stream);
    let dribble = tokio::spawn(async move {
        // One byte at a time, each within any deadline between two of them.
        while write.write_all(b" ").await.is_ok() && write.flush().await.is_ok() {
            tokio::time::sleep(SOON / 10).await;
        }
    });
    let mut bytes = Vec::new();
    let _ = read.read_to_end(&mut bytes).await;
    dribble.abort();
    let text = String::from_utf8_lossy(&bytes);
    assert!(
        text.contains(" 408 ") && text.contains("request-timeout"),
        "{text}"
    );
    assert_eq!(fixture.get(paths::USERS).await.json()["items"], json!([]));
}

#[tokio::test]
async fn a_request_that_is_not_done_in_time_is_answered_all_the_same() {
    let fixture = Fixture::start_with(Limits {
        total: SOON,
        ..Limits::default()
    })
    .await;
    let mut stream = connect(&fixture).await;
    // The body's own deadline is far away; what ends this is the deadline of the whole.
    stream
        .write_all(head(&fixture, 1000).as_bytes())
        .await
        .unwrap();
    let text = until_closed(&mut stream).await;
    assert!(
        text.contains(" 503 ") && text.contains("unavailable"),
        "{text}"
    );
}

#[tokio::test]
async fn a_body_beyond_its_cap_is_refused_whether_its_length_is_announced_or_not() {
    let fixture = Fixture::start().await;
    let long = format!("{{\"name\":\"{}\"}}", "a".repeat(MAX_BODY_BYTES));
    let announced = fixture
        .raw(Method::POST, paths::USERS, "application/json", long.clone())
        .await;
    assert_eq!(
        (announced.status, announced.problem().as_str()),
        (413, "too-large")
    );
    let mut stream = connect(&fixture).await;
    let chunked = head(&fixture, 0).replace("content-length: 0", "transfer-encoding: chunked");
    stream.write_all(chunked.as_bytes()).await.unwrap();
    stream
        .write_all(format!("{:x}\r\n{long}\r\n", long.len()).as_bytes())
        .await
        .unwrap();
    let text = until_closed(&mut stream).await;
    assert!(
        text.contains(" 413 ") && text.contains("too-large"),
        "{text}"
    );
    let longest = format!("{{\"name\":\"bob\"{}}}", " ".repeat(MAX_BODY_BYTES - 14));
    assert_eq!(
        fixture
            .raw(Method::POST, paths::USERS, "application/json", longest)
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn a_body_that_is_cut_off_changes_nothing() {
    let fixture = Fixture::start().await;
    let before = fixture.revision().await;
    let mut stream = connect(&fixture).await;
    stream
        .write_all(head(&fixture, 1000).as_bytes())
        .await
        .unwrap();
    stream.write_all(b"{\"name\":\"bob\"}").await.unwrap();
    stream.shutdown().await.unwrap();
    let _ = until_closed(&mut stream).await;
    assert_eq!(fixture.revision().await, before);
}

#[tokio::test]
async fn requests_beyond_the_places_for_them_are_turned_away_at_once() {
    let fixture = Fixture::start_with(Limits {
        requests: 1,
        ..Limits::default()
    })
    .await;
    let mut stream = connect(&fixture).await;
    stream
        .write_all(head(&fixture, 1000).as_bytes())
        .await
        .unwrap();
    // Until the one place is taken, the request below is answered; from then on it is turned away.
    loop {
        let reply = fixture
            .call(Method::GET, paths::HEALTHZ, None, Value::Null)
            .await;
        if reply.status == 503 {
            assert_eq!(
                (reply.problem().as_str(), &reply.headers["retry-after"]),
                ("unavailable", &"1".parse().unwrap())
            );
            break;
        }
        assert_eq!(reply.status, 200);
    }
    drop(stream);
}

#[tokio::test]
async fn connections_beyond_their_number_wait_until_one_ends() {
    let listener = ServerLimits {
        max_connections: 1,
        ..ServerLimits::default()
    };
    let fixture = Fixture::start_with(Limits {
        listener,
        ..Limits::default()
    })
    .await;
    let first = connect(&fixture).await;
    let second = tokio::time::timeout(SOON * 3, connect(&fixture)).await;
    assert!(second.is_err(), "there is no place for a second one");
    drop(first);
    let mut third = connect(&fixture).await;
    third
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    assert!(until_closed(&mut third).await.contains(" 200 "));
}
