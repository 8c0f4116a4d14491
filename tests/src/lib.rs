//! End-to-end tests: see `tests/`. What tests of several crates share.

pub mod postgres;
