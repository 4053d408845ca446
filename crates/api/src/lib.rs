//! What travels over HTTP between people, hosts and the key server: bodies, paths, problems, and the signed snapshot.
//!
//! Bodies carry plain text and numbers; whoever receives one parses them into the types of `keyroster-keys` and
//! `keyroster-roster` at the door, so that a body that cannot be parsed is answered with a problem that names the field
//! instead of a deserialiser's message. Every body that a client sends denies unknown fields: a misspelt option must never be
//! silently ignored by software that decides who may log in. Answers do not deny them, so that an older CLI can talk to a
//! newer key server.

pub mod asks;
pub mod audit;
pub mod digest;
pub mod enroll;
pub mod explain;
pub mod freshness;
pub mod grant;
pub mod group;
pub mod heartbeat;
pub mod host;
pub mod host_group;
pub mod host_report;
pub mod key;
pub mod key_set;
pub mod page;
pub mod paths;
pub mod problem;
pub mod receipt;
pub mod revoked_keys;
pub mod signature;
pub mod snapshot;
pub mod time;
pub mod token;
pub mod update;
pub mod user;

pub use keyroster_roster::{GrantId, Timestamp};
pub use page::Page;
pub use problem::{Problem, ProblemKind};
