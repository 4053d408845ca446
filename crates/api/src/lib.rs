//! keyroster-api
