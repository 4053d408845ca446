//! Keys.

use keyroster_roster::{KeyState, UserState};
use keyroster_store::{Action, Limit, Outcome};

use crate::fixture::{Fixture, NOW};
use crate::model::*;
use crate::on_both;

on_both! {
    async fn a_key_comes_back_as_it_was_added(fixture: Fixture) {
        fixture.add_person("alice").await;
        let key = key("alice", 1);
        fixture.write().add_key(&key).await.unwrap();
        let (action, object, detail) = fixture.last_event().await;
        assert_eq!((action, object), (Action::KeyAdd, key.fingerprint.to_string()));
        assert!(detail.contains(r#""user":"alice""#), "{detail}");
        let mut reader = fixture.store.read().await.unwrap();
        assert_eq!(reader.key(&key.fingerprint).await.unwrap(), Some(key));
        assert_eq!(reader.key(blob(9).fingerprint()).await.unwrap(), None);
    }

    async fn a_key_has_one_owner_for_good(fixture: Fixture) {
        fixture.add_person("alice").await;
        fixture.add_person("mallory").await;
        fixture.add_key("alice", 1).await;
        refused(fixture.write().add_key(&key("alice", 1)).await, "already exists", "key \"SHA256:");
        let stolen = refusal(fixture.write().add_key(&key("mallory", 1)).await);
        assert_eq!(stolen.0, "key of another user");
        assert!(!stolen.1.contains("alice"), "{}", stolen.1);
        let _ = fixture.write().revoke_key(blob(1).fingerprint(), None).await.unwrap();
        refused(fixture.write().add_key(&key("mallory", 1)).await, "key of another user", "SHA256:");
        refused(fixture.write().add_key(&key("alice", 1)).await, "conflict", "never comes back");
    }

    async fn a_key_needs_an_owner_who_is_there(fixture: Fixture) {
        refused(fixture.write().add_key(&key("nobody", 1)).await, "not found", "user \"nobody\"");
        fixture.add_person("alice").await;
        let _ = fixture.write().set_user_state(&user_name("alice"), UserState::Terminated, None).await.unwrap();
        refused(fixture.write().add_key(&key("alice", 1)).await, "conflict", "user \"alice\"");
    }

    async fn a_key_is_revoked_once_and_for_good(fixture: Fixture) {
        fixture.add_person("alice").await;
        fixture.add_key("alice", 1).await;
        let fingerprint = *blob(1).fingerprint();
        let because = reason("laptop lost");
        let written = fixture.write().revoke_key(&fingerprint, Some(&because)).await.unwrap();
        assert_eq!(written, Outcome::Written(fixture.state().await));
        let detail = r#"{"reason":"laptop lost","user":"alice"}"#.to_owned();
        assert_eq!(fixture.last_event().await, (Action::KeyRevoke, fingerprint.to_string(), detail));
        let again = fixture.write_at(NOW.saturating_add(9)).revoke_key(&fingerprint, None).await.unwrap();
        assert_eq!(again, Outcome::Unchanged(written.state()));
        let key = fixture.store.read().await.unwrap().key(&fingerprint).await.unwrap().unwrap();
        assert_eq!(key.state, KeyState::Revoked { at: NOW });
        refused(fixture.write().revoke_key(blob(2).fingerprint(), None).await, "not found", "key \"SHA256:");
    }

    async fn keys_are_listed_for_one_user_or_for_all(fixture: Fixture) {
        for (user, number) in [("alice", 1), ("bob", 2), ("carol", 3)] {
            fixture.add_person(user).await;
            fixture.add_key(user, number).await;
        }
        fixture.add_key("bob", 4).await;
        let mut reader = fixture.store.read().await.unwrap();
        assert_eq!(reader.keys(None, None, Limit::MAX).await.unwrap().items.len(), 4);
        let of_bob = reader.keys(Some(&user_name("bob")), None, Limit::MAX).await.unwrap().items;
        assert_eq!(of_bob.len(), 2);
        assert!(of_bob.iter().all(|key| key.user == user_name("bob")));
        assert_eq!(reader.keys(Some(&user_name("dave")), None, Limit::MAX).await.unwrap().items, []);
    }
}
