use keyroster_roster::{AuditEvent, EventHash};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp::from_unix(1_795_250_096);
const HOST: &str = "01939e8a-7c3f-7b1e-9d55-0123456789ab";
const GRANT: &str = "01939e8a-7c3f-7b1e-8a00-0123456789ab";

fn entry(certainty: Certainty, tag: (u64, u64), what: (Action, &str, Json)) -> Entry {
    Entry {
        certainty,
        epoch: Epoch::new(tag.0).unwrap(),
        event: AuditEvent {
            sequence: tag.1,
            revision: Revision::new(tag.1).unwrap(),
            at: NOW,
            actor: "admin".into(),
            action: what.0.as_str().into(),
            object: what.1.into(),
            detail: what.2.to_string(),
            previous_hash: EventHash::ZERO,
            hash: EventHash::ZERO,
        },
    }
}

fn done(revision: u64, what: (Action, &str, Json)) -> Entry {
    entry(Certainty::Done, (1, revision), what)
}

fn intent(revision: u64, what: (Action, &str, Json)) -> Entry {
    entry(Certainty::Intent, (1, revision), what)
}

fn state(word: &str) -> (Action, &'static str, Json) {
    (Action::UserSetState, "alice", json!({ "state": word }))
}

fn member(action: Action) -> (Action, &'static str, Json) {
    (action, "ops", json!({ "user": "alice" }))
}

fn standing(entries: &[Entry]) -> Standing {
    let mut standing = Standing::default();
    for entry in entries {
        standing.take(entry, Trust::Whole).unwrap();
    }
    standing
}

fn is_suspended(entries: &[Entry]) -> bool {
    standing(entries).suspended().count() == 1
}

fn word(entries: &[Entry]) -> MembershipWord {
    let (group, user) = (
        GroupName::parse("ops").unwrap(),
        UserName::parse("alice").unwrap(),
    );
    standing(entries).members.word(&group, &user)
}

#[test]
fn the_last_word_on_a_user_counts() {
    assert!(is_suspended(&[intent(5, state("suspended"))]));
    assert!(!is_suspended(&[
        intent(5, state("suspended")),
        done(6, state("active"))
    ]));
    assert!(is_suspended(&[
        intent(5, state("suspended")),
        done(6, state("active")),
        intent(7, state("suspended")),
    ]));
}

#[test]
fn what_gives_back_counts_only_when_it_is_later_in_the_file_and_by_the_rosters_count() {
    assert!(is_suspended(&[
        done(6, state("active")),
        intent(5, state("suspended"))
    ]));
    assert!(is_suspended(&[
        intent(7, state("suspended")),
        done(6, state("active"))
    ]));
    assert!(is_suspended(&[
        intent(6, state("suspended")),
        done(6, state("active"))
    ]));
    let later_epoch = entry(Certainty::Done, (2, 3), state("active"));
    assert!(!is_suspended(&[intent(7, state("suspended")), later_epoch]));
}

#[test]
fn what_gives_back_does_not_count_before_it_was_committed_or_when_lines_may_be_missing() {
    assert!(is_suspended(&[
        intent(5, state("suspended")),
        intent(6, state("active"))
    ]));
    let mut partial = Standing::default();
    for entry in [done(5, state("suspended")), done(6, state("active"))] {
        partial.take(&entry, Trust::Partial).unwrap();
    }
    assert_eq!(partial.suspended().count(), 1);
}

#[test]
fn a_terminated_user_and_a_revoked_key_stay_so_whatever_comes_later() {
    let key = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let standing = standing(&[
        intent(5, state("terminated")),
        intent(6, (Action::KeyRevoke, key, json!({ "user": "alice" }))),
        done(9, state("active")),
        done(10, (Action::KeyAdd, key, json!({}))),
    ]);
    assert_eq!((standing.terminated.len(), standing.keys.len()), (1, 1));
}

#[test]
fn a_membership_is_what_was_last_said_of_it() {
    let (add, remove) = (Action::GroupAddMember, Action::GroupRemoveMember);
    assert_eq!(word(&[]), MembershipWord::Silent);
    assert_eq!(word(&[done(5, member(add))]), MembershipWord::Into);
    assert_eq!(
        word(&[done(5, member(add)), done(6, member(remove))]),
        MembershipWord::Out
    );
    assert_eq!(
        word(&[done(5, member(remove)), done(6, member(add))]),
        MembershipWord::Into
    );
    assert_eq!(
        word(&[done(5, member(add)), intent(6, member(remove))]),
        MembershipWord::Either
    );
}

#[test]
fn the_end_of_a_group_ends_every_membership_until_somebody_is_put_into_its_successor() {
    let delete = (Action::GroupDelete, "ops", json!({ "grants": [GRANT] }));
    let deleted = [intent(5, delete)];
    assert_eq!(word(&deleted), MembershipWord::Out);
    assert_eq!(standing(&deleted).grants.len(), 1);
    let [deleted] = deleted;
    let again = done(7, member(Action::GroupAddMember));
    assert_eq!(word(&[deleted, again]), MembershipWord::Into);
}

#[test]
fn a_denial_stands_until_it_is_revoked_and_a_revoked_allowance_for_ever() {
    let deny = json!({
        "account": "deploy", "command": null, "effect": "deny", "from": null, "group": null, "host": HOST,
        "host_group": null, "not_before": null, "options": [], "reason": "left", "until": "2027-11-21T08:34:56Z",
        "user": "alice",
    });
    let revoke = |effect: &str| {
        (
            Action::GrantRevoke,
            GRANT,
            json!({ "effect": effect, "reason": null }),
        )
    };
    let added = intent(5, (Action::GrantAdd, GRANT, deny));
    let stands = standing(std::slice::from_ref(&added));
    let grant = stands.denials().next().unwrap();
    assert!(grant.check().is_ok() && grant.until.unwrap().as_unix() == 1_826_786_096);
    let revoked = standing(&[added.clone(), done(6, revoke("deny"))]);
    assert_eq!((revoked.denials().count(), revoked.grants.len()), (0, 0));
    let uncommitted = standing(&[added, intent(6, revoke("deny"))]);
    assert_eq!(uncommitted.denials().count(), 1);
    assert_eq!(standing(&[intent(6, revoke("allow"))]).grants.len(), 1);
}

#[test]
fn what_makes_no_sense_is_refused() {
    for what in [
        (Action::KeyRevoke, "SHA256:short", json!({})),
        (Action::UserSetState, "alice", json!({ "state": "gone" })),
        (Action::GroupRemoveMember, "ops", json!({})),
        (
            Action::HostEnrol,
            HOST,
            json!({ "name": "UPPER", "host_group": "web" }),
        ),
    ] {
        assert_eq!(Standing::default().take(&done(5, what), Trust::Whole), None);
    }
}

/// Any of a few writes about one user and one membership.
fn any_entry() -> impl Strategy<Value = Entry> {
    let whats = prop_oneof![
        Just(state("suspended")),
        Just(state("active")),
        Just(member(Action::GroupAddMember)),
        Just(member(Action::GroupRemoveMember)),
    ];
    (any::<bool>(), 1_u64..6, whats).prop_map(|(is_done, revision, what)| {
        let certainty = if is_done {
            Certainty::Done
        } else {
            Certainty::Intent
        };
        entry(certainty, (1, revision), what)
    })
}

proptest! {
    #[test]
    fn a_second_journal_never_makes_less_stand(
        one in prop::collection::vec(any_entry(), 0..8),
        other in prop::collection::vec(any_entry(), 0..8),
    ) {
        let mut both = standing(&one);
        both.join(standing(&other));
        for part in [&one, &other] {
            prop_assert!(!is_suspended(part) || both.suspended().count() == 1);
            let (group, user) = (GroupName::parse("ops").unwrap(), UserName::parse("alice").unwrap());
            let joined = both.members.word(&group, &user);
            let is_in = match word(part) {
                MembershipWord::Silent => true,
                said => joined == said || joined == MembershipWord::Either,
            };
            prop_assert!(is_in);
        }
    }

    #[test]
    fn saying_a_thing_twice_changes_nothing(entries in prop::collection::vec(any_entry(), 0..8)) {
        let twice: Vec<Entry> = entries.iter().flat_map(|entry| [entry.clone(), entry.clone()]).collect();
        prop_assert_eq!(standing(&entries), standing(&twice));
    }
}
