//! What the hosts of each class answer, kept in memory and brought forward by what changed.
//!
//! Read and rendered in full when a class is asked for first, or again after it had to make room; from then on a write costs what
//! it changed. A class is read through one of its hosts, in one transaction with the host's place in the roster: a host that
//! has moved meanwhile can't bring another class's accounts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use keyroster_api::freshness::FreshnessBody;
use keyroster_api::snapshot::Tag;
use keyroster_keys::AccountName;
use keyroster_roster::{AuditHead, HostId, Revision, Target, Timestamp};
use keyroster_store::{AccountChange, HostSlice};
use moka::sync::Cache;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

use crate::app::Application;
use crate::content::{Content, Settings, Step};
use crate::error::{Answer, ApiError};
use crate::estate::{ClassKey, Standing};
use crate::limits::{ACCOUNTS_INLINE, MAX_CLASS_BYTES, MAX_PART_ACCOUNTS};
use crate::render;

/// The classes that are kept.
#[derive(Debug)]
pub struct Classes {
    kept: Cache<Arc<ClassKey>, Arc<Class>>,
    renderings: Semaphore,
}

/// Hosts that answer alike.
#[derive(Debug, Default)]
pub struct Class {
    /// Held by whoever brings it forward; the others wait, and find what was read.
    forward: Mutex<()>,
    content: RwLock<Option<Content>>,
    weight: AtomicU32,
}

/// What became of the wish to know what a class answers.
#[must_use]
#[derive(Debug)]
pub enum Reached {
    /// It is known, at the state that was asked for or a later one.
    Class(Arc<Class>),
    /// The host has another place in the roster by now.
    Moved,
}

impl Classes {
    /// None yet.
    #[must_use]
    pub fn new(renderings: usize) -> Self {
        let weigh = |_: &Arc<ClassKey>, class: &Arc<Class>| class.weight.load(Ordering::Relaxed);
        Self {
            kept: Cache::builder()
                .max_capacity(MAX_CLASS_BYTES)
                .weigher(weigh)
                .build(),
            renderings: Semaphore::new(renderings),
        }
    }

    /// The class of a host, at this state of the roster or a later one.
    ///
    /// # Errors
    /// When the roster can't be read.
    pub async fn reach(
        &self,
        app: &Application,
        host: &HostId,
        standing: &Standing,
        at: Tag,
    ) -> Answer<Reached> {
        let class = self.kept.get_with_by_ref(&standing.class, Arc::default);
        if class.at() >= Some(at) {
            return Ok(Reached::Class(class));
        }
        let _one = class.forward.lock().await;
        let before = class.at();
        if before >= Some(at) {
            return Ok(Reached::Class(Arc::clone(&class)));
        }
        let _place = self.place().await?;
        let read = Read::of(app, host, before).await?;
        let Some(read) = read.filter(|read| read.is_of(&standing.class, at)) else {
            return Ok(Reached::Moved);
        };
        let count = read.changes.len();
        app.metrics
            .accounts
            .increment(u64::try_from(count).unwrap_or(u64::MAX));
        let now = app.now();
        if count <= ACCOUNTS_INLINE {
            class.take(read, now)?;
        } else {
            let taken = Arc::clone(&class);
            let done = tokio::task::spawn_blocking(move || taken.take(read, now)).await;
            done.map_err(|_| ApiError::Bug("rendering was given up"))??;
        }
        // It weighs what it weighs now.
        self.kept
            .insert(Arc::clone(&standing.class), Arc::clone(&class));
        Ok(Reached::Class(Arc::clone(&class)))
    }

    /// A place for something that takes a processor for long.
    ///
    /// # Errors
    /// Never in practice.
    pub async fn place(&self) -> Answer<SemaphorePermit<'_>> {
        let place = self.renderings.acquire().await;
        place.map_err(|_| ApiError::Bug("nobody closes this semaphore"))
    }
}

impl Class {
    /// What it answers; `None` before that was read.
    pub fn content(&self) -> RwLockReadGuard<'_, Option<Content>> {
        // A panic in the middle of a change leaves no content: see `take`.
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn at(&self) -> Option<Tag> {
        self.content().as_ref().map(|content| content.at)
    }

    /// Takes what was read. Should that fail half-way, nothing is known any more.
    fn take(&self, read: Read, now: Timestamp) -> Answer<()> {
        let step = read.render(now)?;
        let mut content = self.content.write().unwrap_or_else(PoisonError::into_inner);
        let next = match content.take() {
            None => Content::new(step)?,
            Some(mut known) => {
                known.forward(step)?;
                known
            }
        };
        let weight = u32::try_from(next.weight()).unwrap_or(u32::MAX);
        self.weight.store(weight, Ordering::Relaxed);
        *content = Some(next);
        Ok(())
    }
}

/// What was read of a class through one of its hosts.
struct Read {
    slice: HostSlice,
    changes: BTreeMap<AccountName, AccountChange>,
    /// Whether nothing was known before.
    is_first: bool,
}

impl Read {
    /// What changed after a state; everything if there is none. `None` when there is no such host.
    async fn of(app: &Application, host: &HostId, before: Option<Tag>) -> Answer<Option<Self>> {
        let mut reader = app.store.read().await?;
        let after = before.map_or(Revision::ZERO, |at| at.revision);
        let changes = reader.account_changes(host, after).await?;
        let is_part = before.is_some() && changes.len() <= MAX_PART_ACCOUNTS;
        let slice = if is_part {
            let accounts: Vec<&AccountName> = changes.keys().collect();
            reader.host_slice_of(host, &accounts).await?
        } else {
            reader.host_slice(host).await?
        };
        Ok(slice.map(|slice| Self {
            slice,
            changes,
            is_first: before.is_none(),
        }))
    }

    /// Whether the host is still where it was, in the same roster, and the state is no earlier.
    fn is_of(&self, class: &ClassKey, at: Tag) -> bool {
        let own = |target: &Target| matches!(target, Target::Host(_));
        let mut grants = self.slice.roster.grants.values();
        self.slice.host.groups == class.groups
            && (class.own.is_some() || !grants.any(|grant| own(&grant.target)))
            && self.at().epoch == at.epoch
            && self.at() >= at
    }

    fn at(&self) -> Tag {
        Tag {
            epoch: self.slice.state.epoch,
            revision: self.slice.state.revision,
        }
    }

    fn render(self, now: Timestamp) -> Answer<Step> {
        let mut told = render::accounts(&self.slice, &self.changes, now)?;
        let changed = self.changes.iter().map(|(name, change)| {
            let account = told.remove(name);
            (name.clone(), change.revision, account)
        });
        let mut accounts: Vec<_> = changed.collect();
        if self.is_first {
            let never = told.into_iter();
            accounts.extend(never.map(|(name, account)| (name, Revision::ZERO, Some(account))));
        }
        let (roster, host) = (&self.slice.roster, &self.slice.host);
        Ok(Step {
            at: self.at(),
            audit_head: audit_head(self.slice.state.head),
            settings: Settings {
                freshness: FreshnessBody::from(roster.freshness_of(host)),
                end_sessions: roster.ends_sessions(host),
                since: self.slice.settings,
            },
            accounts,
        })
    }
}

fn audit_head(head: AuditHead) -> String {
    match head.sequence {
        0 => String::new(),
        _ => head.hash.to_string(),
    }
}
