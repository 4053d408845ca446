//! keyroster-cli-snapshots
