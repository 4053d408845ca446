//! Random rosters.

use keyroster_roster::{
    Effect, Freshness, FreshnessMode, Grant, GrantOptions, HostGroup, Key, KeyState, Roster,
    Timestamp, User, UserKind, UserState,
};
use keyroster_store::{GrantFilter, Limit};
use proptest::prelude::*;

use crate::fixture::{BEFORE, Fixture, LATER};
use crate::model::*;

/// What a random roster is made of, by number.
#[derive(Debug, Clone)]
pub struct Plan {
    pub users: Vec<(UserState, Option<usize>)>,
    pub keys: Vec<(usize, Option<Timestamp>, bool)>,
    pub members: Vec<(usize, usize)>,
    pub host_members: Vec<(usize, usize)>,
    pub grants: Vec<Wish>,
    pub removed_host: Option<usize>,
}

#[derive(Debug, Clone)]
pub struct Wish {
    pub deny: bool,
    pub subject: Result<usize, usize>,
    pub target: Result<usize, usize>,
    pub root: bool,
    pub until: Option<Timestamp>,
    pub not_before: Option<Timestamp>,
    pub forwards: bool,
    pub revoked: bool,
}

pub const USERS: usize = 6;
pub const GROUPS: usize = 3;
pub const HOSTS: usize = 3;
pub const HOST_GROUPS: usize = 3;

fn either(ones: usize, others: usize) -> impl Strategy<Value = Result<usize, usize>> {
    prop_oneof![(0..ones).prop_map(Ok), (0..others).prop_map(Err)]
}

pub fn wish() -> impl Strategy<Value = Wish> {
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

pub fn plan() -> impl Strategy<Value = Plan> {
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
pub fn name(roster: usize, kind: &str, number: usize) -> String {
    format!("{kind}-{roster}-{number}")
}

impl Wish {
    /// The grant with this number.
    pub fn grant(&self, roster: usize, number: usize) -> Grant {
        let subject = match self.subject {
            Ok(user) => for_user(&name(roster, "user", user)),
            Err(group) => for_group(&name(roster, "group", group)),
        };
        let target = match self.target {
            Ok(host) => on_host(host_number(roster, host)),
            Err(group) => on_host_group(&name(roster, "hosts", group)),
        };
        let options: &[&str] = if self.forwards {
            &["port-forwarding", "no-pty"]
        } else {
            &[]
        };
        Grant {
            effect: if self.deny {
                Effect::Deny
            } else {
                Effect::Allow
            },
            account: account(if self.root { "root" } else { "deploy" }),
            options: GrantOptions::parse(options.iter().copied(), None).unwrap(),
            not_before: self.not_before,
            until: self.until,
            ..grant(
                u64::try_from(roster * 100 + number).unwrap(),
                subject,
                target,
            )
        }
    }
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
    pub async fn load(&self, fixture: &Fixture, roster: usize) {
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
            let group = HostGroup {
                name: group_name(&name(roster, "hosts", number)),
                freshness: freshness(number),
                end_sessions: number % 2 == 1,
            };
            fixture.write().add_host_group(&group).await.unwrap();
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
            let grant = self.grants[number].grant(roster, number);
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

/// How stale an answer may be in a host group, by its number.
pub fn freshness(number: usize) -> Freshness {
    match number {
        0 => Freshness::default(),
        1 => Freshness::new(10, 7_200, FreshnessMode::Strict).unwrap(),
        _ => Freshness::new(60, 600, FreshnessMode::Grace).unwrap(),
    }
}

pub fn host_number(roster: usize, number: usize) -> u64 {
    u64::try_from(roster * 100 + number).unwrap()
}

/// The whole roster, by the lists.
#[expect(
    clippy::too_many_lines,
    reason = "one field of the roster after the other"
)]
pub async fn whole(fixture: &Fixture) -> Roster {
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
