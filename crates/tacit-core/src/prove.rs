//! Proving an inference.

use rand_core::CryptoRngCore;
use tacit_claim::{
    Bundle, Card, CardWeights, Claim, Context, EngineId, Inference, InputClaim, InputOpening, OutputClaim,
    SaltBytes, WeightsClaim, WeightsOpening,
};
use tacit_halo2::srs::{SrsOrigin, SrsPolicy};
use tacit_model::Model;
use tacit_relations::{Assignment, Engine as _, Opening, Openings, Progress, Refused, Segment, trace};

use crate::commit::{self, fresh_salt, input, public_commitment, weights};
use crate::error::CoreError;
use crate::folder::DataFolder;
use crate::statement::{output_tensor, statement, weights_commitment};

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

/// What to prove.
#[derive(Debug)]
pub struct ProveInference<'a> {
    /// The model.
    pub model: &'a Model,
    /// Its card.
    pub card: &'a Card,
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
    /// State only a commitment to the answer.
    pub hide_output: bool,
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
    /// Opens the answer's commitment, where it is hidden.
    pub output_salt: Option<SaltBytes>,
    /// The setup that the proof was made under.
    pub setup: SrsOrigin,
}

/// Proves that the model of a card gives its answer on a record, and verifies the proof before handing it out.
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
    let committed = weights_commitment(card, request.engine)?;
    let weights_salt = weights_salt(request)?;
    if model.architecture().digest() != card.architecture_digest()
        || weights(model, &weights_salt)? != committed
    {
        return Err(CoreError::OtherModel(card.id()));
    }
    let record = request.record.values();
    card.check_record(record)?;
    let output = model.run(record)?.output().to_vec();

    let mut openings = Openings::from([(Segment::Weights, Opening(*weights_salt.expose()))]);
    let input = if request.reveal_input {
        InputClaim::Revealed { record: record.to_vec() }
    } else {
        let (salt, commitment) = match &request.record {
            Record::Fresh(record) => {
                let salt = fresh_salt(rng);
                let commitment =
                    public_commitment(input(card.architecture(), request.engine, record, &salt)?)?;
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
    let output_salt = request.hide_output.then(|| fresh_salt(rng));
    let output_claim = match &output_salt {
        None => OutputClaim::Public { values: output.clone() },
        Some(salt) => {
            let commitment = commit::output(card.architecture(), &output, salt)?;
            openings.insert(Segment::Output, Opening(*salt.expose()));
            OutputClaim::Hidden { commitment: public_commitment(commitment)? }
        }
    };
    let weights = if request.reveal_weights { WeightsClaim::Revealed } else { WeightsClaim::Hidden };
    let claim = Claim::inference(
        card,
        request.engine,
        Inference { input, output: output_claim, weights },
        request.context.clone(),
    )?;

    let statement = statement(&claim, card)?;
    let weights = model.weights().tensors().to_vec();
    let mut given = Assignment { weights, input: Vec::new(), public: Vec::new() };
    if request.reveal_input { &mut given.public } else { &mut given.input }.push(record.to_vec());
    progress.stage("computing the trace");
    let trace = trace(&statement.system, &given)?;
    debug_assert_eq!(trace.tensor(output_tensor(&statement.system)?), output.as_slice());

    let engine = folder.engine(request.engine, SrsPolicy::AllowDev)?;
    let setup = engine.setup(&statement.system)?;
    let proof = engine.prove(&statement, &trace, &openings, rng, progress)?;
    engine.verify(&statement, &proof, progress).map_err(|e| match e {
        Refused::Engine(e) => CoreError::Engine(e),
        other => CoreError::DoesNotHold(format!("the proof just made does not verify: {other}")),
    })?;
    Ok(Proved { bundle: Bundle::new(claim, proof)?, output, output_salt, setup })
}

/// The salt of the card's commitment under the request's engine, which the card has: from the opening, or from the card where
/// the weights are public.
fn weights_salt(request: &ProveInference<'_>) -> Result<SaltBytes, CoreError> {
    let (card, engine) = (request.card, request.engine);
    if let Some(opening) = request.opening {
        opening.check_against(card)?;
        return Ok(opening.salts[&engine].clone());
    }
    match card.weights() {
        CardWeights::Public { salts } => salts.get(&engine).cloned().ok_or(CoreError::NoOpening(card.id())),
        CardWeights::Hidden => Err(CoreError::NoOpening(card.id())),
    }
}
