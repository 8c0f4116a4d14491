//! Maxima and their selectors, from linear rows, products and range checks: no gate of their own.
//!
//! `y = max x_j`:
//!
//! | cell | constrained by |
//! | --- | --- |
//! | `c_j` | limbs: `0 <= c_j < 2^b` |
//! | `y` | `y = x_j + c_j` for every `j`, so `y` is at least every `x_j` … |
//! | `c_0 c_1 …` | zero, so `y` is one of them |
//!
//! `s` = selector of the maximum, the lowest index at a tie:
//!
//! | cell | constrained by |
//! | --- | --- |
//! | `s_j` | lookup of one bit |
//! | `p_j` | `p_j = p_(j-1) + s_j`; the last one is 1, so exactly one bit is set, at `k`, and `p_j = [j >= k]` |
//! | `m` | `m = Σ s_j x_j = x_k` |
//! | `d_j` | `d_j = m - x_j - 1 + p_j`, and limbs: `0 <= d_j < 2^b`. So `x_k > x_j` before `k`, `x_k >= x_j` behind it |
//!
//! Both hold over the integers: operands and what is range-checked are far below the field. `b` bits hold the largest
//! difference of two operands within their bounds.

use halo2curves::bn256::Fr;
use halo2curves::ff::Field;

use super::{linear, low_bits};
use crate::sheet::{Cell, Sheet};

/// The largest of `x`, whose value is `y`; `zero` is a cell fixed to zero.
pub(crate) fn max(sheet: &mut Sheet, zero: Cell, x: &[Cell], bits: u32, y: Fr) -> Option<Cell> {
    if let [only] = x {
        return Some(*only);
    }
    let (mut result, mut product): (Option<Cell>, Option<Cell>) = (None, None);
    for &x in x {
        let difference = linear::limbs(sheet, low_bits(y - sheet.value(x)), bits, 1, Fr::ZERO);
        let sum = linear::combination(sheet, &[(Fr::ONE, x), (Fr::ONE, difference)], Fr::ZERO);
        match result {
            Some(result) => sheet.equal(sum, result),
            None => result = Some(sum),
        }
        product = Some(match product {
            Some(p) => {
                let value = sheet.value(p) * sheet.value(difference);
                linear::product(sheet, p, difference, value)
            }
            None => difference,
        });
    }
    sheet.equal(product?, zero);
    result
}

/// The selector of the largest of `x`, whose values are `selected`; `one` is a cell fixed to one.
pub(crate) fn arg_max(sheet: &mut Sheet, one: Cell, x: &[Cell], bits: u32, selected: &[Fr]) -> Vec<Cell> {
    let (mut chosen, mut upto) = (Vec::with_capacity(x.len()), Vec::with_capacity(x.len()));
    for (j, bit) in selected.iter().enumerate() {
        let row = sheet.row();
        chosen.push(sheet.write(0, row, *bit));
        sheet.tag(0, row, 1);
        let carry = if j == 0 { Fr::ZERO } else { Fr::ONE };
        upto.push(linear::close_row(sheet, row, &[Fr::ONE], Fr::ZERO, carry));
    }
    if let Some(all) = upto.last() {
        sheet.equal(*all, one);
    }
    let products: Vec<(Fr, Cell)> = chosen
        .iter()
        .zip(x)
        .map(|(&s, &x)| {
            let value = sheet.value(s) * sheet.value(x);
            (Fr::ONE, linear::product(sheet, s, x, value))
        })
        .collect();
    let largest = linear::combination(sheet, &products, Fr::ZERO);
    for (&x, &upto) in x.iter().zip(&upto) {
        let terms = [(Fr::ONE, largest), (-Fr::ONE, x), (Fr::ONE, upto)];
        let above = linear::combination(sheet, &terms, -Fr::ONE);
        let limbs = linear::limbs(sheet, low_bits(sheet.value(above)), bits, 1, Fr::ZERO);
        sheet.equal(limbs, above);
    }
    chosen
}
