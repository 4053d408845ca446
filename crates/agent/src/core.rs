//! What the host agent decides, without socket, file or clock.
//!
//! Everything here is a function of its arguments, time included, so that the whole table of freshness rules is tested as a
//! table. Whatever happens at the edge ends in one of these types.

pub mod accept;
pub mod accounts;
pub mod breaker;
pub mod freshness;
pub mod heartbeat;
pub mod held;
pub mod knowledge;
pub mod moment;
pub mod pace;
pub mod resolver;
pub mod revoked;
pub mod update;
