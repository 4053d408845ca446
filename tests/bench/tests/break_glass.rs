//! The outages that the bench measures, one of each kind: that each use is known afterwards, and on syslog before its session speaks.

use std::collections::BTreeMap;

#[tokio::test(flavor = "multi_thread")]
async fn a_use_in_an_outage_is_on_syslog_first_and_known_to_the_key_server_that_is_back() {
    let asked = BTreeMap::from([("trials".to_owned(), "1".to_owned())]);
    let report = keyroster_bench::break_glass::run(asked).await.unwrap();
    assert_eq!((report.killed.count, report.cut.count), (1, 1));
    assert_eq!(report.late, 0, "{report:?}");
}
