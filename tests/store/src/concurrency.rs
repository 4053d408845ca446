//! Many writers at once, in one key server and in several.

use std::collections::BTreeSet;

use keyroster_roster::{AuditHead, Link};
use keyroster_store::{AuditVerdict, MAX_PAGE_ITEMS};
use tokio::task::JoinSet;

use crate::fixture::{Fixture, NOW};
use crate::model::*;
use crate::on_both;

const WRITERS: u64 = 16;
/// Together more events than a page holds, so that the check of the audit log turns pages.
const WRITES_EACH: u64 = 65;
const STORES: u64 = 4;

on_both! {
    async fn many_writers_at_once_never_fail_and_every_revision_is_given_out_once(fixture: Fixture) {
        let mut stores = Vec::new();
        for _ in 0..STORES {
            stores.push(fixture.another_store().await);
        }
        let mut tasks = JoinSet::new();
        for (writer, store) in (0..WRITERS).zip(stores.iter().cycle()) {
            let store = store.clone();
            tasks.spawn(async move {
                let mut revisions = Vec::new();
                for at in 0..WRITES_EACH {
                    let user = person(&format!("user-{writer}-{at}"));
                    revisions.push(store.write(&actor("admin"), NOW).add_user(&user).await.unwrap().revision.get());
                }
                revisions
            });
        }
        let revisions: BTreeSet<u64> = tasks.join_all().await.into_iter().flatten().collect();
        let writes = WRITERS * WRITES_EACH;
        assert_eq!(revisions, (1..=writes).collect::<BTreeSet<_>>());
        let state = fixture.state().await;
        assert_eq!((state.revision.get(), state.head.sequence), (writes, writes));
        assert_eq!(fixture.verdict().await, AuditVerdict::Intact(state.head));
        assert!(writes > MAX_PAGE_ITEMS.into());
        fixture.tamper("update audit_events set actor = 'mallory' where sequence = 1020").await;
        let broken = AuditVerdict::Broken { sequence: 1020, link: Link::Changed };
        assert_eq!(fixture.verdict().await, broken);
    }

    async fn of_many_who_add_one_user_at_once_exactly_one_does(fixture: Fixture) {
        let mut tasks = JoinSet::new();
        for number in 0..WRITERS {
            let store = if number % 4 == 0 { fixture.another_store().await } else { fixture.store.clone() };
            tasks.spawn(async move { store.write(&actor("admin"), NOW).add_user(&person("alice")).await.map(drop) });
        }
        let outcomes = tasks.join_all().await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        for outcome in outcomes.into_iter().filter(Result::is_err) {
            refused(outcome, "already exists", "user \"alice\"");
        }
        assert_eq!(fixture.state().await.revision.get(), 1);
    }

    async fn what_a_reader_sees_is_of_one_moment_whatever_is_written_meanwhile(fixture: Fixture) {
        fixture.add_person("alice").await;
        let mut reader = fixture.store.read().await.unwrap();
        let before = reader.state().await.unwrap();
        fixture.add_person("bob").await;
        assert_eq!(reader.state().await.unwrap(), before);
        assert_eq!(reader.user(&user_name("bob")).await.unwrap(), None);
        let AuditVerdict::Intact(AuditHead { sequence, .. }) = reader.verify_audit().await.unwrap() else {
            panic!("a reader and a writer disturbed each other");
        };
        assert_eq!(sequence, 1);
    }

    async fn several_key_servers_open_one_roster_at_once(fixture: Fixture) {
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let location = fixture.location.clone();
            tasks.spawn(async move { keyroster_store::Store::open(&location).await.map(drop) });
        }
        for opened in tasks.join_all().await {
            opened.unwrap();
        }
    }
}
