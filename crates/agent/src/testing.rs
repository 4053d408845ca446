//! Snapshots, keys and moments for this crate's tests.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyroster_api::digest::Tree;
use keyroster_api::freshness::{FreshnessBody, ModeText};
use keyroster_api::revoked_keys::RevokedKeys;
use keyroster_api::signature::{Namespace, SnapshotKey};
use keyroster_api::snapshot::{Account, AccountKey, SCHEMA, Segment, Snapshot, Tag};
use keyroster_api::update::Update;
use keyroster_keys::Fingerprints;
use keyroster_roster::{Epoch, Revision};
use keyroster_testkit::{Behaviour, TestCa, Voucher};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::sample::select;
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::clock::{Clock, SystemClock};
use crate::core::accept::{Authority, accept};
use crate::core::held::Held;
use crate::core::moment::{BootId, Moment};
use crate::state::credential::HostFile;
use crate::state::files::raise_high_water;
use crate::state::{Credential, StateDir};

pub(crate) const HOST_ID: &str = "01934f6e-0000-7000-8000-00000000cafe";
pub(crate) const KEY_TYPE: &str = "ssh-ed25519";
pub(crate) const BLOB: &str =
    "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
pub(crate) const OTHER_BLOB: &str =
    "AAAAC3NzaC1lZDI1NTE5AAAAIP8BAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

pub(crate) const BOOT: u128 = 1;
pub(crate) const OTHER_BOOT: u128 = 2;
pub(crate) const THIRD_BOOT: u128 = 3;

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

/// Fingerprints whose every byte is the number.
pub(crate) fn fingerprints(numbers: &[u8]) -> Fingerprints {
    let mut numbers = numbers.to_vec();
    numbers.sort_unstable();
    let bytes: Vec<u8> = numbers
        .into_iter()
        .flat_map(|number| [number; 32])
        .collect();
    Fingerprints::from_bytes(&bytes).unwrap()
}

/// A list of revoked keys, which says that keys were last taken off it at the revision `delisted`.
pub(crate) fn revoked_keys(at: Tag, delisted: u64, numbers: &[u8]) -> RevokedKeys {
    let delisted = Revision::new(delisted).unwrap();
    RevokedKeys::sign(&snapshot_key(), (at, delisted), 900, fingerprints(numbers)).unwrap()
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
        end_sessions: false,
        accounts: vec![Account {
            name: "deploy".to_owned(),
            keys: vec![key],
        }],
    }
}

/// An account as a key server might tell it; its keys in no order, and perhaps twice.
pub(crate) fn any_account() -> impl Strategy<Value = Account> {
    let text = |known: [&'static str; 3]| {
        prop_oneof![
            select(known.to_vec()).prop_map(str::to_owned),
            "[a-zA-Z0-9+/=@ ]{0,200}"
        ]
    };
    let segment = (
        any::<i64>(),
        any::<Option<i64>>(),
        text(["restrict", "restrict,pty", ""]),
        text(["keyroster:a:b", "", "c"]),
    );
    let segment = segment.prop_map(|(from, until, options, comment)| Segment {
        from,
        until,
        options,
        comment,
    });
    let key = (
        text([KEY_TYPE, "ssh-rsa", "x"]),
        text([BLOB, OTHER_BLOB, "AAAA"]),
        vec(segment, 0..3),
    );
    let key = key.prop_map(|(algorithm, blob, segments)| AccountKey {
        algorithm,
        blob,
        segments,
    });
    ("[a-z][a-z0-9.-]{0,12}", vec(key, 0..4)).prop_map(|(name, keys)| Account { name, keys })
}

/// The update that leads from one snapshot to another of the same epoch, as the key server makes it.
pub(crate) fn update(from: &Snapshot, to: &Snapshot) -> Update {
    let of = |snapshot: &Snapshot, name: &str| {
        snapshot
            .accounts
            .iter()
            .find(|account| account.name == name)
            .cloned()
    };
    let names: BTreeSet<&str> = [from, to]
        .into_iter()
        .flat_map(|snapshot| &snapshot.accounts)
        .map(|account| account.name.as_str())
        .collect();
    let gone = |name: &str| Account {
        name: name.to_owned(),
        keys: Vec::new(),
    };
    let changed = names
        .into_iter()
        .filter(|name| of(from, name) != of(to, name));
    Update {
        schema: SCHEMA,
        host: to.host.clone(),
        epoch: to.epoch,
        from_revision: from.revision,
        revision: to.revision,
        issued_at: to.issued_at,
        audit_head: to.audit_head.clone(),
        freshness: to.freshness,
        end_sessions: to.end_sessions,
        accounts: changed
            .map(|name| of(to, name).unwrap_or_else(|| gone(name)))
            .collect(),
        digest: Tree::of(&to.accounts).root().to_string(),
    }
}

pub(crate) fn sign_update(update: &Update) -> Vec<u8> {
    snapshot_key()
        .sign(Namespace::Update, &serde_json::to_vec(update).unwrap())
        .unwrap()
}

pub(crate) fn sign(snapshot: &Snapshot) -> Vec<u8> {
    snapshot_key()
        .sign(Namespace::Snapshot, &serde_json::to_vec(snapshot).unwrap())
        .unwrap()
}

pub(crate) fn hold(snapshot: &Snapshot) -> Arc<Held> {
    Arc::new(accept(&sign(snapshot), &authority(), tag(0, 0), 1_000_000).unwrap())
}

pub(crate) fn held(epoch: u64, revision: u64) -> Arc<Held> {
    hold(&snapshot(epoch, revision))
}

/// A clock that stands still until it is told.
#[derive(Debug, Clone)]
pub(crate) struct TestClock(Arc<Mutex<Moment>>);

impl TestClock {
    /// One that shows what the machine's clocks show now, so that certificates are valid.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(SystemClock::new().unwrap().now())))
    }

    pub(crate) fn advance(&self, seconds: u64) {
        let mut now = self.0.lock().unwrap();
        now.since_boot += Duration::from_secs(seconds);
        now.wall_ms += i64::try_from(seconds).unwrap() * 1000;
    }
}

impl Clock for TestClock {
    fn now(&self) -> Moment {
        *self.0.lock().unwrap()
    }
}

/// The credential of a host that believes `ca` and asks `server`.
pub(crate) fn credential(ca: &TestCa, server: &str) -> Credential {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::default()
        .self_signed(&key)
        .unwrap()
        .pem();
    let host = HostFile {
        host_id: HOST_ID.to_owned(),
        name: "web-1".to_owned(),
        server: server.to_owned(),
        epoch: 1,
        revision: 1,
        keys_serial: 0,
    };
    let key = Zeroizing::new(key.serialize_pem());
    let ca = ca.certificate_pem().to_owned();
    Credential {
        host,
        key,
        certificate,
        ca,
        snapshot_key: snapshot_key().public(),
    }
}

/// A state directory as enrolment leaves it.
pub(crate) fn enrolled(path: &Path, credential: &Credential) -> StateDir {
    let dir = StateDir::create(path).unwrap();
    raise_high_water(&dir, credential.host.floor().unwrap()).unwrap();
    credential.save(&dir).unwrap();
    dir
}

/// What vouches for the snapshot of this epoch and revision.
pub(crate) fn voucher(epoch: u64, revision: u64) -> Voucher {
    Voucher::new(snapshot_key(), HOST_ID, epoch, revision)
}

/// The answer with this snapshot, vouched for.
pub(crate) fn serving(snapshot: &Snapshot) -> Behaviour {
    answer(&sign(snapshot)).vouched(voucher(snapshot.epoch, snapshot.revision))
}

/// The answer with this document and without a heartbeat.
pub(crate) fn answer(document: &[u8]) -> Behaviour {
    let headers = vec![format!(
        "content-type: {}",
        keyroster_api::snapshot::CONTENT_TYPE
    )];
    Behaviour::Answer {
        status: 200,
        headers,
        body: document.to_vec(),
    }
}

/// "Not modified", vouched for.
pub(crate) fn unchanged(epoch: u64, revision: u64) -> Behaviour {
    Behaviour::status(304).vouched(voucher(epoch, revision))
}

/// A small disk of its own. Dropped, it is gone.
pub(crate) struct SmallDisk(TempDir);

impl SmallDisk {
    pub(crate) fn new(size: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let disk = Self(dir);
        disk.run(
            "mount",
            &[
                "-t",
                "tmpfs",
                "-o",
                &format!("size={size},mode=0700"),
                "tmpfs",
            ],
        );
        disk
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn set_read_only(&self, read_only: bool) {
        self.run(
            "mount",
            &[
                "-o",
                if read_only {
                    "remount,ro"
                } else {
                    "remount,rw"
                },
            ],
        );
    }

    /// Fills it to the last byte.
    pub(crate) fn fill(&self) {
        let mut file = std::fs::File::create(self.path().join("ballast")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let done = Command::new(program)
            .args(arguments)
            .arg(self.path())
            .status()
            .unwrap();
        assert!(
            done.success(),
            "`{program}` failed: these tests need root and CAP_SYS_ADMIN"
        );
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}
