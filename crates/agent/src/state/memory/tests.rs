use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::*;
use crate::core::freshness::{Age, Confirmation};
use crate::core::knowledge::Outcome;
use crate::state::files::{CONFIRMED, HIGH_WATER};
use crate::testing::{BOOT, OTHER_BOOT, THIRD_BOOT, authority, hold, moment, sign, snapshot, tag};

struct Scene {
    dir: StateDir,
    temp: tempfile::TempDir,
}

/// A directory in which snapshot 1.10 was kept, confirmed at second 100 of the boot.
fn kept() -> Scene {
    let temp = tempfile::tempdir().unwrap();
    let dir = StateDir::create(&temp.path().join("state")).unwrap();
    raise_high_water(&dir, tag(1, 1)).unwrap();
    let scene = Scene { dir, temp };
    scene.keep(10);
    scene
}

fn now() -> Moment {
    moment(BOOT, 160, 1_000_060)
}

impl Scene {
    fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join("state").join(name)
    }

    fn load(&self) -> (Knowledge, Vec<String>) {
        let (known, doubts) = load(&self.dir, &authority(), tag(1, 1), &now());
        (known, doubts.iter().map(ToString::to_string).collect())
    }

    fn keep(&self, revision: u64) {
        let document = sign(&snapshot(1, revision));
        let outcome = Outcome::Accepted {
            held: hold(&snapshot(1, revision)),
            server_time_s: 1_000_000,
        };
        let known = Knowledge::nothing(tag(1, 1)).after(&outcome, &moment(BOOT, 100, 1_000_000));
        let lock = try_lock(&self.dir).unwrap().unwrap();
        save(
            &self.dir,
            &known,
            Some(&Document::Snapshot(document)),
            &lock,
        )
        .unwrap();
    }

    fn spoil(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = std::fs::read(self.path(name)).unwrap();
        change(&mut bytes);
        std::fs::write(self.path(name), bytes).unwrap();
    }
}

/// Whether a login could be answered from this without asking the key server.
fn answers(known: &Knowledge) -> bool {
    let age = known
        .confirmed
        .map_or(Age::Unknown, |confirmed| confirmed.age(&now()));
    known.held.is_some() && age != Age::Unknown
}

#[test]
fn what_was_kept_is_loaded_with_its_age() {
    let (known, doubts) = kept().load();
    assert_eq!(known.held.unwrap().tag(), tag(1, 10));
    assert_eq!(
        known.confirmed,
        Some(Confirmation::at(&moment(BOOT, 100, 1_000_000), 1_000_000))
    );
    assert_eq!(
        (known.seen, known.refused, doubts),
        (tag(1, 10), None, Vec::new())
    );
}

#[test]
fn a_snapshot_on_disk_that_was_altered_cut_or_emptied_is_not_used() {
    let changes: [fn(&mut Vec<u8>); 4] = [
        |bytes| *bytes.last_mut().unwrap() ^= 1,
        |bytes| bytes.truncate(bytes.len() / 2),
        Vec::clear,
        |bytes| bytes.extend_from_slice(b" "),
    ];
    for change in changes {
        let scene = kept();
        scene.spoil(SNAPSHOT, change);
        let (known, doubts) = scene.load();
        assert!(known.held.is_none());
        assert_eq!(known.seen, tag(1, 10), "the high water stays");
        assert_eq!(doubts.len(), 1, "{doubts:?}");
    }
}

#[test]
fn an_older_snapshot_put_back_on_disk_is_refused() {
    let scene = kept();
    scene.keep(11);
    scene.dir.write(SNAPSHOT, &sign(&snapshot(1, 10))).unwrap();
    let (known, doubts) = scene.load();
    assert!(known.held.is_none());
    assert!(doubts[0].contains("was seen before"), "{doubts:?}");
}

#[test]
fn with_the_snapshot_deleted_the_high_water_stays() {
    let scene = kept();
    scene.dir.remove(SNAPSHOT).unwrap();
    let (known, _) = scene.load();
    assert!(known.held.is_none());
    assert_eq!(known.seen, tag(1, 10));
}

#[test]
fn with_the_high_water_deleted_nothing_is_answered_until_it_is_confirmed_anew() {
    let scene = kept();
    scene.dir.remove(HIGH_WATER).unwrap();
    let (known, doubts) = scene.load();
    assert!(!answers(&known));
    assert_eq!(known.seen, tag(1, 10), "what is held is a bound at least");
    assert!(doubts[0].contains("high water is missing"), "{doubts:?}");
}

#[test]
fn with_the_high_water_corrupt_nothing_is_answered_until_it_is_confirmed_anew() {
    let changes: [fn(&mut Vec<u8>); 4] = [
        Vec::clear,
        |bytes| bytes.truncate(5),
        |bytes| *bytes = b"{\"epoch\":1,\"revision\":18446744073709551615}".to_vec(),
        |bytes| *bytes = b"{\"epoch\":1,\"revision\":1,\"more\":1}".to_vec(),
    ];
    for change in changes {
        let scene = kept();
        scene.spoil(HIGH_WATER, change);
        let (known, doubts) = scene.load();
        assert!(!answers(&known));
        assert!(
            doubts.iter().any(|doubt| doubt.contains("corrupt")),
            "{doubts:?}"
        );
        scene.keep(12);
        assert_eq!(scene.load().0.seen, tag(1, 12), "and it heals");
    }
}

#[test]
fn with_the_confirmation_gone_or_corrupt_the_age_is_unknown() {
    let changes: [fn(&mut Vec<u8>); 3] = [
        Vec::clear,
        |bytes| bytes.truncate(20),
        |bytes| *bytes = b"null".to_vec(),
    ];
    for change in changes {
        let scene = kept();
        scene.spoil(CONFIRMED, change);
        assert!(!answers(&scene.load().0));
    }
    let scene = kept();
    scene.dir.remove(CONFIRMED).unwrap();
    let (known, doubts) = scene.load();
    assert!(known.held.is_some() && !answers(&known));
    assert_eq!(doubts.len(), 1, "{doubts:?}");
}

#[test]
fn links_in_place_of_any_of_the_files_are_not_followed() {
    for name in [SNAPSHOT, HIGH_WATER, CONFIRMED] {
        let scene = kept();
        let elsewhere = scene.temp.path().join("elsewhere");
        std::fs::rename(scene.path(name), &elsewhere).unwrap();
        symlink(&elsewhere, scene.path(name)).unwrap();
        let (known, doubts) = scene.load();
        assert!(!answers(&known), "{name}");
        assert!(doubts[0].contains("symbolic link"), "{name}: {doubts:?}");
    }
}

#[test]
fn a_crash_between_any_two_steps_of_writing_never_shows_an_older_state_as_confirmed() {
    // After the snapshot alone, and after snapshot and high water: the confirmation on disk is still that of revision 10.
    for steps in 1..=2 {
        let scene = kept();
        scene.dir.write(SNAPSHOT, &sign(&snapshot(1, 11))).unwrap();
        if steps == 2 {
            raise_high_water(&scene.dir, tag(1, 11)).unwrap();
        }
        let (known, _) = scene.load();
        assert_eq!(
            known.held.as_ref().unwrap().tag(),
            tag(1, 11),
            "after step {steps}"
        );
        assert_eq!(known.seen, tag(1, 11));
        assert!(!answers(&known), "after step {steps}");
    }
}

#[test]
fn a_refusal_outlives_a_restart_whatever_else_is_lost() {
    for lost in [None, Some(SNAPSHOT), Some(HIGH_WATER)] {
        let scene = kept();
        let (known, _) = scene.load();
        let refused = known.after(&Outcome::Refused { status: 410 }, &now());
        let lock = try_lock(&scene.dir).unwrap().unwrap();
        save(&scene.dir, &refused, None, &lock).unwrap();
        if let Some(name) = lost {
            scene.dir.remove(name).unwrap();
        }
        assert_eq!(scene.load().0.refused, Some(410), "without {lost:?}");
    }
}

#[test]
fn a_process_that_knows_less_does_not_overwrite_one_that_knows_more() {
    let scene = kept();
    let (older, _) = scene.load();
    scene.keep(12);
    let lock = try_lock(&scene.dir).unwrap().unwrap();
    let document = Document::Snapshot(sign(&snapshot(1, 10)));
    save(&scene.dir, &older, Some(&document), &lock).unwrap();
    let (known, doubts) = scene.load();
    assert_eq!(
        (known.held.unwrap().tag(), doubts),
        (tag(1, 12), Vec::new())
    );
}

/// What a process knows that held 1.10 and was refused, or not, when it asked at this second of the boot.
fn asked_at(second: u64, refused: Option<u16>) -> Knowledge {
    Knowledge {
        held: Some(hold(&snapshot(1, 10))),
        confirmed: Some(Confirmation::at(&moment(BOOT, second, 1_000_000), 0)),
        refused,
        seen: tag(1, 10),
    }
}

#[test]
fn a_late_answer_does_not_overwrite_a_refusal_that_was_asked_for_later() {
    let scene = kept();
    let lock = try_lock(&scene.dir).unwrap().unwrap();
    save(&scene.dir, &asked_at(120, Some(410)), None, &lock).unwrap();
    save(&scene.dir, &asked_at(110, None), None, &lock).unwrap();
    assert_eq!(scene.load().0.refused, Some(410));
    assert!(knows_more(&scene.dir, &asked_at(110, None)));
    save(&scene.dir, &asked_at(130, None), None, &lock).unwrap();
    assert_eq!(scene.load().0.refused, None);
}

#[test]
fn a_refusal_is_kept_though_another_process_has_seen_more() {
    let scene = kept();
    scene.keep(12);
    assert!(knows_more(&scene.dir, &asked_at(120, None)));
    let lock = try_lock(&scene.dir).unwrap().unwrap();
    save(&scene.dir, &asked_at(120, Some(403)), None, &lock).unwrap();
    let (known, _) = scene.load();
    assert_eq!((known.refused, known.seen), (Some(403), tag(1, 12)));
}

#[test]
fn the_high_water_is_never_lowered() {
    let scene = kept();
    raise_high_water(&scene.dir, tag(1, 5)).unwrap();
    assert_eq!(read_high_water(&scene.dir).unwrap(), Some(tag(1, 10)));
    raise_high_water(&scene.dir, tag(2, 1)).unwrap();
    assert_eq!(read_high_water(&scene.dir).unwrap(), Some(tag(2, 1)));
}

#[test]
fn a_snapshot_below_the_enrolment_is_refused_though_the_high_water_is_lost() {
    let scene = kept();
    scene.dir.remove(HIGH_WATER).unwrap();
    let (known, _) = load(&scene.dir, &authority(), tag(1, 11), &now());
    assert!(known.held.is_none());
}

/// What the next boot loads, when its wall clock shows this.
fn load_in_the_next_boot(scene: &Scene, since_boot_s: u64, wall_s: i64) -> Knowledge {
    let now = moment(OTHER_BOOT, since_boot_s, wall_s);
    load(&scene.dir, &authority(), tag(1, 1), &now).0
}

#[test]
fn an_age_that_an_earlier_process_of_this_boot_found_is_not_lost_with_it() {
    let scene = kept();
    let first = load_in_the_next_boot(&scene, 3, 1_000_060);
    let lock = try_lock(&scene.dir).unwrap().unwrap();
    save_found(&scene.dir, &first, &lock).unwrap();
    let second = load_in_the_next_boot(&scene, 53, 1_000_001);
    let age = second
        .confirmed
        .unwrap()
        .age(&moment(OTHER_BOOT, 53, 1_000_001));
    assert_eq!(age, Age::Reckoned(Duration::from_secs(110)));
    // Nor in the boot after that.
    let third = load(
        &scene.dir,
        &authority(),
        tag(1, 1),
        &moment(THIRD_BOOT, 1, 1_000_001),
    )
    .0;
    let age = third
        .confirmed
        .unwrap()
        .age(&moment(THIRD_BOOT, 2, 1_000_001));
    assert_eq!(age, Age::Reckoned(Duration::from_secs(61)));
}

#[test]
fn what_an_earlier_boot_confirmed_is_not_written_over_what_this_one_did() {
    let confirmed = |scene: &Scene| read_confirmed(&scene.dir).unwrap().unwrap();
    for refused in [None, Some(410)] {
        let scene = kept();
        let earlier = Knowledge {
            refused,
            ..load_in_the_next_boot(&scene, 3, 1_000_060)
        };
        let unchanged = Outcome::NotModified {
            server_time_s: 1_000_070,
        };
        let later = earlier.after(&unchanged, &moment(OTHER_BOOT, 10, 1_000_070));
        let lock = try_lock(&scene.dir).unwrap().unwrap();
        save(&scene.dir, &later, None, &lock).unwrap();
        let before = confirmed(&scene);
        save(&scene.dir, &earlier, None, &lock).unwrap();
        assert_eq!(confirmed(&scene), before, "{refused:?}");
    }
}

#[tokio::test]
async fn a_lock_that_is_held_for_a_moment_is_waited_for() {
    let scene = kept();
    let held = try_lock(&scene.dir).unwrap().unwrap();
    let (lock, ()) = tokio::join!(lock(&scene.dir), async { drop(held) });
    assert!(lock.unwrap().is_some());
}
