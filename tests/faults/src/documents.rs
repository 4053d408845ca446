//! Signed documents: the sound one that the key server would send, and everything that can be wrong with one.

use keyroster_api::digest::Tree;
use keyroster_api::freshness::{FreshnessBody, ModeText};
use keyroster_api::signature::{Namespace, SnapshotKey};
use keyroster_api::snapshot::{Account, AccountKey, CONTENT_TYPE, SCHEMA, Segment, Snapshot};
use keyroster_api::update::Update;
use keyroster_testkit::{Behaviour, Failure, Result, Voucher};

use crate::cell::{Held, Mode};
use crate::rules::Key;
use crate::world::{SIGNER, World, signer};

/// The revision of what is held, and the highest that was ever seen.
pub(crate) const HELD_REVISION: u64 = 10;
/// The revision that the key server is at.
pub(crate) const NEWER_REVISION: u64 = 11;
/// The epoch of everything.
pub(crate) const EPOCH: u64 = 2;
/// This host.
pub(crate) const HOST_ID: &str = "01934f6e-0000-7000-8000-00000000cafe";
/// Seconds of a day.
pub(crate) const DAY_S: i64 = 86_400;

/// How old what is held is, in seconds, when it is neither fresh nor young enough for what it says.
pub(crate) const OLD_S: u64 = 20;

/// The bounds under which [`OLD_S`] is what `held` says.
pub(crate) fn bounds(mode: Mode, held: Held) -> FreshnessBody {
    let (max_staleness_s, grace_s) = match held {
        Held::Nothing | Held::Fresh => (3600, 3600),
        Held::Stale => (1, 3600),
        Held::Expired => (1, 2),
    };
    let mode = match mode {
        Mode::Strict => ModeText::Strict,
        Mode::Grace | Mode::BreakGlass => ModeText::Grace,
    };
    FreshnessBody {
        max_staleness_s,
        grace_s,
        mode,
    }
}

/// What the host holds: granted, revoked and ended keys, the last since yesterday at `now_s`.
pub(crate) fn held(world: &World, mode: Mode, held: Held, now_s: i64) -> Result<Snapshot> {
    let keys = [Key::Granted, Key::Revoked, Key::Ended]
        .into_iter()
        .map(|key| entry(world, key, (key == Key::Ended).then_some(now_s - DAY_S)))
        .collect::<Result<_>>()?;
    Ok(snapshot(world, keys, bounds(mode, held), now_s))
}

/// What the key server would say now: the revoked key is gone.
pub(crate) fn newer(world: &World, mode: Mode, now_s: i64) -> Result<Snapshot> {
    let keys = vec![entry(world, Key::Granted, None)?];
    let mut snapshot = snapshot(world, keys, bounds(mode, Held::Fresh), now_s);
    snapshot.revision = NEWER_REVISION;
    Ok(snapshot)
}

/// What must not be used: it names a stranger. Whatever else is wrong with it is the caller's.
pub(crate) fn poisoned(world: &World, mode: Mode, now_s: i64) -> Result<Snapshot> {
    let mut snapshot = newer(world, mode, now_s)?;
    let stranger = entry(world, Key::Stranger, None)?;
    let account = snapshot.accounts.first_mut();
    account
        .ok_or_else(|| Failure::new("a snapshot without accounts"))?
        .keys
        .push(stranger);
    Ok(snapshot)
}

/// The signed document over a snapshot.
pub(crate) fn sign(signer: &SnapshotKey, snapshot: &Snapshot) -> Result<Vec<u8>> {
    let bytes = serde_json::to_vec(snapshot).map_err(|error| Failure::new(error.to_string()))?;
    sign_bytes(signer, &bytes)
}

/// The signed document over any bytes.
pub(crate) fn sign_bytes(signer: &SnapshotKey, bytes: &[u8]) -> Result<Vec<u8>> {
    let signed = signer.sign(Namespace::Snapshot, bytes);
    signed.map_err(|error| Failure::new(error.to_string()))
}

/// The answer that carries a signed document.
pub(crate) fn serving(body: Vec<u8>) -> Behaviour {
    Behaviour::Answer {
        status: 200,
        headers: vec![content_type()],
        body,
    }
}

/// Who signs the heartbeats of a key server that is at this snapshot, when it is this second there.
pub(crate) fn voucher(snapshot: &Snapshot, now_s: i64) -> Result<Voucher> {
    let voucher = Voucher::new(signer(SIGNER)?, HOST_ID, snapshot.epoch, snapshot.revision);
    Ok(voucher.at(now_s * 1000))
}

/// The header line of a signed document.
pub(crate) fn content_type() -> String {
    format!("content-type: {CONTENT_TYPE}")
}

fn snapshot(
    world: &World,
    keys: Vec<AccountKey>,
    freshness: FreshnessBody,
    now_s: i64,
) -> Snapshot {
    Snapshot {
        schema: SCHEMA,
        host: HOST_ID.to_owned(),
        host_name: "web-1".to_owned(),
        epoch: EPOCH,
        revision: HELD_REVISION,
        issued_at: now_s - DAY_S,
        audit_head: String::new(),
        end_sessions: false,
        freshness,
        accounts: vec![Account {
            name: world.login.name.clone(),
            keys,
        }],
    }
}

/// What a snapshot says of one key: it holds for ever, or until this second.
pub(crate) fn entry(world: &World, key: Key, until: Option<i64>) -> Result<AccountKey> {
    let (algorithm, blob) = world.key(key)?.parts();
    Ok(AccountKey {
        algorithm: algorithm.to_owned(),
        blob: blob.to_owned(),
        segments: vec![Segment {
            from: 0,
            until,
            options: "restrict,pty".to_owned(),
            comment: format!("keyroster:alice:{}", key_word(key)),
        }],
    })
}

const fn key_word(key: Key) -> &'static str {
    match key {
        Key::Granted => "granted",
        Key::Revoked => "revoked",
        Key::Ended => "ended",
        Key::Stranger => "stranger",
    }
}

/// Lets the time of the ended key be over at this second only.
pub(crate) fn end_within(snapshot: &mut Snapshot, second: i64) {
    let keys = snapshot
        .accounts
        .iter_mut()
        .flat_map(|account| &mut account.keys);
    for segment in keys.flat_map(|key| &mut key.segments) {
        if segment.until.is_some() {
            segment.until = Some(second);
        }
    }
}

/// Adds this many keys that nobody asks about, and that never hold.
pub(crate) fn crowd(snapshot: &mut Snapshot, number: u32) -> Result {
    let account = snapshot.accounts.first_mut();
    let keys = &mut account
        .ok_or_else(|| Failure::new("a snapshot without accounts"))?
        .keys;
    let one = keys.first().cloned();
    let one = one.ok_or_else(|| Failure::new("an account without keys"))?;
    // The last characters of a body tell the number, in the alphabet of base64.
    let kept = one
        .blob
        .get(..one.blob.len().saturating_sub(8))
        .unwrap_or_default();
    keys.extend((0..number).map(|number| AccountKey {
        blob: format!("{kept}{number:08}"),
        algorithm: one.algorithm.clone(),
        segments: Vec::new(),
    }));
    Ok(())
}

/// What leads from one snapshot to another that has the same accounts with other keys.
pub(crate) fn update(from: &Snapshot, to: &Snapshot) -> Update {
    let mut accounts = to.accounts.clone();
    for account in &mut accounts {
        account.keys.sort_by(|a, b| a.blob.cmp(&b.blob));
    }
    Update {
        schema: keyroster_api::update::SCHEMA,
        host: to.host.clone(),
        epoch: to.epoch,
        from_revision: from.revision,
        revision: to.revision,
        issued_at: to.issued_at,
        audit_head: to.audit_head.clone(),
        freshness: to.freshness,
        end_sessions: to.end_sessions,
        digest: Tree::of(&accounts).root().to_string(),
        accounts,
    }
}

/// The signed document over an update.
pub(crate) fn sign_update(signer: &SnapshotKey, update: &Update) -> Result<Vec<u8>> {
    let bytes = serde_json::to_vec(update).map_err(|error| Failure::new(error.to_string()))?;
    let signed = signer.sign(Namespace::Update, &bytes);
    signed.map_err(|error| Failure::new(error.to_string()))
}
