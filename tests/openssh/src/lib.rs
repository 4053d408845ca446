//! keyroster-openssh-compliance
