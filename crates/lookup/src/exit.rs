//! Exit codes, from sysexits.
//!
//! sshd knows two of them only: zero, after which it reads the lines that were printed, and anything else, after which it
//! discards them. So each way of not deciding may have its own code, for whoever runs the program by hand.

/// Found when lines were printed, an authoritative no when none were.
pub(crate) const OK: u8 = 0;

/// Undecided: the arguments are not the ones this program takes (`EX_USAGE`).
pub(crate) const USAGE: u8 = 64;

/// Undecided: unavailable (`EX_TEMPFAIL`).
pub(crate) const UNAVAILABLE: u8 = 75;

/// Undecided: run as a user that this program refuses to run as (`EX_NOPERM`).
pub(crate) const NOT_PERMITTED: u8 = 77;
