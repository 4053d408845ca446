//! Randomness, from the operating system.

use keyroster_api::heartbeat::{NONCE_BYTES, Nonce};

/// A nonce for one question. It must not be one that was ever used, so without randomness there is none.
#[must_use]
pub fn nonce() -> Option<Nonce> {
    let mut bytes = [0; NONCE_BYTES];
    getrandom::fill(&mut bytes).ok()?;
    Some(Nonce::new(bytes))
}

/// Random bits that spread hosts over time. Nothing secret depends on them.
#[must_use]
pub fn jitter() -> u16 {
    let mut bytes = [0; 2];
    // Without randomness every host waits the shortest time: worse for the key server, and no reason to stop.
    let _ = getrandom::fill(&mut bytes);
    u16::from_be_bytes(bytes)
}
