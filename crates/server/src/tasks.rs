//! What a running server does beside answering.

use std::time::Duration;

use keyroster_api::snapshot::Tag;
use keyroster_edge::CertificateHandle;
use keyroster_store::{Change, StoreError};

use crate::app::App;
use crate::limits::{CONFIRMATION_BATCH, LAST_SAVE_TIMEOUT, RETRY_PAUSE};
use crate::server::ServeError;

/// Asks the database again and again whether another server wrote.
pub async fn watch_roster(app: App) {
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

/// Listens for writes of other servers, where the database spreads word of them. What is missed, [`watch_roster`] finds.
pub async fn hear_writes(app: App) {
    loop {
        if let Err(error) = hear(&app).await {
            tracing::debug!(%error, "the database does not tell of writes; it is asked instead");
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

async fn hear(app: &App) -> Result<(), StoreError> {
    let mut changes = app.store.changes().await?;
    loop {
        app.refresh_quietly().await?;
        while let Change::Written(revision) = changes.next().await? {
            // Our own writes are known already, most of the time.
            if revision > app.roster.last().revision {
                app.refresh_quietly().await?;
            }
        }
    }
}

/// Wakes hosts when the roster changes: those for which something changed, and no others. `seen` is the state at which
/// none waited.
pub async fn wake_hosts(app: App, mut seen: Tag) {
    loop {
        let changed = app.roster.subscribe();
        if app.roster.last() == seen {
            changed.await;
        }
        match tell_changes(&app, seen).await {
            Ok(now) => seen = now,
            Err(error) => {
                tracing::warn!(%error, "which hosts a write concerns can't be read; they are woken later");
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        }
    }
}

/// Tells hosts what has changed for them; the state of the roster up to which that is.
async fn tell_changes(app: &App, seen: Tag) -> Result<Tag, StoreError> {
    // Whoever wrote here has had it read already.
    let now = app.estate.follow(app).await?;
    match app.estate.changed_after(seen) {
        None => {
            app.waiting.tell_all();
            app.listening.tell_all();
        }
        Some(changed) => {
            app.waiting.tell(changed);
            if let Some(list) = app.estate.list_after(seen) {
                app.listening.tell_each(list);
            }
        }
    }
    Ok(now)
}

/// Saves what hosts confirm, a batch at a time.
pub async fn save_confirmations(app: App) {
    loop {
        app.confirmations.unsaved().await;
        tokio::time::sleep(CONFIRMATION_BATCH).await;
        while let Err(error) = app.confirmations.save(&app.store).await {
            tracing::warn!(%error, "what hosts have confirmed can't be saved yet");
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }
}

/// Saves which snapshot keys hosts go by, a batch at a time.
pub async fn save_known_keys(app: App) {
    loop {
        app.known_keys.unsaved().await;
        tokio::time::sleep(CONFIRMATION_BATCH).await;
        while let Err(error) = app.known_keys.save(&app.store).await {
            tracing::warn!(%error, "which snapshot keys hosts go by can't be saved yet");
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }
}

/// Saves what is left when the server stops. Which snapshot keys hosts go by, they say again.
pub async fn save_last(app: &App) {
    match tokio::time::timeout(LAST_SAVE_TIMEOUT, app.confirmations.save(&app.store)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "what hosts have confirmed last was not saved"),
        Err(_) => tracing::warn!("what hosts have confirmed last was not saved in time"),
    }
}

/// Replaces the server's certificate long before it ends, while it serves; and says so when the CA itself ends.
pub async fn renew_certificate(app: App, certificate: CertificateHandle, names: Vec<String>) {
    loop {
        if let Some(days) = app.ca.ends_soon(app.now()) {
            tracing::warn!(days, "the CA ends; `keyroster-server rotate` exchanges it");
        }
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
