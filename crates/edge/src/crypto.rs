//! The crypto provider: ring, and no other in the tree.
//!
//! aws-lc costs about 40 ms of CPU at every process start, four times per login when the one-shot fetch runs. `deny.toml`
//! keeps it out; this module makes sure that nothing asks for "whichever is the default".

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};

/// Makes ring the process's provider. Call it first thing in a program; calling it again changes nothing.
pub fn install_provider() {
    // An error means that a provider is installed already, and only this function installs one.
    let _ = ring::default_provider().install_default();
}

/// The provider for configurations that are built here, whatever the process has installed.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
