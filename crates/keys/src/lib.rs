//! keyroster-keys
