//! The statement of a claim: what prover and verifier alike build from claim and card, and from nothing else.

use std::collections::BTreeMap;

use tacit_claim::{Card, Claim, ClaimKind, EngineId, Inference, InputClaim, OutputClaim};
use tacit_relations::{
    Commitment, EngineError, Relation, RelationSystem, Segment, Statement, TensorId, Visibility,
    lower_inference,
};

use crate::error::CoreError;

/// Rebuilds the statement that `claim` makes about the model of `card`, after checking that they fit.
///
/// # Errors
/// [`CoreError::Claim`] when they do not fit, [`CoreError::Lower`] when the architecture cannot be lowered.
pub fn statement(claim: &Claim, card: &Card) -> Result<Statement, CoreError> {
    claim.check_against(card)?;
    let ClaimKind::Inference(Inference { input, output, .. }) = &claim.kind;
    let seen = |public: bool| if public { Visibility::Public } else { Visibility::Hidden };
    let system = lower_inference(
        card.architecture(),
        tacit_relations::Inference {
            samples: 1,
            input: seen(matches!(input, InputClaim::Revealed { .. })),
            output: seen(matches!(output, OutputClaim::Public { .. })),
        },
    )?;
    let mut commitments = BTreeMap::from([(Segment::Weights, weights_commitment(card, claim.engine)?)]);
    let mut public = BTreeMap::new();
    match input {
        InputClaim::Hidden { commitment } => {
            commitments.insert(Segment::Input, Commitment(commitment.as_bytes().to_vec()));
        }
        InputClaim::Revealed { record } => {
            public.insert(record_tensor(), record.clone());
        }
    }
    match output {
        OutputClaim::Hidden { commitment } => {
            commitments.insert(Segment::Output, Commitment(commitment.as_bytes().to_vec()));
        }
        OutputClaim::Public { values } => {
            public.insert(output_tensor(&system)?, values.clone());
        }
    }
    Ok(Statement { system, binding: claim.digest().0, commitments, public })
}

/// The card's commitment to the weights under `engine`.
pub(crate) fn weights_commitment(card: &Card, engine: EngineId) -> Result<Commitment, CoreError> {
    let committed = card.commitments().get(engine).ok_or_else(|| {
        CoreError::EngineUnavailable(engine, format!("card {} was not made for it", card.id().short()))
    })?;
    Ok(Commitment(committed.weights.as_bytes().to_vec()))
}

/// The record: lowering puts it first.
pub(crate) fn record_tensor() -> TensorId {
    TensorId(0)
}

/// The answer: the last relation's result.
pub(crate) fn output_tensor(system: &RelationSystem) -> Result<TensorId, CoreError> {
    let last = system.relations().iter().rev().find_map(Relation::result);
    last.ok_or_else(|| EngineError::new("the model computes nothing").into())
}
