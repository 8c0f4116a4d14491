//! Takes down everything that a circuit assigns: what the proving library sees, in a form that a test can question.

use std::cell::RefCell;
use std::collections::BTreeMap;

use halo2_proofs::circuit::{SimpleFloorPlanner, Value};
use halo2_proofs::plonk::{
    Advice, Any, Assigned, Assignment, Challenge, Circuit, Column, ConstraintSystem, Error, Expression,
    Fixed, FloorPlanner, Instance, Selector,
};
use halo2curves::bn256::Fr;
use halo2curves::ff::Field;
use tacit_halo2::{Cell, CircuitShape, TacitCircuit};

/// An advice or instance cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    pub instance: bool,
    pub column: usize,
    pub row: usize,
}

impl Place {
    pub fn advice(column: usize, row: usize) -> Self {
        Self { instance: false, column, row }
    }

    pub fn instance(row: usize) -> Self {
        Self { instance: true, column: 0, row }
    }

    fn of(column: Column<Any>, row: usize) -> Self {
        Self { instance: matches!(column.column_type(), Any::Instance), column: column.index(), row }
    }
}

/// What a circuit has assigned.
pub struct Recording {
    pub shape: CircuitShape,
    pub cs: ConstraintSystem<Fr>,
    /// By column, then row; what is not assigned is zero, as in the library.
    pub advice: Vec<Vec<Fr>>,
    pub fixed: Vec<Vec<Fr>>,
    pub selectors: Vec<Vec<bool>>,
    pub copies: Vec<(Place, Place)>,
    /// First-phase columns may be written before this is set, second-phase columns after.
    pub second_phase: bool,
    pub challenge: Fr,
    /// Assignments to a column in another phase than its own: the library drops those without a word.
    pub out_of_phase: usize,
}

/// Synthesises `circuit` with `challenge`.
pub fn record(circuit: &TacitCircuit, challenge: Fr) -> Recording {
    let mut cs = ConstraintSystem::default();
    let config = TacitCircuit::configure_with_params(&mut cs, circuit.params());
    let n = 1 << circuit.params().k;
    let mut recording = Recording {
        shape: circuit.params(),
        advice: vec![vec![Fr::ZERO; n]; cs.num_advice_columns()],
        fixed: vec![vec![Fr::ZERO; n]; cs.num_fixed_columns()],
        selectors: vec![vec![false; n]; cs.num_selectors()],
        copies: Vec::new(),
        second_phase: false,
        challenge,
        out_of_phase: 0,
        cs,
    };
    SimpleFloorPlanner::synthesize(&mut recording, circuit, config, vec![]).expect("the circuit fits");
    recording
}

impl Recording {
    /// Rows that a circuit may use.
    pub fn usable_rows(&self) -> usize {
        self.fixed[0].len() - (self.cs.blinding_factors() + 1)
    }

    /// Whether a lookup leaves a cell no choice but among separate values: in the table of ranges, if its tag is not
    /// zero; in that of functions, if it is the result of a call.
    pub fn is_looked_up(&self, column: usize, row: usize) -> bool {
        let CircuitShape { slots, looks_up_functions, .. } = self.shape;
        // The tags are the last fixed columns before the two of the table. Behind those are the functions that rows call
        // and the three columns of their table.
        let functions = self.fixed.len() - 4;
        let tags = if looks_up_functions { functions } else { self.fixed.len() } - 2 - slots;
        let is_set = |fixed: usize| self.fixed[fixed][row] != Fr::ZERO;
        let result = column == slots + 2 && looks_up_functions && is_set(functions);
        column < slots && is_set(tags + column) || result
    }

    /// Every gate polynomial with the selectors that switch it on.
    pub fn polynomials(&self) -> Vec<(String, Vec<usize>, &Expression<Fr>)> {
        let of = |e: &Expression<Fr>| {
            let seen = RefCell::new(Vec::new());
            e.evaluate(
                &|_| (),
                &|s: Selector| seen.borrow_mut().push(s.index()),
                &|_| (),
                &|_| (),
                &|_| (),
                &|_| (),
                &|()| (),
                &|(), ()| (),
                &|(), ()| (),
                &|(), _| (),
            );
            seen.into_inner()
        };
        let gates = self.cs.gates().iter();
        gates.flat_map(|g| g.polynomials().iter().map(move |e| (g.name().to_owned(), of(e), e))).collect()
    }

    /// Whether every selector in the list is on.
    pub fn is_on(&self, selectors: &[usize], row: usize) -> bool {
        selectors.iter().all(|s| self.selectors[*s][row])
    }
}

impl Recording {
    /// Rows on which a gate of such a name is on.
    pub fn rows_of(&self, named: impl Fn(&str) -> bool) -> Vec<usize> {
        let gates: Vec<_> = self.polynomials().into_iter().filter(|(name, ..)| named(name)).collect();
        let rows = 0..self.usable_rows();
        rows.filter(|row| gates.iter().any(|(_, selectors, _)| self.is_on(selectors, *row))).collect()
    }

    /// The sets into which copies divide `cells`; instance rows may tie cells together but are not listed.
    pub fn tied(&self, cells: &[Cell]) -> Vec<Vec<Cell>> {
        let mut up: BTreeMap<Place, Place> = BTreeMap::new();
        let root = |up: &BTreeMap<Place, Place>, mut place: Place| {
            while let Some(next) = up.get(&place) {
                place = *next;
            }
            place
        };
        for (a, b) in &self.copies {
            let (a, b) = (root(&up, *a), root(&up, *b));
            if a != b {
                up.insert(a, b);
            }
        }
        let mut sets: BTreeMap<Place, Vec<Cell>> = BTreeMap::new();
        for cell in cells {
            sets.entry(root(&up, Place::advice(cell.column, cell.row))).or_default().push(*cell);
        }
        sets.into_values().collect()
    }
}

impl Assignment<Fr> for Recording {
    fn enter_region<NR: Into<String>, N: FnOnce() -> NR>(&mut self, _: N) {}

    fn annotate_column<A: FnOnce() -> AR, AR: Into<String>>(&mut self, _: A, _: Column<Any>) {}

    fn exit_region(&mut self) {}

    fn enable_selector<A: FnOnce() -> AR, AR: Into<String>>(
        &mut self,
        _: A,
        selector: &Selector,
        row: usize,
    ) -> Result<(), Error> {
        self.selectors[selector.index()][row] = true;
        Ok(())
    }

    fn query_instance(&self, _: Column<Instance>, _: usize) -> Result<Value<Fr>, Error> {
        Ok(Value::unknown())
    }

    fn assign_advice<'v>(
        &mut self,
        column: Column<Advice>,
        row: usize,
        to: Value<Assigned<Fr>>,
    ) -> Value<&'v Assigned<Fr>> {
        let late = self.cs.advice_column_phase()[column.index()] != 0;
        self.out_of_phase += usize::from(late != self.second_phase);
        to.map(|v| self.advice[column.index()][row] = v.evaluate());
        Value::unknown()
    }

    fn assign_fixed(&mut self, column: Column<Fixed>, row: usize, to: Assigned<Fr>) {
        self.fixed[column.index()][row] = to.evaluate();
    }

    fn copy(&mut self, left: Column<Any>, left_row: usize, right: Column<Any>, right_row: usize) {
        self.copies.push((Place::of(left, left_row), Place::of(right, right_row)));
    }

    fn fill_from_row(
        &mut self,
        column: Column<Fixed>,
        row: usize,
        to: Value<Assigned<Fr>>,
    ) -> Result<(), Error> {
        let usable = self.usable_rows();
        to.map(|v| self.fixed[column.index()][row..usable].fill(v.evaluate()));
        Ok(())
    }

    fn get_challenge(&self, _: Challenge) -> Value<Fr> {
        if self.second_phase { Value::known(self.challenge) } else { Value::unknown() }
    }

    fn push_namespace<NR: Into<String>, N: FnOnce() -> NR>(&mut self, _: N) {}

    fn pop_namespace(&mut self, _: Option<String>) {}

    fn next_phase(&mut self) {
        self.second_phase = true;
    }
}
