//! tacit-claim
