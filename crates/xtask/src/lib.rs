//! `cargo xtask`: build, test, demonstrate and measure keyroster.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command for people at a terminal"
)]

mod accounts;
mod advisories;
mod arrows;
mod bench;
mod build;
mod chaos;
mod demo;
mod enforcing;
mod fault_matrix;
mod files;
mod install;
mod model;
mod openapi;
mod package;
mod root;
mod shell;
mod stage;
mod steps;
mod test;
mod unpacked;
mod verb;
mod workspace;

pub use verb::main;
