//! Sums, means and maxima over axes.

use super::{Importer, Value};
use crate::error::OnnxError;
use crate::function::Function;
use crate::graph::{FloatOp, ValueId};
use crate::proto::NodeView;
use crate::tensor::Tensor;

impl<'a> Importer<'a> {
    pub(super) fn reduce(&mut self, op: &str, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let x = self.real(view, 0)?;
        // An attribute up to operator set 12 (17 for some), an input since.
        let axes = match view.ints("axes") {
            Some(axes) => Some(axes.to_vec()),
            None => match self.optional_constant(view, 1)? {
                Some(c) => Some(c.integers().ok_or_else(|| view.fail("`axes` holds a fraction"))?),
                None => None,
            },
        };
        let axes = match axes.filter(|a| !a.is_empty()) {
            Some(axes) => axes,
            None if view.int("noop_with_empty_axes", 0) != 0 => return self.operand(view, 0),
            None if self.input.batched => {
                return Err(view.fail("it works over all axes, the sample axis among them; name the others"));
            }
            None => (0..self.full_rank(x) as i64).collect(),
        };
        let mut reduced = Vec::with_capacity(axes.len());
        for axis in axes {
            reduced.push(self.sample_axis(view, axis, self.full_rank(x))?);
        }
        reduced.sort_unstable();
        reduced.dedup();
        let keep = view.int("keepdims", 1) != 0;
        self.reduced(view, x, &reduced, op, keep)
    }

    pub(super) fn global_pool(&mut self, view: &NodeView<'a>, max: bool) -> Result<Value, OnnxError> {
        let x = self.real(view, 0)?;
        let rank = self.shape(x).len();
        if rank < 2 || !self.input.batched {
            return Err(view.fail("its operand has no axes of samples, channels and positions"));
        }
        let axes: Vec<usize> = (1..rank).collect();
        self.reduced(view, x, &axes, if max { "ReduceMax" } else { "ReduceMean" }, true)
    }

    /// `x` reduced over `axes`, in order.
    pub(super) fn reduced(
        &mut self,
        view: &NodeView<'a>,
        x: ValueId,
        axes: &[usize],
        op: &str,
        keep: bool,
    ) -> Result<Value, OnnxError> {
        let from = self.shape(x).to_vec();
        let kept: Vec<usize> = (0..from.len()).filter(|a| !axes.contains(a)).collect();
        // The axes to reduce come last.
        let perm = [&kept[..], axes].concat();
        let moved = perm.iter().map(|&p| from[p]).collect();
        let x = match perm.iter().copied().eq(0..perm.len()) {
            true => x,
            false => self.add(view, FloatOp::Transpose { x, perm }, moved)?,
        };
        let elements = self.shape(x).to_vec();
        let x = match op {
            "ReduceL1" => self.add(view, FloatOp::Function { x, f: Function::Abs }, elements)?,
            "ReduceL2" | "ReduceSumSquare" => self.add(view, FloatOp::Product { a: x, b: x }, elements)?,
            _ => x,
        };
        let count: usize = axes.iter().map(|&a| from[a]).product();
        let shape: Vec<usize> = kept.iter().map(|&a| from[a]).collect();
        let by = if op == "ReduceMean" { 1.0 / count as f64 } else { 1.0 };
        let axes_len = axes.len();
        let result = match op {
            "ReduceMax" => FloatOp::Largest { x, axes: axes_len },
            _ => FloatOp::Total { x, axes: axes_len, by: Tensor::scalar(by) },
        };
        let mut id = self.add(view, result, shape.clone())?;
        if op == "ReduceL2" {
            id = self.add(view, FloatOp::Function { x: id, f: Function::Sqrt }, shape)?;
        }
        if !keep {
            return Ok(Value::Computed { id, integer: false });
        }
        let shape = (0..from.len()).map(|a| if axes.contains(&a) { 1 } else { from[a] }).collect();
        self.push(view, FloatOp::Reshape { x: id }, shape)
    }
}
