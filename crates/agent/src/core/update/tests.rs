use keyroster_api::signature::{SignatureError, SnapshotKey};
use keyroster_api::snapshot::{Account, Snapshot};
use proptest::prelude::*;

use super::*;
use crate::testing::{
    HOST_ID, OTHER_BLOB, any_account, authority, hold, sign, sign_update, snapshot, snapshot_key,
    tag, update,
};

const NOW_S: i64 = 1_000_000;

/// Coprime to eight, so that the flips go through all bits; a signature is checked for each.
const STRIDE: usize = 61;

fn judge(document: &[u8]) -> Result<Held, Refusal> {
    let held = hold(&snapshot(1, 10));
    amend(document, &authority(), &held, tag(1, 10), NOW_S)
}

/// Snapshot 1.11: another account, and a host group that became stricter.
fn next() -> Snapshot {
    let mut next = snapshot(1, 11);
    let mut other = next.accounts[0].clone();
    other.name = "backup".to_owned();
    next.accounts.insert(0, other);
    next.freshness.max_staleness_s = 7;
    next.end_sessions = true;
    next.audit_head = "ab".to_owned();
    next
}

fn sound() -> Update {
    update(&snapshot(1, 10), &next())
}

/// In any order: what is the same whatever way it was come to.
fn said(held: &Held) -> (Tag, i64, String, String, Vec<Account>) {
    let mut accounts: Vec<_> = held.accounts().iter().map(Result::unwrap).collect();
    accounts.sort_by(|a, b| a.name.cmp(&b.name));
    let rules = format!("{:?} {}", held.freshness(), held.end_sessions());
    let head = held.audit_head().to_owned();
    (held.tag(), held.issued_at(), rules, head, accounts)
}

#[test]
fn a_sound_update_makes_the_snapshot_that_it_promises() {
    let held = judge(&sign_update(&sound())).unwrap();
    assert_eq!(said(&held), said(&hold(&next())));
    assert_eq!(held.freshness().max_staleness_s(), 7);
}

#[test]
fn a_flipped_bit_anywhere_is_refused_or_changes_nothing_that_was_signed() {
    let document = sign_update(&sound());
    let (base, promised) = (hold(&snapshot(1, 10)), said(&hold(&next())));
    for index in (0..document.len()).step_by(STRIDE) {
        let mut flipped = document.clone();
        flipped[index] ^= 1 << (index % 8);
        if let Ok(held) = amend(&flipped, &authority(), &base, tag(1, 10), NOW_S) {
            assert_eq!(said(&held), promised, "byte {index}");
        }
    }
}

#[test]
fn a_snapshot_is_no_update_whatever_it_says() {
    let bytes = serde_json::to_vec(&sound()).unwrap();
    let as_snapshot = snapshot_key().sign(Namespace::Snapshot, &bytes).unwrap();
    let other = SnapshotKey::from_seed(&[99; 32]).unwrap();
    let of_other_key = other.sign(Namespace::Update, &bytes).unwrap();
    for document in [as_snapshot, of_other_key, sign(&next())] {
        let refused = judge(&document).unwrap_err();
        assert_eq!(refused, Refusal::Signature(SignatureError::Signature));
    }
}

/// What an update is refused for after this change to it.
fn refused(change: impl FnOnce(&mut Update)) -> Refusal {
    let mut changed = sound();
    change(&mut changed);
    judge(&sign_update(&changed)).unwrap_err()
}

#[test]
fn an_update_of_another_host_schema_or_time_is_refused() {
    let other = refused(|update| update.host = HOST_ID.replace('0', "1"));
    assert!(matches!(other, Refusal::OtherHost(_)), "{other}");
    assert_eq!(refused(|update| update.schema = 2), Refusal::Schema(2));
    let ahead = refused(|update| update.issued_at = NOW_S + 301);
    assert_eq!(ahead, Refusal::FromTheFuture { ahead_s: 301 });
    let lax = refused(|update| update.freshness.grace_s = u32::MAX);
    assert!(matches!(lax, Refusal::Malformed(_)), "{lax}");
}

#[test]
fn an_update_of_something_else_than_what_is_held_is_refused() {
    for (epoch, from) in [(1, 9), (1, 11), (2, 10), (0, 10)] {
        let other = refused(|update| (update.epoch, update.from_revision) = (epoch, from));
        assert!(
            matches!(other, Refusal::OtherBase { .. }),
            "{epoch}.{from}: {other}"
        );
    }
}

#[test]
fn an_update_that_does_not_go_forward_is_refused() {
    for revision in [0, 9, 10] {
        let back = refused(|update| update.revision = revision);
        assert!(
            matches!(back, Refusal::WentBack { .. }),
            "{revision}: {back}"
        );
    }
    let held = hold(&snapshot(1, 10));
    let back = amend(
        &sign_update(&sound()),
        &authority(),
        &held,
        tag(1, 12),
        NOW_S,
    );
    assert!(
        matches!(back, Err(Refusal::WentBack { .. })),
        "another process has seen more"
    );
}

#[test]
fn an_update_that_makes_something_else_than_its_digest_is_refused() {
    let changes: [fn(&mut Update); 4] = [
        |update| update.digest.clear(),
        |update| update.digest = update.digest.to_uppercase(),
        |update| update.accounts.clear(),
        |update| update.accounts[0].keys[0].blob = OTHER_BLOB.to_owned(),
    ];
    for change in changes {
        assert_eq!(refused(change), Refusal::OtherResult);
    }
}

#[test]
fn an_update_that_contradicts_itself_or_is_no_update_is_refused() {
    let twice = refused(|update| update.accounts.push(update.accounts[0].clone()));
    assert!(matches!(twice, Refusal::Malformed(_)), "{twice}");
    for bytes in [
        "",
        "{}",
        "null",
        "{\"schema\":1}",
        "{\"schema\":1,\"schema\":1}",
    ] {
        let document = snapshot_key()
            .sign(Namespace::Update, bytes.as_bytes())
            .unwrap();
        let refused = judge(&document).unwrap_err();
        assert!(
            matches!(refused, Refusal::Malformed(_)),
            "{bytes}: {refused}"
        );
    }
}

fn snapshots() -> impl Strategy<Value = Vec<Snapshot>> {
    let accounts = proptest::collection::vec((any_account(), 0..6_u8), 0..6);
    proptest::collection::vec(accounts, 2..6).prop_map(|all| {
        let numbered = (10..).zip(all);
        let snapshot = |(revision, accounts): (u64, Vec<(Account, u8)>)| {
            let mut snapshot = snapshot(1, revision);
            snapshot.accounts = accounts.into_iter().map(named).collect();
            snapshot.accounts.retain(|account| !account.keys.is_empty());
            snapshot.accounts.sort_by(|a, b| a.name.cmp(&b.name));
            snapshot.accounts.dedup_by(|a, b| a.name == b.name);
            snapshot
        };
        numbered.map(snapshot).collect()
    })
}

/// One of a few names, so that changes meet; its keys as the key server orders them.
fn named((mut account, number): (Account, u8)) -> Account {
    account.name = format!("user{number}");
    account
        .keys
        .sort_by(|a, b| (&a.algorithm, &a.blob).cmp(&(&b.algorithm, &b.blob)));
    account
        .keys
        .dedup_by(|a, b| (&a.algorithm, &a.blob) == (&b.algorithm, &b.blob));
    account
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn who_follows_by_updates_holds_what_the_whole_snapshot_says(snapshots in snapshots()) {
        let mut held = hold(&snapshots[0]);
        for pair in snapshots.windows(2) {
            let document = sign_update(&update(&pair[0], &pair[1]));
            held = amend(&document, &authority(), &held, held.tag(), NOW_S).unwrap().into();
            prop_assert_eq!(said(&held), said(&hold(&pair[1])));
        }
    }
}
