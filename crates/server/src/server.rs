//! A running server: the listener, and the tasks beside it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use keyroster_edge::{CertificateHandle, Drained, TlsError, serve, server_config};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::app::{App, Application, Parts, StartError};
use crate::ca::CaError;
use crate::openapi;
use crate::random::RandomError;
use crate::router::{document, router};

/// A server that serves until it is told to stop.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    app: App,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Drained>,
    beside: [JoinHandle<()>; 2],
}

/// A server can't be started.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The address can't be listened on.
    #[error("can't listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        error: std::io::Error,
    },
    /// The application can't be put together.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The server's certificate can't be issued.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// The server's certificate can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// There is no randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The OpenAPI document has no JSON form.
    #[error("the OpenAPI document can't be written: {0}")]
    Document(String),
}

impl Server {
    /// Listens and serves. `names` are those in the server's certificate.
    ///
    /// # Errors
    /// When the address can't be listened on, or a part can't be used.
    pub async fn start(
        parts: Parts,
        listen: SocketAddr,
        names: Vec<String>,
    ) -> Result<Self, ServeError> {
        let document = openapi::to_json(&document())
            .map_err(|error| ServeError::Document(error.to_string()))?;
        let app = Application::start(parts, Bytes::from(document)).await?;
        let failed = |error| ServeError::Listen {
            address: listen,
            error,
        };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let leaf = app.ca.issue_server(&names, app.now(), app.new_serial()?)?;
        let certificate = CertificateHandle::new(leaf.chain, &leaf.key)?;
        let tls = server_config(&certificate, Some(app.ca.certificate()))?;
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move { drop(stopped.await) };
        let serving = tokio::spawn(serve(
            listener,
            tls,
            router(&app),
            app.limits.listener,
            shutdown,
        ));
        let beside = [
            tokio::spawn(watch_roster(Arc::clone(&app))),
            tokio::spawn(renew_certificate(Arc::clone(&app), certificate, names)),
        ];
        Ok(Self {
            address,
            app,
            stop,
            serving,
            beside,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening, lets open requests finish within the drain deadline, and closes the database.
    pub async fn stop(self) -> Drained {
        // The loop may have ended by itself; then nobody waits to be told.
        let _ = self.stop.send(());
        let drained = self.serving.await.unwrap_or(Drained::CutOff(0));
        for task in self.beside {
            task.abort();
        }
        self.app.store.close().await;
        drained
    }
}

/// Asks the database again and again whether another server wrote.
async fn watch_roster(app: App) {
    let mut lost = false;
    loop {
        tokio::time::sleep(app.limits.state_poll).await;
        let asked = tokio::time::timeout(app.limits.state_age, app.refresh_quietly()).await;
        let failure = match asked {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("no answer in time".to_owned()),
        };
        match (failure, lost) {
            (Some(error), false) => tracing::error!(error, "the roster's database is out of reach"),
            (None, true) => tracing::info!("the roster's database is back"),
            _ => continue,
        }
        lost = !lost;
    }
}

/// Replaces the server's certificate long before it ends, while it serves.
async fn renew_certificate(app: App, certificate: CertificateHandle, names: Vec<String>) {
    loop {
        tokio::time::sleep(CERTIFICATE_INTERVAL).await;
        let issued = app
            .new_serial()
            .map_err(ServeError::from)
            .and_then(|serial| {
                app.ca
                    .issue_server(&names, app.now(), serial)
                    .map_err(ServeError::from)
            })
            .and_then(|leaf| {
                certificate
                    .replace(leaf.chain, &leaf.key)
                    .map_err(ServeError::from)
            });
        match issued {
            Ok(()) => tracing::debug!("the server's certificate was replaced"),
            Err(error) => {
                tracing::error!(%error, "the server's certificate can't be replaced; the old one stays")
            }
        }
    }
}

/// How often the server's certificate is replaced.
const CERTIFICATE_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);
