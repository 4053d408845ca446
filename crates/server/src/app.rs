//! What every handler works with.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use keyroster_api::enroll::PIN_BYTES;
use keyroster_api::signature::{SignatureError, SnapshotKey, SnapshotPublicKey};
use keyroster_api::snapshot::Tag;
use keyroster_keys::KeyPolicy;
use keyroster_roster::Timestamp;
use keyroster_store::{Store, StoreError, Told};
use tokio::sync::Semaphore;
use uuid::Builder;

use crate::ca::{Authorities, SERIAL_BYTES};
use crate::caller::KnownCertificates;
use crate::clock::Clock;
use crate::confirmations::Confirmations;
use crate::estate::Estate;
use crate::guard::RequestIds;
use crate::key_chain::Chain;
use crate::known_keys::KnownKeys;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::open::Opened;
use crate::random::{Random, RandomError, random_bytes};
use crate::recent_writes::RecentWrites;
use crate::revoked_keys::RevokedKeysList;
use crate::roster_state::RosterState;
use crate::snapshots::Snapshots;
use crate::waiting::Waiting;
use crate::went_back::WentBack;

/// The application, shared by all requests.
pub type App = Arc<Application>;

/// The parts of a running server.
pub struct Application {
    /// The roster.
    pub store: Store,
    /// Where the roster stands, known in memory.
    pub roster: RosterState,
    /// The certificate authorities.
    pub ca: Authorities,
    /// The public half of the snapshot key, as hosts get it.
    pub snapshot_key: PublicHalf,
    /// What hosts are told about snapshot keys.
    pub key_chain: Chain,
    /// Which of them hosts go by.
    pub known_keys: KnownKeys,
    /// Signs what hosts are told.
    pub signing_key: Arc<SnapshotKey>,
    /// How every host stands.
    pub estate: Estate,
    /// What hosts are told.
    pub snapshots: Snapshots,
    /// Hosts that wait for a change.
    pub waiting: Arc<Waiting>,
    /// The list of revoked keys.
    pub revoked_keys: RevokedKeysList,
    /// Hosts that wait for a change of that list.
    pub listening: Arc<Waiting>,
    /// What hosts say that they hold.
    pub confirmations: Confirmations,
    /// When the writes were made that receipts are asked for.
    pub recent_writes: RecentWrites,
    /// Places for hosts that were woken.
    pub woken: Semaphore,
    /// Places for those who wait for a receipt.
    pub receipts: Semaphore,
    /// Signs that the roster went back.
    pub went_back: WentBack,
    /// Hosts' certificates that were seen lately.
    pub certificates: KnownCertificates,
    /// Which keys may be added.
    pub key_policy: KeyPolicy,
    /// Limits.
    pub limits: Limits,
    /// Counters.
    pub metrics: Metrics,
    /// Places for requests that are worked on.
    pub requests: Semaphore,
    /// Ids of requests.
    pub request_ids: RequestIds,
    /// The OpenAPI document.
    pub openapi: Bytes,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    /// Milliseconds in the newest id.
    last_id: AtomicU64,
}

/// The public half of the snapshot key.
#[derive(Debug, Clone)]
pub struct PublicHalf {
    /// As an OpenSSH line.
    pub line: String,
    /// The line of the other one, while keys are exchanged.
    pub other_line: Option<String>,
    /// SHA-256 of the newest key's blob.
    pub pin: [u8; PIN_BYTES],
    /// The same of every key that hosts go by.
    pub pins: Vec<[u8; PIN_BYTES]>,
}

impl PublicHalf {
    fn of(signing: &SnapshotPublicKey, chain: &Chain) -> Result<Self, StartError> {
        let told = chain.keys()?.unwrap_or_else(|| signing.clone());
        if !told.holds(signing) {
            return Err(StartError::UnknownKey);
        }
        let keys: Vec<_> = std::iter::once(told.newest()).chain(told.older()).collect();
        let other = keys.iter().find(|key| *key != signing);
        let pins: Result<_, _> = keys.iter().map(SnapshotPublicKey::pin).collect();
        Ok(Self {
            line: signing.to_openssh()?,
            other_line: other.map(SnapshotPublicKey::to_openssh).transpose()?,
            pin: told.pin()?,
            pins: pins?,
        })
    }
}

/// What an application is made of.
pub struct Parts {
    /// The roster and the keys.
    pub opened: Opened,
    /// Limits.
    pub limits: Limits,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
}

/// An application can't be put together.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database does not answer, or is not ours.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The snapshot key is of no use.
    #[error(transparent)]
    SnapshotKey(#[from] SignatureError),
    /// Hosts would believe nothing that it signs.
    #[error("the snapshot key is none that hosts were told of; see snapshot-keys.json")]
    UnknownKey,
    /// What was revoked may be alive again in there.
    #[error("{}", WentBack::SAID)]
    WentBack,
    /// There is no randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl StartError {
    /// What the admin can do about it, where there is one thing.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::WentBack => Some(WentBack::HINT),
            _ => None,
        }
    }
}

impl Application {
    /// Puts the parts together and asks the database where the roster stands.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn start(parts: Parts, openapi: Bytes) -> Result<App, StartError> {
        let signing_key = Arc::new(parts.opened.snapshot_key);
        let key_chain = parts.opened.key_chain;
        let snapshot_key = PublicHalf::of(&signing_key.public(), &key_chain)?;
        // A journal that can't be read now is told of by whoever keeps it; then there are still the hosts.
        if parts.opened.store.tell_journal().await? == Told::WentBack {
            return Err(StartError::WentBack);
        }
        let state = parts.opened.store.state().await?;
        let first_id = u64::from_be_bytes(random_bytes(parts.random.as_ref())?);
        let app = Arc::new(Self {
            roster: RosterState::new(Tag {
                epoch: state.epoch,
                revision: state.revision,
            }),
            store: parts.opened.store,
            ca: parts.opened.ca,
            snapshot_key,
            key_chain,
            known_keys: KnownKeys::default(),
            estate: Estate::default(),
            snapshots: Snapshots::new(Arc::clone(&signing_key), parts.limits.renderings),
            signing_key,
            waiting: Arc::default(),
            revoked_keys: RevokedKeysList::default(),
            listening: Arc::default(),
            confirmations: Confirmations::default(),
            recent_writes: RecentWrites::default(),
            woken: Semaphore::new(parts.limits.woken),
            receipts: Semaphore::new(parts.limits.receipts),
            went_back: WentBack::default(),
            certificates: KnownCertificates::new(),
            key_policy: KeyPolicy::default(),
            limits: parts.limits,
            metrics: Metrics::new(),
            requests: Semaphore::new(parts.limits.requests),
            request_ids: RequestIds::from(first_id),
            openapi,
            clock: parts.clock,
            random: parts.random,
            last_id: AtomicU64::new(0),
        });
        // Before any host comes: all of them would wait for it.
        let _ = app.estate.forward(&app).await?;
        Ok(app)
    }

    /// The moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The moment, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn unix_millis(&self) -> i64 {
        i64::try_from(self.clock.unix_millis()).unwrap_or(i64::MAX)
    }

    /// Where secrets come from.
    #[must_use]
    pub fn random(&self) -> &dyn Random {
        self.random.as_ref()
    }

    /// A new id: a UUID of version 7. Ids of one server sort in the order in which they were made, even within a millisecond.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn new_id(&self) -> Result<String, RandomError> {
        let random = random_bytes::<10>(self.random())?;
        let now = self.clock.unix_millis();
        let later = |last: u64| Some(now.max(last.saturating_add(1)));
        let last = self
            .last_id
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, later)
            .unwrap_or_else(|last| last);
        let millis = now.max(last.saturating_add(1));
        Ok(Builder::from_unix_timestamp_millis(millis, &random)
            .into_uuid()
            .to_string())
    }

    /// A new serial number for a certificate.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn new_serial(&self) -> Result<[u8; SERIAL_BYTES], RandomError> {
        random_bytes(self.random())
    }

    /// Reads where the roster stands, and how the hosts do that a write concerned. If the database does not say, nothing that is
    /// known counts any more.
    pub async fn catch_up(&self) {
        if let Err(error) = self.estate.forward(self).await {
            tracing::warn!(%error, "the roster's revision can't be read: snapshots are refused until it can");
            self.roster.doubt();
        }
    }

    /// Asks the database where the roster stands. If it does not say, what is known grows old.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn refresh_quietly(&self) -> Result<(), StoreError> {
        let asked = self.roster.ask();
        let state = self.store.state().await?;
        self.roster.answered(
            asked,
            Tag {
                epoch: state.epoch,
                revision: state.revision,
            },
        );
        Ok(())
    }
}

impl fmt::Debug for Application {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Application")
            .field("ca", &self.ca)
            .finish_non_exhaustive()
    }
}
