//! The snapshot key and the CA are exchanged while people log in.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture that fails says why by panicking"
)]

mod ca;
mod estate;
mod several;
mod snapshot_key;
