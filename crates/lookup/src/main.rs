//! `keyroster-lookup`, the key command that sshd runs. What it does and why is in the library.
//!
//! The entry is C's and not std's. Before `main`, std sets up a handler for stack overflows, for which it reads
//! `/proc/self/maps`, and looks at the scheduler; this program runs for half a millisecond and would spend a tenth of it there.
//! The two things std does that matter here, ignoring `SIGPIPE` and seeing that descriptors 0 to 2 are open, `run` does.

#![no_main]

use std::ffi::{c_char, c_int};

/// The entry. The arguments are std's to read: it has had them from libc before this.
#[expect(
    unsafe_code,
    reason = "exporting the symbol that libc calls; there is one `main` in a program"
)]
#[unsafe(no_mangle)]
pub extern "C" fn main(_count: c_int, _arguments: *const *const c_char) -> c_int {
    keyroster_lookup::run(std::env::args_os()).into()
}
