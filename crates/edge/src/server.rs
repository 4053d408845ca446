//! The HTTPS accept loop.
//!
//! Our own and not `axum::serve`, which has no handshake, no header-read deadline, no connection limit and no way to the
//! peer's certificate. The service sees each request with [`PeerAddr`] and [`PeerCertificate`] among its extensions; body
//! caps and the deadline of a whole request are the service's own (tower layers), because they differ by route.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::tls::ALPN_HTTP2;

/// The client's address; an extension of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// The client's leaf certificate, when it showed one; an extension of every request. The CA has vouched for it; what it
/// entitles to is the service's to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate(pub Option<CertificateDer<'static>>);

/// The listener's limits.
#[derive(Debug, Clone, Copy)]
pub struct ServerLimits {
    /// From TCP accept to the end of the TLS handshake.
    pub handshake: Duration,
    /// From the start of an HTTP/1 request (or of waiting for one) to the end of its headers.
    pub header_read: Duration,
    /// Handshakes under way at one time; the next connections wait in the listener's backlog, where no deadline runs for them.
    pub max_handshakes: usize,
    /// Connections open at one time, handshakes included; the next ones wait in the listener's backlog.
    pub max_connections: usize,
    /// HTTP/2 requests open at one time on one connection.
    pub max_streams: u32,
    /// An HTTP/2 peer that is silent for this long is asked for a sign of life …
    pub keep_alive_interval: Duration,
    /// … and dropped when it gives none within this time.
    pub keep_alive_timeout: Duration,
    /// A connection of this age is asked to end, so that the next one proves the peer's certificate again.
    pub connection_age: Duration,
    /// How long open requests may take to finish once the server shuts down.
    pub drain: Duration,
    /// How long they may take once their connection is too old: nobody is in a hurry then, and a request may be one that waits.
    pub aged_drain: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            handshake: HANDSHAKE_TIMEOUT,
            header_read: HEADER_READ_TIMEOUT,
            max_handshakes: MAX_HANDSHAKES,
            max_connections: MAX_CONNECTIONS,
            max_streams: MAX_STREAMS,
            keep_alive_interval: KEEP_ALIVE_INTERVAL,
            keep_alive_timeout: KEEP_ALIVE_TIMEOUT,
            connection_age: CONNECTION_AGE,
            drain: DRAIN_TIMEOUT,
            aged_drain: AGED_DRAIN_TIMEOUT,
        }
    }
}

/// How serving ended.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Every open request was answered.
    Completely,
    /// The drain deadline passed first; this many connections were cut.
    CutOff(usize),
}

/// Listens on an address, with a backlog for all the hosts that come back after a restart.
///
/// # Errors
/// When the address can't be listened on.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Or a restart would wait for connections of before to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(LISTEN_BACKLOG)
}

/// Serves until `shutdown` resolves, then lets open requests finish within the drain deadline.
///
/// `service` is an `axum::Router` or any other tower service that answers everything.
pub async fn serve<S, B>(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    service: S,
    limits: ServerLimits,
    shutdown: impl Future<Output = ()>,
) -> Drained
where
    S: tower::Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let acceptor = TlsAcceptor::from(tls);
    let places = Places {
        connections: Arc::new(Semaphore::new(limits.max_connections)),
        handshakes: Arc::new(Semaphore::new(limits.max_handshakes)),
    };
    let (drain, draining) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let (stream, peer, place) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(_ended) = connections.join_next() => continue,
            accepted = accept(&listener, &places) => accepted,
        };
        let (acceptor, draining) = (acceptor.clone(), draining.clone());
        let connection = Connection {
            acceptor,
            peer,
            limits,
            draining,
            place,
        };
        connections.spawn(connection.run(stream, service.clone()));
    }
    drop(listener);
    // Every connection holds a receiver; a send can only fail when none is open.
    let _ = drain.send(());
    let finished = async { while connections.join_next().await.is_some() {} };
    match tokio::time::timeout(limits.drain, finished).await {
        Ok(()) => Drained::Completely,
        Err(_) => Drained::CutOff(connections.len()),
    }
}

/// Room for connections.
struct Places {
    connections: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
}

/// A connection's place, and while it lasts the one of its handshake.
struct Place {
    handshake: Option<OwnedSemaphorePermit>,
    _connection: OwnedSemaphorePermit,
}

impl Places {
    /// The next place; `None` if somebody closed a semaphore, which nobody does.
    async fn next(&self) -> Option<Place> {
        let connection = Arc::clone(&self.connections).acquire_owned().await.ok()?;
        let handshake = Arc::clone(&self.handshakes).acquire_owned().await.ok()?;
        Some(Place {
            handshake: Some(handshake),
            _connection: connection,
        })
    }
}

/// The next connection, once there is room for it.
async fn accept(listener: &TcpListener, places: &Places) -> (TcpStream, SocketAddr, Place) {
    loop {
        let Some(place) = places.next().await else {
            // Should that ever change, nothing is accepted any more.
            std::future::pending::<()>().await;
            continue;
        };
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, place),
            Err(err) => {
                // Usually a lack of file descriptors: accepting again at once would only spin.
                tracing::warn!(error = %err, "can't accept a connection");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
}

/// One accepted connection; its place is given back when it ends.
struct Connection {
    acceptor: TlsAcceptor,
    peer: SocketAddr,
    limits: ServerLimits,
    draining: watch::Receiver<()>,
    place: Place,
}

impl Connection {
    async fn run<S, B>(mut self, stream: TcpStream, service: S)
    where
        S: tower::Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
        S: Clone + Send + 'static,
        S::Future: Send,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        // In a place of its own, since a connection lives on without the room that its handshake took.
        let Some(stream) = Box::pin(self.handshake(stream)).await else {
            return;
        };
        self.place.handshake = None;
        let service = WithPeer {
            inner: TowerToHyperService::new(service),
            address: PeerAddr(self.peer),
            certificate: PeerCertificate(peer_certificate(&stream)),
        };
        let builder = http_builder(&self.limits, speaks_http2(&stream));
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let aged = tokio::select! {
            result = connection.as_mut() => return self.ended(result),
            _ = self.draining.changed() => false,
            () = tokio::time::sleep(self.limits.connection_age) => true,
        };
        connection.as_mut().graceful_shutdown();
        if !aged {
            // The accept loop holds the drain deadline of all connections together.
            return self.ended(connection.await);
        }
        match tokio::time::timeout(self.limits.aged_drain, connection).await {
            Ok(result) => self.ended(result),
            Err(_) => tracing::debug!(peer = %self.peer, "connection cut at the end of its age"),
        }
    }

    async fn handshake(&mut self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        // Without it the last small segment of each answer waits for the peer's delayed acknowledgement.
        let _ = stream.set_nodelay(true);
        let accepted = tokio::time::timeout(self.limits.handshake, self.acceptor.accept(stream));
        let accepted = tokio::select! {
            _ = self.draining.changed() => return None,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(err)) => {
                tracing::debug!(peer = %self.peer, error = %err, "TLS handshake failed")
            }
            Err(_) => tracing::debug!(peer = %self.peer, "TLS handshake took too long"),
        }
        None
    }

    /// Clients go away in the middle of things; that is their right and no news.
    fn ended(&self, result: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
        if let Err(err) = result {
            tracing::debug!(peer = %self.peer, error = %err, "connection ended early");
        }
    }
}

/// Tells the service who asks.
struct WithPeer<S> {
    inner: TowerToHyperService<S>,
    address: PeerAddr,
    certificate: PeerCertificate,
}

impl<S> hyper::service::Service<Request<Incoming>> for WithPeer<S>
where
    TowerToHyperService<S>: hyper::service::Service<Request<Incoming>>,
{
    type Response =
        <TowerToHyperService<S> as hyper::service::Service<Request<Incoming>>>::Response;
    type Error = <TowerToHyperService<S> as hyper::service::Service<Request<Incoming>>>::Error;
    type Future = <TowerToHyperService<S> as hyper::service::Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.address);
        request.extensions_mut().insert(self.certificate.clone());
        self.inner.call(request)
    }
}

/// The HTTP settings of one connection. ALPN has chosen the version already; guessing it from the first bytes would be one
/// more wait without a deadline.
fn http_builder(limits: &ServerLimits, http2: bool) -> Builder<TokioExecutor> {
    let builder = Builder::new(TokioExecutor::new());
    let mut builder = if http2 {
        builder.http2_only()
    } else {
        builder.http1_only()
    };
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_read)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEADER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(MAX_HEADER_LIST_BYTES)
        .max_concurrent_streams(limits.max_streams)
        .keep_alive_interval(limits.keep_alive_interval)
        .keep_alive_timeout(limits.keep_alive_timeout);
    builder
}

fn peer_certificate(stream: &TlsStream<TcpStream>) -> Option<CertificateDer<'static>> {
    stream
        .get_ref()
        .1
        .peer_certificates()?
        .first()
        .map(|leaf| leaf.clone().into_owned())
}

fn speaks_http2(stream: &TlsStream<TcpStream>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(ALPN_HTTP2)
}

/// From TCP accept to the end of the TLS handshake.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// From the start of an HTTP/1 request, or of waiting for the next one, to the end of its headers.
pub const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections open at one time, handshakes included: each host keeps one, and a large estate has 15,000 hosts. The process
/// needs as many file descriptors (`LimitNOFILE` in its unit).
pub const MAX_CONNECTIONS: usize = 32_768;

/// Handshakes under way at one time: when thousands of hosts come back at once, each that has begun ends within its deadline.
pub const MAX_HANDSHAKES: usize = 1024;

/// Connections that wait to be accepted; the system may allow fewer (`net.core.somaxconn`).
pub const LISTEN_BACKLOG: u32 = 4096;

/// HTTP/2 requests open at one time on one connection.
pub const MAX_STREAMS: u32 = 32;

/// An HTTP/2 peer that is silent for this long is asked for a sign of life.
pub const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// It is dropped when it gives none within this time.
pub const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection of this age is asked to end.
pub const CONNECTION_AGE: Duration = Duration::from_secs(60 * 60);

/// How long open requests may take to finish once the server shuts down.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// How long open requests may take to finish on a connection that is too old.
pub const AGED_DRAIN_TIMEOUT: Duration = Duration::from_secs(180);

/// Header fields of one HTTP/1 request.
pub const MAX_HEADERS: usize = 64;

/// Bytes of one HTTP/1 request's head.
pub const MAX_HEADER_BYTES: usize = 16 * 1024;

/// Bytes of one HTTP/2 request's headers.
pub const MAX_HEADER_LIST_BYTES: u32 = 16 * 1024;

/// The pause after a failed accept.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;
