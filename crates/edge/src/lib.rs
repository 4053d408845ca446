//! keyroster-edge
