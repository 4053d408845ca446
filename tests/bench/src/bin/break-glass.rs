//! How long it takes until a break-glass login is known: see `keyroster_bench::break_glass`.
#![expect(clippy::print_stdout, reason = "its report, for whoever runs it")]

use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = keyroster_bench::options(std::env::args().skip(1));
    let report = keyroster_bench::break_glass::run(options).await?;
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}
