//! A restore, and who is in which group: neither to be in one nor to be out of it is always what keeps people out.

use keyroster_keys::UserName;
use keyroster_roster::{Effect, Subject, Target};

use crate::fixture::Fixture;
use crate::model::*;
use crate::on_both;

async fn members(fixture: &Fixture, group: &str) -> Vec<String> {
    let mut reader = fixture.store.read().await.unwrap();
    let group = reader.group(&group_name(group)).await.unwrap().unwrap();
    group.members.iter().map(UserName::to_string).collect()
}

async fn hosts(fixture: &Fixture, group: &str) -> usize {
    let mut reader = fixture.store.read().await.unwrap();
    reader
        .host_group(&group_name(group))
        .await
        .unwrap()
        .unwrap()
        .hosts
        .len()
}

async fn deny(fixture: &Fixture, number: u64, subject: Subject, target: Target) {
    let mut denial = grant(number, subject, target);
    denial.effect = Effect::Deny;
    fixture.write().add_grant(&denial).await.unwrap();
}

async fn put_in(fixture: &Fixture, group: &str, user: &str) {
    let _ = fixture
        .write()
        .add_group_member(&group_name(group), &user_name(user))
        .await
        .unwrap();
}

async fn take_out(fixture: &Fixture, group: &str, user: &str) {
    let _ = fixture
        .write()
        .remove_group_member(&group_name(group), &user_name(user))
        .await
        .unwrap();
}

on_both! {
    async fn whoever_left_a_group_that_lets_in_is_out_of_it(fixture: Fixture) {
        let fixture = fixture.with_journal();
        fixture.add_person("alice").await;
        fixture.add_person("bob").await;
        fixture.add_group("ops", &["alice", "bob"]).await;
        fixture.back_up().await;
        take_out(&fixture, "ops", "alice").await;
        take_out(&fixture, "ops", "bob").await;
        put_in(&fixture, "ops", "bob").await;
        let _ = fixture.journal().await;
        let fixture = fixture.bring_back().await;
        fixture.restore().await;
        assert_eq!(members(&fixture, "ops").await, ["bob"]);
    }

    async fn whoever_was_put_into_a_group_that_is_denied_is_in_it_again(fixture: Fixture) {
        let fixture = fixture.with_journal();
        for name in ["alice", "bob"] {
            fixture.add_person(name).await;
        }
        fixture.add_host_group("web").await;
        fixture.add_group("banned", &["bob"]).await;
        fixture.add_group("ops", &[]).await;
        deny(&fixture, 1, for_group("banned"), on_host_group("web")).await;
        fixture.back_up().await;
        put_in(&fixture, "banned", "alice").await;
        put_in(&fixture, "ops", "alice").await;
        take_out(&fixture, "banned", "bob").await;
        let fixture = fixture.bring_back().await;
        fixture.restore().await;
        assert_eq!(members(&fixture, "banned").await, ["alice", "bob"], "a replay lifts no denial");
        assert_eq!(members(&fixture, "ops").await, Vec::<String>::new(), "a replay gives nothing");
    }

    async fn a_group_that_was_deleted_lets_nobody_in(fixture: Fixture) {
        let fixture = fixture.with_journal();
        fixture.add_person("alice").await;
        fixture.add_host_group("web").await;
        fixture.add_group("ops", &["alice"]).await;
        fixture.add_grant(1, for_group("ops"), on_host_group("web")).await;
        fixture.back_up().await;
        fixture.write().delete_group(&group_name("ops")).await.unwrap();
        let fixture = fixture.bring_back().await;
        let restored = fixture.restore().await;
        assert_eq!(restored.done.len(), 2);
        assert_eq!(members(&fixture, "ops").await, Vec::<String>::new());
    }

    async fn a_host_that_left_a_host_group_is_out_of_it(fixture: Fixture) {
        let fixture = fixture.with_journal();
        fixture.add_person("alice").await;
        for name in ["web", "locked"] {
            fixture.add_host_group(name).await;
        }
        fixture.add_host(1, "web").await;
        fixture.add_host(2, "web").await;
        deny(&fixture, 1, for_user("alice"), on_host_group("locked")).await;
        fixture.back_up().await;
        let _ = fixture.write().remove_host_from_group(&group_name("web"), &host_id(1)).await.unwrap();
        let _ = fixture.write().add_host_to_group(&group_name("locked"), &host_id(2)).await.unwrap();
        let fixture = fixture.bring_back().await;
        fixture.restore().await;
        assert_eq!((hosts(&fixture, "web").await, hosts(&fixture, "locked").await), (1, 1));
    }

    async fn a_host_group_that_was_deleted_lets_nobody_in(fixture: Fixture) {
        let fixture = fixture.with_journal();
        fixture.add_person("alice").await;
        fixture.add_host_group("web").await;
        fixture.add_host(1, "web").await;
        fixture.add_grant(1, for_user("alice"), on_host_group("web")).await;
        fixture.back_up().await;
        fixture.write().delete_host_group(&group_name("web")).await.unwrap();
        let fixture = fixture.bring_back().await;
        let restored = fixture.restore().await;
        assert_eq!(restored.done.len(), 2);
        assert_eq!(hosts(&fixture, "web").await, 0);
    }
}
