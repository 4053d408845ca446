//! keyroster-testkit
