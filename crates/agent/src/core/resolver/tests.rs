use std::sync::Arc;

use keyroster_api::freshness::ModeText;
use keyroster_api::snapshot::Snapshot;

use super::*;
use crate::core::freshness::Confirmation;
use crate::core::moment::BootId;
use crate::testing::{BLOB, BOOT, KEY_TYPE, OTHER_BLOB, OTHER_BOOT, hold, moment, snapshot, tag};

struct Uncached;

impl LineSource for Uncached {
    fn lines(&self, held: &Held, asked: &Asked<'_>) -> Arc<Lines> {
        Arc::new(held.lines(&asked.account, asked.key_type, asked.key_base64))
    }
}

const CONFIRMED_S: u64 = 1_000;
const WALL_S: i64 = 1_000_000;

fn known(snapshot: &Snapshot) -> Knowledge {
    let sent = moment(BOOT, CONFIRMED_S, WALL_S);
    Knowledge {
        held: Some(hold(snapshot)),
        confirmed: Some(Confirmation::at(&sent, WALL_S)),
        refused: None,
        seen: tag(1, 10),
    }
}

fn question<'a>(account: &'a str, uid: u32, blob: &'a str) -> Question<'a> {
    Question {
        uid,
        account,
        key_type: KEY_TYPE,
        key_base64: blob,
        fingerprint: "SHA256:x",
    }
}

fn ask(known: &Knowledge, account: &str, now: &Moment, effort: Effort) -> Resolution {
    let asked = Asked::parse(&question(account, 1000, BLOB)).unwrap();
    resolve(known, &asked, now, effort, &Uncached)
}

fn answer(resolution: Resolution) -> (Verdict, Reason) {
    match resolution {
        Resolution::Answer(answer) => (answer.verdict, answer.reason),
        Resolution::Revalidate => panic!("asked to revalidate"),
    }
}

fn later(seconds: u64) -> Moment {
    moment(
        BOOT,
        CONFIRMED_S + seconds,
        WALL_S + i64::try_from(seconds).unwrap(),
    )
}

/// What each state comes to: whether the server is asked first, and what is said if that is in vain.
fn outcome(known: &Knowledge, now: &Moment) -> (bool, &'static str, Reason) {
    let asks = ask(known, "deploy", now, Effort::MayAsk) == Resolution::Revalidate;
    let (verdict, reason) = answer(ask(known, "deploy", now, Effort::LastWord));
    let word = match verdict {
        Verdict::Found(_) => "found",
        Verdict::None => "none",
        Verdict::Unavailable => "unavailable",
    };
    (asks, word, reason)
}

#[test]
fn the_freshness_table_holds_for_every_state_and_mode() {
    let grace = known(&snapshot(1, 10));
    let mut strict_snapshot = snapshot(1, 10);
    strict_snapshot.freshness.mode = ModeText::Strict;
    let strict = known(&strict_snapshot);
    let cases = [
        (&grace, later(0), (false, "found", Reason::Granted)),
        (&grace, later(30), (false, "found", Reason::Granted)),
        (&grace, later(31), (true, "found", Reason::GrantedStale)),
        (&grace, later(3600), (true, "found", Reason::GrantedStale)),
        (
            &grace,
            later(3601),
            (true, "unavailable", Reason::PastGrace),
        ),
        (&strict, later(30), (false, "found", Reason::Granted)),
        (
            &strict,
            later(31),
            (true, "unavailable", Reason::StrictStale),
        ),
        (
            &strict,
            later(3601),
            (true, "unavailable", Reason::StrictStale),
        ),
    ];
    for (known, now, expected) in cases {
        assert_eq!(outcome(known, &now), expected, "{now:?}");
    }
}

#[test]
fn after_a_reboot_the_server_is_asked_first_and_grace_goes_on_by_the_wall_clock() {
    let known = known(&snapshot(1, 10));
    let cases = [
        (WALL_S + 10, (true, "found", Reason::GrantedStale)),
        (WALL_S + 3601, (true, "unavailable", Reason::PastGrace)),
        (WALL_S - 1, (true, "unavailable", Reason::Clock)),
        (0, (true, "unavailable", Reason::Clock)),
    ];
    for (wall, expected) in cases {
        assert_eq!(
            outcome(&known, &moment(OTHER_BOOT, 1, wall)),
            expected,
            "wall {wall}"
        );
    }
}

#[test]
fn with_nothing_held_the_answer_is_unavailable_and_never_none() {
    let confirmed = known(&snapshot(1, 10)).confirmed;
    for confirmed in [None, confirmed] {
        let nothing = Knowledge {
            confirmed,
            ..Knowledge::nothing(tag(1, 10))
        };
        let expected = (true, "unavailable", Reason::NoSnapshot);
        assert_eq!(outcome(&nothing, &later(0)), expected, "{confirmed:?}");
    }
}

#[test]
fn a_snapshot_that_nobody_confirmed_answers_nothing_until_somebody_does() {
    let unconfirmed = Knowledge {
        confirmed: None,
        ..known(&snapshot(1, 10))
    };
    assert_eq!(
        outcome(&unconfirmed, &later(0)),
        (true, "unavailable", Reason::Clock)
    );
}

#[test]
fn an_authoritative_no_beats_the_cache_at_every_age_in_every_mode_and_across_boots() {
    for status in [401, 403, 404, 410] {
        for seconds in [0, 31, 3601, 1_000_000] {
            let refused = Knowledge {
                refused: Some(status),
                ..known(&snapshot(1, 10))
            };
            let (_, word, reason) = outcome(&refused, &later(seconds));
            assert_eq!(
                (word, reason),
                ("none", Reason::HostRefused),
                "{status} after {seconds}"
            );
        }
        let refused = Knowledge {
            refused: Some(status),
            ..known(&snapshot(1, 10))
        };
        let (_, word, _) = outcome(&refused, &moment(OTHER_BOOT, 1, 0));
        assert_eq!(
            word, "none",
            "{status} after a reboot with a clock that went backwards"
        );
        let unread = Knowledge {
            refused: Some(status),
            ..Knowledge::nothing(tag(1, 10))
        };
        assert_eq!(outcome(&unread, &later(0)).1, "none");
    }
}

#[test]
fn an_empty_set_is_an_authoritative_no() {
    let mut empty = snapshot(1, 10);
    empty.accounts.clear();
    assert_eq!(
        outcome(&known(&empty), &later(0)),
        (false, "none", Reason::NoGrant)
    );
}

#[test]
fn another_key_another_type_and_another_account_are_not_found() {
    let known = known(&snapshot(1, 10));
    let now = later(0);
    let others = [
        question("deploy", 1000, OTHER_BLOB),
        Question {
            key_type: "ssh-rsa",
            ..question("deploy", 1000, BLOB)
        },
        question("Deploy", 1000, BLOB),
        question("deploy2", 1000, BLOB),
    ];
    for other in others {
        let asked = Asked::parse(&other).unwrap();
        let resolution = resolve(&known, &asked, &now, Effort::MayAsk, &Uncached);
        assert_eq!(
            answer(resolution),
            (Verdict::None, Reason::NoGrant),
            "{other:?}"
        );
    }
}

#[test]
fn uid_0_is_asked_for_as_root_whatever_its_name() {
    for (account, uid, expected) in [
        ("toor", 0, "root"),
        ("%s", 0, "root"),
        ("root", 0, "root"),
        ("root", 5, "root"),
    ] {
        let asked = Asked::parse(&question(account, uid, BLOB)).unwrap();
        assert_eq!(asked.account.as_str(), expected, "{account} {uid}");
    }
    assert_eq!(
        Asked::parse(&question("deploy", 0, BLOB))
            .unwrap()
            .account
            .as_str(),
        "root"
    );
}

#[test]
fn names_that_no_account_can_have_are_refused_at_the_door() {
    let long = "a".repeat(256);
    for account in [
        "-h",
        "--user=root",
        "../../etc/x",
        "a%2fb",
        "DOM\\bob",
        "%s%n",
        "1000",
        long.as_str(),
    ] {
        assert!(
            Asked::parse(&question(account, 1000, BLOB)).is_none(),
            "{account}"
        );
    }
    assert!(Asked::parse(&question(&long[..255], 1000, BLOB)).is_some());
}

#[test]
fn a_grant_begins_and_ends_on_an_offline_host_by_the_servers_time() {
    let mut bounded = snapshot(1, 10);
    let segment = &mut bounded.accounts[0].keys[0].segments[0];
    (segment.from, segment.until) = (WALL_S + 10, Some(WALL_S + 20));
    let known = known(&bounded);
    let cases = [
        (9, (Verdict::None, Reason::OutsideValidity)),
        (20, (Verdict::None, Reason::OutsideValidity)),
        (400, (Verdict::None, Reason::OutsideValidity)),
    ];
    for (seconds, expected) in cases {
        assert_eq!(
            answer(ask(&known, "deploy", &later(seconds), Effort::LastWord)),
            expected
        );
    }
    for seconds in [10, 19] {
        let found = answer(ask(&known, "deploy", &later(seconds), Effort::LastWord));
        assert!(
            matches!(found, (Verdict::Found(_), Reason::Granted)),
            "after {seconds}"
        );
    }
}

#[test]
fn a_wall_clock_set_back_does_not_revive_an_ended_grant() {
    let mut ended = snapshot(1, 10);
    ended.accounts[0].keys[0].segments[0].until = Some(WALL_S + 5);
    let set_back = moment(BOOT, CONFIRMED_S + 6, WALL_S - 100_000);
    let answered = answer(ask(&known(&ended), "deploy", &set_back, Effort::LastWord));
    assert_eq!(answered, (Verdict::None, Reason::OutsideValidity));
}

#[test]
fn the_line_that_is_found_is_the_one_that_the_snapshot_says() {
    let (verdict, _) = answer(ask(
        &known(&snapshot(1, 10)),
        "deploy",
        &later(0),
        Effort::MayAsk,
    ));
    let expected = format!("restrict,pty {KEY_TYPE} {BLOB} keyroster:alice:g1");
    assert_eq!(verdict, Verdict::Found(expected));
}

#[test]
fn what_cannot_be_written_as_one_safe_line_is_unavailable_and_never_printed() {
    for (options, comment) in [
        ("pty", "keyroster:alice:g1"),
        ("restrict,cert-authority", "keyroster:alice:g1"),
        ("restrict,unheard-of", "keyroster:alice:g1"),
        ("restrict", "two\nlines"),
    ] {
        let mut bad = snapshot(1, 10);
        let segment = &mut bad.accounts[0].keys[0].segments[0];
        (segment.options, segment.comment) = (options.to_owned(), comment.to_owned());
        let answered = answer(ask(&known(&bad), "deploy", &later(0), Effort::MayAsk));
        assert_eq!(
            answered,
            (Verdict::Unavailable, Reason::Internal),
            "{options} {comment:?}"
        );
    }
}

#[test]
fn an_answer_says_by_what_it_was_decided_and_how_old_that_is() {
    let Resolution::Answer(answer) = ask(
        &known(&snapshot(1, 10)),
        "deploy",
        &later(7),
        Effort::MayAsk,
    ) else {
        panic!("fresh answers need nobody")
    };
    assert_eq!(
        (answer.tag, answer.age.as_ms()),
        (Some(tag(1, 10)), Some(7_000))
    );
    let strange = BootId::parse("00000000-0000-0000-0000-0000000000ff").unwrap();
    let Resolution::Answer(answer) = ask(
        &known(&snapshot(1, 10)),
        "deploy",
        &moment(strange, 0, 0),
        Effort::LastWord,
    ) else {
        panic!("a last word is an answer")
    };
    assert_eq!(answer.age.as_ms(), None);
}
