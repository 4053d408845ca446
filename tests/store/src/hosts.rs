//! Hosts.

use keyroster_roster::{Host, HostState};
use keyroster_store::{Action, Enrolment, Outcome};

use crate::fixture::{Fixture, LATER, NOW};
use crate::model::*;
use crate::on_both;

on_both! {
    async fn a_host_is_found_by_id_and_by_name(fixture: Fixture) {
        fixture.add_host_group("web").await;
        fixture.add_host(1, "web").await;
        let host = Host {
            id: host_id(1),
            name: host_name("host-1"),
            groups: [group_name("web")].into(),
            state: HostState::Active,
            enrolled_at: NOW,
        };
        let mut reader = fixture.store.read().await.unwrap();
        assert_eq!(reader.host(&host.id).await.unwrap(), Some(host.clone()));
        assert_eq!(reader.host_named(&host.name).await.unwrap(), Some(host));
        assert_eq!(reader.host(&host_id(2)).await.unwrap(), None);
        assert_eq!(reader.host_named(&host_name("host-2")).await.unwrap(), None);
    }

    async fn a_removed_host_is_found_by_id_only(fixture: Fixture) {
        fixture.add_host_group("web").await;
        fixture.add_host(1, "web").await;
        let removed = fixture.write().remove_host(&host_id(1)).await.unwrap();
        assert_eq!(removed, Outcome::Written(fixture.state().await));
        let event = (Action::HostRemove, host_id(1).to_string(), r#"{"name":"host-1"}"#.to_owned());
        assert_eq!(fixture.last_event().await, event);
        let again = fixture.write().remove_host(&host_id(1)).await.unwrap();
        assert_eq!(again, Outcome::Unchanged(removed.state()));
        let mut reader = fixture.store.read().await.unwrap();
        assert_eq!(reader.host(&host_id(1)).await.unwrap().unwrap().state, HostState::Removed);
        assert_eq!(reader.host_named(&host_name("host-1")).await.unwrap(), None);
    }

    async fn the_name_of_a_removed_host_is_free_and_its_id_is_not_reused(fixture: Fixture) {
        fixture.add_host_group("web").await;
        fixture.add_host(1, "web").await;
        let _ = fixture.write().remove_host(&host_id(1)).await.unwrap();
        fixture.write().add_enrolment_token(&token("t"), &group_name("web"), LATER).await.unwrap();
        let enrolled = fixture.write().enrol_host(&token("t"), &host_id(2), &host_name("host-1")).await.unwrap();
        assert!(matches!(enrolled, Enrolment::Enrolled { .. }));
        let mut reader = fixture.store.read().await.unwrap();
        assert_eq!(reader.host_named(&host_name("host-1")).await.unwrap().unwrap().id, host_id(2));
        assert_eq!(reader.host(&host_id(1)).await.unwrap().unwrap().state, HostState::Removed);
    }

    async fn a_host_that_is_not_there_can_not_be_removed(fixture: Fixture) {
        refused(fixture.write().remove_host(&host_id(1)).await, "not found", "host \"0193");
    }
}
