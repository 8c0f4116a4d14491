//! Verification: the claim against the card, the proof against the statement that both make.

use tacit_claim::{
    Bundle, Card, CardId, CardWeights, ClaimKind, Commitment, Context, Inference, WeightsClaim,
};
use tacit_halo2::srs::{SrsOrigin, SrsPolicy};
use tacit_model::Model;
use tacit_relations::{Engine as _, Progress, Refused, Statement};

use crate::commit::weights;
use crate::error::CoreError;
use crate::folder::DataFolder;
use crate::statement::{statement, weights_commitment};

/// What the verifier insists on.
#[derive(Debug, Clone, Default)]
pub struct Expectations {
    /// The card's id.
    pub card: Option<CardId>,
    /// The record's commitment.
    pub input: Option<Commitment>,
    /// The context.
    pub context: Option<Context>,
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
    /// The setup under which it holds, read from the verifier's own folder.
    pub setup: SrsOrigin,
}

/// Checks that `bundle` proves its claim about the model of `card`, and that the claim is the expected one.
///
/// # Errors
/// [`CoreError`]; [`CoreError::outcome`] tells a claim that does not hold from an unusable file and from a refusal.
pub fn verify(
    folder: &DataFolder,
    bundle: &Bundle,
    card: &Card,
    model: Option<&Model>,
    expected: &Expectations,
    progress: &dyn Progress,
) -> Result<Verdict, CoreError> {
    let claim = bundle.claim();
    if let Some(pinned) = expected.card.filter(|id| *id != card.id()) {
        return Err(CoreError::UnexpectedCard { expected: pinned, actual: card.id() });
    }
    claim.check_against(card)?;
    if let Some(input) = expected.input.as_ref().filter(|c| claim.input_commitment() != Some(c)) {
        let actual = claim.input_commitment().cloned();
        return Err(CoreError::UnexpectedInput { expected: input.clone(), actual });
    }
    if let Some(context) = expected.context.as_ref().filter(|c| **c != claim.context) {
        return Err(CoreError::UnexpectedContext {
            expected: context.clone(),
            actual: claim.context.clone(),
        });
    }
    check_public_weights(bundle, card, model)?;
    let statement = statement(claim, card)?;
    let setup = check_proof(folder, &statement, bundle, expected.allow_dev_srs, progress)?;
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
fn check_public_weights(bundle: &Bundle, card: &Card, model: Option<&Model>) -> Result<(), CoreError> {
    let ClaimKind::Inference(Inference { weights: claimed, .. }) = &bundle.claim().kind;
    let Some(model) = model else {
        return if *claimed == WeightsClaim::Revealed { Err(CoreError::NoModel) } else { Ok(()) };
    };
    let engine = bundle.claim().engine;
    let CardWeights::Public { salts } = card.weights() else {
        return Err(CoreError::UncheckableModel(card.id()));
    };
    let salt = salts.get(&engine).ok_or(CoreError::WeightsDiffer)?;
    if model.architecture().digest() != card.architecture_digest()
        || weights(model, salt)? != weights_commitment(card, engine)?
    {
        return Err(CoreError::WeightsDiffer);
    }
    Ok(())
}

/// Verifies under the accepted setups, best first. A proof that holds only under a refused one is named so.
fn check_proof(
    folder: &DataFolder,
    statement: &Statement,
    bundle: &Bundle,
    allow_dev: bool,
    progress: &dyn Progress,
) -> Result<SrsOrigin, CoreError> {
    let engine = folder.engine(bundle.claim().engine, SrsPolicy::NoDev)?;
    let under = |policy: SrsPolicy| -> Result<SrsOrigin, CoreError> {
        let engine = engine.with_policy(policy);
        let origin = engine.setup(&statement.system)?;
        engine.verify(statement, bundle.proof(), progress).map_err(|e| match e {
            Refused::Engine(e) => CoreError::Engine(e),
            other => CoreError::DoesNotHold(other.to_string()),
        })?;
        Ok(origin)
    };
    let dev = || {
        let listing = folder.srs().info().ok()?;
        let entry = listing.entries.into_iter().find(|e| e.origin.is_unsafe_dev())?;
        under(SrsPolicy::Exactly(entry.fingerprint)).ok()
    };
    match under(SrsPolicy::NoDev) {
        Ok(origin) => Ok(origin),
        Err(CoreError::OnlyDevSetup { .. } | CoreError::MissingSetup { .. }) if allow_dev => {
            under(SrsPolicy::AllowDev).map_err(|e| match e {
                CoreError::DoesNotHold(reason) => CoreError::DoesNotHold(elsewhere(reason)),
                other => other,
            })
        }
        Err(CoreError::DoesNotHold(reason)) => match dev() {
            Some(origin) if allow_dev => Ok(origin),
            Some(_) => Err(CoreError::DevSetup),
            None => Err(CoreError::DoesNotHold(elsewhere(reason))),
        },
        Err(e) => Err(e),
    }
}

/// A proof made under a setup that the verifier does not have looks like any other that does not hold.
fn elsewhere(reason: String) -> String {
    format!("{reason}, or it was made under a setup that is not installed here")
}
