//! What applications use: commit to a model, commit to a record, prove, verify; engines by name; files that
//! are never half-written.
//!
//! ```text
//! commit ──► Card (+ CardPoints beside it) + WeightsOpening
//! commit_input ──► InputOpening
//! prove_inference(model, card, opening, record) ──► Bundle
//! prepare_accuracy(model, card, opening, test set) ──► Ready ──► Bundle, or chunks ── merge ──► Bundle
//! prove_predictions(model, card, opening, test set) ──► Bundle
//! verify(bundle, card, test set) ──► Verdict
//! ```
//!
//! Nothing here prints, reads the environment or asks the clock. Randomness comes from the caller, secrets
//! are zeroised, and every error says which of the command's exit codes it means ([`Outcome`]) and what to do
//! next ([`CoreError::advice`]).

mod chunk_folder;
mod chunks;
mod commit;
mod error;
pub mod files;
mod folder;
#[cfg_attr(not(feature = "halo2"), path = "halo2_absent.rs")]
mod halo2;
mod measure;
mod memory;
mod prove;
mod prove_test_set;
mod statement;
mod test_set;
mod verify;
mod weights;

pub use chunk_folder::{ChunkFolder, MAX_CHUNK_FILE};
pub use chunks::{ChunkStore, merge};
pub use commit::{CommitRequest, Committed, commit, commit_dataset, commit_input, opens_input};
pub use error::{CoreError, Outcome};
pub use folder::DataFolder;
pub use memory::{Memory, NoMemory};
pub use prove::{Asked, ProveInference, Proved, Record, Shown, prove_inference};
pub use prove_test_set::{
    Chunks, ProvedTestSet, Ready, Required, TestData, TestSetProof, prepare_accuracy, prove_accuracy,
    prove_predictions,
};
pub use statement::statement;
pub use verify::{Expectations, Supplied, Verdict, verify};

pub use halo2::srs;
pub use tacit_relations::{Progress, Silent};
