//! Values brought to mean 0 and variance 1.

use super::{Importer, Value};
use crate::error::OnnxError;
use crate::function::Function;
use crate::graph::{FloatOp, ValueId};
use crate::proto::NodeView;
use crate::tensor::Tensor;

impl<'a> Importer<'a> {
    pub(super) fn layer_normalisation(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let x = self.real(view, 0)?;
        let rank = self.full_rank(x);
        if view.proto.output.iter().skip(1).any(|o| !o.is_empty()) {
            return Err(view.fail("only its first output is supported"));
        }
        let axis = self.sample_axis(view, view.int("axis", -1), rank)?;
        let axes: Vec<usize> = (axis..self.shape(x).len()).collect();
        let mut y = self.standardised(view, x, &axes)?;
        for (i, is_scale) in [(1, true), (2, false)] {
            let Some(c) = self.optional_constant(view, i)? else { continue };
            let c = self.finite(view, &c)?;
            let c = self.per_sample(view, y, c)?;
            let (scale, offset) = if is_scale { (Some(c), None) } else { (None, Some(c)) };
            let shape = self.shape(y).to_vec();
            y = self.add(view, FloatOp::Affine { x: y, scale, offset }, shape)?;
        }
        Ok(Value::Computed { id: y, integer: false })
    }

    pub(super) fn instance_normalisation(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let x = self.real(view, 0)?;
        let rank = self.shape(x).len();
        if rank < 2 || !self.input.batched {
            return Err(view.fail("its operand has no axes of samples, channels and positions"));
        }
        let y = self.standardised(view, x, &(1..rank).collect::<Vec<_>>())?;
        let mut parts = Vec::with_capacity(2);
        for i in 1..3 {
            let c = self.constant(view, i)?;
            let c = self.finite(view, &c)?;
            if c.shape != [self.shape(x)[0]] {
                return Err(view.fail(format!("input {i} has the shape {:?}", c.shape)));
            }
            let mut shape = vec![1; rank];
            shape[0] = c.data.len();
            parts.push(Tensor { shape, data: c.data });
        }
        let offset = parts.pop();
        self.affine(view, y, parts.pop(), offset)
    }

    /// `(x - mean) / sqrt(variance + epsilon)` over `axes`.
    fn standardised(
        &mut self,
        view: &NodeView<'a>,
        x: ValueId,
        axes: &[usize],
    ) -> Result<ValueId, OnnxError> {
        let epsilon = view.float("epsilon", f64::from(1e-5f32));
        if !(epsilon >= 0.0 && epsilon.is_finite()) {
            return Err(view.fail("`epsilon` is below zero"));
        }
        let id = |view: &NodeView<'a>, value: Value| match value {
            Value::Computed { id, .. } => Ok(id),
            Value::Constant(_) => Err(view.fail("a constant where a value was expected")),
        };
        let shape = self.shape(x).to_vec();
        let mean = self.reduced(view, x, axes, "ReduceMean", true)?;
        let mean = id(view, mean)?;
        let centred = self.add(view, FloatOp::Sum { a: x, b: mean, subtract: true }, shape.clone())?;
        let squares = self.add(view, FloatOp::Product { a: centred, b: centred }, shape.clone())?;
        let variance = self.reduced(view, squares, axes, "ReduceMean", true)?;
        let variance = id(view, variance)?;
        let guarded = self.affine(view, variance, None, Some(Tensor::scalar(epsilon)))?;
        let guarded = id(view, guarded)?;
        let kept = self.shape(guarded).to_vec();
        let deviation = self.add(view, FloatOp::Function { x: guarded, f: Function::Sqrt }, kept)?;
        self.add(view, FloatOp::Quotient { a: centred, b: deviation }, shape)
    }
}
