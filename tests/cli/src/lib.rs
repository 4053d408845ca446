//! What the tests of the command line share: a home of its own for each, a transcript of what was run and said, and the
//! parts of it that differ from run to run.
//!
//! The real program runs against a real key server. A transcript shows what a person sees, so a snapshot is read as one.

mod cli;
mod host;
pub mod keys;

pub use cli::Cli;
pub use host::{EnrolledHost, enrol};

/// What differs from run to run, and what stands for it in a snapshot.
pub const FILTERS: [(&str, &str); 11] = [
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "[time]"),
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "[id]"),
    (r"\b[0-9a-f]{64}\b", "[hash]"),
    (r"https://127\.0\.0\.1:\d+", "https://[server]"),
    (r"\bkrt_[A-Za-z0-9_-]{43}", "krt_[secret]"),
    (r"\bkre1\.[A-Za-z0-9_.-]+", "kre1.[secret]"),
    (
        r#""ca_fingerprint": "SHA256:[^"]+""#,
        r#""ca_fingerprint": "[pin]""#,
    ),
    (r"--ca-fingerprint SHA256:\S+", "--ca-fingerprint [pin]"),
    (r"verification time \d+", "verification time [seconds]"),
    (r"\(\d+ seconds ", "([seconds] seconds "),
    (r"/\S*/\.tmp[A-Za-z0-9]+", "[home]"),
];

/// Compares a transcript with the snapshot that is named after the test.
#[macro_export]
macro_rules! snapshot {
    ($transcript:expr) => {
        insta::with_settings!({ filters => $crate::FILTERS, omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!($transcript);
        });
    };
}
