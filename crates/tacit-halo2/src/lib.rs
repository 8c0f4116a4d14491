//! The succinct engine: halo2 circuits over BN254 with KZG.

mod chips;
mod circuit;
mod layout;
mod planner;
pub mod prove;
mod shape;
mod sheet;
mod transcript;

pub use circuit::TacitCircuit;
pub use planner::{TooLarge, plan};
pub use prove::{ProverKey, VerifierKey};
pub use shape::CircuitShape;
pub use sheet::{Cell, Sheet};
