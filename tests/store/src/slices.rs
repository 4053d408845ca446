//! The slice that concerns a host decides like the whole roster.

use keyroster_roster::{
    Decision, Grant, GrantState, Host, Key, KeyState, Roster, Timestamp, User, UserKind, UserState,
    resolve,
};
use keyroster_store::{GrantFilter, Limit};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::fixture::{BEFORE, Fixture, LATER, NOW};
use crate::model::*;
use crate::on_both;

/// What a random roster is made of, by number.
#[derive(Debug, Clone)]
struct Plan {
    users: Vec<(UserState, Option<usize>)>,
    keys: Vec<(usize, Option<Timestamp>, bool)>,
    members: Vec<(usize, usize)>,
    host_members: Vec<(usize, usize)>,
    grants: Vec<Wish>,
    removed_host: Option<usize>,
}

#[derive(Debug, Clone)]
struct Wish {
    deny: bool,
    subject: Result<usize, usize>,
    target: Result<usize, usize>,
    root: bool,
    until: Option<Timestamp>,
    not_before: Option<Timestamp>,
    forwards: bool,
    revoked: bool,
}

const USERS: usize = 6;
const GROUPS: usize = 3;
const HOSTS: usize = 3;
const HOST_GROUPS: usize = 3;
const ROSTERS: usize = 12;

fn either(ones: usize, others: usize) -> impl Strategy<Value = Result<usize, usize>> {
    prop_oneof![(0..ones).prop_map(Ok), (0..others).prop_map(Err)]
}

fn wish() -> impl Strategy<Value = Wish> {
    let moment =
        || proptest::option::weighted(0.3, prop_oneof![1 => Just(BEFORE), 3 => Just(LATER)]);
    let ends = (either(USERS, GROUPS), either(HOSTS, HOST_GROUPS));
    let kind = (
        proptest::bool::weighted(0.1),
        any::<bool>(),
        any::<bool>(),
        proptest::bool::weighted(0.2),
    );
    (ends, kind, moment(), moment()).prop_map(|(ends, kind, until, not_before)| Wish {
        deny: kind.0,
        subject: ends.0,
        target: ends.1,
        root: kind.1,
        forwards: kind.2 && !kind.0,
        revoked: kind.3,
        not_before: not_before.filter(|start| until.is_none_or(|end| *start < end)),
        until,
    })
}

fn plan() -> impl Strategy<Value = Plan> {
    let state = prop_oneof![4 => Just(UserState::Active), 1 => Just(UserState::Suspended)];
    let user = (state, proptest::option::weighted(0.3, 0..USERS));
    let key = (
        0..USERS,
        proptest::option::weighted(0.3, prop_oneof![Just(BEFORE), Just(LATER)]),
        proptest::bool::weighted(0.2),
    );
    (
        prop::collection::vec(user, USERS),
        prop::collection::vec(key, 4..10),
        prop::collection::vec((0..GROUPS, 0..USERS), 0..8),
        prop::collection::vec((0..HOST_GROUPS, 0..HOSTS), 0..6),
        prop::collection::vec(wish(), 4..16),
        proptest::option::weighted(0.2, 0..HOSTS),
    )
        .prop_map(
            |(users, keys, members, host_members, grants, removed_host)| Plan {
                users,
                keys,
                members,
                host_members,
                grants,
                removed_host,
            },
        )
}

/// Names differ by roster, so that several fit into one database and must not disturb each other.
fn name(roster: usize, kind: &str, number: usize) -> String {
    format!("{kind}-{roster}-{number}")
}

impl Plan {
    fn user(&self, roster: usize, number: usize) -> User {
        let (state, owner) = self.users[number];
        // A service's owner must come before it, and be a person.
        let owner = owner.filter(|owner| *owner < number && self.kind_is_person(*owner));
        let owner = owner.map(|owner| user_name(&name(roster, "user", owner)));
        let kind = owner.map_or(UserKind::Person, |owner| UserKind::Service { owner });
        User {
            kind,
            state,
            ..person(&name(roster, "user", number))
        }
    }

    fn kind_is_person(&self, number: usize) -> bool {
        self.users[number]
            .1
            .is_none_or(|owner| owner >= number || !self.kind_is_person(owner))
    }

    fn grant(&self, roster: usize, number: usize) -> Grant {
        let wish = &self.grants[number];
        let subject = match wish.subject {
            Ok(user) => for_user(&name(roster, "user", user)),
            Err(group) => for_group(&name(roster, "group", group)),
        };
        let target = match wish.target {
            Ok(host) => on_host(host_number(roster, host)),
            Err(group) => on_host_group(&name(roster, "hosts", group)),
        };
        let options: &[&str] = if wish.forwards {
            &["port-forwarding", "no-pty"]
        } else {
            &[]
        };
        Grant {
            effect: if wish.deny {
                keyroster_roster::Effect::Deny
            } else {
                keyroster_roster::Effect::Allow
            },
            account: account(if wish.root { "root" } else { "deploy" }),
            options: keyroster_roster::GrantOptions::parse(options.iter().copied(), None).unwrap(),
            not_before: wish.not_before,
            until: wish.until,
            ..grant(
                u64::try_from(roster * 100 + number).unwrap(),
                subject,
                target,
            )
        }
    }

    fn key(&self, roster: usize, number: usize) -> Key {
        let (user, expires_at, revoked) = self.keys[number];
        let state = if revoked {
            KeyState::Revoked { at: BEFORE }
        } else {
            KeyState::Active
        };
        let byte = u8::try_from(roster * 10 + number).unwrap();
        Key {
            expires_at,
            state,
            ..key(&name(roster, "user", user), byte)
        }
    }

    #[expect(clippy::too_many_lines, reason = "one roster, told in order")]
    async fn load(&self, fixture: &Fixture, roster: usize) {
        for number in 0..USERS {
            fixture
                .write()
                .add_user(&self.user(roster, number))
                .await
                .unwrap();
        }
        for number in 0..self.keys.len() {
            fixture
                .write()
                .add_key(&self.key(roster, number))
                .await
                .unwrap();
        }
        for number in 0..GROUPS {
            fixture.add_group(&name(roster, "group", number), &[]).await;
        }
        for (group, user) in &self.members {
            let (group, user) = (
                group_name(&name(roster, "group", *group)),
                user_name(&name(roster, "user", *user)),
            );
            let _ = fixture
                .write()
                .add_group_member(&group, &user)
                .await
                .unwrap();
        }
        for number in 0..HOST_GROUPS {
            fixture.add_host_group(&name(roster, "hosts", number)).await;
        }
        for number in 0..HOSTS {
            fixture
                .add_host(host_number(roster, number), &name(roster, "hosts", 0))
                .await;
        }
        for (group, host) in &self.host_members {
            let (group, host) = (
                group_name(&name(roster, "hosts", *group)),
                host_id(host_number(roster, *host)),
            );
            let _ = fixture
                .write()
                .add_host_to_group(&group, &host)
                .await
                .unwrap();
        }
        for number in 0..self.grants.len() {
            let grant = self.grant(roster, number);
            fixture.write().add_grant(&grant).await.unwrap();
            if self.grants[number].revoked {
                let _ = fixture.write().revoke_grant(&grant.id, None).await.unwrap();
            }
        }
        if let Some(host) = self.removed_host {
            let _ = fixture
                .write()
                .remove_host(&host_id(host_number(roster, host)))
                .await
                .unwrap();
        }
    }
}

fn host_number(roster: usize, number: usize) -> u64 {
    u64::try_from(roster * 100 + number).unwrap()
}

/// The whole roster, by the lists.
#[expect(
    clippy::too_many_lines,
    reason = "one field of the roster after the other"
)]
async fn whole(fixture: &Fixture) -> Roster {
    let mut reader = fixture.store.read().await.unwrap();
    let (all, max) = (GrantFilter::default(), Limit::MAX);
    let host_groups = reader.host_groups(None, max).await.unwrap().items;
    Roster {
        users: reader
            .users(None, max)
            .await
            .unwrap()
            .items
            .into_iter()
            .map(|user| (user.name.clone(), user))
            .collect(),
        keys: reader
            .keys(None, None, max)
            .await
            .unwrap()
            .items
            .into_iter()
            .map(|key| (key.fingerprint, key))
            .collect(),
        groups: reader
            .groups(None, max)
            .await
            .unwrap()
            .items
            .into_iter()
            .map(|g| (g.name.clone(), g))
            .collect(),
        hosts: reader
            .hosts(None, max)
            .await
            .unwrap()
            .items
            .into_iter()
            .map(|host| (host.id.clone(), host))
            .collect(),
        host_groups: host_groups
            .into_iter()
            .map(|group| (group.group.name.clone(), group.group))
            .collect(),
        grants: reader
            .grants(&all, None, max)
            .await
            .unwrap()
            .items
            .into_iter()
            .map(|g| (g.id.clone(), g))
            .collect(),
    }
}

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
