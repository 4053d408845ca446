//! Certificate authorities and servers for this crate's tests.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::server::{Drained, ServerLimits, serve};
use crate::tls::{CertificateHandle, server_config};

/// A CA that lives as long as its test.
pub(crate) struct TestCa {
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A leaf and its key; the chain ends with the CA.
pub(crate) struct Issued {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

/// When a leaf is valid.
#[derive(Clone, Copy)]
pub(crate) enum Validity {
    Now,
    Past,
}

impl TestCa {
    pub(crate) fn new(name: &str) -> Self {
        let params = ca_params(name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            certificate,
            issuer: Issuer::new(params, key),
        }
    }

    pub(crate) fn der(&self) -> &CertificateDer<'static> {
        self.certificate.der()
    }

    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// A certificate for the key of another CA.
    pub(crate) fn cross(&self, name: &str, other: &Self) -> CertificateDer<'static> {
        self.cross_valid(name, other, Validity::Now)
    }

    pub(crate) fn cross_valid(
        &self,
        name: &str,
        other: &Self,
        validity: Validity,
    ) -> CertificateDer<'static> {
        let mut params = ca_params(name);
        validity.set(&mut params);
        let cross = params.signed_by(other.issuer.key(), &self.issuer).unwrap();
        cross.der().clone()
    }

    pub(crate) fn issue(&self, names: &[&str]) -> Issued {
        self.issue_valid(names, Validity::Now)
    }

    pub(crate) fn issue_valid(&self, names: &[&str], validity: Validity) -> Issued {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        validity.set(&mut params);
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        Issued {
            chain: vec![leaf.der().clone(), self.der().clone()],
            key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        }
    }
}

impl Validity {
    fn set(self, params: &mut CertificateParams) {
        if matches!(self, Self::Past) {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        }
    }
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// A server on loopback until it is told to stop.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Drained>,
}

impl TestServer {
    pub(crate) async fn start(ca: &TestCa, router: Router) -> Self {
        Self::start_with(
            ca,
            &ca.issue(&["localhost"]),
            router,
            ServerLimits::default(),
        )
        .await
    }

    pub(crate) async fn start_with(
        ca: &TestCa,
        shown: &Issued,
        router: Router,
        limits: ServerLimits,
    ) -> Self {
        let handle = CertificateHandle::new(shown.chain.clone(), &shown.key).unwrap();
        Self::start_handle(ca, &handle, router, limits).await
    }

    pub(crate) async fn start_handle(
        ca: &TestCa,
        handle: &CertificateHandle,
        router: Router,
        limits: ServerLimits,
    ) -> Self {
        let tls = server_config(handle, std::slice::from_ref(ca.der())).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move { drop(stopped.await) };
        let task = tokio::spawn(serve(listener, Arc::clone(&tls), router, limits, shutdown));
        Self {
            address,
            stop,
            task,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    pub(crate) async fn stop(self) -> Drained {
        drop(self.stop);
        self.task.await.unwrap()
    }
}
