//! Random numbers that can be had again.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

/// A generator (xorshift64*): good enough to be unpredictable to the code under test.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The generator of a seed and a purpose.
    pub fn of(seed: u64, purpose: u64) -> Self {
        Self((seed ^ purpose.wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1)
    }

    /// The next number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound.max(1)
    }

    /// A pause within these milliseconds.
    pub fn pause(&mut self, from_ms: u64, to_ms: u64) -> Duration {
        Duration::from_millis(from_ms + self.below(to_ms - from_ms))
    }
}

/// A seed that no run before had.
pub fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}
