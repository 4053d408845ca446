use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use keyroster_api::snapshot::Snapshot;

use super::*;
use crate::core::freshness::Age;
use crate::core::knowledge::{Knowledge, Outcome};
use crate::core::moment::Moment;
use crate::state::files::{HIGH_WATER, raise_high_water};
use crate::state::memory::{load, save, try_lock};
use crate::state::recall::{Document, writes};
use crate::testing::{BOOT, authority, hold, moment, sign, sign_update, snapshot, tag, update};

/// Coprime to eight, so that flips go through all bits; signatures are checked for each.
const STRIDE: usize = 149;

/// A state directory in which snapshot 1.10 and updates up to some revision were kept, and confirmed.
struct Scene {
    dir: StateDir,
    temp: tempfile::TempDir,
}

/// What a key server tells at a revision: one account more each time, and from 1.13 on nobody logs in as `deploy`.
fn at(revision: u64) -> Snapshot {
    let mut snapshot = snapshot(1, revision);
    let deploy = snapshot.accounts.remove(0);
    let named = |number: u64| {
        let mut account = deploy.clone();
        account.name = format!("user{number}");
        account
    };
    snapshot.accounts.extend((10..=revision).map(named));
    if revision < 13 {
        snapshot.accounts.insert(0, deploy.clone());
    }
    snapshot
}

/// Signing takes time where nothing is optimised.
static SIGNED: Mutex<BTreeMap<(u64, u64), Vec<u8>>> = Mutex::new(BTreeMap::new());
static HELD: Mutex<BTreeMap<u64, Arc<Held>>> = Mutex::new(BTreeMap::new());

fn change(from: u64, to: u64) -> Change {
    let mut signed = SIGNED.lock().unwrap();
    let document = signed.entry((from, to));
    let document = document.or_insert_with(|| sign_update(&update(&at(from), &at(to))));
    Change {
        from: tag(1, from).revision,
        to: tag(1, to),
        document: document.clone(),
    }
}

fn held(revision: u64) -> Arc<Held> {
    let mut held = HELD.lock().unwrap();
    let held = held.entry(revision);
    Arc::clone(held.or_insert_with(|| hold(&at(revision))))
}

fn now() -> Moment {
    moment(BOOT, 160, 1_000_060)
}

/// What is known after the key server told of this revision.
fn told(revision: u64) -> Knowledge {
    let outcome = Outcome::Accepted {
        held: held(revision),
        server_time_s: 1_000_000,
    };
    Knowledge::nothing(tag(1, 1)).after(&outcome, &moment(BOOT, 100, 1_000_000))
}

impl Scene {
    fn kept(revision: u64) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let dir = StateDir::create(&temp.path().join("state")).unwrap();
        raise_high_water(&dir, tag(1, 1)).unwrap();
        let scene = Self { dir, temp };
        scene.keep(10, &Document::Snapshot(sign(&at(10))));
        for revision in 11..=revision {
            scene.update(revision - 1, revision);
        }
        scene
    }

    fn keep(&self, revision: u64, document: &Document) {
        let lock = try_lock(&self.dir).unwrap().unwrap();
        save(&self.dir, &told(revision), Some(document), &lock).unwrap();
    }

    fn update(&self, from: u64, to: u64) {
        self.keep(to, &Document::Update(change(from, to)));
    }

    fn journal(&self) -> PathBuf {
        self.temp.path().join("state/journal")
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.journal()).unwrap()
    }

    fn load(&self) -> Knowledge {
        load(&self.dir, &authority(), tag(1, 1), &now()).0
    }

    /// The revision that logins are answered from without asking the key server, if any. What is held must be what the key
    /// server told at that revision, to the last key.
    fn answers(&self) -> Option<u64> {
        let known = self.load();
        let held = known.held?;
        let revision = held.tag().revision.get();
        let mut accounts: Vec<_> = held.accounts().iter().map(Result::unwrap).collect();
        accounts.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(accounts, at(revision).accounts);
        assert_eq!(known.seen, held.tag());
        let age = known.confirmed?.age(&now());
        (age != Age::Unknown).then_some(revision)
    }
}

#[test]
fn what_was_kept_by_updates_is_followed_after_a_restart() {
    assert_eq!(Scene::kept(13).answers(), Some(13));
}

#[test]
fn a_crash_at_any_byte_of_the_last_record_loses_that_record_alone_and_the_next_mends_it() {
    let scene = Scene::kept(12);
    let before = scene.bytes().len();
    let lock = try_lock(&scene.dir).unwrap().unwrap();
    append(&scene.dir, &change(12, 13), &lock).unwrap();
    drop(lock);
    let whole = scene.bytes();
    for length in before..whole.len() {
        assert_eq!(records(&whole[..length]).count(), 2, "cut at {length}");
    }
    for length in (before..whole.len()).step_by(STRIDE) {
        std::fs::write(scene.journal(), &whole[..length]).unwrap();
        assert_eq!(
            scene.answers(),
            Some(12),
            "cut at {length} of {}",
            whole.len()
        );
    }
    std::fs::write(scene.journal(), &whole[..whole.len() - 1]).unwrap();
    scene.update(12, 13);
    assert_eq!(scene.bytes(), whole);
    assert_eq!(scene.answers(), Some(13));
}

#[test]
fn a_journal_that_was_confirmed_and_is_cut_answers_nothing() {
    let scene = Scene::kept(13);
    let whole = scene.bytes();
    for length in (0..whole.len()).step_by(STRIDE) {
        std::fs::write(scene.journal(), &whole[..length]).unwrap();
        assert_eq!(scene.answers(), None, "cut at {length} of {}", whole.len());
        assert_eq!(scene.load().seen, tag(1, 13));
    }
    std::fs::remove_file(scene.journal()).unwrap();
    assert_eq!(scene.answers(), None, "nor does the snapshot without it");
}

#[test]
fn a_flipped_bit_anywhere_answers_nothing_or_what_was_signed() {
    let scene = Scene::kept(13);
    let whole = scene.bytes();
    for index in (0..whole.len()).step_by(STRIDE) {
        let mut flipped = whole.clone();
        flipped[index] ^= 1 << (index % 8);
        std::fs::write(scene.journal(), &flipped).unwrap();
        let answers = scene.answers();
        assert!(
            matches!(answers, None | Some(13)),
            "byte {index}: {answers:?}"
        );
    }
}

#[test]
fn records_that_are_left_from_before_a_snapshot_are_passed_over() {
    let scene = Scene::kept(12);
    let left = scene.bytes();
    scene.keep(14, &Document::Snapshot(sign(&at(14))));
    assert!(!scene.journal().exists(), "a new snapshot ends the journal");
    std::fs::write(scene.journal(), left).unwrap();
    std::fs::set_permissions(
        scene.journal(),
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    assert_eq!(scene.answers(), Some(14));
    scene.update(14, 15);
    assert_eq!(scene.answers(), Some(15));
}

#[test]
fn a_journal_is_never_applied_to_another_snapshot_than_its_own() {
    let scene = Scene::kept(13);
    for revision in [9, 11] {
        scene.dir.write(SNAPSHOT, &sign(&at(revision))).unwrap();
        let answers = scene.answers();
        // To 1.11 its records from 1.11 on belong as well.
        assert!(
            matches!((revision, answers), (9, None) | (11, Some(13))),
            "{answers:?}"
        );
    }
    let mut stranger = at(10);
    stranger.accounts.pop();
    scene.dir.write(SNAPSHOT, &sign(&stranger)).unwrap();
    assert_eq!(
        scene.answers(),
        None,
        "one that calls itself 1.10 and says something else"
    );
}

#[test]
fn what_another_process_made_of_the_same_snapshot_is_superseded() {
    let scene = Scene::kept(11);
    scene.update(10, 12);
    assert_eq!(scene.answers(), Some(12));
    let before = scene.bytes();
    scene.update(10, 12);
    assert_eq!(
        scene.bytes(),
        before,
        "and what is there is not written again"
    );
}

#[test]
fn a_crash_between_any_two_writings_never_shows_an_older_state_as_confirmed() {
    let documents = [
        Document::Update(change(12, 13)),
        Document::Snapshot(sign(&at(13))),
    ];
    for document in &documents {
        let steps = writes(&told(13), Some(document), &Scene::kept(12).files()).len();
        for done in 0..=steps {
            let scene = Scene::kept(12);
            let files = scene.files();
            let known = told(13);
            let lock = try_lock(&scene.dir).unwrap().unwrap();
            for write in writes(&known, Some(document), &files).iter().take(done) {
                crate::state::memory::make(&scene.dir, write, &lock).unwrap();
            }
            let expected = match done {
                0 => Some(12),
                done if done == steps => Some(13),
                _ => None,
            };
            assert_eq!(scene.answers(), expected, "after step {done} of {steps}");
        }
    }
}

impl Scene {
    fn files(&self) -> crate::state::recall::SmallFiles {
        crate::state::memory::small_files(&self.dir)
    }
}

#[test]
fn with_the_high_water_deleted_an_older_journal_answers_nothing() {
    let scene = Scene::kept(13);
    let bytes = scene.bytes();
    std::fs::write(scene.journal(), &bytes[..bytes.len() - 1]).unwrap();
    scene.dir.remove(HIGH_WATER).unwrap();
    assert_eq!(scene.answers(), None);
}

#[test]
fn a_link_in_place_of_the_journal_is_not_followed() {
    let scene = Scene::kept(13);
    let elsewhere = scene.temp.path().join("elsewhere");
    std::fs::rename(scene.journal(), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, scene.journal()).unwrap();
    assert_eq!(scene.answers(), None);
    let lock = try_lock(&scene.dir).unwrap().unwrap();
    assert!(append(&scene.dir, &change(13, 14), &lock).is_err());
}

#[test]
fn a_journal_is_full_by_its_size_and_by_its_records() {
    let scene = Scene::kept(10);
    assert!(!is_full(&scene.dir));
    scene.update(10, 11);
    assert!(!is_full(&scene.dir));
    let record = scene.bytes();
    let grow = |bytes: usize| {
        let times = bytes.div_ceil(record.len());
        std::fs::write(scene.journal(), record.repeat(times)).unwrap();
    };
    grow(64 * 1024 + 1);
    assert!(is_full(&scene.dir));
    scene
        .dir
        .write(SNAPSHOT, &vec![0; 4 * 1024 * 1024])
        .unwrap();
    assert!(!is_full(&scene.dir), "half of the snapshot");
    grow(record.len() * MAX_RECORDS);
    assert!(is_full(&scene.dir));
}
