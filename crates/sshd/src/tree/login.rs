//! The login that is asked about.

use std::net::IpAddr;

/// What `Match` blocks look at. It is also what `sshd -T -C` is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The account.
    pub user: String,
    /// The names of the groups that the account is in.
    pub groups: Vec<String>,
    /// The client's host name, or its address again.
    pub host: String,
    /// The client's address.
    pub addr: IpAddr,
    /// The address that it connected to.
    pub laddr: IpAddr,
    /// The port that it connected to.
    pub lport: u16,
}
