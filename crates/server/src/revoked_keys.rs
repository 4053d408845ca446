//! The list of revoked keys, kept in memory as it is sent.
//!
//! One list for all hosts: it is read and signed once when it has changed, and what was added since some earlier one is put
//! together once for all hosts that come with that one. As with snapshots nothing is invalidated: what is kept is valid
//! for one state of the roster, which is compared at each request.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use axum::http::HeaderValue;
use bytes::Bytes;
use keyroster_api::revoked_keys::{ListError, RevokedKeys};
use keyroster_api::snapshot::Tag;
use keyroster_keys::Fingerprints;
use keyroster_roster::Revision;
use keyroster_store::{Reader, RevokedKeysState, StoreError};
use tokio::sync::{Mutex, OnceCell};

use crate::app::App;
use crate::error::{Answer, ApiError};

/// The newest list.
#[derive(Debug, Default)]
pub struct RevokedKeysList {
    known: RwLock<Option<Known>>,
    /// Held by the one who reads; whoever waited finds what was read.
    reading: Mutex<()>,
}

/// The list at one state of the roster.
#[derive(Debug, Clone)]
pub struct Known {
    /// The state of the roster at which it was read.
    pub at: Tag,
    /// The list.
    pub documents: Arc<Documents>,
}

/// A list in the forms in which it is sent.
#[derive(Debug)]
pub struct Documents {
    list: RevokedKeys,
    /// Its tag as a header's value.
    pub etag: HeaderValue,
    whole: OnceCell<Bytes>,
    /// By the tag of the list that they are added to.
    additions: Mutex<HashMap<Tag, Bytes>>,
}

impl RevokedKeysList {
    /// The list, for a host that holds the one with this tag.
    ///
    /// # Errors
    /// When the roster's state is not known for certain, or can't be read.
    pub async fn get(&self, app: &App, held: Option<Tag>) -> Answer<Known> {
        if let Some(known) = self.kept(app, held)? {
            return Ok(known);
        }
        let _reading = self.reading.lock().await;
        if let Some(known) = self.kept(app, held)? {
            return Ok(known);
        }
        let known = self.read(app).await?;
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known.clone());
        Ok(known)
    }

    /// What is kept, if it is of the state of the roster that is current, and as new as what the host got from another server.
    fn kept(&self, app: &App, held: Option<Tag>) -> Answer<Option<Known>> {
        let recent = app.roster.recent(app.limits.state_age);
        let current = recent.ok_or(ApiError::Unavailable(
            "the roster's database is out of reach",
        ))?;
        let known = self.last().filter(|known| {
            known.at == current && held.is_none_or(|held| held <= known.documents.tag())
        });
        Ok(known)
    }

    fn last(&self) -> Option<Known> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }

    async fn read(&self, app: &App) -> Answer<Known> {
        let asked = app.roster.ask();
        let mut reader = app.store.read().await?;
        let state = reader.revoked_keys_state().await?;
        let at = Tag {
            epoch: state.epoch,
            revision: state.revision,
        };
        let documents = match self.last().map(|known| known.documents) {
            Some(kept) if kept.is_of(&state) => kept,
            kept => {
                let keys = read_keys(&mut reader, &state, kept.as_deref()).await?;
                drop(reader);
                sign(app, &state, keys).await?
            }
        };
        app.roster.answered(asked, at);
        Ok(Known { at, documents })
    }
}

impl Documents {
    /// The tag of the list.
    #[must_use]
    pub const fn tag(&self) -> Tag {
        self.list.tag()
    }

    /// The whole list, or what was added since the one with that tag where nothing but additions is between the two.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn bytes(&self, app: &App, since: Option<Tag>) -> Answer<Bytes> {
        if let Some(since) = since.filter(|since| self.only_adds_to(*since)) {
            let mut kept = self.additions.lock().await;
            if let Some(bytes) = kept.get(&since) {
                return Ok(bytes.clone());
            }
            if let Some(added) = self.added(app, since.revision).await? {
                let bytes = Bytes::from(self.list.additions(since, &added));
                if kept.len() >= MAX_ADDITIONS {
                    kept.clear();
                }
                kept.insert(since, bytes.clone());
                return Ok(bytes);
            }
        }
        let whole = self
            .whole
            .get_or_init(async || self.list.to_document().into());
        Ok(whole.await.clone())
    }

    fn only_adds_to(&self, since: Tag) -> bool {
        let tag = self.tag();
        since.epoch == tag.epoch && (self.list.delisted()..tag.revision).contains(&since.revision)
    }

    /// What this list has and the one at that revision had not; `None` when the database has come to a list from which
    /// that can't be told.
    async fn added(&self, app: &App, since: Revision) -> Result<Option<Fingerprints>, StoreError> {
        let mut reader = app.store.read().await?;
        let state = reader.revoked_keys_state().await?;
        if (state.epoch, state.delisted) != (self.tag().epoch, self.list.delisted()) {
            return Ok(None);
        }
        let since = reader.revoked_keys(Some(since)).await?;
        // A later write may have added more.
        let added = since.iter().filter(|key| self.list.keys().contains(key));
        Ok(Some(added.copied().collect()))
    }

    fn is_of(&self, state: &RevokedKeysState) -> bool {
        (self.tag(), self.list.delisted()) == (tag_of(state), state.delisted)
    }
}

/// The keys of the list: what was added to the kept one, if nothing was taken off since, else all.
async fn read_keys(
    reader: &mut Reader,
    state: &RevokedKeysState,
    kept: Option<&Documents>,
) -> Result<Fingerprints, StoreError> {
    let base = kept.filter(|kept| {
        let tag = kept.tag();
        tag.epoch == state.epoch && (state.delisted..=state.changed).contains(&tag.revision)
    });
    match base {
        None => reader.revoked_keys(None).await,
        Some(base) => {
            let added = reader.revoked_keys(Some(base.tag().revision)).await?;
            Ok(base.list.keys().union(&added))
        }
    }
}

async fn sign(app: &App, state: &RevokedKeysState, keys: Fingerprints) -> Answer<Arc<Documents>> {
    let (key, now) = (Arc::clone(&app.signing_key), app.now().as_unix());
    let (tag, delisted) = (tag_of(state), state.delisted);
    // Hashing a long list takes milliseconds, which others should not wait for.
    let sign = move || RevokedKeys::sign(&key, (tag, delisted), now, keys);
    let signed = tokio::task::spawn_blocking(sign).await;
    let list = signed.map_err(|_| ApiError::Bug("signing a list was given up"))?;
    let list = list.map_err(refused)?;
    app.metrics.lists_signed.increment(1);
    let etag = HeaderValue::from_str(&list.tag().to_header())
        .map_err(|_| ApiError::Bug("a tag is no header"))?;
    Ok(Arc::new(Documents {
        list,
        etag,
        whole: OnceCell::new(),
        additions: Mutex::default(),
    }))
}

/// The tag of the list that a state of the roster has.
#[must_use]
pub const fn tag_of(state: &RevokedKeysState) -> Tag {
    Tag {
        epoch: state.epoch,
        revision: state.changed,
    }
}

fn refused(error: ListError) -> ApiError {
    match error {
        ListError::Signature(error) => error.into(),
        _ => ApiError::Bug("the list of revoked keys is longer than hosts read"),
    }
}

/// Documents with additions that are kept of one list: hosts come with the list before it, and few with one before that.
const MAX_ADDITIONS: usize = 64;
