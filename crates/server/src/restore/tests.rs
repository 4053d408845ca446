use keyroster_keys::UserName;
use keyroster_roster::{Timestamp, User, UserKind, UserState};
use keyroster_store::Outcome;
use tempfile::TempDir;

use super::*;
use crate::backup::back_up;
use crate::clock::SystemClock;
use crate::init::init;
use crate::open::open_store;
use crate::random::OsRandom;

const STEPS: [Step; 5] = [
    Step::Staged,
    Step::Kept,
    Step::OldGone,
    Step::CompanionsGone,
    Step::Placed,
];

/// A data directory whose roster has alice, who was suspended after the backup was made.
struct Fixture {
    place: TempDir,
    dir: DataDir,
    config: Config,
}

fn alice() -> UserName {
    UserName::parse("alice").unwrap()
}

impl Fixture {
    async fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("data");
        let config = Config::new(&[], None, None).unwrap();
        init(&path, &config, &SystemClock, &OsRandom).await.unwrap();
        let fixture = Self {
            dir: DataDir::at(&path),
            config,
            place,
        };
        let store = fixture.store().await;
        let user = User {
            name: alice(),
            kind: UserKind::Person,
            state: UserState::Active,
            created_at: Timestamp::from_unix(0),
        };
        store
            .write(&Actor::system(), SystemClock.now())
            .add_user(&user)
            .await
            .unwrap();
        back_up(&fixture.dir, &fixture.config, &fixture.backup())
            .await
            .unwrap();
        fixture.set(&store, UserState::Suspended).await;
        store.close().await;
        fixture
    }

    fn backup(&self) -> PathBuf {
        self.place.path().join("backup")
    }

    async fn store(&self) -> Store {
        open_store(&self.dir, &self.config).await.unwrap()
    }

    async fn set(&self, store: &Store, state: UserState) {
        let writer = store.write(&Actor::system(), SystemClock.now());
        let done = writer.set_user_state(&alice(), state, None).await.unwrap();
        assert!(matches!(done, Outcome::Written(_)));
    }

    fn wish(&self) -> Wish {
        Wish {
            from: Some(self.backup()),
            journals: Vec::new(),
            without_journal: WithoutJournal::Refuse,
            damage: Damage::Refuse,
            mode: RestoreMode::Commit,
        }
    }

    async fn restore(&self, wish: &Wish) -> Result<Report, RestoreError> {
        restore(&self.dir, &self.config, wish, &SystemClock, &mut |_| Ok(())).await
    }

    /// The roster's epoch, and alice's state in it.
    async fn look(&self) -> (u64, UserState) {
        look(&Location::sqlite(self.dir.sqlite())).await
    }

    fn files(&self, with: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains(with)).collect()
    }
}

async fn look(location: &Location) -> (u64, UserState) {
    let store = Store::open(location).await.unwrap();
    let mut reader = store.read().await.unwrap();
    let epoch = reader.state().await.unwrap().epoch.get();
    let user = reader.user(&alice()).await.unwrap().unwrap();
    drop(reader);
    store.close().await;
    (epoch, user.state)
}

#[tokio::test]
async fn a_restored_roster_has_a_higher_epoch_and_nothing_that_was_ended_since() {
    let fixture = Fixture::new().await;
    let report = fixture.restore(&fixture.wish()).await.unwrap();
    assert_eq!(fixture.look().await, (2, UserState::Suspended));
    assert_eq!((report.restored.done.len(), report.journals.len()), (1, 1));
    assert_eq!(
        look(&Location::sqlite(fixture.backup())).await,
        (1, UserState::Active)
    );
}

#[tokio::test]
async fn a_crash_between_any_two_steps_leaves_what_was_or_nothing_and_a_second_run_ends_well() {
    for crash in STEPS {
        let fixture = Fixture::new().await;
        let mut seen = Vec::new();
        let mut reached = |step| {
            seen.push(step);
            match step == crash {
                true => Err(RestoreError::NoJournal(PathBuf::new())),
                false => Ok(()),
            }
        };
        let ended = restore(
            &fixture.dir,
            &fixture.config,
            &fixture.wish(),
            &SystemClock,
            &mut reached,
        )
        .await;
        assert!(ended.is_err() && seen.last() == Some(&crash), "{crash:?}");
        if fixture.dir.sqlite().exists() {
            let epoch = if crash == Step::Placed { 2 } else { 1 };
            assert_eq!(
                fixture.look().await,
                (epoch, UserState::Suspended),
                "{crash:?}"
            );
        }
        fixture.restore(&fixture.wish()).await.unwrap();
        assert_eq!(fixture.look().await, (2, UserState::Suspended), "{crash:?}");
        assert_eq!(
            fixture.files("restoring"),
            Vec::<String>::new(),
            "{crash:?}"
        );
    }
}

#[tokio::test]
async fn the_roster_before_is_kept_with_its_newest_writes() {
    let fixture = Fixture::new().await;
    // Left open, as by a crash: what is written last is in a file beside the roster.
    let store = fixture.store().await;
    fixture.set(&store, UserState::Terminated).await;
    assert!(!fixture.files("-wal").is_empty());
    let kept = fixture
        .restore(&fixture.wish())
        .await
        .unwrap()
        .kept
        .unwrap();
    assert_eq!(
        look(&Location::sqlite(kept)).await,
        (1, UserState::Terminated)
    );
    assert_eq!(fixture.look().await, (2, UserState::Terminated));
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let fixture = Fixture::new().await;
    let wish = Wish {
        mode: RestoreMode::DryRun,
        ..fixture.wish()
    };
    let report = fixture.restore(&wish).await.unwrap();
    assert_eq!(report.restored.done.len(), 1);
    assert_eq!(fixture.look().await, (1, UserState::Suspended));
    assert_eq!(fixture.files("before"), Vec::<String>::new());
    assert_eq!(fixture.files("restoring"), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_no_backup_of_a_roster_changes_nothing() {
    let fixture = Fixture::new().await;
    let text = b"this is no roster".to_vec();
    let whole = std::fs::read(fixture.backup()).unwrap();
    let half = whole[..whole.len() / 2].to_vec();
    for bytes in [text, half, Vec::new()] {
        std::fs::write(fixture.backup(), &bytes).unwrap();
        let refused = fixture.restore(&fixture.wish()).await.unwrap_err();
        assert!(matches!(refused, RestoreError::Backup { .. }), "{refused}");
        assert_eq!(fixture.look().await, (1, UserState::Suspended));
        assert_eq!(fixture.files("restoring"), Vec::<String>::new());
    }
}

#[tokio::test]
async fn without_a_journal_nothing_is_restored_unless_somebody_says_so() {
    let fixture = Fixture::new().await;
    std::fs::remove_file(fixture.dir.journal()).unwrap();
    let refused = fixture.restore(&fixture.wish()).await.unwrap_err();
    assert!(matches!(refused, RestoreError::NoJournal(_)));
    let wish = Wish {
        without_journal: WithoutJournal::GoOn,
        ..fixture.wish()
    };
    fixture.restore(&wish).await.unwrap();
    assert_eq!(fixture.look().await, (2, UserState::Active));
}

#[tokio::test]
async fn a_journal_that_cant_be_looked_at_is_not_taken_for_none() {
    let mut fixture = Fixture::new().await;
    let other = fixture.place.path().join("other.journal");
    std::fs::copy(fixture.dir.journal(), &other).unwrap();
    let below_a_file = fixture.dir.journal().join("journal");
    fixture.config.revocation_journal = Some(below_a_file);
    let wish = Wish {
        journals: vec![other],
        ..fixture.wish()
    };
    let refused = fixture.restore(&wish).await.unwrap_err();
    assert!(
        matches!(refused, RestoreError::Journal(JournalError::Io { .. })),
        "{refused}"
    );
    assert_eq!(fixture.look().await, (1, UserState::Suspended));
}

#[tokio::test]
async fn a_damaged_journal_is_used_only_if_somebody_says_so() {
    let fixture = Fixture::new().await;
    let journal = fixture.dir.journal();
    let text = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, format!("no line of ours\n{text}")).unwrap();
    let refused = fixture.restore(&fixture.wish()).await.unwrap_err();
    assert!(matches!(
        refused,
        RestoreError::Journal(JournalError::Damaged { .. })
    ));
    let wish = Wish {
        damage: Damage::UseWhatIsLeft,
        ..fixture.wish()
    };
    fixture.restore(&wish).await.unwrap();
    assert_eq!(fixture.look().await, (2, UserState::Suspended));
}

#[tokio::test]
async fn nothing_is_restored_while_a_key_server_works_on_the_directory() {
    let fixture = Fixture::new().await;
    let _server = DataLock::share(&fixture.dir).unwrap();
    let refused = fixture.restore(&fixture.wish()).await.unwrap_err();
    assert!(matches!(refused, RestoreError::Lock(LockError::InUse(_))));
}

#[tokio::test]
async fn a_file_that_was_put_in_place_by_hand_is_made_fit_to_be_served() {
    let fixture = Fixture::new().await;
    std::fs::copy(fixture.backup(), fixture.dir.sqlite()).unwrap();
    assert_eq!(fixture.look().await, (1, UserState::Active));
    let wish = Wish {
        from: None,
        ..fixture.wish()
    };
    fixture.restore(&wish).await.unwrap();
    assert_eq!(fixture.look().await, (2, UserState::Suspended));
}

#[tokio::test]
async fn the_next_restore_raises_the_epoch_further() {
    let fixture = Fixture::new().await;
    for epoch in 2..5 {
        fixture.restore(&fixture.wish()).await.unwrap();
        assert_eq!(fixture.look().await.0, epoch);
    }
}

#[tokio::test]
async fn a_backup_is_never_written_over_anything() {
    let fixture = Fixture::new().await;
    let before = std::fs::read(fixture.backup()).unwrap();
    let refused = back_up(&fixture.dir, &fixture.config, &fixture.backup()).await;
    assert!(matches!(
        refused,
        Err(crate::backup::BackupError::Exists(_))
    ));
    assert_eq!(std::fs::read(fixture.backup()).unwrap(), before);
}
