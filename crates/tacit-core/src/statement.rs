//! The statement of a claim: what prover and verifier alike build from claim and card, and from nothing else.

use std::collections::BTreeMap;

use tacit_claim::{
    AnswerFact, Card, CardPoints, Claim, ClaimKind, DataClaim, Inference, InputClaim, OutputClaim,
};
use tacit_model::{Architecture, Dataset};
use tacit_relations::{
    Commitment, EngineError, Relation, RelationSystem, Segment, Statement, TensorId, Visibility, lower_facts,
    lower_inference,
};

use crate::error::CoreError;
use crate::test_set::{Part, check_data, tally_of};
use crate::weights::weights_commitment;

/// Rebuilds the statement that `claim` makes about the model of `card`, after checking that they fit.
/// `points` are the card's, where it does not carry them itself and the claim's engine is sumcheck. Whether
/// the card's certificate holds is checked by [`crate::verify`], not here.
///
/// # Errors
/// [`CoreError::Claim`] when they do not fit, [`CoreError::Lower`] when the architecture cannot be lowered,
/// [`CoreError::NoPoints`] and [`CoreError::OtherPoints`] for points that are missing or another card's,
/// [`CoreError::NoData`] and [`CoreError::OtherData`] for a test set that is.
pub fn statement(
    claim: &Claim,
    card: &Card,
    points: Option<&CardPoints>,
    data: Option<&Dataset>,
) -> Result<Statement, CoreError> {
    claim.check_against(card)?;
    let weights = weights_commitment(card, claim.engine, points)?;
    statement_with(claim, card, weights, data)
}

/// The same with the card's commitment to the weights.
pub(crate) fn statement_with(
    claim: &Claim,
    card: &Card,
    weights: Commitment,
    data: Option<&Dataset>,
) -> Result<Statement, CoreError> {
    match &claim.kind {
        ClaimKind::Inference(inference) => assemble(claim, inference, card.architecture(), weights),
        ClaimKind::Accuracy(accuracy) if accuracy.chunks > 1 => Err(CoreError::InChunks(accuracy.chunks)),
        ClaimKind::Accuracy(accuracy) => {
            let tally = tally_of(card, accuracy, data)?;
            let samples = usize::try_from(accuracy.samples).map_err(|_| CoreError::NoData)?;
            let hidden = matches!(accuracy.data, DataClaim::Hidden { .. });
            Ok(Part::whole(card, samples, hidden, &tally)?.statement(claim, weights, data))
        }
        ClaimKind::Predictions(predictions) => {
            let data = data.ok_or(CoreError::NoData)?;
            check_data(data.samples(), data.records_digest(), predictions.samples, predictions.digest)?;
            Ok(Part::answers(card, predictions)?.statement(claim, weights, Some(data)))
        }
    }
}

/// The system by which weights, records and answers are packed for every claim about the architecture: nothing of it is
/// seen.
pub(crate) fn lower_hidden(architecture: &Architecture) -> Result<RelationSystem, CoreError> {
    lower(architecture, Visibility::Hidden, Visibility::Hidden)
}

/// The relations of one inference.
fn lower(
    architecture: &Architecture,
    input: Visibility,
    output: Visibility,
) -> Result<RelationSystem, CoreError> {
    let _span = tracing::info_span!("lower").entered();
    Ok(lower_inference(architecture, tacit_relations::Inference { samples: 1, input, output })?)
}

/// The statement of a claim that fits its card; `weights` is the card's commitment.
fn assemble(
    claim: &Claim,
    Inference { input, output, .. }: &Inference,
    architecture: &Architecture,
    weights: Commitment,
) -> Result<Statement, CoreError> {
    let mut commitments = BTreeMap::from([(Segment::Weights, weights)]);
    let mut public = BTreeMap::new();
    let seen = match input {
        InputClaim::Hidden { commitment } => {
            commitments.insert(Segment::Input, Commitment(commitment.as_bytes().to_vec()));
            Visibility::Hidden
        }
        InputClaim::Revealed { record } => {
            public.insert(record_tensor(), record.clone());
            Visibility::Public
        }
    };
    let system = match output {
        OutputClaim::Hidden { commitment } => {
            commitments.insert(Segment::Output, Commitment(commitment.as_bytes().to_vec()));
            lower(architecture, seen, Visibility::Hidden)?
        }
        OutputClaim::Public { values } => {
            let system = lower(architecture, seen, Visibility::Public)?;
            public.insert(output_tensor(&system)?, values.clone());
            system
        }
        OutputClaim::Facts { facts } => with_facts(architecture, seen, facts, &mut public)?,
    };
    Ok(Statement { system, binding: claim.digest().0, commitments, public })
}

/// The relations of one inference and of facts of its answer, whose public tensors are added to `public`.
fn with_facts(
    architecture: &Architecture,
    input: Visibility,
    facts: &[AnswerFact],
    public: &mut BTreeMap<TensorId, Vec<i64>>,
) -> Result<RelationSystem, CoreError> {
    let _span = tracing::info_span!("lower").entered();
    let lowered = lower_facts(architecture, input, facts)?;
    public.extend(lowered.public);
    Ok(lowered.system)
}

/// The record: lowering puts it first.
fn record_tensor() -> TensorId {
    TensorId(0)
}

/// The answer: the last relation's result.
fn output_tensor(system: &RelationSystem) -> Result<TensorId, CoreError> {
    let last = system.relations().iter().rev().find_map(Relation::result);
    last.ok_or_else(|| EngineError::new("the model computes nothing").into())
}
