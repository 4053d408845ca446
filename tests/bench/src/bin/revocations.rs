//! How long a revoked key lives: see `keyroster_bench::revocations`.
#![expect(clippy::print_stdout, reason = "its report, for whoever runs it")]

use std::error::Error;

// Hosts wait for their disks: two hundred machines would not hold each other up then, and here they have threads to wait on.
#[tokio::main(worker_threads = 8)]
async fn main() -> Result<(), Box<dyn Error>> {
    keyroster_edge::install_provider();
    let options = keyroster_bench::options(std::env::args().skip(1));
    let report = keyroster_bench::revocations::run(options).await?;
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}
