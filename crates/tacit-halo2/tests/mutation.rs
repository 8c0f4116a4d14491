//! Changes every cell that a chip has written, one at a time, and every set of copied cells at once; the mock prover must
//! refuse each change, or the cell is on the list of [`Exempt`] with its reason.
//!
//! The first system's cells get every kind of change, those of the others two kinds, by turns, and there a third of the cells
//! of permutations, which are laid out alike everywhere, one kind. With `TACIT_TESTS_THOROUGH=1` these cells all get one kind,
//! and all others every kind. Second-phase cells follow the changed first phase as an adaptive prover would have them; they are
//! changed on their own as well. To spare time the rows around a change are looked at first, and the whole circuit only where
//! they hold.

mod common;

use std::collections::BTreeMap;
use std::time::Instant;

use common::recorder::{Recording, record};
use common::{Case, in_parallel, mock_prover};
use halo2curves::bn256::Fr;
use halo2curves::ff::{Field, PrimeField};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use tacit_halo2::{Cell, TacitCircuit};

/// Why a change may pass: what the cell holds has no meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Exempt {
    /// Two cells tied to each other, of which a Horner row subtracts one from the other: a place without element.
    NeutralPair,
    /// `h` where a dot product begins: the next row starts anew or takes its own copy.
    StartOfDotProduct,
}

/// One change to an honest circuit.
#[derive(Debug, Clone)]
enum Change {
    First { cells: Vec<Cell>, to: Fr },
    Late { row: usize, h: Option<Fr>, d: Option<Fr> },
}

#[derive(Debug, Default)]
struct Tally {
    cells: usize,
    changes: usize,
    caught: usize,
    exempt: BTreeMap<Exempt, usize>,
    passed: Vec<String>,
}

fn small(value: Fr) -> Option<u64> {
    let bytes = value.to_repr();
    let (low, high) = bytes.as_ref().split_at(8);
    high.iter().all(|b| *b == 0).then(|| u64::from_le_bytes(low.try_into().expect("eight bytes")))
}

/// Other values for a cell: off by one, anything, one bit over, and what a neighbour holds.
fn others(circuit: &TacitCircuit, cell: Cell, rng: &mut ChaCha8Rng) -> Vec<Fr> {
    let sheet = circuit.sheet();
    let value = sheet.cell_value(cell);
    let mut all = vec![value + Fr::ONE, Fr::random(rng)];
    if let Some(v) = small(value) {
        all.push(Fr::from(v ^ 1));
    }
    let left = Cell { column: cell.column.wrapping_sub(1), ..cell };
    let above = Cell { row: cell.row.wrapping_sub(1), ..cell };
    for near in [left, above] {
        if near.column < cell.column || near.row < cell.row {
            all.push(sheet.cell_value(near));
        }
    }
    let mut seen = vec![value];
    all.retain(|v| {
        !seen.contains(v) && {
            seen.push(*v);
            true
        }
    });
    all
}

fn changes(circuit: &TacitCircuit, recording: &Recording, thorough: bool) -> (usize, Vec<Change>) {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let few = !thorough && !common::is_thorough();
    let permutation = recording.rows_of(|name| name.starts_with("poseidon"));
    let cells = circuit.sheet().written_cells();
    let mut all = Vec::new();
    let single = cells.iter().map(|cell| vec![*cell]);
    let sets = single.chain(recording.tied(&cells).into_iter().filter(|set| set.len() > 1));
    for (turn, set) in sets.enumerate() {
        let brief = !thorough && set.iter().all(|c| permutation.contains(&c.row));
        if brief && few && turn % 3 != 0 {
            continue;
        }
        let mut values = others(circuit, set[0], &mut rng);
        if brief {
            values.truncate(1);
        } else if few && values.len() > 2 {
            // One more than the first kind, by turns.
            let other = values[1 + all.len() % (values.len() - 1)];
            values = vec![values[0], other];
        }
        all.extend(values.into_iter().map(|to| Change::First { cells: set.clone(), to }));
    }
    let late = circuit.late_rows();
    for &row in &late {
        for by in [Fr::ONE, Fr::random(&mut rng)] {
            all.push(Change::Late { row, h: Some(by), d: None });
            all.push(Change::Late { row, h: None, d: Some(by) });
            all.push(Change::Late { row, h: Some(by), d: Some(by) });
        }
    }
    (cells.len() + 2 * late.len(), all)
}

/// Whether the constraints refuse the change.
fn is_caught(case: &Case, honest: &TacitCircuit, change: &Change) -> bool {
    let mut circuit = honest.clone();
    let rows: Vec<usize> = match change {
        Change::First { cells, to } => {
            for cell in cells {
                circuit.sheet_mut().overwrite(*cell, *to);
            }
            cells.iter().map(|c| c.row).collect()
        }
        Change::Late { row, h, d } => {
            circuit.offset_late(*row, *h, *d);
            vec![*row]
        }
    };
    let last = honest.sheet().rows() - 1;
    let near = |reach: usize| -> Vec<usize> {
        let mut near: Vec<usize> =
            rows.iter().flat_map(|r| r.saturating_sub(reach)..=(r + reach).min(last)).collect();
        near.dedup();
        near
    };
    let mock = mock_prover(&circuit, &case.statement);
    mock.verify_at_rows(near(1).into_iter(), near(0).into_iter()).is_err() || mock.verify().is_err()
}

/// The reason why a change that was not caught is harmless.
fn excuse(recording: &Recording, change: &Change) -> Option<Exempt> {
    match change {
        Change::First { cells, .. } => {
            let [a, b] = cells[..] else { return None };
            (a.row == b.row && recording.rows_of(|name| name == "copied").contains(&a.row))
                .then_some(Exempt::NeutralPair)
        }
        Change::Late { row, d: None, .. } => {
            recording.rows_of(|name| name == "zero").contains(row).then_some(Exempt::StartOfDotProduct)
        }
        Change::Late { .. } => None,
    }
}

fn sweep(case: &Case, thorough: bool) -> Tally {
    let honest = case.circuit();
    common::accepted(&case.name, &honest, &case.statement);
    let recording = record(&honest, Fr::from(5));
    let (cells, changes) = changes(&honest, &recording, thorough);
    let caught = in_parallel(&changes, |change| is_caught(case, &honest, change));
    let mut tally = Tally { cells, changes: changes.len(), ..Tally::default() };
    for (change, caught) in changes.iter().zip(caught) {
        match (caught, excuse(&recording, change)) {
            (true, _) => tally.caught += 1,
            (false, Some(reason)) => *tally.exempt.entry(reason).or_default() += 1,
            (false, None) => tally.passed.push(format!("{change:?}")),
        }
    }
    tally
}

#[test]
fn every_cell_is_constrained() {
    let began = Instant::now();
    let mut cases = common::small();
    // The sixteen requantisations differ in their constants: four show every branch.
    let requants = ["by 0 bits to 3", "by 7 bits to -100", "by 7 bits to -128", "by 20 bits to 0"];
    cases.retain(|c| !c.name.starts_with("requant") || requants.iter().any(|r| c.name.contains(r)));
    let mut total = Tally::default();
    for (i, case) in cases.iter().enumerate() {
        let tally = sweep(case, i == 0);
        println!(
            "{}: {} cells, {} changes, {} caught, exempt {:?}",
            case.name, tally.cells, tally.changes, tally.caught, tally.exempt
        );
        assert!(tally.passed.is_empty(), "{}: not caught: {:#?}", case.name, tally.passed);
        total.cells += tally.cells;
        total.changes += tally.changes;
        total.caught += tally.caught;
        for (reason, n) in tally.exempt {
            *total.exempt.entry(reason).or_default() += n;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{} systems, {} cells, {} changes, {} caught, exempt {:?}; {:.0} changes a second",
        cases.len(),
        total.cells,
        total.changes,
        total.caught,
        total.exempt,
        total.changes as f64 / seconds
    );
    let exempt: usize = total.exempt.values().sum();
    assert_eq!(total.caught + exempt, total.changes);
    assert!(exempt * 100 < total.changes, "the exemptions are a handful");
}
