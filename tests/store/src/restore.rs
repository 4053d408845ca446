//! A restore: what was taken away after the backup stays away.

use keyroster_roster::{Effect, KeyState, UserState};
use keyroster_store::{
    Action, AuditVerdict, Damage, Enrolment, JournalRecord, RestoreMode, Restored, Role,
    TokenStanding,
};

use crate::fixture::{Fixture, LATER, NOW};
use crate::model::*;
use crate::on_both;

/// What was done, without how.
fn actions(restored: &Restored) -> Vec<(Action, String)> {
    restored
        .done
        .iter()
        .map(|done| (done.action, done.object.id()))
        .collect()
}

async fn set_state(fixture: &Fixture, name: &str, state: UserState) {
    let _ = fixture
        .write()
        .set_user_state(&user_name(name), state, None)
        .await
        .unwrap();
}

async fn state_of(fixture: &Fixture, name: &str) -> UserState {
    fixture
        .store
        .read()
        .await
        .unwrap()
        .user(&user_name(name))
        .await
        .unwrap()
        .unwrap()
        .state
}

async fn is_revoked(fixture: &Fixture, number: u8) -> bool {
    let mut reader = fixture.store.read().await.unwrap();
    let key = reader
        .key(blob(number).fingerprint())
        .await
        .unwrap()
        .unwrap();
    matches!(key.state, KeyState::Revoked { .. })
}

on_both! {
    async fn a_key_that_was_revoked_after_the_backup_is_revoked_again(fixture: Fixture) {
        let fixture = fixture.with_journal();
        fixture.add_person("alice").await;
        for number in [1, 2] {
            fixture.add_key("alice", number).await;
        }
        fixture.back_up().await;
        let _ = fixture.write().revoke_key(blob(1).fingerprint(), None).await.unwrap();
        let fixture = fixture.bring_back().await;
        assert!(!is_revoked(&fixture, 1).await, "the backup knows nothing of it");
        let restored = fixture.restore().await;
        assert_eq!(actions(&restored), [(Action::KeyRevoke, blob(1).fingerprint().to_string())]);
        assert!(is_revoked(&fixture, 1).await && !is_revoked(&fixture, 2).await);
        assert_eq!(restored.after, fixture.state().await);
        assert_eq!(fixture.state().await.epoch.get(), 2);
    }

    async fn a_revoked_key_that_the_backup_does_not_know_cant_be_added_again(fixture: Fixture) {
        let fixture = fixture.with_journal();
        fixture.add_person("alice").await;
        fixture.back_up().await;
        fixture.add_key("alice", 1).await;
        let _ = fixture.write().revoke_key(blob(1).fingerprint(), None).await.unwrap();
        fixture.add_person("mallory").await;
        set_state(&fixture, "mallory", UserState::Terminated).await;
        let fixture = fixture.bring_back().await;
        let restored = fixture.restore().await;
        assert_eq!(actions(&restored), []);
        refused(
            fixture.write().add_key(&key("alice", 1)).await,
            "conflict",
            "never comes back",
        );
        let mut reader = fixture.store.read().await.unwrap();
        let listed = reader.revoked_keys(None).await.unwrap();
        assert!(listed.contains(blob(1).fingerprint()));
        assert_eq!(reader.revoked_keys_state().await.unwrap().changed, restored.after.revision);
        drop(reader);
        refused(fixture.write().add_user(&person("mallory")).await, "conflict", "was terminated");
        fixture.add_key("alice", 2).await;
        fixture.add_person("bob").await;
    }

    async fn everything_that_was_done_is_told_in_the_audit_log(fixture: Fixture) {
        let fixture = fixture.with_journal();
        fixture.add_person("alice").await;
        for number in [1, 2] {
            fixture.add_key("alice", number).await;
        }
        fixture.back_up().await;
        for number in [1, 2] {
            let _ = fixture.write().revoke_key(blob(number).fingerprint(), None).await.unwrap();
        }
        let fixture = fixture.bring_back().await;
        fixture.restore().await;
        let events = fixture.events().await;
        let last: Vec<_> = events.iter().rev().take(3).rev().map(|event| event.action.as_str()).collect();
        assert_eq!(last, ["roster.restore", "key.revoke", "key.revoke"]);
        assert!(events.iter().rev().take(3).all(|event| event.actor == "system:restore"));
        assert!(events[events.len() - 3].detail.contains(r#""epoch":2"#));
        assert!(matches!(fixture.verdict().await, AuditVerdict::Intact(_)));
    }

    async fn the_last_word_on_a_user_counts_and_nothing_is_given(fixture: Fixture) {
        let fixture = fixture.with_journal();
        for name in ["alice", "bob", "carol", "dave"] {
            fixture.add_person(name).await;
        }
        set_state(&fixture, "dave", UserState::Suspended).await;
        fixture.back_up().await;
        set_state(&fixture, "alice", UserState::Suspended).await;
        set_state(&fixture, "bob", UserState::Suspended).await;
        set_state(&fixture, "bob", UserState::Active).await;
        set_state(&fixture, "carol", UserState::Terminated).await;
        set_state(&fixture, "dave", UserState::Active).await;
        let _ = fixture.journal().await;
        let fixture = fixture.bring_back().await;
        fixture.restore().await;
        assert_eq!(state_of(&fixture, "alice").await, UserState::Suspended);
        assert_eq!(state_of(&fixture, "bob").await, UserState::Active);
        assert_eq!(state_of(&fixture, "carol").await, UserState::Terminated);
        assert_eq!(state_of(&fixture, "dave").await, UserState::Suspended, "a replay gives nothing");
    }

    async fn grants_that_were_revoked_end_and_denials_come_back(fixture: Fixture) {
        let fixture = fixture.with_journal();
        fixture.add_person("alice").await;
        fixture.add_host_group("web").await;
        fixture.add_grant(1, for_user("alice"), on_host_group("web")).await;
        fixture.back_up().await;
        let _ = fixture.write().revoke_grant(&grant_id(1), None).await.unwrap();
        let deny = |number, subject| {
            let mut denial = grant(number, subject, on_host_group("web"));
            denial.effect = Effect::Deny;
            denial
        };
        fixture.add_group("late", &[]).await;
        for denial in [deny(2, for_user("alice")), deny(3, for_user("alice")), deny(4, for_group("late"))] {
            fixture.write().add_grant(&denial).await.unwrap();
        }
        let _ = fixture.write().revoke_grant(&grant_id(3), None).await.unwrap();
        let _ = fixture.journal().await;
        let fixture = fixture.bring_back().await;
        let restored = fixture.restore().await;
        let wanted = [(Action::GrantRevoke, grant_id(1).to_string()), (Action::GrantAdd, grant_id(2).to_string())];
        assert_eq!(actions(&restored), wanted);
        assert!(matches!(&restored.open[..], [line] if line.contains("group \"late\"")), "{:?}", restored.open);
        let mut reader = fixture.store.read().await.unwrap();
        let denial = reader.grant(&grant_id(2)).await.unwrap().unwrap();
        assert_eq!(denial, deny(2, for_user("alice")));
    }

    async fn bearer_tokens_and_hosts_that_were_ended_stay_so(fixture: Fixture) {
        let fixture = fixture.with_journal();
        fixture.add_host_group("web").await;
        fixture.add_host(1, "web").await;
        let ci = actor("ci");
        fixture.write().add_bearer_token(&ci, &token("b"), Role::Admin, LATER).await.unwrap();
        fixture.back_up().await;
        let _ = fixture.write().revoke_bearer_token(&ci).await.unwrap();
        let _ = fixture.write().remove_host(&host_id(1)).await.unwrap();
        let fixture = fixture.bring_back().await;
        fixture.restore().await;
        let mut reader = fixture.store.read().await.unwrap();
        let standing = reader.bearer_token(&ci).await.unwrap().unwrap().standing(NOW);
        assert_eq!(standing, TokenStanding::Revoked);
        assert_eq!(reader.host_named(&host_name("host-1")).await.unwrap(), None);
    }

    async fn hosts_that_were_enrolled_after_the_backup_are_in_the_roster_again(fixture: Fixture) {
        let fixture = fixture.with_journal();
        fixture.add_host_group("web").await;
        fixture.back_up().await;
        for number in [1, 2] {
            fixture.add_host(number, "web").await;
        }
        let _ = fixture.write().remove_host(&host_id(2)).await.unwrap();
        let _ = fixture.journal().await;
        let fixture = fixture.bring_back().await;
        fixture.restore().await;
        let mut reader = fixture.store.read().await.unwrap();
        let back = reader.host_named(&host_name("host-1")).await.unwrap().unwrap();
        assert_eq!((back.id, back.groups.len()), (host_id(1), 1));
        assert!(reader.host_slice(&host_id(2)).await.unwrap().is_some(), "it is known to be out");
        assert_eq!(reader.host_named(&host_name("host-2")).await.unwrap(), None);
    }

    async fn an_enrolment_token_from_before_is_good_no_more(fixture: Fixture) {
        let fixture = fixture.with_journal();
        fixture.add_host_group("web").await;
        let far = LATER.saturating_add(3600);
        fixture.write().add_enrolment_token(&token("t"), &group_name("web"), far).await.unwrap();
        fixture.back_up().await;
        let fixture = fixture.bring_back().await;
        assert_eq!(fixture.restore().await.enrolment_tokens, 1);
        let shown = fixture.write_at(LATER).enrol_host(&token("t"), &host_id(9), &host_name("host-9")).await;
        assert!(matches!(shown.unwrap(), Enrolment::Refused(_)));
    }

    async fn every_restore_raises_the_epoch_above_all_that_anybody_has_seen(fixture: Fixture) {
        let fixture = fixture.with_journal();
        fixture.back_up().await;
        let fixture = fixture.bring_back().await;
        assert_eq!(fixture.restore().await.after.epoch.get(), 2);
        let fixture = fixture.bring_back().await;
        assert_eq!(fixture.state().await.epoch.get(), 1, "the backup is older than the first restore");
        assert_eq!(fixture.restore().await.after.epoch.get(), 2, "nobody told the journal");
        let _ = fixture.journal().await;
        let fixture = fixture.bring_back().await;
        assert_eq!(fixture.restore().await.after.epoch.get(), 3);
    }

    async fn a_dry_run_tells_and_changes_nothing(fixture: Fixture) {
        let fixture = fixture.with_journal();
        fixture.add_person("alice").await;
        fixture.add_key("alice", 1).await;
        fixture.back_up().await;
        let _ = fixture.write().revoke_key(blob(1).fingerprint(), None).await.unwrap();
        let fixture = fixture.bring_back().await;
        let before = fixture.state().await;
        let record = fixture.journal().await;
        let restored = fixture.write().restore(vec![record], RestoreMode::DryRun).await.unwrap();
        assert_eq!((restored.before, restored.done.len()), (before, 1));
        assert_eq!(fixture.state().await, before);
        assert!(!is_revoked(&fixture, 1).await);
    }

    async fn a_restore_done_twice_is_as_one_done_once(fixture: Fixture) {
        let fixture = fixture.with_journal();
        fixture.add_person("alice").await;
        fixture.add_key("alice", 1).await;
        fixture.back_up().await;
        let _ = fixture.write().revoke_key(blob(1).fingerprint(), None).await.unwrap();
        let fixture = fixture.bring_back().await;
        assert_eq!(fixture.restore().await.done.len(), 1);
        assert_eq!(fixture.restore().await.done, []);
        assert!(is_revoked(&fixture, 1).await);
    }

    async fn what_any_of_several_journals_knows_is_ended(fixture: Fixture) {
        fixture.add_person("alice").await;
        for number in [1, 2] {
            fixture.add_key("alice", number).await;
        }
        fixture.back_up().await;
        let fixture = fixture.with_journal();
        let other_journal = fixture.journal_path().with_extension("other");
        let journal = keyroster_store::Journal::at(&other_journal);
        let other = fixture.another_store().await.with_journal(journal);
        let _ = fixture.write().revoke_key(blob(1).fingerprint(), None).await.unwrap();
        let _ = other.write(&actor("admin"), NOW).revoke_key(blob(2).fingerprint(), None).await.unwrap();
        other.close().await;
        let records = [fixture.journal_path(), other_journal];
        let records = records.map(|path| JournalRecord::read(&path, Damage::Refuse).unwrap());
        let fixture = fixture.bring_back().await;
        fixture.restore_from(records.to_vec()).await;
        assert!(is_revoked(&fixture, 1).await && is_revoked(&fixture, 2).await);
    }

    async fn all_hosts_are_concerned(fixture: Fixture) {
        let fixture = fixture.with_journal();
        fixture.add_host_group("web").await;
        fixture.add_host(1, "web").await;
        let before = fixture.state().await;
        fixture.restore().await;
        let changed = fixture.changed_hosts(before.revision).await;
        assert_eq!(changed, [(host_id(1), fixture.state().await.revision)]);
    }
}
