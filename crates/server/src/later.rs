//! Answers that are worth waiting for.
//!
//! A handler gives the answer that it has, and puts into it what a better one waits for. The guard around every request
//! ([`crate::guard`]) then waits, after the handler's place among the requests was given back and what stands around the
//! handler has done its part: a write is in force before anybody waits for it to be confirmed.

use std::sync::{Arc, Mutex, PoisonError};

use axum::response::{IntoResponse as _, Response};

use crate::app::App;
use crate::handlers::host::SnapshotWait;
use crate::handlers::revoked_keys::ListWait;
use crate::receipts::ReceiptWait;

/// What is waited for.
#[derive(Debug)]
pub enum Later {
    /// A change of a host's snapshot.
    Snapshot(SnapshotWait),
    /// A change of the list of revoked keys.
    RevokedKeys(ListWait),
    /// That hosts confirm a write.
    Receipt(ReceiptWait),
}

/// An extension of the first answer. Extensions must be copied at will; this is taken once.
#[derive(Debug, Clone)]
struct Parked(Arc<Mutex<Option<Later>>>);

/// Puts what is to be waited for into an answer.
pub fn put(response: &mut Response, later: Later) {
    let parked = Parked(Arc::new(Mutex::new(Some(later))));
    response.extensions_mut().insert(parked);
}

/// Takes it out again.
pub fn take(response: &mut Response) -> Option<Later> {
    let Parked(later) = response.extensions_mut().remove()?;
    later.lock().unwrap_or_else(PoisonError::into_inner).take()
}

impl Later {
    /// Waits.
    pub async fn wait(&mut self, app: &App) {
        match self {
            Self::Snapshot(wait) => wait.wait(app).await,
            Self::RevokedKeys(wait) => wait.wait(app).await,
            // It asks the database while it waits, and those are few who wait for this.
            Self::Receipt(wait) => Box::pin(wait.wait(app)).await,
        }
    }

    /// The better answer.
    pub async fn answer(self, app: &App) -> Response {
        match self {
            Self::Snapshot(wait) => wait.answer(app).await.into_response(),
            Self::RevokedKeys(wait) => wait.answer(app).await.into_response(),
            Self::Receipt(wait) => wait.answer(app).await.into_response(),
        }
    }
}
