//! A running server: the listener, and the tasks beside it.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use keyroster_edge::{CertificateHandle, Drained, TlsError, serve, server_config};
use thiserror::Error;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::app::{App, Application, Parts, StartError};
use crate::ca::CaError;
use crate::journal;
use crate::openapi;
use crate::random::RandomError;
use crate::router::{document, router};
use crate::tasks;

/// A server that serves until it is told to stop.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    app: App,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Drained>,
    beside: [JoinHandle<()>; 7],
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

impl ServeError {
    /// What the admin can do about it, where there is one thing.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Start(error) => error.hint(),
            _ => None,
        }
    }
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
        let listener = keyroster_edge::listen(listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let leaf = app.ca.issue_server(&names, app.now(), app.new_serial()?)?;
        let certificate = CertificateHandle::new(leaf.chain, &leaf.key)?;
        let tls = server_config(&certificate, &app.ca.trusted())?;
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
            tokio::spawn(tasks::watch_roster(Arc::clone(&app))),
            tokio::spawn(tasks::hear_writes(Arc::clone(&app))),
            tokio::spawn(tasks::wake_hosts(Arc::clone(&app), app.roster.last())),
            tokio::spawn(tasks::save_confirmations(Arc::clone(&app))),
            tokio::spawn(tasks::save_known_keys(Arc::clone(&app))),
            tokio::spawn(journal::keep(Arc::clone(&app))),
            tokio::spawn(tasks::renew_certificate(
                Arc::clone(&app),
                certificate,
                names,
            )),
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

    /// Waits until the roster proves to have gone back: then nothing that this server says can be relied on.
    pub async fn went_back(&self) {
        self.app.went_back.proven().await;
    }

    /// Stops listening, answers those who wait, lets open requests finish within the drain deadline, and closes the database.
    pub async fn stop(self) -> Drained {
        self.app.waiting.stop();
        self.app.listening.stop();
        // The loop may have ended by itself; then nobody waits to be told.
        let _ = self.stop.send(());
        let drained = self.serving.await.unwrap_or(Drained::CutOff(0));
        for task in self.beside {
            task.abort();
        }
        tasks::save_last(&self.app).await;
        journal::tell_last(&self.app).await;
        self.app.store.close().await;
        drained
    }
}
