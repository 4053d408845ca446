//! The fake key server's socket and threads.

use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::fake::{Behaviour, CertificateKind, Identity, TestCa};
use crate::{Failure, Result};

/// A TLS server on loopback that answers every request as it was told to. Dropped, it stops listening.
pub struct FakeKeyServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl FakeKeyServer {
    /// Starts one with a certificate of this kind by `ca`, doing this with every request.
    pub fn start(ca: &TestCa, kind: CertificateKind, behaviour: Behaviour) -> Result<Self> {
        Self::with_identity(ca.issue(kind)?, move |_| behaviour.clone())
    }

    /// Starts one that chooses by the request's head (request line and headers).
    pub fn with_identity(
        identity: Identity,
        choose: impl Fn(&str) -> Behaviour + Send + Sync + 'static,
    ) -> Result<Self> {
        Self::listening(tls_config(identity, None)?, choose)
    }

    /// Starts one that wants a client certificate of `ca`, and breaks the handshake off without a valid one.
    pub fn demanding(ca: &TestCa, behaviour: Behaviour) -> Result<Self> {
        let tls = tls_config(ca.issue(CertificateKind::Good)?, Some(ca))?;
        Self::listening(tls, move |_| behaviour.clone())
    }

    fn listening(
        tls: Arc<ServerConfig>,
        choose: impl Fn(&str) -> Behaviour + Send + Sync + 'static,
    ) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| cannot_listen(&error))?;
        let address = listener
            .local_addr()
            .map_err(|error| cannot_listen(&error))?;
        let shared = Arc::new(Shared {
            tls,
            choose: Mutex::new(Arc::new(choose)),
            requests: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let acceptor = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Ok(Self {
            address,
            shared,
            acceptor: Some(acceptor),
        })
    }

    /// `https://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Does this with every request from now on.
    pub fn set(&self, behaviour: Behaviour) {
        self.choose(move |_| behaviour.clone());
    }

    /// Chooses by the request's head from now on.
    pub fn choose(&self, choose: impl Fn(&str) -> Behaviour + Send + Sync + 'static) {
        *lock(&self.shared.choose) = Arc::new(choose);
    }

    /// The heads of the requests that have come in, oldest first.
    pub fn requests(&self) -> Vec<String> {
        lock(&self.shared.requests).clone()
    }
}

impl Drop for FakeKeyServer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // The acceptor looks at the flag only when somebody connects.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

impl std::fmt::Debug for FakeKeyServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeKeyServer")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

type Choice = dyn Fn(&str) -> Behaviour + Send + Sync;

struct Shared {
    tls: Arc<ServerConfig>,
    choose: Mutex<Arc<Choice>>,
    requests: Mutex<Vec<String>>,
    stopped: AtomicBool,
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming().flatten() {
        if shared.stopped.load(Ordering::Relaxed) {
            return;
        }
        let shared = Arc::clone(shared);
        // Detached: a client may hold a connection for as long as it likes; the thread ends with it or with the flag.
        std::thread::spawn(move || {
            let _ = serve(stream, &shared);
        });
    }
}

fn serve(socket: TcpStream, shared: &Shared) -> io::Result<()> {
    socket.set_read_timeout(Some(SOCKET_LIMIT))?;
    socket.set_write_timeout(Some(SOCKET_LIMIT))?;
    let session = ServerConnection::new(Arc::clone(&shared.tls)).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(session, socket);
    let head = read_head(&mut stream)?;
    lock(&shared.requests).push(head.clone());
    let choose = Arc::clone(&lock(&shared.choose));
    let behaviour = choose(&head).to(&head);
    behaviour.perform(&mut stream, &|| shared.stopped.load(Ordering::Relaxed))?;
    if !matches!(behaviour, Behaviour::Truncated(_) | Behaviour::HangUp) {
        stream.conn.send_close_notify();
    }
    while stream.conn.wants_write() {
        stream.conn.write_tls(&mut stream.sock)?;
    }
    linger(&stream.sock)
}

/// Closes so that the answer arrives: a socket closed over unread bytes, such as a request's body, would reset it away.
fn linger(socket: &TcpStream) -> io::Result<()> {
    socket.shutdown(Shutdown::Write)?;
    socket.set_read_timeout(Some(LINGER_LIMIT))?;
    io::copy(&mut socket.take(LINGER_BYTES), &mut io::sink()).map(drop)
}

fn read_head(stream: &mut impl Read) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD_BYTES {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend_from_slice(&byte);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// Whoever comes is served; with `clients`, whoever shows a certificate of that CA.
fn tls_config(identity: Identity, clients: Option<&TestCa>) -> Result<Arc<ServerConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = match clients {
        None => WebPkiClientVerifier::no_client_auth(),
        Some(ca) => client_verifier(ca, &provider)?,
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_client_cert_verifier(verifier)
                .with_single_cert(vec![identity.certificate], identity.key)
        })
        .map_err(|error| Failure::new(format!("cannot set up TLS: {error}")))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn client_verifier(
    ca: &TestCa,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::new(format!("cannot set up TLS: {error}"));
    let root = CertificateDer::from_pem_slice(ca.certificate_pem().as_bytes())
        .map_err(|error| failed(&error))?;
    let mut roots = RootCertStore::empty();
    roots.add(root).map_err(|error| failed(&error))?;
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
    verifier.map_err(|error| failed(&error))
}

fn cannot_listen(error: &io::Error) -> Failure {
    Failure::new(format!("cannot listen on loopback: {error}"))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The longest that a read or write may hang on a client.
const SOCKET_LIMIT: Duration = Duration::from_secs(60);
/// The longest that a client's last bytes are waited for, and how many of them.
const LINGER_LIMIT: Duration = Duration::from_secs(2);
const LINGER_BYTES: u64 = 1 << 20;
/// The longest head of a request that is read.
const HEAD_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection};

    use super::*;

    /// A client that trusts `ca`, reads at most a mebibyte, and returns what it got.
    fn get(ca: &TestCa, server: &FakeKeyServer) -> io::Result<Vec<u8>> {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(ca.certificate_pem().as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let session =
            ClientConnection::new(Arc::new(config), ServerName::try_from("127.0.0.1").unwrap())
                .unwrap();
        let mut stream = StreamOwned::new(session, TcpStream::connect(server.address())?);
        stream.write_all(b"GET /v1/host/snapshot HTTP/1.1\r\nhost: x\r\n\r\n")?;
        let mut bytes = Vec::new();
        stream.take(1 << 20).read_to_end(&mut bytes).map(|_| bytes)
    }

    fn fetch(kind: CertificateKind, behaviour: Behaviour) -> io::Result<Vec<u8>> {
        let ca = TestCa::new().unwrap();
        let server = FakeKeyServer::start(&ca, kind, behaviour).unwrap();
        get(&ca, &server)
    }

    #[test]
    fn a_good_certificate_serves_the_answer_it_was_told_to() {
        let bytes = fetch(CertificateKind::Good, Behaviour::status(503)).unwrap();
        assert!(bytes.starts_with(b"HTTP/1.1 503 "));
    }

    #[test]
    fn each_wrong_certificate_is_refused_for_its_own_reason() {
        for (kind, reason) in [
            (CertificateKind::Expired, "Expired"),
            (CertificateKind::NotYetValid, "NotValidYet"),
            (CertificateKind::WrongName, "NotValidForName"),
            (CertificateKind::ForeignCa, "BadSignature"),
            (CertificateKind::SelfSigned, "UnknownIssuer"),
        ] {
            let error = fetch(kind, Behaviour::status(200)).unwrap_err();
            let said = format!("{error:?}");
            assert!(said.contains(reason), "{kind:?}: {said}");
        }
    }

    #[test]
    fn a_client_without_a_certificate_is_not_served_where_one_is_demanded() {
        let ca = TestCa::new().unwrap();
        let server = FakeKeyServer::demanding(&ca, Behaviour::status(200)).unwrap();
        assert!(get(&ca, &server).is_err());
        assert!(server.requests().is_empty());
    }

    #[test]
    fn an_endless_body_fills_whatever_the_client_is_ready_to_take() {
        assert_eq!(
            fetch(CertificateKind::Good, Behaviour::Endless)
                .unwrap()
                .len(),
            1 << 20
        );
    }

    #[test]
    fn a_truncated_body_ends_without_the_end_of_tls() {
        let error = fetch(
            CertificateKind::Good,
            Behaviour::Truncated(b"half".to_vec()),
        )
        .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn requests_are_kept_and_the_behaviour_can_change() {
        let ca = TestCa::new().unwrap();
        let server = FakeKeyServer::start(&ca, CertificateKind::Good, Behaviour::Html).unwrap();
        assert!(
            String::from_utf8(get(&ca, &server).unwrap())
                .unwrap()
                .contains("text/html")
        );
        server.set(Behaviour::status(404));
        assert!(get(&ca, &server).unwrap().starts_with(b"HTTP/1.1 404 "));
        assert!(
            server
                .requests()
                .iter()
                .all(|head| head.starts_with("GET /v1/host/snapshot "))
        );
        assert_eq!(server.requests().len(), 2);
    }
}
