//! The succinct engine: halo2 circuits over BN254 with KZG.
//!
//! One circuit for any relation system. [`plan`] picks its shape; the layout writes relations to a sheet of rows
//! through the chips; [`TacitCircuit`] replays the sheet for keys, proofs and mock proofs alike. [`Halo2Engine`] is the
//! [`tacit_relations::Engine`] with setups and keys kept in a folder.
//!
//! What is not promised: the library's KZG ignores the blinding factors of commitments and leaves the pieces of the
//! quotient unblinded, so that zero knowledge rests on the random rows of every column and is computational in practice,
//! not shown statistical. Field and curve arithmetic is not constant-time.

mod cache;
mod chips;
mod circuit;
mod engine;
mod inventory;
mod layout;
mod planner;
pub mod prove;
mod shape;
mod sheet;
pub mod srs;
mod transcript;

pub use cache::{CIRCUIT_VERSION, KeyCache};
pub use circuit::TacitCircuit;
pub use engine::{Halo2Engine, Halo2Error};
pub use inventory::ProofItem;
pub use layout::Unsupported;
pub use planner::{PlanError, candidates, plan};
pub use prove::{ProverKey, VerifierKey};
pub use shape::CircuitShape;
pub use sheet::{Cell, Sheet};
