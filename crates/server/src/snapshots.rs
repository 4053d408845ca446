//! What a host is told: that nothing changed, what changed, or everything.
//!
//! Whether anything changed for a host is known from the marks that writes leave, without a look at what it answers. What it
//! answers is known for all hosts of its class together. So for one host there is an envelope to be written and signed,
//! and nothing else. Whole snapshots are kept for a while, one for each host: whoever asks again gets the same bytes.

use std::sync::Arc;

use keyroster_api::signature::SnapshotKey;
use keyroster_api::snapshot::Tag;
use keyroster_roster::HostId;
use moka::future::Cache;
use moka::ops::compute::{CompResult, Op};

use crate::app::App;
use crate::classes::{Class, Classes, Reached};
use crate::document::{Document, Envelope};
use crate::error::{Answer, ApiError};
use crate::estate::{ClassKey, Standing};
use crate::limits::{ACCOUNTS_INLINE, BYTES_INLINE, MAX_CACHED_BYTES, SNAPSHOT_IDLE};

/// What hosts are told.
pub struct Snapshots {
    classes: Classes,
    whole: Cache<HostId, Whole>,
    key: Arc<SnapshotKey>,
}

/// A host's question.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The host.
    pub host: &'a HostId,
    /// What it holds.
    pub held: Option<Tag>,
    /// What it reads.
    pub reads: Reads,
}

/// Which documents a host reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// Snapshots.
    Snapshots,
    /// Updates too.
    Updates,
}

/// What is to be told.
#[must_use]
#[derive(Debug)]
pub enum Told {
    /// What the host holds says what the roster says.
    Unchanged(Tag),
    /// Everything, or what changed.
    Document(Document),
    /// The roster has moved on meanwhile: look again.
    Moved,
}

/// A snapshot that is kept.
#[derive(Debug, Clone)]
struct Whole {
    class: Arc<ClassKey>,
    document: Document,
}

impl Snapshots {
    /// None yet; this key signs them.
    #[must_use]
    pub fn new(key: Arc<SnapshotKey>, renderings: usize) -> Self {
        let weigh = |_: &HostId, whole: &Whole| {
            let bytes = whole.document.bytes.len();
            u32::try_from(bytes.saturating_add(ENTRY_BYTES)).unwrap_or(u32::MAX)
        };
        Self {
            classes: Classes::new(renderings),
            whole: Cache::builder()
                .max_capacity(MAX_CACHED_BYTES)
                .time_to_idle(SNAPSHOT_IDLE)
                .weigher(weigh)
                .build(),
            key,
        }
    }

    /// What is to be told to a host that stands like this at a state of the roster.
    ///
    /// # Errors
    /// When the roster can't be read.
    pub async fn tell(
        &self,
        app: &App,
        question: Question<'_>,
        standing: &Standing,
        at: Tag,
    ) -> Answer<Told> {
        // Of another epoch, or of none that was yet, a tag tells nothing.
        let held = question
            .held
            .filter(|held| held.epoch == at.epoch && *held <= at);
        if let Some(held) = held.filter(|held| held.revision >= standing.changed) {
            app.metrics.from_memory.increment(1);
            return Ok(Told::Unchanged(held));
        }
        let reached = self.classes.reach(app, question.host, standing, at).await?;
        let Reached::Class(class) = reached else {
            return Ok(Told::Moved);
        };
        let known = held.filter(|held| held.revision >= standing.whole);
        if let Some(held) = known {
            let told = self
                .what_changed(app, question, (standing, &class), (held, at))
                .await?;
            if let Some(told) = told {
                return Ok(told);
            }
        }
        let envelope = envelope(app, question, standing, at);
        self.everything(app, envelope, (&standing.class, &class), at)
            .await
    }

    /// What changed since the host was told; `None` when it is to be told everything.
    async fn what_changed(
        &self,
        app: &App,
        question: Question<'_>,
        (standing, class): (&Standing, &Arc<Class>),
        (held, at): (Tag, Tag),
    ) -> Answer<Option<Told>> {
        let envelope = envelope(app, question, standing, at);
        let (class, key, reads) = (Arc::clone(class), Arc::clone(&self.key), question.reads);
        let count = class
            .content()
            .as_ref()
            .map_or(0, |content| content.count_after(held.revision));
        let make = move || -> Answer<Option<Told>> {
            let content = class.content();
            let Some(content) = content.as_ref().filter(|content| content.at == at) else {
                return Ok(Some(Told::Moved));
            };
            let Some(changed) = content.changed_after(held.revision) else {
                return Ok(Some(Told::Unchanged(held)));
            };
            if reads == Reads::Snapshots {
                return Ok(None);
            }
            let update = envelope.update(content, (held.revision, &changed), &key)?;
            Ok(update.map(Told::Document))
        };
        let told = if count <= ACCOUNTS_INLINE {
            make()?
        } else {
            let _place = self.classes.place().await?;
            let done = tokio::task::spawn_blocking(make).await;
            done.map_err(|_| ApiError::Bug("signing an update was given up"))??
        };
        match &told {
            Some(Told::Unchanged(_)) => app.metrics.unchanged.increment(1),
            Some(Told::Document(_)) => app.metrics.updates.increment(1),
            Some(Told::Moved) | None => {}
        }
        Ok(told)
    }

    /// Everything. One at a time for each host: whoever waited gets what was made for the one before.
    async fn everything(
        &self,
        app: &App,
        envelope: Envelope,
        (key, class): (&Arc<ClassKey>, &Arc<Class>),
        at: Tag,
    ) -> Answer<Told> {
        let host = envelope.host.clone();
        let tag = envelope.tag;
        let serves = |kept: &Whole| kept.document.tag == tag && Arc::ptr_eq(&kept.class, key);
        if let Some(kept) = self.whole.get(&host).await.filter(serves) {
            app.metrics.from_memory.increment(1);
            return Ok(Told::Document(kept.document));
        }
        let computed = self
            .whole
            .entry_by_ref(&host)
            .and_try_compute_with(|kept| async {
                if kept.is_some_and(|kept| serves(kept.value())) {
                    app.metrics.from_memory.increment(1);
                    return Ok::<_, ApiError>(Op::Nop);
                }
                let made = self.make(app, envelope, class, at).await?;
                let class = Arc::clone(key);
                Ok(made.map_or(Op::Remove, |document| Op::Put(Whole { class, document })))
            })
            .await?;
        Ok(match computed {
            CompResult::Inserted(entry)
            | CompResult::ReplacedWith(entry)
            | CompResult::Unchanged(entry) => Told::Document(entry.into_value().document),
            CompResult::StillNone(_) | CompResult::Removed(_) => Told::Moved,
        })
    }

    /// Signs a snapshot; `None` when the class has moved on meanwhile.
    async fn make(
        &self,
        app: &App,
        envelope: Envelope,
        class: &Arc<Class>,
        at: Tag,
    ) -> Answer<Option<Document>> {
        let (class, key) = (Arc::clone(class), Arc::clone(&self.key));
        let bytes = class
            .content()
            .as_ref()
            .map_or(0, |content| content.bytes());
        let sign = move || {
            let content = class.content();
            let content = content.as_ref().filter(|content| content.at == at);
            content
                .map(|content| envelope.snapshot(content, &key))
                .transpose()
        };
        let document = if bytes <= BYTES_INLINE {
            sign()?
        } else {
            let _place = self.classes.place().await?;
            let done = tokio::task::spawn_blocking(sign).await;
            done.map_err(|_| ApiError::Bug("signing a snapshot was given up"))??
        };
        if document.is_some() {
            app.metrics.rendered.increment(1);
        }
        Ok(document)
    }
}

impl std::fmt::Debug for Snapshots {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Snapshots")
    }
}

fn envelope(app: &App, question: Question<'_>, standing: &Standing, at: Tag) -> Envelope {
    let newest = standing.tag(at.epoch);
    // A host refuses to go back. What it claims to hold is newer than the roster, and it shall see that it is so.
    let is_ahead = question.held.is_some_and(|held| held > at);
    Envelope {
        host: question.host.clone(),
        host_name: standing.name.to_string(),
        tag: if is_ahead { at } else { newest },
        now: app.now(),
    }
}

/// What an entry weighs beside its document.
const ENTRY_BYTES: usize = 512;
