//! The slice that concerns a host decides like the whole roster.

use keyroster_roster::{Decision, GrantState, Host, Key, KeyState, Roster, Timestamp, resolve};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::fixture::{BEFORE, Fixture, LATER, NOW};
use crate::model::*;
use crate::on_both;
use crate::plan::{plan, whole};

const ROSTERS: usize = 12;

/// The line that a key gets, if it gets one.
fn answer(
    roster: &Roster,
    host: &Host,
    account_name: &str,
    key: &Key,
    now: Timestamp,
) -> Option<String> {
    match resolve(
        roster,
        &host.id,
        &account(account_name),
        &key.fingerprint,
        now,
    )
    .decision
    {
        Decision::Allow(permit) => Some(format!("{permit:?}")),
        Decision::Deny(_) => None,
    }
}

on_both! {
    async fn a_slice_decides_like_the_whole_roster(fixture: Fixture) {
        let mut runner = TestRunner::deterministic();
        for roster in 0..ROSTERS {
            let plan = plan().new_tree(&mut runner).unwrap().current();
            plan.load(&fixture, roster).await;
        }
        let whole = whole(&fixture).await;
        let (mut allowed, mut denied) = (0, 0);
        for host in whole.hosts.values() {
            let slice = fixture.store.host_slice(&host.id).await.unwrap().unwrap();
            assert_eq!(slice.host, *host);
            assert_eq!(slice.state, fixture.state().await);
            assert_eq!(slice.roster.freshness_of(host), whole.freshness_of(host));
            for key in whole.keys.values() {
                for account in ["root", "deploy"] {
                    for now in [BEFORE.saturating_add(-1), NOW, LATER] {
                        let expected = answer(&whole, host, account, key, now);
                        let found = answer(&slice.roster, host, account, key, now);
                        assert_eq!(found, expected, "{account}@{} with {key:?} at {now}", host.name);
                        if expected.is_some() { allowed += 1 } else { denied += 1 }
                    }
                }
            }
        }
        assert!(allowed > 100 && denied > 100, "the rosters try nothing: {allowed} allowed, {denied} denied");
    }

    async fn a_part_of_a_slice_decides_like_the_whole_for_its_accounts_and_holds_no_others(fixture: Fixture) {
        let mut runner = TestRunner::deterministic();
        for roster in 0..ROSTERS {
            let plan = plan().new_tree(&mut runner).unwrap().current();
            plan.load(&fixture, roster).await;
        }
        let mut reader = fixture.store.read().await.unwrap();
        let whole = whole(&fixture).await;
        // More than one query asks for.
        let others: Vec<_> = (0..40).map(|number| account(&format!("other{number}"))).collect();
        let mut told = 0;
        for host in whole.hosts.values() {
            let all = keyroster_roster::snapshot_entries(&whole, &host.id, NOW);
            for name in ["root", "deploy"].map(account) {
                let accounts: Vec<_> = others.iter().chain([&name]).collect();
                let part = reader.host_slice_of(&host.id, &accounts).await.unwrap().unwrap();
                assert!(part.roster.grants.values().all(|grant| grant.account == name));
                assert!(part.roster.keys.values().all(|key| key.state == KeyState::Active));
                let found = keyroster_roster::snapshot_entries(&part.roster, &host.id, NOW);
                let expected: Vec<_> = all.iter().filter(|entry| entry.account == name).cloned().collect();
                assert_eq!(found, expected);
                assert_eq!(part.roster.freshness_of(&part.host), whole.freshness_of(host));
                told += expected.len();
            }
        }
        assert!(told > 10, "the rosters try nothing: {told}");
    }

    async fn a_slice_holds_nothing_that_does_not_concern_its_host(fixture: Fixture) {
        for name in ["alice", "bob", "owner", "stranger"] {
            fixture.add_person(name).await;
        }
        fixture.write().add_user(&service("robot", "owner")).await.unwrap();
        for (user, number) in [("alice", 1), ("bob", 2), ("owner", 3), ("stranger", 4), ("robot", 5)] {
            fixture.add_key(user, number).await;
        }
        fixture.add_group("ops", &["robot"]).await;
        fixture.add_group("empty", &[]).await;
        fixture.add_group("others", &["stranger"]).await;
        fixture.add_host_group("web").await;
        fixture.add_host_group("db").await;
        fixture.add_host(1, "web").await;
        fixture.add_host(2, "db").await;
        fixture.add_grant(1, for_user("alice"), on_host(1)).await;
        fixture.add_grant(2, for_group("ops"), on_host_group("web")).await;
        fixture.add_grant(3, for_group("empty"), on_host_group("web")).await;
        fixture.add_grant(4, for_group("others"), on_host(2)).await;
        fixture.add_grant(5, for_user("bob"), on_host(1)).await;
        let _ = fixture.write().revoke_grant(&grant_id(5), None).await.unwrap();
        let slice = fixture.store.host_slice(&host_id(1)).await.unwrap().unwrap().roster;
        let names = |names: &[&str]| names.iter().map(|name| user_name(name)).collect::<Vec<_>>();
        assert_eq!(slice.users.into_keys().collect::<Vec<_>>(), names(&["alice", "owner", "robot"]));
        let groups: Vec<_> = slice.groups.values().map(|group| (group.name.as_str(), group.members.len())).collect();
        assert_eq!(groups, [("empty", 0), ("ops", 1)]);
        assert_eq!(slice.grants.into_keys().collect::<Vec<_>>(), [1, 2, 3].map(grant_id));
        assert!(slice.keys.values().all(|key| !["bob", "stranger"].contains(&key.user.as_str())));
        assert_eq!(slice.keys.len(), 3);
        assert_eq!(slice.hosts.into_keys().collect::<Vec<_>>(), [host_id(1)]);
        assert_eq!(slice.host_groups.into_keys().collect::<Vec<_>>(), [group_name("web")]);
    }

    async fn a_host_that_never_was_has_no_slice_and_a_removed_one_says_so(fixture: Fixture) {
        assert_eq!(fixture.store.host_slice(&host_id(1)).await.unwrap(), None);
        fixture.add_host_group("web").await;
        fixture.add_host(1, "web").await;
        let _ = fixture.write().remove_host(&host_id(1)).await.unwrap();
        let slice = fixture.store.host_slice(&host_id(1)).await.unwrap().unwrap();
        assert_eq!(slice.host.state, keyroster_roster::HostState::Removed);
    }

    async fn a_slice_of_a_grant_given_both_ways_holds_it_once_each(fixture: Fixture) {
        fixture.add_person("alice").await;
        for group in ["web", "eu"] {
            fixture.add_host_group(group).await;
        }
        fixture.add_host(1, "web").await;
        let _ = fixture.write().add_host_to_group(&group_name("eu"), &host_id(1)).await.unwrap();
        fixture.add_grant(1, for_user("alice"), on_host_group("web")).await;
        fixture.add_grant(2, for_user("alice"), on_host_group("eu")).await;
        let state = GrantState::Active;
        let slice = fixture.store.host_slice(&host_id(1)).await.unwrap().unwrap().roster;
        assert!(slice.grants.values().all(|grant| grant.state == state));
        assert_eq!(slice.grants.len(), 2);
    }
}
