//! Who may log in where: users, keys, groups, hosts and grants, and the decision made from them.
//!
//! Pure: no socket, file or clock. Everything that a decision depends on is a field of [`Roster`] or an argument, so that
//! the key server, a host with a snapshot and a test all decide alike, for any moment. Text from outside becomes one of
//! these types at the door, and a value that exists is a value that may be printed.

mod actor;
mod audit;
mod case;
mod cidr;
mod command;
mod deny;
mod environment;
mod error;
mod finding;
mod forward;
mod freshness;
mod grant;
mod group;
mod host;
mod id;
mod key;
mod line;
mod merge;
mod options;
mod report;
mod resolve;
mod roster;
mod snapshot;
mod text;
mod time;
mod user;

#[cfg(test)]
mod testing;

pub use actor::{Actor, MAX_ACTOR_BYTES};
pub use audit::{AuditEvent, AuditHead, ChainCheck, EventHash, HASH_BYTES, HASHED_PREFIX, Link};
pub use cidr::{Cidr, FromList, MAX_FROM_RANGES};
pub use command::{ForcedCommand, MAX_COMMAND_BYTES};
pub use deny::DenyReason;
pub use environment::{
    Environment, MAX_ENVIRONMENT_NAME_BYTES, MAX_ENVIRONMENT_VALUE_BYTES, MAX_ENVIRONMENT_VARIABLES,
};
pub use error::ModelError;
pub use finding::Finding;
pub use forward::{Forward, ForwardList, MAX_FORWARD_HOST_BYTES, MAX_FORWARDS};
pub use freshness::{
    DEFAULT_GRACE_S, DEFAULT_MAX_STALENESS_S, Freshness, FreshnessChange, FreshnessMode,
    MAX_GRACE_S, MAX_MAX_STALENESS_S, MIN_MAX_STALENESS_S,
};
pub use grant::{Effect, Grant, GrantState, Standing, Subject, Target};
pub use group::Group;
pub use host::{Asks, Host, HostGroup, HostGroupChange, HostState};
pub use id::{Epoch, GrantId, HostId, ReportId, Revision};
pub use key::{Key, KeyState};
pub use line::Permit;
pub use merge::{Conflict, Terms};
pub use options::{GrantOptions, MAX_OPTIONS, MAX_TUNNEL_DEVICE, Permission, Tunnel};
pub use report::{HostReport, ReportKind};
pub use resolve::{Decision, Resolution, effective_account, resolve};
pub use roster::Roster;
pub use snapshot::{AccountEntry, KeyEntry, Segment, snapshot_entries, snapshot_entries_from};
pub use text::{Label, MAX_LABEL_BYTES, MAX_REASON_BYTES, Reason};
pub use time::Timestamp;
pub use user::{User, UserKind, UserState};
