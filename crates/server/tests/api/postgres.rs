//! The main flow once more, on PostgreSQL; and what happens when it is out of reach.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use keyroster_api::paths;
use keyroster_server::limits::Limits;
use keyroster_testkit::Postgres;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::fixture::{ED25519, Fixture, Host};

#[tokio::test]
async fn a_key_is_let_in_revoked_and_out_on_postgresql() {
    let postgres = Postgres::start().unwrap();
    let fixture =
        Fixture::start_on(Some(postgres.fresh_database().unwrap()), Limits::default()).await;
    let key = fixture.let_alice_in(ED25519).await;
    let host = fixture.enrol("web-1", "web").await;
    let first = host.poll(None).await;
    assert_eq!(first.snapshot()["accounts"][0]["name"], "deploy");
    assert_eq!(host.poll(Some(first.etag())).await.status, 304);
    assert_eq!(
        fixture
            .post(&paths::fill(paths::KEY_REVOKE, &[&key]), Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(
        host.poll(Some(first.etag())).await.snapshot()["accounts"],
        json!([])
    );
    let (renewed, _) = host.renew().await;
    assert_eq!(renewed.status, 200);
    assert_eq!(
        fixture
            .admin(Method::DELETE, "/v1/hosts/web-1", Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(host.poll(None).await.problem(), "host-gone");
}

#[tokio::test]
async fn without_its_database_a_server_decides_nothing_and_comes_back_with_it() {
    let postgres = Postgres::start().unwrap();
    let database = postgres.fresh_database().unwrap();
    let cable = Cable::to(port_of(&database)).await;
    let database = database.replace(
        &format!(":{}/", port_of(&database)),
        &format!(":{}/", cable.address.port()),
    );
    let quick = Limits {
        state_poll: Duration::from_millis(20),
        state_age: Duration::from_millis(300),
        ready: Duration::from_millis(300),
        ..Limits::default()
    };
    let fixture = Fixture::start_on(Some(database), quick).await;
    let host = fixture.enrol("web-1", "web").await;
    let held = until(&host, None, 200).await;
    let open = async |path: &str| {
        fixture
            .call(Method::GET, path, None, Value::Null)
            .await
            .status
    };
    assert_eq!(open(paths::READYZ).await, 200);

    cable.plugged.send_replace(false);
    assert_eq!(until(&host, Some(&held), 503).await, "unavailable");
    assert_eq!(
        (open(paths::READYZ).await, open(paths::HEALTHZ).await),
        (503, 200)
    );

    cable.plugged.send_replace(true);
    assert_eq!(until(&host, Some(&held), 304).await, held);
    assert_eq!(open(paths::READYZ).await, 200);
}

/// Polls until the answer has this status; its problem or its entity tag.
async fn until(host: &Host, held: Option<&str>, status: u16) -> String {
    loop {
        let reply = host.poll(held).await;
        if reply.status == status {
            return if status == 503 {
                reply.problem()
            } else {
                reply.etag().to_owned()
            };
        }
        assert!(
            matches!(reply.status, 200 | 304 | 503),
            "an outage is no authoritative no: {reply:?}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The way to a database, which a test can cut: open connections end, and new ones do too.
struct Cable {
    address: SocketAddr,
    plugged: Arc<watch::Sender<bool>>,
}

impl Cable {
    async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let plugged = Arc::new(watch::Sender::new(true));
        let watched = Arc::clone(&plugged);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, port, watched.subscribe()));
            }
        });
        Self { address, plugged }
    }
}

async fn carry(mut client: TcpStream, port: u16, mut plugged: watch::Receiver<bool>) {
    if !*plugged.borrow() {
        return;
    }
    let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        _ = plugged.wait_for(|plugged| !plugged) => {}
    }
}

fn port_of(url: &str) -> u16 {
    let (authority, _) = url.rsplit_once('/').unwrap();
    authority.rsplit_once(':').unwrap().1.parse().unwrap()
}
