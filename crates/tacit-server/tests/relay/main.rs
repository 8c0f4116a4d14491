//! A relay as its callers see it, over both databases.
#![allow(clippy::unwrap_used)]

#[macro_use]
mod common;
mod exchange;
mod hostile;
mod refused;
mod wire;
