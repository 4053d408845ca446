//! keyroster-lookup
