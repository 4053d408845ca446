//! Ports on loopback.

use std::net::TcpListener;

use crate::{Failure, Result};

/// A TCP port on 127.0.0.1 that nothing listens on now.
///
/// Another process may take it before the caller does: only for programs that cannot be told to choose a port
/// themselves, and such a fixture tries again with another one.
pub fn free_port() -> Result<u16> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| Failure::new(format!("cannot bind a loopback port: {error}")))
}
