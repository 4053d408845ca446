//! Which snapshot keys and CAs hosts go by.

use keyroster_keys::Fingerprint;
use keyroster_store::{KnownSet, Limit, Rotated, RotationStep, RotationVerb};

use crate::fixture::Fixture;
use crate::model::*;
use crate::on_both;

fn keys(serial: u64) -> KnownSet {
    KnownSet {
        serial,
        ca_serial: 0,
    }
}

on_both! {
    async fn a_host_is_behind_until_it_says_that_it_goes_by_the_keys(fixture: Fixture) {
        fixture.add_host_group("web").await;
        for number in 1..=3 {
            fixture.add_host(number, "web").await;
        }
        let _ = fixture.write().remove_host(&host_id(3)).await.unwrap();
        let names = async |serial| {
            let behind = fixture.store.read().await.unwrap().hosts_behind_keys(serial).await.unwrap();
            behind.into_iter().map(|(_, name)| name.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names(0).await, [""; 0]);
        assert_eq!(names(1).await, ["host-1", "host-2"]);
        fixture.store.know_host_keys(&[(host_id(1), keys(2)), (host_id(9), keys(2))]).await.unwrap();
        assert_eq!(names(2).await, ["host-2"]);
        // What it said first comes late.
        fixture.store.know_host_keys(&[(host_id(1), keys(1)), (host_id(2), keys(1))]).await.unwrap();
        assert_eq!(names(1).await, [""; 0]);
        assert_eq!(names(2).await, ["host-2"]);
        assert_eq!(names(3).await, ["host-1", "host-2"]);
        let mut reader = fixture.store.read().await.unwrap();
        let ahead = reader.hosts_ahead_of_keys(1).await.unwrap();
        assert_eq!(ahead, [(host_id(1), host_name("host-1"))]);
        assert_eq!(reader.hosts_ahead_of_keys(2).await.unwrap(), []);
    }

    async fn a_host_is_of_the_older_ca_until_it_shows_a_certificate_of_the_newer_one(fixture: Fixture) {
        fixture.add_host_group("web").await;
        for number in 1..=2 {
            fixture.add_host(number, "web").await;
        }
        let names = async |since| {
            let older = fixture.store.read().await.unwrap().hosts_of_older_ca(since).await.unwrap();
            older.into_iter().map(|(_, name)| name.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names(0).await, [""; 0]);
        fixture.store.know_host_keys(&[(host_id(1), keys(5)), (host_id(2), keys(5))]).await.unwrap();
        assert_eq!(names(5).await, ["host-1", "host-2"]);
        let renewed = KnownSet { serial: 0, ca_serial: 5 };
        fixture.store.know_host_keys(&[(host_id(1), renewed)]).await.unwrap();
        assert_eq!(names(5).await, ["host-2"]);
        // Another server's word from before the renewal takes nothing back, and neither does the renewal's from before the set.
        fixture.store.know_host_keys(&[(host_id(1), keys(5))]).await.unwrap();
        assert_eq!(names(5).await, ["host-2"]);
        assert_eq!(fixture.store.read().await.unwrap().hosts_behind_keys(5).await.unwrap(), []);
        assert_eq!(names(6).await, ["host-1", "host-2"]);
    }

    async fn each_step_of_an_exchange_is_an_event_of_the_log(fixture: Fixture) {
        let new = Fingerprint::from_digest([7; 32]);
        let abandoned = [host_name("host-1")];
        let all = [
            (Rotated::SnapshotKey, RotationVerb::Announce, "snapshot-key.announce"),
            (Rotated::SnapshotKey, RotationVerb::Switch, "snapshot-key.switch"),
            (Rotated::SnapshotKey, RotationVerb::Finish, "snapshot-key.finish"),
            (Rotated::Ca, RotationVerb::Announce, "ca.announce"),
            (Rotated::Ca, RotationVerb::Switch, "ca.switch"),
            (Rotated::Ca, RotationVerb::Finish, "ca.finish"),
        ];
        for (what, verb, word) in all {
            let step = RotationStep { what, verb, new, serial: 3, abandoned: &abandoned, uid: 0 };
            let state = fixture.write().rotate(&step).await.unwrap();
            let mut reader = fixture.store.read().await.unwrap();
            let event = reader.audit_events(state.head.sequence - 1, Limit::new(1).unwrap()).await.unwrap();
            let event = event.items.first().unwrap().clone();
            assert_eq!((event.action.as_str(), event.object), (word, new.to_string()));
            assert_eq!(event.detail, r#"{"abandoned":["host-1"],"serial":3,"uid":0}"#);
        }
    }
}
