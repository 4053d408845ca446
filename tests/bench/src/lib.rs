//! The two programs that `cargo xtask bench` measures the key server with: a load, and a handler to compare with.
//!
//! Apart from `xtask`, because they are built for release with the key server's own TLS and HTTP, and `xtask` is compiled
//! before anything else on a fresh machine.

pub mod bare;
pub mod load;

use std::collections::BTreeMap;

/// `--name value` pairs of a command line.
pub fn options(arguments: impl IntoIterator<Item = String>) -> BTreeMap<String, String> {
    let mut arguments = arguments.into_iter();
    let mut options = BTreeMap::new();
    while let (Some(name), Some(value)) = (arguments.next(), arguments.next()) {
        options.insert(name.trim_start_matches('-').to_owned(), value);
    }
    options
}
