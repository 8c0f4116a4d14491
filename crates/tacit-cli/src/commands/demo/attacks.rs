//! Attempts to cheat, every one of which must be refused.

use rand_core::OsRng;
use serde_json::json;
use tacit_claim::{
    Bundle, Claim, ClaimKind, Context, EngineId, Inference, InputClaim, OutputClaim, WeightsClaim,
};
use tacit_core::srs::SrsPolicy;
use tacit_core::{
    CommitRequest, CoreError, Expectations, Outcome, Silent, Verdict, commit, commit_input, statement,
};
use tacit_halo2::{Halo2Engine, prove};
use tacit_model::{Model, Op};
use tacit_relations::{Assignment, Opening, Openings, Segment, trace};

use super::Teller;
use super::medical::{Scene, identity};
use crate::failure::Failure;
use crate::report::{BAD, GOOD, Item};

/// An attempt and what became of it.
pub(super) struct Attempt {
    what: &'static str,
    /// Refused, and in the way that it must be.
    pub(super) refused: bool,
    how: String,
}

impl Attempt {
    /// What was tried, and that `outcome` is how it must end.
    fn new(what: &'static str, must: Outcome, outcome: Result<Verdict, CoreError>) -> Self {
        match outcome {
            Ok(_) => Self { what, refused: false, how: "ACCEPTED".to_owned() },
            Err(e) => Self { what, refused: e.outcome() == must, how: e.to_string() },
        }
    }

    pub(super) fn json(&self) -> serde_json::Value {
        json!({ "attempt": self.what, "refused": self.refused, "how": self.how })
    }
}

/// Runs all of them.
pub(super) fn run(scene: &Scene, teller: &Teller) -> Result<Vec<Attempt>, Failure> {
    let mut attempts = Vec::new();
    let mut done = |attempt: Attempt| {
        let (style, mark) = if attempt.refused { (GOOD, "refused") } else { (BAD, "NOT REFUSED") };
        teller.tell(&[Item::Line(style, format!("{mark}: {}", attempt.what))]);
        teller.line(format!("         {}", attempt.how));
        attempts.push(attempt);
    };
    // A verifier that pins nothing, so that the proof itself has to resist.
    let trusting = Expectations { allow_dev_srs: true, ..Expectations::default() };
    let card = &scene.card;
    let own = &scene.proved.bundle;
    let must = Outcome::DoesNotHold;

    let doctored = doctored(&scene.model)?;
    let other_answer = doctored.run(&scene.record.record).map_err(CoreError::from)?.output().to_vec();
    let forged = edited(own, |claim| set_output(claim, &other_answer))?;
    done(Attempt::new(
        "the answer in the claim is changed to the other class",
        must,
        scene.verify(&forged, card, &trusting),
    ));

    let thief = identity();
    let request = CommitRequest {
        model: &scene.model,
        name: card.name().clone(),
        engines: &[EngineId::Halo2],
        owner: &thief,
        public_weights: false,
        quantisation: None,
    };
    let (stolen, _) = commit(&request, &mut OsRng)?;
    done(Attempt::new(
        "the proof is shown with another owner's card of the same model",
        must,
        scene.verify(own, &stolen, &trusting),
    ));
    let lifted = edited(own, |claim| claim.card_id = stolen.id())?;
    done(Attempt::new(
        "the same, and the claim is rewritten to name that card",
        must,
        scene.verify(&lifted, &stolen, &trusting),
    ));

    let other = commit_input(card, scene.record.record.clone(), &mut OsRng)?;
    let commitment = other.commitments.get(&EngineId::Halo2).map(|c| c.commitment.clone());
    let expected = Expectations { input: commitment.clone(), ..trusting.clone() };
    done(Attempt::new(
        "the verifier knows another commitment of a record",
        must,
        scene.verify(own, card, &expected),
    ));
    if let Some(commitment) = commitment {
        let swapped = edited(own, |claim| {
            let ClaimKind::Inference(inference) = &mut claim.kind;
            inference.input = InputClaim::Hidden { commitment: commitment.clone() };
        })?;
        done(Attempt::new(
            "the same, and the claim is rewritten to name that commitment",
            must,
            scene.verify(&swapped, card, &expected),
        ));
    }

    let other = Context::new("request 2").map_err(|e| Failure::new(e.to_string()))?;
    let expected = Expectations { context: Some(other.clone()), ..trusting.clone() };
    done(Attempt::new(
        "the proof is used again for another request",
        must,
        scene.verify(own, card, &expected),
    ));
    let rewritten = edited(own, |claim| claim.context = other.clone())?;
    done(Attempt::new(
        "the same, and the claim is rewritten for that request",
        must,
        scene.verify(&rewritten, card, &expected),
    ));

    done(Attempt::new(
        "one bit of the proof is flipped, at five places",
        must,
        flipped(scene, own, &trusting),
    ));

    // Provers that hold every secret and skip their own checks.
    let cheat = cheating_proof(scene, &doctored, &other_answer, true)?;
    done(Attempt::new(
        "the prover computes with other weights than it committed to",
        must,
        scene.verify(&cheat, card, &trusting),
    ));
    let cheat = cheating_proof(scene, &doctored, &other_answer, false)?;
    done(Attempt::new(
        "the prover uses the right weights and one wrong sum",
        must,
        scene.verify(&cheat, card, &trusting),
    ));

    let strict = Expectations { allow_dev_srs: false, ..scene.expected() };
    done(Attempt::new(
        "a good proof under the development setup, without --allow-dev-srs",
        Outcome::Policy,
        scene.verify(own, card, &strict),
    ));
    Ok(attempts)
}

/// The proof with an edited claim.
fn edited(bundle: &Bundle, edit: impl FnOnce(&mut Claim)) -> Result<Bundle, Failure> {
    let (mut claim, proof) = bundle.clone().into_parts();
    edit(&mut claim);
    Ok(Bundle::new(claim, proof).map_err(CoreError::from)?)
}

fn set_output(claim: &mut Claim, values: &[i64]) {
    let ClaimKind::Inference(inference) = &mut claim.kind;
    inference.output = OutputClaim::Public { values: values.to_vec() };
}

/// The first acceptance, or else the last refusal.
fn flipped(scene: &Scene, own: &Bundle, expected: &Expectations) -> Result<Verdict, CoreError> {
    let mut last = Err(CoreError::DoesNotHold("nothing was tried".to_owned()));
    let length = own.proof().len();
    for at in (0..5).map(|i| i * (length - 1) / 4) {
        let (claim, mut proof) = own.clone().into_parts();
        proof[at] ^= 1;
        last = scene.verify(&Bundle::new(claim, proof)?, &scene.card, expected);
        if last.is_ok() {
            break;
        }
    }
    last
}

/// The model with the last layer's biases set so that the other class wins.
fn doctored(model: &Model) -> Result<Model, Failure> {
    let architecture = model.architecture();
    let biases = architecture.nodes.iter().rev().find_map(|n| match &n.op {
        Op::MatMul { bias: Some(bias), .. } => Some(bias.0 as usize),
        _ => None,
    });
    let mut tensors = model.weights().tensors().to_vec();
    let Some(last) = biases else { return Err(Failure::new("the bundled model has no bias")) };
    // The classes' biases change places with their sign: enough to move every logit.
    let spec = architecture.params[last].bounds();
    for (i, b) in tensors[last].iter_mut().enumerate() {
        *b = if i % 2 == 0 { spec.lo / 4 } else { spec.hi / 4 };
    }
    Model::new(architecture.clone(), tensors).map_err(|e| Failure::new(e.to_string()))
}

/// A proof by a prover that skips its own checks: for the committed record and the answer of the `doctored` model, with
/// the doctored weights in the witness, or with the right ones under sums that do not follow from them.
fn cheating_proof(
    scene: &Scene,
    doctored: &Model,
    answer: &[i64],
    wrong_weights: bool,
) -> Result<Bundle, Failure> {
    let engine = EngineId::Halo2;
    let (Some(input), Some(weights_salt)) =
        (scene.record.commitments.get(&engine), scene.opening.salts.get(&engine))
    else {
        return Err(Failure::new("an opening lacks the engine's salt"));
    };
    let claim = Claim::inference(
        &scene.card,
        engine,
        Inference {
            input: InputClaim::Hidden { commitment: input.commitment.clone() },
            output: OutputClaim::Public { values: answer.to_vec() },
            weights: WeightsClaim::Hidden,
        },
        scene.context.clone(),
    )
    .map_err(CoreError::from)?;
    let statement = statement(&claim, &scene.card)?;
    let given = Assignment {
        weights: doctored.weights().tensors().to_vec(),
        input: vec![scene.record.record.clone()],
        public: Vec::new(),
    };
    let mut witness = trace(&statement.system, &given).map_err(CoreError::from)?;
    if !wrong_weights {
        for (id, right) in statement.system.segment(Segment::Weights).zip(scene.model.weights().tensors()) {
            witness.values[id.0 as usize].clone_from(right);
        }
    }
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
