//! A receipt names the hosts that a write took something away on, and what each has confirmed.

use keyroster_roster::{
    Asks, Epoch, Freshness, FreshnessChange, FreshnessMode, HostGroup, HostId, MAX_GRACE_S,
    MAX_MAX_STALENESS_S, Revision, Timestamp, UserState,
};
use keyroster_store::{Action, Confirmation, HostReceipt, Object, Outcome};

use crate::fixture::{Fixture, LATER, NOW};
use crate::model::*;
use crate::on_both;

/// A moment at which a receipt of `NOW` is still kept.
const SOON: Timestamp = NOW.saturating_add(5);

/// More than one statement of the store takes.
const MANY: u64 = 70;

fn confirmation(epoch: u64, revision: u64, at: Timestamp) -> Confirmation {
    Confirmation {
        epoch: Epoch::new(epoch).unwrap(),
        revision: Revision::new(revision).unwrap(),
        at,
        asks: Asks::AsDaemon,
    }
}

fn freshness(max_staleness_s: u32, grace_s: u32, mode: FreshnessMode) -> Freshness {
    Freshness::new(max_staleness_s, grace_s, mode).unwrap()
}

impl Fixture {
    async fn revision(&self) -> Revision {
        self.state().await.revision
    }

    async fn receipt(&self, revision: Revision) -> Vec<HostReceipt> {
        let mut reader = self.store.read().await.unwrap();
        reader.receipt(revision).await.unwrap()
    }

    /// The numbers of the hosts in a receipt.
    async fn named(&self, revision: Revision) -> Vec<HostId> {
        self.receipt(revision)
            .await
            .into_iter()
            .map(|host| host.host)
            .collect()
    }

    async fn confirm(&self, host: u64, confirmed: Confirmation) {
        self.store
            .confirm(&[(host_id(host), confirmed)])
            .await
            .unwrap();
    }

    /// What a host has confirmed, by the receipt of a grant on all hosts.
    async fn confirmed(&self, revision: Revision, host: u64) -> Option<Confirmation> {
        let receipt = self.receipt(revision).await;
        receipt
            .into_iter()
            .find(|one| one.host == host_id(host))
            .unwrap()
            .confirmed
    }

    /// Hosts in a host group, alice with a key, and a grant to her on all of them.
    async fn with_hosts(&self, hosts: u64) {
        self.add_person("alice").await;
        self.add_key("alice", 1).await;
        self.add_host_group("web").await;
        for number in 1..=hosts {
            self.add_host(number, "web").await;
        }
        self.add_grant(1, for_user("alice"), on_host_group("web"))
            .await;
    }

    /// Changes the bound of a host group; the revision that did it.
    async fn set_bound(
        &self,
        group: &str,
        max_staleness_s: Option<u32>,
        grace_s: Option<u32>,
        mode: Option<FreshnessMode>,
    ) -> Revision {
        let change = FreshnessChange::new(max_staleness_s, grace_s, mode).unwrap();
        let (write, group) = (self.write(), group_name(group));
        let set = write.set_host_group(&group, change).await.unwrap();
        set.state().revision
    }

    async fn revoke(&self, key: u8) -> Revision {
        let revoked = self.write().revoke_key(blob(key).fingerprint(), None).await;
        revoked.unwrap().state().revision
    }
}

on_both! {
    async fn a_receipt_names_every_host_that_could_have_let_the_key_in(fixture: Fixture) {
        fixture.with_hosts(2).await;
        fixture.add_host_group("db").await;
        fixture.add_host(3, "db").await;
        let revoked = fixture.revoke(1).await;
        fixture.confirm(2, confirmation(1, revoked.get(), SOON)).await;
        let receipt = fixture.receipt(revoked).await;
        let host = |number: u64, confirmed: Option<Confirmation>| HostReceipt {
            host: host_id(number),
            name: host_name(&format!("host-{number}")),
            recorded_at: confirmed.map(|confirmed| confirmed.at),
            confirmed,
            freshness: Freshness::default(),
        };
        assert_eq!(receipt, [host(1, None), host(2, Some(confirmation(1, revoked.get(), SOON)))]);
    }

    async fn what_is_written_later_does_not_take_a_host_off_a_receipt(fixture: Fixture) {
        fixture.with_hosts(2).await;
        let revoked = fixture.revoke(1).await;
        let _ = fixture.write().revoke_grant(&grant_id(1), None).await.unwrap();
        let _ = fixture.write().remove_host(&host_id(1)).await.unwrap();
        let removed = fixture.revision().await;
        fixture.write().delete_host_group(&group_name("web")).await.unwrap();
        assert_eq!(fixture.named(revoked).await, [host_id(1), host_id(2)]);
        assert_eq!(fixture.named(removed).await, [host_id(1)]);
    }

    async fn whoever_revokes_again_finds_the_receipt_of_the_revocation(fixture: Fixture) {
        fixture.with_hosts(1).await;
        let revoked = fixture.revoke(1).await;
        let suspended = fixture.write().set_user_state(&user_name("alice"), UserState::Suspended, None).await;
        let suspended = suspended.unwrap().state().revision;
        fixture.add_person("bob").await;
        assert!(matches!(fixture.write().revoke_key(blob(1).fingerprint(), None).await, Ok(Outcome::Unchanged(_))));
        let (key, alice) = (Object::Key(*blob(1).fingerprint()), Object::User(user_name("alice")));
        let mut reader = fixture.store.read().await.unwrap();
        assert_eq!(reader.last_done(Action::KeyRevoke, &key).await.unwrap(), Some(revoked));
        assert_eq!(reader.last_done(Action::UserSetState, &alice).await.unwrap(), Some(suspended));
        assert_eq!(reader.last_done(Action::KeyAdd, &alice).await.unwrap(), None);
    }

    async fn a_write_that_only_gives_has_an_empty_receipt(fixture: Fixture) {
        fixture.with_hosts(1).await;
        fixture.add_key("alice", 2).await;
        let added = fixture.revision().await;
        let reader = &mut fixture.store.read().await.unwrap();
        assert_eq!(fixture.changed_hosts(Revision::new(0).unwrap()).await, [(host_id(1), added)]);
        assert_eq!(reader.receipt(added).await.unwrap(), []);
        assert_eq!(reader.receipt(Revision::MAX).await.unwrap(), []);
    }

    async fn a_confirmation_is_no_write_to_the_roster(fixture: Fixture) {
        fixture.with_hosts(1).await;
        let (before, events) = (fixture.state().await, fixture.events().await.len());
        fixture.confirm(1, confirmation(1, before.revision.get(), NOW)).await;
        assert_eq!(fixture.state().await, before);
        assert_eq!(fixture.events().await.len(), events);
        assert_eq!(fixture.changed_hosts(before.revision).await, []);
    }

    async fn a_confirmation_never_goes_back_neither_in_state_nor_in_time(fixture: Fixture) {
        fixture.with_hosts(1).await;
        let granted = fixture.revision().await;
        fixture.tamper("update roster_state set epoch = 2").await;
        for (reported, known) in [
            (confirmation(1, 5, NOW), confirmation(1, 5, NOW)),
            (confirmation(1, 4, LATER), confirmation(1, 5, LATER)),
            (confirmation(1, 6, NOW), confirmation(1, 6, LATER)),
            (confirmation(2, 3, NOW), confirmation(2, 3, LATER)),
            (confirmation(1, 9, NOW), confirmation(2, 3, LATER)),
            (confirmation(2, 3, LATER), confirmation(2, 3, LATER)),
        ] {
            fixture.confirm(1, reported).await;
            assert_eq!(fixture.confirmed(granted, 1).await, Some(known), "after {reported:?}");
        }
    }

    async fn nobody_can_confirm_what_is_yet_to_be_written(fixture: Fixture) {
        fixture.with_hosts(1).await;
        let granted = fixture.revision().await;
        for (epoch, revision) in [(1, granted.get() + 1), (2, 1), (1, Revision::MAX.get())] {
            fixture.confirm(1, confirmation(epoch, revision, NOW)).await;
            assert_eq!(fixture.confirmed(granted, 1).await, None, "{epoch}.{revision}");
        }
        let known = confirmation(1, granted.get(), NOW);
        fixture.confirm(1, known).await;
        assert_eq!(fixture.confirmed(granted, 1).await, Some(known));
    }

    async fn of_several_reports_of_one_host_at_once_the_newest_state_and_the_last_moment_hold(fixture: Fixture) {
        fixture.with_hosts(1).await;
        let granted = fixture.revision().await;
        let reports = [confirmation(1, 4, NOW), confirmation(1, 5, NOW), confirmation(1, 3, LATER)];
        fixture.store.confirm(&reports.map(|report| (host_id(1), report))).await.unwrap();
        assert_eq!(fixture.confirmed(granted, 1).await, Some(confirmation(1, 5, LATER)));
    }

    async fn many_reports_are_taken_at_once_and_those_of_strangers_are_left_out(fixture: Fixture) {
        fixture.with_hosts(MANY).await;
        let granted = fixture.revision().await;
        fixture.store.confirm(&[]).await.unwrap();
        let report = |number| (host_id(number), confirmation(1, number, NOW));
        let reports: Vec<_> = (1..=MANY).chain([1_000]).map(report).rev().collect();
        fixture.store.confirm(&reports).await.unwrap();
        let mut receipt = fixture.receipt(granted).await;
        receipt.sort_by(|one, other| one.host.cmp(&other.host));
        let confirmed: Vec<_> = receipt.into_iter().map(|host| (host.host, host.confirmed.unwrap())).collect();
        assert_eq!(confirmed, (1..=MANY).map(report).collect::<Vec<_>>());
    }

    async fn many_key_servers_confirm_at_once_beside_many_writes(fixture: Fixture) {
        fixture.with_hosts(MANY).await;
        let granted = fixture.revision().await;
        let mut tasks = tokio::task::JoinSet::new();
        for server in 0..4 {
            let store = fixture.another_store().await;
            tasks.spawn(async move {
                for round in 0..8 {
                    let report = |number| (host_id(number), confirmation(1, round * 4 + server, NOW));
                    let mut reports: Vec<_> = (1..=MANY).map(report).collect();
                    reports.rotate_left(usize::try_from(server * 7).unwrap());
                    store.confirm(&reports).await.unwrap();
                    let write = store.write(&actor("admin"), NOW);
                    let number = 10 + round * 4 + server;
                    write.add_grant(&grant(number, for_user("alice"), on_host_group("web"))).await.unwrap();
                }
            });
        }
        tasks.join_all().await;
        let receipt = fixture.receipt(granted).await;
        assert!(receipt.iter().all(|host| host.confirmed == Some(confirmation(1, 31, NOW))));
    }

    async fn a_receipt_tells_the_laxest_bound_that_a_host_may_still_go_by(fixture: Fixture) {
        fixture.with_hosts(1).await;
        let heard = fixture.revision().await;
        fixture.confirm(1, confirmation(1, heard.get(), NOW)).await;
        let strict = freshness(10, 7_200, FreshnessMode::Strict);
        let group = HostGroup { name: group_name("strict"), freshness: strict, end_sessions: false };
        fixture.write().add_host_group(&group).await.unwrap();
        let _ = fixture.write().add_host_to_group(&group.name, &host_id(1)).await.unwrap();
        let tightened = fixture.revision().await;
        let revoked = fixture.revoke(1).await;
        assert_eq!(fixture.receipt(revoked).await[0].freshness, Freshness::default());
        fixture.confirm(1, confirmation(1, tightened.get(), NOW)).await;
        let both = freshness(10, 3_600, FreshnessMode::Strict);
        assert_eq!(fixture.receipt(revoked).await[0].freshness, both);
    }

    async fn a_bound_that_came_after_a_write_is_not_on_its_receipt(fixture: Fixture) {
        fixture.with_hosts(1).await;
        fixture.confirm(1, confirmation(1, fixture.revision().await.get(), NOW)).await;
        let first = fixture.revoke(1).await;
        fixture.set_bound("web", Some(60), Some(MAX_GRACE_S), None).await;
        assert_eq!(fixture.receipt(first).await[0].freshness, Freshness::default());
        let _ = fixture.write().revoke_grant(&grant_id(1), None).await.unwrap();
        let second = fixture.revision().await;
        let lax = freshness(60, MAX_GRACE_S, FreshnessMode::Grace);
        assert_eq!(fixture.receipt(second).await[0].freshness, lax);
        assert_eq!(fixture.receipt(first).await[0].freshness, Freshness::default());
        fixture.write().delete_host_group(&group_name("web")).await.unwrap();
        assert_eq!(fixture.receipt(second).await[0].freshness, lax);
    }

    async fn a_host_that_has_not_heard_of_a_stricter_bound_goes_by_the_one_before(fixture: Fixture) {
        fixture.with_hosts(2).await;
        let before = fixture.revision().await.get();
        for host in [1, 2] {
            fixture.confirm(host, confirmation(1, before, NOW)).await;
        }
        let set = fixture.set_bound("web", None, Some(0), Some(FreshnessMode::Strict)).await;
        let strict = freshness(30, 0, FreshnessMode::Strict);
        let revoked = fixture.revoke(1).await;
        let bounds = async |revision| fixture.receipt(revision).await.into_iter().map(|host| host.freshness).collect::<Vec<_>>();
        assert_eq!(bounds(set).await, [Freshness::default(); 2], "what ended with a write is on its own receipt");
        assert_eq!(bounds(revoked).await, [Freshness::default(); 2]);
        fixture.confirm(2, confirmation(1, set.get(), NOW)).await;
        assert_eq!(bounds(revoked).await, [Freshness::default(), strict]);
    }

    async fn a_host_that_has_not_heard_that_it_left_its_host_group_goes_by_the_bound_of_that(fixture: Fixture) {
        let lax = freshness(60, 7_200, FreshnessMode::Grace);
        let group = HostGroup { name: group_name("lax"), freshness: lax, end_sessions: false };
        fixture.write().add_host_group(&group).await.unwrap();
        fixture.add_host(1, "lax").await;
        fixture.add_host(2, "lax").await;
        fixture.add_person("alice").await;
        fixture.add_key("alice", 1).await;
        for host in [1, 2] {
            fixture.confirm(host, confirmation(1, fixture.revision().await.get(), NOW)).await;
            fixture.add_grant(host, for_user("alice"), on_host(host)).await;
        }
        let _ = fixture.write().remove_host_from_group(&group.name, &host_id(1)).await.unwrap();
        fixture.write().delete_host_group(&group.name).await.unwrap();
        let revoked = fixture.revoke(1).await;
        let bounds = async || fixture.receipt(revoked).await.into_iter().map(|host| host.freshness).collect::<Vec<_>>();
        assert_eq!(bounds().await, [lax, lax]);
        fixture.confirm(2, confirmation(1, revoked.get(), NOW)).await;
        assert_eq!(bounds().await, [lax, Freshness::default()]);
    }

    async fn a_host_of_another_epoch_may_go_by_any_bound_that_it_ever_had(fixture: Fixture) {
        fixture.with_hosts(1).await;
        let strict = freshness(10, 7_200, FreshnessMode::Strict);
        let group = HostGroup { name: group_name("strict"), freshness: strict, end_sessions: false };
        fixture.write().add_host_group(&group).await.unwrap();
        let _ = fixture.write().add_host_to_group(&group.name, &host_id(1)).await.unwrap();
        let held = fixture.revision().await;
        fixture.confirm(1, confirmation(1, held.get(), NOW)).await;
        let revoked = fixture.revoke(1).await;
        let both = freshness(10, 3_600, FreshnessMode::Strict);
        assert_eq!(fixture.receipt(revoked).await[0].freshness, both);
        fixture.tamper("update roster_state set epoch = 2").await;
        let revoked = fixture.revoke(1).await;
        assert_eq!(fixture.receipt(revoked).await[0].freshness, Freshness::default());
    }

    async fn the_first_confirmation_of_a_write_is_on_record_and_stays(fixture: Fixture) {
        fixture.with_hosts(2).await;
        fixture.confirm(1, confirmation(1, fixture.revision().await.get(), NOW)).await;
        let revoked = fixture.revoke(1).await;
        let recorded = async |revision| fixture.receipt(revision).await.into_iter().map(|host| host.recorded_at).collect::<Vec<_>>();
        fixture.confirm(1, confirmation(1, revoked.get() - 1, NOW)).await;
        assert_eq!(recorded(revoked).await, [None, None]);
        let second = NOW.saturating_add(1);
        fixture.confirm(1, confirmation(1, revoked.get(), second)).await;
        assert_eq!(recorded(revoked).await, [Some(second), None]);
        let _ = fixture.write().revoke_grant(&grant_id(1), None).await.unwrap();
        let ended = fixture.revision().await;
        fixture.confirm(1, confirmation(1, revoked.get(), SOON)).await;
        assert_eq!(recorded(ended).await, [None, None]);
        fixture.confirm(1, confirmation(1, ended.get(), SOON)).await;
        assert_eq!(recorded(revoked).await, [Some(second), None]);
        assert_eq!(recorded(ended).await, [Some(SOON), None]);
        fixture.tamper("update roster_state set epoch = 2").await;
        assert_eq!(recorded(revoked).await, [Some(second), None], "what was confirmed stays so");
    }

    async fn a_state_of_another_epoch_is_no_record_of_a_write_in_this_one(fixture: Fixture) {
        fixture.with_hosts(1).await;
        fixture.tamper("update roster_state set epoch = 2").await;
        let revoked = fixture.revoke(1).await;
        fixture.confirm(1, confirmation(1, revoked.get() + 50, NOW)).await;
        assert_eq!(fixture.receipt(revoked).await[0].recorded_at, None);
        fixture.confirm(1, confirmation(2, revoked.get(), SOON)).await;
        assert_eq!(fixture.receipt(revoked).await[0].recorded_at, Some(SOON));
    }

    async fn nothing_is_on_record_for_a_write_that_was_not_there_when_the_host_spoke(fixture: Fixture) {
        fixture.with_hosts(1).await;
        fixture.confirm(1, confirmation(1, fixture.revision().await.get() + 1, NOW)).await;
        let revoked = fixture.revoke(1).await;
        fixture.confirm(1, Confirmation::of_nothing(SOON, Asks::AsDaemon)).await;
        assert_eq!(fixture.receipt(revoked).await[0].recorded_at, None);
    }

    async fn a_host_that_asks_at_each_login_is_a_daemon_again_once_a_daemon_asks(fixture: Fixture) {
        fixture.with_hosts(2).await;
        let granted = fixture.revision().await;
        let lone = |at| Confirmation::of_nothing(at, Asks::AtEachLogin);
        let asks = async || fixture.confirmed(granted, 1).await.map(|said| said.asks);
        assert_eq!(asks().await, None);
        for (said, known) in [
            (lone(NOW), Asks::AtEachLogin),
            (confirmation(1, 3, NOW), Asks::AsDaemon),
            (lone(NOW), Asks::AsDaemon),
            (lone(LATER), Asks::AtEachLogin),
            (confirmation(1, 4, NOW), Asks::AtEachLogin),
        ] {
            fixture.confirm(1, said).await;
            assert_eq!(asks().await, Some(known), "after {said:?}");
        }
        let mut reader = fixture.store.read().await.unwrap();
        let all = reader.confirmations(&host_id(0), &host_id(9)).await.unwrap();
        let said = Confirmation { asks: Asks::AtEachLogin, ..confirmation(1, 4, LATER) };
        assert_eq!(all.into_iter().collect::<Vec<_>>(), [(host_id(1), said)]);
    }

    async fn receipts_are_forgotten_when_no_host_can_go_by_what_they_tell(fixture: Fixture) {
        fixture.with_hosts(1).await;
        for key in 2..=4 {
            fixture.add_key("alice", key).await;
        }
        let first = fixture.revoke(1).await;
        let kept = NOW.saturating_add(i64::from(MAX_GRACE_S + MAX_MAX_STALENESS_S));
        for key in 2..=4 {
            let revoked = fixture.write_at(kept).revoke_key(blob(key).fingerprint(), None).await;
            let _ = revoked.unwrap();
        }
        assert_eq!(fixture.named(first).await, [host_id(1)]);
        for grant_number in [2, 3] {
            let later = kept.saturating_add(1);
            let grant = grant(grant_number, for_user("alice"), on_host(1));
            fixture.write_at(later).add_grant(&grant).await.unwrap();
        }
        assert_eq!(fixture.named(first).await, []);
    }
}
