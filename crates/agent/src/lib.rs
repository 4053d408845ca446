//! keyroster-agent
