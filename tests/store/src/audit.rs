//! The audit log: what was written can't be changed unseen.

use keyroster_roster::{AuditHead, EventHash, Link};
use keyroster_store::{AuditVerdict, Limit};

use crate::fixture::{Fixture, NOW};
use crate::on_both;

/// A log of five events.
async fn with_events(fixture: &Fixture) {
    for name in ["a", "b", "c", "d", "e"] {
        fixture.add_person(name).await;
    }
    assert!(matches!(
        fixture.verdict().await,
        AuditVerdict::Intact(AuditHead { sequence: 5, .. })
    ));
}

on_both! {
    async fn an_empty_log_is_intact(fixture: Fixture) {
        assert_eq!(fixture.verdict().await, AuditVerdict::Intact(AuditHead::START));
    }

    async fn events_tell_who_did_what_when_in_order(fixture: Fixture) {
        with_events(&fixture).await;
        let events = fixture.events().await;
        assert_eq!(events.iter().map(|event| event.sequence).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert_eq!(events.iter().map(|event| event.revision.get()).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert_eq!(events[0].previous_hash, EventHash::ZERO);
        let last = &events[4];
        assert_eq!((last.actor.as_str(), last.action.as_str(), last.object.as_str()), ("admin", "user.add", "e"));
        assert_eq!(last.at, NOW);
        assert_eq!(fixture.state().await.head, AuditHead { sequence: 5, hash: last.hash });
    }

    async fn a_changed_event_is_found(fixture: Fixture) {
        with_events(&fixture).await;
        for (column, value) in [
            ("revision", "99"),
            ("occurred_at", "1"),
            ("actor", "'mallory'"),
            ("action", "'user.set-state'"),
            ("object", "'mallory'"),
            ("detail", "'{}'"),
        ] {
            fixture.tamper("create table kept as select * from audit_events where sequence = 3").await;
            fixture.tamper(&format!("update audit_events set {column} = {value} where sequence = 3")).await;
            let broken = AuditVerdict::Broken { sequence: 3, link: Link::Changed };
            assert_eq!(fixture.verdict().await, broken, "{column}");
            fixture.tamper(
                "delete from audit_events where sequence = 3; \
                 insert into audit_events select * from kept; drop table kept",
            ).await;
        }
        assert!(matches!(fixture.verdict().await, AuditVerdict::Intact(_)));
    }

    async fn an_event_removed_from_the_middle_is_found(fixture: Fixture) {
        with_events(&fixture).await;
        fixture.tamper("delete from audit_events where sequence = 3").await;
        let broken = AuditVerdict::Broken { sequence: 4, link: Link::OutOfPlace { expected: 3 } };
        assert_eq!(fixture.verdict().await, broken);
    }

    async fn an_event_removed_and_the_rest_moved_up_is_found(fixture: Fixture) {
        with_events(&fixture).await;
        fixture.tamper(
            "delete from audit_events where sequence = 3; update audit_events set sequence = 3 where sequence = 4; \
             update audit_events set sequence = 4 where sequence = 5",
        ).await;
        assert_eq!(fixture.verdict().await, AuditVerdict::Broken { sequence: 3, link: Link::Unlinked });
    }

    async fn two_events_that_changed_places_are_found(fixture: Fixture) {
        with_events(&fixture).await;
        fixture.tamper(
            "update audit_events set sequence = 99 where sequence = 2; \
             update audit_events set sequence = 2 where sequence = 3; \
             update audit_events set sequence = 3 where sequence = 99",
        ).await;
        assert_eq!(fixture.verdict().await, AuditVerdict::Broken { sequence: 2, link: Link::Unlinked });
    }

    async fn events_removed_from_the_end_are_found(fixture: Fixture) {
        with_events(&fixture).await;
        let written = fixture.state().await.head;
        fixture.tamper("delete from audit_events where sequence >= 4").await;
        let AuditVerdict::WrongEnd { found, written: told } = fixture.verdict().await else {
            panic!("not found");
        };
        assert_eq!((found.sequence, told), (3, written));
    }

    async fn an_event_added_behind_our_back_is_found(fixture: Fixture) {
        with_events(&fixture).await;
        fixture.tamper(
            "insert into audit_events (sequence, revision, occurred_at, actor, action, object, detail, previous_hash, hash) \
             select 6, 99, occurred_at, actor, action, object, detail, hash, hash from audit_events where sequence = 5",
        ).await;
        assert_eq!(fixture.verdict().await, AuditVerdict::Broken { sequence: 6, link: Link::Changed });
    }

    async fn events_are_paged_by_place(fixture: Fixture) {
        with_events(&fixture).await;
        let mut reader = fixture.store.read().await.unwrap();
        let two = Limit::new(2).unwrap();
        let page = reader.audit_events(0, two).await.unwrap();
        assert_eq!((page.items.len(), page.next), (2, Some(2)));
        let page = reader.audit_events(4, two).await.unwrap();
        assert_eq!((page.items.len(), page.next), (1, None));
        let page = reader.audit_events(u64::MAX, two).await.unwrap();
        assert_eq!((page.items.len(), page.next), (0, None));
    }
}
