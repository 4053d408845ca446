//! keyroster-cli
