//! The estates that the bench measures, small: that nothing is let in that was revoked, and nobody woken in vain.

use std::collections::BTreeMap;

use serde_json::Value;

fn options(pairs: &[(&str, u64)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), value.to_string()))
        .collect()
}

fn count(report: &Value, name: &str) -> Option<u64> {
    report[name].as_u64()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_revoked_key_is_let_in_after_its_receipt() {
    keyroster_edge::install_provider();
    let asked = options(&[("hosts", 4), ("trials", 12)]);
    let report = keyroster_bench::revocations::run(asked).await.unwrap();
    let report = serde_json::to_value(report).unwrap();
    assert_eq!(report["refusal"]["count"], 12);
    assert_eq!(
        count(&report, "accepted_after_receipt"),
        Some(0),
        "{report}"
    );
    assert_eq!(count(&report, "unconfirmed"), Some(0), "{report}");
    assert_eq!(count(&report, "logins_refused"), Some(0), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_confirm_a_write_for_all_sleep_through_one_for_another_and_come_back() {
    keyroster_edge::install_provider();
    let report = keyroster_bench::estate::run(options(&[("hosts", 20)])).await;
    let report = serde_json::to_value(report.unwrap()).unwrap();
    assert_eq!(count(&report, "pending"), Some(0), "{report}");
    assert_eq!(count(&report, "woken_in_vain"), Some(0), "{report}");
    assert_eq!(count(&report, "logins_refused"), Some(0), "{report}");
}
