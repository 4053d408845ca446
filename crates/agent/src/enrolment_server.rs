//! A key server for this crate's tests that enrols hosts and renews their certificates, rightly or as a test wants it.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use keyroster_api::enroll::{
    Enroll, Enrolled, EnrolmentToken, RenewCertificate, RenewedCertificate,
};
use keyroster_edge::{CaPin, CertificateHandle, ServerLimits, serve, server_config};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, IsCa, Issuer, KeyPair,
};
use rustls_pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use crate::testing::{HOST_ID, snapshot_key};

pub(crate) type Answerer = dyn Fn(&Authority, &str, &[u8]) -> Response + Send + Sync;

/// What signs certificates.
pub(crate) struct Authority {
    ca: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// The server; it ends with the test's runtime.
pub(crate) struct EnrolmentServer {
    authority: Arc<Authority>,
    port: u16,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().unwrap();
        let ca = params.self_signed(&key).unwrap();
        Self {
            ca,
            issuer: Issuer::new(params, key),
        }
    }

    /// A certificate for the key in this request.
    pub(crate) fn sign(&self, csr: &str) -> String {
        let request = CertificateSigningRequestParams::from_pem(csr).unwrap();
        request.signed_by(&self.issuer).unwrap().pem()
    }

    /// What a sound key server says to an enrolment.
    pub(crate) fn enrol(&self, body: &[u8]) -> Enrolled {
        let asked: Enroll = serde_json::from_slice(body).unwrap();
        Enrolled {
            host_id: HOST_ID.to_owned(),
            name: asked.name,
            certificate: self.sign(&asked.csr),
            ca: self.ca.pem(),
            other_ca: None,
            snapshot_key: snapshot_key().public().to_openssh().unwrap(),
            next_snapshot_key: None,
            keys_serial: 0,
            epoch: 3,
            revision: 7,
        }
    }

    /// What a sound key server says to a renewal.
    pub(crate) fn renew(&self, body: &[u8]) -> RenewedCertificate {
        let asked: RenewCertificate = serde_json::from_slice(body).unwrap();
        RenewedCertificate {
            certificate: self.sign(&asked.csr),
        }
    }
}

impl EnrolmentServer {
    /// Starts one that answers each request with what `answerer` makes of its path and body.
    pub(crate) async fn start(
        answerer: impl Fn(&Authority, &str, &[u8]) -> Response + Send + Sync + 'static,
    ) -> Self {
        let authority = Arc::new(Authority::new());
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let leaf = params.signed_by(&key, &authority.issuer).unwrap();
        let chain = vec![leaf.der().clone(), authority.ca.der().clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let handle = CertificateHandle::new(chain, &key).unwrap();
        let tls = server_config(&handle, &[]).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = router(
            Arc::clone(&authority),
            Arc::clone(&bodies),
            Arc::new(answerer),
        );
        let serving = serve(
            listener,
            tls,
            router,
            ServerLimits::default(),
            std::future::pending(),
        );
        tokio::spawn(async {
            let _ended = serving.await;
        });
        Self {
            authority,
            port,
            bodies,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    pub(crate) fn ca_pem(&self) -> String {
        self.authority.ca.pem()
    }

    /// A token of this server's.
    pub(crate) fn token(&self) -> EnrolmentToken {
        EnrolmentToken {
            secret: Zeroizing::new([5; 20]),
            ca_pin: *CaPin::of(self.authority.ca.der()).as_bytes(),
            snapshot_pin: snapshot_key().public().pin().unwrap(),
        }
    }

    /// The bodies that came in.
    pub(crate) fn bodies(&self) -> Vec<String> {
        self.bodies.lock().unwrap().clone()
    }
}

fn router(
    authority: Arc<Authority>,
    bodies: Arc<Mutex<Vec<String>>>,
    answerer: Arc<Answerer>,
) -> Router {
    Router::new().fallback(move |request: Request| async move {
        let path = request.uri().path().to_owned();
        let body = axum::body::to_bytes(request.into_body(), 64 * 1024)
            .await
            .unwrap();
        bodies
            .lock()
            .unwrap()
            .push(String::from_utf8_lossy(&body).into_owned());
        answerer(&authority, &path, &body).into_response()
    })
}
