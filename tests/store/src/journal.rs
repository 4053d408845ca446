//! The revocation journal: what stands in it, and when.

use std::path::Path;

use keyroster_roster::{Effect, UserState};
use keyroster_store::{Journal, JournalHealth, Told};

use crate::fixture::{Fixture, NOW};
use crate::model::*;
use crate::on_both;

/// Which actions stand in the journal, with how certain each is.
fn written(fixture: &Fixture) -> Vec<String> {
    let text = std::fs::read_to_string(fixture.journal_path()).unwrap_or_default();
    let word = |line: &str| {
        let kind = line.split('"').nth(1).unwrap().to_owned();
        let action = line
            .split("\"action\":\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        action.map(|action| format!("{kind} {action}"))
    };
    text.lines().filter_map(word).collect()
}

async fn suspend(fixture: &Fixture, state: UserState) {
    let _ = fixture
        .write()
        .set_user_state(&user_name("alice"), state, None)
        .await
        .unwrap();
}

on_both! {
    async fn a_revocation_stands_in_the_journal_before_anybody_asks(fixture: Fixture) {
        let fixture = fixture.with_journal();
        fixture.add_person("alice").await;
        fixture.add_key("alice", 1).await;
        assert_eq!(written(&fixture), Vec::<String>::new());
        let _ = fixture.write().revoke_key(blob(1).fingerprint(), None).await.unwrap();
        assert_eq!(written(&fixture), ["intent key.revoke"]);
        let _ = fixture.journal().await;
        assert_eq!(written(&fixture), ["intent key.revoke"], "once is enough");
    }

    async fn what_gives_back_stands_in_it_once_it_is_committed(fixture: Fixture) {
        let fixture = fixture.with_journal();
        fixture.add_person("alice").await;
        suspend(&fixture, UserState::Suspended).await;
        suspend(&fixture, UserState::Active).await;
        assert_eq!(written(&fixture), ["intent user.set-state"]);
        let _ = fixture.journal().await;
        assert_eq!(written(&fixture), ["intent user.set-state", "done user.set-state"]);
    }

    async fn writes_of_other_key_servers_are_learnt(fixture: Fixture) {
        let other = fixture.another_store().await;
        let fixture = fixture.with_journal();
        fixture.add_person("alice").await;
        fixture.add_key("alice", 1).await;
        let admin = actor("admin");
        let _ = other.write(&admin, NOW).revoke_key(blob(1).fingerprint(), None).await.unwrap();
        assert_eq!(fixture.journal().await.entries(), 1);
        assert_eq!(written(&fixture), ["done key.revoke"]);
    }

    async fn a_revocation_whose_commit_fails_is_ended_by_a_restore_all_the_same(fixture: Fixture) {
        let fixture = fixture.with_journal();
        fixture.add_person("alice").await;
        fixture.add_key("alice", 1).await;
        fixture.refuse_to_commit().await;
        fixture.write().revoke_key(blob(1).fingerprint(), None).await.unwrap_err();
        assert_eq!(written(&fixture), ["intent key.revoke"]);
        fixture.let_it_commit().await;
        let restored = fixture.restore().await;
        assert_eq!(restored.done.len(), 1);
    }

    async fn a_journal_that_begins_late_or_was_lost_learns_everything(fixture: Fixture) {
        fixture.add_person("alice").await;
        for number in 1..=3 {
            fixture.add_key("alice", number).await;
            let _ = fixture.write().revoke_key(blob(number).fingerprint(), None).await.unwrap();
        }
        let fixture = fixture.with_journal();
        assert_eq!(fixture.journal().await.entries(), 3);
        std::fs::remove_file(fixture.journal_path()).unwrap();
        assert_eq!(fixture.journal().await.entries(), 3);
    }

    async fn a_roster_that_went_back_is_read_from_its_beginning(fixture: Fixture) {
        let fixture = fixture.with_journal();
        fixture.add_person("alice").await;
        for number in 1..=3 {
            fixture.add_key("alice", number).await;
        }
        fixture.back_up().await;
        let _ = fixture.write().revoke_key(blob(1).fingerprint(), None).await.unwrap();
        let _ = fixture.journal().await;
        let fixture = fixture.bring_back().await;
        let _ = fixture.restore().await;
        // By another key server: this one hears of it from the audit log alone.
        let other = fixture.another_store().await;
        let _ = other.write(&actor("admin"), NOW).revoke_key(blob(2).fingerprint(), None).await.unwrap();
        let _ = fixture.journal().await;
        assert_eq!(
            written(&fixture),
            ["intent key.revoke", "done roster.restore", "done key.revoke", "done key.revoke"]
        );
    }

    async fn a_roster_that_went_back_is_seen_though_it_has_grown_since(fixture: Fixture) {
        let fixture = fixture.with_journal();
        fixture.add_person("alice").await;
        for number in 1..=3 {
            fixture.add_key("alice", number).await;
        }
        fixture.back_up().await;
        let _ = fixture.write().revoke_key(blob(1).fingerprint(), None).await.unwrap();
        let _ = fixture.journal().await;
        let before = written(&fixture);
        let fixture = fixture.bring_back().await;
        assert_eq!(fixture.store.tell_journal().await.unwrap(), Told::WentBack);
        let other = fixture.another_store().await;
        for number in 4..=9 {
            let _ = other.write(&actor("admin"), NOW).add_key(&key("alice", number)).await.unwrap();
        }
        assert_eq!(fixture.store.tell_journal().await.unwrap(), Told::WentBack);
        assert_eq!(written(&fixture), before, "what it knows is kept for the restore");
        let restored = fixture.restore().await;
        assert_eq!(restored.done.len(), 1);
        let _ = fixture.journal().await;
    }

    async fn a_revocation_whose_commit_failed_is_no_sign_of_a_roster_that_went_back(fixture: Fixture) {
        let fixture = fixture.with_journal();
        fixture.add_person("alice").await;
        fixture.add_key("alice", 1).await;
        let _ = fixture.journal().await;
        fixture.refuse_to_commit().await;
        fixture.write().revoke_key(blob(1).fingerprint(), None).await.unwrap_err();
        fixture.let_it_commit().await;
        let _ = fixture.journal().await;
        fixture.add_key("alice", 2).await;
        let _ = fixture.journal().await;
    }

    async fn a_journal_that_cant_be_written_holds_no_revocation_up_and_catches_up(fixture: Fixture) {
        let elsewhere = tempfile::tempdir().unwrap();
        let path = elsewhere.path().join("disk").join("revocations.journal");
        let journal = Journal::at(&path);
        let health = journal.health();
        let store = fixture.another_store().await.with_journal(journal);
        fixture.add_person("alice").await;
        fixture.add_key("alice", 1).await;
        let _ = store.write(&actor("admin"), NOW).revoke_key(blob(1).fingerprint(), None).await.unwrap();
        assert!(matches!(&*health.borrow(), JournalHealth::Behind(_)));
        assert_eq!(store.tell_journal().await.unwrap(), Told::NotNow);
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        assert_eq!(store.tell_journal().await.unwrap(), Told::Everything { set_aside: None });
        assert_eq!(*health.borrow(), JournalHealth::Kept);
        assert_eq!(lines_of(&path), 1);
    }

    async fn of_grants_only_denials_stand_in_it(fixture: Fixture) {
        let fixture = fixture.with_journal();
        fixture.add_person("alice").await;
        fixture.add_host_group("web").await;
        fixture.add_grant(1, for_user("alice"), on_host_group("web")).await;
        let mut denial = grant(2, for_user("alice"), on_host_group("web"));
        denial.effect = Effect::Deny;
        fixture.write().add_grant(&denial).await.unwrap();
        for number in [1, 2] {
            let _ = fixture.write().revoke_grant(&grant_id(number), None).await.unwrap();
        }
        let _ = fixture.journal().await;
        assert_eq!(written(&fixture), ["intent grant.add", "intent grant.revoke", "done grant.revoke"]);
    }
}

fn lines_of(path: &Path) -> usize {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .filter(|line| line.contains("key.revoke"))
        .count()
}
