//! Requests for snapshots, bounded in number and time: see `keyroster_bench::load`.
#![expect(clippy::print_stdout, reason = "its report, for whoever runs it")]

use std::error::Error;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let report =
        keyroster_bench::load::run(keyroster_bench::options(std::env::args().skip(1))).await?;
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}
