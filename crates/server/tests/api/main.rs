//! The key server through its real listener: TLS, HTTP/2, client certificates, and the database behind.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics")]
#![expect(clippy::indexing_slicing, reason = "the same")]

mod audit;
mod auth;
mod enrolment;
mod explain;
mod fixture;
mod grants;
mod heartbeats;
mod host_reports;
mod keys;
mod limits;
mod openapi;
mod paging;
mod postgres;
mod problems;
mod push;
mod receipts;
mod restore;
mod revoked_keys;
mod roster;
mod service;
mod shutdown;
mod snapshots;
mod updates;
