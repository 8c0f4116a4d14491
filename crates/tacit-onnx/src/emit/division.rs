//! Quotients and roots, exact but for their rounding: no tables, so no range that calibration has to see.

use tacit_model::{Op, Operand};

use super::{Accumulator, Emitter, Quantised, Rows, mapped, requantised};
use crate::error::OnnxError;
use crate::graph::ValueId;
use crate::rounding::fitting_exponent;

/// Twice a dividend, and a radicand, stay below this (the format allows 2^60).
const LIMIT: i128 = 1 << 58;

impl Emitter<'_> {
    /// `round(a · 2^shift / b) = floor((2^(shift+1) a + b) / 2b)`, with a shift that leaves the result its width.
    pub(super) fn quotient(&mut self, i: ValueId, a: ValueId, b: ValueId) -> Result<Accumulator, OnnxError> {
        let (seen_lo, seen_hi) = self.calibration.ranges[b];
        if seen_lo < 0.0 {
            return Err(self.fail(
                i,
                &format!(
                    "its divisor reaches from {seen_lo} to {seen_hi} on the calibration records; only divisors that are \
                     never below zero are supported"
                ),
            ));
        }
        let (a, b) = (self.quantised(a)?, self.quantised(b)?);
        let b = self.at_least(b, 1);
        let finer = self.exponent_of(i).unwrap_or(0) + b.exponent - a.exponent;
        let largest = i128::from(a.lo.unsigned_abs().max(a.hi.unsigned_abs()).max(1));
        let room = (0..58).rev().find(|&s| (largest << (s + 1)) + i128::from(b.hi) < LIMIT);
        let Some(room) = room else {
            return Err(self.fail(i, "its operands are too wide to be divided exactly"));
        };
        let shift = finer.clamp(0, room);
        let terms = vec![(2i64 << shift, Operand::Value(a.id)), (1, Operand::Value(b.id))];
        let dividend = self.push(Op::Linear { terms, offset: 0 });
        let divisor = self.push(Op::Linear { terms: vec![(2, Operand::Value(b.id))], offset: 0 });
        let id = self.push(Op::Quotient { a: dividend, b: divisor });
        let values = self.combined(i, &a, &b, |a, b| {
            let (a, b) = (a as i128, b as i128);
            ((a << (shift + 1)) + b).div_euclid(2 * b) as f64
        });
        let exponent = a.exponent - b.exponent + shift;
        Ok(Accumulator { id, exponent, values, rounded: None, grown: shift, kind: "quotient" })
    }

    /// `floor(sqrt(x · 2^shift))`, with a shift that leaves it all the bits there are, and its largest value; `x` below zero
    /// counts as zero.
    pub(super) fn root(&mut self, i: ValueId, x: ValueId) -> Result<(Accumulator, i64), OnnxError> {
        let x = self.quantised(x)?;
        let x = self.at_least(x, 0);
        let largest = i128::from(x.hi.max(1));
        // The result's exponent is half of the operand's.
        let even = |s: &i32| (x.exponent + s) % 2 == 0;
        let shift = (0..58).rev().filter(even).find(|&s| largest << s < LIMIT);
        let Some(shift) = shift else {
            return Err(self.fail(i, "its operand is too wide for a root"));
        };
        let scaled = self.push(Op::Linear { terms: vec![(1i64 << shift, Operand::Value(x.id))], offset: 0 });
        let id = self.push(Op::Root { x: scaled });
        let values: Rows =
            mapped(&x.values, |row| row.iter().map(|&v| ((v as i64) << shift).isqrt() as f64).collect());
        let exponent = (x.exponent + shift) / 2;
        let hi = (x.hi << shift).isqrt();
        Ok((Accumulator { id, exponent, values, rounded: None, grown: shift / 2, kind: "root" }, hi))
    }

    /// A value that is nowhere below `least`.
    fn at_least(&mut self, x: Quantised, least: i64) -> Quantised {
        if x.lo >= least {
            return x;
        }
        let hi = x.hi.max(least);
        let id = self.push(Op::Requant { x: x.id, shift: 0, lo: least, hi });
        let values = requantised(&x.values, 0, least, hi);
        Quantised { id, lo: least, hi, values, ..x }
    }

    /// The exponent at which node `i` fills the width that it is requantised to; `None` where only zeros were seen.
    fn exponent_of(&self, i: ValueId) -> Option<i32> {
        let (target, ..) = self.clamp_of(i);
        fitting_exponent(self.magnitude(i), self.top_of(target) as f64)
    }
}
