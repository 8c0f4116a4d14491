//! Attempts to cheat, every one of which must be refused.

use rand_core::OsRng;
use tacit_claim::{Bundle, ClaimKind, Commitment, Context, EngineId, InputClaim};
use tacit_core::{CoreError, Expectations, Outcome, Proved, Verdict, commit_input};

use super::Teller;
use super::attempts::{Attempt, Round};
use super::forging::{Trick, copied_card, doctored, edited, set_output, spoil_certificate, unchecked_proof};
use super::medical::Scene;
use crate::failure::Failure;

/// A verifier that pins nothing, so that the proof itself has to resist.
fn trusting() -> Expectations {
    Expectations { allow_dev_srs: true, ..Expectations::default() }
}

/// Attempts to pass the good proof off as another, with what everybody can see.
pub(super) fn on_the_claim(scene: &Scene, proved: &Proved, teller: &Teller) -> Result<Vec<Attempt>, Failure> {
    let mut round = Round::new(teller);
    let trusting = trusting();
    let (card, own) = (&scene.card, &proved.bundle);

    let doctored = doctored(&scene.model, &proved.output)?;
    let other_answer = doctored.run(&scene.record.record).map_err(CoreError::from)?.output().to_vec();
    let forged = edited(own, |claim| set_output(claim, &other_answer))?;
    round.tried(
        "the answer in the claim is changed to the other class",
        scene.verify(&forged, card, &trusting),
    );

    let copied = copied_card(card, |_| ())?;
    round.tried(
        "somebody signs a copy of the card and shows the proof as their own",
        scene.verify(own, &copied, &trusting),
    );
    let lifted = edited(own, |claim| claim.card_id = copied.id())?;
    round.tried("... and rewrites the claim to name that card", scene.verify(&lifted, &copied, &trusting));

    let uncertified = copied_card(card, spoil_certificate)?;
    let lifted = edited(own, |claim| claim.card_id = uncertified.id())?;
    round.tried(
        "... with a certificate of the weights that has one bit changed",
        scene.verify(&lifted, &uncertified, &trusting),
    );

    let other = commit_input(card, scene.record.record.clone(), &mut OsRng)?;
    let commitment = other.commitments.get(&own.claim().engine).map(|c| c.commitment.clone());
    let pin = commitment.as_ref().map(Commitment::pin);
    let expected = Expectations { input: pin, ..trusting.clone() };
    round.tried(
        "the proof is shown to somebody who committed to a record",
        scene.verify(own, card, &expected),
    );
    if let Some(commitment) = commitment {
        let swapped = edited(own, |claim| {
            if let ClaimKind::Inference(inference) = &mut claim.kind {
                inference.input = InputClaim::Hidden { commitment };
            }
        })?;
        round.tried(
            "... and the claim is rewritten to name that commitment",
            scene.verify(&swapped, card, &expected),
        );
    }

    let other = Context::new("request 2").map_err(|e| Failure::new(e.to_string()))?;
    let expected = Expectations { context: Some(other.clone()), ..trusting.clone() };
    round.tried("the proof is used again for another request", scene.verify(own, card, &expected));
    let rewritten = edited(own, |claim| claim.context = other)?;
    round.tried("... and the claim is rewritten for that request", scene.verify(&rewritten, card, &expected));

    round.tried("one bit of the proof is flipped, at five places", flipped(scene, own, &trusting));

    Ok(round.finish())
}

/// Attempts of a prover that holds every secret and writes its own program, by the halo2 engine.
pub(super) fn by_a_prover(scene: &Scene, proved: &Proved, teller: &Teller) -> Result<Vec<Attempt>, Failure> {
    let mut round = Round::new(teller);
    let trusting = trusting();
    let (card, own) = (&scene.card, &proved.bundle);
    let doctored = doctored(&scene.model, &proved.output)?;

    let control = unchecked_proof(scene, &doctored, Trick::None)?;
    scene.verify(&control, card, &trusting).map_err(|e| {
        Failure::new(format!("the demo's cheating prover fails even where it does not cheat: {e}"))
    })?;
    teller.line(
        "- a prover with every secret that skips its own checks: without a trick, its proof is accepted",
    );
    for (trick, what) in [
        (Trick::Weights, "... it computes with other weights than those committed to, for the other class"),
        (Trick::Sums, "... it takes the right weights and writes down other sums, for the other class"),
    ] {
        let cheat = unchecked_proof(scene, &doctored, trick)?;
        round.tried(what, scene.verify(&cheat, card, &trusting));
    }

    round.tried("one bit of this proof is flipped, at five places", flipped(scene, own, &trusting));
    let strict = Expectations { allow_dev_srs: false, ..scene.expected(EngineId::Halo2) };
    round.must_end(
        Outcome::Policy,
        "the good proof itself, without --allow-dev-srs for its unsafe setup",
        scene.verify(own, card, &strict),
    );
    Ok(round.finish())
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
