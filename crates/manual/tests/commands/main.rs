//! Every command line that the documentation shows is one that the programs take.
//!
//! It is read as a shell reads it, and judged by the very definitions that the programs parse with. What stands for something else
//! (`WORDS IN CAPITALS`, `SHA256:…`, `{name}` in a hint) is replaced by a value that fits.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that can't read the repository says so by panicking"
)]

mod documents;
mod judge;
mod mentions;
mod shell;

use documents::documents;
use judge::Judge;

#[test]
fn every_command_in_documentation_examples_and_hints_is_taken_by_its_program() {
    let judge = Judge::new();
    let mentions: Vec<_> = documents().iter().flat_map(mentions::all).collect();
    assert!(mentions.len() > 150, "only {} were found", mentions.len());
    let wrong: Vec<String> = mentions
        .iter()
        .filter_map(|mention| Some(format!("{mention}\n    {}", judge.fault(mention)?)))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
