//! The engine as applications see it.

use std::collections::BTreeMap;

use rand_core::CryptoRngCore;
use tacit_relations::{
    Commitment, Engine, EngineError, Opening, Openings, Progress, Refused, RelationSystem, Segment, Statement,
    TensorId, Trace,
};

/// Version of the protocol. A proof of another version is another engine's.
pub const PROTOCOL_VERSION: u32 = 1;

/// The sumcheck engine. It has no state: nothing to set up, nothing to keep.
#[derive(Debug, Clone, Copy, Default)]
pub struct SumcheckEngine;

impl SumcheckEngine {
    /// Digest of a commitment to the weights: Poseidon over the points' coordinates, whatever their number.
    ///
    /// # Errors
    /// [`EngineError`] when the bytes are not points.
    pub fn weights_digest(&self, _commitment: &Commitment) -> Result<tacit_digest::Digest, EngineError> {
        Err(unfinished())
    }

    /// Proves once, for every later proof, that each committed weight fits its tensor's declared width.
    ///
    /// `system` is any system with these weights; `binding` is absorbed before the first challenge.
    ///
    /// # Errors
    /// [`EngineError`] when a weight does not fit.
    #[allow(clippy::too_many_arguments)]
    pub fn certify(
        &self,
        _system: &RelationSystem,
        _weights: &BTreeMap<TensorId, &[i64]>,
        _commitment: &Commitment,
        _opening: &Opening,
        _binding: [u8; 32],
        _rng: &mut dyn CryptoRngCore,
        _progress: &dyn Progress,
    ) -> Result<Vec<u8>, EngineError> {
        Err(unfinished())
    }

    /// Checks a certificate of [`SumcheckEngine::certify`]. No proof about these weights means anything without it.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn check_certificate(
        &self,
        _system: &RelationSystem,
        _commitment: &Commitment,
        _binding: [u8; 32],
        _certificate: &[u8],
        _progress: &dyn Progress,
    ) -> Result<(), Refused> {
        Err(unfinished().into())
    }
}

fn unfinished() -> EngineError {
    EngineError::new("the sumcheck engine is being built")
}

impl Engine for SumcheckEngine {
    fn commit(
        &self,
        _system: &RelationSystem,
        _segment: Segment,
        _tensors: &BTreeMap<TensorId, &[i64]>,
        _opening: &Opening,
    ) -> Result<Commitment, EngineError> {
        Err(unfinished())
    }

    fn prove(
        &self,
        _statement: &Statement,
        _trace: &Trace,
        _openings: &Openings,
        _rng: &mut dyn CryptoRngCore,
        _progress: &dyn Progress,
    ) -> Result<Vec<u8>, EngineError> {
        Err(unfinished())
    }

    fn verify(&self, _statement: &Statement, _proof: &[u8], _progress: &dyn Progress) -> Result<(), Refused> {
        Err(unfinished().into())
    }
}
