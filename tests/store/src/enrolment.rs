//! Enrolment: one token, one host.

use keyroster_store::{Action, Enrolment, Limit, Showing, TokenRefusal};
use tokio::task::JoinSet;

use crate::fixture::{Fixture, LATER, NOW};
use crate::model::*;
use crate::on_both;

async fn with_token(fixture: &Fixture, secret: &str) {
    if fixture
        .store
        .read()
        .await
        .unwrap()
        .host_group(&group_name("web"))
        .await
        .unwrap()
        .is_none()
    {
        fixture.add_host_group("web").await;
    }
    fixture
        .write()
        .add_enrolment_token(&token(secret), &group_name("web"), LATER)
        .await
        .unwrap();
}

on_both! {
    async fn a_token_enrols_a_host_into_its_host_group(fixture: Fixture) {
        with_token(&fixture, "t").await;
        let enrolled = fixture.write().enrol_host(&token("t"), &host_id(1), &host_name("host-1")).await.unwrap();
        let state = fixture.state().await;
        assert_eq!(enrolled, Enrolment::Enrolled { host_group: group_name("web"), state });
        let (action, object, detail) = fixture.last_event().await;
        assert_eq!((action, object), (Action::HostEnrol, host_id(1).to_string()));
        assert!(detail.contains(r#""name":"host-1""#), "{detail}");
        assert_eq!(fixture.write().show_certificate(&host_id(1), 1).await.unwrap(), Showing::Good);
        let tokens = fixture.store.read().await.unwrap().enrolment_tokens(None, Limit::MAX).await.unwrap().items;
        assert_eq!(tokens[0].used, Some((host_id(1), NOW)));
        assert_eq!(tokens[0].id, token("t"));
    }

    async fn of_many_hosts_that_show_one_token_at_once_exactly_one_is_enrolled(fixture: Fixture) {
        with_token(&fixture, "t").await;
        let mut tasks = JoinSet::new();
        for number in 0..16 {
            let store = if number % 4 == 0 { fixture.another_store().await } else { fixture.store.clone() };
            tasks.spawn(async move {
                let name = host_name(&format!("host-{number}"));
                store.write(&actor("enrolment"), NOW).enrol_host(&token("t"), &host_id(number), &name).await.unwrap()
            });
        }
        let outcomes = tasks.join_all().await;
        let enrolled = outcomes.iter().filter(|outcome| matches!(outcome, Enrolment::Enrolled { .. })).count();
        let refused = outcomes.iter().filter(|outcome| **outcome == Enrolment::Refused(TokenRefusal::Used)).count();
        assert_eq!((enrolled, refused), (1, 15));
        let hosts = fixture.store.read().await.unwrap().hosts(None, Limit::MAX).await.unwrap().items;
        assert_eq!(hosts.len(), 1);
    }

    async fn a_second_showing_of_a_token_is_audited_once(fixture: Fixture) {
        with_token(&fixture, "t").await;
        let _ = fixture.write().enrol_host(&token("t"), &host_id(1), &host_name("host-1")).await.unwrap();
        let before = fixture.state().await;
        for number in 2..5 {
            let again = fixture.write().enrol_host(&token("t"), &host_id(number), &host_name("thief")).await.unwrap();
            assert_eq!(again, Enrolment::Refused(TokenRefusal::Used));
        }
        let (action, object, detail) = fixture.last_event().await;
        assert_eq!((action, object), (Action::EnrolmentTokenRefuse, token("t").as_str().to_owned()));
        assert_eq!(detail, r#"{"name":"thief","why":"used"}"#);
        assert_eq!(fixture.state().await.revision.get(), before.revision.get() + 1);
    }

    async fn an_expired_token_enrols_nobody(fixture: Fixture) {
        with_token(&fixture, "t").await;
        let late = fixture.write_at(LATER).enrol_host(&token("t"), &host_id(1), &host_name("host-1")).await.unwrap();
        assert_eq!(late, Enrolment::Refused(TokenRefusal::Expired));
        assert_eq!(fixture.last_event().await.0, Action::EnrolmentTokenRefuse);
        assert_eq!(fixture.store.read().await.unwrap().host(&host_id(1)).await.unwrap(), None);
    }

    async fn a_strangers_guess_writes_nothing(fixture: Fixture) {
        with_token(&fixture, "t").await;
        let before = fixture.state().await;
        let guess = fixture.write().enrol_host(&token("guess"), &host_id(1), &host_name("host-1")).await.unwrap();
        assert_eq!(guess, Enrolment::Refused(TokenRefusal::Unknown));
        assert_eq!(fixture.state().await, before);
    }

    async fn a_name_that_is_taken_does_not_burn_the_token(fixture: Fixture) {
        with_token(&fixture, "t").await;
        fixture.add_host(1, "web").await;
        let taken = fixture.write().enrol_host(&token("t"), &host_id(2), &host_name("host-1")).await;
        refused(taken, "already exists", "host \"host-1\"");
        let enrolled = fixture.write().enrol_host(&token("t"), &host_id(2), &host_name("host-2")).await.unwrap();
        assert!(matches!(enrolled, Enrolment::Enrolled { .. }));
    }

    async fn a_token_needs_a_host_group_and_a_secret_of_its_own(fixture: Fixture) {
        let nowhere = fixture.write().add_enrolment_token(&token("t"), &group_name("web"), LATER).await;
        refused(nowhere, "not found", "host group \"web\"");
        with_token(&fixture, "t").await;
        let again = fixture.write().add_enrolment_token(&token("t"), &group_name("web"), LATER).await;
        refused(again, "already exists", "enrolment token");
    }
}
