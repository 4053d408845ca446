//! What hosts report about themselves.

use keyroster_roster::{HostReport, ReportId, ReportKind, Timestamp};
use keyroster_store::{AuditVerdict, Novelty, REPORTS_MAX, REPORTS_SPAN_S, Reported, TakenReport};

use crate::fixture::{Fixture, NOW};
use crate::model::*;
use crate::on_both;

fn report(number: u64) -> HostReport {
    HostReport {
        id: ReportId::parse(&format!("8c1f6b1e-65b4-4c8e-a6f0-{number:012}")).unwrap(),
        kind: ReportKind::BreakGlass,
        account: account("root"),
        key: *blob(1).fingerprint(),
        at: Timestamp::from_unix(NOW.as_unix() - 7),
    }
}

fn reports(numbers: std::ops::Range<u64>) -> Vec<HostReport> {
    numbers.map(report).collect()
}

fn taken(reported: Reported) -> Vec<TakenReport> {
    match reported {
        Reported::Taken(taken) => taken,
        Reported::TooMany => panic!("too many"),
    }
}

fn later(seconds: i64) -> Timestamp {
    Timestamp::from_unix(NOW.as_unix() + seconds)
}

on_both! {
    async fn each_report_is_one_event_and_wakes_no_host(fixture: Fixture) {
        fixture.add_host_group("web").await;
        fixture.add_host(1, "web").await;
        let before = fixture.state().await;
        let drill = HostReport { kind: ReportKind::Drill, ..report(2) };
        let told = taken(fixture.write().report(&host_id(1), &[report(1), drill]).await.unwrap());
        let revisions: Vec<_> = told.iter().map(|taken| taken.revision.get()).collect();
        let first = before.revision.get() + 1;
        assert_eq!(revisions, [first, first + 1]);
        let events = fixture.events().await;
        let [.., used, drilled] = events.as_slice() else { panic!() };
        assert_eq!((used.action.as_str(), drilled.action.as_str()), ("break-glass.use", "break-glass.drill"));
        assert_eq!((used.at, used.revision.get()), (NOW, first));
        assert_eq!(used.object, report(1).key.to_string());
        let detail = format!(r#"{{"account":"root","host_time":"{}","report":"{}"}}"#, report(1).at, report(1).id);
        assert_eq!(used.detail, detail);
        assert!(matches!(fixture.verdict().await, AuditVerdict::Intact(_)));
        assert_eq!(fixture.changed_hosts(before.revision).await, []);
    }

    async fn a_report_that_comes_again_is_the_one_that_is_known(fixture: Fixture) {
        fixture.add_host_group("web").await;
        fixture.add_host(1, "web").await;
        let first = taken(fixture.write().report(&host_id(1), &[report(1)]).await.unwrap());
        let state = fixture.state().await;
        let again = taken(fixture.write_at(later(90)).report(&host_id(1), &[report(1), report(1)]).await.unwrap());
        assert_eq!(fixture.state().await, state);
        assert!(again.iter().all(|taken| taken.revision == first[0].revision && taken.novelty == Novelty::Known));
        let mixed = taken(fixture.write().report(&host_id(1), &[report(1), report(2)]).await.unwrap());
        assert_eq!([mixed[0].novelty, mixed[1].novelty], [Novelty::Known, Novelty::New]);
        assert_eq!(fixture.state().await.revision.get(), state.revision.get() + 1);
    }

    async fn hosts_do_not_share_their_ids(fixture: Fixture) {
        fixture.add_host_group("web").await;
        for host in [1, 2] {
            fixture.add_host(host, "web").await;
            let told = taken(fixture.write().report(&host_id(host), &[report(1)]).await.unwrap());
            assert_eq!(told[0].novelty, Novelty::New);
        }
    }

    async fn a_host_that_tells_too_much_is_to_come_back_and_nothing_is_written_by_halves(fixture: Fixture) {
        fixture.add_host_group("web").await;
        for host in [1, 2] {
            fixture.add_host(host, "web").await;
        }
        let most = REPORTS_MAX.cast_unsigned();
        let _ = taken(fixture.write().report(&host_id(1), &reports(1..most)).await.unwrap());
        let state = fixture.state().await;
        let over = fixture.write().report(&host_id(1), &reports(most..most + 2)).await.unwrap();
        assert_eq!((over, fixture.state().await), (Reported::TooMany, state));
        // What is known takes no room, and others have their own.
        let _ = taken(fixture.write().report(&host_id(1), &reports(1..most + 1)).await.unwrap());
        let _ = taken(fixture.write().report(&host_id(2), &[report(1)]).await.unwrap());
        let at = later(REPORTS_SPAN_S);
        let _ = taken(fixture.write_at(at).report(&host_id(1), &[report(most + 2)]).await.unwrap());
    }

    async fn only_a_host_of_the_roster_reports(fixture: Fixture) {
        fixture.add_host_group("web").await;
        fixture.add_host(1, "web").await;
        let _ = fixture.write().remove_host(&host_id(1)).await.unwrap();
        refused(fixture.write().report(&host_id(1), &[report(1)]).await, "conflict", "host \"0193");
        refused(fixture.write().report(&host_id(2), &[report(1)]).await, "not found", "host \"0193");
    }

    async fn the_newest_report_of_each_kind_is_found(fixture: Fixture) {
        fixture.add_host_group("web").await;
        for host in [1, 2, 3] {
            fixture.add_host(host, "web").await;
        }
        let drill = HostReport { kind: ReportKind::Drill, ..report(3) };
        let _ = taken(fixture.write().report(&host_id(1), &[report(1), report(2), drill.clone()]).await.unwrap());
        let _ = taken(fixture.write_at(later(5)).report(&host_id(3), &[report(9)]).await.unwrap());
        let mut reader = fixture.store.read().await.unwrap();
        let last = reader.last_reports(&host_id(1), &host_id(3)).await.unwrap();
        let told: Vec<_> = last.iter().map(|((host, kind), last)| (host.clone(), *kind, last.report.clone(), last.received_at)).collect();
        assert_eq!(told, [
            (host_id(1), ReportKind::BreakGlass, report(2), NOW),
            (host_id(1), ReportKind::Drill, drill, NOW),
            (host_id(3), ReportKind::BreakGlass, report(9), later(5)),
        ]);
        assert_eq!(reader.last_reports(&host_id(2), &host_id(2)).await.unwrap().len(), 0);
    }
}
