//! The protocol with some committed scalars sent in clear, as sum-check is without zero knowledge: prover,
//! verifier and simulator alike.
//!
//! Honest proofs are accepted. They do not pass for simulated ones any more: two runs agree in what is in
//! clear, which no simulator can know; and where everything is in clear, the verifier's equations are about
//! values, which a simulator would have to satisfy.

use halo2curves::ff::Field as _;

use super::replay::{Finding, compare};
use super::*;
use crate::claims::Claims;
use crate::group::decode_all;
use crate::party::{Linear, Malformed, Party, Requirements, Verifier};

/// Which scalars are sent in clear.
type InClear = fn(Message) -> bool;

/// A party that exchanges scalars of some kinds in clear, and checks what it then sees.
struct Clear<P> {
    party: P,
    in_clear: InClear,
    /// An equation between values in clear does not hold.
    refuted: bool,
}

impl<P: Party> Party for Clear<P> {
    type Scalar = P::Scalar;

    fn commit(
        &mut self,
        kind: Message,
        count: usize,
        values: impl FnOnce() -> Vec<F>,
    ) -> Result<Vec<P::Scalar>, Malformed> {
        if !(self.in_clear)(kind) {
            return self.party.commit(kind, count, values);
        }
        // Field elements where the inventory has responses.
        let elements = self.party.elements(Message::Response, count, values)?;
        Ok(elements.into_iter().map(P::Scalar::known).collect())
    }

    fn points(
        &mut self,
        kind: Message,
        count: usize,
        points: impl FnOnce() -> Vec<Affine>,
    ) -> Result<Vec<Affine>, Malformed> {
        self.party.points(kind, count, points)
    }

    fn elements(
        &mut self,
        kind: Message,
        count: usize,
        elements: impl FnOnce() -> Vec<F>,
    ) -> Result<Vec<F>, Malformed> {
        self.party.elements(kind, count, elements)
    }

    fn challenge(&mut self, label: &str) -> F {
        self.party.challenge(label)
    }

    fn require_product(&mut self, a: P::Scalar, b: P::Scalar, c: P::Scalar) {
        match (a.as_known(), b.as_known(), c.as_known()) {
            (Some(a), Some(b), Some(c)) => self.refuted |= a * b != c,
            _ => self.party.require_product(a, b, c),
        }
    }

    fn require_zero(&mut self, scalar: P::Scalar) {
        match scalar.as_known() {
            Some(value) => self.refuted |= value != F::ZERO,
            None => self.party.require_zero(scalar),
        }
    }

    fn requirements(&mut self) -> Requirements<P::Scalar> {
        self.party.requirements()
    }

    fn value(&self, scalar: &P::Scalar) -> Option<F> {
        self.party.value(scalar)
    }
}

/// Runs the sum-checks with some scalars in clear; whether what is in clear is consistent.
fn run<P: Party>(
    party: P,
    in_clear: InClear,
    context: &Context<'_>,
) -> Result<(P, Claims<P::Scalar>, bool), Malformed> {
    let mut clear = Clear { party, in_clear, refuted: false };
    let (claims, _) = protocol::run(&mut clear, context, None)?;
    Ok((clear.party, claims, !clear.refuted))
}

impl Setting {
    fn prove_in_clear(&self, in_clear: InClear, transcript: Transcript, seed: u64) -> Vec<u8> {
        self.context(true, |context| {
            let mut prover = Prover::new(transcript, ChaCha20Rng::seed_from_u64(seed));
            let blinds = protocol::commit_witness(&mut prover, context, &self.openings).unwrap();
            let (mut prover, claims, consistent) = run(prover, in_clear, context).unwrap();
            assert!(consistent, "{}: honest values satisfy the equations", self.name);
            prover.open(context, &claims, &blinds).unwrap();
            prover.finish()
        })
    }

    /// A verifier like the production one. The elements of the proof, where it accepts.
    fn verify_in_clear(&self, in_clear: InClear, transcript: Transcript, proof: &[u8]) -> Option<Elements> {
        let commitments = self.statement.commitments.values().flat_map(|c| decode_all(&c.0).unwrap());
        let commitments: Vec<Affine> = commitments.collect();
        self.context(false, |context| {
            let mut verifier = Verifier::new(transcript, proof).ok()?;
            let rows = self.plan.segment(Segment::Witness).map(|c| c.layout.rows()).sum();
            verifier.points(Message::WitnessRow, rows, Vec::new).ok()?;
            let (verifier, claims, consistent) = run(verifier, in_clear, context).ok()?;
            let inventory = verifier.open(context, &claims, &commitments).ok()?.filter(|_| consistent)?;
            Some(Elements::new(proof, &inventory))
        })
    }

    fn simulate_in_clear(&self, in_clear: InClear, transcript: Transcript, seed: u64) -> Vec<u8> {
        self.simulate_with(transcript, sigma(0), seed, |simulator, context| {
            let (simulator, claims, _) = run(simulator, in_clear, context)?;
            Ok((simulator, claims))
        })
    }
}

#[test]
fn one_kind_in_clear_tells_real_from_simulated() {
    let variants: [(Message, InClear); 4] = [
        (Message::Evaluation, |kind| kind == Message::Evaluation),
        (Message::Round, |kind| kind == Message::Round),
        (Message::Lookup, |kind| kind == Message::Lookup),
        (Message::Product, |kind| kind == Message::Product),
    ];
    let setting = Setting::new(&perceptron(&[3, 4, 2], 8, 16, 1, 0));
    let transcript = setting.transcript().programmed(equal_challenges(sigma(0)));
    for (kind, variant) in variants {
        // What comparing two runs shows, where they are accepted.
        let runs = |prove: &dyn Fn(u64) -> Vec<u8>| -> Option<Vec<Finding>> {
            let [a, b] = [1, 2].map(|seed| {
                let proof = prove(seed);
                assert!(setting.verify(transcript.clone(), &proof).is_err(), "{kind:?}: not a proof of ours");
                setting.verify_in_clear(variant, transcript.clone(), &proof)
            });
            Some(compare(&a?, &b?, 0))
        };
        let real = runs(&|seed| setting.prove_in_clear(variant, transcript.clone(), seed)).unwrap();
        let in_clear = [Finding::Repeated(Message::Response), Finding::Small(Message::Response)];
        assert!(real.contains(&in_clear[0]), "{kind:?}");
        assert!(real.iter().all(|f| in_clear.contains(f)), "{kind:?}: nothing else is found");
        let simulated = runs(&|seed| setting.simulate_in_clear(variant, transcript.clone(), seed));
        // The root of the lookup tree is an equation between values then.
        let expected = (kind != Message::Lookup).then(Vec::new);
        assert_eq!(simulated, expected, "{kind:?}");
    }
}

/// Sum-check as in the textbooks: the verifier's equations are about values, and only who knows a witness has
/// them.
#[test]
fn everything_in_clear_cannot_be_simulated() {
    let all: InClear = |_| true;
    for seed in 0..4 {
        let setting = Setting::new(&perceptron(&[3, 4, 2], 8, 16, 1, seed));
        let transcript = setting.transcript().programmed(equal_challenges(sigma(0)));
        let real = setting.prove_in_clear(all, transcript.clone(), 1);
        assert!(setting.verify_in_clear(all, transcript.clone(), &real).is_some());
        let simulated = setting.simulate_in_clear(all, transcript.clone(), 1);
        assert!(setting.verify_in_clear(all, transcript, &simulated).is_none());
    }
}
