//! keyroster-store-conformance
