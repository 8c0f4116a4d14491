//! The relay: an axum application that stores cards and sealed messages, and can read neither.

// Tests may unwrap; the relay may not.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod store;
