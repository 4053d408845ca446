//! Exit statuses, by their names in sysexits(3).

/// All went well.
pub const OK: u8 = 0;
/// The command line is wrong.
pub const USAGE: u8 = 64;
/// Input is wrong: an enrolment token, an answer.
pub const DATA: u8 = 65;
/// The key server can't be reached.
pub const UNAVAILABLE: u8 = 69;
/// Something inside went wrong.
pub const SOFTWARE: u8 = 70;
/// A file can't be made or written.
pub const CANT_CREATE: u8 = 73;
/// A file can't be read.
pub const IO: u8 = 74;
/// What was asked for could not be proved, and not be disproved either.
pub const UNPROVEN: u8 = 75;
/// It did not work out this time.
pub const TEMPORARY: u8 = 75;
/// The key server said no.
pub const NO_PERMISSION: u8 = 77;
/// The configuration is wrong, or the host is not enrolled.
pub const CONFIG: u8 = 78;
