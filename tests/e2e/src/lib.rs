//! keyroster-e2e
