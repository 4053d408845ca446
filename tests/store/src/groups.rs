//! Groups of users.

use keyroster_keys::UserName;
use keyroster_roster::{Effect, UserState};
use keyroster_store::{Action, GrantFilter, Limit, Outcome};

use crate::fixture::Fixture;
use crate::model::*;
use crate::on_both;

async fn members(fixture: &Fixture, name: &str) -> Option<Vec<UserName>> {
    let group = fixture
        .store
        .read()
        .await
        .unwrap()
        .group(&group_name(name))
        .await
        .unwrap();
    group.map(|group| group.members.into_iter().collect())
}

on_both! {
    async fn a_group_is_added_once(fixture: Fixture) {
        fixture.add_group("ops", &[]).await;
        assert_eq!(members(&fixture, "ops").await, Some(vec![]));
        assert_eq!(members(&fixture, "dev").await, None);
        refused(fixture.write().add_group(&group_name("ops")).await, "already exists", "group \"ops\"");
    }

    async fn a_member_is_added_and_removed_and_a_second_time_writes_nothing(fixture: Fixture) {
        fixture.add_person("alice").await;
        fixture.add_group("ops", &[]).await;
        let (ops, alice) = (group_name("ops"), user_name("alice"));
        let added = fixture.write().add_group_member(&ops, &alice).await.unwrap();
        assert_eq!(members(&fixture, "ops").await, Some(vec![alice.clone()]));
        let event = (Action::GroupAddMember, "ops".to_owned(), r#"{"user":"alice"}"#.to_owned());
        assert_eq!(fixture.last_event().await, event);
        let again = fixture.write().add_group_member(&ops, &alice).await.unwrap();
        assert_eq!(again, Outcome::Unchanged(added.state()));
        let removed = fixture.write().remove_group_member(&ops, &alice).await.unwrap();
        assert_eq!(members(&fixture, "ops").await, Some(vec![]));
        let again = fixture.write().remove_group_member(&ops, &alice).await.unwrap();
        assert_eq!(again, Outcome::Unchanged(removed.state()));
    }

    async fn a_membership_needs_both_its_ends(fixture: Fixture) {
        fixture.add_person("alice").await;
        fixture.add_group("ops", &[]).await;
        let (ops, dev, alice, bob) = (group_name("ops"), group_name("dev"), user_name("alice"), user_name("bob"));
        refused(fixture.write().add_group_member(&dev, &alice).await, "not found", "group \"dev\"");
        refused(fixture.write().add_group_member(&ops, &bob).await, "not found", "user \"bob\"");
        refused(fixture.write().remove_group_member(&dev, &alice).await, "not found", "group \"dev\"");
        refused(fixture.write().remove_group_member(&ops, &bob).await, "not found", "user \"bob\"");
        let _ = fixture.write().set_user_state(&alice, UserState::Terminated, None).await.unwrap();
        refused(fixture.write().add_group_member(&ops, &alice).await, "conflict", "user \"alice\"");
    }

    async fn a_deleted_group_takes_its_memberships_and_grants_with_it_and_nothing_else(fixture: Fixture) {
        fixture.add_person("alice").await;
        fixture.add_group("ops", &["alice"]).await;
        fixture.add_group("dev", &["alice"]).await;
        fixture.add_host_group("web").await;
        fixture.add_grant(1, for_group("ops"), on_host_group("web")).await;
        fixture.add_grant(2, for_group("dev"), on_host_group("web")).await;
        fixture.add_grant(3, for_user("alice"), on_host_group("web")).await;
        fixture.write().delete_group(&group_name("ops")).await.unwrap();
        let detail = format!(r#"{{"grants":["{}"]}}"#, grant_id(1));
        assert_eq!(fixture.last_event().await, (Action::GroupDelete, "ops".to_owned(), detail));
        assert_eq!(members(&fixture, "ops").await, None);
        assert_eq!(members(&fixture, "dev").await, Some(vec![user_name("alice")]));
        let mut reader = fixture.store.read().await.unwrap();
        let grants = reader.grants(&GrantFilter::default(), None, Limit::MAX).await.unwrap().items;
        assert_eq!(grants.iter().map(|grant| grant.id.clone()).collect::<Vec<_>>(), [grant_id(2), grant_id(3)]);
        drop(reader);
        fixture.add_group("ops", &[]).await;
        assert_eq!(members(&fixture, "ops").await, Some(vec![]), "a group of the same name inherits nothing");
    }

    async fn a_group_is_not_deleted_while_a_denial_rests_on_it(fixture: Fixture) {
        fixture.add_group("contractors", &[]).await;
        fixture.add_host_group("web").await;
        let mut denial = grant(1, for_group("contractors"), on_host_group("web"));
        denial.effect = Effect::Deny;
        fixture.write().add_grant(&denial).await.unwrap();
        let contractors = group_name("contractors");
        refused(fixture.write().delete_group(&contractors).await, "conflict", "group \"contractors\"");
        assert_eq!(members(&fixture, "contractors").await, Some(vec![]));
        let _ = fixture.write().revoke_grant(&denial.id, None).await.unwrap();
        fixture.write().delete_group(&contractors).await.unwrap();
        assert_eq!(fixture.store.read().await.unwrap().grant(&denial.id).await.unwrap(), None);
    }

    async fn a_group_that_is_not_there_can_not_be_deleted(fixture: Fixture) {
        refused(fixture.write().delete_group(&group_name("ops")).await, "not found", "group \"ops\"");
    }
}
