//! Randomness, from the operating system.

/// Random bits that spread hosts over time. Nothing secret depends on them.
#[must_use]
pub fn jitter() -> u16 {
    let mut bytes = [0; 2];
    // Without randomness every host waits the shortest time: worse for the key server, and no reason to stop.
    let _ = getrandom::fill(&mut bytes);
    u16::from_be_bytes(bytes)
}
