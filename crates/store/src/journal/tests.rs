use std::fs::{self, OpenOptions};
use std::io::Write as _;

use keyroster_roster::{AuditHead, Revision, Timestamp};
use tempfile::TempDir;

use super::*;

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("revocations.journal");
    (directory, path)
}

fn event(number: u8) -> AuditEvent {
    AuditEvent {
        sequence: u64::from(number),
        revision: Revision::new(u64::from(number)).unwrap(),
        at: Timestamp::from_unix(1_795_250_096),
        actor: "admin".into(),
        action: "token.revoke".into(),
        object: format!("token-{number}"),
        detail: "{}".into(),
        previous_hash: EventHash::ZERO,
        hash: EventHash::new([number; 32]),
    }
}

async fn intend(journal: &Journal, number: u8) {
    journal.intend(Epoch::FIRST, &event(number)).await;
}

fn tokens(path: &Path) -> Vec<String> {
    let record = JournalRecord::read(path, Damage::Refuse).unwrap();
    record
        .standing
        .tokens
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn is_kept(journal: &Journal) -> bool {
    *journal.health().borrow() == JournalHealth::Kept
}

#[tokio::test]
async fn what_was_written_is_read_back_by_whoever_opens_the_file_next() {
    let (_directory, path) = place();
    intend(&Journal::at(&path), 1).await;
    intend(&Journal::at(&path), 2).await;
    assert_eq!(tokens(&path), ["token-1", "token-2"]);
}

#[tokio::test]
async fn two_processes_keep_one_chain() {
    let (_directory, path) = place();
    let (one, other) = (Journal::at(&path), Journal::at(&path));
    for number in 0..10 {
        intend(if number % 2 == 0 { &one } else { &other }, number).await;
    }
    assert_eq!(tokens(&path).len(), 10);
    assert!(is_kept(&one) && is_kept(&other));
}

#[tokio::test]
async fn a_line_that_a_crash_tore_is_tolerated_and_then_cut_off() {
    let (_directory, path) = place();
    intend(&Journal::at(&path), 1).await;
    intend(&Journal::at(&path), 2).await;
    let whole = fs::read(&path).unwrap();
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for cut in first..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        assert_eq!(tokens(&path), ["token-1"], "cut at {cut}");
    }
    intend(&Journal::at(&path), 3).await;
    assert_eq!(tokens(&path), ["token-1", "token-3"]);
}

#[tokio::test]
async fn a_line_that_was_changed_or_removed_is_named() {
    let (_directory, path) = place();
    let journal = Journal::at(&path);
    for number in 1..=3 {
        intend(&journal, number).await;
    }
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let changed = text.replace("token-2", "token-9");
    let removed = [lines[0], lines[2]].concat();
    for damaged in [changed, removed] {
        fs::write(&path, &damaged).unwrap();
        let refused = JournalRecord::read(&path, Damage::Refuse).unwrap_err();
        assert!(refused.to_string().contains("at line 2"), "{refused}");
        let left = JournalRecord::read(&path, Damage::UseWhatIsLeft).unwrap();
        assert!(left.standing.tokens.len() >= 2);
    }
}

#[tokio::test]
async fn a_damaged_journal_is_set_aside_whole_and_a_new_one_begun() {
    let (_directory, path) = place();
    intend(&Journal::at(&path), 1).await;
    let damaged = fs::read_to_string(&path)
        .unwrap()
        .replace("token-1", "token-9");
    fs::write(&path, &damaged).unwrap();
    let journal = Journal::at(&path);
    intend(&journal, 2).await;
    assert!(is_kept(&journal));
    let aside = journal.take_set_aside().await.unwrap();
    assert_eq!(fs::read_to_string(aside).unwrap(), damaged);
    assert_eq!(tokens(&path), ["token-2"]);
}

#[tokio::test]
async fn a_journal_that_was_taken_away_or_cut_is_not_written_into_nothing() {
    let (_directory, path) = place();
    let journal = Journal::at(&path);
    intend(&journal, 1).await;
    fs::remove_file(&path).unwrap();
    intend(&journal, 2).await;
    assert_eq!(tokens(&path), ["token-2"]);
    OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(10)
        .unwrap();
    intend(&journal, 3).await;
    assert_eq!(tokens(&path), ["token-3"]);
}

#[tokio::test]
async fn a_journal_that_cant_be_written_says_so_until_it_can() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory
        .path()
        .join("other-disk")
        .join("revocations.journal");
    let journal = Journal::at(&path);
    intend(&journal, 1).await;
    let JournalHealth::Behind(why) = journal.health().borrow().clone() else {
        panic!("nobody was told");
    };
    assert!(
        why.contains("revocations.journal") && why.contains("No such file"),
        "{why}"
    );
    fs::create_dir(path.parent().unwrap()).unwrap();
    intend(&journal, 2).await;
    assert!(is_kept(&journal));
    assert_eq!(tokens(&path), ["token-2"]);
}

#[tokio::test]
async fn a_full_disk_leaves_no_half_line_in_the_way() {
    // Writing to this device fails as on a full disk.
    let journal = Journal::at(Path::new("/dev/full"));
    intend(&journal, 1).await;
    let health = journal.health().borrow().clone();
    assert!(
        matches!(&health, JournalHealth::Behind(why) if why.contains("/dev/full")),
        "{health:?}"
    );
    let (_directory, path) = place();
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(b"half a li").unwrap();
    let journal = Journal::at(&path);
    intend(&journal, 2).await;
    assert_eq!(tokens(&path), ["token-2"]);
}

#[tokio::test]
async fn a_mark_keeps_what_it_covers_from_being_read_again() {
    let (_directory, path) = place();
    let journal = Journal::at(&path);
    let place = Place {
        epoch: Epoch::new(3).unwrap(),
        head: AuditHead {
            sequence: 70,
            hash: EventHash::new([9; 32]),
        },
    };
    assert_eq!(journal.known().await.unwrap(), Place::START);
    journal
        .learn(Vec::new(), Progress::Wholly(place))
        .await
        .unwrap();
    assert_eq!(Journal::at(&path).known().await.unwrap(), place);
    let record = JournalRecord::read(&path, Damage::Refuse).unwrap();
    assert_eq!(record.epoch(), place.epoch);
}
