//! Which snapshot keys hosts go by.

use crate::fixture::Fixture;
use crate::model::*;
use crate::on_both;

on_both! {
    async fn a_host_is_behind_until_it_says_that_it_goes_by_the_keys(fixture: Fixture) {
        fixture.add_host_group("web").await;
        for number in 1..=3 {
            fixture.add_host(number, "web").await;
        }
        let _ = fixture.write().remove_host(&host_id(3)).await.unwrap();
        let names = async |serial| {
            let behind = fixture.store.read().await.unwrap().hosts_behind_keys(serial).await.unwrap();
            behind.into_iter().map(|(_, name)| name.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names(0).await, [""; 0]);
        assert_eq!(names(1).await, ["host-1", "host-2"]);
        fixture.store.know_host_keys(&[(host_id(1), 2), (host_id(9), 2)]).await.unwrap();
        assert_eq!(names(2).await, ["host-2"]);
        // What it said first comes late.
        fixture.store.know_host_keys(&[(host_id(1), 1), (host_id(2), 1)]).await.unwrap();
        assert_eq!(names(1).await, [""; 0]);
        assert_eq!(names(2).await, ["host-2"]);
        assert_eq!(names(3).await, ["host-1", "host-2"]);
        let mut reader = fixture.store.read().await.unwrap();
        let ahead = reader.hosts_ahead_of_keys(1).await.unwrap();
        assert_eq!(ahead, [(host_id(1), host_name("host-1"))]);
        assert_eq!(reader.hosts_ahead_of_keys(2).await.unwrap(), []);
    }
}
