//! Operators that move integers or pick the largest of them: exact, so nothing is requantised but to a common scale.

use std::sync::Arc;

use tacit_model::{Op, Operand};

use super::{Emitter, Quantised, mapped};
use crate::error::OnnxError;
use crate::evaluate::{concat, largest, moved};
use crate::graph::{FloatNode, FloatOp, ValueId};
use crate::movement::{Fill, Movement};

impl Emitter<'_> {
    pub(super) fn movement(&mut self, i: ValueId) -> Result<Quantised, OnnxError> {
        let graph = self.graph;
        let node: &FloatNode = &graph.nodes[i];
        let plan = self.plan(i);
        match &node.op {
            FloatOp::Reshape { x } => {
                let x = self.quantised(*x)?;
                let id = self.push(Op::Reshape { x: x.id, shape: node.shape.clone() });
                Ok(Quantised { id, ..x })
            }
            FloatOp::Transpose { x, perm } => {
                let x = self.quantised(*x)?;
                let id = self.push(Op::Transpose { x: x.id, perm: perm.clone() });
                let values = mapped(&x.values, |v| moved(v, plan.indices(0), 0.0));
                Ok(Quantised { id, values, ..x })
            }
            FloatOp::Move { x, movement: Movement::Pad { before, after, fill } } => {
                let x = self.quantised(*x)?;
                let (before, after) = (before.clone(), after.clone());
                Ok(self.pad(x, before, after, *fill, plan.indices(0)))
            }
            FloatOp::Move { x, movement } => {
                let x = self.quantised(*x)?;
                let (of, shape) = (x.id, node.shape.clone());
                let id = self.push(match movement {
                    Movement::Slice { starts, steps } => {
                        Op::Slice { x: of, starts: starts.clone(), shape, steps: steps.clone() }
                    }
                    Movement::Windows(window) => Op::Windows { x: of, window: window.clone() },
                    _ => Op::Broadcast { x: of, shape },
                });
                let values = mapped(&x.values, |v| moved(v, plan.indices(0), 0.0));
                Ok(Quantised { id, values, ..x })
            }
            FloatOp::Concat { parts, axis } => {
                let parts: Result<Vec<Quantised>, OnnxError> =
                    parts.iter().map(|&x| self.quantised(x)).collect();
                Ok(self.side_by_side(parts?, *axis, &node.shape))
            }
            FloatOp::Largest { x, axes } => {
                let x = self.quantised(*x)?;
                let id = self.push(Op::Max { x: x.id, axes: *axes });
                let values = mapped(&x.values, |v| largest(v, node.len()));
                Ok(Quantised { id, values, ..x })
            }
            _ => Err(self.fail(i, "it moves nothing")),
        }
    }

    /// Pads with zeros, or with the lowest possible integer: there the value is shifted to begin at zero and back.
    fn pad(
        &mut self,
        x: Quantised,
        before: Vec<usize>,
        after: Vec<usize>,
        fill: Fill,
        indices: &[u32],
    ) -> Quantised {
        // Where nothing is below zero, zeros are low enough already.
        let low = if fill == Fill::Lowest { x.lo.min(0) } else { 0 };
        let mut id = x.id;
        if low != 0 {
            id = self.push(Op::Linear { terms: vec![(1, Operand::Value(id))], offset: -low });
        }
        id = self.push(Op::Pad { x: id, before, after });
        if low != 0 {
            id = self.push(Op::Linear { terms: vec![(1, Operand::Value(id))], offset: low });
        }
        let values = mapped(&x.values, |v| moved(v, indices, low as f64));
        Quantised { id, exponent: x.exponent, lo: x.lo.min(0), hi: x.hi.max(low), values }
    }

    /// A value at `exponent`, rounded where its own is finer.
    fn at(&mut self, q: Quantised, exponent: i32) -> Quantised {
        let Ok(gap @ 1..) = u32::try_from(exponent - q.exponent) else { return self.at_most(q, exponent) };
        let by = 1i64 << gap;
        let id = self.push(Op::Linear { terms: vec![(by, Operand::Value(q.id))], offset: 0 });
        let values = mapped(&q.values, |row| row.iter().map(|v| v * by as f64).collect());
        Quantised { id, exponent, lo: q.lo * by, hi: q.hi * by, values }
    }

    /// Parts at one scale: the coarsest of theirs, each taken as fine as its own bounds leave room for.
    fn side_by_side(&mut self, parts: Vec<Quantised>, axis: usize, shape: &[usize]) -> Quantised {
        let top = self.top();
        let finest = |q: &Quantised| {
            let largest = q.lo.unsigned_abs().max(q.hi.unsigned_abs()).max(1);
            q.exponent + (top as u64 / largest).checked_ilog2().unwrap_or(0) as i32
        };
        let wanted = parts.iter().map(|q| q.exponent).max().unwrap_or(0);
        let exponent = parts.iter().map(finest).min().unwrap_or(0).min(wanted);
        let parts: Vec<Quantised> = parts.into_iter().map(|q| self.at(q, exponent)).collect();
        let id = self.push(Op::Concat { parts: parts.iter().map(|q| q.id).collect(), axis });
        let row = |r: usize| {
            let rows: Vec<&[f64]> = parts.iter().map(|q| q.values[r].as_slice()).collect();
            concat(&rows, shape, axis)
        };
        let records = parts.first().map_or(0, |q| q.values.len());
        Quantised {
            id,
            exponent,
            lo: parts.iter().map(|q| q.lo).min().unwrap_or(0),
            hi: parts.iter().map(|q| q.hi).max().unwrap_or(0),
            values: Arc::new((0..records).map(row).collect()),
        }
    }
}
