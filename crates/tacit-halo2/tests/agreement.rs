//! Evaluator = checker = circuit, on random models, random relation systems, and every system built by hand.
//!
//! A trace with one lie, and everything after it recomputed from the lie, breaks one relation at one element. The
//! circuit built from it must be refused, unless it is the honest circuit cell by cell (the layout computes sums itself
//! and does not read them from the trace: then there is no lie in it).

mod common;

use common::recorder::record;
use common::{Case, accepted, in_parallel, mock, same_cells, statement};
use halo2curves::bn256::Fr;
use halo2curves::ff::Field;
use proptest::prelude::*;
use tacit_halo2::prove::circuit;
use tacit_halo2::{CircuitShape, candidates};
use tacit_model::testing::SplitMix;
use tacit_relations::testing::arithmetic::{forged, holds};
use tacit_relations::testing::random::{self, Extra};
use tacit_relations::{Segment, Statement, TensorId, Trace, check};

/// What became of the lies told.
#[derive(Debug, Default, Clone, Copy)]
struct Lies {
    refused: usize,
    /// The circuit did not read the lie.
    void: usize,
}

/// The honest witness is accepted in these shapes, and the layout does not depend on it.
fn honest(case: &Case, shapes: &[CircuitShape]) {
    assert!(holds(case.system(), &case.trace), "{}: the second evaluation disagrees", case.name);
    let zero = Trace { values: case.trace.values.iter().map(|v| vec![0; v.len()]).collect() };
    for shape in shapes {
        let of = |trace| circuit(&case.statement, *shape, trace, &case.openings).expect("a candidate fits");
        accepted(&case.name, &of(&case.trace), &case.statement);
        let (a, b) = (record(&of(&case.trace), Fr::ONE), record(&of(&zero), Fr::ONE));
        assert!(
            a.fixed == b.fixed && a.selectors == b.selectors && a.copies == b.copies,
            "{}: the layout depends on the witness",
            case.name
        );
    }
}

/// The planned shape and another.
fn two_shapes(case: &Case, rng: &mut SplitMix) -> [CircuitShape; 2] {
    let shapes = candidates(case.system());
    [case.shape(), shapes[rng.range(0, shapes.len() as i64 - 1) as usize]]
}

/// Tells the lie `delta` about one element, in every way that a prover can dress it.
fn lie(case: &Case, id: TensorId, at: usize, delta: i64, lies: &mut Lies) {
    let mut alone = case.trace.clone();
    let Some(value) = alone.values[id.0 as usize][at].checked_add(delta) else { return };
    alone.values[id.0 as usize][at] = value;
    let segment = case.system().tensor(id).segment;
    let mut traces = vec![(alone, case.statement.clone())];
    if let Some(all) = forged(case.system(), &case.trace, id, at, delta) {
        // The claim follows the lie, but weights and input were committed before.
        let mut claim =
            statement(case.system().clone(), &all, &case.openings).unwrap_or(case.statement.clone());
        for segment in [Segment::Weights, Segment::Input] {
            if let Some(commitment) = case.statement.commitments.get(&segment) {
                claim.commitments.insert(segment, commitment.clone());
            }
        }
        let given = matches!(segment, Segment::Public) && check(case.system(), &all).is_ok();
        if given {
            // Another public value with everything that follows from it is another true claim.
            accepted(&case.name, &case.circuit_of(&claim, &all), &claim);
        } else {
            traces.push((all, claim));
        }
    }
    for (trace, claim) in traces {
        told(case, segment, id, &trace, &claim, lies);
    }
}

fn told(case: &Case, segment: Segment, id: TensorId, trace: &Trace, claim: &Statement, lies: &mut Lies) {
    let by_checker = check(case.system(), trace).is_err();
    assert_eq!(by_checker, !holds(case.system(), trace), "{}: two checkers disagree", case.name);
    let committed = matches!(segment, Segment::Weights | Segment::Input);
    let public = claim.public.iter().any(|(id, v)| trace.tensor(*id) != v.as_slice());
    assert!(by_checker || committed || public, "{}: a lie about tensor {} is none", case.name, id.0);
    let circuit = case.circuit_of(claim, trace);
    // The verifier looks at the claim's public values before the proof.
    if claim.validate().is_err() || mock(&circuit, claim).is_err() {
        lies.refused += 1;
        return;
    }
    assert!(
        same_cells(&circuit, &case.circuit())
            && claim.public == case.statement.public
            && claim.commitments == case.statement.commitments,
        "{}: accepted with a lie about tensor {} ({segment:?})",
        case.name,
        id.0
    );
    lies.void += 1;
}

/// `count` lies about elements picked at random; all of them where there are no more.
fn lies(case: &Case, rng: &mut SplitMix, count: usize) -> Lies {
    let mut elements: Vec<(TensorId, usize)> = (0..case.system().tensors().len() as u32)
        .map(TensorId)
        .filter(|id| case.system().tensor(*id).segment != Segment::Constant)
        .flat_map(|id| (0..case.system().tensor(id).len()).map(move |at| (id, at)))
        .collect();
    let mut found = Lies::default();
    for _ in 0..count.min(elements.len()) {
        let (id, at) = elements.swap_remove(rng.range(0, elements.len() as i64 - 1) as usize);
        let deltas = [1, -1, 256, -(1 << 20), case.trace.tensor(id)[at].wrapping_mul(-2)];
        let delta = deltas[rng.range(0, 4) as usize];
        lie(case, id, at, if delta == 0 { 1 } else { delta }, &mut found);
    }
    found
}

#[test]
fn systems_built_by_hand() {
    let cases = common::all();
    let found = in_parallel(&cases, |case| {
        let mut rng = SplitMix(5);
        honest(case, &candidates(case.system()));
        lies(case, &mut rng, 60)
    });
    for (case, lies) in cases.iter().zip(&found) {
        println!("{}: {} lies refused, {} not read", case.name, lies.refused, lies.void);
    }
    let refused: usize = found.iter().map(|l| l.refused).sum();
    println!("{refused} lies refused");
    assert!(refused > 300);
}

proptest! {
    #![proptest_config(common::random_cases(48))]

    #[test]
    fn random_systems(seed in any::<u64>()) {
        let case = Case::from(random::system(seed, 1, &Extra::ALL));
        let mut rng = SplitMix(seed);
        honest(&case, &two_shapes(&case, &mut rng));
        lies(&case, &mut rng, 12);
    }

    #[test]
    fn random_perceptrons(
        sizes in prop::collection::vec(1usize..5, 2..4),
        weight_bits in 2u8..=16,
        activation_bits in 8u8..=16,
        samples in 1usize..3,
        seed in any::<u64>(),
    ) {
        let case = Case::from(random::perceptron(&sizes, weight_bits, activation_bits, samples, seed));
        let mut rng = SplitMix(seed);
        honest(&case, &two_shapes(&case, &mut rng));
        lies(&case, &mut rng, 6);
    }
}
