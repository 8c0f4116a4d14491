//! tacit-data
