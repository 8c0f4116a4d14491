//! How many degrees of freedom the constraints leave to a prover.
//!
//! Around an honest witness the gates and copies are differentiated exactly, over the field. Cells that are looked up
//! cannot move by an infinitesimal amount and stand still: limbs of weights and inputs, results of tables. What is left is a
//! linear system whose unknowns are the movements of all other cells, instance cells included, one unknown per set of
//! copied cells. Its kernel is what a prover may choose freely. The challenge is drawn after the first phase is
//! committed, so a first-phase movement must fit second-phase cells at *every* challenge: the system holds several
//! challenges at once.
//!
//! Public values that the claim gives stand still too. The kernel must be exactly the two salts of each commitment: then
//! every result and every digest is a function of weights, input, salts and claim, as it is in the honest circuit.

mod common;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use common::recorder::{Place, Recording, record};
use common::{Case, in_parallel};
use halo2_proofs::plonk::Expression;
use halo2curves::bn256::Fr;
use halo2curves::ff::Field;
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use tacit_halo2::prove::circuit;
use tacit_halo2::{CircuitShape, candidates};
use tacit_relations::Segment;
use tacit_relations::testing::random::{self, Extra};

/// At least as many as any contraction here has columns.
const CHALLENGES: usize = 6;

type Linear = BTreeMap<usize, Fr>;

/// A value and its derivative.
#[derive(Clone)]
struct Dual {
    value: Fr,
    slope: Linear,
}

impl Dual {
    fn constant(value: Fr) -> Self {
        Self { value, slope: Linear::new() }
    }

    fn scaled(mut self, by: Fr) -> Self {
        self.value *= by;
        self.slope.values_mut().for_each(|x| *x *= by);
        self.slope.retain(|_, x| *x != Fr::ZERO);
        self
    }

    fn plus(mut self, other: Self) -> Self {
        self.value += other.value;
        for (at, x) in other.slope {
            add(&mut self.slope, at, x);
        }
        self
    }

    fn times(self, other: Self) -> Self {
        let (a, b) = (self.value, other.value);
        let slopes = self.scaled(b).plus(other.scaled(a));
        Self { value: a * b, slope: slopes.slope }
    }
}

fn add(row: &mut Linear, at: usize, x: Fr) {
    let sum = row.remove(&at).unwrap_or(Fr::ZERO) + x;
    if sum != Fr::ZERO {
        row.insert(at, sum);
    }
}

/// Unknowns: sets of copied cells.
struct Unknowns {
    parent: HashMap<Place, Place>,
    number: HashMap<(usize, Place), usize>,
}

impl Unknowns {
    fn root(&self, mut place: Place) -> Place {
        while let Some(up) = self.parent.get(&place) {
            place = *up;
        }
        place
    }
}

/// Degrees of freedom, and the equations looked at.
fn freedom(case: &Case, shape: CircuitShape) -> (usize, usize) {
    let circuit = circuit(&case.statement, shape, &case.trace, &case.openings).expect("a candidate fits");
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let recordings: Vec<Recording> =
        (0..CHALLENGES).map(|_| record(&circuit, Fr::random(&mut rng))).collect();
    let first = &recordings[0];
    assert_eq!(first.out_of_phase, 0, "{}: a column is written outside its phase", case.name);

    let mut unknowns = Unknowns { parent: HashMap::new(), number: HashMap::new() };
    for (a, b) in &first.copies {
        let (a, b) = (unknowns.root(*a), unknowns.root(*b));
        if a != b {
            unknowns.parent.insert(a, b);
        }
    }
    let mut still = Vec::new();
    for column in 0..first.advice.len() {
        for row in 0..first.usable_rows() {
            if first.is_looked_up(column, row) {
                still.push(Place::advice(column, row));
            }
        }
    }
    still.extend(given_rows(case).into_iter().map(Place::instance));
    let still_roots: BTreeSet<Place> = still.into_iter().map(|place| unknowns.root(place)).collect();

    let phases = first.cs.advice_column_phase();
    let mut elimination = Elimination::default();
    let mut equations = 0;
    for row in 0..first.usable_rows() {
        for (j, recording) in recordings.iter().enumerate() {
            for (name, selectors, polynomial) in recording.polynomials() {
                let late = mentions_late(polynomial, &phases);
                if !recording.is_on(&selectors, row) || (!late && j > 0) {
                    continue;
                }
                let dual = differentiate(recording, polynomial, row, |column, at| {
                    let place = unknowns.root(Place::advice(column, at));
                    if still_roots.contains(&place) {
                        return None;
                    }
                    let copy = if phases[column] == 0 { 0 } else { 1 + j };
                    // Later rows have larger numbers, so that every equation is solved for its newest cell.
                    let column = if place.instance { 511 } else { place.column };
                    let next = place.row * 4096 + copy * 512 + column;
                    Some(*unknowns.number.entry((copy, place)).or_insert(next))
                });
                assert_eq!(dual.value, Fr::ZERO, "{}: gate {name} fails on row {row}", case.name);
                equations += 1;
                elimination.insert(dual.slope);
            }
        }
    }
    (elimination.seen.len() - elimination.pivots.len(), equations)
}

/// Instance rows of the public tensors that no relation defines.
fn given_rows(case: &Case) -> Vec<usize> {
    let system = case.system();
    let mut row = 2 + case.statement.commitments.len();
    let mut rows = Vec::new();
    for id in system.segment(Segment::Public) {
        let len = system.tensor(id).len();
        if system.relations().iter().all(|r| r.result() != Some(id)) {
            rows.extend(row..row + len);
        }
        row += len;
    }
    rows
}

fn mentions_late(e: &Expression<Fr>, phases: &[u8]) -> bool {
    e.evaluate(
        &|_| false,
        &|_| false,
        &|_| false,
        &|q| phases[q.column_index()] != 0,
        &|_| false,
        &|_| true,
        &|a| a,
        &|a, b| a || b,
        &|a, b| a || b,
        &|a, _| a,
    )
}

fn differentiate(
    recording: &Recording,
    e: &Expression<Fr>,
    row: usize,
    mut unknown: impl FnMut(usize, usize) -> Option<usize>,
) -> Dual {
    let n = recording.fixed[0].len() as i32;
    let at = |rotation: i32| (row as i32 + rotation).rem_euclid(n) as usize;
    let unknown = std::cell::RefCell::new(&mut unknown);
    e.evaluate(
        &Dual::constant,
        &|_| Dual::constant(Fr::ONE),
        &|q| Dual::constant(recording.fixed[q.column_index()][at(q.rotation().0)]),
        &|q| {
            let (column, row) = (q.column_index(), at(q.rotation().0));
            let slope = (unknown.borrow_mut())(column, row).map(|x| (x, Fr::ONE)).into_iter().collect();
            Dual { value: recording.advice[column][row], slope }
        },
        &|_| unreachable!("no gate queries the instance"),
        &|_| Dual::constant(recording.challenge),
        &|a| a.scaled(-Fr::ONE),
        &|a, b| a.plus(b),
        &|a, b| a.times(b),
        &|a, by| a.scaled(by),
    )
}

/// Gaussian elimination, one equation at a time.
#[derive(Default)]
struct Elimination {
    /// By largest unknown; its coefficient is one.
    pivots: BTreeMap<usize, Linear>,
    /// Unknowns of any equation.
    seen: BTreeSet<usize>,
}

impl Elimination {
    fn insert(&mut self, mut row: Linear) {
        self.seen.extend(row.keys());
        while let Some((&at, &x)) = row.last_key_value() {
            let Some(pivot) = self.pivots.get(&at) else {
                let inverse = x.invert().expect("not zero");
                row.values_mut().for_each(|y| *y *= inverse);
                self.pivots.insert(at, row);
                return;
            };
            for (&other, &y) in pivot {
                add(&mut row, other, -x * y);
            }
        }
    }
}

/// In every shape that is not too large to be looked at.
fn check(case: &Case) -> Result<Vec<usize>, String> {
    let expected = 2 * case.statement.commitments.len();
    let shapes = candidates(case.system()).into_iter().filter(|shape| shape.k <= 9);
    shapes
        .map(|shape| match freedom(case, shape) {
            (free, equations) if free == expected => Ok(equations),
            (free, _) => Err(format!("{} in {shape:?}: {free} instead of {expected}", case.name)),
        })
        .collect()
}

#[test]
fn results_and_digests_are_functions_of_weights_input_salts_and_claim() {
    let cases = common::all();
    let found = in_parallel(&cases, check);
    let wrong: Vec<&String> = found.iter().filter_map(|f| f.as_ref().err()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    for (case, equations) in cases.iter().zip(found.iter().flatten()) {
        println!(
            "{}: {equations:?} equations by shape, {} salts",
            case.name,
            2 * case.statement.commitments.len()
        );
    }
}

proptest! {
    #![proptest_config(common::random_cases(24))]

    #[test]
    fn random_systems_too(seed in any::<u64>()) {
        let case = Case::from(random::system(seed, 1, &Extra::ALL));
        prop_assert_eq!(check(&case).err(), None);
    }
}
