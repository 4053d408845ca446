//! Grants.

use keyroster_keys::AccountName;
use keyroster_roster::{Effect, FromList, Grant, GrantId, GrantOptions, GrantState, UserState};
use keyroster_store::{Action, GrantFilter, Limit, Outcome};

use crate::fixture::{BEFORE, Fixture, LATER, NOW};
use crate::model::*;
use crate::on_both;

/// Says all that a grant can say.
fn full_grant(number: u64) -> Grant {
    let options = [
        "port-forwarding",
        "permitopen=db:5432",
        r#"environment=NAME="a, b" \ é"#,
        "tunnel=3",
        "verify-required",
    ];
    Grant {
        options: GrantOptions::parse(options, Some(r#"sh -c "echo 'x' # y""#)).unwrap(),
        from: Some(FromList::parse(["10.0.0.0/8", "2001:db8::/32"]).unwrap()),
        not_before: Some(BEFORE),
        until: Some(LATER),
        reason: Some(reason("ticket 7: \"déploiement\"")),
        ..grant(number, for_group("ops"), on_host(1))
    }
}

async fn ids(fixture: &Fixture, filter: GrantFilter) -> Vec<GrantId> {
    let page = fixture
        .store
        .read()
        .await
        .unwrap()
        .grants(&filter, None, Limit::MAX)
        .await
        .unwrap();
    page.items.into_iter().map(|grant| grant.id).collect()
}

async fn with_both_ends(fixture: &Fixture) {
    fixture.add_person("alice").await;
    fixture.add_group("ops", &["alice"]).await;
    fixture.add_host_group("web").await;
    fixture.add_host(1, "web").await;
}

on_both! {
    async fn a_grant_comes_back_as_it_was_added(fixture: Fixture) {
        with_both_ends(&fixture).await;
        let denial = Grant { effect: Effect::Deny, ..grant(2, for_user("alice"), on_host_group("web")) };
        for grant in [full_grant(1), denial] {
            fixture.write().add_grant(&grant).await.unwrap();
            assert_eq!(fixture.last_event().await.0, Action::GrantAdd);
            let read = fixture.store.read().await.unwrap().grant(&grant.id).await.unwrap();
            assert_eq!(read, Some(grant));
        }
        assert_eq!(fixture.store.read().await.unwrap().grant(&grant_id(3)).await.unwrap(), None);
    }

    async fn the_audit_event_tells_the_whole_grant(fixture: Fixture) {
        with_both_ends(&fixture).await;
        fixture.write().add_grant(&full_grant(1)).await.unwrap();
        let (_, object, detail) = fixture.last_event().await;
        assert_eq!(object, grant_id(1).to_string());
        for part in ["\"account\":\"deploy\"", "\"from\":\"10.0.0.0/8,2001:db8::/32\"", "permitopen=db:5432", "ticket 7"] {
            assert!(detail.contains(part), "{detail}");
        }
    }

    async fn a_grant_needs_both_its_ends_and_an_id_of_its_own(fixture: Fixture) {
        with_both_ends(&fixture).await;
        fixture.add_grant(1, for_user("alice"), on_host(1)).await;
        let again = fixture.write().add_grant(&grant(1, for_user("alice"), on_host(1))).await;
        refused(again, "already exists", "grant \"0193");
        for (subject, target, missing) in [
            (for_user("bob"), on_host(1), "user \"bob\""),
            (for_group("dev"), on_host(1), "group \"dev\""),
            (for_user("alice"), on_host(2), "host \"0193"),
            (for_user("alice"), on_host_group("db"), "host group \"db\""),
        ] {
            refused(fixture.write().add_grant(&grant(2, subject, target)).await, "not found", missing);
        }
    }

    async fn nothing_is_granted_to_the_terminated_or_on_what_is_removed(fixture: Fixture) {
        with_both_ends(&fixture).await;
        let _ = fixture.write().remove_host(&host_id(1)).await.unwrap();
        let on_removed = fixture.write().add_grant(&grant(1, for_group("ops"), on_host(1))).await;
        refused(on_removed, "conflict", "host is removed");
        let _ = fixture.write().set_user_state(&user_name("alice"), UserState::Terminated, None).await.unwrap();
        let to_terminated = fixture.write().add_grant(&grant(1, for_user("alice"), on_host_group("web"))).await;
        refused(to_terminated, "conflict", "user is terminated");
    }

    async fn a_grant_is_revoked_once_and_for_good(fixture: Fixture) {
        with_both_ends(&fixture).await;
        fixture.add_grant(1, for_user("alice"), on_host(1)).await;
        let written = fixture.write().revoke_grant(&grant_id(1), Some(&reason("done"))).await.unwrap();
        assert_eq!(written, Outcome::Written(fixture.state().await));
        let event = (Action::GrantRevoke, grant_id(1).to_string(), r#"{"effect":"allow","reason":"done"}"#.to_owned());
        assert_eq!(fixture.last_event().await, event);
        let again = fixture.write_at(LATER).revoke_grant(&grant_id(1), None).await.unwrap();
        assert_eq!(again, Outcome::Unchanged(written.state()));
        let read = fixture.store.read().await.unwrap().grant(&grant_id(1)).await.unwrap().unwrap();
        assert_eq!(read.state, GrantState::Revoked { at: NOW });
        refused(fixture.write().revoke_grant(&grant_id(2), None).await, "not found", "grant \"0193");
    }

    async fn a_list_shows_the_grants_that_are_asked_for(fixture: Fixture) {
        with_both_ends(&fixture).await;
        fixture.add_grant(1, for_user("alice"), on_host(1)).await;
        fixture.add_grant(2, for_group("ops"), on_host(1)).await;
        fixture.add_grant(3, for_user("alice"), on_host_group("web")).await;
        let root = Grant { account: AccountName::root(), ..grant(4, for_group("ops"), on_host_group("web")) };
        fixture.write().add_grant(&root).await.unwrap();
        let _ = fixture.write().revoke_grant(&grant_id(3), None).await.unwrap();
        let of = |numbers: &[u64]| numbers.iter().map(|number| grant_id(*number)).collect::<Vec<_>>();
        let any = GrantFilter::default;
        assert_eq!(ids(&fixture, any()).await, of(&[1, 2, 3, 4]));
        assert_eq!(ids(&fixture, GrantFilter { user: Some(user_name("alice")), ..any() }).await, of(&[1, 3]));
        assert_eq!(ids(&fixture, GrantFilter { group: Some(group_name("ops")), ..any() }).await, of(&[2, 4]));
        assert_eq!(ids(&fixture, GrantFilter { account: Some(AccountName::root()), ..any() }).await, of(&[4]));
        assert_eq!(ids(&fixture, GrantFilter { host: Some(host_id(1)), ..any() }).await, of(&[1, 2]));
        assert_eq!(ids(&fixture, GrantFilter { host_group: Some(group_name("web")), ..any() }).await, of(&[3, 4]));
        assert_eq!(ids(&fixture, GrantFilter { active_only: true, ..any() }).await, of(&[1, 2, 4]));
        let both = GrantFilter { user: Some(user_name("alice")), host: Some(host_id(1)), ..any() };
        assert_eq!(ids(&fixture, both).await, of(&[1]));
    }
}
