use keyroster_wire::Response;

use super::*;
use crate::core::freshness::Confirmation;
use crate::testing::{BOOT, held, moment, tag};

fn identity() -> Identity {
    Identity {
        host_id: "id".to_owned(),
        host_name: "web-1".to_owned(),
        server: "https://keys.example".to_owned(),
    }
}

fn known() -> Knowledge {
    let sent = moment(BOOT, 100, 1_000_000);
    Knowledge {
        held: Some(held(1, 10)),
        confirmed: Some(Confirmation::at(&sent, 1_000_000)),
        refused: None,
        seen: tag(1, 10),
    }
}

fn report(known: &Knowledge, since_boot_s: u64) -> Report {
    let now = moment(BOOT, since_boot_s, 1_000_000);
    Report::new(known, &identity(), &Health::default(), &now)
}

#[test]
fn each_state_has_its_word() {
    let unconfirmed = Knowledge {
        confirmed: None,
        ..known()
    };
    let refused = Knowledge {
        refused: Some(410),
        ..known()
    };
    let nothing = Knowledge::nothing(tag(1, 1));
    let cases = [
        (&known(), 100, "fresh"),
        (&known(), 131, "within-grace"),
        (&known(), 3701, "past-grace"),
        (&known(), 99, "age-unknown"),
        (&unconfirmed, 100, "age-unknown"),
        (&refused, 100, "refused"),
        (&nothing, 100, "nothing-held"),
    ];
    for (known, second, word) in cases {
        assert_eq!(report(known, second).state, word);
    }
}

#[test]
fn a_report_survives_the_protocol() {
    let mut told = report(&known(), 107);
    told.fetch_error = Some("two\nlines".to_owned());
    let lines = lines(&told);
    let response = Response {
        answer: keyroster_wire::Answer::Found(lines.iter().map(String::as_str).collect()),
        ..Response::unavailable(Reason::Status)
    };
    let frame = response.encode().unwrap();
    let keyroster_wire::Answer::Found(lines) = Response::decode(&frame).unwrap().answer else {
        panic!("lines were sent")
    };
    let json = to_json(&lines);
    assert_eq!(json["state"], "fresh");
    assert_eq!(json["revision"], 10);
    assert_eq!(json["staleness_ms"], 7_000);
    assert_eq!(json["daemon"], false);
    assert_eq!(json["fetch_error"], "two lines");
    assert_eq!(
        json.get("disk_error"),
        None,
        "what is not known is not there"
    );
}

#[test]
fn people_are_told_times_in_their_own_units_and_programs_numbers() {
    let mut told = report(&known(), 107);
    told.certificate_until_s = Some(1_000 + 60 * 86_400);
    let told = lines(&told);
    let people = for_people(&told, 1_000);
    for line in [
        "confirmed 7 s ago",
        "certificate_ends in 60 days",
        "state fresh",
    ] {
        assert!(people.iter().any(|it| it == line), "{people:?}");
    }
    let raw = |line: &String| line.contains("_ms ") || line.contains("_s ");
    assert!(!people.iter().any(raw), "{people:?}");
    assert!(told.iter().any(|line| line == "staleness_ms 7000"));
}
