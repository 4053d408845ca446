//! Kills at random: see `keyroster_chaos`. `chaos [KILLS]`, of each.
#![expect(clippy::print_stdout, reason = "its report, for whoever runs it")]

use std::error::Error;
use std::process::ExitCode;

use keyroster_chaos::{Plan, run};

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let kills = std::env::args()
        .nth(1)
        .map_or(Ok(500), |text| text.parse())?;
    let plan = Plan {
        servers: kills,
        postgres: kills,
        agents: kills,
    };
    let report = run(plan).await?;
    println!("{}", serde_json::to_string_pretty(&report)?);
    for fault in report.faults() {
        println!("FAULT: {fault}");
    }
    Ok(ExitCode::from(u8::from(!report.faults().is_empty())))
}
