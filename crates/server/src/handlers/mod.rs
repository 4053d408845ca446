//! Handlers: one noun, one file. Each reads its input into types, asks the store once, and shows the result.

pub mod audit;
pub mod enroll;
pub mod enrolment_tokens;
pub mod explain;
pub mod grants;
pub mod groups;
pub mod host;
pub mod host_groups;
pub mod host_keys;
pub mod host_reports;
pub mod hosts;
pub mod keys;
pub mod receipts;
pub mod revoked_keys;
pub mod service;
pub mod tokens;
pub mod users;
