//! Functions of one number: a line and a hinge by public coefficients, the rest by a public table.
//!
//! Tables follow from the function, the scale of its operand and the widths; where the function keeps changing, from the
//! range seen in calibration as well. Equal functions get equal tables wherever their operands are fine enough, which
//! is the rule.

use tacit_model::{Op, Operand};

use super::arithmetic::common;
use super::{Accumulator, Emitter, Quantised, mapped, requantised};
use crate::error::OnnxError;
use crate::function::{Function, Parts, Rest};
use crate::graph::ValueId;
use crate::rounding::{exp2, fitting_exponent};
use crate::tensor::max_abs;

/// Bits of a table's domain where weights have 8 bits or fewer.
const TABLE_BITS: i32 = 12;
/// Bits of a table's domain where weights are wider, or where the function is steep.
const FINE_TABLE_BITS: i32 = 14;
/// Bits behind the point of coefficients that are no whole numbers.
const COEFFICIENT_BITS: i32 = 14;

/// The result of a function.
pub(super) enum Applied {
    /// As wide as activations are.
    Done(Quantised),
    /// Exact, to be requantised.
    Exact(Accumulator),
}

impl Emitter<'_> {
    pub(super) fn function(&mut self, i: ValueId, x: ValueId, f: Function) -> Result<Applied, OnnxError> {
        let parts = f.parts();
        let range = self.calibration.ranges[x];
        let x = self.quantised(x)?;
        let rest = match parts.rest {
            Rest::Zero => None,
            Rest::Within(lo, hi) => Some((lo, hi, self.table_bits())),
            Rest::Seen(lo, hi) => Some(self.seen(i, range, (lo, hi))?),
        };
        let table = match rest {
            Some((lo, hi, bits)) => Some(self.table(i, &x, f, &parts, (lo, hi), bits)?),
            None => None,
        };
        match table {
            Some(table) if parts.slope == 0.0 && parts.hinge == 0.0 => Ok(Applied::Done(table)),
            table => Ok(Applied::Exact(self.composed(&x, &parts, table))),
        }
    }

    fn table_bits(&self) -> i32 {
        if self.widths.weight_bits > 8 { FINE_TABLE_BITS } else { TABLE_BITS }
    }

    /// The domain of a function without asymptotes: the range seen in calibration and a quarter more at each end.
    fn seen(
        &self,
        i: ValueId,
        (lo, hi): (f64, f64),
        (least, most): (f64, f64),
    ) -> Result<(f64, f64, i32), OnnxError> {
        if lo < least || hi > most {
            return Err(self.fail(
                i,
                &format!(
                    "its operand reaches from {lo} to {hi} on the calibration records, where the function has no value"
                ),
            ));
        }
        let margin = ((hi - lo) / 4.0).max(hi.abs().max(lo.abs()) / 64.0).max(f64::MIN_POSITIVE);
        // An operand that is positive on every record keeps half of its distance from zero.
        let low = if least >= 0.0 { (lo - margin).max(lo / 2.0) } else { lo - margin };
        Ok((low, hi + margin, FINE_TABLE_BITS))
    }

    /// A table of the function's rest over `[lo, hi]`; beyond, the values at the ends.
    fn table(
        &mut self,
        i: ValueId,
        x: &Quantised,
        f: Function,
        parts: &Parts,
        (lo, hi): (f64, f64),
        bits: i32,
    ) -> Result<Quantised, OnnxError> {
        let entries = exp2(bits);
        // Powers of two between the ends use the whole domain.
        let exponent = ((entries / (hi - lo)).log2().floor() as i32).min(x.exponent);
        let shift = u8::try_from(x.exponent - exponent).ok().filter(|&s| s <= 60);
        let shift = shift.ok_or_else(|| self.fail(i, "its operand is too small for a table"))?;
        let unit = exp2(exponent);
        let first = (lo * unit).ceil() as i64;
        let last = (hi * unit).floor().min((first as f64) + entries - 1.0) as i64;
        let reals: Vec<f64> = (first..=last.max(first)).map(|q| parts.rest(f, q as f64 / unit)).collect();
        let top = self.top() as f64;
        let Some(result) = Some(max_abs(&reals)).filter(|m| m.is_finite()) else {
            return Err(self.fail(i, "it has no finite value on its whole domain; no table fits"));
        };
        let scale = fitting_exponent(result, top).unwrap_or(0);
        let values: Vec<i64> = reals.iter().map(|v| (v * exp2(scale)).round() as i64).collect();
        let last = first + values.len() as i64 - 1;
        let (least, most) =
            (values.iter().min().copied().unwrap_or(0), values.iter().max().copied().unwrap_or(0));
        let operand = self.push(Op::Requant { x: x.id, shift, lo: first, hi: last });
        let operands = requantised(&x.values, shift, first, last);
        let rows = mapped(&operands, |row| {
            row.iter().map(|&v| values[(v as i64 - first) as usize] as f64).collect()
        });
        let id = self.push(Op::Table { x: operand, first, values });
        Ok(Quantised { id, exponent: scale, lo: least, hi: most, values: rows })
    }

    /// Line, hinge and table together.
    fn composed(&mut self, x: &Quantised, parts: &Parts, table: Option<Quantised>) -> Accumulator {
        let whole = parts.slope.fract() == 0.0 && parts.hinge.fract() == 0.0;
        let bits = if whole { 0 } else { COEFFICIENT_BITS };
        let exponent = match &table {
            Some(table) => common(x.exponent + bits, table.exponent),
            None => x.exponent + bits,
        };
        let x = self.at_most(x.clone(), exponent - bits);
        let table = table.map(|table| self.at_most(table, exponent));
        let gap = exponent - x.exponent;
        let integer = |c: f64| (c * exp2(bits)).round() as i64 * (1i64 << (gap - bits));
        let (slope, hinge) = (integer(parts.slope), integer(parts.hinge));
        let mut terms = Vec::new();
        let mut rows = vec![(slope as f64, std::sync::Arc::clone(&x.values))];
        if slope != 0 {
            terms.push((slope, Operand::Value(x.id)));
        }
        if hinge != 0 {
            let hi = x.hi.max(0);
            let id = self.push(Op::Requant { x: x.id, shift: 0, lo: 0, hi });
            terms.push((hinge, Operand::Value(id)));
            rows.push((hinge as f64, requantised(&x.values, 0, 0, hi)));
        }
        if let Some(table) = table {
            let c = 1i64 << (exponent - table.exponent);
            terms.push((c, Operand::Value(table.id)));
            rows.push((c as f64, table.values));
        }
        if terms.is_empty() {
            terms.push((0, Operand::Value(x.id)));
        }
        let id = self.push(Op::Linear { terms, offset: 0 });
        let sum = |r: usize| -> Vec<f64> {
            (0..x.values[r].len()).map(|j| rows.iter().map(|(c, v)| c * v[r][j]).sum()).collect()
        };
        let values = std::sync::Arc::new((0..x.values.len()).map(sum).collect());
        Accumulator { id, exponent, values, rounded: None, grown: gap, kind: "function" }
    }
}
