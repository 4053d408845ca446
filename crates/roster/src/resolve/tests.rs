use keyroster_keys::AccountName;

use super::*;
use crate::testing::{
    NOW, account, blob, from_list, grant, grant_id, group_name, host_id, options, user_name,
};
use crate::{Conflict, Effect, GrantState, HostState, KeyState, UserKind, UserState};

fn fingerprint(number: u32) -> Fingerprint {
    *blob(number).fingerprint()
}

fn permit(resolution: Resolution) -> Box<Permit> {
    match resolution.decision {
        Decision::Allow(permit) => permit,
        Decision::Deny(reason) => panic!("denied: {reason}"),
    }
}

fn refusal(resolution: Resolution) -> DenyReason {
    match resolution.decision {
        Decision::Allow(permit) => panic!("allowed: {}", permit.text()),
        Decision::Deny(reason) => reason,
    }
}

fn sentences(resolution: &Resolution) -> Vec<String> {
    resolution.reasons.iter().map(Finding::to_string).collect()
}

/// Alice with key 1 and one plain grant.
fn open() -> Roster {
    let mut roster = Roster::with_alice();
    roster.add_grant(grant(1));
    roster
}

#[test]
fn a_grant_lets_the_user_in_with_one_line_that_names_both() {
    let permit = permit(open().ask());
    let line = format!("restrict,pty {} keyroster:alice:{}", blob(1), grant_id(1));
    assert_eq!(permit.text(), line);
    assert_eq!(permit.line().render().unwrap(), line);
    assert_eq!(permit.grants(), [grant_id(1)]);
    assert_eq!(permit.valid_until(), None);
}

#[test]
fn a_grant_reaches_members_of_a_group_on_hosts_of_a_host_group() {
    let mut roster = Roster::with_alice();
    roster.add_grant(Grant {
        subject: Subject::Group(group_name("ops")),
        target: Target::HostGroup(group_name("web")),
        ..grant(1)
    });
    assert!(matches!(refusal(roster.ask()), DenyReason::NoGrant { .. }));
    roster.add_group("ops", &["alice"]);
    assert_eq!(
        sentences(&roster.ask()),
        [format!(
            "grant {} allows group \"ops\" account \"deploy\" on host group \"web\"",
            grant_id(1)
        )]
    );
    assert_eq!(permit(roster.ask()).grants(), [grant_id(1)]);
}

#[test]
fn no_grant_no_line() {
    let mut roster = Roster::with_alice();
    roster.add_grant(Grant {
        account: account("root"),
        ..grant(1)
    });
    roster.add_grant(Grant {
        target: Target::Host(host_id(2)),
        ..grant(2)
    });
    roster.add_grant(Grant {
        target: Target::HostGroup(group_name("db")),
        ..grant(3)
    });
    roster.add_grant(Grant {
        subject: Subject::User(user_name("bob")),
        ..grant(4)
    });
    let resolution = roster.ask();
    assert_eq!(
        sentences(&resolution),
        ["no grant lets user \"alice\" in as \"deploy\" on host \"web-1\" now"]
    );
    assert!(matches!(refusal(resolution), DenyReason::NoGrant { .. }));
}

#[test]
fn what_the_roster_does_not_know_is_refused() {
    let ask = |host, key| {
        refusal(resolve(
            &open(),
            &host_id(host),
            &account("deploy"),
            &fingerprint(key),
            NOW,
        ))
    };
    assert_eq!(ask(9, 1), DenyReason::HostUnknown { host: host_id(9) });
    assert_eq!(
        ask(1, 9),
        DenyReason::KeyUnknown {
            key: fingerprint(9)
        }
    );
    let mut roster = open();
    roster.users.clear();
    assert_eq!(
        refusal(roster.ask()),
        DenyReason::UserUnknown {
            user: user_name("alice")
        }
    );
}

#[test]
fn a_removed_host_lets_nobody_in() {
    let mut roster = open();
    for host in roster.hosts.values_mut() {
        host.state = HostState::Removed;
    }
    assert_eq!(
        refusal(roster.ask()).to_string(),
        "host \"web-1\" has been removed"
    );
}

#[test]
fn a_user_who_is_not_active_is_refused() {
    for (state, sentence) in [
        (UserState::Suspended, "user \"alice\" is suspended"),
        (UserState::Terminated, "user \"alice\" is terminated"),
    ] {
        let mut roster = open();
        for user in roster.users.values_mut() {
            user.state = state;
        }
        assert_eq!(refusal(roster.ask()).to_string(), sentence);
    }
}

#[test]
fn a_service_ends_with_the_person_who_answers_for_it() {
    let mut roster = open();
    let owner = user_name("bob");
    roster.add_user(
        "alice",
        UserKind::Service {
            owner: owner.clone(),
        },
    );
    let missing = DenyReason::OwnerNotPerson {
        user: user_name("alice"),
        owner: owner.clone(),
    };
    assert_eq!(refusal(roster.ask()), missing);
    roster.add_user("bob", UserKind::Person);
    assert_eq!(permit(roster.ask()).grants().len(), 1);
    roster.users.get_mut(&owner).unwrap().state = UserState::Suspended;
    assert_eq!(
        refusal(roster.ask()).to_string(),
        "service \"alice\" belongs to user \"bob\", who is suspended"
    );
    roster.add_user(
        "bob",
        UserKind::Service {
            owner: user_name("carol"),
        },
    );
    assert_eq!(refusal(roster.ask()), missing);
}

#[test]
fn a_revoked_key_is_refused_whenever_it_was_revoked() {
    for at in [NOW.saturating_add(-1), NOW, NOW.saturating_add(1)] {
        let mut roster = open();
        for key in roster.keys.values_mut() {
            key.state = KeyState::Revoked { at };
        }
        assert_eq!(
            refusal(roster.ask()),
            DenyReason::KeyRevoked {
                key: fingerprint(1),
                at
            }
        );
    }
}

#[test]
fn a_key_works_until_the_moment_of_its_expiry() {
    let mut roster = open();
    let ask = |roster: &mut Roster, at| {
        for key in roster.keys.values_mut() {
            key.expires_at = Some(at);
        }
        roster.ask()
    };
    let later = NOW.saturating_add(1);
    assert_eq!(permit(ask(&mut roster, later)).valid_until(), Some(later));
    assert_eq!(
        refusal(ask(&mut roster, NOW)),
        DenyReason::KeyExpired {
            key: fingerprint(1),
            at: NOW
        }
    );
}

#[test]
fn a_grant_holds_from_its_beginning_until_the_moment_of_its_end() {
    let with = |not_before: i64, until: i64| {
        let mut roster = Roster::with_alice();
        let [not_before, until] =
            [not_before, until].map(|seconds| Some(NOW.saturating_add(seconds)));
        roster.add_grant(Grant {
            not_before,
            until,
            ..grant(1)
        });
        roster.ask()
    };
    assert_eq!(
        permit(with(0, 1)).valid_until(),
        Some(NOW.saturating_add(1))
    );
    assert!(matches!(refusal(with(1, 2)), DenyReason::NoGrant { .. }));
    assert!(matches!(refusal(with(-1, 0)), DenyReason::NoGrant { .. }));
    let id = grant_id(1);
    let plain = format!("grant {id} allows user \"alice\" account \"deploy\" on host \"web-1\"");
    assert_eq!(
        sentences(&with(0, 1)),
        [format!("{plain} until 1970-01-01T00:16:41Z")]
    );
    assert_eq!(
        sentences(&with(1, 2))[0],
        format!("{plain}, but only from 1970-01-01T00:16:41Z on")
    );
    assert_eq!(
        sentences(&with(-1, 0))[0],
        format!("{plain}, but ended at 1970-01-01T00:16:40Z")
    );
}

#[test]
fn a_revoked_grant_never_holds_but_is_reported() {
    let mut roster = Roster::with_alice();
    roster.add_grant(Grant {
        state: GrantState::Revoked {
            at: NOW.saturating_add(5),
        },
        ..grant(1)
    });
    let resolution = roster.ask();
    assert!(sentences(&resolution)[0].ends_with(", but was revoked at 1970-01-01T00:16:45Z"));
    assert!(matches!(refusal(resolution), DenyReason::NoGrant { .. }));
}

#[test]
fn a_denial_wins_while_it_holds() {
    let mut roster = open();
    let until = Some(NOW.saturating_add(1));
    roster.add_grant(Grant {
        effect: Effect::Deny,
        until,
        ..grant(2)
    });
    assert_eq!(
        refusal(roster.ask()),
        DenyReason::GrantDenies { grant: grant_id(2) }
    );
    roster.add_grant(Grant {
        effect: Effect::Deny,
        until: Some(NOW),
        ..grant(2)
    });
    assert_eq!(permit(roster.ask()).grants(), [grant_id(1)]);
}

#[test]
fn a_denial_with_conditions_is_taken_as_a_full_one() {
    let mut roster = open();
    let denial = Grant {
        effect: Effect::Deny,
        from: Some(from_list(&["192.0.2.1"])),
        ..grant(2)
    };
    assert!(denial.check().is_err());
    roster.add_grant(denial);
    assert_eq!(
        refusal(roster.ask()),
        DenyReason::GrantDenies { grant: grant_id(2) }
    );
}

#[test]
fn several_grants_become_one_line_under_the_name_of_the_oldest() {
    let mut roster = Roster::with_alice();
    roster.add_grant(Grant {
        options: options(&["agent-forwarding"], None),
        ..grant(2)
    });
    roster.add_grant(Grant {
        from: Some(from_list(&["10.0.0.0/8"])),
        ..grant(1)
    });
    let resolution = roster.ask();
    assert_eq!(
        sentences(&resolution).last().unwrap(),
        "2 grants allow it, and the most restrictive reading of each option counts"
    );
    let permit = permit(resolution);
    assert!(
        permit
            .text()
            .starts_with("restrict,pty,from=\"10.0.0.0/8\" ssh-ed25519 ")
    );
    assert!(permit.text().ends_with(grant_id(1).as_str()));
    assert_eq!(permit.grants(), [grant_id(1), grant_id(2)]);
}

#[test]
fn grants_that_can_not_be_obeyed_together_let_nobody_in() {
    let mut roster = Roster::with_alice();
    roster.add_grant(Grant {
        options: options(&[], Some("backup")),
        ..grant(1)
    });
    roster.add_grant(Grant {
        options: options(&[], Some("restore")),
        ..grant(2)
    });
    let resolution = roster.ask();
    assert_eq!(
        sentences(&resolution).last().unwrap(),
        "the grants that allow it conflict: they force different commands"
    );
    assert_eq!(
        refusal(resolution),
        DenyReason::GrantsConflict {
            conflict: Conflict::Command
        }
    );
}

#[test]
fn every_obstacle_is_reported_and_the_first_is_the_reason() {
    let mut roster = open();
    for user in roster.users.values_mut() {
        user.state = UserState::Suspended;
    }
    for key in roster.keys.values_mut() {
        key.state = KeyState::Revoked { at: NOW };
        key.expires_at = Some(NOW);
    }
    let resolution = roster.ask();
    let refusals: Vec<&Finding> = resolution
        .reasons
        .iter()
        .filter(|finding| matches!(finding, Finding::Refused(_)))
        .collect();
    assert_eq!(refusals.len(), 3);
    assert_eq!(refusals[0].to_string(), "user \"alice\" is suspended");
    assert!(matches!(
        refusal(resolution),
        DenyReason::UserNotActive { .. }
    ));
}

#[test]
fn uid_0_counts_as_root_and_the_name_root_stays_root() {
    let toor = AccountName::parse("toor").unwrap();
    assert_eq!(effective_account(&toor, 0), AccountName::root());
    assert_eq!(effective_account(&toor, 1), toor);
    assert_eq!(
        effective_account(&AccountName::root(), 1_000),
        AccountName::root()
    );
}

#[test]
fn a_grant_that_could_never_hold_is_refused() {
    let with = |not_before, until| {
        Grant {
            not_before: Some(not_before),
            until: Some(until),
            ..grant(1)
        }
        .check()
    };
    assert!(with(NOW, NOW).is_err());
    assert!(with(NOW, NOW.saturating_add(1)).is_ok());
    let denial = Grant {
        effect: Effect::Deny,
        ..grant(1)
    };
    assert!(denial.check().is_ok());
    assert!(
        Grant {
            options: options(&["user-rc"], None),
            ..denial
        }
        .check()
        .is_err()
    );
}
