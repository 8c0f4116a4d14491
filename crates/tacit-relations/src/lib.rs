//! tacit-relations
