//! Verification: the claim against the card, the proof against the statement that both make.

use tacit_claim::{
    Bundle, Card, CardId, CardPoints, CardWeights, Claim, ClaimKind, CommitmentPin, Context, EngineId,
    Inference, OutputClaim, OutputOpening, WeightsClaim,
};
use tacit_model::{Dataset, Model};
use tacit_relations::{Engine, Opening, Progress, RelationSystem, Segment, Statement};
use tacit_sumcheck::SumcheckEngine;

use crate::chunks::verify_chunks;
use crate::commit::commit_segment;
use crate::error::CoreError;
use crate::halo2::{self, srs::SrsOrigin};
use crate::memory::Memory;
use crate::statement::{lower_hidden, statement_with};
use crate::weights::{certified_weights, commit_weights};

/// What the verifier insists on.
#[derive(Debug, Clone, Default)]
pub struct Expectations {
    /// The card's id.
    pub card: Option<CardId>,
    /// The record's commitment.
    pub input: Option<CommitmentPin>,
    /// The context.
    pub context: Option<Context>,
    /// The answer, where the claim hides it.
    pub answer: Option<OutputOpening>,
    /// Accept proofs under the development setup, which anybody can forge.
    pub allow_dev_srs: bool,
}

/// A claim that holds.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The claim as a sentence.
    pub sentence: String,
    /// What stays hidden.
    pub hidden: Vec<String>,
    /// What nobody vouches for.
    pub unvouched: Vec<String>,
    /// The setup under which it holds, read from the verifier's own folder. `None` where the engine needs
    /// none.
    pub setup: Option<SrsOrigin>,
}

/// What a verifier has beside proof and card.
#[derive(Debug, Clone, Copy, Default)]
pub struct Supplied<'a> {
    /// What lies beside the card: needed where the claim's engine is sumcheck and the card does not carry it itself.
    pub points: Option<&'a CardPoints>,
    /// The model, where the weights are public.
    pub model: Option<&'a Model>,
    /// The test set, where the claim is about a public one.
    pub data: Option<&'a Dataset>,
}

/// Checks that `bundle` proves its claim about the model of `card`, and that the claim is the expected one.
/// The card's certificate is checked once and remembered in `memory`; with [`NoMemory`](crate::NoMemory) nothing but the
/// arguments is looked at: no file, no clock, no thread of its own.
///
/// # Errors
/// [`CoreError`]; [`CoreError::outcome`] tells a claim that does not hold from an unusable file and from a
/// refusal.
pub fn verify(
    memory: &impl Memory,
    bundle: &Bundle,
    card: &Card,
    supplied: Supplied<'_>,
    expected: &Expectations,
    progress: &dyn Progress,
) -> Result<Verdict, CoreError> {
    let claim = bundle.claim();
    if let Some(pinned) = expected.card.filter(|id| *id != card.id()) {
        return Err(CoreError::UnexpectedCard { expected: pinned, actual: card.id() });
    }
    claim.check_against(card)?;
    let is_pinned = |pin: &CommitmentPin| claim.input_commitment().is_some_and(|c| pin.matches(c));
    if let Some(input) = expected.input.as_ref().filter(|pin| !is_pinned(pin)) {
        let actual = claim.input_commitment().cloned();
        return Err(CoreError::UnexpectedInput { expected: input.clone(), actual });
    }
    if let Some(context) = expected.context.as_ref().filter(|c| **c != claim.context) {
        return Err(CoreError::UnexpectedContext {
            expected: context.clone(),
            actual: claim.context.clone(),
        });
    }
    // The cheapest system with the card's weights: what each claim packs is packed alike.
    let system = lower_hidden(card.architecture())?;
    let weights = {
        let _span = tracing::info_span!("card").entered();
        certified_weights(memory, card, claim.engine, supplied.points, &system, progress)?
    };
    check_public_weights(claim, card, supplied.model, &system, &weights)?;
    if let Some(answer) = &expected.answer {
        check_answer(claim, &system, answer)?;
    }
    let setup = match &claim.kind {
        ClaimKind::Accuracy(accuracy) if accuracy.chunks > 1 => {
            let _span = tracing::info_span!("verify").entered();
            verify_chunks(claim, accuracy, card, &weights, supplied.data, bundle.proof(), progress)?;
            None
        }
        _ => {
            let statement = statement_with(claim, card, weights, supplied.data)?;
            let _span = tracing::info_span!("verify").entered();
            match claim.engine {
                EngineId::Sumcheck => {
                    check_proof(&SumcheckEngine, &statement, bundle, progress)?;
                    None
                }
                EngineId::Halo2 => {
                    let folder = memory.setups().ok_or(CoreError::EngineNotHere(claim.engine))?;
                    Some(halo2::verify(folder, &statement, bundle, expected.allow_dev_srs, progress)?)
                }
            }
        }
    };
    let mut unvouched = claim.unvouched();
    unvouched.extend(card.unvouched());
    Ok(Verdict {
        sentence: claim.sentence(card)?,
        hidden: claim.hidden(card).into_iter().map(str::to_owned).collect(),
        unvouched,
        setup,
    })
}

/// Where the weights are public, the verifier recomputes their commitment from the model file.
fn check_public_weights(
    claim: &Claim,
    card: &Card,
    model: Option<&Model>,
    system: &RelationSystem,
    committed: &tacit_relations::Commitment,
) -> Result<(), CoreError> {
    let Some(model) = model else {
        return if claim.weights() == WeightsClaim::Revealed { Err(CoreError::NoModel) } else { Ok(()) };
    };
    let CardWeights::Public { salts } = card.weights() else {
        return Err(CoreError::UncheckableModel(card.id()));
    };
    let salt = salts.get(&claim.engine).ok_or(CoreError::WeightsDiffer)?;
    if model.architecture().digest() != card.architecture_digest()
        || commit_weights(system, claim.engine, model, &Opening(*salt.expose()))? != *committed
    {
        return Err(CoreError::WeightsDiffer);
    }
    Ok(())
}

/// Checks that `answer` opens the commitment of a claim that hides its answer.
fn check_answer(claim: &Claim, system: &RelationSystem, answer: &OutputOpening) -> Result<(), CoreError> {
    let ClaimKind::Inference(Inference { output: OutputClaim::Hidden { commitment }, .. }) = &claim.kind
    else {
        return Err(CoreError::PublicAnswer);
    };
    let fits = system.segment(Segment::Output).all(|id| {
        let spec = system.tensor(id);
        answer.values.len() == spec.len()
            && answer.values.iter().all(|v| (spec.bounds.0..=spec.bounds.1).contains(v))
    });
    let opens = || -> Result<bool, CoreError> {
        let again = commit_segment(system, claim.engine, Segment::Output, &answer.values, &answer.salt)?;
        Ok(again == *commitment)
    };
    if answer.claim == claim.digest() && fits && opens()? { Ok(()) } else { Err(CoreError::OtherAnswer) }
}

/// Verifies with an engine that is ready to.
pub(crate) fn check_proof(
    engine: &dyn Engine,
    statement: &Statement,
    bundle: &Bundle,
    progress: &dyn Progress,
) -> Result<(), CoreError> {
    Ok(engine.verify(statement, bundle.proof(), progress)?)
}
