//! keyroster-grammar
