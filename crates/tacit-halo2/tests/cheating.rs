//! Provers who lie in the witness, keep the algebra honest, and run the real prover on it.

mod common;

use std::collections::BTreeMap;

use common::proofs::Keyed;
use common::{Case, in_parallel, same_cells, statement};
use halo2curves::bn256::Fr;
use halo2curves::ff::Field;
use rand_chacha::ChaCha8Rng;
use rand_core::{OsRng, SeedableRng};
use tacit_halo2::Cell;
use tacit_halo2::prove::prove;
use tacit_model::testing::SplitMix;
use tacit_relations::testing::arithmetic::forged;
use tacit_relations::testing::builder::Builder;
use tacit_relations::testing::systems;
use tacit_relations::{Relation, Segment, Statement, TensorId, Trace};

/// What became of an attempt.
#[derive(Debug, Default, Clone, Copy)]
struct Attempts {
    /// A proof was made, and refused.
    refused: usize,
    /// The library could not make one: a value is not in the table of ranges.
    impossible: usize,
}

impl Attempts {
    fn add(&mut self, other: Self) {
        self.refused += other.refused;
        self.impossible += other.impossible;
    }
}

/// Lies about the result of every relation, and about weights and input, in every system.
#[test]
fn a_wrong_witness_proves_nothing() {
    let cases = common::small();
    let found = in_parallel(&cases, |case| {
        let keyed = Keyed::new(case.clone());
        let honest = case.circuit();
        let mut rng = SplitMix(4);
        let mut by_kind: BTreeMap<&str, Attempts> = BTreeMap::new();
        let system = case.system();
        for index in 0..system.tensors().len() {
            let id = TensorId(index as u32);
            let spec = system.tensor(id);
            let made_by = system.relations().iter().find(|r| r.result() == Some(id));
            let kind = match spec.segment {
                Segment::Constant => continue,
                _ => made_by.map_or("given", Relation::kind),
            };
            let at = rng.range(0, spec.len() as i64 - 1) as usize;
            let delta = if spec.bounds.1 > case.trace.tensor(id)[at] { 1 } else { -1 };
            let Some(trace) = forged(system, &case.trace, id, at, delta) else { continue };
            // The claim follows the lie where the verifier lets the prover choose; else it is the true one.
            let claim = match kind {
                "given" => case.statement.clone(),
                _ => statement(system.clone(), &trace, &case.openings).unwrap_or(case.statement.clone()),
            };
            let circuit = case.circuit_of(&claim, &trace);
            if same_cells(&circuit, &honest) && claim.public == case.statement.public {
                continue;
            }
            let attempts = by_kind.entry(kind).or_default();
            match keyed.forge(&circuit, &claim) {
                Ok(proof) => {
                    assert!(
                        keyed.verify(&claim, &proof).is_err(),
                        "{}: a lie about tensor {index} holds",
                        case.name
                    );
                    attempts.refused += 1;
                }
                Err(_) => attempts.impossible += 1,
            }
        }
        by_kind
    });
    let mut total: BTreeMap<&str, Attempts> = BTreeMap::new();
    for (kind, attempts) in found.into_iter().flatten() {
        total.entry(kind).or_default().add(attempts);
    }
    println!("{total:?}");
    for kind in ["given", "Contraction", "Affine", "Product", "Requant", "Table", "Max", "ArgMax"] {
        assert!(total.get(kind).is_some_and(|a| a.refused > 0), "no proof of a wrong {kind} was even made");
    }
}

/// A value out of range, with everything else true: the statement commits to it.
#[test]
fn an_input_out_of_its_range_proves_nothing() {
    let case = Case::from(systems::range());
    let keyed = Keyed::new(case.clone());
    let mut attempts = Attempts::default();
    for (at, delta) in [(0, -1), (1, 7), (2, 1), (2, -16)] {
        let id = case.system().segment(Segment::Input).next().expect("hidden input");
        let trace = forged(case.system(), &case.trace, id, at, delta).expect("small");
        let claim = statement(case.system().clone(), &trace, &case.openings).expect("within its width");
        match keyed.forge_trace(&trace, &claim) {
            Ok(proof) => {
                assert!(keyed.verify(&claim, &proof).is_err(), "element {at} off by {delta}");
                attempts.refused += 1;
            }
            Err(_) => attempts.impossible += 1,
        }
    }
    println!("{attempts:?}");
    assert!(attempts.refused > 0);
}

/// The values of two tensors of one shape, exchanged under the old commitment; and two rows of a matrix.
#[test]
fn swapped_tensors_prove_nothing() {
    let mut b = Builder::new("two alike", 21);
    let (x, v, w) = (b.input(&[2], 5), b.weights(&[2, 2], 5), b.weights(&[2, 2], 5));
    let a = b.shaped(x, &[1, 1, 2]);
    let (c, d) = (b.shaped(v, &[1, 2, 2]), b.shaped(w, &[1, 2, 2]));
    let y = b.contraction(a.clone(), c, None);
    let bias = b.shaped(y, &[1, 1, 2]);
    b.to(Segment::Public).contraction(a, d, Some(bias));
    let case = Case::from(b.finish());
    let keyed = Keyed::new(case.clone());
    let honest = &case.given;
    let mut swaps = vec![honest.clone(), honest.clone(), honest.clone()];
    // The sum of the two products is the same: the claim stays true, and the weights are others.
    swaps[0].weights.swap(0, 1);
    swaps[1].weights[0].rotate_left(2);
    swaps[2].input[0].rotate_left(1);
    for given in &swaps {
        let trace = tacit_relations::trace(case.system(), given).expect("the same shapes");
        assert_ne!(trace, case.trace);
        let mut claim = statement(case.system().clone(), &trace, &case.openings).expect("the same widths");
        // With its own commitments the swapped witness is as good as any other …
        let proof = keyed.forge_trace(&trace, &claim).expect("in range");
        keyed.verify(&claim, &proof).expect("a true statement");
        // … but not with those that were published.
        claim.commitments = case.statement.commitments.clone();
        let proof = keyed.forge_trace(&trace, &claim).expect("in range");
        assert!(keyed.verify(&claim, &proof).is_err());
    }
}

/// Another salt, or none, does not open the commitment.
#[test]
fn another_salt_proves_nothing() {
    let case = Case::from(systems::rows());
    let keyed = Keyed::new(case.clone());
    for segment in [Segment::Weights, Segment::Input] {
        let mut other = case.clone();
        other.openings.insert(segment, tacit_relations::Opening([0; 32]));
        let proof = keyed.forge(&other.circuit(), &case.statement).expect("in range");
        assert!(keyed.verify(&case.statement, &proof).is_err());
        // An honest prover is told so instead.
        let error =
            prove(&keyed.params, &keyed.prover, &case.statement, &case.trace, &other.openings, &mut OsRng);
        assert!(error.is_err_and(|e| e.message.contains("openings")), "a proof that cannot verify");
    }
}

/// What an honest prover is told before any work is done.
#[test]
fn the_prover_checks_its_own_witness() {
    let keyed = Keyed::new(systems::public_operands());
    let case = &keyed.case;
    let tell = |statement: &Statement, trace: &Trace| {
        prove(&keyed.params, &keyed.prover, statement, trace, &case.openings, &mut OsRng)
            .expect_err("a lie")
            .message
    };
    let id = case.system().relations()[0].result().expect("a result");
    let mut trace = case.trace.clone();
    trace.values[id.0 as usize][0] += 1;
    assert!(tell(&case.statement, &trace).contains("relation 0 (Contraction)"));
    let mut claim = case.statement.clone();
    claim.public.get_mut(&id).expect("public")[0] += 1;
    assert!(tell(&claim, &case.trace).contains("public values"));
    trace.values[id.0 as usize].pop();
    assert!(tell(&case.statement, &trace).contains("tensor"));
    let other = Keyed::new(systems::negative_only());
    let (statement, trace, openings) = (&other.case.statement, &other.case.trace, &other.case.openings);
    let error = prove(&keyed.params, &keyed.prover, statement, trace, openings, &mut OsRng);
    assert!(error.is_err_and(|e| e.message.contains("another relation system")));
}

/// Circuits hold the witness and do not show it.
#[test]
fn a_circuit_is_not_printed() {
    let case = Case::from(systems::rows());
    let text = format!("{:?}", case.circuit());
    assert!(text.contains("hidden") && text.len() < 300, "{text}");
}

/// Single cells changed under the real prover: gates, selectors and copies are those of the mock prover.
#[test]
fn changed_cells_prove_nothing() {
    let cases = [systems::lane(8, 2, 3), systems::twice(), systems::batched(), systems::requant(7, -100, 30)]
        .map(Case::from);
    let found = in_parallel(&cases, |case| {
        let keyed = Keyed::new(case.clone());
        let honest = case.circuit();
        let mut attempts = Attempts::default();
        let mut try_one =
            |circuit: tacit_halo2::TacitCircuit, what: String| match keyed.forge(&circuit, &case.statement) {
                Ok(proof) => {
                    assert!(keyed.verify(&case.statement, &proof).is_err(), "{}: {what} holds", case.name);
                    attempts.refused += 1;
                }
                Err(_) => attempts.impossible += 1,
            };
        let cells = honest.sheet().written_cells();
        for cell in cells.iter().step_by(cells.len() / 24) {
            let Cell { column, row } = *cell;
            let mut circuit = honest.clone();
            circuit.sheet_mut().overwrite(*cell, honest.sheet().cell_value(*cell) + Fr::ONE);
            try_one(circuit, format!("column {column}, row {row}"));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for row in honest.late_rows() {
            let mut circuit = honest.clone();
            circuit.offset_late(row, None, Some(Fr::random(&mut rng)));
            try_one(circuit, format!("d on row {row}"));
        }
        attempts
    });
    println!("{found:?}");
    assert!(found.iter().all(|a| a.refused > 0));
}
