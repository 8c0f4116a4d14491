//! Commitments: to a model, once; to a record, ahead of a proof.

use std::collections::BTreeMap;

use rand_core::CryptoRngCore;
use tacit_claim::{
    Card, CardName, CardWeights, Commitments, CommittedInput, EngineCommitment, EngineId, Halo2Parameters,
    InputOpening, ModelId, OwnerKey, Policy, Quantisation, SaltBytes, UnsignedCard, WeightsOpening,
};
use tacit_halo2::srs::SrsPolicy;
use tacit_halo2::{CIRCUIT_VERSION, Halo2Engine};
use tacit_model::{Architecture, Model};
use tacit_relations::{
    Commitment, Engine as _, EngineError, Inference, Opening, RelationSystem, Segment, TensorId, Visibility,
    lower_inference,
};

use crate::error::CoreError;

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

/// Commits to a model under a fresh salt per engine: the card for everybody, the opening for its owner.
///
/// # Errors
/// [`CoreError`].
pub fn commit(
    request: &CommitRequest<'_>,
    rng: &mut dyn CryptoRngCore,
) -> Result<(Card, WeightsOpening), CoreError> {
    let architecture = request.model.architecture();
    let digest = architecture.digest();
    let mut commitments = Commitments::default();
    let mut salts = BTreeMap::new();
    for engine in request.engines {
        let salt = fresh_salt(rng);
        match engine {
            EngineId::Halo2 => {
                let weights = weights(request.model, &salt)?;
                let bytes: [u8; 32] = weights.0.as_slice().try_into().map_err(|_| bad_commitment())?;
                let element = tacit_digest::Digest::from_bytes(&bytes).map_err(|_| bad_commitment())?;
                commitments.halo2 = Some(EngineCommitment {
                    version: 1,
                    weights: public_commitment(weights)?,
                    model_id: ModelId(tacit_digest::model_id(digest.0, &element).to_bytes()),
                    parameters: Halo2Parameters { circuit_version: CIRCUIT_VERSION.into() },
                });
            }
            EngineId::Sumcheck => {
                return Err(CoreError::not_built(*engine));
            }
        }
        salts.insert(*engine, salt);
    }
    let weights = if request.public_weights {
        CardWeights::Public { salts: salts.clone() }
    } else {
        CardWeights::Hidden
    };
    let card = Card::sign(
        UnsignedCard {
            name: request.name.clone(),
            architecture: architecture.clone(),
            weights,
            commitments,
            policy: Policy::default(),
            quantisation: request.quantisation,
        },
        request.owner,
    )?;
    let opening = WeightsOpening { card_id: card.id(), architecture_digest: digest, salts };
    Ok((card, opening))
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
    let mut opening = InputOpening {
        card_id: card.id(),
        schema_digest: card.schema_digest(),
        record,
        commitments: BTreeMap::new(),
    };
    for engine in card.commitments().engines().collect::<Vec<_>>() {
        let salt = fresh_salt(rng);
        let commitment = public_commitment(input(card.architecture(), engine, &opening.record, &salt)?)?;
        opening.commitments.insert(engine, CommittedInput { salt, commitment });
    }
    Ok(opening)
}

pub(crate) fn fresh_salt(rng: &mut dyn CryptoRngCore) -> SaltBytes {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    SaltBytes::new(bytes)
}

pub(crate) fn public_commitment(commitment: Commitment) -> Result<tacit_claim::Commitment, CoreError> {
    tacit_claim::Commitment::new(commitment.0).map_err(|_| bad_commitment())
}

fn bad_commitment() -> CoreError {
    EngineError::new("the engine made a commitment of an unexpected form").into()
}

/// The system by which weights and records are packed: the same for every claim about the architecture.
fn packing(architecture: &Architecture) -> Result<RelationSystem, CoreError> {
    let hidden = Visibility::Hidden;
    Ok(lower_inference(architecture, Inference { samples: 1, input: hidden, output: hidden })?)
}

/// The engine's commitment to one segment's tensors.
fn segment(
    system: &RelationSystem,
    segment: Segment,
    tensors: &[&[i64]],
    salt: &SaltBytes,
) -> Result<Commitment, CoreError> {
    // Committing needs neither setups nor keys.
    let engine = Halo2Engine::open(std::path::Path::new(""), SrsPolicy::NoDev);
    let tensors: BTreeMap<TensorId, &[i64]> = system.segment(segment).zip(tensors.iter().copied()).collect();
    Ok(engine.commit(system, segment, &tensors, &Opening(*salt.expose()))?)
}

/// The halo2 engine's commitment to a model's weights.
pub(crate) fn weights(model: &Model, salt: &SaltBytes) -> Result<Commitment, CoreError> {
    let tensors: Vec<&[i64]> = model.weights().tensors().iter().map(Vec::as_slice).collect();
    segment(&packing(model.architecture())?, Segment::Weights, &tensors, salt)
}

/// The halo2 engine's commitment to an answer.
pub(crate) fn output(
    architecture: &Architecture,
    output: &[i64],
    salt: &SaltBytes,
) -> Result<Commitment, CoreError> {
    segment(&packing(architecture)?, Segment::Output, &[output], salt)
}

/// An engine's commitment to a record.
pub(crate) fn input(
    architecture: &Architecture,
    engine: EngineId,
    record: &[i64],
    salt: &SaltBytes,
) -> Result<Commitment, CoreError> {
    match engine {
        EngineId::Halo2 => segment(&packing(architecture)?, Segment::Input, &[record], salt),
        EngineId::Sumcheck => Err(CoreError::not_built(engine)),
    }
}
