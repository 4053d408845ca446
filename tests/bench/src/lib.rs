//! The programs that `cargo xtask bench` measures the key server with: a load and a handler to compare with, and estates of
//! generated hosts.
//!
//! Apart from `xtask`, because they are built for release with the key server's own TLS and HTTP, and `xtask` is compiled
//! before anything else on a fresh machine.

pub mod admin;
pub mod bare;
pub mod break_glass;
pub mod credentials;
pub mod estate;
pub mod fleet;
pub mod host;
pub mod load;
pub mod real;
pub mod relay;
pub mod revocations;
pub mod rows;
pub mod sizes;
pub mod spread;

use std::collections::BTreeMap;
use std::error::Error;

/// `--name value` pairs of a command line.
pub fn options(arguments: impl IntoIterator<Item = String>) -> BTreeMap<String, String> {
    let mut arguments = arguments.into_iter();
    let mut options = BTreeMap::new();
    while let (Some(name), Some(value)) = (arguments.next(), arguments.next()) {
        options.insert(name.trim_start_matches('-').to_owned(), value);
    }
    options
}

/// A number among the options.
pub fn number(
    options: &BTreeMap<String, String>,
    name: &str,
    default: u64,
) -> Result<u64, Box<dyn Error>> {
    Ok(options.get(name).map_or(Ok(default), |text| text.parse())?)
}

/// The wall clock, in seconds since the Unix epoch.
pub(crate) fn now_s() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "certificates begin now")]
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(0))
}
