//! What an engine is: something that proves relation systems. Operators lower to relations, engines prove relations,
//! nothing reaches across.

use std::collections::BTreeMap;

use rand_core::CryptoRngCore;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::system::{RelationSystem, Segment, TensorId};
use crate::trace::Trace;

/// A binding, hiding commitment to one segment, as the engine encodes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commitment(pub Vec<u8>);

/// The secret that opens a commitment: a 256-bit salt from which the engine takes what it needs. One opening is for one
/// commitment: two commitments to different values under one salt may tell how they differ.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Opening(pub [u8; 32]);

impl std::fmt::Debug for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opening(hidden)")
    }
}

/// Openings of the committed segments, for the prover.
pub type Openings = BTreeMap<Segment, Opening>;

/// The public half of what is proved. Rebuilt by the verifier from claim and card, never taken from the proof.
#[derive(Debug, Clone)]
pub struct Statement {
    /// The relations.
    pub system: RelationSystem,
    /// Digest of the claim: format version, engine, card (owner's key included), context, every public value.
    /// Absorbed before the first challenge.
    pub binding: [u8; 32],
    /// Commitments of the hidden segments.
    pub commitments: BTreeMap<Segment, Commitment>,
    /// Values of the public tensors.
    pub public: BTreeMap<TensorId, Vec<i64>>,
}

/// Which rule a statement breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// A committed segment without commitment, or a commitment without segment.
    #[error("the commitments of the statement do not match its {0:?} segment")]
    Commitments(Segment),
    /// A public tensor without values, of another length, or outside its bounds.
    #[error("the public values of tensor {0} are missing, of another length, or out of bounds")]
    Public(u32),
}

impl Statement {
    /// Checks that commitments and public values are exactly those that the system asks for.
    ///
    /// # Errors
    /// [`StatementError`].
    pub fn validate(&self) -> Result<(), StatementError> {
        for segment in Segment::COMMITTED {
            if self.system.segment(segment).next().is_some() != self.commitments.contains_key(&segment) {
                return Err(StatementError::Commitments(segment));
            }
        }
        if let Some(s) = self.commitments.keys().find(|s| !Segment::COMMITTED.contains(s)) {
            return Err(StatementError::Commitments(*s));
        }
        let expected: Vec<TensorId> = self.system.segment(Segment::Public).collect();
        if let Some(extra) = self.public.keys().find(|id| !expected.contains(id)) {
            return Err(StatementError::Public(extra.0));
        }
        for id in expected {
            let spec = self.system.tensor(id);
            let ok = self.public.get(&id).is_some_and(|v| {
                v.len() == spec.len() && v.iter().all(|x| (spec.bounds.0..=spec.bounds.1).contains(x))
            });
            if !ok {
                return Err(StatementError::Public(id.0));
            }
        }
        Ok(())
    }
}

/// Receives what a long operation is doing. Engines never print.
pub trait Progress: Sync {
    /// A stage begins.
    fn stage(&self, name: &str);
}

/// Reports to nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn stage(&self, _name: &str) {}
}

/// The engine cannot do what was asked: unusable arguments, a missing setup, a witness that does not satisfy.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct EngineError {
    /// What failed and what to do next.
    pub message: String,
}

impl EngineError {
    /// An error with this text.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

/// Why a proof was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The statement is ill-formed.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The bytes are no proof of this shape.
    #[error("the proof is malformed: {0}")]
    Malformed(String),
    /// The proof does not prove the statement.
    #[error("the proof does not hold for this statement")]
    DoesNotHold,
    /// The verifier itself cannot run (no setup, for example).
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// A proving engine.
pub trait Engine {
    /// Commits to the values of one segment's tensors (in the order of [`RelationSystem::parts`]).
    ///
    /// # Errors
    /// [`EngineError`] when a value does not fit its width.
    fn commit(
        &self,
        system: &RelationSystem,
        segment: Segment,
        tensors: &BTreeMap<TensorId, &[i64]>,
        opening: &Opening,
    ) -> Result<Commitment, EngineError>;

    /// Proves that `trace` satisfies `statement`.
    ///
    /// # Errors
    /// [`EngineError`] when the trace does not satisfy the statement or the setup is missing.
    fn prove(
        &self,
        statement: &Statement,
        trace: &Trace,
        openings: &Openings,
        rng: &mut dyn CryptoRngCore,
        progress: &dyn Progress,
    ) -> Result<Vec<u8>, EngineError>;

    /// Verifies a proof.
    ///
    /// # Errors
    /// [`Refused`].
    fn verify(&self, statement: &Statement, proof: &[u8], progress: &dyn Progress) -> Result<(), Refused>;
}
