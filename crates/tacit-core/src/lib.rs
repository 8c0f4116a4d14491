//! tacit-core
