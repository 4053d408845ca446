//! Keeps the revocation journal: tells it of every write, and tells people when it can't be written.

use std::time::Duration;

use keyroster_store::{Journal, JournalHealth, Told};

use crate::app::App;
use crate::limits::{LAST_SAVE_TIMEOUT, RETRY_PAUSE};

/// Tells the journal of what was written, by this server or another, for as long as the server runs.
pub async fn keep(app: App) {
    let Some(journal) = app.store.journal().cloned() else {
        return;
    };
    tokio::join!(tell(&app), watch(&app, &journal));
}

/// Tells the journal what is left when the server stops.
pub async fn tell_last(app: &App) {
    match tokio::time::timeout(LAST_SAVE_TIMEOUT, app.store.tell_journal()).await {
        // Of a roster that went back whoever ends the server has heard.
        Ok(Ok(Told::Everything { .. } | Told::WentBack)) => {}
        Ok(Ok(Told::NotNow) | Err(_)) | Err(_) => {
            tracing::warn!(
                "the revocation journal was not told what was written last; it is at the next start"
            );
        }
    }
}

async fn tell(app: &App) {
    loop {
        let changed = app.roster.subscribe();
        match app.store.tell_journal().await {
            Ok(Told::Everything { set_aside }) => {
                if let Some(path) = set_aside {
                    let path = path.display();
                    tracing::error!(%path, "the revocation journal was damaged; it was set aside, and a new one begun");
                }
                changed.await;
                // Of many writes in a row the journal is told at once.
                tokio::time::sleep(BATCH).await;
            }
            Ok(Told::WentBack) => {
                app.went_back.prove(app);
                return;
            }
            // Why is said by whoever watches; a database that is away is no news here.
            Ok(Told::NotNow) | Err(_) => tokio::time::sleep(RETRY_PAUSE).await,
        }
    }
}

async fn watch(app: &App, journal: &Journal) {
    let mut health = journal.health();
    let mut was_behind = false;
    loop {
        let now = health.borrow_and_update().clone();
        match now {
            JournalHealth::Kept if was_behind => {
                tracing::info!("the revocation journal can be written again");
                app.metrics.journal_behind.set(0.0);
                was_behind = false;
            }
            JournalHealth::Kept => {}
            JournalHealth::Behind(why) => {
                tracing::error!(
                    why,
                    "the revocation journal can't be written: a restore would not know of what is revoked now"
                );
                app.metrics.journal_behind.set(1.0);
                was_behind = true;
            }
        }
        if health.changed().await.is_err() {
            return;
        }
    }
}

/// For how long writes are collected.
const BATCH: Duration = Duration::from_millis(100);
