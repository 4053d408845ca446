//! Which certificates of a host are good.

use keyroster_roster::HostState;
use keyroster_store::{Action, OVERLAP_S, Renewal, Showing, Shown};

use crate::fixture::{Fixture, NOW};
use crate::model::*;
use crate::on_both;

async fn with_host(fixture: &Fixture) {
    fixture.add_host_group("web").await;
    fixture.add_host(1, "web").await;
}

async fn renew(fixture: &Fixture, shown: u64) -> u64 {
    match fixture
        .write()
        .renew_certificate(&host_id(1), shown)
        .await
        .unwrap()
    {
        Renewal::Issue { generation, .. } => generation,
        other => panic!("{other:?}"),
    }
}

async fn show(fixture: &Fixture, generation: u64) -> Showing {
    fixture
        .write()
        .show_certificate(&host_id(1), generation)
        .await
        .unwrap()
}

on_both! {
    async fn a_new_certificate_takes_the_place_of_the_old_one_when_it_is_used(fixture: Fixture) {
        with_host(&fixture).await;
        assert_eq!(renew(&fixture, 1).await, 2);
        assert_eq!(fixture.last_event().await.0, Action::HostRenewCertificate);
        assert_eq!(show(&fixture, 1).await, Showing::Good, "the new one has not been used yet");
        assert_eq!(show(&fixture, 2).await, Showing::Rotated(fixture.state().await));
        assert_eq!(fixture.last_event().await.0, Action::HostRotateCertificate);
        assert_eq!(show(&fixture, 2).await, Showing::Good);
    }

    async fn a_host_that_lost_the_answer_renews_again_and_the_lost_number_is_never_good(fixture: Fixture) {
        with_host(&fixture).await;
        assert_eq!(renew(&fixture, 1).await, 2);
        assert_eq!(renew(&fixture, 1).await, 3);
        let credential = fixture.store.read().await.unwrap().host_credential(&host_id(1)).await.unwrap().unwrap();
        assert_eq!([1, 2, 3].map(|shown| credential.judge(shown, NOW)), [Shown::Current, Shown::Superseded, Shown::Next]);
    }

    async fn an_old_certificate_locks_the_host_after_the_overlap(fixture: Fixture) {
        with_host(&fixture).await;
        assert_eq!(renew(&fixture, 1).await, 2);
        assert!(matches!(show(&fixture, 2).await, Showing::Rotated(_)));
        assert_eq!(show(&fixture, 1).await, Showing::Good, "within the overlap");
        let later = fixture.write_at(NOW.saturating_add(OVERLAP_S)).show_certificate(&host_id(1), 1).await.unwrap();
        assert_eq!(later, Showing::Locked(fixture.state().await));
        assert_eq!(fixture.last_event().await, (Action::HostLock, host_id(1).to_string(), r#"{"shown":1}"#.to_owned()));
        let host = fixture.store.read().await.unwrap().host(&host_id(1)).await.unwrap().unwrap();
        assert_eq!(host.state, HostState::Removed);
        assert_eq!(show(&fixture, 2).await, Showing::HostGone, "the good one ends with it");
    }

    async fn renewing_with_an_old_certificate_locks_the_host_at_once(fixture: Fixture) {
        with_host(&fixture).await;
        assert_eq!(renew(&fixture, 1).await, 2);
        assert_eq!(renew(&fixture, 2).await, 3, "renewing with the new one is its first use");
        let stolen = fixture.write().renew_certificate(&host_id(1), 1).await.unwrap();
        assert_eq!(stolen, Renewal::Locked(fixture.state().await));
        let after = fixture.write().renew_certificate(&host_id(1), 3).await.unwrap();
        assert_eq!(after, Renewal::HostGone);
    }

    async fn a_number_that_was_never_issued_locks_the_host(fixture: Fixture) {
        with_host(&fixture).await;
        assert!(matches!(show(&fixture, 7).await, Showing::Locked(_)));
    }

    async fn a_certificate_that_a_restored_roster_forgot_is_taken_and_older_ones_lock_the_host(fixture: Fixture) {
        with_host(&fixture).await;
        fixture.back_up().await;
        assert_eq!(renew(&fixture, 1).await, 2);
        assert_eq!(renew(&fixture, 2).await, 3);
        let fixture = fixture.bring_back().await;
        fixture.restore_from(Vec::new()).await;
        let adopted = fixture.write().adopt_certificate(&host_id(1), 2).await.unwrap();
        assert_eq!(adopted, Showing::Rotated(fixture.state().await));
        assert_eq!(fixture.last_event().await.0, Action::HostAdoptCertificate);
        let adopted = fixture.write().adopt_certificate(&host_id(1), 3).await.unwrap();
        assert!(matches!(adopted, Showing::Rotated(_)));
        assert_eq!(renew(&fixture, 3).await, 4, "numbers go on above it");
        let stolen = fixture.write_at(NOW.saturating_add(OVERLAP_S)).show_certificate(&host_id(1), 1).await;
        assert!(matches!(stolen.unwrap(), Showing::Locked(_)));
    }

    async fn a_number_above_all_is_taken_from_no_roster_that_was_never_restored(fixture: Fixture) {
        with_host(&fixture).await;
        let shown = fixture.write().adopt_certificate(&host_id(1), 7).await.unwrap();
        assert!(matches!(shown, Showing::Locked(_)));
    }

    async fn a_good_certificate_writes_nothing_and_a_host_that_is_not_there_has_none(fixture: Fixture) {
        with_host(&fixture).await;
        let before = fixture.state().await;
        assert_eq!(show(&fixture, 1).await, Showing::Good);
        let unknown = fixture.write().show_certificate(&host_id(9), 1).await.unwrap();
        assert_eq!(unknown, Showing::HostGone);
        assert_eq!(fixture.write().renew_certificate(&host_id(9), 1).await.unwrap(), Renewal::HostGone);
        assert_eq!(fixture.store.read().await.unwrap().host_credential(&host_id(9)).await.unwrap(), None);
        assert_eq!(fixture.state().await, before);
    }
}
