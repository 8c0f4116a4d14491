//! Attacks by a prover who tells one lie and then adapts every cell that he can, so that all gates and copies hold again.
//! What stops each is a lookup in the table of ranges or of functions, and the tests demand that nothing else is needed.

mod common;

use std::collections::HashMap;

use common::proofs::Keyed;
use common::recorder::record;
use common::{Case, accepted, mock};
use halo2_proofs::dev::VerifyFailure;
use halo2curves::bn256::Fr;
use halo2curves::ff::Field;
use tacit_halo2::{Cell, TacitCircuit};
use tacit_relations::testing::arithmetic::forged;
use tacit_relations::testing::builder::Builder;
use tacit_relations::testing::systems;
use tacit_relations::{Axis, Segment, Statement, Trace, View};

fn field(value: i64) -> Fr {
    let magnitude = Fr::from(value.unsigned_abs());
    if value < 0 { -magnitude } else { magnitude }
}

/// A circuit under the hands of an attacker, who keeps copied cells equal.
struct Forger {
    circuit: TacitCircuit,
    claim: Statement,
    tied: HashMap<Cell, Vec<Cell>>,
    slots: usize,
}

impl Forger {
    fn new(case: &Case, claim: Statement, trace: &Trace) -> Self {
        let circuit = case.circuit_of(&claim, trace);
        let sets = record(&circuit, Fr::ONE).tied(&circuit.sheet().written_cells());
        let tied =
            sets.into_iter().flat_map(|set| set.clone().into_iter().map(move |c| (c, set.clone()))).collect();
        let slots = circuit.sheet().shape().slots;
        Self { circuit, claim, tied, slots }
    }

    /// Rows on which a gate is on.
    fn rows(&self, gate: &str) -> Vec<usize> {
        record(&self.circuit, Fr::ONE).rows_of(|name| name == gate)
    }

    fn set(&mut self, column: usize, row: usize, value: Fr) {
        for cell in self.tied[&Cell { column, row }].clone() {
            self.circuit.sheet_mut().overwrite(cell, value);
        }
    }

    /// Adds to a cell and all its copies.
    fn shift(&mut self, column: usize, row: usize, by: i64) {
        let value = self.circuit.sheet().cell_value(Cell { column, row });
        self.set(column, row, value + field(by));
    }

    /// Rows with limbs, in order.
    fn limb_rows(&self) -> Vec<usize> {
        let recording = record(&self.circuit, Fr::ONE);
        (0..recording.usable_rows()).filter(|row| recording.is_looked_up(0, *row)).collect()
    }

    /// Makes the sum of a row's limbs `value`, in range or not.
    fn set_limbs(&mut self, row: usize, value: i64) {
        let recording = record(&self.circuit, Fr::ONE);
        for slot in (0..self.slots).filter(|slot| recording.is_looked_up(*slot, row)) {
            self.set(slot, row, if slot == 0 { field(value) } else { Fr::ZERO });
        }
        self.set(self.slots, row, field(value));
    }

    /// Adds to the first limb of a row and to the row's sum.
    fn shift_limb(&mut self, row: usize, by: i64) {
        self.shift(0, row, by);
        self.shift(self.slots, row, by);
    }

    /// Demands that lookups refuse the circuit and that nothing else does; then that a real proof of it,
    /// if the library makes one, does not verify.
    #[track_caller]
    fn stopped_by_lookups_alone(&self, keyed: &Keyed) {
        let failures = mock(&self.circuit, &self.claim).expect_err("the attack works");
        for failure in &failures {
            assert!(matches!(failure, VerifyFailure::Lookup { .. }), "the attack is not adapted: {failure}");
        }
        if let Ok(proof) = keyed.forge(&self.circuit, &self.claim) {
            assert!(keyed.verify(&self.claim, &proof).is_err());
        }
    }
}

/// The statement with another public value.
fn claiming(case: &Case, changes: &[(usize, i64)]) -> (Statement, Trace) {
    let (mut claim, mut trace) = (case.statement.clone(), case.trace.clone());
    let id = case.system().segment(Segment::Public).last().expect("public");
    for (at, value) in changes {
        claim.public.get_mut(&id).expect("public")[*at] = *value;
        trace.values[id.0 as usize][*at] = *value;
    }
    (claim, trace)
}

/// A matrix that is also the bias was once given cells of its own for the bias, tied to nothing: with them any result
/// could be claimed.
#[test]
fn a_matrix_that_is_also_the_bias_is_one_matrix() {
    let case = Case::from(systems::residual());
    accepted("residual", &case.circuit(), &case.statement);
    let weights = &case.given.weights[0];
    let public = case.statement.public.values().next().expect("public").clone();
    for (at, value) in public.iter().enumerate() {
        let (claim, trace) = claiming(&case, &[(at, value + 1)]);
        let honest = Forger::new(&case, claim.clone(), &trace);
        let mut tried = 0;
        for cell in honest.circuit.sheet().written_cells() {
            let value = honest.circuit.sheet().cell_value(cell);
            if honest.tied[&cell][0] == cell && weights.iter().any(|w| field(*w) == value) {
                let mut forger = Forger::new(&case, claim.clone(), &trace);
                forger.shift(cell.column, cell.row, 1);
                assert!(mock(&forger.circuit, &claim).is_err(), "the bias at {cell:?} is free");
                tried += 1;
            }
        }
        assert!(tried > 0);
    }
}

/// `(w_0 + 2^w, w_1 - 1)` packs to the element of `(w_0, w_1)`: the digest does not tell them apart.
#[test]
fn weights_that_carry_into_each_other_have_the_same_digest_but_no_proof() {
    let mut b = Builder::new("carrying weights", 1);
    let (x, w) = (b.input_of(&[2], 6, vec![1, 2]), b.weights(&[2, 3], 8));
    let (a, c) = (b.shaped(x, &[1, 1, 2]), b.shaped(w, &[1, 2, 3]));
    b.to(Segment::Public).contraction(a, c, None);
    let case = Case::from(b.finish());
    let keyed = Keyed::new(case.clone());
    let shape = case.shape();
    assert_eq!(
        (shape.slots, shape.limb_bits),
        (2, 5),
        "one weight to a row, in limbs of five and three bits"
    );

    // What follows from the carried weights, under the commitment to the honest ones.
    let first = forged(case.system(), &case.trace, w, 0, 256).expect("small");
    let mut trace = forged(case.system(), &first, w, 1, -1).expect("small");
    trace.values[w.0 as usize].clone_from(&case.trace.values[w.0 as usize]);
    let mut claim = case.statement.clone();
    for (id, values) in &mut claim.public {
        values.clone_from(&trace.values[id.0 as usize]);
    }
    assert_ne!(claim.public, case.statement.public);

    let mut forger = Forger::new(&case, claim, &trace);
    let rows = forger.rows("lane");
    forger.shift(1, rows[0], 8);
    forger.shift(shape.slots, rows[0], 256);
    forger.shift(0, rows[1], -1);
    forger.stopped_by_lookups_alone(&keyed);
}

/// The same for numbers outside the lane, and their sum's public copy.
#[test]
fn inputs_that_carry_into_each_other_have_the_same_digest_but_no_proof() {
    let mut b = Builder::new("carrying inputs", 1);
    let x = b.input_of(&[3], 4, vec![3, 2, 1]);
    let x = b.all(x);
    b.to(Segment::Public).affine(vec![(1, x)], 0);
    let case = Case::from(b.finish());
    let keyed = Keyed::new(case.clone());
    let (claim, trace) = claiming(&case, &[(0, 3 + 16), (1, 2 - 1)]);
    let mut forger = Forger::new(&case, claim, &trace);
    let rows = forger.rows("linear");
    // Numbers are the first rows with limbs: one each.
    let number = |row: &&usize| record(&forger.circuit, Fr::ONE).is_looked_up(0, **row);
    let rows: Vec<usize> = rows.iter().filter(number).copied().collect();
    forger.shift_limb(rows[0], 16);
    forger.shift_limb(rows[1], -1);
    forger.stopped_by_lookups_alone(&keyed);
}

/// One value, requantised and public.
fn requantised(value: i64, shift: u8, lo: i64, hi: i64) -> Case {
    let mut b = Builder::new(format!("{value} by {shift} bits to {lo}..={hi}"), 1);
    let x = b.input_of(&[2], 17, vec![value, -60_000]);
    let x = b.all(x);
    b.to(Segment::Public).requant(x, shift, lo, hi);
    b.finish().into()
}

/// Rounded up instead of down: the remainder would be negative.
#[test]
fn no_other_rounding() {
    let case = requantised(200, 7, -128, 127);
    let keyed = Keyed::new(case.clone());
    let (claim, trace) = claiming(&case, &[(0, 3)]);
    let mut forger = Forger::new(&case, claim, &trace);
    let row = forger.rows("requant")[0];
    forger.shift_limb(row - 1, -128);
    forger.shift_limb(row, 1);
    forger.stopped_by_lookups_alone(&keyed);
}

/// A value above the range passed off as inside it, and one inside passed off as above or below.
#[test]
fn no_other_case_of_saturation() {
    let case = requantised(40_000, 7, -128, 127);
    let keyed = Keyed::new(case.clone());
    let (claim, trace) = claiming(&case, &[(0, 313)]);
    let mut forger = Forger::new(&case, claim, &trace);
    let (row, side) = (forger.rows("requant")[0], forger.slots + 1);
    forger.shift_limb(row, 256);
    forger.set(side + 1, row, Fr::ZERO);
    forger.stopped_by_lookups_alone(&keyed);

    let case = requantised(200, 7, -128, 127);
    let keyed = Keyed::new(case.clone());
    for (flag, carry, claimed) in [(1, -256, 127), (2, 256, -128)] {
        let (claim, trace) = claiming(&case, &[(0, claimed)]);
        let mut forger = Forger::new(&case, claim, &trace);
        forger.shift_limb(row, carry);
        forger.set(side + flag, row, Fr::ONE);
        forger.stopped_by_lookups_alone(&keyed);
    }
}

/// Where the range is no power of two: a value at most the bound passed off as larger, and one larger as itself.
#[test]
fn no_other_clip() {
    for (value, claimed, flag) in [(200, 30, Fr::ONE), (128 * 27, 30, Fr::ONE), (128 * 31, 31, Fr::ZERO)] {
        let case = requantised(value, 7, -100, 30);
        let keyed = Keyed::new(case.clone());
        let (claim, trace) = claiming(&case, &[(0, claimed)]);
        let mut forger = Forger::new(&case, claim, &trace);
        let (row, side) = (forger.rows("clip")[0], forger.slots + 1);
        let x = (value + 64) >> 7;
        // From `hi - x` to `x - hi - 1`, or back.
        let room = 30 - x;
        forger.shift_limb(row - 1, if flag == Fr::ONE { -2 * room - 1 } else { 2 * room + 1 });
        forger.set(side + 1, row, flag);
        forger.stopped_by_lookups_alone(&keyed);
    }
}

/// A value above its range: `16` where `hi - lo` has four bits, or `-1` from above where that is not the whole range.
#[test]
fn no_value_outside_its_range() {
    for (lo, limb) in [(-6, 16), (-5, -1)] {
        let mut b = Builder::new(format!("{lo}..=9"), 1);
        let x = b.input_of(&[1], 6, vec![9]);
        let all = b.all(x);
        b.range(all, lo, 9);
        let case = Case::from(b.finish());
        let keyed = Keyed::new(case.clone());
        let trace = forged(case.system(), &case.trace, x, 0, 1).expect("small");
        let claim =
            common::statement(case.system().clone(), &trace, &case.openings).expect("within its width");
        let mut forger = Forger::new(&case, claim, &trace);
        let recording = record(&forger.circuit, Fr::ONE);
        let last = (0..recording.usable_rows()).rfind(|row| recording.is_looked_up(0, *row));
        let row = last.expect("the range's last row");
        forger.set(0, row, field(limb));
        forger.set(forger.slots, row, field(10));
        forger.stopped_by_lookups_alone(&keyed);
    }
}

/// Three values of four bits, the operand of `relation`, whose result is public.
fn three_values(x: [i64; 3], relation: impl FnOnce(&mut Builder, View)) -> Case {
    let mut b = Builder::new("three values", 1);
    let x = b.input_of(&[3], 4, x.to_vec());
    let x = b.all(x);
    relation(b.to(Segment::Public), x);
    b.finish().into()
}

/// Another of two equal values, one that is not the largest, and none or two at once.
#[test]
fn no_other_maximum_is_selected() {
    let select = |x| {
        three_values(x, |b, x| {
            b.arg_max(x);
        })
    };
    let ties = Keyed::new(select([2, 5, 5]));
    for (claimed, differences) in [([0, 0, 1], [2, -1, 0]), ([1, 0, 0], [0, -3, -3])] {
        let changes: Vec<(usize, i64)> = claimed.into_iter().enumerate().collect();
        let (claim, trace) = claiming(&ties.case, &changes);
        let mut forger = Forger::new(&ties.case, claim, &trace);
        // Three inputs, three bits, three differences.
        let rows = forger.limb_rows();
        assert_eq!(rows.len(), 9);
        for (row, difference) in rows[6..].iter().zip(differences) {
            forger.set_limbs(*row, difference);
        }
        forger.stopped_by_lookups_alone(&ties);
    }
    for claimed in [[0, 0, 0], [0, 1, 1], [1, 1, 0], [0, 2, -1]] {
        let changes: Vec<(usize, i64)> = claimed.into_iter().enumerate().collect();
        let (claim, trace) = claiming(&ties.case, &changes);
        let forger = Forger::new(&ties.case, claim, &trace);
        assert!(mock(&forger.circuit, &forger.claim).is_err(), "{claimed:?}");
    }
}

/// One of the values, but not the largest; and one that is larger than all.
#[test]
fn no_other_maximum() {
    let case = three_values([2, 5, 4], |b, x| {
        b.max(x);
    });
    let keyed = Keyed::new(case.clone());
    let (claim, trace) = claiming(&case, &[(0, 4)]);
    let mut forger = Forger::new(&case, claim, &trace);
    let rows = forger.limb_rows();
    assert_eq!(rows.len(), 6, "three inputs, three differences");
    forger.set_limbs(rows[4], -1);
    // Their sum with the value, and the products of the differences: 2 · -1 · 0.
    forger.set(forger.slots, rows[4] + 1, field(4));
    let products = forger.rows("multiply");
    forger.set(forger.slots + 3, products[0], field(-2));
    forger.stopped_by_lookups_alone(&keyed);

    let (claim, trace) = claiming(&case, &[(0, 6)]);
    let forger = Forger::new(&case, claim, &trace);
    assert!(mock(&forger.circuit, &forger.claim).is_err());
}

/// Another entry, an entry of another table, and any result for a value off the table's domain.
#[test]
fn no_other_entry_of_a_table() {
    let with_tables = |x| {
        three_values(x, |b, x| {
            let first = View { axes: vec![Axis::plain(1, 1)], ..x.clone() };
            b.table(first, -8, &[40; 16]);
            b.to(Segment::Public).table(x, -3, &[7, 8, 9, 10]);
        })
    };
    let case = with_tables([-3, 0, -1]);
    let keyed = Keyed::new(case.clone());
    for claimed in [7, 11, 40, 0] {
        let (claim, trace) = claiming(&case, &[(1, claimed)]);
        Forger::new(&case, claim, &trace).stopped_by_lookups_alone(&keyed);
    }
    for off in [-4, 1, 7] {
        let id = case.system().segment(Segment::Input).next().expect("hidden input");
        for claimed in [40, 10, 0] {
            let (_, mut trace) = claiming(&case, &[(1, claimed)]);
            trace.values[id.0 as usize][1] = off;
            let claim = common::statement(case.system().clone(), &trace, &case.openings);
            Forger::new(&case, claim.expect("within its width"), &trace).stopped_by_lookups_alone(&keyed);
        }
    }
}

/// How far a value lies outside the range has no meaning where it lies inside: the prover may write any overshoot there,
/// and still gets the same result. Where it lies outside, the overshoot is determined.
#[test]
fn the_overshoot_of_a_value_in_range_means_nothing() {
    for (value, free) in [(200, true), (40_000, false), (-40_000, false)] {
        let case = requantised(value, 7, -128, 127);
        let mut forger = Forger::new(&case, case.statement.clone(), &case.trace);
        let row = forger.rows("requant")[0];
        let limb = forger.circuit.sheet().cell_value(Cell { column: 0, row: row + 1 });
        forger.shift_limb(row + 1, if limb == Fr::ZERO { 1 } else { -1 });
        assert_eq!(mock(&forger.circuit, &case.statement).is_ok(), free, "{}", case.name);
    }
}
