//! Commitments: to a model, once; to a record, ahead of a proof.

use std::collections::BTreeMap;

use rand_core::CryptoRngCore;
use tacit_claim::{
    Card, CardName, CardPoints, CardWeights, CertificateDigest, Commitments, CommittedInput, DataClaim,
    DatasetOpening, EngineCommitment, EngineId, Halo2Parameters, InputOpening, ModelId, OwnerKey, Policy,
    Quantisation, SaltBytes, SumcheckParameters, UnsignedCard, WeightsOpening,
};
use tacit_digest::Digest;
use tacit_model::{ArchitectureDigest, Dataset, Model};
use tacit_relations::{
    Commitment, EngineError, Opening, Progress, Refused, RelationSystem, Segment, TensorId, lower_hidden_data,
};
use tacit_sumcheck::{PROTOCOL_VERSION, SumcheckEngine};

use crate::error::CoreError;
use crate::folder::{DataFolder, committer};
use crate::halo2;
use crate::prove_test_set::hidden_input;
use crate::statement::lower_hidden;
use crate::weights::{HALO2_VERSION, commit_weights, tensors};

/// What a card is made of.
#[derive(Debug)]
pub struct CommitRequest<'a> {
    /// The model.
    pub model: &'a Model,
    /// What the owner calls it.
    pub name: CardName,
    /// Engines to commit for.
    pub engines: &'a [EngineId],
    /// Who signs.
    pub owner: &'a OwnerKey,
    /// Whether the card opens its own commitments.
    pub public_weights: bool,
    /// How far quantisation strayed, on the owner's word.
    pub quantisation: Option<Quantisation>,
}

/// A model committed to.
#[derive(Debug)]
pub struct Committed {
    /// For everybody.
    pub card: Card,
    /// For everybody, beside the card: what is too large for it. `None` where the card has everything.
    pub points: Option<CardPoints>,
    /// For the owner.
    pub opening: WeightsOpening,
}

/// Commits to a model under a fresh salt per engine. For the sumcheck engine this makes, once, the
/// certificate that every weight fits its width, checks it, and remembers in `folder` that it holds.
///
/// # Errors
/// [`CoreError`].
pub fn commit(
    folder: &DataFolder,
    request: &CommitRequest<'_>,
    rng: &mut dyn CryptoRngCore,
    progress: &dyn Progress,
) -> Result<Committed, CoreError> {
    let model = request.model;
    let architecture = model.architecture();
    let digest = architecture.digest();
    let system = lower_hidden(architecture)?;
    let mut commitments = Commitments::default();
    let mut salts = BTreeMap::new();
    let mut uncertified = None;
    for engine in request.engines {
        progress.stage("committing to the weights");
        let salt = fresh_salt(rng);
        let opening = Opening(*salt.expose());
        let commitment = commit_weights(&system, *engine, model, &opening)?;
        match engine {
            EngineId::Halo2 => {
                let bytes: [u8; 32] = commitment.0.as_slice().try_into().map_err(|_| bad_commitment())?;
                let weights = Digest::from_bytes(&bytes).map_err(|_| bad_commitment())?;
                let parameters = Halo2Parameters { circuit_version: halo2::circuit_version()? };
                commitments.halo2 = Some(on_card(HALO2_VERSION, digest, &weights, parameters)?);
            }
            EngineId::Sumcheck => {
                let weights = SumcheckEngine.weights_digest(&commitment)?;
                // The certificate is bound to everything else on the card, so it comes last.
                let parameters = SumcheckParameters { certificate: CertificateDigest([0; 32]), points: None };
                commitments.sumcheck = Some(on_card(PROTOCOL_VERSION, digest, &weights, parameters)?);
                uncertified = Some((commitment, opening));
            }
        }
        salts.insert(*engine, salt);
    }
    let mut content = UnsignedCard {
        name: request.name.clone(),
        architecture: architecture.clone(),
        weights: if request.public_weights {
            CardWeights::Public { salts: salts.clone() }
        } else {
            CardWeights::Hidden
        },
        commitments,
        policy: Policy::default(),
        quantisation: request.quantisation,
    };
    let mut points = None;
    if let Some((commitment, opening)) = uncertified {
        let binding = content.certificate_binding(&request.owner.public())?;
        points = Some(certified(&system, model, commitment, &opening, binding, rng, progress)?);
    }
    if let (Some(points), Some(sumcheck)) = (&points, &mut content.commitments.sumcheck) {
        sumcheck.parameters.certificate = points.certificate_digest();
        sumcheck.parameters.points = points.fits_inline().then(|| points.clone());
    }
    let card = Card::sign(content, request.owner)?;
    if let Some(points) = &points {
        folder.mark_checked(card.id(), points);
    }
    let opening = WeightsOpening {
        card_id: card.id(),
        architecture_digest: digest,
        model_digest: model.digest(),
        salts,
    };
    Ok(Committed { points: points.filter(|p| !p.fits_inline()), card, opening })
}

/// What a card says of one engine.
fn on_card<P>(
    version: u32,
    architecture: ArchitectureDigest,
    weights: &Digest,
    parameters: P,
) -> Result<EngineCommitment<P>, CoreError> {
    Ok(EngineCommitment {
        version,
        weights: public_commitment(Commitment(weights.to_bytes().to_vec()))?,
        model_id: ModelId(tacit_digest::model_id(architecture.0, weights).to_bytes()),
        parameters,
    })
}

/// Points and certificate of a commitment to the model's weights; the certificate was checked.
fn certified(
    system: &RelationSystem,
    model: &Model,
    commitment: Commitment,
    opening: &Opening,
    binding: [u8; 32],
    rng: &mut dyn CryptoRngCore,
    progress: &dyn Progress,
) -> Result<CardPoints, CoreError> {
    progress.stage("certifying that every weight fits its width");
    let weights = tensors(system, model);
    let certificate =
        SumcheckEngine.certify(system, &weights, &commitment, opening, binding, rng, progress)?;
    progress.stage("checking the certificate");
    SumcheckEngine.check_certificate(system, &commitment, binding, &certificate, progress).map_err(|e| {
        match e {
            Refused::Engine(e) => e,
            other => EngineError::new(format!("the certificate just made does not hold: {other}")),
        }
    })?;
    Ok(CardPoints::new(commitment.0, certificate)?)
}

/// Commits to a record under a fresh salt for every engine of the card.
///
/// # Errors
/// [`CoreError::Record`] when the record does not fit the card's schema.
pub fn commit_input(
    card: &Card,
    record: Vec<i64>,
    rng: &mut dyn CryptoRngCore,
) -> Result<InputOpening, CoreError> {
    card.check_record(&record)?;
    let system = lower_hidden(card.architecture())?;
    let mut opening = InputOpening {
        card_id: card.id(),
        schema_digest: card.schema_digest(),
        record,
        commitments: BTreeMap::new(),
    };
    for engine in card.commitments().engines().collect::<Vec<_>>() {
        let salt = fresh_salt(rng);
        let commitment = commit_segment(&system, engine, Segment::Input, &opening.record, &salt)?;
        opening.commitments.insert(engine, CommittedInput { salt, commitment });
    }
    Ok(opening)
}

/// Whether the record and the salt of an opening that somebody else made open its commitment under `engine`. A proof
/// about a commitment that they do not open would not hold.
///
/// # Errors
/// [`CoreError::Opening`] when it is for another schema, its record does not fit, or it holds nothing for the engine.
pub fn opens_input(card: &Card, opening: &InputOpening, engine: EngineId) -> Result<bool, CoreError> {
    opening.check_against(card, engine)?;
    let CommittedInput { salt, commitment } = &opening.commitments[&engine];
    let system = lower_hidden(card.architecture())?;
    Ok(commit_segment(&system, engine, Segment::Input, &opening.record, salt)? == *commitment)
}

/// Commits to a test set, records and labels, under a fresh salt for every engine of the card: for claims that show only
/// the commitment.
///
/// # Errors
/// [`CoreError::DataRecord`] for records out of the card's ranges, [`CoreError::NoLabels`].
pub fn commit_dataset(
    card: &Card,
    data: &Dataset,
    rng: &mut dyn CryptoRngCore,
) -> Result<DatasetOpening, CoreError> {
    let input = hidden_input(card, data)?;
    let system = lower_hidden_data(card.architecture(), data.samples())?;
    let mut commitments = BTreeMap::new();
    for engine in card.commitments().engines() {
        let salt = fresh_salt(rng);
        let commitment = commit_tensors(&system, engine, Segment::Input, &input, &salt)?;
        let samples = data.samples() as u64;
        let commitment = DataClaim::commitment(samples, card.schema_digest(), commitment.as_bytes())
            .map_err(CoreError::Commitment)?;
        commitments.insert(engine, CommittedInput { salt, commitment });
    }
    Ok(DatasetOpening { card_id: card.id(), dataset_digest: data.digest(), commitments })
}

pub(crate) fn fresh_salt(rng: &mut dyn CryptoRngCore) -> SaltBytes {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    SaltBytes::new(bytes)
}

/// An engine's commitment to the one tensor of the record's or the answer's segment, as a claim states it.
pub(crate) fn commit_segment(
    system: &RelationSystem,
    engine: EngineId,
    segment: Segment,
    values: &[i64],
    salt: &SaltBytes,
) -> Result<tacit_claim::Commitment, CoreError> {
    commit_tensors(system, engine, segment, &[values], salt)
}

/// The same of several tensors, in order of their index.
pub(crate) fn commit_tensors(
    system: &RelationSystem,
    engine: EngineId,
    segment: Segment,
    values: &[impl AsRef<[i64]>],
    salt: &SaltBytes,
) -> Result<tacit_claim::Commitment, CoreError> {
    let tensors: BTreeMap<TensorId, &[i64]> =
        system.segment(segment).zip(values.iter().map(AsRef::as_ref)).collect();
    let opening = Opening(*salt.expose());
    public_commitment(committer(engine)?.commit(system, segment, &tensors, &opening)?)
}

fn public_commitment(commitment: Commitment) -> Result<tacit_claim::Commitment, CoreError> {
    tacit_claim::Commitment::new(commitment.0).map_err(CoreError::Commitment)
}

fn bad_commitment() -> CoreError {
    EngineError::new("the engine made a commitment of an unexpected form").into()
}
