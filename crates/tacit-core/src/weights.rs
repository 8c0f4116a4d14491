//! What a card says of its weights, checked: versions, identity, and for the sumcheck engine points and
//! certificate.

use std::collections::BTreeMap;

use tacit_claim::{Card, CardPoints, CommittedModel, EngineId, ModelId};
use tacit_digest::Digest;
use tacit_model::Model;
use tacit_relations::{Commitment, Opening, Progress, Refused, RelationSystem, Segment, TensorId};
use tacit_sumcheck::{PROTOCOL_VERSION, SumcheckEngine};

use crate::error::CoreError;
use crate::folder::committer;
use crate::halo2;
use crate::memory::Memory;

/// Version of the halo2 engine's commitments on cards.
pub(crate) const HALO2_VERSION: u32 = 1;

/// Bytes of a point.
const POINT: usize = 32;

/// The card's commitment under `engine`: of the version that this build has, with the id that belongs to it.
fn named(card: &Card, engine: EngineId) -> Result<CommittedModel<'_>, CoreError> {
    let committed = card.commitments().get(engine).ok_or_else(|| CoreError::OtherEngine {
        engine,
        card: card.id(),
        engines: card.commitments().engines().collect(),
    })?;
    let check_version = |expected: u32, actual: u32| {
        if expected == actual { Ok(()) } else { Err(CoreError::CardVersion { engine, expected, actual }) }
    };
    match engine {
        EngineId::Halo2 => {
            check_version(HALO2_VERSION, committed.version)?;
            let circuit = card.commitments().halo2.as_ref().map(|c| c.parameters.circuit_version);
            check_version(halo2::circuit_version()?, circuit.unwrap_or_default())?;
        }
        EngineId::Sumcheck => check_version(PROTOCOL_VERSION, committed.version)?,
    }
    let id = digest_of(committed.weights.as_bytes()).map(|d| model_id(card, &d));
    if id == Some(committed.model_id) { Ok(committed) } else { Err(CoreError::ModelId(engine)) }
}

/// The Poseidon digest that 32 bytes encode.
fn digest_of(bytes: &[u8]) -> Option<Digest> {
    Digest::from_bytes(bytes.try_into().ok()?).ok()
}

fn model_id(card: &Card, weights: &Digest) -> ModelId {
    ModelId(tacit_digest::model_id(card.architecture_digest().0, weights).to_bytes())
}

/// The card's points: its own, or else those that were given. Their certificate is the one that the card
/// names.
fn points_of<'a>(card: &'a Card, given: Option<&'a CardPoints>) -> Result<&'a CardPoints, CoreError> {
    let points = card.inline_points().or(given).ok_or(CoreError::NoPoints(card.id()))?;
    let named = card.commitments().sumcheck.as_ref().map(|c| c.parameters.certificate);
    if named == Some(points.certificate_digest()) {
        Ok(points)
    } else {
        Err(CoreError::OtherCertificate(card.id()))
    }
}

/// Checks that the points are those that the card's digest was made of.
fn check_points(card: &Card, named: &CommittedModel<'_>, points: &Commitment) -> Result<(), CoreError> {
    let other = |_| CoreError::OtherPoints(card.id());
    // There are never more points than weights: more need not be decoded to be refused.
    if points.0.len() / POINT > card.architecture().weight_count() {
        return Err(CoreError::OtherPoints(card.id()));
    }
    let digest = SumcheckEngine.weights_digest(points).map_err(other)?;
    if digest.to_bytes().as_slice() == named.weights.as_bytes() {
        Ok(())
    } else {
        Err(CoreError::OtherPoints(card.id()))
    }
}

/// The commitment to the weights as the engine takes it, after checking that it is the card's. Says nothing
/// of the certificate.
pub(crate) fn weights_commitment(
    card: &Card,
    engine: EngineId,
    points: Option<&CardPoints>,
) -> Result<Commitment, CoreError> {
    let named = named(card, engine)?;
    match engine {
        EngineId::Halo2 => Ok(Commitment(named.weights.as_bytes().to_vec())),
        EngineId::Sumcheck => {
            let commitment = Commitment(points_of(card, points)?.points().to_vec());
            check_points(card, &named, &commitment)?;
            Ok(commitment)
        }
    }
}

/// The same, certificate included: checked now, or remembered from an earlier check of the same card and
/// points. `system` is any system with the card's weights.
pub(crate) fn certified_weights(
    memory: &impl Memory,
    card: &Card,
    engine: EngineId,
    points: Option<&CardPoints>,
    system: &RelationSystem,
    progress: &dyn Progress,
) -> Result<Commitment, CoreError> {
    let named = named(card, engine)?;
    let points = match engine {
        EngineId::Halo2 => return Ok(Commitment(named.weights.as_bytes().to_vec())),
        EngineId::Sumcheck => points_of(card, points)?,
    };
    let commitment = Commitment(points.points().to_vec());
    if !memory.is_checked(card.id(), points) {
        check_points(card, &named, &commitment)?;
        progress.stage("checking the card's certificate (once per card)");
        let binding = card.certificate_binding();
        SumcheckEngine
            .check_certificate(system, &commitment, binding, points.certificate(), progress)
            .map_err(|e| match e {
                Refused::Engine(e) => CoreError::Engine(e),
                Refused::DoesNotHold => {
                    CoreError::Certificate(card.id(), "the certificate does not hold".to_owned())
                }
                Refused::Malformed(why) => {
                    CoreError::Certificate(card.id(), format!("the certificate is malformed: {why}"))
                }
                other => CoreError::Certificate(card.id(), other.to_string()),
            })?;
        memory.mark_checked(card.id(), points);
    }
    Ok(commitment)
}

/// The model's tensors by their ids in `system`.
pub(crate) fn tensors<'a>(system: &RelationSystem, model: &'a Model) -> BTreeMap<TensorId, &'a [i64]> {
    let tensors = model.weights().tensors().iter().map(Vec::as_slice);
    system.segment(Segment::Weights).zip(tensors).collect()
}

/// An engine's commitment to the model's weights.
pub(crate) fn commit_weights(
    system: &RelationSystem,
    engine: EngineId,
    model: &Model,
    opening: &Opening,
) -> Result<Commitment, CoreError> {
    Ok(committer(engine)?.commit(system, Segment::Weights, &tensors(system, model), opening)?)
}
