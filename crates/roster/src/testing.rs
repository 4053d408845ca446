//! Small rosters for tests, and random ones in which everything is close enough to collide.

use std::collections::{BTreeMap, BTreeSet};

use keyroster_keys::line::base64;
use keyroster_keys::{AccountName, GroupName, HostName, KeyBlob, UserName};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::*;

mod reading;

pub(crate) use reading::Reading;

pub(crate) const NOW: Timestamp = Timestamp::from_unix(1_000);

/// The moments that grants and keys begin and end at in random rosters lie before this one.
pub(crate) const HORIZON: Timestamp = Timestamp::from_unix(1_012);

pub(crate) fn user_name(text: &str) -> UserName {
    UserName::parse(text).unwrap()
}

pub(crate) fn group_name(text: &str) -> GroupName {
    GroupName::parse(text).unwrap()
}

pub(crate) fn account(text: &str) -> AccountName {
    AccountName::parse(text).unwrap()
}

pub(crate) fn host_id(number: u32) -> HostId {
    HostId::parse(&format!("00000000-0000-7000-8000-{number:012x}")).unwrap()
}

pub(crate) fn grant_id(number: u32) -> GrantId {
    GrantId::parse(&format!("00000000-0000-7000-8000-{number:012x}")).unwrap()
}

/// An Ed25519 key of its own for each number.
pub(crate) fn blob(number: u32) -> KeyBlob {
    let mut bytes = b"\0\0\0\x0bssh-ed25519\0\0\0\x20".to_vec();
    bytes.extend([7; 28]);
    bytes.extend(number.to_be_bytes());
    KeyBlob::parse("ssh-ed25519", &base64::encode(&bytes)).unwrap()
}

pub(crate) fn options(texts: &[&str], command: Option<&str>) -> GrantOptions {
    GrantOptions::parse(texts.iter().copied(), command).unwrap()
}

pub(crate) fn from_list(texts: &[&str]) -> FromList {
    FromList::parse(texts.iter().copied()).unwrap()
}

/// A grant that lets user `alice` in to account `deploy` on host 1.
pub(crate) fn grant(number: u32) -> Grant {
    Grant {
        id: grant_id(number),
        effect: Effect::Allow,
        subject: Subject::User(user_name("alice")),
        account: account("deploy"),
        target: Target::Host(host_id(1)),
        options: GrantOptions::default(),
        from: None,
        not_before: None,
        until: None,
        reason: None,
        created_by: Actor::system(),
        created_at: Timestamp::from_unix(0),
        state: GrantState::Active,
    }
}

impl Roster {
    /// One host `web-1` in the host group `web`, and nobody.
    pub(crate) fn with_host() -> Self {
        let host = Host {
            id: host_id(1),
            name: HostName::parse("web-1").unwrap(),
            groups: BTreeSet::from([group_name("web")]),
            state: HostState::Active,
            enrolled_at: Timestamp::from_unix(0),
        };
        let group = HostGroup {
            name: group_name("web"),
            freshness: Freshness::default(),
            end_sessions: false,
        };
        Self {
            hosts: BTreeMap::from([(host.id.clone(), host)]),
            host_groups: BTreeMap::from([(group.name.clone(), group)]),
            ..Self::default()
        }
    }

    /// The same, with the person `alice` and her key 1.
    pub(crate) fn with_alice() -> Self {
        let mut roster = Self::with_host();
        roster.add_user("alice", UserKind::Person);
        roster.add_key("alice", 1);
        roster
    }

    pub(crate) fn add_user(&mut self, name: &str, kind: UserKind) {
        let name = user_name(name);
        let created_at = Timestamp::from_unix(0);
        self.users.insert(
            name.clone(),
            User {
                name,
                kind,
                state: UserState::Active,
                created_at,
            },
        );
    }

    pub(crate) fn add_key(&mut self, user: &str, number: u32) {
        let blob = blob(number);
        let key = Key {
            fingerprint: *blob.fingerprint(),
            user: user_name(user),
            blob,
            label: Label::default(),
            added_at: Timestamp::from_unix(0),
            expires_at: None,
            state: KeyState::Active,
        };
        self.keys.insert(key.fingerprint, key);
    }

    pub(crate) fn add_group(&mut self, name: &str, members: &[&str]) {
        let members = members.iter().map(|member| user_name(member)).collect();
        self.groups.insert(
            group_name(name),
            Group {
                name: group_name(name),
                members,
            },
        );
    }

    pub(crate) fn add_grant(&mut self, grant: Grant) {
        self.grants.insert(grant.id.clone(), grant);
    }

    /// What `alice`, or whoever has key 1, gets as `deploy` on host 1 at [`NOW`].
    pub(crate) fn ask(&self) -> Resolution {
        resolve(
            self,
            &host_id(1),
            &account("deploy"),
            blob(1).fingerprint(),
            NOW,
        )
    }
}

/// Options that often meet others halfway.
pub(crate) fn any_options() -> impl Strategy<Value = GrantOptions> {
    let flags = [
        "port-forwarding",
        "agent-forwarding",
        "X11-forwarding",
        "user-rc",
        "no-touch-required",
        "verify-required",
    ];
    let forwards = ["a:1", "a:2", "b:1", "a:*", "*:1", "*:*"];
    let variables = ["environment=A=1", "environment=B=1"];
    let command = proptest::option::weighted(0.2, select(vec!["run", "sync"]));
    let tunnel = proptest::option::weighted(0.2, select(vec!["tunnel=1", "tunnel=any"]));
    (
        subsequence(flags.to_vec(), 0..=flags.len()),
        subsequence(forwards.to_vec(), 0..3),
        subsequence(forwards.to_vec(), 0..3),
        subsequence(variables.to_vec(), 0..=2),
        (
            any::<bool>(),
            command,
            tunnel,
            proptest::bool::weighted(0.1),
        ),
    )
        .prop_map(
            |(flags, open, listen, variables, (pty, command, tunnel, other_value))| {
                let mut texts: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
                if flags.contains(&"port-forwarding") {
                    texts.extend(open.iter().map(|forward| format!("permitopen={forward}")));
                    texts.extend(
                        listen
                            .iter()
                            .map(|forward| format!("permitlisten={forward}")),
                    );
                }
                let ending = if other_value { "0" } else { "" };
                texts.extend(
                    variables
                        .iter()
                        .map(|variable| format!("{variable}{ending}")),
                );
                texts.extend(tunnel.map(str::to_owned));
                texts.push(if pty { "pty" } else { "no-pty" }.to_owned());
                GrantOptions::parse(texts.iter().map(String::as_str), command).unwrap()
            },
        )
}

pub(crate) fn any_from() -> impl Strategy<Value = Option<FromList>> {
    let ranges = [
        "10.0.0.0/8",
        "10.1.0.0/16",
        "10.1.2.3/32",
        "192.0.2.0/24",
        "2001:db8::/32",
        "0.0.0.0/0",
    ];
    proptest::option::weighted(0.4, subsequence(ranges.to_vec(), 1..4))
        .prop_map(|texts| texts.map(|texts| from_list(&texts)))
}

fn any_moment() -> impl Strategy<Value = Option<Timestamp>> {
    proptest::option::of((-4_i64..12).prop_map(|seconds| NOW.saturating_add(seconds)))
}

/// A grant in the world of [`any_roster`].
pub(crate) fn any_grant() -> impl Strategy<Value = Grant> {
    let subject = prop_oneof![
        select(vec!["alice", "bob", "robot"]).prop_map(|name| Subject::User(user_name(name))),
        select(vec!["ops", "dev"]).prop_map(|name| Subject::Group(group_name(name))),
    ];
    let target = prop_oneof![
        4 => Just(Target::Host(host_id(1))),
        1 => Just(Target::Host(host_id(2))),
        2 => Just(Target::HostGroup(group_name("web"))),
        1 => Just(Target::HostGroup(group_name("db"))),
    ];
    let account = prop_oneof![3 => Just("deploy"), 1 => Just("root")].prop_map(account);
    let state =
        prop_oneof![9 => Just(GrantState::Active), 1 => Just(GrantState::Revoked { at: NOW })];
    let effect = prop_oneof![9 => Just(Effect::Allow), 1 => Just(Effect::Deny)];
    let plain = prop_oneof![1 => Just(None), 1 => (any_options(), any_from()).prop_map(Some)];
    (
        1_u32..20,
        effect,
        subject,
        account,
        target,
        plain,
        any_moment(),
        any_moment(),
        state,
    )
        .prop_map(
            |(number, effect, subject, account, target, terms, not_before, until, state)| {
                let (options, from) = terms
                    .filter(|_| effect == Effect::Allow)
                    .unwrap_or_default();
                Grant {
                    effect,
                    subject,
                    account,
                    target,
                    options,
                    from,
                    not_before,
                    until,
                    state,
                    ..grant(number)
                }
            },
        )
}

/// Two persons, a service, two groups, a host and up to eight grants.
pub(crate) fn any_roster() -> impl Strategy<Value = Roster> {
    let names = ["alice", "bob", "robot"];
    let members = move || subsequence(names.to_vec(), 0..=names.len());
    let states = prop_oneof![8 => Just(UserState::Active), 1 => Just(UserState::Suspended)];
    let expiries = proptest::collection::vec(any_moment(), 6);
    (
        members(),
        members(),
        states,
        expiries,
        proptest::collection::vec(any_grant(), 0..8),
    )
        .prop_map(|(ops, dev, state, expiries, grants)| {
            let mut roster = Roster::with_host();
            roster.add_user("alice", UserKind::Person);
            roster.add_user("bob", UserKind::Person);
            roster.add_user(
                "robot",
                UserKind::Service {
                    owner: user_name("bob"),
                },
            );
            for (number, user) in (1..).zip(["alice", "alice", "bob", "bob", "robot", "robot"]) {
                roster.add_key(user, number);
            }
            for (key, expires_at) in roster.keys.values_mut().zip(expiries) {
                key.expires_at = expires_at;
            }
            for user in roster
                .users
                .values_mut()
                .filter(|user| user.name.as_str() == "bob")
            {
                user.state = state;
            }
            roster.add_group("ops", &ops);
            roster.add_group("dev", &dev);
            grants.into_iter().for_each(|grant| roster.add_grant(grant));
            roster
        })
}
