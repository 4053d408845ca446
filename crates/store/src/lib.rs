//! The roster in a database: SQLite or PostgreSQL, behind one closed enum and one text for each statement.
//!
//! Two sides. A [`Reader`] is a transaction: whatever it returns is of one moment. A [`Writer`] says who writes and when;
//! each of its verbs is a transaction of its own, which raises the revision first, checks, writes, and commits together
//! with its audit event. There is no verb that writes without one, and nothing outside this crate can run SQL.
//!
//! The portable subset keeps one text for both databases: `$n` placeholders, `text` and `bigint`, times as parameters in
//! seconds since the Unix epoch, ids as text. What is read back is parsed into the model's types again; a row that can't
//! be is [`StoreError::Corrupt`], never skipped, for a skipped denial would let somebody in.

mod account_changes;
mod action;
mod audit;
mod backup;
mod bearer_tokens;
mod certificates;
mod changes;
mod concerned;
mod confirmations;
mod db;
mod enrolment_tokens;
mod error;
mod grants;
mod groups;
mod host_groups;
mod host_keys;
mod host_reports;
mod hosts;
mod journal;
mod keys;
mod location;
mod migrate;
mod page;
mod postgres;
mod read;
mod receipt;
mod restore;
mod revoked_keys;
mod rotation;
mod slice;
mod sqlite;
mod standings;
mod state;
mod store;
mod token_hash;
mod users;
mod write;

pub use account_changes::AccountChange;
pub use action::Action;
pub use audit::AuditVerdict;
pub use bearer_tokens::{BearerToken, Role, TokenStanding};
pub use certificates::{HostCredential, OVERLAP_S, Renewal, Showing, Shown};
pub use changes::{Change, Changes};
pub use confirmations::{Confirmation, RECEIPT_S};
pub use enrolment_tokens::{Enrolment, EnrolmentTokenRecord, TokenRefusal};
pub use error::{Object, StoreError};
pub use grants::GrantFilter;
pub use host_groups::HostGroupWithHosts;
pub use host_keys::KnownSet;
pub use host_reports::{LastReport, Novelty, REPORTS_MAX, REPORTS_SPAN_S, Reported, TakenReport};
pub use journal::{Damage, Journal, JournalError, JournalHealth, JournalRecord, Told};
pub use location::{Location, LocationError, PostgresUrl};
pub use page::{Limit, LimitError, MAX_PAGE_ITEMS, Page};
pub use read::Reader;
pub use receipt::HostReceipt;
pub use restore::{Redone, RestoreMode, Restored};
pub use revoked_keys::RevokedKeysState;
pub use rotation::{Rotated, RotationStep, RotationVerb};
pub use slice::HostSlice;
pub use standings::{HostStanding, OwnGrants};
pub use state::RosterState;
pub use store::{Pools, Store};
pub use token_hash::{TokenHash, TokenHashError};
pub use write::{Outcome, Writer};

/// Every statement of this crate.
fn every_statement() -> impl Iterator<Item = db::Statement> {
    let files = [
        account_changes::STATEMENTS,
        audit::STATEMENTS,
        bearer_tokens::STATEMENTS,
        certificates::STATEMENTS,
        concerned::STATEMENTS,
        confirmations::STATEMENTS,
        enrolment_tokens::STATEMENTS,
        grants::STATEMENTS,
        groups::STATEMENTS,
        host_groups::STATEMENTS,
        host_keys::STATEMENTS,
        host_reports::STATEMENTS,
        hosts::STATEMENTS,
        journal::feed::STATEMENTS,
        keys::STATEMENTS,
        receipt::STATEMENTS,
        revoked_keys::STATEMENTS,
        restore::STATEMENTS,
        slice::STATEMENTS,
        standings::STATEMENTS,
        state::STATEMENTS,
        users::STATEMENTS,
    ];
    files.into_iter().flatten().copied()
}
