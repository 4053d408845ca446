//! The host agent's program; see the library.

fn main() -> std::process::ExitCode {
    keyroster_agent::program::main()
}
