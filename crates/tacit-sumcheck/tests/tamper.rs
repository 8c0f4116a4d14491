//! Proofs and certificates changed by a bit, cut, lengthened, put together otherwise, or held against another
//! statement: none is accepted, and no verifier panics.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use common::{prove, statement, verify};
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use rayon::prelude::*;
use tacit_model::testing::SplitMix;
use tacit_relations::testing::builder::Builder;
use tacit_relations::testing::random::perceptron;
use tacit_relations::testing::{Case, division, images, selections, systems};
use tacit_relations::{
    Axis, Commitment, Engine as _, Opening, Openings, Refused, Relation, RelationSystem, Segment, Silent,
    Statement, TensorSpec,
};
use tacit_sumcheck::SumcheckEngine;

const BINDING: [u8; 32] = [9; 32];

/// Refused by an error, not by a panic.
#[track_caller]
fn refused(what: &str, verdict: impl FnOnce() -> Result<(), Refused>) {
    match catch_unwind(AssertUnwindSafe(verdict)) {
        Ok(Err(_)) => {}
        Ok(Ok(())) => panic!("{what}: accepted"),
        Err(_) => panic!("{what}: the verifier panicked"),
    }
}

/// A proof, taken apart into what it is made of.
struct Parts {
    points: Vec<Vec<u8>>,
    elements: Vec<Vec<u8>>,
}

impl Parts {
    fn of(proof: &[u8]) -> Self {
        let count = u32::from_le_bytes(proof[..4].try_into().unwrap()) as usize;
        let all: Vec<Vec<u8>> = proof[4..].chunks(32).map(<[u8]>::to_vec).collect();
        let (points, elements) = all.split_at(count);
        Self { points: points.to_vec(), elements: elements.to_vec() }
    }

    fn join(&self) -> Vec<u8> {
        let count = (self.points.len() as u32).to_le_bytes().to_vec();
        [count, self.points.concat(), self.elements.concat()].concat()
    }
}

/// The same bytes but for this change.
fn changed(proof: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut other = proof.to_vec();
    change(&mut other);
    assert_ne!(other, proof, "the change changes something");
    other
}

fn rearranged(proof: &[u8], change: impl FnOnce(&mut Parts)) -> Vec<u8> {
    let mut parts = Parts::of(proof);
    change(&mut parts);
    changed(proof, |p| *p = parts.join())
}

/// `little-endian + modulus`: the same element again, where it fits the bytes.
fn plus(bytes: &[u8], modulus: &[u8]) -> Option<Vec<u8>> {
    let mut carry = 0u16;
    let sum = bytes.iter().zip(modulus).map(|(a, b)| {
        let sum = u16::from(*a) + u16::from(*b) + carry;
        carry = sum >> 8;
        sum as u8
    });
    let sum = sum.collect();
    (carry == 0).then_some(sum)
}

/// The order of the group: its negative one, plus one.
fn order() -> Vec<u8> {
    use halo2curves::ff::{Field as _, PrimeField as _};
    let mut bytes = (-halo2curves::grumpkin::Fr::ONE).to_repr().to_vec();
    bytes[0] += 1;
    bytes
}

/// Every way of spoiling the bytes.
fn spoilt(proof: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut rng = SplitMix(1);
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    // Every element has several bytes altered, the last one among them, which holds sign and flags.
    let bytes = (0..proof.len()).filter(|i| *i < 4 || i % 9 == 0 || i % 32 == 3);
    for i in bytes {
        let bit = rng.range(0, 7);
        all.push((format!("bit {bit} of byte {i}"), changed(proof, |p| p[i] ^= 1 << bit)));
    }
    for i in (3..proof.len()).step_by(32).skip(1) {
        for bit in [6, 7] {
            all.push((format!("flag {bit} of byte {i}"), changed(proof, |p| p[i] ^= 1 << bit)));
        }
    }
    let cuts = [0, 1, 3, 4, 5, 35, 36, 37, proof.len() / 2, proof.len() - 32, proof.len() - 1];
    all.extend(cuts.map(|n| (format!("cut to {n} bytes"), proof[..n].to_vec())));
    for extra in [&[0][..], &[0; 32], &[1; 64], proof] {
        all.push((format!("{} bytes more", extra.len()), [proof, extra].concat()));
    }
    for count in [0, 1, u32::MAX, u32::MAX / 32, 1 << 27] {
        all.push((
            format!("a count of {count}"),
            changed(proof, |p| p[..4].copy_from_slice(&count.to_le_bytes())),
        ));
    }
    let parts = Parts::of(proof);
    let n = parts.points.len();
    for (count, what) in [(n as u32 + 1, "one element more is a point"), (n as u32 - 1, "one point less")] {
        all.push((what.to_owned(), changed(proof, |p| p[..4].copy_from_slice(&count.to_le_bytes()))));
    }
    for i in (0..n - 1).step_by(5) {
        let j = rng.range(0, n as i64 - 1) as usize;
        all.push((format!("points {i} and its neighbour"), rearranged(proof, |p| p.points.swap(i, i + 1))));
        if i != j {
            all.push((format!("points {i} and {j}"), rearranged(proof, |p| p.points.swap(i, j))));
            all.push((format!("point {i} is {j}"), rearranged(proof, |p| p.points[i] = p.points[j].clone())));
        }
        let identity = [&[0; 31][..], &[0x80]].concat();
        all.push((format!("point {i} is the identity"), rearranged(proof, |p| p.points[i] = identity)));
        all.push((format!("point {i} is missing"), rearranged(proof, |p| drop(p.points.remove(i)))));
        let twice = |p: &mut Parts| p.points.insert(i, p.points[i].clone());
        all.push((format!("point {i} is there twice"), rearranged(proof, twice)));
    }
    for i in 0..parts.elements.len() {
        if let Some(again) = plus(&parts.elements[i], &order()) {
            all.push((format!("element {i} plus the order"), rearranged(proof, |p| p.elements[i] = again)));
        }
        all.push((format!("element {i} is zero"), rearranged(proof, |p| p.elements[i] = vec![0; 32])));
        all.push((format!("element {i} is missing"), rearranged(proof, |p| drop(p.elements.remove(i)))));
        if i > 0 {
            all.push((format!("elements {i} and before"), rearranged(proof, |p| p.elements.swap(i - 1, i))));
        }
    }
    all
}

#[test]
fn no_bit_may_change() {
    let mut total = 0;
    for case in [perceptron(&[2, 2], 8, 8, 1, 0), systems::lane(1, 2, 3), systems::no_bias_unread()] {
        let (statement, openings) = statement(&case);
        let proof = prove(&case, &statement, &openings, 1).unwrap();
        verify(&statement, &proof).unwrap();
        let spoilt = spoilt(&proof);
        total += spoilt.len();
        spoilt.into_par_iter().for_each(|(what, bytes)| {
            refused(&format!("{}: {what}", case.name), || verify(&statement, &bytes));
        });
    }
    println!("{total} spoilt proofs");
}

/// Everything hidden; everything public; relations of every kind.
fn cases() -> Vec<Case> {
    vec![
        perceptron(&[3, 4, 2], 8, 16, 1, 0),
        perceptron(&[3, 4, 2], 8, 16, 2, 3),
        systems::affine(),
        systems::padded_operands(),
        systems::output_of_requant(),
        systems::range(),
        selections::table(),
        selections::max(),
        selections::arg_max(),
        images::convolution(),
        images::depthwise(),
        images::max_pool(),
        division::case(2, 1),
    ]
}

#[test]
fn a_proof_is_of_one_statement() {
    let mut total = 0;
    for case in cases() {
        let (honest, openings) = statement(&case);
        let proof = prove(&case, &honest, &openings, 1).unwrap();
        verify(&honest, &proof).unwrap();
        let mut others: Vec<(String, Statement)> = Vec::new();
        let mut other = |what: String, change: &dyn Fn(&mut Statement)| {
            let mut statement = honest.clone();
            change(&mut statement);
            others.push((what, statement));
        };
        other("another binding".into(), &|s| s.binding[31] ^= 1);
        for (id, values) in &honest.public {
            for at in [0, values.len() - 1] {
                for by in [1, -1] {
                    let changed = |s: &mut Statement| s.public.get_mut(id).unwrap()[at] += by;
                    other(format!("public tensor {}, element {at}", id.0), &changed);
                }
            }
            other(format!("no values of {}", id.0), &|s| drop(s.public.remove(id)));
            other(format!("fewer values of {}", id.0), &|s| {
                s.public.get_mut(id).unwrap().pop();
            });
            for (jd, _) in honest.public.range(..id).filter(|(_, v)| v.len() == values.len() && *v != values)
            {
                let swap = |s: &mut Statement| {
                    let (a, b) = (s.public[id].clone(), s.public[jd].clone());
                    s.public.insert(*id, b);
                    s.public.insert(*jd, a);
                };
                other(format!("tensors {} and {} swapped", id.0, jd.0), &swap);
            }
        }
        for (segment, commitment) in &honest.commitments {
            let rows = commitment.0.len() / 32;
            let set =
                |s: &mut Statement, bytes: Vec<u8>| drop(s.commitments.insert(*segment, Commitment(bytes)));
            let of = |opening: &Opening| {
                let tensors: BTreeMap<_, _> =
                    case.system.segment(*segment).map(|id| (id, case.trace.tensor(id))).collect();
                SumcheckEngine.commit(&case.system, *segment, &tensors, opening).unwrap().0
            };
            other(format!("{segment:?} under another salt"), &|s| set(s, of(&Opening([77; 32]))));
            for (name, elsewhere) in &honest.commitments {
                if name != segment {
                    let mut bytes = elsewhere.0.repeat(rows);
                    bytes.truncate(32 * rows);
                    other(format!("{segment:?} is {name:?}"), &|s| set(s, bytes.clone()));
                }
            }
            for row in 0..rows {
                let mut bytes = commitment.0.clone();
                bytes[32 * row + 31] ^= 0x40;
                other(format!("row {row} of {segment:?} negated"), &|s| set(s, bytes.clone()));
                let mut bytes = commitment.0.clone();
                bytes[32 * row] ^= 1;
                other(format!("row {row} of {segment:?} altered"), &|s| set(s, bytes.clone()));
                if row > 0 {
                    let mut bytes = commitment.0.clone();
                    bytes[32 * (row - 1)..32 * (row + 1)].rotate_left(32);
                    other(format!("rows of {segment:?} swapped before {row}"), &|s| set(s, bytes.clone()));
                }
            }
            other(format!("a row of {segment:?} more"), &|s| {
                set(s, [&commitment.0[..], &commitment.0[..32]].concat());
            });
            other(format!("a row of {segment:?} less"), &|s| set(s, commitment.0[32..].to_vec()));
            other(format!("a byte of {segment:?} more"), &|s| set(s, [&commitment.0[..], &[0]].concat()));
            other(format!("no bytes of {segment:?}"), &|s| set(s, Vec::new()));
            other(format!("no {segment:?}"), &|s| drop(s.commitments.remove(segment)));
        }
        for segment in [Segment::Witness, Segment::Public, Segment::Constant] {
            let own = honest.commitments.values().next().unwrap().clone();
            other(format!("a commitment to {segment:?}"), &|s| {
                drop(s.commitments.insert(segment, own.clone()))
            });
        }
        for (what, system) in neighbours(&case.system) {
            other(what, &|s| s.system = system.clone());
        }
        total += others.len();
        others.into_par_iter().for_each(|(what, statement)| {
            refused(&format!("{}: {what}", case.name), || verify(&statement, &proof));
        });
    }
    println!("{total} other statements");
}

/// Systems that differ from this one in a number.
fn neighbours(system: &RelationSystem) -> Vec<(String, RelationSystem)> {
    let (tensors, relations) = (system.tensors(), system.relations());
    let mut all: Vec<(String, Vec<TensorSpec>, Vec<Relation>)> = Vec::new();
    for (i, r) in relations.iter().enumerate() {
        let mut with = |what: &str, relation: Relation| {
            let mut relations = relations.to_vec();
            relations[i] = relation;
            all.push((format!("relation {i}: {what}"), tensors.to_vec(), relations));
        };
        match r.clone() {
            Relation::Contraction { a, c, grouping, bias, y } => {
                let without = Relation::Contraction { a: a.clone(), c: c.clone(), grouping, bias: None, y };
                with("without bias", without);
                if a.axes.last().is_some_and(|axis| axis.valid > 1) {
                    let mut shorter = a;
                    shorter.axes.iter_mut().rev().take(1).for_each(|axis| axis.valid -= 1);
                    with("one term less", Relation::Contraction { a: shorter, c, grouping, bias, y });
                }
            }
            Relation::Affine { terms, offset, y } => {
                with("another offset", Relation::Affine { terms: terms.clone(), offset: offset + 1, y });
                let mut other = terms.clone();
                other[0].0 += 1;
                with("another coefficient", Relation::Affine { terms: other, offset, y });
                with("a term less", Relation::Affine { terms: terms[1..].to_vec(), offset, y });
            }
            Relation::Product { a, y, .. } => with("a square", Relation::Product { a: a.clone(), c: a, y }),
            Relation::Requant { x, shift, lo, hi, y } => {
                for (what, shift, lo, hi) in
                    [("shift", shift + 1, lo, hi), ("lo", shift, lo - 1, hi), ("hi", shift, lo, hi + 1)]
                {
                    with(what, Relation::Requant { x: x.clone(), shift, lo, hi, y });
                }
            }
            Relation::Range { x, lo, hi } => {
                with("lo", Relation::Range { x: x.clone(), lo: lo - 1, hi });
                with("hi", Relation::Range { x, lo, hi: hi + 1 });
            }
            Relation::Table { x, first, values, y } => {
                let mut other = values.to_vec();
                other[0] += 1;
                with("a value", Relation::Table { x: x.clone(), first, values: other.into(), y });
                with("another start", Relation::Table { x, first: first - 1, values, y });
            }
            Relation::Max { mut x, y } => {
                x.axes.reverse();
                with("other groups", Relation::Max { x, y });
            }
            Relation::ArgMax { mut x, y } => {
                if let Some(last) = x.axes.last_mut() {
                    *last = Axis { stride: 0, ..*last };
                }
                with("equal candidates", Relation::ArgMax { x, y });
            }
            _ => {}
        }
        if matches!(r, Relation::Range { .. }) {
            let mut fewer = relations.to_vec();
            fewer.remove(i);
            all.push((format!("without relation {i}"), tensors.to_vec(), fewer));
        }
    }
    for (i, t) in tensors.iter().enumerate() {
        let mut with = |what: &str, spec: TensorSpec| {
            let mut tensors = tensors.to_vec();
            tensors[i] = spec;
            all.push((format!("tensor {i}: {what}"), tensors, relations.to_vec()));
        };
        if t.width > 0 {
            with("another width", TensorSpec { width: t.width + 1, ..t.clone() });
        }
        with("other bounds", TensorSpec { bounds: (t.bounds.0, t.bounds.1 - 1), ..t.clone() });
        with("another shape", TensorSpec { shape: [&[1], &t.shape[..]].concat(), ..t.clone() });
        if t.segment == Segment::Input {
            with("another segment", TensorSpec { segment: Segment::Weights, ..t.clone() });
        }
        if !t.constant.is_empty() {
            let mut constant = t.constant.clone();
            constant.reverse();
            constant[0] = t.bounds.1;
            with("another constant", TensorSpec { constant, ..t.clone() });
        }
    }
    all.into_iter()
        .filter_map(|(what, tensors, relations)| Some((what, RelationSystem::new(tensors, relations).ok()?)))
        .filter(|(_, other)| other != system)
        .collect()
}

/// Tensors of one shape, committed in another order.
#[test]
fn tensors_keep_their_places() {
    let build = |swapped: bool| {
        let mut b = Builder::new("two inputs", 3);
        let mut values = [vec![1, 2, 3], vec![-4, 5, 6]];
        if swapped {
            values.reverse();
        }
        let [x, z] = values.map(|v| b.input_of(&[3], 4, v));
        let (x, z) = (b.all(x), b.all(z));
        b.to(Segment::Public).affine(vec![(2, x), (-1, z)], 0);
        b.finish()
    };
    let (case, swapped) = (build(false), build(true));
    let (honest, openings) = statement(&case);
    let proof = prove(&case, &honest, &openings, 1).unwrap();
    verify(&honest, &proof).unwrap();
    let (other, _) = statement(&swapped);
    refused("inputs swapped, result kept", || {
        verify(&Statement { commitments: other.commitments.clone(), ..honest.clone() }, &proof)
    });
    refused("inputs swapped", || verify(&other, &proof));
    assert!(prove(&swapped, &honest, &openings, 1).is_ok_and(|p| verify(&honest, &p).is_err()));
}

/// A model's weights and their certificate.
struct Certified {
    system: RelationSystem,
    commitment: Commitment,
    proof: Vec<u8>,
}

fn certified(case: &Case, salt: u8) -> Certified {
    let tensors: BTreeMap<_, _> =
        case.system.segment(Segment::Weights).map(|id| (id, case.trace.tensor(id))).collect();
    let opening = Opening([salt; 32]);
    let commitment = SumcheckEngine.commit(&case.system, Segment::Weights, &tensors, &opening).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    let proof = SumcheckEngine
        .certify(&case.system, &tensors, &commitment, &opening, BINDING, &mut rng, &Silent)
        .unwrap();
    Certified { system: case.system.clone(), commitment, proof }
}

fn check(
    system: &RelationSystem,
    commitment: &Commitment,
    binding: [u8; 32],
    proof: &[u8],
) -> Result<(), Refused> {
    SumcheckEngine.check_certificate(system, commitment, binding, proof, &Silent)
}

#[test]
fn a_certificate_is_of_one_commitment() {
    let case = perceptron(&[3, 4, 2], 8, 16, 1, 0);
    let Certified { system, commitment, proof } = certified(&case, 1);
    check(&system, &commitment, BINDING, &proof).unwrap();
    // Any system with these weights.
    check(&perceptron(&[3, 4, 2], 8, 16, 2, 3).system, &commitment, BINDING, &proof).unwrap();

    let spoilt = spoilt(&proof);
    println!("{} spoilt certificates", spoilt.len());
    spoilt.into_par_iter().for_each(|(what, bytes)| {
        refused(&what, || check(&system, &commitment, BINDING, &bytes));
    });
    refused("another binding", || check(&system, &commitment, [8; 32], &proof));
    let salted = certified(&case, 2);
    refused("another salt", || check(&system, &salted.commitment, BINDING, &proof));
    let others = certified(&perceptron(&[3, 4, 2], 8, 16, 1, 4), 1);
    refused("other weights", || check(&system, &others.commitment, BINDING, &proof));
    for rows in 0..commitment.0.len() / 32 {
        let mut bytes = commitment.0.clone();
        bytes[32 * rows + 31] ^= 0x40;
        refused("a row negated", || check(&system, &Commitment(bytes), BINDING, &proof));
    }
    // Narrower, wider, of another shape, fewer or more, none at all.
    for (what, other) in [
        ("narrower", perceptron(&[3, 4, 2], 7, 16, 1, 0)),
        ("wider", perceptron(&[3, 4, 2], 9, 16, 1, 0)),
        ("other shapes", perceptron(&[4, 3, 2], 8, 16, 1, 0)),
        ("fewer", perceptron(&[3, 4], 8, 16, 1, 0)),
        ("more", perceptron(&[3, 4, 2, 2], 8, 16, 1, 0)),
        ("none", systems::range()),
    ] {
        refused(what, || check(&other.system, &commitment, BINDING, &proof));
    }
    for tensor in 0..system.tensors().len() {
        let mut tensors = system.tensors().to_vec();
        if tensors[tensor].segment != Segment::Weights {
            continue;
        }
        tensors[tensor].width += 1;
        let other = RelationSystem::new(tensors, system.relations().to_vec()).unwrap();
        refused("one width", || check(&other, &commitment, BINDING, &proof));
    }
}

/// Neither serves for the other, even over the same tensors under the same binding.
#[test]
fn certificates_are_no_proofs() {
    let mut b = Builder::new("weights alone", 4);
    let _ = (b.weights(&[3, 5], 8), b.weights(&[7], 4));
    let case = b.finish();
    let certified = certified(&case, 1);
    let commitments = BTreeMap::from([(Segment::Weights, certified.commitment.clone())]);
    let statement =
        Statement { system: case.system.clone(), binding: BINDING, commitments, public: BTreeMap::new() };
    refused("a certificate as a proof", || verify(&statement, &certified.proof));
    let openings = Openings::from([(Segment::Weights, Opening([1; 32]))]);
    let proof = prove(&case, &statement, &openings, 1).unwrap();
    verify(&statement, &proof).unwrap();
    refused("a proof as a certificate", || check(&case.system, &certified.commitment, BINDING, &proof));

    // Where a proof asks for as many messages: every weight bounded by its width once more.
    let mut b = Builder::new("weights in their widths", 4);
    for (shape, width) in [(&[3, 5][..], 8), (&[7], 4)] {
        let w = b.weights(shape, width);
        let w = b.all(w);
        b.range(w, -(1 << (width - 1)), (1 << (width - 1)) - 1);
    }
    let case = b.finish();
    let statement = Statement { system: case.system.clone(), ..statement };
    let proof = prove(&case, &statement, &openings, 1).unwrap();
    verify(&statement, &proof).unwrap();
    assert_eq!(proof.len(), certified.proof.len(), "as long as the certificate");
    refused("a certificate as such a proof", || verify(&statement, &certified.proof));
    refused("such a proof as a certificate", || check(&case.system, &certified.commitment, BINDING, &proof));
}

/// An honest prover whose trace is of other values than were committed.
#[test]
fn the_committed_values_are_those_proved() {
    for segment in Segment::COMMITTED {
        let case = perceptron(&[3, 4, 2], 8, 16, 1, 0);
        let (honest, openings) = statement(&case);
        let mut other = case.trace.clone();
        for id in case.system.segment(segment) {
            let values = &mut other.values[id.0 as usize];
            values[0] += if values[0] > 0 { -1 } else { 1 };
        }
        let mut commitments = honest.commitments.clone();
        let tensors: BTreeMap<_, _> = case.system.segment(segment).map(|id| (id, other.tensor(id))).collect();
        let commitment = SumcheckEngine.commit(&case.system, segment, &tensors, &openings[&segment]).unwrap();
        commitments.insert(segment, commitment);
        let statement = Statement { commitments, ..honest };
        let proof = prove(&case, &statement, &openings, 1).unwrap();
        refused(&format!("other values in {segment:?}"), || verify(&statement, &proof));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_bytes_are_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..4_000),
        framed in prop::option::of(0u32..130),
        rows in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let case = systems::lane(8, 2, 3);
        let (statement, _) = statement(&case);
        let proof = match framed {
            Some(count) => [&count.to_le_bytes()[..], &bytes].concat(),
            None => bytes,
        };
        prop_assert!(verify(&statement, &proof).is_err());
        let weights = &statement.commitments[&Segment::Weights];
        prop_assert!(check(&case.system, weights, BINDING, &proof).is_err());
        let mut hostile = statement;
        hostile.commitments.insert(Segment::Input, Commitment(rows.clone()));
        prop_assert!(verify(&hostile, &proof).is_err());
        prop_assert!(check(&case.system, &Commitment(rows), BINDING, &proof).is_err());
    }

    /// Points that are points, elements that are elements, none of them from a prover.
    #[test]
    fn any_points_are_refused(seed in any::<u64>(), extra in -2i64..=2) {
        let case = systems::lane(8, 2, 3);
        let (statement, openings) = statement(&case);
        let proof = prove(&case, &statement, &openings, 1).unwrap();
        let mut rng = SplitMix(seed);
        let scrambled = rearranged(&proof, |parts| {
            let old = parts.points.clone();
            for point in &mut parts.points {
                point.clone_from(&old[rng.range(0, old.len() as i64 - 1) as usize]);
                point[31] ^= (rng.range(0, 1) as u8) << 6;
            }
            for element in &mut parts.elements {
                *element = (0..32).map(|_| rng.range(0, 255) as u8).collect();
                element[31] &= 0x1f;
            }
            let count = (parts.points.len() as i64 + extra) as usize;
            parts.points.resize(count, old[0].clone());
        });
        prop_assert!(verify(&statement, &scrambled).is_err());
    }
}
