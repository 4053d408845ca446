//! A write marks the hosts that it concerns.
//!
//! Random writes to random rosters, each judged in two ways: no host whose answers changed may be left out, and the hosts that
//! are marked are those that a plain reading of the roster finds.

use std::collections::{BTreeMap, BTreeSet};

use keyroster_keys::AccountName;
use keyroster_roster::{
    AccountEntry, Freshness, Grant, GrantState, Host, HostId, HostState, Revision, Roster, Subject,
    Target, Timestamp, UserState, snapshot_entries,
};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::fixture::{BEFORE, Fixture, LATER, NOW};
use crate::model::*;
use crate::on_both;
use crate::plan::*;
use crate::step::{Concerned, Step, Trial, step};
use Certificate::{Renew, Show};
use keyroster_store::{AccountChange, HostStanding};

const ROSTERS: usize = 4;
const STEPS: usize = 70;
const GRANTS: usize = 3;

/// How stale a host's answers may be, and what they are.
type Answers = (Freshness, Vec<AccountEntry>);

/// Everything that each active host answers, now and later, and how stale it may be.
fn answers(roster: &Roster) -> BTreeMap<HostId, Answers> {
    let active = roster.hosts.values().filter(|host| is_active(host));
    let answers = |host: &Host| {
        let entries = snapshot_entries(roster, &host.id, LONG_BEFORE);
        (host.id.clone(), (roster.freshness_of(host), entries))
    };
    active.map(answers).collect()
}

fn is_active(host: &Host) -> bool {
    host.state == HostState::Active
}

/// Whether a host that answered like this answers less now, or may be less stale.
fn takes_away(before: Option<&Answers>, after: Option<&Answers>) -> bool {
    let Some((freshness_before, before)) = before else {
        return false;
    };
    let Some((freshness_after, after)) = after else {
        return true;
    };
    freshness_before != freshness_after || !lines(before).is_subset(&lines(after))
}

/// Every line that is an answer, with its account and the moment.
fn lines(entries: &[AccountEntry]) -> BTreeSet<(&AccountName, Timestamp, &str)> {
    let mut lines = BTreeSet::new();
    for entry in entries {
        for segment in entry.keys.iter().flat_map(|key| &key.segments) {
            let moments = MOMENTS.into_iter().filter(|moment| segment.covers(*moment));
            lines.extend(moments.map(|moment| (&entry.account, moment, segment.line.as_str())));
        }
    }
    lines
}

/// The hosts that a write should mark, read from the roster as it was.
fn expected(concerned: &Concerned, before: &Roster) -> BTreeSet<HostId> {
    let subject_is = |grant: &Grant| match (concerned, &grant.subject) {
        (Concerned::Group(name), Subject::Group(group)) => name == group,
        (Concerned::Users(names), Subject::User(user)) => names.contains(user),
        (Concerned::Users(names), Subject::Group(group)) => {
            let members = &before.groups[group].members;
            names.iter().any(|name| members.contains(name))
        }
        _ => false,
    };
    let is_concerned = |host: &&Host| match concerned {
        Concerned::Nobody => false,
        Concerned::NewHost(_) => false,
        Concerned::Host(id) => host.id == *id,
        Concerned::Target(target) => is_on(host, target),
        Concerned::Group(_) | Concerned::Users(_) => before.grants.values().any(|grant| {
            grant.state == GrantState::Active && subject_is(grant) && is_on(host, &grant.target)
        }),
    };
    let active = before.hosts.values().filter(|host| is_active(host));
    let mut hosts: BTreeSet<HostId> = active
        .filter(is_concerned)
        .map(|host| host.id.clone())
        .collect();
    if let Concerned::NewHost(id) = concerned {
        hosts.insert(id.clone());
    }
    hosts
}

fn is_on(host: &Host, target: &Target) -> bool {
    match target {
        Target::Host(id) => host.id == *id,
        Target::HostGroup(name) => host.groups.contains(name),
    }
}

/// The hosts that writes after this revision marked.
async fn marked(fixture: &Fixture, after: Revision) -> BTreeSet<HostId> {
    let changed = fixture.changed_hosts(after).await;
    changed.into_iter().map(|(host, _)| host).collect()
}

/// A host whose answers changed is told for which accounts, or that it has to be told everything.
async fn judge_accounts(
    fixture: &Fixture,
    host: &HostId,
    revision: Revision,
    (was, is): (Option<&Answers>, Option<&Answers>),
    tried: &mut Tried,
) {
    let mut reader = fixture.store.read().await.unwrap();
    let standings = reader.standings(Some(revision)).await.unwrap();
    let standing = standings.iter().find(|standing| standing.id == *host);
    let (Some((_, was)), Some((_, is))) = (was, is) else {
        assert_eq!(
            standing.map(|standing| standing.whole > revision),
            Some(true)
        );
        return;
    };
    if standing.is_some_and(|standing| standing.whole > revision) {
        return;
    }
    let told = reader.account_changes(host, revision).await.unwrap();
    let entries = |entries: &[AccountEntry]| {
        entries
            .iter()
            .cloned()
            .map(|entry| (entry.account, entry.keys))
            .collect()
    };
    let (was, is): (BTreeMap<_, _>, BTreeMap<_, _>) = (entries(was), entries(is));
    for account in was.keys().chain(is.keys()) {
        if was.get(account) != is.get(account) {
            tried.told += 1;
            assert!(
                told.contains_key(account),
                "{account} of {host} is not told, but {told:?}"
            );
        }
    }
}

/// What the trials have tried.
#[derive(Debug, Default)]
struct Tried {
    changed: usize,
    told: usize,
    took_away: usize,
    spared: usize,
    unconcerned: usize,
}

/// Takes a step, and judges what was marked.
async fn judge(trial: &mut Trial<'_>, step: &Step, before: Roster, tried: &mut Tried) -> Roster {
    let fixture = trial.fixture;
    let revision = fixture.state().await.revision;
    let taken = trial.take(step, &before).await;
    let after = whole(fixture).await;
    let marked = marked(fixture, revision).await;
    if fixture.state().await.revision == revision {
        assert_eq!(marked, BTreeSet::new(), "{step:?} wrote nothing");
        return after;
    }
    let concerned = taken.unwrap();
    assert_eq!(
        marked,
        expected(&concerned, &before),
        "{step:?} concerns {concerned:?}"
    );
    let receipt = fixture
        .store
        .read()
        .await
        .unwrap()
        .receipt(fixture.state().await.revision)
        .await
        .unwrap();
    let receipt: BTreeSet<HostId> = receipt.into_iter().map(|host| host.host).collect();
    assert!(receipt.is_subset(&marked));
    let (was, is) = (answers(&before), answers(&after));
    for host in was.keys().chain(is.keys()) {
        let (was, is) = (was.get(host), is.get(host));
        if was == is {
            tried.spared += 1;
            continue;
        }
        tried.changed += 1;
        judge_accounts(fixture, host, revision, (was, is), tried).await;
        assert!(marked.contains(host), "{step:?} changed {was:?} to {is:?}");
        if takes_away(was, is) {
            tried.took_away += 1;
            assert!(
                receipt.contains(host),
                "{step:?} took from {was:?} and left {is:?}"
            );
        }
    }
    tried.unconcerned += usize::from(marked.is_empty());
    after
}

on_both! {
    async fn a_write_marks_every_host_whose_answers_it_changes_and_none_that_it_does_not_concern(fixture: Fixture) {
        let mut runner = TestRunner::deterministic();
        let mut tried = Tried::default();
        for roster in 0..ROSTERS {
            let mut plan = plan().new_tree(&mut runner).unwrap().current();
            // With all of them, every host would be concerned by everybody.
            plan.grants.truncate(GRANTS);
            plan.load(&fixture, roster).await;
            let mut trial = Trial::new(&fixture, roster);
            let mut now = whole(&fixture).await;
            for _ in 0..STEPS {
                let step = step().new_tree(&mut runner).unwrap().current();
                now = judge(&mut trial, &step, now, &mut tried).await;
            }
        }
        let Tried { changed, told, took_away, spared, unconcerned } = tried;
        assert!(changed > 50 && told > 30 && took_away > 30 && spared > 200 && unconcerned > 20, "too little was tried: {tried:?}");
    }

    async fn a_state_concerns_the_hosts_of_the_services_that_a_user_owns_and_a_key_does_not(fixture: Fixture) {
        fixture.add_person("alice").await;
        fixture.write().add_user(&service("robot", "alice")).await.unwrap();
        fixture.add_key("robot", 1).await;
        fixture.add_group("ops", &["robot"]).await;
        fixture.add_host_group("web").await;
        fixture.add_host(1, "web").await;
        fixture.add_host(2, "web").await;
        fixture.add_grant(1, for_user("robot"), on_host(1)).await;
        fixture.add_grant(2, for_group("ops"), on_host(2)).await;
        let before = fixture.state().await.revision;
        fixture.add_key("alice", 2).await;
        assert_eq!(marked(&fixture, before).await, BTreeSet::new());
        let suspended = fixture.write().set_user_state(&user_name("alice"), UserState::Suspended, None).await;
        let revision = suspended.unwrap().state().revision;
        let both = BTreeSet::from([host_id(1), host_id(2)]);
        assert_eq!(marked(&fixture, before).await, both);
        let receipt = fixture.store.read().await.unwrap().receipt(revision).await.unwrap();
        assert_eq!(receipt.into_iter().map(|host| host.host).collect::<BTreeSet<_>>(), both);
    }

    async fn a_write_tells_the_accounts_that_it_concerns_and_no_others(fixture: Fixture) {
        for name in ["alice", "bob"] {
            fixture.add_person(name).await;
        }
        fixture.add_key("alice", 1).await;
        fixture.add_group("ops", &["alice"]).await;
        fixture.add_host_group("web").await;
        fixture.add_host(1, "web").await;
        fixture.add_host(2, "web").await;
        let grants = [
            (1, for_user("alice"), on_host_group("web"), "deploy"),
            (2, for_group("ops"), on_host(1), "root"),
            (3, for_user("bob"), on_host_group("web"), "backup"),
        ];
        for (number, subject, target, name) in grants {
            let grant = keyroster_roster::Grant { account: account(name), ..grant(number, subject, target) };
            fixture.write().add_grant(&grant).await.unwrap();
        }
        let before = fixture.state().await.revision;
        let alice = user_name("alice");
        let suspended = fixture.write_at(LATER).set_user_state(&alice, UserState::Suspended, None).await.unwrap().state();
        let mut reader = fixture.store.read().await.unwrap();
        let change = AccountChange { revision: suspended.revision, at: LATER };
        let told = reader.account_changes(&host_id(1), before).await.unwrap();
        assert_eq!(told, BTreeMap::from([(account("deploy"), change), (account("root"), change)]));
        let told = reader.account_changes(&host_id(2), before).await.unwrap();
        assert_eq!(told, BTreeMap::from([(account("deploy"), change)]));
        assert_eq!(reader.account_changes(&host_id(1), suspended.revision).await.unwrap(), BTreeMap::new());
    }

    async fn an_account_whose_grants_went_is_told_and_a_host_that_moved_is_told_as_a_whole(fixture: Fixture) {
        fixture.add_person("alice").await;
        fixture.add_group("ops", &["alice"]).await;
        for name in ["web", "db"] {
            fixture.add_host_group(name).await;
        }
        fixture.add_host(1, "web").await;
        fixture.add_host(2, "web").await;
        fixture.add_grant(1, for_group("ops"), on_host_group("web")).await;
        let before = fixture.state().await.revision;
        let gone = fixture.write().delete_group(&group_name("ops")).await.unwrap().revision;
        let moved = fixture.write().add_host_to_group(&group_name("db"), &host_id(2)).await.unwrap().state().revision;
        let mut reader = fixture.store.read().await.unwrap();
        let told = reader.account_changes(&host_id(1), before).await.unwrap();
        assert_eq!(told[&account("deploy")].revision, gone);
        let whole = |standings: Vec<HostStanding>| -> BTreeMap<HostId, _> {
            standings.into_iter().map(|standing| (standing.id, (standing.changed, standing.whole > before, standing.groups))).collect()
        };
        let standings = whole(reader.standings(Some(before)).await.unwrap());
        let both = BTreeSet::from([group_name("db"), group_name("web")]);
        assert_eq!(standings, BTreeMap::from([
            (host_id(1), (gone, false, None)),
            (host_id(2), (moved, true, Some(both))),
        ]));
        drop(reader);
        let _ = fixture.write().delete_host_group(&group_name("web")).await.unwrap();
        let mut reader = fixture.store.read().await.unwrap();
        let standings = whole(reader.standings(Some(moved)).await.unwrap());
        let groups = |number: u64| standings[&host_id(number)].2.clone().unwrap();
        assert_eq!((groups(1), groups(2)), (BTreeSet::new(), BTreeSet::from([group_name("db")])));
    }

    async fn a_standing_is_told_anew_when_a_certificate_takes_the_place_of_another(fixture: Fixture) {
        fixture.add_host_group("web").await;
        fixture.add_host(1, "web").await;
        fixture.add_host(2, "web").await;
        for shown in [Renew, Show] {
            let before = fixture.state().await.revision;
            match shown {
                Renew => drop(fixture.write().renew_certificate(&host_id(1), 1).await.unwrap()),
                Show => drop(fixture.write().show_certificate(&host_id(1), 2).await.unwrap()),
            }
            let mut reader = fixture.store.read().await.unwrap();
            let standings = reader.standings(Some(before)).await.unwrap();
            let credential = reader.host_credential(&host_id(1)).await.unwrap().unwrap();
            assert_eq!(standings.len(), 1);
            assert_eq!((&standings[0].id, standings[0].credential), (&host_id(1), credential));
            assert!(standings[0].changed <= before, "no answer changes by it");
        }
    }

    async fn hosts_that_changed_are_told_with_their_newest_write(fixture: Fixture) {
        fixture.add_person("alice").await;
        fixture.add_host_group("web").await;
        for number in 1..=3 {
            fixture.add_host(number, "web").await;
        }
        let before = fixture.state().await.revision;
        fixture.add_grant(1, for_user("alice"), on_host(3)).await;
        let third = fixture.state().await.revision;
        fixture.add_grant(2, for_user("alice"), on_host(1)).await;
        let first = fixture.state().await.revision;
        let changed = fixture.changed_hosts(before).await;
        assert_eq!(changed, [(host_id(3), third), (host_id(1), first)]);
        assert_eq!(fixture.changed_hosts(first).await, []);
    }
}

/// What becomes of a host's certificate.
enum Certificate {
    Renew,
    Show,
}

const LONG_BEFORE: Timestamp = BEFORE.saturating_add(-1);

/// Moments between which no answer of a random roster changes.
const MOMENTS: [Timestamp; 4] = [LONG_BEFORE, BEFORE, NOW, LATER];
