//! The sumcheck engine: transparent, zero-knowledge proofs of relation systems.
//!
//! Multilinear polynomials, Pedersen–Hyrax commitments over Grumpkin, sum-check with committed messages, logup for
//! ranges and tables. Needs no setup.

mod engine;
mod group;
mod hyrax;
mod pedersen;
mod wide;

pub use engine::{PROTOCOL_VERSION, SumcheckEngine};
