//! The list of revoked keys is always what a plain reading of the roster finds, and says by itself when it changes.

use keyroster_keys::Fingerprints;
use keyroster_roster::{Key, KeyState, Revision, Roster, UserKind, UserState};
use keyroster_store::RevokedKeysState;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::fixture::Fixture;
use crate::model::*;
use crate::on_both;
use crate::plan::{plan, whole};
use crate::step::{Trial, step};

const ROSTERS: usize = 4;
const STEPS: usize = 180;

/// What is to be on the list, read from the roster as it stands.
fn expected(roster: &Roster) -> Fingerprints {
    let ended = |key: &&Key| {
        let owner = &roster.users[&key.user];
        let answers_for_it = match &owner.kind {
            UserKind::Person => owner,
            UserKind::Service { owner } => &roster.users[owner],
        };
        key.state != KeyState::Active
            || [owner, answers_for_it]
                .iter()
                .any(|user| user.state != UserState::Active)
    };
    roster
        .keys
        .values()
        .filter(ended)
        .map(|key| key.fingerprint)
        .collect()
}

async fn stands(fixture: &Fixture) -> RevokedKeysState {
    let mut reader = fixture.store.read().await.unwrap();
    reader.revoked_keys_state().await.unwrap()
}

async fn listed(fixture: &Fixture, after: Option<Revision>) -> Fingerprints {
    let mut reader = fixture.store.read().await.unwrap();
    reader.revoked_keys(after).await.unwrap()
}

async fn set_state(fixture: &Fixture, user: &str, state: UserState) {
    let name = user_name(user);
    let set = fixture.write().set_user_state(&name, state, None).await;
    let _ = set.unwrap();
}

/// How often the list of the trials changed, and how.
#[derive(Debug, Default)]
struct Tried {
    grew: usize,
    shrank: usize,
    stayed: usize,
}

/// Judges the list after a write, by the list before it.
async fn judge(
    fixture: &Fixture,
    roster: &Roster,
    before: &Fingerprints,
    was: RevokedKeysState,
    tried: &mut Tried,
) -> Fingerprints {
    let (now, is) = (listed(fixture, None).await, stands(fixture).await);
    assert_eq!(now, expected(roster));
    if now == *before {
        tried.stayed += 1;
        assert_eq!((is.changed, is.delisted), (was.changed, was.delisted));
        return now;
    }
    assert_eq!(is.changed, is.revision);
    if before.without(&now).next().is_some() {
        tried.shrank += 1;
        assert_eq!(is.delisted, is.revision);
    } else {
        tried.grew += 1;
        assert_eq!(is.delisted, was.delisted);
        // Whoever has the list of before needs what came since, and no more.
        let additions = listed(fixture, Some(was.revision)).await;
        assert_eq!(before.union(&additions), now);
        assert!(before.without(&additions).eq(before.iter()));
    }
    now
}

on_both! {
    async fn the_list_is_what_the_roster_says_after_every_write(fixture: Fixture) {
        let mut runner = TestRunner::deterministic();
        let mut tried = Tried::default();
        for roster in 0..ROSTERS {
            plan().new_tree(&mut runner).unwrap().current().load(&fixture, roster).await;
            let mut trial = Trial::new(&fixture, roster);
            let mut now = whole(&fixture).await;
            let mut list = listed(&fixture, None).await;
            assert_eq!(list, expected(&now));
            for _ in 0..STEPS {
                let step = step().new_tree(&mut runner).unwrap().current();
                let was = stands(&fixture).await;
                let _ = trial.take(&step, &now).await;
                now = whole(&fixture).await;
                list = judge(&fixture, &now, &list, was, &mut tried).await;
            }
        }
        assert!(tried.grew > 15 && tried.shrank > 3 && tried.stayed > 100, "too little was tried: {tried:?}");
    }

    async fn a_new_roster_has_an_empty_list(fixture: Fixture) {
        assert!(listed(&fixture, None).await.is_empty());
        let stands = stands(&fixture).await;
        assert_eq!((stands.changed.get(), stands.delisted.get()), (0, 0));
    }

    async fn a_key_that_is_added_to_somebody_suspended_is_on_the_list_at_once(fixture: Fixture) {
        fixture.add_person("alice").await;
        fixture.write().add_user(&service("robot", "alice")).await.unwrap();
        set_state(&fixture, "alice", UserState::Suspended).await;
        assert!(listed(&fixture, None).await.is_empty(), "there are no keys yet");
        for (user, number) in [("alice", 1), ("robot", 2)] {
            fixture.add_key(user, number).await;
            assert!(listed(&fixture, None).await.contains(blob(number).fingerprint()), "{user}");
        }
        set_state(&fixture, "alice", UserState::Active).await;
        assert!(listed(&fixture, None).await.is_empty());
        assert_eq!(stands(&fixture).await.delisted, fixture.state().await.revision);
    }

    async fn whoever_comes_back_does_not_bring_back_what_was_revoked(fixture: Fixture) {
        fixture.add_person("alice").await;
        fixture.write().add_user(&service("robot", "alice")).await.unwrap();
        for (user, number) in [("alice", 1), ("alice", 2), ("robot", 3)] {
            fixture.add_key(user, number).await;
        }
        let _ = fixture.write().revoke_key(blob(1).fingerprint(), None).await.unwrap();
        set_state(&fixture, "robot", UserState::Suspended).await;
        set_state(&fixture, "alice", UserState::Suspended).await;
        assert_eq!(listed(&fixture, None).await.len(), 3);
        set_state(&fixture, "alice", UserState::Active).await;
        let left: Fingerprints = [1, 3].map(|number| *blob(number).fingerprint()).into_iter().collect();
        assert_eq!(listed(&fixture, None).await, left);
    }

    async fn a_roster_from_before_the_list_gets_it_with_the_new_schema(fixture: Fixture) {
        for name in ["alice", "bob", "carol"] {
            fixture.add_person(name).await;
        }
        fixture.write().add_user(&service("robot", "bob")).await.unwrap();
        for (user, number) in [("alice", 1), ("alice", 2), ("bob", 3), ("robot", 4), ("carol", 5)] {
            fixture.add_key(user, number).await;
        }
        let _ = fixture.write().revoke_key(blob(1).fingerprint(), None).await.unwrap();
        set_state(&fixture, "bob", UserState::Terminated).await;
        let before = expected(&whole(&fixture).await);
        fixture.tamper("drop index keys_by_listing").await;
        fixture.tamper("alter table keys drop column listed_revision").await;
        fixture.tamper("alter table roster_state drop column list_revision").await;
        fixture.tamper("alter table roster_state drop column delisted_revision").await;
        fixture.tamper("delete from _sqlx_migrations where version = 4").await;
        let store = fixture.another_store().await;
        let mut reader = store.read().await.unwrap();
        assert_eq!(reader.revoked_keys(None).await.unwrap(), before);
        assert_eq!(before.len(), 3);
        let stands = reader.revoked_keys_state().await.unwrap();
        assert_eq!((stands.changed, stands.delisted.get()), (stands.revision, 0));
    }
}
