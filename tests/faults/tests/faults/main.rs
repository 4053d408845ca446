//! Every cell of the table, family by family, and the document that is generated from it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a run that fails says why by panicking, and one that does not says what was tried"
)]

mod families;
mod matrix;
