//! Signed snapshots, accepted by the real rules once for each judgement, and what they say about a key.
//!
//! Verifying a signature takes longer than everything else in a step, and comes to the same each time.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use keyroster_agent::core::accept::{Authority, Refusal, accept};
use keyroster_agent::core::heartbeat::Vouched;
use keyroster_agent::core::held::{Held, Lines};
use keyroster_agent::core::knowledge::Failure;
use keyroster_agent::core::resolver::{Asked, LineSource};
use keyroster_api::freshness::{FreshnessBody, ModeText};
use keyroster_api::heartbeat::{Heartbeat, NONCE_BYTES, Nonce};
use keyroster_api::signature::{Namespace, SnapshotKey};
use keyroster_api::snapshot::{Account, AccountKey, SCHEMA, Segment, Snapshot, Tag};
use keyroster_keys::AccountName;
use keyroster_roster::{Epoch, Revision};

use crate::clocks::{TIME_S, UNIT_S};
use crate::world::{At, Doc};

/// How stale the answers of one host may be, in units of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) max_staleness: u8,
    pub(crate) grace: u8,
    pub(crate) mode: ModeText,
}

impl Bounds {
    /// The age at which the last word counts no more.
    pub(crate) fn longest(self) -> u8 {
        match self.mode {
            ModeText::Strict => self.max_staleness,
            ModeText::Grace => self.max_staleness.max(self.grace),
        }
    }
}

/// Every snapshot that was asked for.
pub(crate) struct Library {
    bounds: Vec<Bounds>,
    signed: RefCell<HashMap<Doc, Vec<u8>>>,
    judged: RefCell<Judged>,
    held: RefCell<HashMap<Doc, Arc<Held>>>,
    docs: RefCell<HashMap<*const Held, Doc>>,
    lines: RefCell<HashMap<(*const Held, String), Arc<Lines>>>,
    vouched: RefCell<Heartbeats>,
}

/// Judgements on documents: by which host, and by what it had seen.
type Judged = HashMap<(Doc, u8, At), Result<(), Refusal>>;

/// Likewise on heartbeats.
type Heartbeats = HashMap<(u8, Heard, At), Result<Vouched, Failure>>;

/// A heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Heard {
    /// What it vouches for.
    pub(crate) at: At,
    /// Whether it is for the question that it answers.
    pub(crate) own: bool,
}

impl Library {
    pub(crate) fn new(bounds: Vec<Bounds>) -> Self {
        Self {
            bounds,
            signed: RefCell::default(),
            judged: RefCell::default(),
            held: RefCell::default(),
            docs: RefCell::default(),
            lines: RefCell::default(),
            vouched: RefCell::default(),
        }
    }

    pub(crate) fn bounds(&self, host: u8) -> Bounds {
        self.bounds[usize::from(host)]
    }

    /// The document as `host` judges it that has seen `seen`.
    pub(crate) fn accept(&self, doc: Doc, host: u8, seen: At) -> Result<Arc<Held>, Refusal> {
        let known = self.judged.borrow().get(&(doc, host, seen)).cloned();
        let verdict = known.unwrap_or_else(|| {
            let verdict = self.judge(doc, host, seen);
            self.judged
                .borrow_mut()
                .insert((doc, host, seen), verdict.clone());
            verdict
        });
        verdict.map(|()| Arc::clone(&self.held.borrow()[&doc]))
    }

    fn judge(&self, doc: Doc, host: u8, seen: At) -> Result<(), Refusal> {
        let document = self.signed(doc);
        let held = accept(&document, &authority(host), tag(seen), TIME_S)?;
        if !self.held.borrow().contains_key(&doc) {
            let held = Arc::new(held);
            self.docs.borrow_mut().insert(Arc::as_ptr(&held), doc);
            self.held.borrow_mut().insert(doc, held);
        }
        Ok(())
    }

    /// The document itself.
    pub(crate) fn signed(&self, doc: Doc) -> Vec<u8> {
        self.signed
            .borrow_mut()
            .entry(doc)
            .or_insert_with(|| {
                let bytes = serde_json::to_vec(&self.snapshot(doc)).unwrap();
                snapshot_key().sign(Namespace::Snapshot, &bytes).unwrap()
            })
            .clone()
    }

    /// Which document it was.
    pub(crate) fn doc(&self, held: &Arc<Held>) -> Doc {
        self.docs.borrow()[&Arc::as_ptr(held)]
    }

    /// What is held, by its document.
    pub(crate) fn held(&self, doc: Doc) -> Arc<Held> {
        self.accept(doc, doc.host, doc.at).unwrap()
    }

    /// The heartbeat as `host` judges it that has seen `seen`.
    pub(crate) fn vouched(&self, host: u8, heard: Heard, seen: At) -> Result<Vouched, Failure> {
        self.vouched
            .borrow_mut()
            .entry((host, heard, seen))
            .or_insert_with(|| {
                let nonce = if heard.own { NONCE } else { OTHER_NONCE };
                let header = heartbeat(host, heard.at, nonce)
                    .to_header(&snapshot_key())
                    .unwrap();
                Vouched::read(Some(header.as_bytes()), &authority(host), NONCE, tag(seen))
            })
            .clone()
    }

    fn snapshot(&self, doc: Doc) -> Snapshot {
        let bounds = self.bounds(doc.host);
        let seconds = |units: u8| u32::from(units) * UNIT_S;
        let mut keys: Vec<AccountKey> = OWN_BLOBS[usize::from(doc.host)..=usize::from(doc.host)]
            .iter()
            .map(|blob| key(blob))
            .collect();
        keys.extend(doc.granted.then(|| key(BLOB)));
        Snapshot {
            schema: SCHEMA,
            host: host_id(doc.host),
            host_name: format!("web-{}", doc.host),
            epoch: doc.at.epoch.into(),
            revision: doc.at.revision.into(),
            issued_at: 0,
            audit_head: String::new(),
            freshness: FreshnessBody {
                max_staleness_s: seconds(bounds.max_staleness),
                grace_s: seconds(bounds.grace),
                mode: bounds.mode,
            },
            end_sessions: false,
            accounts: vec![Account {
                name: ACCOUNT.to_owned(),
                keys,
            }],
        }
    }
}

impl LineSource for Library {
    fn lines(&self, held: &Held, asked: &Asked<'_>) -> Arc<Lines> {
        let key = (std::ptr::from_ref(held), asked.key_base64.to_owned());
        let mut lines = self.lines.borrow_mut();
        let lines = lines.entry(key).or_insert_with(|| {
            Arc::new(held.lines(&asked.account, asked.key_type, asked.key_base64))
        });
        Arc::clone(lines)
    }
}

/// The question about the key with this body.
pub(crate) fn asked(blob: &str) -> Asked<'_> {
    Asked {
        account: AccountName::parse(ACCOUNT).unwrap(),
        key_type: KEY_TYPE,
        key_base64: blob,
    }
}

pub(crate) fn tag(at: At) -> Tag {
    Tag {
        epoch: Epoch::new(at.epoch.into()).unwrap(),
        revision: Revision::new(at.revision.into()).unwrap(),
    }
}

pub(crate) fn at(tag: Tag) -> At {
    At {
        epoch: u8::try_from(tag.epoch.get()).unwrap(),
        revision: u8::try_from(tag.revision.get()).unwrap(),
    }
}

fn key(blob: &str) -> AccountKey {
    AccountKey {
        algorithm: KEY_TYPE.to_owned(),
        blob: blob.to_owned(),
        segments: vec![Segment {
            from: 0,
            until: None,
            options: "restrict,pty".to_owned(),
            comment: "keyroster:alice:g1".to_owned(),
        }],
    }
}

fn heartbeat(host: u8, at: At, nonce: Nonce) -> Heartbeat {
    Heartbeat {
        schema: keyroster_api::heartbeat::SCHEMA,
        host: host_id(host),
        nonce: nonce.to_string(),
        epoch: at.epoch.into(),
        revision: at.revision.into(),
        roster_revision: at.revision.into(),
        server_time_ms: TIME_S * 1000,
    }
}

fn authority(host: u8) -> Authority {
    Authority {
        key: snapshot_key().public(),
        host_id: host_id(host),
    }
}

fn host_id(host: u8) -> String {
    format!("01934f6e-0000-7000-8000-00000000000{host}")
}

fn snapshot_key() -> SnapshotKey {
    SnapshotKey::from_seed(&[7; 32]).unwrap()
}

/// The nonce of the question that is answered, and that of an earlier one.
const NONCE: Nonce = Nonce::new([1; NONCE_BYTES]);
const OTHER_NONCE: Nonce = Nonce::new([2; NONCE_BYTES]);

const ACCOUNT: &str = "deploy";
const KEY_TYPE: &str = "ssh-ed25519";

/// The key that is granted on every host until it is revoked.
pub(crate) const BLOB: &str =
    "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

/// Keys that stay granted, each on one host.
pub(crate) const OWN_BLOBS: [&str; 2] = [
    "AAAAC3NzaC1lZDI1NTE5AAAAIP8BAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f",
    "AAAAC3NzaC1lZDI1NTE5AAAAIP7/AgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f",
];

/// The key of a break-glass account: it stands in a local file alone, so no answer may ever let it in.
pub(crate) const LOCAL_BLOB: &str =
    "AAAAC3NzaC1lZDI1NTE5AAAAIP3//wMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
