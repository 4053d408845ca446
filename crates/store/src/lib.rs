//! keyroster-store
