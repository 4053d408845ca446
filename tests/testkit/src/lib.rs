//! Fixtures for tests that run real programs: sshd, ssh, PostgreSQL and our own binaries.
//!
//! Everything here starts the thing itself and not a stand-in, because what keyroster promises is what *sshd* does with
//! its answer. The one exception is [`FakeKeyServer`]: bytes that no sound server ever sends need a server that sends
//! them on purpose.
//!
//! A fixture ends what it started when it is dropped, by process id. Fixtures listen on loopback only. Most need root,
//! because sshd insists on root-owned paths and because logins happen as other accounts; [`require_root`] says so.
//! They return [`Failure`] and never panic, so that `cargo xtask demo` can use the same ones.

mod account;
mod annex;
mod failure;
#[cfg(feature = "fake-key-server")]
mod fake;
mod key_server;
mod keygen;
mod net;
mod poll;
mod postgres;
mod process;
mod program;
mod root_dir;
mod ssh;
mod ssh_agent;
mod sshd;

pub use account::{Account, require_root};
pub use annex::{Annex, UNPACKED_VARIABLE};
pub use failure::{Failure, Result};
#[cfg(feature = "fake-key-server")]
pub use fake::{
    Behaviour, CertificateKind, ClientIdentity, FakeKeyServer, Flaw, Identity, TestCa, Voucher,
};
pub use key_server::{KeyServer, SERVER_ENVIRONMENT};
pub use keygen::{SECURITY_KEY_PROVIDER, SecurityKeyType, SshKey};
pub use net::free_port;
pub use poll::{POLL_INTERVAL, until};
pub use postgres::{POSTGRES_URL_VARIABLE, Postgres};
pub use process::{Finished, finish, stop};
pub use program::{BIN_DIR_VARIABLE, Program, Running, binary};
pub use root_dir::{RootDir, install_lookup};
pub use ssh::Ssh;
pub use ssh_agent::SshAgent;
pub use sshd::{Sshd, SshdBuilder, openssh_version};
