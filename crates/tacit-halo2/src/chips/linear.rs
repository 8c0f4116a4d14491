//! Linear combinations, range checks, packing, products.
//!
//! `Linear`, one row:
//!
//! | cell | constrained by |
//! | --- | --- |
//! | `a_i` (slots) | a copy, or its tag's range (lookup), or elsewhere |
//! | `acc` | `acc = α · acc[-1] + Σ_i f_i a_i + k`, with `α`, `f_i`, `k` fixed |
//!
//! `Multiply`, one row: `side_0 · side_1 = side_2`; the factors are copies.

use halo2_proofs::plonk::ConstraintSystem;
use halo2curves::bn256::Fr;
use halo2curves::ff::Field;

use super::{Columns, fr, low_bits, power_of_two};
use crate::sheet::{Cell, Gate, Ranged, Sheet};

pub(crate) fn configure(meta: &mut ConstraintSystem<Fr>, columns: &Columns) {
    let shape = columns.shape;
    meta.create_gate("linear", |cells| {
        let mut q = columns.query(cells);
        let on = q.gate(Gate::Linear);
        let carried = q.fixed(shape.carry()) * q.acc(-1);
        let sum = (0..shape.slots)
            .fold(carried + q.fixed(shape.constant()), |sum, i| sum + q.fixed(i) * q.advice(i, 0));
        vec![on * (sum - q.acc(0))]
    });
    meta.create_gate("multiply", |cells| {
        let mut q = columns.query(cells);
        vec![q.gate(Gate::Multiply) * (q.side(0) * q.side(1) - q.side(2))]
    });
}

/// Sets a row's linear gate from the slots already written; returns the accumulator's cell.
pub(crate) fn close_row(sheet: &mut Sheet, row: usize, coefficients: &[Fr], constant: Fr, carry: Fr) -> Cell {
    let shape = sheet.shape();
    if sheet.is_dry() {
        return Cell { column: shape.acc(), row };
    }
    let mut sum = constant;
    if carry != Fr::ZERO {
        sum += carry * sheet.value(Cell { column: shape.acc(), row: row - 1 });
    }
    for (i, c) in coefficients.iter().enumerate() {
        sheet.fix(i, row, *c);
        sum += c * sheet.value(Cell { column: i, row });
    }
    sheet.fix(shape.constant(), row, constant);
    sheet.fix(shape.carry(), row, carry);
    sheet.enable(Gate::Linear, row);
    sheet.write(shape.acc(), row, sum)
}

/// A cell fixed to `value`.
pub(crate) fn fixed_cell(sheet: &mut Sheet, value: Fr) -> Cell {
    let row = sheet.row();
    close_row(sheet, row, &[], value, Fr::ZERO)
}

/// Cells that no gate constrains: their meaning is given by copies elsewhere. Several to a row.
pub(crate) fn free_cells(sheet: &mut Sheet, values: &[Fr]) -> Vec<Cell> {
    let slots = sheet.shape().slots;
    let mut cells = Vec::with_capacity(values.len());
    for chunk in values.chunks(slots) {
        let row = sheet.row();
        for (i, v) in chunk.iter().enumerate() {
            cells.push(sheet.write(i, row, *v));
        }
    }
    cells
}

/// `Σ coefficient · cell + constant`, over as many rows as it takes.
pub(crate) fn combination(sheet: &mut Sheet, terms: &[(Fr, Cell)], constant: Fr) -> Cell {
    let slots = sheet.shape().slots;
    let Some((first, rest)) = terms.split_at_checked(slots.min(terms.len())).filter(|(f, _)| !f.is_empty())
    else {
        return fixed_cell(sheet, constant);
    };
    let mut last = copied_row(sheet, first, constant, Fr::ZERO);
    for chunk in rest.chunks(slots) {
        last = copied_row(sheet, chunk, Fr::ZERO, Fr::ONE);
    }
    last
}

fn copied_row(sheet: &mut Sheet, terms: &[(Fr, Cell)], constant: Fr, carry: Fr) -> Cell {
    let row = sheet.row();
    for (i, (_, cell)) in terms.iter().enumerate() {
        let _ = sheet.copy(*cell, i, row);
    }
    let coefficients: Vec<Fr> = terms.iter().map(|(c, _)| *c).collect();
    close_row(sheet, row, &coefficients, constant, carry)
}

/// Rows whose last accumulator is `constant + sign · u` with `u` shown to be in `[0, 2^bits)` limb by limb; `u` is the
/// witness. `bits = 0` gives the constant itself.
pub(crate) fn limbs(sheet: &mut Sheet, u: u128, bits: u32, sign: i64, constant: Fr) -> Cell {
    let shape = sheet.shape();
    let limb_bits = u32::from(shape.limb_bits);
    let mut left = bits;
    let mut shift = 0;
    let mut first = true;
    loop {
        let row = sheet.row();
        let mut coefficients = Vec::with_capacity(shape.slots);
        for slot in 0..shape.slots {
            let take = left.min(limb_bits);
            if take == 0 {
                break;
            }
            let limb = (u >> shift) & ((1 << take) - 1);
            let _ = sheet.write(slot, row, Fr::from(limb as u64));
            sheet.tag(slot, row, take as u8);
            coefficients.push(fr(sign) * power_of_two(shift));
            left -= take;
            shift += take;
        }
        let (constant, carry) = if first { (constant, Fr::ZERO) } else { (Fr::ZERO, Fr::ONE) };
        let acc = close_row(sheet, row, &coefficients, constant, carry);
        first = false;
        if left == 0 {
            return acc;
        }
    }
}

/// Rows that [`limbs`] takes.
pub(crate) fn limb_rows(sheet: &Sheet, bits: u32) -> usize {
    let per_row = sheet.shape().slots as u32 * u32::from(sheet.shape().limb_bits);
    bits.div_ceil(per_row).max(1) as usize
}

/// A new cell holding `value`, shown to be of signed `width`.
pub(crate) fn number(sheet: &mut Sheet, value: i64, width: u8) -> Ranged {
    let offset = 1i128 << (width - 1);
    let u = (i128::from(value) + offset) as u128;
    let cell = limbs(sheet, u, u32::from(width), 1, -power_of_two(u32::from(width) - 1));
    Ranged { cell, width }
}

/// Shows that `cell` lies in `[lo, hi]`: `cell = lo + u` and, unless the range is a power of two, `cell = hi - u'`,
/// with `u` and `u'` of the range's width.
pub(crate) fn range(sheet: &mut Sheet, cell: Cell, lo: i64, hi: i64) {
    let span = (i128::from(hi) - i128::from(lo)) as u128;
    let bits = 128 - span.leading_zeros();
    let value = sheet.value(cell);
    let from_below = limbs(sheet, low_bits(value - fr(lo)), bits, 1, fr(lo));
    sheet.equal(from_below, cell);
    if !(span + 1).is_power_of_two() {
        let from_above = limbs(sheet, low_bits(fr(hi) - value), bits, -1, fr(hi));
        sheet.equal(from_above, cell);
    }
}

/// The product of two cells.
pub(crate) fn product(sheet: &mut Sheet, a: Cell, b: Cell, value: Fr) -> Cell {
    let shape = sheet.shape();
    let row = sheet.row();
    let _ = sheet.copy(a, shape.side(0), row);
    let _ = sheet.copy(b, shape.side(1), row);
    sheet.enable(Gate::Multiply, row);
    sheet.write(shape.side(2), row, value)
}

/// Packs numbers of one width into field elements, offset-binary, as `tacit_digest::vector` has it.
#[derive(Debug)]
pub(crate) struct Packer {
    pub(crate) width: u8,
    per_element: usize,
    /// Numbers in the unfinished element.
    pub(crate) filled: usize,
    /// The unfinished element.
    pub(crate) partial: Option<Cell>,
    elements: Vec<Cell>,
}

impl Packer {
    pub(crate) fn new(width: u8) -> Self {
        let per_element = tacit_digest::per_element(width);
        Self { width, per_element, filled: 0, partial: None, elements: Vec::new() }
    }

    /// Numbers that still fit the unfinished element.
    pub(crate) fn room(&self) -> usize {
        self.per_element - self.filled
    }

    /// The coefficient of the next number.
    pub(crate) fn coefficient(&self, ahead: usize) -> Fr {
        power_of_two(u32::from(self.width) * (self.filled + ahead) as u32)
    }

    /// `count` more numbers went into the unfinished element, whose accumulator is now `acc`.
    pub(crate) fn advance(&mut self, count: usize, acc: Cell) {
        self.filled += count;
        if self.filled == self.per_element {
            self.elements.push(acc);
            self.partial = None;
            self.filled = 0;
        } else {
            self.partial = Some(acc);
        }
    }

    /// Packs range-checked cells.
    pub(crate) fn push(&mut self, sheet: &mut Sheet, numbers: &[Ranged]) {
        let slots = sheet.shape().slots;
        let offset = power_of_two(u32::from(self.width) - 1);
        let mut rest = numbers;
        while !rest.is_empty() {
            let row = sheet.row();
            let mut coefficients = Vec::with_capacity(slots);
            let mut carry = Fr::ZERO;
            match self.partial {
                Some(partial) if partial.row + 1 == row => carry = Fr::ONE,
                // An element begun elsewhere enters as a copy.
                Some(partial) => {
                    let _ = sheet.copy(partial, 0, row);
                    coefficients.push(Fr::ONE);
                }
                None => {}
            }
            let take = (slots - coefficients.len()).min(self.room()).min(rest.len());
            let mut constant = Fr::ZERO;
            for (i, number) in rest[..take].iter().enumerate() {
                debug_assert_eq!(number.width, self.width);
                let coefficient = self.coefficient(i);
                let _ = sheet.copy(number.cell, coefficients.len(), row);
                coefficients.push(coefficient);
                constant += coefficient * offset;
            }
            let acc = close_row(sheet, row, &coefficients, constant, carry);
            self.advance(take, acc);
            rest = &rest[take..];
        }
    }

    /// Every packed element.
    pub(crate) fn finish(mut self) -> Vec<Cell> {
        self.elements.extend(self.partial);
        self.elements
    }
}
