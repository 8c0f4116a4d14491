//! Masks are new for every attempt.

use std::collections::HashSet;

use halo2curves::ff::Field as _;
use rand_core::{CryptoRng, RngCore};

use super::*;
use crate::chunks::{Chunk, ChunkSecret};
use crate::engine::SumcheckEngine;
use crate::group::{Generators, Point};
use tacit_relations::testing::builder::Builder;
use tacit_relations::{Engine as _, Silent};

/// A source that always gives the same bytes.
struct Stuck;

impl RngCore for Stuck {
    fn next_u32(&mut self) -> u32 {
        0x5a5a_5a5a
    }

    fn next_u64(&mut self) -> u64 {
        0x5a5a_5a5a_5a5a_5a5a
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        dest.fill(0x5a);
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

impl CryptoRng for Stuck {}

impl Setting {
    fn prove_stuck(&self) -> Vec<u8> {
        let (statement, trace) = (&self.statement, &self.trace);
        protocol::prove("tacit/zero knowledge", &self.plan, statement, trace, &self.openings, &mut Stuck)
            .unwrap()
    }
}

/// Whether two proofs have an element in common.
fn overlap(a: &[u8], b: &[u8]) -> bool {
    let a: HashSet<&[u8; 32]> = a[4..].as_chunks::<32>().0.iter().collect();
    b[4..].as_chunks::<32>().0.iter().any(|element| a.contains(element))
}

/// An opening of the factor `X` of the product in the first proof, from the responses of both: there is one
/// if both answer different challenges under one mask.
fn extract(setting: &Setting, proofs: [(&Transcript, &[u8], F); 2]) -> Option<(F, F)> {
    let [(a, ea), (b, eb)] = proofs.map(|(t, proof, e)| (setting.read(t.clone(), proof), e));
    let over = Option::<F>::from((ea - eb).invert())?;
    let [value, blind] = [0, 1].map(|i| (a.response(i) - b.response(i)) * over);
    // α + e·X = z₁·U + z₂·H
    let bases = Generators::get(1);
    let (u, h) = (Point::from(bases.u), Point::from(bases.h));
    let mask = a.point(a.first(Message::Mask).unwrap());
    let x = (u * a.response(0) + h * a.response(1) - mask) * Option::<F>::from(ea.invert())?;
    (x == u * value + h * blind).then_some((value, blind))
}

fn case(seed: u64) -> Case {
    perceptron(&[3, 4, 2], 8, 16, 1, seed)
}

#[test]
fn equal_randomness_for_equal_statements_says_nothing_new() {
    let setting = Setting::new(&case(0));
    assert_eq!(setting.prove_stuck(), setting.prove_stuck());
}

/// The source of randomness repeats itself and the values are the same; the statements differ in one thing
/// each.
#[test]
fn equal_randomness_for_other_statements_shares_no_mask() {
    let first = Setting::new(&case(0));
    let proof = first.prove_stuck();

    let mut other = Setting::new(&case(0));
    other.statement.binding[0] ^= 1;
    assert!(!overlap(&proof, &other.prove_stuck()), "another claim");

    // Other salts: without them in the seed, and the commitments in the transcript, rows of the witness would
    // repeat.
    let mut other = Setting::new(&case(0));
    let opening = Opening([9; 32]);
    let tensors = other.statement.system.segment(Segment::Input).map(|id| (id, other.trace.tensor(id)));
    let commitment =
        protocol::commit(&other.statement.system, Segment::Input, &tensors.collect(), &opening).unwrap();
    other.statement.commitments.insert(Segment::Input, commitment);
    other.openings.insert(Segment::Input, opening);
    assert!(!overlap(&proof, &other.prove_stuck()), "another input commitment to the same values");

    // Other hidden values.
    let mut given = case(0).given;
    given.weights[0][0] ^= 1;
    let other = Setting::new(&Case::new("other weights", first.statement.system.clone(), given));
    assert!(!overlap(&proof, &other.prove_stuck()), "other weights");

    // Another protocol about the same values.
    let other =
        protocol::prove("other", &first.plan, &first.statement, &first.trace, &first.openings, &mut Stuck);
    assert!(!overlap(&proof, &other.unwrap()), "another protocol");

    // What is compared would show: a prover that takes its randomness as it comes repeats itself.
    let mut other = Setting::new(&case(0));
    other.statement.binding[0] ^= 1;
    let [a, b] = [&first, &other].map(|setting| setting.prove(setting.transcript(), 1, None));
    assert!(overlap(&a, &b));
}

/// The seed of an attempt depends on the source of randomness, on every opening and on the statement.
#[test]
fn the_seed_of_an_attempt_has_three_sources() {
    let setting = Setting::new(&case(0));
    let draw = |rng: &mut dyn rand_core::CryptoRngCore, openings: &Openings, transcript: &Transcript| {
        F::random(protocol::attempt(rng, openings, transcript))
    };
    let transcript = setting.transcript();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut drawn = vec![
        draw(&mut Stuck, &setting.openings, &transcript),
        draw(&mut rng, &setting.openings, &transcript),
        // The same source later: after a crash, for example.
        draw(&mut rng, &setting.openings, &transcript),
    ];
    assert_eq!(drawn[0], draw(&mut Stuck, &setting.openings, &transcript));
    for segment in setting.openings.keys() {
        let mut openings = setting.openings.clone();
        openings.insert(*segment, Opening([0; 32]));
        drawn.push(draw(&mut Stuck, &openings, &transcript));
    }
    let mut other = setting.transcript();
    other.absorb("anything", b"else");
    drawn.push(draw(&mut Stuck, &setting.openings, &other));
    let distinct: HashSet<[u8; 32]> = drawn.iter().map(F::to_bytes).collect();
    assert_eq!(distinct.len(), drawn.len());
}

/// Starting again is a fresh attempt: nothing is kept from the one that was cut off.
#[test]
fn starting_again_shares_nothing() {
    let case = case(0);
    let setting = Setting::new(&case);
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let mut prove = || {
        SumcheckEngine.prove(&setting.statement, &case.trace, &setting.openings, &mut rng, &Silent).unwrap()
    };
    let (first, second) = (prove(), prove());
    assert!(!overlap(&first, &second));
}

/// Why it matters: two responses under one mask open a commitment, and nothing else does.
#[test]
fn a_mask_used_twice_opens_a_commitment() {
    let setting = Setting::new(&case(0));
    // All challenges equal but the last: as if the prover had been set back before its responses.
    let [one, two] = [1, 2].map(|i| (setting.transcript().programmed(equal_challenges(sigma(i))), sigma(i)));
    let prove = |t: &Transcript, seed: u64| setting.prove(t.clone(), seed, None);
    let (a, b) = (prove(&one.0, 1), prove(&two.0, 1));
    let opened = extract(&setting, [(&one.0, &a, one.1), (&two.0, &b, two.1)]);
    assert!(opened.is_some_and(|(value, blind)| value != F::ZERO && blind != F::ZERO));
    // With masks of their own the responses open nothing.
    let c = prove(&two.0, 2);
    assert_eq!(extract(&setting, [(&one.0, &a, one.1), (&two.0, &c, two.1)]), None);
}

/// The same for the merge of chunks: equal randomness for equal secrets says nothing new; for another claim, another verdict or
/// other chunks nothing is shared, although the sums are the same.
#[test]
fn merges_share_no_mask() {
    let mut b = Builder::new("a chunk", 1);
    let (x, w) = (b.input(&[1, 3], 6), b.weights(&[3, 2], 5));
    let (a, c) = (b.shaped(x, &[1, 1, 3]), b.shaped(w, &[1, 3, 2]));
    let totals = b.contraction(a, c, None);
    let setting = Setting::new(&b.finish());
    let chunk = Chunk { index: 0, count: 1, samples: 0..1, totals };
    let (statement, trace, openings) = (&setting.statement, &setting.trace, &setting.openings);
    let prove = |rng: &mut dyn rand_core::CryptoRngCore| {
        SumcheckEngine.prove_chunk(statement, &chunk, trace, openings, rng, &Silent).unwrap()
    };
    // A verdict that says nothing but the width of the sums.
    let verdict = |width: u8| {
        let mut b = Builder::new("a verdict", 0);
        b.input(&[2], width);
        b.system().1
    };
    let merge = |secret: &ChunkSecret, binding: u8, width: u8, rng: &mut dyn rand_core::CryptoRngCore| {
        let secrets = std::slice::from_ref(secret);
        SumcheckEngine.merge(&[binding; 32], secrets, &verdict(width), rng, &Silent).unwrap()
    };
    // Elements of a merge: one row, the verdict's proof after the count of its points, first message and response.
    let elements = |merge: &[u8]| [&merge[..32], &merge[36..]].concat().as_chunks::<32>().0.to_vec();
    let shared = |a: &[u8], b: &[u8]| {
        let a: HashSet<[u8; 32]> = elements(a).into_iter().collect();
        elements(b).iter().any(|element| a.contains(element))
    };

    let (proof, secret) = prove(&mut Stuck);
    let first = merge(&secret, 7, 20, &mut Stuck);
    assert_eq!(first, merge(&secret, 7, 20, &mut Stuck));
    assert!(shared(&first, &first));
    assert!(!shared(&first, &merge(&secret, 8, 20, &mut Stuck)), "another claim");
    assert!(!shared(&first, &merge(&secret, 7, 21, &mut Stuck)), "another verdict");
    // Starting again is a fresh attempt.
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let [second, third] = [(); 2].map(|()| merge(&secret, 7, 20, &mut rng));
    assert!(!shared(&first, &second) && !shared(&second, &third), "other randomness");
    // A chunk proved again has totals of other blindings, and its merge shares nothing with the first.
    let (again, other) = prove(&mut ChaCha20Rng::seed_from_u64(1));
    assert!(!overlap(&proof, &again));
    assert_eq!(secret.values, other.values);
    assert!(secret.blinds.iter().all(|blind| !other.blinds.contains(blind)));
    assert!(!shared(&first, &merge(&other, 7, 20, &mut Stuck)), "another proof of the chunk");
    // Nor do chunks that only their numbers tell apart, from a source of randomness that repeats itself.
    let numbered = Chunk { count: 2, ..chunk.clone() };
    let (numbered, _) =
        SumcheckEngine.prove_chunk(statement, &numbered, trace, openings, &mut Stuck, &Silent).unwrap();
    assert!(!overlap(&proof, &numbered));
}
