//! tacit-digest
