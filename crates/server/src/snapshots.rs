//! Rendered snapshots, one for each host, kept in memory.
//!
//! A kept snapshot is valid for one state of the roster, which is compared at each request; nothing is ever invalidated, so
//! there is no invalidation to be overtaken by a rendering that began before it. When the roster has moved, the host's slice
//! is read again, and if it says the same as before, the older document stays, and with it its entity tag: a write that
//! does not concern a host costs the host nothing.

use std::sync::Arc;

use axum::http::HeaderValue;
use bytes::Bytes;
use keyroster_api::signature::SnapshotKey;
use keyroster_api::snapshot::Tag;
use keyroster_roster::{HostId, HostState, Timestamp};
use keyroster_store::{HostCredential, HostSlice};
use moka::future::Cache;
use moka::ops::compute::{CompResult, Op};
use tokio::sync::Semaphore;

use crate::app::App;
use crate::error::{Answer, ApiError};
use crate::limits::MAX_CACHED_BYTES;
use crate::render::Content;

/// The snapshots that are kept.
pub struct Snapshots {
    cache: Cache<HostId, Arc<Known>>,
    renderings: Semaphore,
    key: Arc<SnapshotKey>,
}

/// What is known of a host at one state of the roster.
#[derive(Debug)]
pub struct Known {
    /// The state of the roster at which all of this was read.
    pub at: Tag,
    /// What its certificates are judged by; `None` if there is no such host.
    pub credential: Option<HostCredential>,
    /// Its snapshot; `None` for a host that is not in the roster any more.
    pub document: Option<Document>,
}

/// A signed snapshot.
#[derive(Debug, Clone)]
pub struct Document {
    /// The state of the roster that it tells.
    pub tag: Tag,
    /// The same as a header's value.
    pub etag: HeaderValue,
    /// The bytes to send.
    pub bytes: Bytes,
    digest: [u8; 32],
}

impl Snapshots {
    /// None yet; this key signs them.
    #[must_use]
    pub fn new(key: Arc<SnapshotKey>, renderings: usize) -> Self {
        let weigh = |_: &HostId, known: &Arc<Known>| known.weight();
        Self {
            cache: Cache::builder()
                .max_capacity(MAX_CACHED_BYTES)
                .weigher(weigh)
                .build(),
            renderings: Semaphore::new(renderings),
            key,
        }
    }

    /// What is to be told to a host that holds the snapshot with this tag.
    ///
    /// # Errors
    /// When the roster's state is not known for certain, or can't be read.
    pub async fn get(&self, app: &App, host: &HostId, held: Option<Tag>) -> Answer<Arc<Known>> {
        if let Some(known) = self.cache.get(host).await
            && known.serves(current(app)?, held)
        {
            app.metrics.from_memory.increment(1);
            return Ok(known);
        }
        self.renew(app, host, held).await
    }

    /// One at a time for each host: whoever waited finds what the one before has read.
    async fn renew(&self, app: &App, host: &HostId, held: Option<Tag>) -> Answer<Arc<Known>> {
        let computed = self
            .cache
            .entry_by_ref(host)
            .and_try_compute_with(|kept| async {
                let kept = kept.map(moka::Entry::into_value);
                match &kept {
                    Some(known) if known.serves(current(app)?, held) => Ok::<_, ApiError>(Op::Nop),
                    _ => self
                        .read(app, host, kept.as_deref(), held)
                        .await
                        .map(|known| Op::Put(Arc::new(known))),
                }
            })
            .await?;
        match computed {
            CompResult::Inserted(entry)
            | CompResult::ReplacedWith(entry)
            | CompResult::Unchanged(entry) => Ok(entry.into_value()),
            CompResult::StillNone(_) | CompResult::Removed(_) => {
                Err(ApiError::Bug("a snapshot was read and is not there"))
            }
        }
    }

    async fn read(
        &self,
        app: &App,
        host: &HostId,
        kept: Option<&Known>,
        held: Option<Tag>,
    ) -> Answer<Known> {
        let _place = self
            .renderings
            .acquire()
            .await
            .map_err(|_| ApiError::Bug("nobody closes this semaphore"))?;
        current(app)?;
        let asked = app.roster.ask();
        let mut reader = app.store.read().await?;
        let state = reader.state().await?;
        let credential = reader.host_credential(host).await?;
        let slice = reader.host_slice(host).await?;
        drop(reader);
        let at = Tag {
            epoch: state.epoch,
            revision: state.revision,
        };
        app.roster.answered(asked, at);
        let document = match slice.filter(|slice| slice.host.state == HostState::Active) {
            None => None,
            Some(slice) => {
                let kept = kept.and_then(|known| known.document.clone());
                Some(self.document(app, slice, at, (kept, held)).await?)
            }
        };
        Ok(Known {
            at,
            credential,
            document,
        })
    }

    /// The kept document if it says the same and the host does not know better, else a new one.
    async fn document(
        &self,
        app: &App,
        slice: HostSlice,
        at: Tag,
        (kept, held): (Option<Document>, Option<Tag>),
    ) -> Answer<Document> {
        let (key, now) = (Arc::clone(&self.key), app.now());
        let kept = kept.filter(|document| held <= Some(document.tag) && document.tag <= at);
        // Hashing and signing for a large host takes milliseconds, which others should not wait for.
        let done =
            tokio::task::spawn_blocking(move || Document::make(&slice, at, now, &key, kept)).await;
        let (document, made) =
            done.map_err(|_| ApiError::Bug("rendering a snapshot was given up"))??;
        match made {
            Made::Kept => app.metrics.unchanged.increment(1),
            Made::Anew => app.metrics.rendered.increment(1),
        }
        Ok(document)
    }
}

/// Whether a document is an older one or was made.
enum Made {
    Kept,
    Anew,
}

impl Document {
    fn make(
        slice: &HostSlice,
        at: Tag,
        now: Timestamp,
        key: &SnapshotKey,
        kept: Option<Self>,
    ) -> Answer<(Self, Made)> {
        let content = Content::of(&slice.roster, &slice.host, now)?;
        let digest = *content.digest();
        if let Some(kept) = kept.filter(|kept| kept.digest == digest) {
            return Ok((kept, Made::Kept));
        }
        let bytes = content.sign(key, at, slice.state.head, now)?;
        let etag = HeaderValue::from_str(&at.to_header())
            .map_err(|_| ApiError::Bug("a tag is no header"))?;
        Ok((
            Self {
                tag: at,
                etag,
                bytes,
                digest,
            },
            Made::Anew,
        ))
    }
}

impl Known {
    /// Whether this is the answer at a state of the roster, to a host that holds the snapshot with this tag.
    ///
    /// A host refuses to go back. So one that holds a higher tag, from another server or from before a restart, gets a new
    /// document, unless this one is as new as the roster itself.
    fn serves(&self, current: Tag, held: Option<Tag>) -> bool {
        let new_enough =
            |document: &Document| held <= Some(document.tag) || document.tag == current;
        self.at == current && self.document.as_ref().is_none_or(new_enough)
    }

    fn weight(&self) -> u32 {
        let bytes = self
            .document
            .as_ref()
            .map_or(0, |document| document.bytes.len());
        u32::try_from(bytes.saturating_add(ENTRY_BYTES)).unwrap_or(u32::MAX)
    }
}

impl std::fmt::Debug for Snapshots {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Snapshots")
    }
}

/// Where the roster stands, if that is known for certain. Else nothing is decided: no snapshot, and no "unchanged" either.
fn current(app: &App) -> Answer<Tag> {
    let recent = app.roster.recent(app.limits.state_age);
    recent.ok_or(ApiError::Unavailable(
        "the roster's database is out of reach",
    ))
}

/// What an entry weighs beside its document.
const ENTRY_BYTES: usize = 512;
