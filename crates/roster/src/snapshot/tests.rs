use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::testing::{
    HORIZON, NOW, account, any_roster, blob, from_list, grant, grant_id, group_name, host_id,
};
use crate::{HostState, KeyState, UserKind, resolve};

fn at(seconds: i64) -> Timestamp {
    NOW.saturating_add(seconds)
}

/// The spans of key 1 at the one account, with the options of each line.
fn spans(roster: &Roster) -> Vec<(i64, Option<i64>, String)> {
    let entries = snapshot_entries(roster, &host_id(1), NOW);
    let segments = entries
        .iter()
        .flat_map(|entry| &entry.keys)
        .flat_map(|key| &key.segments);
    segments
        .map(|segment| {
            let options = segment.line.split(' ').next().unwrap().to_owned();
            (
                segment.from.seconds_since(NOW),
                segment.until.map(|until| until.seconds_since(NOW)),
                options,
            )
        })
        .collect()
}

#[test]
fn a_plain_grant_is_one_segment_without_end() {
    let mut roster = Roster::with_alice();
    roster.add_grant(grant(1));
    let entries = snapshot_entries(&roster, &host_id(1), NOW);
    let line = format!("restrict,pty {} keyroster:alice:{}", blob(1), grant_id(1));
    let segments = vec![Segment {
        from: NOW,
        until: None,
        line,
    }];
    let keys = vec![KeyEntry {
        fingerprint: *blob(1).fingerprint(),
        blob: blob(1),
        segments,
    }];
    assert_eq!(
        entries,
        [AccountEntry {
            account: account("deploy"),
            keys
        }]
    );
}

#[test]
fn grants_that_begin_and_end_and_keys_that_expire_make_segments_and_gaps() {
    let mut roster = Roster::with_alice();
    roster.add_grant(Grant {
        until: Some(at(10)),
        ..grant(1)
    });
    roster.add_grant(Grant {
        from: Some(from_list(&["192.0.2.1"])),
        not_before: Some(at(5)),
        until: Some(at(8)),
        ..grant(2)
    });
    roster.add_grant(Grant {
        not_before: Some(at(20)),
        until: Some(at(40)),
        ..grant(3)
    });
    for key in roster.keys.values_mut() {
        key.expires_at = Some(at(30));
    }
    let plain = "restrict,pty".to_owned();
    let limited = "restrict,pty,from=\"192.0.2.1/32\"".to_owned();
    assert_eq!(
        spans(&roster),
        [
            (0, Some(5), plain.clone()),
            (5, Some(8), limited),
            (8, Some(10), plain.clone()),
            (20, Some(30), plain)
        ]
    );
}

#[test]
fn neighbours_with_the_same_line_are_joined() {
    let mut roster = Roster::with_alice();
    roster.add_grant(grant(1));
    roster.add_grant(Grant {
        not_before: Some(at(5)),
        until: Some(at(9)),
        ..grant(2)
    });
    assert_eq!(spans(&roster), [(0, None, "restrict,pty".to_owned())]);
}

#[test]
fn a_denial_that_is_to_come_ends_a_segment() {
    let mut roster = Roster::with_alice();
    roster.add_grant(grant(1));
    roster.add_grant(Grant {
        effect: Effect::Deny,
        not_before: Some(at(3)),
        ..grant(2)
    });
    assert_eq!(spans(&roster), [(0, Some(3), "restrict,pty".to_owned())]);
}

#[test]
fn keys_that_may_never_log_in_are_left_out() {
    let mut roster = Roster::with_alice();
    roster.add_key("alice", 2);
    roster.add_grant(grant(1));
    roster.keys.get_mut(blob(2).fingerprint()).unwrap().state = KeyState::Revoked { at: NOW };
    roster.add_grant(Grant {
        account: account("root"),
        until: Some(NOW),
        ..grant(2)
    });
    let entries = snapshot_entries(&roster, &host_id(1), NOW);
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].keys.len(), 1);
}

#[test]
fn an_unknown_host_and_a_removed_one_answer_nothing() {
    let mut roster = Roster::with_alice();
    roster.add_grant(grant(1));
    assert_eq!(snapshot_entries(&roster, &host_id(9), NOW), []);
    for host in roster.hosts.values_mut() {
        host.state = HostState::Removed;
    }
    assert_eq!(snapshot_entries(&roster, &host_id(1), NOW), []);
}

#[test]
fn accounts_and_keys_come_in_order() {
    let mut roster = Roster::with_alice();
    roster.add_user("bob", UserKind::Person);
    for number in 2..20 {
        roster.add_key(if number % 2 == 0 { "alice" } else { "bob" }, number);
    }
    roster.add_group("ops", &["bob", "alice"]);
    for (number, name) in (1..).zip(["zoe", "deploy", "root"]) {
        let subject = Subject::Group(group_name("ops"));
        roster.add_grant(Grant {
            subject,
            account: account(name),
            ..grant(number)
        });
    }
    let entries = snapshot_entries(&roster, &host_id(1), NOW);
    let names: Vec<&str> = entries.iter().map(|entry| entry.account.as_str()).collect();
    assert_eq!(names, ["deploy", "root", "zoe"]);
    for entry in entries {
        assert_eq!(entry.keys.len(), 19);
        assert!(entry.keys.is_sorted_by_key(|key| key.fingerprint));
    }
}

/// What the documentation of [`Roster`] calls the slice that concerns a host.
fn slice(roster: &Roster, host: &HostId) -> Roster {
    let mut slice = roster.clone();
    slice.hosts.retain(|id, _| id == host);
    slice
        .host_groups
        .retain(|name, _| slice.hosts.values().any(|host| host.groups.contains(name)));
    slice
        .grants
        .retain(|_, grant| slice.hosts.values().any(|host| targets(grant, host)));
    let subjects: BTreeSet<&Subject> = slice.grants.values().map(|grant| &grant.subject).collect();
    slice
        .groups
        .retain(|name, _| subjects.contains(&Subject::Group(name.clone())));
    let members = slice
        .groups
        .values()
        .flat_map(|group| group.members.iter().cloned());
    let users = subjects.iter().filter_map(|subject| match subject {
        Subject::User(name) => Some(name.clone()),
        Subject::Group(_) => None,
    });
    let concerned: BTreeSet<UserName> = members.chain(users).collect();
    slice.keys.retain(|_, key| concerned.contains(&key.user));
    let owners = concerned
        .iter()
        .filter_map(|name| match &roster.users.get(name)?.kind {
            UserKind::Service { owner } => Some(owner.clone()),
            UserKind::Person => None,
        });
    let kept: BTreeSet<UserName> = owners.chain(concerned.iter().cloned()).collect();
    slice.users.retain(|name, _| kept.contains(name));
    slice
}

proptest! {
    #[test]
    fn segments_answer_as_resolve_does_at_every_moment(roster in any_roster()) {
        let entries = snapshot_entries(&roster, &host_id(1), NOW);
        let answer = |account: &AccountName, key: &Fingerprint, moment| {
            let entry = entries.iter().find(|entry| entry.account == *account)?;
            let key = entry.keys.iter().find(|entry| entry.fingerprint == *key)?;
            let mut covering = key.segments.iter().filter(|segment| segment.covers(moment));
            let line = covering.next().map(|segment| segment.line.clone());
            assert!(covering.next().is_none(), "segments overlap");
            line
        };
        for moment in (0..).map(at).take_while(|moment| *moment <= HORIZON) {
            for (account, key) in ["deploy", "root"].map(account).iter().flat_map(|a| roster.keys.keys().map(move |k| (a, k))) {
                let expected = match resolve(&roster, &host_id(1), account, key, moment).decision {
                    Decision::Allow(permit) => Some(permit.text().to_owned()),
                    Decision::Deny(_) => None,
                };
                prop_assert_eq!(answer(account, key, moment), expected, "at {}", moment);
            }
        }
    }

    #[test]
    fn a_permit_lasts_until_the_moment_that_it_names(roster in any_roster()) {
        for key in roster.keys.keys() {
            let ask = |moment| match resolve(&roster, &host_id(1), &account("deploy"), key, moment).decision {
                Decision::Allow(permit) => Some((permit.text().to_owned(), permit.valid_until())),
                Decision::Deny(_) => None,
            };
            let Some((line, valid_until)) = ask(NOW) else { continue };
            let same = (1..).map(at).take_while(|moment| *moment <= HORIZON && valid_until.is_none_or(|end| *moment < end));
            for moment in same {
                prop_assert_eq!(ask(moment).map(|(line, _)| line), Some(line.clone()));
            }
        }
    }

    #[test]
    fn a_slice_answers_like_the_whole_roster(roster in any_roster()) {
        let whole = snapshot_entries(&roster, &host_id(1), NOW);
        prop_assert_eq!(snapshot_entries(&slice(&roster, &host_id(1)), &host_id(1), NOW), whole);
    }

    #[test]
    fn a_snapshot_taken_later_says_the_same_about_what_comes_after(roster in any_roster(), later in 0_i64..12) {
        let cut = |entries: Vec<AccountEntry>| -> Vec<AccountEntry> {
            let mut entries = entries;
            for key in entries.iter_mut().flat_map(|entry| &mut entry.keys) {
                key.segments.retain(|segment| segment.until.is_none_or(|until| until > at(later)));
                key.segments.iter_mut().for_each(|segment| segment.from = segment.from.max(at(later)));
            }
            entries.iter_mut().for_each(|entry| entry.keys.retain(|key| !key.segments.is_empty()));
            entries.retain(|entry| !entry.keys.is_empty());
            entries
        };
        let first = cut(snapshot_entries(&roster, &host_id(1), NOW));
        prop_assert_eq!(snapshot_entries(&roster, &host_id(1), at(later)), first);
    }
}
