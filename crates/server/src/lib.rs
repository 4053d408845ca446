//! The key server: the roster over HTTP for people, and signed snapshots for hosts.
//!
//! The parts, from the outside in: [`program`] is the command line; [`server`] listens and keeps its certificate and the
//! roster's revision up to date; [`router`] says which route is there and who may take it; [`handlers`] have one file for
//! each noun; [`estate`] knows how every host stands and [`classes`] what hosts answer, and [`snapshots`] tells them from
//! both. [`init`] makes the data directory, and
//! [`credentials`] are what the service manager hands over in its place; [`backup`] and [`restore`] keep it. Clock and randomness are
//! parameters of the application; every limit stands in [`limits`].

pub mod app;
pub mod auth;
pub mod backup;
pub mod ca;
pub mod caller;
pub mod certificate_request;
pub mod classes;
pub mod cli;
pub mod clock;
pub mod config;
pub mod confirmations;
pub mod content;
pub mod credentials;
pub mod data_dir;
pub mod data_lock;
pub mod document;
pub mod error;
pub mod estate;
pub mod extract;
pub mod guard;
pub mod handlers;
pub mod heartbeat;
pub mod host_identity;
pub mod init;
pub mod journal;
pub mod key_chain;
pub mod known_keys;
pub mod later;
pub mod limits;
pub mod metrics;
pub mod open;
pub mod openapi;
pub mod page;
pub mod parse;
pub mod prefer;
pub mod program;
pub mod random;
pub mod receipts;
pub mod recent_writes;
pub mod render;
pub mod restore;
pub mod revoked_keys;
pub mod roster_state;
pub mod rotate;
pub mod router;
pub mod secret;
pub mod server;
pub mod snapshots;
pub mod tasks;
pub mod waiting;
pub mod went_back;
