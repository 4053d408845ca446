//! A short run of what `cargo xtask chaos` does five hundred times.

use keyroster_chaos::{Plan, run};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_and_nothing_revoked_revived_by_kills_of_everything() {
    let plan = Plan {
        servers: 8,
        postgres: 5,
        agents: 12,
    };
    let report = run(plan).await.unwrap();
    assert_eq!(report.faults(), Vec::<String>::new(), "{report:?}");
    assert!(report.revoked > 0, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_login_fails_while_key_servers_are_killed_one_by_one_under_load() {
    let plan = Plan {
        servers: 10,
        postgres: 0,
        agents: 0,
    };
    let report = run(plan).await.unwrap();
    assert_eq!(report.faults(), Vec::<String>::new(), "{report:?}");
    assert_eq!(report.let_in, report.logins, "{report:?}");
    assert!(report.confirmed > 0, "{report:?}");
}
