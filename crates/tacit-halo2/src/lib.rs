//! tacit-halo2
