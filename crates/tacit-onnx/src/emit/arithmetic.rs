//! Sums and products of values, and sums over axes with public factors.

use tacit_model::{NodeId, Op, Operand};

use super::{Accumulator, Emitter, Quantised, mapped, requantised};
use crate::error::OnnxError;
use crate::evaluate::combine;
use crate::graph::ValueId;
use crate::rounding::exp2;
use crate::tensor::{Tensor, max_abs};

/// Widest difference of scales that a sum bridges by a public coefficient.
const MAX_SUM_GAP: i32 = 20;

impl Emitter<'_> {
    pub(super) fn sum(
        &mut self,
        i: ValueId,
        a: ValueId,
        b: ValueId,
        subtract: bool,
    ) -> Result<Accumulator, OnnxError> {
        let (qa, qb) = (self.quantised(a)?, self.quantised(b)?);
        let exponent = common(qa.exponent, qb.exponent);
        let (qa, qb) = (self.at_most(qa, exponent), self.at_most(qb, exponent));
        let (ca, cb) = (exponent - qa.exponent, exponent - qb.exponent);
        let sign = if subtract { -1 } else { 1 };
        let terms = vec![(1i64 << ca, Operand::Value(qa.id)), (sign * (1i64 << cb), Operand::Value(qb.id))];
        let id = self.push(Op::Linear { terms, offset: 0 });
        let values = self.combined(i, &qa, &qb, |x, y| x * exp2(ca) + f64::from(sign as i32) * y * exp2(cb));
        Ok(Accumulator { id, exponent, values, rounded: None, grown: 1 + ca.max(cb), kind: "sum" })
    }

    pub(super) fn product(&mut self, i: ValueId, a: ValueId, b: ValueId) -> Result<Accumulator, OnnxError> {
        let (qa, qb) = (self.quantised(a)?, self.quantised(b)?);
        let id = self.push(Op::Mul { a: Operand::Value(qa.id), b: Operand::Value(qb.id) });
        let values = self.combined(i, &qa, &qb, |x, y| x * y);
        let grown = i32::from(self.widths.activation_bits) - 1;
        Ok(Accumulator {
            id,
            exponent: qa.exponent + qb.exponent,
            values,
            rounded: None,
            grown,
            kind: "product",
        })
    }

    /// A value at its own scale or, where that is finer than `exponent`, at `exponent`.
    pub(super) fn at_most(&mut self, mut q: Quantised, exponent: i32) -> Quantised {
        let top = self.top();
        let (lo, hi) = (-top - 1, top);
        while let Ok(shift @ 1..) = u8::try_from((q.exponent - exponent).min(60)) {
            let id = self.push(Op::Requant { x: q.id, shift, lo, hi });
            let values = requantised(&q.values, shift, lo, hi);
            q = Quantised { id, exponent: q.exponent - i32::from(shift), lo, hi, values };
        }
        q
    }

    pub(super) fn combined(
        &self,
        i: ValueId,
        a: &Quantised,
        b: &Quantised,
        f: impl Fn(f64, f64) -> f64 + Sync,
    ) -> super::Rows {
        let (plan, len) = (self.plan(i), self.graph.nodes[i].len());
        let rows: Vec<usize> = (0..a.values.len()).collect();
        let one = |r: &usize| combine(&plan, len, &[&a.values[*r], &b.values[*r]], &f);
        std::sync::Arc::new(rows.iter().map(one).collect())
    }

    /// The sum over the last axes times public factors, which become integers of about the activations' width.
    pub(super) fn total(
        &mut self,
        i: ValueId,
        x: ValueId,
        axes: usize,
        by: &Tensor,
    ) -> Result<Accumulator, OnnxError> {
        let (of, exponent, values) = match self.exact[x].take() {
            Some(product) => (product.id, product.exponent, product.values),
            None => {
                let x = self.quantised(x)?;
                (x.id, x.exponent, x.values)
            }
        };
        let len = self.graph.nodes[i].len();
        let id = self.push(Op::Sum { x: of, axes });
        let sums = mapped(&values, |x| x.chunks_exact(x.len() / len).map(|g| g.iter().sum()).collect());
        let (id, bits, factors) = self.factors(id, by);
        let plan = self.plan(i);
        let at = |j: usize| plan.indices(0).get(j).map_or(j, |&k| k as usize);
        let values = mapped(&sums, |sums| {
            sums.iter().enumerate().map(|(j, v)| v * factors[at(j).min(factors.len() - 1)]).collect()
        });
        Ok(Accumulator {
            id,
            exponent: exponent + bits,
            values,
            rounded: None,
            grown: bits.max(0),
            kind: "mean",
        })
    }

    /// Multiplies a value by the integers `by · 2^bits`; returns the result, `bits` and the integers.
    fn factors(&mut self, id: NodeId, by: &Tensor) -> (NodeId, i32, Vec<f64>) {
        let largest = max_abs(&by.data);
        let power = largest.log2();
        let equal = by.data.iter().all(|&v| v == largest);
        if equal && power.fract() == 0.0 {
            return (id, -(power as i32), vec![1.0; by.data.len()]);
        }
        let bits = i32::from(self.widths.activation_bits) - 2 - power.floor() as i32;
        let integers: Vec<i64> = by.data.iter().map(|v| (v * exp2(bits)).round() as i64).collect();
        let reals = integers.iter().map(|&v| v as f64).collect();
        let op = match equal {
            true => Op::Linear { terms: vec![(integers[0], Operand::Value(id))], offset: 0 },
            false => Op::Scale { x: id, by: integers, shape: by.shape.clone() },
        };
        (self.push(op), bits, reals)
    }
}

/// The scale at which values of two scales are added.
pub(super) fn common(a: i32, b: i32) -> i32 {
    a.max(b).min(a.min(b) + MAX_SUM_GAP)
}
