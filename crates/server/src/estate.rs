//! How every host stands, in memory.
//!
//! A host that asks whether anything changed is answered from here, and so are fifteen thousand of them that one write wakes: the
//! database is asked once for a state of the roster, for all hosts of which that write changed anything, and not once for a
//! host. What is kept is of one state of the roster; a request that needs a newer one has it read first.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use keyroster_api::snapshot::Tag;
use keyroster_keys::{GroupName, HostName};
use keyroster_roster::{Epoch, HostId, Revision};
use keyroster_store::{HostCredential, HostStanding, OwnGrants, StoreError};
use tokio::sync::Mutex;

use crate::app::Application;
use crate::error::{Answer, ApiError};
use crate::revoked_keys::tag_of;

/// Every host that is in the roster, and those that were: they are told so.
#[derive(Debug, Default)]
pub struct Estate {
    known: RwLock<Known>,
    /// Held by whoever reads; the others wait, and find what was read.
    reading: Mutex<()>,
}

/// How a host stands.
#[derive(Debug)]
pub struct Standing {
    /// Its name.
    pub name: HostName,
    /// What its certificates are judged by.
    pub credential: HostCredential,
    /// The newest revision that may have changed what it answers.
    pub changed: Revision,
    /// The newest of those after which it has to be told everything.
    pub whole: Revision,
    /// Which hosts answer like it.
    pub class: Arc<ClassKey>,
}

/// Hosts that answer alike: those in the same host groups. A host with grants of its own is alone.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ClassKey {
    /// Their host groups.
    pub groups: BTreeSet<GroupName>,
    /// The one host with grants of its own.
    pub own: Option<HostId>,
    /// Which roster it was, of those that this server has seen in its database.
    roster: u64,
}

/// A host at one state of the roster.
#[derive(Debug, Clone)]
pub struct View {
    /// The state.
    pub at: Tag,
    /// How the host stands; `None` when it never was in the roster.
    pub standing: Option<Arc<Standing>>,
}

#[derive(Debug, Default)]
struct Known {
    /// `None` until the database was asked.
    at: Option<Tag>,
    /// Which list of revoked keys there was then.
    list: Option<Tag>,
    hosts: HashMap<HostId, Arc<Standing>>,
    classes: HashSet<Arc<ClassKey>>,
    /// How often the roster became another one.
    roster: u64,
}

impl Estate {
    /// A host at the roster's state of now, to which belongs that it may hold a newer one than this server has heard of.
    ///
    /// # Errors
    /// When the roster's state is not known for certain, or can't be read.
    pub async fn view(&self, app: &Application, host: &HostId, held: Option<Tag>) -> Answer<View> {
        current(app)?;
        let serves = |at: Tag| at == app.roster.last() && held <= Some(at);
        if let Some(view) = self.look(host).filter(|view| serves(view.at)) {
            return Ok(view);
        }
        self.forward_unless(app, serves).await?;
        current(app)?;
        self.look(host)
            .ok_or(ApiError::Bug("the hosts were read and are not there"))
    }

    /// How many hosts there are, and were.
    #[must_use]
    pub fn count(&self) -> usize {
        self.known().hosts.len()
    }

    /// Goes on from a state that was found to be out of date, unless somebody has done so already.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn forward_from(&self, app: &Application, old: Tag) -> Result<(), StoreError> {
        self.forward_unless(app, |at| at != old).await.map(drop)
    }

    /// Reads what changed, and says up to which state that is.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn forward(&self, app: &Application) -> Result<Tag, StoreError> {
        self.forward_unless(app, |_| false).await
    }

    /// The same, unless it was read already up to the newest state that this server has heard of.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn follow(&self, app: &Application) -> Result<Tag, StoreError> {
        self.forward_unless(app, |at| at == app.roster.last()).await
    }

    async fn forward_unless(
        &self,
        app: &Application,
        done: impl Fn(Tag) -> bool,
    ) -> Result<Tag, StoreError> {
        let _one = self.reading.lock().await;
        let before = self.known().at;
        if let Some(at) = before.filter(|at| done(*at)) {
            return Ok(at);
        }
        let asked = app.roster.ask();
        let mut reader = app.store.read().await?;
        let state = reader.revoked_keys_state().await?;
        let now = Tag {
            epoch: state.epoch,
            revision: state.revision,
        };
        let before = before.filter(|at| at.epoch == now.epoch && *at <= now);
        if before != Some(now) {
            let standings = reader.standings(before.map(|at| at.revision)).await?;
            self.take((now, tag_of(&state)), before, standings);
        }
        drop(reader);
        app.roster.answered(asked, now);
        Ok(now)
    }

    /// The hosts for which something changed after a state; `None` if that was in another roster.
    #[must_use]
    pub fn changed_after(&self, seen: Tag) -> Option<Vec<(HostId, Tag)>> {
        let known = self.known();
        let at = known
            .at
            .filter(|at| at.epoch == seen.epoch && seen <= *at)?;
        let changed = known
            .hosts
            .iter()
            .filter(|(_, standing)| standing.changed > seen.revision)
            .map(|(host, standing)| (host.clone(), standing.tag(at.epoch)));
        Some(changed.collect())
    }

    /// The list of revoked keys, if it is another one than at a state.
    #[must_use]
    pub fn list_after(&self, seen: Tag) -> Option<Tag> {
        self.known()
            .list
            .filter(|list| list.revision > seen.revision)
    }

    fn look(&self, host: &HostId) -> Option<View> {
        let known = self.known();
        Some(View {
            at: known.at?,
            standing: known.hosts.get(host).cloned(),
        })
    }

    /// Takes what was read. Without a state `before`, it is all there is.
    fn take(&self, (now, list): (Tag, Tag), before: Option<Tag>, standings: Vec<HostStanding>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if before.is_none() {
            *known = Known {
                roster: known.roster + 1,
                ..Known::default()
            };
        }
        for standing in standings {
            known.put(standing);
        }
        if known.classes.len() > known.hosts.len().saturating_mul(2) {
            known.classes.retain(|class| Arc::strong_count(class) > 1);
        }
        (known.at, known.list) = (Some(now), Some(list));
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn put(&mut self, read: HostStanding) {
        let before = self.hosts.get(&read.id);
        let groups = read.groups.unwrap_or_else(|| {
            before.map_or_else(BTreeSet::new, |before| before.class.groups.clone())
        });
        let own = match read.grants {
            OwnGrants::None => None,
            OwnGrants::Some => Some(read.id.clone()),
        };
        let class = self.class(ClassKey {
            groups,
            own,
            roster: self.roster,
        });
        let standing = Standing {
            name: read.name,
            credential: read.credential,
            changed: read.changed,
            whole: read.whole,
            class,
        };
        self.hosts.insert(read.id, Arc::new(standing));
    }

    /// The same for all hosts of the class.
    fn class(&mut self, key: ClassKey) -> Arc<ClassKey> {
        if let Some(known) = self.classes.get(&key) {
            return Arc::clone(known);
        }
        let key = Arc::new(key);
        self.classes.insert(Arc::clone(&key));
        key
    }
}

impl Standing {
    /// The entity tag of its snapshot: the same at every key server.
    #[must_use]
    pub const fn tag(&self, epoch: Epoch) -> Tag {
        Tag {
            epoch,
            revision: self.changed,
        }
    }
}

/// Where the roster stands, if that is known for certain. Else nothing is decided: no snapshot, and no "unchanged" either.
fn current(app: &Application) -> Answer<Tag> {
    let recent = app.roster.recent(app.limits.state_age);
    recent.ok_or(ApiError::Unavailable(
        "the roster's database is out of reach",
    ))
}
