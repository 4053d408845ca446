//! A key server that misbehaves.
//!
//! Against the real `keyroster-server` no test can show what a host does with ten gibibytes, half a body, a redirect or
//! another's certificate: it never sends them. Here a mock is right, and only here. It speaks real TLS on a real socket,
//! and writes its answers as raw bytes, because an HTTP library exists to prevent most of what is wanted. Threads and
//! blocking sockets: every connection does one thing, and a test may be synchronous or not.

mod behaviour;
mod certificates;
mod server;
mod voucher;

pub use behaviour::Behaviour;
pub use certificates::{CertificateKind, ClientIdentity, Identity, TestCa};
pub use server::FakeKeyServer;
pub use voucher::{Flaw, Voucher};
