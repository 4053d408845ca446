//! What every write has in common: a revision, an event, or nothing at all.

#![expect(
    clippy::too_many_lines,
    reason = "a write of every kind, one after the other"
)]

use keyroster_roster::{AuditHead, Grant, Host, Key, User, UserState};
use keyroster_store::{GrantFilter, HostGroupWithHosts, Limit, Role};

use crate::fixture::{Fixture, LATER};
use crate::model::*;
use crate::on_both;

on_both! {
    async fn a_write_raises_the_revision_by_one_and_writes_one_event(fixture: Fixture) {
        let mut revision = 0;
        let mut expect_one = async |what: &str| {
            revision += 1;
            let state = fixture.state().await;
            let events = fixture.events().await;
            assert_eq!((state.revision.get(), events.len()), (revision, usize::try_from(revision).unwrap()), "{what}");
            let last = events.last().unwrap();
            assert_eq!(state.head, AuditHead { sequence: last.sequence, hash: last.hash }, "{what}");
            assert_eq!((last.revision, last.action.as_str()), (state.revision, what));
        };
        let (alice, ops, web) = (user_name("alice"), group_name("ops"), group_name("web"));
        fixture.add_person("alice").await;
        expect_one("user.add").await;
        let _ = fixture.write().set_user_state(&alice, UserState::Suspended, None).await.unwrap();
        expect_one("user.set-state").await;
        fixture.add_key("alice", 1).await;
        expect_one("key.add").await;
        let _ = fixture.write().revoke_key(blob(1).fingerprint(), None).await.unwrap();
        expect_one("key.revoke").await;
        fixture.add_group("ops", &[]).await;
        expect_one("group.add").await;
        let _ = fixture.write().add_group_member(&ops, &alice).await.unwrap();
        expect_one("group.add-member").await;
        let _ = fixture.write().remove_group_member(&ops, &alice).await.unwrap();
        expect_one("group.remove-member").await;
        fixture.add_host_group("web").await;
        expect_one("host-group.add").await;
        fixture.write().add_enrolment_token(&token("t"), &web, LATER).await.unwrap();
        expect_one("enrolment-token.add").await;
        let _ = fixture.write().enrol_host(&token("t"), &host_id(1), &host_name("host-1")).await.unwrap();
        expect_one("host.enrol").await;
        let _ = fixture.write().enrol_host(&token("t"), &host_id(2), &host_name("host-2")).await.unwrap();
        expect_one("enrolment-token.refuse").await;
        let _ = fixture.write().remove_host_from_group(&web, &host_id(1)).await.unwrap();
        expect_one("host-group.remove-host").await;
        let _ = fixture.write().add_host_to_group(&web, &host_id(1)).await.unwrap();
        expect_one("host-group.add-host").await;
        let _ = fixture.write().renew_certificate(&host_id(1), 1).await.unwrap();
        expect_one("host.renew-certificate").await;
        let _ = fixture.write().show_certificate(&host_id(1), 2).await.unwrap();
        expect_one("host.rotate-certificate").await;
        fixture.add_grant(1, for_user("alice"), on_host(1)).await;
        expect_one("grant.add").await;
        let _ = fixture.write().revoke_grant(&grant_id(1), None).await.unwrap();
        expect_one("grant.revoke").await;
        fixture.write().add_bearer_token(&actor("ci"), &token("b"), Role::Admin, LATER).await.unwrap();
        expect_one("token.add").await;
        let _ = fixture.write().revoke_bearer_token(&actor("ci")).await.unwrap();
        expect_one("token.revoke").await;
        fixture.write().delete_group(&ops).await.unwrap();
        expect_one("group.delete").await;
        fixture.write().delete_host_group(&web).await.unwrap();
        expect_one("host-group.delete").await;
        let _ = fixture.write().show_certificate(&host_id(1), 7).await.unwrap();
        expect_one("host.lock").await;
        fixture.add_host_group("db").await;
        expect_one("host-group.add").await;
        fixture.write().add_enrolment_token(&token("u"), &group_name("db"), LATER).await.unwrap();
        expect_one("enrolment-token.add").await;
        let _ = fixture.write().enrol_host(&token("u"), &host_id(3), &host_name("host-3")).await.unwrap();
        expect_one("host.enrol").await;
        let _ = fixture.write().remove_host(&host_id(3)).await.unwrap();
        expect_one("host.remove").await;
    }

    async fn a_refused_write_leaves_nothing_behind(fixture: Fixture) {
        fixture.add_person("alice").await;
        fixture.add_group("ops", &["alice"]).await;
        fixture.add_host_group("web").await;
        fixture.add_host(1, "web").await;
        let before = everything(&fixture).await;
        let write = fixture.write();
        assert!(write.add_user(&person("alice")).await.is_err());
        assert!(write.add_user(&service("robot", "nobody")).await.is_err());
        assert!(write.set_user_state(&user_name("nobody"), UserState::Suspended, None).await.is_err());
        assert!(write.add_key(&key("nobody", 1)).await.is_err());
        assert!(write.revoke_key(blob(1).fingerprint(), None).await.is_err());
        assert!(write.add_group(&group_name("ops")).await.is_err());
        assert!(write.add_group_member(&group_name("ops"), &user_name("nobody")).await.is_err());
        assert!(write.delete_group(&group_name("dev")).await.is_err());
        assert!(write.add_host_group(&host_group("web")).await.is_err());
        assert!(write.add_host_to_group(&group_name("web"), &host_id(2)).await.is_err());
        assert!(write.delete_host_group(&group_name("db")).await.is_err());
        assert!(write.remove_host(&host_id(2)).await.is_err());
        assert!(write.add_grant(&grant(1, for_user("nobody"), on_host(1))).await.is_err());
        assert!(write.revoke_grant(&grant_id(1), None).await.is_err());
        assert!(write.add_enrolment_token(&token("t"), &group_name("db"), LATER).await.is_err());
        assert!(write.revoke_bearer_token(&actor("ci")).await.is_err());
        assert_eq!(everything(&fixture).await, before);
        fixture.add_person("bob").await;
        assert_eq!(fixture.state().await.revision.get(), before.revision + 1);
    }

    async fn a_write_that_is_dropped_in_the_middle_leaves_nothing_behind_and_nothing_locked(fixture: Fixture) {
        for steps in 1..40 {
            let store = fixture.store.clone();
            let name = format!("dropped-{steps}");
            let task = tokio::spawn(async move { store.write(&actor("admin"), LATER).add_user(&person(&name)).await });
            for _ in 0..steps {
                tokio::task::yield_now().await;
            }
            task.abort();
            let _ = task.await;
        }
        fixture.add_person("alice").await;
        let users = fixture.store.read().await.unwrap().users(None, Limit::MAX).await.unwrap().items;
        let state = fixture.state().await;
        assert_eq!(users.len(), usize::try_from(state.revision.get()).unwrap(), "as many users as revisions");
        assert!(matches!(fixture.verdict().await, keyroster_store::AuditVerdict::Intact(head) if head == state.head));
    }
}

#[derive(Debug, PartialEq)]
struct Everything {
    revision: u64,
    head: AuditHead,
    users: Vec<User>,
    keys: Vec<Key>,
    groups: Vec<keyroster_roster::Group>,
    hosts: Vec<Host>,
    host_groups: Vec<HostGroupWithHosts>,
    grants: Vec<Grant>,
}

async fn everything(fixture: &Fixture) -> Everything {
    let mut reader = fixture.store.read().await.unwrap();
    let state = reader.state().await.unwrap();
    Everything {
        revision: state.revision.get(),
        head: state.head,
        users: reader.users(None, Limit::MAX).await.unwrap().items,
        keys: reader.keys(None, None, Limit::MAX).await.unwrap().items,
        groups: reader.groups(None, Limit::MAX).await.unwrap().items,
        hosts: reader.hosts(None, Limit::MAX).await.unwrap().items,
        host_groups: reader.host_groups(None, Limit::MAX).await.unwrap().items,
        grants: reader
            .grants(&GrantFilter::default(), None, Limit::MAX)
            .await
            .unwrap()
            .items,
    }
}
