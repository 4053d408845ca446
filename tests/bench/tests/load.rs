//! The load against the bare handler, as the bench runs them.

#[tokio::test]
async fn the_load_counts_the_answers_of_a_bare_handler() {
    let dir = std::env::temp_dir().join(format!("keyroster-bench-{}.pem", std::process::id()));
    let (ca, bytes) = (dir.to_string_lossy().into_owned(), "1000".to_owned());
    let running =
        keyroster_testkit::Program::at(std::path::Path::new(env!("CARGO_BIN_EXE_bare-server")));
    let mut running = running
        .args(["--bytes", &bytes, "--ca", &ca])
        .spawn()
        .unwrap();
    let line = running.wait_for_line("listening on ").unwrap();
    let url = line.rsplit(' ').next().unwrap().to_owned();
    let options = [
        ("url", url),
        ("ca", ca),
        ("seconds", "1".to_owned()),
        ("connections", "1".to_owned()),
    ];
    let options = options
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect();
    let report = keyroster_bench::load::run(options).await.unwrap();
    std::fs::remove_file(dir).unwrap();
    assert_eq!((report.unexpected, report.body_bytes), (0, 1000));
    assert!(report.requests > 0, "{report:?}");
}
