//! The sheet: what is written into a circuit, recorded row by row before the proving library sees any of it.
//!
//! Chips write to a sheet; [`crate::circuit::TacitCircuit`] replays it for keys, proofs and the mock prover alike, so
//! that layout is decided once and a test can change any cell of an otherwise honest circuit.

use std::sync::Arc;

use halo2curves::bn256::Fr;
use halo2curves::ff::Field;

use crate::shape::CircuitShape;

/// A first-phase advice cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cell {
    /// Column index.
    pub column: usize,
    /// Row.
    pub row: usize,
}

/// A cell that a lookup chain has shown to lie in `[-2^(width-1), 2^(width-1))`. Only the linear chip makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ranged {
    pub(crate) cell: Cell,
    pub(crate) width: u8,
}

/// Selectors, one per gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(usize)]
pub(crate) enum Gate {
    Linear,
    Requant,
    Clip,
    Multiply,
    Lane,
    Copied,
    Dot,
    Zero,
    PoseidonFull,
    PoseidonEnter,
    PoseidonPartial,
    PoseidonPartialLast,
    PoseidonExit,
}

impl Gate {
    pub(crate) const ALL: [Self; 13] = [
        Self::Linear,
        Self::Requant,
        Self::Clip,
        Self::Multiply,
        Self::Lane,
        Self::Copied,
        Self::Dot,
        Self::Zero,
        Self::PoseidonFull,
        Self::PoseidonEnter,
        Self::PoseidonPartial,
        Self::PoseidonPartialLast,
        Self::PoseidonExit,
    ];
}

/// What the running evaluation `h` is multiplied by before a row's elements are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Starts anew.
    Reset,
    /// Continues the same group of powers.
    Hold,
    /// Moves on by a whole group: multiplied by `s^G`.
    Advance,
}

/// How a second-phase row is computed once the challenge `s` is known. Rows follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LateRow {
    /// `d = 0`.
    Zero,
    /// Elements of the weight lane; `dot` adds `side(0) · h` to `d`.
    Lane { step: Step, dot: bool },
    /// Copied elements; `equal` demands `h = d`.
    Copied { step: Step, equal: bool },
    /// `h` copied from the row where it was computed; `d` grows by `side(0) · h`.
    Dot { from: usize },
}

/// A public function given by a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    /// Smallest argument.
    pub(crate) first: i64,
    /// Values, in order of arguments.
    pub(crate) values: Arc<[i64]>,
}

/// A recorded circuit. Holds the witness, and is never printed.
#[derive(Clone)]
pub struct Sheet {
    shape: CircuitShape,
    rows: usize,
    /// Row-major advice values.
    pub(crate) advice: Vec<Fr>,
    /// Row-major fixed values.
    pub(crate) fixed: Vec<Fr>,
    /// Row-major lookup tags.
    pub(crate) tags: Vec<u8>,
    /// Rows at which each gate is on, by gate.
    pub(crate) gates: Vec<Vec<usize>>,
    pub(crate) copies: Vec<(Cell, Cell)>,
    /// Cells equal to instance rows.
    pub(crate) instance: Vec<(Cell, usize)>,
    pub(crate) late: Vec<(usize, LateRow)>,
    /// Functions, each once.
    pub(crate) functions: Vec<Function>,
    /// Rows that look a function up, and which.
    pub(crate) calls: Vec<(usize, usize)>,
    /// Cells that some chip has written.
    written: Vec<bool>,
    /// Counts rows only.
    dry: bool,
}

impl std::fmt::Debug for Sheet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sheet({} rows of {:?}, hidden)", self.rows, self.shape)
    }
}

impl Sheet {
    /// An empty sheet. A dry one counts rows and stores nothing.
    pub(crate) fn new(shape: CircuitShape, dry: bool) -> Self {
        Self {
            shape,
            rows: 0,
            advice: Vec::new(),
            fixed: Vec::new(),
            tags: Vec::new(),
            gates: vec![Vec::new(); Gate::ALL.len()],
            copies: Vec::new(),
            instance: Vec::new(),
            late: Vec::new(),
            functions: Vec::new(),
            calls: Vec::new(),
            written: Vec::new(),
            dry,
        }
    }

    /// The circuit's parameters.
    #[must_use]
    pub fn shape(&self) -> CircuitShape {
        self.shape
    }

    /// Rows in use.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn is_dry(&self) -> bool {
        self.dry
    }

    /// Adds an empty row.
    pub(crate) fn row(&mut self) -> usize {
        if !self.dry {
            self.advice.resize(self.advice.len() + self.shape.advice(), Fr::ZERO);
            self.written.resize(self.written.len() + self.shape.advice(), false);
            self.fixed.resize(self.fixed.len() + self.shape.fixed(), Fr::ZERO);
            self.tags.resize(self.tags.len() + self.shape.slots, 0);
        }
        self.rows += 1;
        self.rows - 1
    }

    pub(crate) fn write(&mut self, column: usize, row: usize, value: Fr) -> Cell {
        if !self.dry {
            let at = row * self.shape.advice() + column;
            self.advice[at] = value;
            self.written[at] = true;
        }
        Cell { column, row }
    }

    /// A cell that must equal `from`.
    pub(crate) fn copy(&mut self, from: Cell, column: usize, row: usize) -> Cell {
        let value = self.value(from);
        let to = self.write(column, row, value);
        self.equal(from, to);
        to
    }

    pub(crate) fn equal(&mut self, a: Cell, b: Cell) {
        if !self.dry {
            self.copies.push((a, b));
        }
    }

    pub(crate) fn value(&self, cell: Cell) -> Fr {
        if self.dry { Fr::ZERO } else { self.advice[cell.row * self.shape.advice() + cell.column] }
    }

    pub(crate) fn fix(&mut self, column: usize, row: usize, value: Fr) {
        if !self.dry {
            let at = row * self.shape.fixed() + column;
            self.fixed[at] = value;
        }
    }

    pub(crate) fn tag(&mut self, slot: usize, row: usize, tag: u8) {
        if !self.dry {
            let at = row * self.shape.slots + slot;
            self.tags[at] = tag;
        }
    }

    pub(crate) fn enable(&mut self, gate: Gate, row: usize) {
        if !self.dry {
            self.gates[gate as usize].push(row);
        }
    }

    pub(crate) fn bind_instance(&mut self, cell: Cell, row: usize) {
        if !self.dry {
            self.instance.push((cell, row));
        }
    }

    pub(crate) fn push_late(&mut self, row: usize, late: LateRow) {
        if !self.dry {
            self.late.push((row, late));
        }
    }

    /// The index of a function, which is added where it is new.
    pub(crate) fn function(&mut self, first: i64, values: &Arc<[i64]>) -> usize {
        let function = Function { first, values: Arc::clone(values) };
        let known = self.functions.iter().position(|f| *f == function);
        known.unwrap_or_else(|| {
            self.functions.push(function);
            self.functions.len() - 1
        })
    }

    pub(crate) fn call(&mut self, function: usize, row: usize) {
        if !self.dry {
            self.calls.push((row, function));
        }
    }

    /// Rows of the table of functions.
    pub(crate) fn function_rows(&self) -> usize {
        self.functions.iter().fold(1, |rows, f| rows + f.values.len())
    }

    /// Every first-phase advice cell that a chip has written: what a mutation test must change one by one.
    #[must_use]
    pub fn written_cells(&self) -> Vec<Cell> {
        let width = self.shape.advice();
        (0..self.written.len())
            .filter(|&i| self.written[i])
            .map(|i| Cell { column: i % width, row: i / width })
            .collect()
    }

    /// The value of a cell.
    #[must_use]
    pub fn cell_value(&self, cell: Cell) -> Fr {
        self.value(cell)
    }

    /// Overwrites one cell, constraints unchanged: a cheating prover's tool, for tests.
    pub fn overwrite(&mut self, cell: Cell, value: Fr) {
        let _ = self.write(cell.column, cell.row, value);
    }

    /// Whether every cell that is tied to an instance row holds that row's value.
    pub(crate) fn agrees_with(&self, instance: &[Fr]) -> bool {
        self.instance.iter().all(|(cell, row)| instance.get(*row) == Some(&self.value(*cell)))
    }

    /// Second-phase values `(row, h, d)` for the challenge `s`, in order.
    pub(crate) fn late_values(&self, s: Fr) -> Vec<(usize, Fr, Fr)> {
        let shape = self.shape;
        let advice = |column: usize, row: usize| self.advice[row * shape.advice() + column];
        let group_step = s.pow_vartime([shape.lane_group() as u64]);
        let pair_step = s.pow_vartime([shape.pairs() as u64]);
        let limb = Fr::from(1u64 << shape.limb_bits);
        let offset = if shape.lane_width == 0 { Fr::ZERO } else { Fr::from(1u64 << (shape.lane_width - 1)) };
        let mut h_of = std::collections::HashMap::new();
        let (mut h, mut d) = (Fr::ZERO, Fr::ZERO);
        let mut out = Vec::with_capacity(self.late.len());
        for &(row, late) in &self.late {
            let stepped = |step: Step, by: Fr| match step {
                Step::Reset => Fr::ZERO,
                Step::Hold => h,
                Step::Advance => h * by,
            };
            match late {
                LateRow::Zero => (h, d) = (Fr::ZERO, Fr::ZERO),
                LateRow::Lane { step, dot } => {
                    let limbs = shape.lane_limbs();
                    let sum = (0..shape.lane_group()).fold(Fr::ZERO, |sum, g| {
                        let value =
                            (0..limbs).rev().fold(Fr::ZERO, |v, i| v * limb + advice(g * limbs + i, row));
                        sum * s + value - offset
                    });
                    h = stepped(step, group_step) + sum;
                    if dot {
                        d += advice(shape.side(0), row) * h;
                    }
                }
                LateRow::Copied { step, .. } => {
                    let sum = (0..shape.pairs())
                        .fold(Fr::ZERO, |sum, i| sum * s + advice(i, row) - advice(shape.side(i), row));
                    h = stepped(step, pair_step) + sum;
                }
                LateRow::Dot { from } => {
                    h = h_of.get(&from).copied().unwrap_or(Fr::ZERO);
                    d += advice(shape.side(0), row) * h;
                }
            }
            h_of.insert(row, h);
            out.push((row, h, d));
        }
        out
    }
}
