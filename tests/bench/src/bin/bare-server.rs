//! A bare handler to compare the key server with: see `keyroster_bench::bare`.

use std::error::Error;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    keyroster_bench::bare::serve(keyroster_bench::options(std::env::args().skip(1))).await
}
