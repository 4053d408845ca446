//! keyroster-server
