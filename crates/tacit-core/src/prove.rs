//! Proving an inference.

use rand_core::CryptoRngCore;
use tacit_claim::{
    AnswerBound, AnswerFact, Answers, Bundle, Card, CardPoints, CardWeights, Claim, Context, EngineId,
    Inference, InputClaim, InputOpening, OutputClaim, OutputOpening, SaltBytes, WeightsClaim, WeightsOpening,
};
use tacit_model::Model;
use tacit_relations::{
    Commitment, Engine, Opening, Openings, Progress, Refused, RelationSystem, Segment, Statement, Trace,
};
use tacit_sumcheck::SumcheckEngine;

use crate::commit::{commit_segment, fresh_salt};
use crate::error::CoreError;
use crate::folder::DataFolder;
use crate::halo2::{self, srs::SrsOrigin};
use crate::prove_test_set::compute;
use crate::statement::{lower_hidden, statement_with};
use crate::weights::{certified_weights, commit_weights};

/// The record of a proof.
#[derive(Debug)]
pub enum Record<'a> {
    /// Committed now, under a fresh salt.
    Fresh(Vec<i64>),
    /// Committed before; the proof shows the same commitment.
    Committed(&'a InputOpening),
}

impl Record<'_> {
    fn values(&self) -> &[i64] {
        match self {
            Self::Fresh(record) => record,
            Self::Committed(opening) => &opening.record,
        }
    }
}

/// What a claim states of the answer.
#[derive(Debug, Clone, Copy)]
pub enum Shown<'a> {
    /// The answer.
    Answer,
    /// Only a commitment to it.
    Commitment,
    /// Only facts of it.
    Facts(&'a [Asked]),
}

/// A fact to state of an answer.
#[derive(Debug, Clone, Copy)]
pub enum Asked {
    /// Its class.
    Class,
    /// So many of its first classes.
    Top(u32),
    /// That it meets a bound.
    Bound(AnswerBound),
}

impl Asked {
    /// The fact, where it holds.
    fn of(self, answers: &Answers<'_>, output: &[i64]) -> Result<AnswerFact, CoreError> {
        match self {
            Self::Class => Ok(AnswerFact::class(answers, output)?),
            Self::Top(k) => Ok(AnswerFact::top(answers, output, k)?),
            Self::Bound(bound) => {
                let fact = AnswerFact::Bound(bound);
                if fact.holds(answers, output) {
                    Ok(fact)
                } else {
                    Err(CoreError::BoundMissed(bound.text(answers)))
                }
            }
        }
    }
}

/// What to prove.
#[derive(Debug)]
pub struct ProveInference<'a> {
    /// The model.
    pub model: &'a Model,
    /// Its card.
    pub card: &'a Card,
    /// What lies beside the card; needed for the sumcheck engine where the card does not carry it itself.
    pub points: Option<&'a CardPoints>,
    /// Opens the card's commitment; not needed where the card's weights are public.
    pub opening: Option<&'a WeightsOpening>,
    /// The record.
    pub record: Record<'a>,
    /// The engine.
    pub engine: EngineId,
    /// State the record in the claim.
    pub reveal_input: bool,
    /// Let the verifier recompute the weights' commitment from the model file.
    pub reveal_weights: bool,
    /// What to state of the answer.
    pub shown: Shown<'a>,
    /// What the proof is made for.
    pub context: Context,
}

/// A proof, and what belongs to it.
#[derive(Debug)]
pub struct Proved {
    /// The proof file.
    pub bundle: Bundle,
    /// The answer.
    pub output: Vec<i64>,
    /// Opens the answer's commitment, where the answer is hidden.
    pub output_opening: Option<OutputOpening>,
    /// The setup that the proof was made under. `None` where the engine needs none.
    pub setup: Option<SrsOrigin>,
}

/// Proves that the model of a card gives its answer on a record, and verifies the proof before handing it
/// out.
///
/// # Errors
/// [`CoreError`].
pub fn prove_inference(
    folder: &DataFolder,
    request: &ProveInference<'_>,
    rng: &mut dyn CryptoRngCore,
    progress: &dyn Progress,
) -> Result<Proved, CoreError> {
    let (card, model) = (request.card, request.model);
    let system = lower_hidden(card.architecture())?;
    let owned =
        Owned { model, card, points: request.points, opening: request.opening, engine: request.engine };
    let (committed, weights_opening) = owned.ready(folder, &system, progress)?;
    let record = request.record.values();
    card.check_record(record)?;
    let mut openings = Openings::from([(Segment::Weights, weights_opening)]);
    let output = model.run(record)?.output().to_vec();

    let input = if request.reveal_input {
        InputClaim::Revealed { record: record.to_vec() }
    } else {
        let (salt, commitment) = match &request.record {
            Record::Fresh(record) => {
                let salt = fresh_salt(rng);
                let commitment = commit_segment(&system, request.engine, Segment::Input, record, &salt)?;
                (salt, commitment)
            }
            Record::Committed(opening) => {
                opening.check_against(card, request.engine)?;
                let committed = &opening.commitments[&request.engine];
                (committed.salt.clone(), committed.commitment.clone())
            }
        };
        openings.insert(Segment::Input, Opening(*salt.expose()));
        InputClaim::Hidden { commitment }
    };
    let mut output_salt = None;
    let output_claim = match request.shown {
        Shown::Answer => OutputClaim::Public { values: output.clone() },
        Shown::Commitment => {
            let salt = fresh_salt(rng);
            openings.insert(Segment::Output, Opening(*salt.expose()));
            let commitment = commit_segment(&system, request.engine, Segment::Output, &output, &salt)?;
            output_salt = Some(salt);
            OutputClaim::Hidden { commitment }
        }
        Shown::Facts(asked) => {
            let answers = card.answers();
            let facts = asked.iter().map(|a| a.of(&answers, &output)).collect::<Result<Vec<_>, _>>()?;
            AnswerFact::check_all(&facts, &answers)?;
            OutputClaim::Facts { facts }
        }
    };
    let weights = if request.reveal_weights { WeightsClaim::Revealed } else { WeightsClaim::Hidden };
    let inference = Inference { input, output: output_claim, weights };
    let claim = Claim::new(card, request.engine, inference, request.context.clone())?;
    let statement = statement_with(&claim, card, committed, None)?;
    progress.stage("computing the trace");
    let hidden_input = if request.reveal_input { Vec::new() } else { vec![record.to_vec()] };
    let trace = compute(model, &statement, hidden_input)?;
    let (proof, setup) = proof(folder, request.engine, &statement, &trace, &openings, rng, progress)?;
    let output_opening =
        output_salt.map(|salt| OutputOpening { claim: claim.digest(), values: output.clone(), salt });
    Ok(Proved { bundle: Bundle::new(claim, proof)?, output, output_opening, setup })
}

/// A proof that holds, and the setup that it was made under.
pub(crate) fn proof(
    folder: &DataFolder,
    engine: EngineId,
    statement: &Statement,
    trace: &Trace,
    openings: &Openings,
    rng: &mut dyn CryptoRngCore,
    progress: &dyn Progress,
) -> Result<(Vec<u8>, Option<SrsOrigin>), CoreError> {
    let mut checked = |engine: &dyn Engine| -> Result<Vec<u8>, CoreError> {
        let proof = {
            let _span = tracing::info_span!("prove").entered();
            engine.prove(statement, trace, openings, rng, progress)?
        };
        let _span = tracing::info_span!("verify").entered();
        engine.verify(statement, &proof, progress).map_err(|e| match e {
            Refused::Engine(e) => CoreError::Engine(e),
            other => CoreError::DoesNotHold(format!("the proof just made does not verify: {other}")),
        })?;
        Ok(proof)
    };
    match engine {
        EngineId::Sumcheck => Ok((checked(&SumcheckEngine)?, None)),
        EngineId::Halo2 => {
            let (engine, setup) = halo2::prover(folder, statement)?;
            Ok((checked(engine.as_ref())?, Some(setup)))
        }
    }
}

/// The prover's model, with what shows that it is the card's.
pub(crate) struct Owned<'a> {
    pub(crate) model: &'a Model,
    pub(crate) card: &'a Card,
    pub(crate) points: Option<&'a CardPoints>,
    pub(crate) opening: Option<&'a WeightsOpening>,
    pub(crate) engine: EngineId,
}

impl Owned<'_> {
    /// The card's commitment and what opens it, checked. `system` is any system with the card's weights.
    pub(crate) fn ready(
        &self,
        folder: &DataFolder,
        system: &RelationSystem,
        progress: &dyn Progress,
    ) -> Result<(Commitment, Opening), CoreError> {
        let _span = tracing::info_span!("card").entered();
        let committed = certified_weights(folder, self.card, self.engine, self.points, system, progress)?;
        let opening = self.weights_opening()?;
        self.check_model(system, &committed, &opening)?;
        Ok((committed, opening))
    }

    /// Whether the model can be the card's at all: asked before the model is run.
    pub(crate) fn check_architecture(&self) -> Result<(), CoreError> {
        if self.model.architecture().digest() == self.card.architecture_digest() {
            Ok(())
        } else {
            Err(CoreError::OtherModel(self.card.id()))
        }
    }

    /// What opens the card's commitment under the engine, which the card has: from the opening, or from the card
    /// where the weights are public.
    fn weights_opening(&self) -> Result<Opening, CoreError> {
        let salt: Option<&SaltBytes> = match (self.opening, self.card.weights()) {
            (Some(opening), _) => {
                opening.check_against(self.card)?;
                opening.salts.get(&self.engine)
            }
            (None, CardWeights::Public { salts }) => salts.get(&self.engine),
            (None, CardWeights::Hidden) => None,
        };
        salt.map(|salt| Opening(*salt.expose())).ok_or(CoreError::NoOpening(self.card.id()))
    }

    /// Keeps an owner from proving with another model than the card's by mistake. The opening names the model;
    /// without one the commitment is made again.
    fn check_model(
        &self,
        system: &RelationSystem,
        committed: &Commitment,
        salt: &Opening,
    ) -> Result<(), CoreError> {
        self.check_architecture()?;
        let same = match self.opening {
            Some(opening) => opening.model_digest == self.model.digest(),
            None => commit_weights(system, self.engine, self.model, salt)? == *committed,
        };
        if same { Ok(()) } else { Err(CoreError::OtherModel(self.card.id())) }
    }
}
