//! Comparisons and what is made of their truth values, which are 0 and 1 here.

use super::{Importer, Value};
use crate::error::OnnxError;
use crate::graph::{FloatOp, ValueId};
use crate::proto::NodeView;
use crate::tensor::Tensor;

impl<'a> Importer<'a> {
    /// `a > b` and the like, as a step of the difference.
    pub(super) fn compare(&mut self, op: &str, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let (greater, or_equal) = (op.starts_with("Greater"), op.ends_with("OrEqual"));
        // The difference that is above zero where the comparison holds.
        let sign = if greater { 1.0 } else { -1.0 };
        let difference = match (self.operand(view, 0)?, self.operand(view, 1)?) {
            (Value::Computed { .. }, Value::Constant(c)) => {
                let x = self.real(view, 0)?;
                let c = self.finite(view, &c)?;
                let c = self.per_sample(view, x, c)?;
                self.affine(view, x, Some(Tensor::scalar(sign)), Some(c.map(|v| -sign * v)))?
            }
            (Value::Constant(c), Value::Computed { .. }) => {
                let x = self.real(view, 1)?;
                let c = self.finite(view, &c)?;
                let c = self.per_sample(view, x, c)?;
                self.affine(view, x, Some(Tensor::scalar(-sign)), Some(c.map(|v| sign * v)))?
            }
            (Value::Computed { .. }, Value::Computed { .. }) => {
                let (a, b) = (self.real(view, 0)?, self.real(view, 1)?);
                let (a, b) = if greater { (a, b) } else { (b, a) };
                self.combine(view, a, b, |a, b| FloatOp::Sum { a, b, subtract: true })?
            }
            _ => return Err(view.fail("it compares constants; fold constants when exporting the model")),
        };
        let Value::Computed { id: x, .. } = difference else {
            return Err(view.fail("a constant where a value was expected"));
        };
        let shape = self.shape(x).to_vec();
        self.push_typed(view, FloatOp::Step { x, or_equal }, shape, true)
    }

    /// -1, 0 or 1.
    pub(super) fn sign(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let x = self.real(view, 0)?;
        let shape = self.shape(x).to_vec();
        let above = self.add(view, FloatOp::Step { x, or_equal: false }, shape.clone())?;
        let not_below = self.add(view, FloatOp::Step { x, or_equal: true }, shape.clone())?;
        let sum = self.add(view, FloatOp::Sum { a: above, b: not_below, subtract: false }, shape)?;
        self.affine(view, sum, None, Some(Tensor::scalar(-1.0)))
    }

    /// A truth value.
    fn truth(&mut self, view: &NodeView<'a>) -> Result<ValueId, OnnxError> {
        match self.operand(view, 0)? {
            Value::Computed { id, integer: true } => Ok(id),
            _ => Err(view.fail("its condition is no comparison of computed values")),
        }
    }

    pub(super) fn not(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let x = self.truth(view)?;
        let op = FloatOp::Affine { x, scale: Some(Tensor::scalar(-1.0)), offset: Some(Tensor::scalar(1.0)) };
        let shape = self.shape(x).to_vec();
        self.push_typed(view, op, shape, true)
    }

    /// One of two constants.
    pub(super) fn choose(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let x = self.truth(view)?;
        let constant = |this: &mut Self, i: usize| match this.operand(view, i)? {
            Value::Constant(c) => {
                let c = this.finite(view, &c)?;
                this.per_sample(view, x, c)
            }
            Value::Computed { .. } => Err(view.fail("only a choice between two constants is supported")),
        };
        let (yes, no) = (constant(self, 1)?, constant(self, 2)?);
        let scale = yes.zip(&no, |a, b| a - b).ok_or_else(|| view.fail("its constants differ in shape"))?;
        self.affine(view, x, Some(scale), Some(no))
    }
}
