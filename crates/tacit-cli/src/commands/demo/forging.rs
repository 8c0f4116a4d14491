//! Forged claims and cheating provers, for the attacks.

use rand_core::OsRng;
use tacit_claim::{
    Bundle, Card, CardPoints, Claim, ClaimKind, EngineId, Inference, InputClaim, OutputClaim, UnsignedCard,
    WeightsClaim,
};
use tacit_core::srs::SrsPolicy;
use tacit_core::{CoreError, Silent, statement};
use tacit_halo2::{Halo2Engine, prove};
use tacit_model::{Model, Op};
use tacit_relations::{Assignment, Opening, Openings, Relation, Segment, Statement, Trace, trace};

use super::identity;
use super::medical::Scene;
use crate::failure::Failure;

/// What everybody can read on the card, signed by somebody else.
pub(super) fn copied_card(card: &Card, edit: impl FnOnce(&mut UnsignedCard)) -> Result<Card, Failure> {
    let mut content = UnsignedCard {
        name: card.name().clone(),
        architecture: card.architecture().clone(),
        weights: card.weights().clone(),
        commitments: card.commitments().clone(),
        policy: card.policy(),
        quantisation: card.quantisation(),
    };
    edit(&mut content);
    Ok(Card::sign(content, &identity()).map_err(CoreError::from)?)
}

/// Flips a bit in the middle of the certificate that the card carries, and names the result by its digest.
pub(super) fn spoil_certificate(content: &mut UnsignedCard) {
    let Some(sumcheck) = &mut content.commitments.sumcheck else { return };
    let Some(points) = &sumcheck.parameters.points else { return };
    let mut certificate = points.certificate().to_vec();
    let middle = certificate.len() / 2;
    certificate[middle] ^= 1;
    if let Ok(spoiled) = CardPoints::new(points.points().to_vec(), certificate) {
        sumcheck.parameters.certificate = spoiled.certificate_digest();
        sumcheck.parameters.points = Some(spoiled);
    }
}

/// The proof with an edited claim.
pub(super) fn edited(bundle: &Bundle, edit: impl FnOnce(&mut Claim)) -> Result<Bundle, Failure> {
    let (mut claim, proof) = bundle.clone().into_parts();
    edit(&mut claim);
    Ok(Bundle::new(claim, proof).map_err(CoreError::from)?)
}

pub(super) fn set_output(claim: &mut Claim, values: &[i64]) {
    if let ClaimKind::Inference(inference) = &mut claim.kind {
        inference.output = OutputClaim::Public { values: values.to_vec() };
    }
}

/// The model with the last layer's biases set against its own answer.
pub(super) fn doctored(model: &Model, answer: &[i64]) -> Result<Model, Failure> {
    let architecture = model.architecture();
    let biases = architecture.nodes.iter().rev().find_map(|n| match &n.op {
        Op::MatMul { bias: Some(bias), .. } => Some(bias.0 as usize),
        _ => None,
    });
    let Some(last) = biases else { return Err(Failure::new("the bundled model has no bias")) };
    let mut tensors = model.weights().tensors().to_vec();
    let bounds = architecture.params[last].bounds();
    let right = architecture.predicted_class(answer);
    for (class, bias) in tensors[last].iter_mut().enumerate() {
        *bias = if Some(class) == right { bounds.lo / 4 } else { bounds.hi / 4 };
    }
    Model::new(architecture.clone(), tensors).map_err(|e| Failure::new(e.to_string()))
}

/// What a cheating prover does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Trick {
    /// Nothing: the control, which shows that it is the trick that is refused.
    None,
    /// Another model's weights, under the commitment of the one that it shows.
    Weights,
    /// The committed weights, and sums that do not follow from them.
    Sums,
}

/// A proof by a prover that holds every secret and skips its own checks, for the committed record.
pub(super) fn unchecked_proof(scene: &Scene, doctored: &Model, trick: Trick) -> Result<Bundle, Failure> {
    let model = if trick == Trick::None { &scene.model } else { doctored };
    let answer = model.run(&scene.record.record).map_err(CoreError::from)?.output().to_vec();
    let engine = EngineId::Halo2;
    let (Some(input), Some(weights_salt)) =
        (scene.record.commitments.get(&engine), scene.opening.salts.get(&engine))
    else {
        return Err(Failure::new("an opening lacks the engine's salt"));
    };
    let claim = Claim::new(
        &scene.card,
        engine,
        Inference {
            input: InputClaim::Hidden { commitment: input.commitment.clone() },
            output: OutputClaim::Public { values: answer },
            weights: WeightsClaim::Hidden,
        },
        scene.context.clone(),
    )
    .map_err(CoreError::from)?;
    let statement = statement(&claim, &scene.card, None, None)?;
    let record = vec![scene.record.record.clone()];
    let witness = witness(&statement, model, (trick == Trick::Sums).then_some(&scene.model), record)?;
    let openings = Openings::from([
        (Segment::Weights, Opening(*weights_salt.expose())),
        (Segment::Input, Opening(*input.salt.expose())),
    ]);
    let halo2 = Halo2Engine::open(scene.folder.path(), SrsPolicy::AllowDev);
    let (key, srs) = halo2.prover_key(&statement.system, &Silent).map_err(CoreError::from)?;
    let shape = key.verifier_key().shape();
    let circuit = prove::circuit(&statement, shape, &witness, &openings).map_err(CoreError::from)?;
    let proof = prove::prove_unchecked(srs.params(), &key, &circuit, &statement, &mut OsRng)
        .map_err(CoreError::from)?;
    Ok(Bundle::new(claim, proof).map_err(CoreError::from)?)
}

/// The values that a prover computes who asks nobody: by `model`, with the weights of `shown` put in the place of
/// its own afterwards.
pub(super) fn witness(
    statement: &Statement,
    model: &Model,
    shown: Option<&Model>,
    input: Vec<Vec<i64>>,
) -> Result<Trace, Failure> {
    let system = &statement.system;
    let computed: Vec<_> = system.relations().iter().filter_map(Relation::result).collect();
    let given = system.segment(Segment::Public).filter(|id| !computed.contains(id));
    let public = given.map(|id| statement.public.get(&id).cloned().unwrap_or_default()).collect();
    let given = Assignment { weights: model.weights().tensors().to_vec(), input, public };
    let mut witness = trace(system, &given).map_err(CoreError::from)?;
    for (id, weights) in
        system.segment(Segment::Weights).zip(shown.iter().flat_map(|m| m.weights().tensors()))
    {
        witness.values[id.0 as usize].clone_from(weights);
    }
    Ok(witness)
}
