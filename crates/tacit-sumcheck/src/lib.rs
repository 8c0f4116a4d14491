//! The sumcheck engine: transparent, zero-knowledge proofs of relation systems.
//!
//! Multilinear polynomials, Pedersen–Hyrax commitments over Grumpkin, sum-check with committed messages, logup for
//! ranges and tables. Needs no setup.

#[cfg(test)]
mod attacks;
mod checks;
mod chunks;
mod claims;
mod engine;
mod expr;
mod grid;
mod group;
mod hyrax;
mod layout;
mod lookups;
mod merge;
mod opening;
mod party;
mod pedersen;
mod plan;
mod poly;
mod protocol;
mod secret;
mod sumcheck;
mod sums;
mod transcript;
mod viewed;
mod wide;
mod witness;
#[cfg(test)]
mod zero_knowledge;

pub use chunks::{Chunk, ChunkSecret, ChunkVerifier, MAX_TOTALS, chunk_samples};
pub use engine::{PROTOCOL_VERSION, SumcheckEngine};
pub use party::{Inventory, Message};
