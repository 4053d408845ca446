//! Host groups.

use keyroster_roster::{
    Effect, Freshness, FreshnessChange, FreshnessMode, HostGroup, HostGroupChange,
};
use keyroster_store::{Action, Enrolment, Outcome, TokenRefusal};

use crate::fixture::{Fixture, LATER};
use crate::model::*;
use crate::on_both;

async fn host_names(fixture: &Fixture, name: &str) -> Option<Vec<String>> {
    let group = fixture
        .store
        .read()
        .await
        .unwrap()
        .host_group(&group_name(name))
        .await
        .unwrap();
    group.map(|group| group.hosts.iter().map(ToString::to_string).collect())
}

on_both! {
    async fn a_host_group_comes_back_with_its_bounds_and_what_becomes_of_sessions(fixture: Fixture) {
        let freshness = Freshness::new(5, 0, FreshnessMode::Strict).unwrap();
        let strict = HostGroup { name: group_name("vault"), freshness, end_sessions: true };
        fixture.write().add_host_group(&strict).await.unwrap();
        let read = fixture.store.read().await.unwrap().host_group(&strict.name).await.unwrap().unwrap();
        assert_eq!((read.group, read.hosts.len()), (strict, 0));
        refused(fixture.write().add_host_group(&host_group("vault")).await, "already exists", "host group \"vault\"");
    }

    async fn the_bounds_of_a_host_group_are_changed_part_by_part_and_the_event_tells_both(fixture: Fixture) {
        fixture.add_host_group("web").await;
        let web = group_name("web");
        let set = async |max_staleness_s, grace_s, mode| {
            let change = FreshnessChange::new(max_staleness_s, grace_s, mode).unwrap();
            fixture.write().set_host_group(&web, change).await.unwrap()
        };
        let changed = set(None, Some(600), None).await;
        assert!(matches!(changed, Outcome::Written(_)));
        let detail = r#"{"after":{"end_sessions":false,"grace_s":600,"max_staleness_s":30,"mode":"grace"},"before":{"end_sessions":false,"grace_s":3600,"max_staleness_s":30,"mode":"grace"}}"#;
        assert_eq!(fixture.last_event().await, (Action::HostGroupSet, "web".to_owned(), detail.to_owned()));
        assert_eq!(set(Some(30), Some(600), Some(FreshnessMode::Grace)).await, Outcome::Unchanged(changed.state()));
        let _ = set(Some(5), None, Some(FreshnessMode::Strict)).await;
        let read = fixture.store.read().await.unwrap().host_group(&web).await.unwrap().unwrap();
        assert_eq!(read.group.freshness, Freshness::new(5, 600, FreshnessMode::Strict).unwrap());
        let ending = HostGroupChange { end_sessions: Some(true), ..HostGroupChange::default() };
        let _ = fixture.write().set_host_group(&web, ending).await.unwrap();
        let after = fixture.store.read().await.unwrap().host_group(&web).await.unwrap().unwrap();
        assert_eq!(after.group, HostGroup { end_sessions: true, ..read.group });
        let nowhere = fixture.write().set_host_group(&group_name("db"), FreshnessChange::default()).await;
        refused(nowhere, "not found", "host group \"db\"");
    }

    async fn a_host_is_put_in_and_taken_out_and_a_second_time_writes_nothing(fixture: Fixture) {
        fixture.add_host_group("web").await;
        fixture.add_host_group("eu").await;
        fixture.add_host(1, "web").await;
        let (eu, host) = (group_name("eu"), host_id(1));
        let added = fixture.write().add_host_to_group(&eu, &host).await.unwrap();
        assert_eq!(host_names(&fixture, "eu").await, Some(vec!["host-1".to_owned()]));
        assert_eq!(fixture.last_event().await.0, Action::HostGroupAddHost);
        let again = fixture.write().add_host_to_group(&eu, &host).await.unwrap();
        assert_eq!(again, Outcome::Unchanged(added.state()));
        let read = fixture.store.read().await.unwrap().host(&host).await.unwrap().unwrap();
        assert_eq!(read.groups.into_iter().collect::<Vec<_>>(), [eu.clone(), group_name("web")]);
        let removed = fixture.write().remove_host_from_group(&eu, &host).await.unwrap();
        assert_eq!(host_names(&fixture, "eu").await, Some(vec![]));
        assert_eq!(fixture.last_event().await.0, Action::HostGroupRemoveHost);
        let again = fixture.write().remove_host_from_group(&eu, &host).await.unwrap();
        assert_eq!(again, Outcome::Unchanged(removed.state()));
    }

    async fn a_host_in_a_host_group_needs_both_to_be_there(fixture: Fixture) {
        fixture.add_host_group("web").await;
        fixture.add_host(1, "web").await;
        let (web, db) = (group_name("web"), group_name("db"));
        refused(fixture.write().add_host_to_group(&db, &host_id(1)).await, "not found", "host group \"db\"");
        refused(fixture.write().add_host_to_group(&web, &host_id(2)).await, "not found", "host \"0193");
        refused(fixture.write().remove_host_from_group(&db, &host_id(1)).await, "not found", "host group \"db\"");
        refused(fixture.write().remove_host_from_group(&web, &host_id(2)).await, "not found", "host \"0193");
        let _ = fixture.write().remove_host(&host_id(1)).await.unwrap();
        refused(fixture.write().add_host_to_group(&web, &host_id(1)).await, "conflict", "host is removed");
        assert_eq!(host_names(&fixture, "web").await, Some(vec![]), "a removed host is not shown");
    }

    async fn a_deleted_host_group_takes_memberships_grants_and_tokens_with_it_and_nothing_else(fixture: Fixture) {
        fixture.add_person("alice").await;
        fixture.add_host_group("web").await;
        fixture.add_host_group("eu").await;
        fixture.add_host(1, "web").await;
        let _ = fixture.write().add_host_to_group(&group_name("eu"), &host_id(1)).await.unwrap();
        fixture.add_grant(1, for_user("alice"), on_host_group("web")).await;
        fixture.add_grant(2, for_user("alice"), on_host_group("eu")).await;
        fixture.add_grant(3, for_user("alice"), on_host(1)).await;
        fixture.write().add_enrolment_token(&token("unused"), &group_name("web"), LATER).await.unwrap();
        fixture.write().delete_host_group(&group_name("web")).await.unwrap();
        let detail = format!(r#"{{"grants":["{}"]}}"#, grant_id(1));
        assert_eq!(fixture.last_event().await, (Action::HostGroupDelete, "web".to_owned(), detail));
        let mut reader = fixture.store.read().await.unwrap();
        let host = reader.host(&host_id(1)).await.unwrap().unwrap();
        assert_eq!(host.groups.into_iter().collect::<Vec<_>>(), [group_name("eu")]);
        assert_eq!(reader.grant(&grant_id(1)).await.unwrap(), None);
        assert!(reader.grant(&grant_id(2)).await.unwrap().is_some());
        assert!(reader.grant(&grant_id(3)).await.unwrap().is_some());
        drop(reader);
        let shown = fixture.write().enrol_host(&token("unused"), &host_id(2), &host_name("host-2")).await.unwrap();
        assert_eq!(shown, Enrolment::Refused(TokenRefusal::Unknown));
    }

    async fn a_host_group_is_not_deleted_while_a_denial_rests_on_it(fixture: Fixture) {
        fixture.add_person("alice").await;
        fixture.add_host_group("web").await;
        let mut denial = grant(1, for_user("alice"), on_host_group("web"));
        denial.effect = Effect::Deny;
        fixture.write().add_grant(&denial).await.unwrap();
        refused(fixture.write().delete_host_group(&group_name("web")).await, "conflict", "host group \"web\"");
        let _ = fixture.write().revoke_grant(&denial.id, None).await.unwrap();
        fixture.write().delete_host_group(&group_name("web")).await.unwrap();
        assert_eq!(host_names(&fixture, "web").await, None);
    }

    async fn a_host_group_that_is_not_there_can_not_be_deleted(fixture: Fixture) {
        refused(fixture.write().delete_host_group(&group_name("web")).await, "not found", "host group \"web\"");
    }
}
