//! Proofs without a witness.
//!
//! The simulator runs the protocol's own code on linear forms, as the verifier does, and sends a uniform
//! point for every commitment. It knows one challenge beforehand, that of the Σ-protocols: it draws responses
//! and the masked vector uniformly, solves the first messages from the verifier's equations, and programs the
//! oracle there. All other challenges are what the oracle says.

use halo2curves::ff::Field as _;
use halo2curves::group::Curve as _;

use super::replay::{Finding, compare};
use super::*;
use crate::claims::Claims;
use crate::group::{Generators, Point, decode_all, msm};
use crate::opening::{Joined, inner_product, join, row_weights};
use crate::party::{Combination, Malformed, Party, Requirements};
use crate::pedersen::Pedersen;
use crate::poly::{eq_table, inner};

/// A party that has the statement and nothing else.
pub(super) struct Simulator {
    /// Writes the proof and draws what is uniform.
    writer: Prover,
    points: Vec<Affine>,
    requirements: Requirements<Combination>,
}

impl Simulator {
    fn new(transcript: Transcript, seed: u64) -> Self {
        let writer = Prover::new(transcript, ChaCha20Rng::seed_from_u64(seed));
        Self { writer, points: Vec::new(), requirements: Requirements::default() }
    }

    /// The point that a scalar's commitment must be.
    fn commitment(&self, scalar: &Combination) -> Point {
        let constant = Pedersen::get().commit(&scalar.constant, &F::ZERO);
        scalar.terms.iter().fold(constant, |sum, (i, c)| sum + self.points[*i as usize] * c)
    }

    /// The end of a proof, `e` being the challenge of the Σ-protocols.
    fn open(
        mut self,
        context: &Context<'_>,
        claims: &Claims<Combination>,
        commitments: &[Affine],
        e: F,
    ) -> Result<Vec<u8>, Malformed> {
        let Joined { x, y, product, zero, dot, s, weights } = join(&mut self, context, claims)?;
        let generators = Generators::get(context.plan.width);
        let bases = &generators.rows[..context.plan.width];
        let eq = eq_table(&s);
        let [x, y, product, zero, dot] = [x, y, product, zero, dot].map(|form| self.commitment(&form));
        let rows: Vec<F> = row_weights(context, &claims.list, &weights).concat();
        let committed: Vec<Affine> = commitments.iter().chain(&self.points).copied().collect();
        let vector = msm(&rows, &committed[..rows.len()]);

        let masked: Vec<F> = bases.iter().map(|_| self.writer.random()).collect();
        let mut z: [F; 9] = std::array::from_fn(|_| self.writer.random());
        z[7] = inner(&masked, &eq);
        let commit = |v: usize, r: usize| Pedersen::get().commit(&z[v], &z[r]);
        let blind = |r: usize| Pedersen::get().blind(&z[r]);
        let first = [
            commit(0, 1) - x * e,
            commit(2, 3) - y * e,
            x * z[2] + blind(4) - product * e,
            blind(5) - zero * e,
            msm(&masked, bases) + blind(6) - vector * e,
            commit(7, 8) - dot * e,
        ];
        self.writer.points(Message::Mask, 6, || first.map(|p| p.to_affine()).to_vec())?;
        assert_eq!(self.writer.challenge("respond"), e, "the oracle is programmed");
        self.writer.elements(Message::Response, 9, || z.to_vec())?;
        inner_product(&mut self.writer, masked, eq, bases, &generators.u)?;
        Ok(self.writer.finish())
    }
}

impl Party for Simulator {
    type Scalar = Combination;

    fn commit(
        &mut self,
        kind: Message,
        count: usize,
        _values: impl FnOnce() -> Vec<F>,
    ) -> Result<Vec<Combination>, Malformed> {
        let first = self.points.len();
        self.points(kind, count, Vec::new)?;
        let form = |i| Combination { constant: F::ZERO, terms: vec![(i as u32, F::ONE)] };
        Ok((first..first + count).map(form).collect())
    }

    /// Uniform ones.
    fn points(
        &mut self,
        kind: Message,
        count: usize,
        _points: impl FnOnce() -> Vec<Affine>,
    ) -> Result<Vec<Affine>, Malformed> {
        let blinds: Vec<F> = (0..count).map(|_| self.writer.random()).collect();
        let points: Vec<Affine> = blinds.iter().map(|b| Pedersen::get().blind(b).to_affine()).collect();
        self.points.extend(&points);
        self.writer.points(kind, count, || points)
    }

    /// Uniform ones.
    fn elements(
        &mut self,
        kind: Message,
        count: usize,
        _elements: impl FnOnce() -> Vec<F>,
    ) -> Result<Vec<F>, Malformed> {
        let elements: Vec<F> = (0..count).map(|_| self.writer.random()).collect();
        self.writer.elements(kind, count, || elements)
    }

    fn challenge(&mut self, label: &str) -> F {
        self.writer.challenge(label)
    }

    fn require_product(&mut self, a: Combination, b: Combination, c: Combination) {
        self.requirements.products.push((a, b, c));
    }

    fn require_zero(&mut self, scalar: Combination) {
        self.requirements.zeros.push(scalar);
    }

    fn requirements(&mut self) -> Requirements<Combination> {
        std::mem::take(&mut self.requirements)
    }

    fn value(&self, _scalar: &Combination) -> Option<F> {
        None
    }
}

impl Setting {
    /// A proof from the statement alone, for a transcript whose oracle answers `e` to the Σ-protocols. `run`
    /// runs the sum-checks: the engine's own, or a variant's.
    pub(super) fn simulate_with(
        &self,
        transcript: Transcript,
        e: F,
        seed: u64,
        run: impl FnOnce(Simulator, &Context<'_>) -> Result<(Simulator, Claims<Combination>), Malformed>,
    ) -> Vec<u8> {
        let commitments = self.statement.commitments.values().flat_map(|c| decode_all(&c.0).unwrap());
        let commitments: Vec<Affine> = commitments.collect();
        self.context(false, |context| {
            let mut simulator = Simulator::new(transcript, seed);
            let rows = self.plan.segment(Segment::Witness).map(|c| c.layout.rows()).sum();
            simulator.points(Message::WitnessRow, rows, Vec::new).unwrap();
            let (simulator, claims) = run(simulator, context).unwrap();
            simulator.open(context, &claims, &commitments, e).unwrap()
        })
    }

    fn simulate(&self, transcript: Transcript, e: F, seed: u64) -> Vec<u8> {
        self.simulate_with(transcript, e, seed, |mut simulator, context| {
            let (claims, _) = protocol::run(&mut simulator, context, None)?;
            Ok((simulator, claims))
        })
    }
}

#[test]
fn the_production_verifier_accepts_simulated_proofs() {
    for setting in settings() {
        let e = sigma(0);
        let transcript = setting.transcript().programmed(respond_with(e));
        let simulated = setting.simulate(transcript.clone(), e, 1);
        let inventory = setting.verify(transcript, &simulated);
        let inventory = inventory.unwrap_or_else(|e| panic!("{}: {e}", setting.name));

        // It looks like a real one, message by message.
        let real = setting.prove(setting.transcript(), 2, None);
        assert_eq!(inventory, setting.verify(setting.transcript(), &real).unwrap(), "{}", setting.name);
        assert_eq!(simulated.len(), real.len(), "{}", setting.name);
        // The oracle has to be programmed; a simulator that guesses the challenge is refused.
        assert!(setting.verify(setting.transcript(), &simulated).is_err(), "{}", setting.name);
    }
}

/// What the simulator has of the statement is the commitments and the public values: that it is true does not
/// matter.
#[test]
fn false_statements_are_simulated_and_cannot_be_proved() {
    let mut setting = Setting::new(&perceptron(&[3, 4, 2], 8, 16, 1, 2));
    let answer = setting.statement.public.values_mut().next().expect("its output is public");
    answer[0] ^= 1;
    let e = sigma(0);
    let transcript = setting.transcript().programmed(respond_with(e));
    setting.verify(transcript.clone(), &setting.simulate(transcript, e, 3)).unwrap();
    let lie = setting.prove(setting.transcript(), 3, None);
    assert!(setting.verify(setting.transcript(), &lie).is_err());
}

/// Real and simulated proofs pass the same comparison: with all challenges equal, two runs share nothing.
#[test]
fn comparing_runs_does_not_tell_real_from_simulated() {
    for setting in settings() {
        let transcript = setting.transcript().programmed(equal_challenges(sigma(0)));
        let simulated = [1, 2].map(|seed| setting.simulate(transcript.clone(), sigma(0), seed));
        let real = [1, 2].map(|seed| setting.prove(transcript.clone(), seed, None));
        for [a, b] in [simulated, real] {
            let [a, b] = [a, b].map(|proof| setting.read(transcript.clone(), &proof));
            assert_eq!(compare(&a, &b, 0), [] as [Finding; 0], "{}", setting.name);
        }
    }
}
