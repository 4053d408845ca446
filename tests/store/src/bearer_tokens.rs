//! Bearer tokens.

use keyroster_store::{Action, Limit, Outcome, Role, TokenStanding};

use crate::fixture::{Fixture, LATER, NOW};
use crate::model::*;
use crate::on_both;

on_both! {
    async fn a_bearer_token_is_found_by_its_hash_and_nothing_else_is(fixture: Fixture) {
        fixture.write().add_bearer_token(&actor("ci"), &token("secret"), Role::Officer, LATER).await.unwrap();
        let mut reader = fixture.store.read().await.unwrap();
        let found = reader.bearer_token_by_hash(&token("secret")).await.unwrap().unwrap();
        assert_eq!((found.name.clone(), found.role), (actor("ci"), Role::Officer));
        assert_eq!((found.created_by.clone(), found.created_at), (actor("admin"), NOW));
        assert_eq!(reader.bearer_token(&actor("ci")).await.unwrap(), Some(found));
        assert_eq!(reader.bearer_token_by_hash(&token("Secret")).await.unwrap(), None);
        assert_eq!(reader.bearer_token(&actor("other")).await.unwrap(), None);
    }

    async fn a_bearer_token_is_good_until_it_expires_or_is_revoked(fixture: Fixture) {
        fixture.write().add_bearer_token(&actor("ci"), &token("secret"), Role::Admin, LATER).await.unwrap();
        let found = fixture.store.read().await.unwrap().bearer_token(&actor("ci")).await.unwrap().unwrap();
        assert_eq!(found.standing(LATER.saturating_add(-1)), TokenStanding::Good);
        assert_eq!(found.standing(LATER), TokenStanding::Expired);
        let revoked = fixture.write().revoke_bearer_token(&actor("ci")).await.unwrap();
        assert_eq!(fixture.last_event().await, (Action::BearerTokenRevoke, "ci".to_owned(), "{}".to_owned()));
        let again = fixture.write().revoke_bearer_token(&actor("ci")).await.unwrap();
        assert_eq!(again, Outcome::Unchanged(revoked.state()));
        let found = fixture.store.read().await.unwrap().bearer_token_by_hash(&token("secret")).await.unwrap().unwrap();
        assert_eq!(found.standing(NOW), TokenStanding::Revoked);
        refused(fixture.write().revoke_bearer_token(&actor("other")).await, "not found", "token \"other\"");
    }

    async fn a_name_and_a_secret_are_given_out_once(fixture: Fixture) {
        fixture.write().add_bearer_token(&actor("ci"), &token("secret"), Role::Admin, LATER).await.unwrap();
        let _ = fixture.write().revoke_bearer_token(&actor("ci")).await.unwrap();
        for (name, secret) in [("ci", "other"), ("other", "secret")] {
            let added = fixture.write().add_bearer_token(&actor(name), &token(secret), Role::Auditor, LATER).await;
            refused(added, "already exists", &format!("token \"{name}\""));
        }
    }

    async fn no_secret_and_no_hash_of_one_is_in_the_audit_log(fixture: Fixture) {
        fixture.write().add_bearer_token(&actor("ci"), &token("secret"), Role::Admin, LATER).await.unwrap();
        let log = format!("{:?}", fixture.events().await);
        assert!(log.contains("token.add") && log.contains("admin"));
        assert!(!log.contains("secret") && !log.contains(token("secret").as_str()));
    }

    async fn bearer_tokens_are_listed_whatever_became_of_them(fixture: Fixture) {
        for name in ["a", "b", "c"] {
            fixture.write().add_bearer_token(&actor(name), &token(name), Role::Auditor, NOW).await.unwrap();
        }
        let _ = fixture.write().revoke_bearer_token(&actor("b")).await.unwrap();
        let page = fixture.store.read().await.unwrap().bearer_tokens(None, Limit::MAX).await.unwrap();
        assert_eq!(page.items.into_iter().map(|token| token.name).collect::<Vec<_>>(), ["a", "b", "c"].map(actor));
    }
}
