//! keyroster-roster
