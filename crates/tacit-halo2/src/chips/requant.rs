//! Rounding, saturation, clipping.
//!
//! `Requant` stands on the middle of three linear rows (see [`super::linear`]):
//!
//! | row | `acc` |
//! | --- | --- |
//! | -1 | `R = r - half`, with `0 <= r < 2^shift` |
//! | 0 | `V = lo + l`, with `0 <= l < 2^b` |
//! | +1 | `E = 1 + e`, with `0 <= e < 2^E` |
//!
//! | cell of row 0 | constrained by |
//! | --- | --- |
//! | `side_0` = x | a copy, or made here and checked as a contraction's result; `x = R + c_1 V + c_2 (g - n) E` |
//! | `side_1` = g | boolean; 1 iff above the range |
//! | `side_2` = n | boolean, `g n = 0`; 1 iff below the range |
//! | `side_3` = y | `y = (1 - g - n) V + g top + n lo` |
//!
//! with `c_1 = 2^shift`, `c_2 = 2^(shift+b)`, `top = lo + 2^b - 1`, `half = 2^(shift-1)` (0 for `shift = 0`). So
//! `x + half = r + 2^shift (V + 2^b (g - n) E)` over the integers, since every magnitude is far below the field: `r` is the
//! remainder, and the rest is the rounded value, which lies in `[lo, top]` iff `g = n = 0`, above iff `g`, below iff `n`.
//! The three cases are disjoint, so `y` is unique.
//!
//! `Clip`, one row after a linear row with `acc = u`, `0 <= u < 2^b`: `y = min(x, hi)`:
//!
//! | cell | constrained by |
//! | --- | --- |
//! | `side_0` = x | copy |
//! | `side_1` = g | boolean; `u = g (x - hi - 1) + (1 - g)(hi - x)`, so `g = 1` iff `x > hi` |
//! | `side_2` = y | `y = x + g (hi - x)` |

use halo2_proofs::plonk::ConstraintSystem;
use halo2curves::bn256::Fr;
use halo2curves::ff::Field;

use super::{Columns, constant, fr, linear, low_bits, power_of_two};
use crate::sheet::{Cell, Gate, Sheet};

pub(crate) fn configure(meta: &mut ConstraintSystem<Fr>, columns: &Columns) {
    let shape = columns.shape;
    meta.create_gate("requant", |cells| {
        let mut q = columns.query(cells);
        let on = q.gate(Gate::Requant);
        let (r, v, e) = (q.acc(-1), q.acc(0), q.acc(1));
        let (x, g, n, y) = (q.side(0), q.side(1), q.side(2), q.side(3));
        let (c1, c2, top) = (q.parameter(0), q.parameter(1), q.parameter(2));
        let lo = q.fixed(shape.constant());
        let one = constant(Fr::ONE);
        vec![
            on.clone() * (g.clone() * (one.clone() - g.clone())),
            on.clone() * (n.clone() * (one.clone() - n.clone())),
            on.clone() * (g.clone() * n.clone()),
            on.clone() * (r + c1 * v.clone() + c2 * (g.clone() - n.clone()) * e - x),
            on * (v.clone() + g * (top - v.clone()) + n * (lo - v) - y),
        ]
    });
    meta.create_gate("clip", |cells| {
        let mut q = columns.query(cells);
        let on = q.gate(Gate::Clip);
        let u = q.acc(-1);
        let (x, g, y) = (q.side(0), q.side(1), q.side(2));
        let hi = q.parameter(2);
        let one = constant(Fr::ONE);
        let room = hi - x.clone();
        vec![
            on.clone() * (g.clone() * (one.clone() - g.clone())),
            on.clone() * (room.clone() - g.clone() * (room.clone() + room.clone() + one) - u),
            on * (x + g * room - y),
        ]
    });
}

/// What a `Requant` relation needs, from public facts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Requant {
    pub(crate) shift: u8,
    pub(crate) lo: i64,
    pub(crate) hi: i64,
    /// Worst-case bounds of the operand.
    pub(crate) bounds: (i64, i64),
}

impl Requant {
    /// Bits of the in-range value, `b`.
    fn value_bits(&self) -> u32 {
        64 - ((self.hi as i128 - self.lo as i128) as u64).leading_zeros()
    }

    fn top(&self) -> i64 {
        // `b <= 61`: lowering keeps `lo` and `hi` below 2^60.
        self.lo + (1i64 << self.value_bits()) - 1
    }

    /// Bits of the overshoot: enough for every operand within its bounds.
    fn overshoot_bits(&self) -> u32 {
        let rounded = |x: i64| i128::from(tacit_model::round_half_up_shift(x, self.shift));
        let above = rounded(self.bounds.1) - i128::from(self.top());
        let below = i128::from(self.lo) - rounded(self.bounds.0);
        let reach = above.max(below).max(0) as u128;
        // The overshoot is 2^b E plus a value of b bits; E - 1 = e must hold reach >> b.
        128 - (reach >> self.value_bits()).leading_zeros()
    }

    /// Whether the three rows hold their limbs.
    pub(crate) fn fits(&self, sheet: &Sheet) -> bool {
        linear::limb_rows(sheet, self.value_bits()) == 1
            && linear::limb_rows(sheet, self.overshoot_bits()) == 1
    }

    /// Writes one element: `x` is an existing cell to copy or a value for a new one; `y` is the witness.
    /// Returns the cells of `x` and `y`.
    pub(crate) fn assign(&self, sheet: &mut Sheet, x: Operand, y: Fr) -> (Cell, Cell) {
        let shape = sheet.shape();
        let (shift, b) = (u32::from(self.shift), self.value_bits());
        let half = if shift == 0 { Fr::ZERO } else { power_of_two(shift - 1) };
        let top = self.top();

        // The witness, from the operand's value alone.
        let value = match x {
            Operand::Cell(cell) => sheet.value(cell),
            Operand::New(value) => value,
        };
        // Offset by a multiple of 2^(shift + b) so that the arithmetic is on non-negative integers.
        let base = 1u128 << 126;
        let lifted = low_bits(value + half - power_of_two(shift) * fr(self.lo) + fr_u128(base));
        let r = lifted & ((1 << shift) - 1);
        let l = (lifted >> shift) & ((1 << b) - 1);
        let high = (lifted >> (shift + b)) as i128 - (base >> (shift + b)) as i128;
        let (g, n) = (high > 0, high < 0);
        let e = if g || n { high.unsigned_abs() - 1 } else { 0 };

        let _ = linear::limbs(sheet, r, shift, 1, -half);
        let _ = linear::limbs(sheet, l, b, 1, fr(self.lo));
        let row = sheet.rows() - 1;
        let _ = linear::limbs(sheet, e, self.overshoot_bits(), 1, Fr::ONE);
        sheet.enable(Gate::Requant, row);
        for (i, p) in [power_of_two(shift), power_of_two(shift + b), fr(top)].into_iter().enumerate() {
            sheet.fix(shape.parameter(i), row, p);
        }
        let x = match x {
            Operand::Cell(cell) => sheet.copy(cell, shape.side(0), row),
            Operand::New(value) => sheet.write(shape.side(0), row, value),
        };
        let _ = sheet.write(shape.side(1), row, Fr::from(u64::from(g)));
        let _ = sheet.write(shape.side(2), row, Fr::from(u64::from(n)));
        if top == self.hi {
            return (x, sheet.write(shape.side(3), row, y));
        }
        let clamped = if g {
            fr(top)
        } else if n {
            fr(self.lo)
        } else {
            fr(self.lo) + Fr::from(l as u64)
        };
        let wide = sheet.write(shape.side(3), row, clamped);
        (x, self.clip(sheet, wide, y))
    }

    /// `min(x, hi)` for a cell in `[lo, top]`.
    fn clip(&self, sheet: &mut Sheet, x: Cell, y: Fr) -> Cell {
        let shape = sheet.shape();
        let room = fr(self.hi) - sheet.value(x);
        let bits = self.value_bits();
        // Exactly one of `hi - x` and `x - hi - 1` is a small non-negative integer.
        let above = low_bits(room) >= 1 << bits || room != fr_u128(low_bits(room));
        let u = if above { low_bits(-room - Fr::ONE) } else { low_bits(room) };
        let _ = linear::limbs(sheet, u, bits, 1, Fr::ZERO);
        let row = sheet.row();
        sheet.enable(Gate::Clip, row);
        sheet.fix(shape.parameter(2), row, fr(self.hi));
        let _ = sheet.copy(x, shape.side(0), row);
        let _ = sheet.write(shape.side(1), row, Fr::from(u64::from(above)));
        sheet.write(shape.side(2), row, y)
    }
}

/// The operand of one element.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Operand {
    Cell(Cell),
    New(Fr),
}

fn fr_u128(value: u128) -> Fr {
    Fr::from_raw([value as u64, (value >> 64) as u64, 0, 0])
}
