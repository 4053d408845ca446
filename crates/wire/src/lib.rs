//! keyroster-wire
