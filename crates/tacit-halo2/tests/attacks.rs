//! Attacks by a prover who builds the circuit honestly but for one lie, and adapts what he can.

mod common;

use std::collections::BTreeMap;

use common::recorder::{Place, record};
use common::{Case, accepted, mock, systems};
use halo2curves::bn256::Fr;
use halo2curves::ff::Field;
use tacit_halo2::Cell;
use tacit_relations::{Segment, Statement};

/// Sets of first-phase cells that copies tie together, instance rows left out.
fn tied_cells(case: &Case) -> Vec<Vec<Cell>> {
    let circuit = case.circuit();
    let mut root: BTreeMap<Place, Place> = BTreeMap::new();
    fn find(root: &BTreeMap<Place, Place>, mut place: Place) -> Place {
        while let Some(up) = root.get(&place) {
            place = *up;
        }
        place
    }
    for (a, b) in record(&circuit, Fr::ONE).copies {
        let (a, b) = (find(&root, a), find(&root, b));
        if a != b {
            root.insert(a, b);
        }
    }
    let mut sets: BTreeMap<Place, Vec<Cell>> = BTreeMap::new();
    for cell in circuit.sheet().written_cells() {
        sets.entry(find(&root, Place::advice(cell.column, cell.row))).or_default().push(cell);
    }
    sets.into_values().collect()
}

fn field(value: i64) -> Fr {
    if value < 0 { -Fr::from(value.unsigned_abs()) } else { Fr::from(value as u64) }
}

/// Every statement that differs in one public value, by one.
fn neighbours(statement: &Statement) -> Vec<Statement> {
    let mut all = Vec::new();
    for id in statement.system.segment(Segment::Public) {
        for at in 0..statement.system.tensor(id).len() {
            let mut other = statement.clone();
            other.public.get_mut(&id).expect("public")[at] += 1;
            all.push(other);
        }
    }
    all
}

/// Shifts a public value by one, and with it a set of tied cells that hold one of `values`.
fn shifted_pairs(case: &Case, values: &[i64]) -> Vec<String> {
    let honest = case.circuit();
    let mut sets = tied_cells(case);
    sets.retain(|set| values.iter().any(|v| honest.sheet().cell_value(set[0]) == field(*v)));
    assert!(!sets.is_empty());
    let mut accepted = Vec::new();
    for statement in neighbours(&case.statement) {
        for (i, set) in sets.iter().enumerate() {
            for step in [Fr::ONE, -Fr::ONE] {
                let mut trace = case.trace.clone();
                for (id, values) in &statement.public {
                    trace.values[id.0 as usize].clone_from(values);
                }
                let mut circuit = case.circuit_of(&statement, &trace);
                for cell in set {
                    circuit.sheet_mut().overwrite(*cell, honest.sheet().cell_value(*cell) + step);
                }
                if mock(&circuit, &statement).is_ok() {
                    accepted.push(format!("{}: set {i} at {:?}", case.name, set[0]));
                }
            }
        }
    }
    accepted
}

/// A matrix that is also the bias was once given cells of its own for the bias, tied to nothing.
#[test]
fn a_matrix_that_is_also_the_bias_is_one_matrix() {
    let case = systems::residual();
    accepted("residual", &case.circuit(), &case.statement);
    let found = shifted_pairs(&case, &case.given.weights[0]);
    assert!(found.is_empty(), "{found:#?}");
}
