//! Prints `docs/fault-matrix.md`.
#![expect(clippy::print_stdout, reason = "what it is for")]

fn main() {
    print!("{}", keyroster_faults::document());
}
