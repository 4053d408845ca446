//! Exit codes, from sysexits.

/// It went well, or it was `record`.
pub(crate) const OK: u8 = 0;

/// The arguments are not the ones this program takes (`EX_USAGE`).
pub(crate) const USAGE: u8 = 64;

/// The kernel lacks something (`EX_OSERR`).
pub(crate) const SYSTEM: u8 = 71;

/// The directory or the socket can't be made or trusted (`EX_CANTCREAT`).
pub(crate) const CANT_CREATE: u8 = 73;

/// Not root (`EX_NOPERM`).
pub(crate) const NOT_PERMITTED: u8 = 77;

/// The host agent's user does not exist, or another daemon is running (`EX_CONFIG`).
pub(crate) const CONFIG: u8 = 78;
