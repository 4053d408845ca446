//! Our reading of lines, held against that of a real sshd.
//!
//! One corpus of lines goes to both: [`corpus`] makes it from a seed, [`oracle`] puts each line before a running sshd and
//! logs in. Nothing here knows what sshd *should* do beyond the class that a hand-written line is filed under; where a line
//! is put together at random, the only expectation is that both agree. The tests beside this library also hold sshd to the
//! facts that keyroster rests on, whether or not our code is involved: `docs/sshd-contract.md` lists them.

pub mod corpus;
pub mod key_command;
pub mod keys;
pub mod oracle;
pub mod random;
