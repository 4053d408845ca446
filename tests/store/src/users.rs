//! Users.

use keyroster_roster::UserState;
use keyroster_store::{Action, Outcome};

use crate::fixture::Fixture;
use crate::model::*;
use crate::on_both;

on_both! {
    async fn a_user_comes_back_as_it_was_added(fixture: Fixture) {
        let (alice, robot) = (person("alice"), service("robot", "alice"));
        fixture.write().add_user(&alice).await.unwrap();
        fixture.write().add_user(&robot).await.unwrap();
        let mut reader = fixture.store.read().await.unwrap();
        assert_eq!(reader.user(&alice.name).await.unwrap(), Some(alice));
        assert_eq!(reader.user(&robot.name).await.unwrap(), Some(robot));
        assert_eq!(reader.user(&user_name("bob")).await.unwrap(), None);
        drop(reader);
        let event = (Action::UserAdd, "robot".to_owned(), r#"{"kind":"service","owner":"alice","state":"active"}"#.to_owned());
        assert_eq!(fixture.last_event().await, event);
    }

    async fn a_name_is_given_out_once_even_after_its_user_is_terminated(fixture: Fixture) {
        fixture.add_person("alice").await;
        let _ = fixture.write().set_user_state(&user_name("alice"), UserState::Terminated, None).await.unwrap();
        refused(fixture.write().add_user(&person("alice")).await, "already exists", "user \"alice\"");
    }

    async fn a_service_belongs_to_a_person_who_is_there(fixture: Fixture) {
        fixture.add_person("alice").await;
        fixture.add_person("gone").await;
        let _ = fixture.write().set_user_state(&user_name("gone"), UserState::Terminated, None).await.unwrap();
        fixture.write().add_user(&service("robot", "alice")).await.unwrap();
        refused(fixture.write().add_user(&service("x", "nobody")).await, "not found", "user \"nobody\"");
        refused(fixture.write().add_user(&service("x", "robot")).await, "conflict", "must be a person");
        refused(fixture.write().add_user(&service("x", "gone")).await, "conflict", "user \"gone\"");
    }

    async fn a_state_is_changed_and_changing_it_again_writes_nothing(fixture: Fixture) {
        fixture.add_person("alice").await;
        let alice = user_name("alice");
        for state in [UserState::Suspended, UserState::Active, UserState::Terminated] {
            let written = fixture.write().set_user_state(&alice, state, None).await.unwrap();
            assert_eq!(written, Outcome::Written(fixture.state().await));
            let user = fixture.store.read().await.unwrap().user(&alice).await.unwrap();
            assert_eq!(user.unwrap().state, state);
            let again = fixture.write().set_user_state(&alice, state, None).await.unwrap();
            assert_eq!(again, Outcome::Unchanged(written.state()));
            assert_eq!(fixture.state().await, written.state());
        }
    }

    async fn a_terminated_user_stays_terminated(fixture: Fixture) {
        fixture.add_person("alice").await;
        let alice = user_name("alice");
        let _ = fixture.write().set_user_state(&alice, UserState::Terminated, None).await.unwrap();
        for state in [UserState::Suspended, UserState::Active] {
            refused(fixture.write().set_user_state(&alice, state, None).await, "conflict", "user \"alice\"");
        }
    }

    async fn the_state_of_a_user_who_is_not_there_can_not_be_changed(fixture: Fixture) {
        let changed = fixture.write().set_user_state(&user_name("nobody"), UserState::Suspended, None).await;
        refused(changed, "not found", "user \"nobody\"");
    }
}
