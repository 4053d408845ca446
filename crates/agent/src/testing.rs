//! Snapshots, keys and moments for this crate's tests.

use std::sync::Arc;
use std::time::Duration;

use keyroster_api::freshness::{FreshnessBody, ModeText};
use keyroster_api::signature::SnapshotKey;
use keyroster_api::snapshot::{Account, AccountKey, SCHEMA, Segment, Snapshot, Tag};
use keyroster_roster::{Epoch, Revision};

use crate::core::accept::{Authority, accept};
use crate::core::held::Held;
use crate::core::moment::{BootId, Moment};

pub(crate) const HOST_ID: &str = "01934f6e-0000-7000-8000-00000000cafe";
pub(crate) const KEY_TYPE: &str = "ssh-ed25519";
pub(crate) const BLOB: &str =
    "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
pub(crate) const OTHER_BLOB: &str =
    "AAAAC3NzaC1lZDI1NTE5AAAAIP8BAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

pub(crate) const BOOT: u128 = 1;
pub(crate) const OTHER_BOOT: u128 = 2;

/// A boot, by number or as it is.
pub(crate) trait IntoBoot {
    fn into_boot(self) -> BootId;
}

impl IntoBoot for u128 {
    fn into_boot(self) -> BootId {
        BootId::parse(&format!("{self:032x}")).unwrap()
    }
}

impl IntoBoot for BootId {
    fn into_boot(self) -> BootId {
        self
    }
}

pub(crate) fn moment(boot: impl IntoBoot, since_boot_s: u64, wall_s: i64) -> Moment {
    let since_boot = Duration::from_secs(since_boot_s);
    Moment {
        boot: boot.into_boot(),
        since_boot,
        wall_ms: wall_s * 1000,
    }
}

pub(crate) fn tag(epoch: u64, revision: u64) -> Tag {
    Tag {
        epoch: Epoch::new(epoch).unwrap(),
        revision: Revision::new(revision).unwrap(),
    }
}

pub(crate) fn snapshot_key() -> SnapshotKey {
    SnapshotKey::from_seed(&[7; 32]).unwrap()
}

pub(crate) fn authority() -> Authority {
    Authority {
        key: snapshot_key().public(),
        host_id: HOST_ID.to_owned(),
    }
}

/// One key that may log in as `deploy`.
pub(crate) fn snapshot(epoch: u64, revision: u64) -> Snapshot {
    let segment = Segment {
        from: 0,
        until: None,
        options: "restrict,pty".to_owned(),
        comment: "keyroster:alice:g1".to_owned(),
    };
    let key = AccountKey {
        algorithm: KEY_TYPE.to_owned(),
        blob: BLOB.to_owned(),
        segments: vec![segment],
    };
    Snapshot {
        schema: SCHEMA,
        host: HOST_ID.to_owned(),
        host_name: "web-1".to_owned(),
        epoch,
        revision,
        issued_at: 900_000,
        audit_head: String::new(),
        freshness: FreshnessBody {
            max_staleness_s: 30,
            grace_s: 3600,
            mode: ModeText::Grace,
        },
        accounts: vec![Account {
            name: "deploy".to_owned(),
            keys: vec![key],
        }],
    }
}

pub(crate) fn sign(snapshot: &Snapshot) -> Vec<u8> {
    snapshot_key()
        .sign(&serde_json::to_vec(snapshot).unwrap())
        .unwrap()
}

pub(crate) fn hold(snapshot: &Snapshot) -> Arc<Held> {
    Arc::new(accept(&sign(snapshot), &authority(), tag(0, 0), 1_000_000).unwrap())
}

pub(crate) fn held(epoch: u64, revision: u64) -> Arc<Held> {
    hold(&snapshot(epoch, revision))
}
