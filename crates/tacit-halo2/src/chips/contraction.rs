//! Matrix products by a random combination of their columns (Freivalds 1977; Schwartz–Zippel at one point `s`).
//!
//! For `y[m,n] = bias[m,n] + Σ_k a[m,k] c[k,n]` and a challenge `s` drawn after all of them are committed, let
//! `c_k = Σ_n s^(N-1-n) c[k,n]`. The rows below show `Σ_k a[m,k] c_k = Σ_n s^(N-1-n) (y[m,n] - bias[m,n])` for every `m`: a
//! polynomial identity of degree below `N` in `s`, false with probability at most `N / |F|` when any `y[m,n]` is wrong.
//!
//! Second-phase columns: `h`, a Horner evaluation, and `d`, a dot product.
//!
//! | gate | constrains |
//! | --- | --- |
//! | `Lane` | `h = h[-1] (p_0 + p_1 s^G) + Σ_g (w_g - 2^(w-1)) s^(G-1-g)` over the row's weights, offset-binary in the slots; `d = d[-1] + p_2 · side_0 · h` |
//! | `Copied` | `h = h[-1] (p_0 + p_1 s^T) + Σ_i (a_i - side_i) s^(T-1-i)`, all copies; `d = d[-1]`; `p_2 (h - d) = 0` |
//! | `Dot` | `d = d[-1] + side_0 · h`, `h` a copy of the row where it was computed |
//! | `Zero` | `d = 0` |
//!
//! `p_0`, `p_1` fixed in {(0,0), (1,0), (0,1)}: start anew, hold, advance. In the lane, the same slots are range-checked by
//! their tags and packed by the linear gate; a slot without weight is fixed by its tag to the encoding of zero.

use halo2_proofs::plonk::{ConstraintSystem, Expression};
use halo2curves::bn256::Fr;
use halo2curves::ff::Field;

use super::linear::{Packer, close_row};
use super::{Columns, constant, power_of_two};
use crate::sheet::{Cell, Gate, LateRow, Sheet, Step};

pub(crate) fn configure(meta: &mut ConstraintSystem<Fr>, columns: &Columns) {
    let shape = columns.shape;
    let power = |s: &Expression<Fr>, n: usize| (0..n).fold(constant(Fr::ONE), |p, _| p * s.clone());
    if shape.lane_width != 0 {
        meta.create_gate("lane", |cells| {
            let mut q = columns.query(cells);
            let on = q.gate(Gate::Lane);
            let s = q.challenge();
            let offset = constant(power_of_two(u32::from(shape.lane_width) - 1));
            let (limbs, group) = (shape.lane_limbs(), shape.lane_group());
            let sum = (0..group).fold(constant(Fr::ZERO), |sum, g| {
                let weight = (0..limbs).fold(constant(Fr::ZERO), |w, i| {
                    w + q.advice(g * limbs + i, 0) * power_of_two(u32::from(shape.limb_bits) * i as u32)
                });
                sum * s.clone() + weight - offset.clone()
            });
            let stepped = q.h(-1) * (q.parameter(0) + q.parameter(1) * power(&s, group));
            let dot = q.parameter(2) * q.side(0) * q.h(0);
            vec![on.clone() * (stepped + sum - q.h(0)), on * (q.d(-1) + dot - q.d(0))]
        });
    }
    meta.create_gate("copied", |cells| {
        let mut q = columns.query(cells);
        let on = q.gate(Gate::Copied);
        let s = q.challenge();
        let sum = (0..shape.pairs())
            .fold(constant(Fr::ZERO), |sum, i| sum * s.clone() + q.advice(i, 0) - q.side(i));
        let stepped = q.h(-1) * (q.parameter(0) + q.parameter(1) * power(&s, shape.pairs()));
        let (h, d) = (q.h(0), q.d(0));
        vec![
            on.clone() * (stepped + sum - h.clone()),
            on.clone() * (q.d(-1) - d.clone()),
            on * q.parameter(2) * (h - d),
        ]
    });
    if shape.reuses_matrices {
        meta.create_gate("dot", |cells| {
            let mut q = columns.query(cells);
            let on = q.gate(Gate::Dot);
            vec![on * (q.d(-1) + q.side(0) * q.h(0) - q.d(0))]
        });
    }
    meta.create_gate("zero", |cells| {
        let mut q = columns.query(cells);
        let on = q.gate(Gate::Zero);
        vec![on * q.d(0)]
    });
}

fn set_step(sheet: &mut Sheet, row: usize, step: Step) {
    let shape = sheet.shape();
    let (hold, advance) = match step {
        Step::Reset => (Fr::ZERO, Fr::ZERO),
        Step::Hold => (Fr::ONE, Fr::ZERO),
        Step::Advance => (Fr::ZERO, Fr::ONE),
    };
    sheet.fix(shape.parameter(0), row, hold);
    sheet.fix(shape.parameter(1), row, advance);
}

/// Begins a dot product. Where a packed element was left unfinished elsewhere, the row also brings it here.
pub(crate) fn begin(sheet: &mut Sheet, packer: Option<&mut Packer>) {
    let row = sheet.row();
    sheet.enable(Gate::Zero, row);
    sheet.push_late(row, LateRow::Zero);
    if let Some(packer) = packer
        && let Some(partial) = packer.partial
    {
        let _ = sheet.copy(partial, 0, row);
        packer.partial = Some(close_row(sheet, row, &[Fr::ONE], Fr::ZERO, Fr::ZERO));
    }
}

/// One row `c[k, ..]` of a weight matrix in the lane: range-checked, packed, evaluated at `s`, and multiplied by `a`.
/// Follows [`begin`] or another call for the same matrix. Returns the row that holds `c_k`.
pub(crate) fn lane_row(sheet: &mut Sheet, packer: &mut Packer, weights: &[i64], a: Cell) -> usize {
    let shape = sheet.shape();
    let (limbs, group) = (shape.lane_limbs(), shape.lane_group());
    let limb_bits = u32::from(shape.limb_bits);
    let top_bits = u32::from(shape.lane_width) - limb_bits * (limbs as u32 - 1);
    let offset = 1i64 << (shape.lane_width - 1);
    // Weights stand at the end of whole groups, so that every group advances by the same power.
    let pad = weights.len().next_multiple_of(group) - weights.len();
    let mut at = 0;
    let mut last = 0;
    while at < weights.len() {
        let slot = (at + pad) % group;
        let take = (group - slot).min(packer.room()).min(weights.len() - at);
        let row = sheet.row();
        let mut coefficients = vec![Fr::ZERO; shape.slots];
        for g in 0..group {
            let weight = g.checked_sub(slot).filter(|&i| i < take).map(|i| (i, weights[at + i]));
            let u = (weight.map_or(0, |(_, w)| w) + offset) as u64;
            for i in 0..limbs {
                let column = g * limbs + i;
                let top = i + 1 == limbs;
                let bits = if top { top_bits } else { limb_bits };
                let limb = (u >> (limb_bits * i as u32)) & ((1 << bits) - 1);
                let _ = sheet.write(column, row, Fr::from(limb));
                let tag = match (weight, top) {
                    (Some(_), _) => bits as u8,
                    (None, true) => shape.neutral_tag(),
                    (None, false) => shape.zero_tag(),
                };
                sheet.tag(column, row, tag);
                if let Some((ahead, _)) = weight {
                    coefficients[column] = packer.coefficient(ahead) * power_of_two(limb_bits * i as u32);
                }
            }
        }
        let carry = if packer.filled > 0 { Fr::ONE } else { Fr::ZERO };
        let acc = close_row(sheet, row, &coefficients, Fr::ZERO, carry);
        packer.advance(take, acc);
        let step = match (at, slot) {
            (0, _) => Step::Reset,
            (_, 0) => Step::Advance,
            _ => Step::Hold,
        };
        at += take;
        let dot = at == weights.len();
        set_step(sheet, row, step);
        sheet.enable(Gate::Lane, row);
        if dot {
            let _ = sheet.copy(a, shape.side(0), row);
            sheet.fix(shape.parameter(2), row, Fr::ONE);
        }
        sheet.push_late(row, LateRow::Lane { step, dot });
        last = row;
    }
    last
}

/// Evaluates `Σ_n s^(N-1-n) (x[n] - minus[n])` over cells. With `equal`, demands that it equals the dot product so far.
/// Where `x` holds values instead of cells, new cells are made. Returns the last row and the cells of `x`.
pub(crate) fn copied(sheet: &mut Sheet, x: &[Element], minus: &[Cell], equal: bool) -> (usize, Vec<Cell>) {
    let shape = sheet.shape();
    let pairs = shape.pairs();
    let pad = x.len().next_multiple_of(pairs) - x.len();
    let mut cells = Vec::with_capacity(x.len());
    let mut last = 0;
    for group in 0..(x.len() + pad) / pairs {
        let row = sheet.row();
        for i in 0..pairs {
            match (group * pairs + i).checked_sub(pad) {
                None => {
                    // A pair that contributes nothing: both cells are equal.
                    let a = sheet.write(i, row, Fr::ZERO);
                    let b = sheet.write(shape.side(i), row, Fr::ZERO);
                    sheet.equal(a, b);
                }
                Some(n) => {
                    cells.push(match x[n] {
                        Element::Cell(cell) => {
                            let _ = sheet.copy(cell, i, row);
                            cell
                        }
                        Element::New(value) => sheet.write(i, row, value),
                    });
                    let _ = sheet.copy(minus[n], shape.side(i), row);
                }
            }
        }
        let step = if group == 0 { Step::Reset } else { Step::Advance };
        let equal = equal && (group + 1) * pairs == x.len() + pad;
        set_step(sheet, row, step);
        sheet.fix(shape.parameter(2), row, if equal { Fr::ONE } else { Fr::ZERO });
        sheet.enable(Gate::Copied, row);
        sheet.push_late(row, LateRow::Copied { step, equal });
        last = row;
    }
    (last, cells)
}

/// Adds `a · c_k` to the dot product, with `c_k` computed on row `from`.
pub(crate) fn dot(sheet: &mut Sheet, a: Cell, from: usize) {
    let shape = sheet.shape();
    let row = sheet.row();
    let _ = sheet.copy(a, shape.side(0), row);
    sheet.enable(Gate::Dot, row);
    sheet.push_late(row, LateRow::Dot { from });
}

/// An element of a result: an existing cell, or the value of a new one.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Element {
    Cell(Cell),
    New(Fr),
}
