//! Dense layers and elementwise operators.

use tacit_model::broadcast_shapes;
use tract_onnx::pb::tensor_proto::DataType;

use super::{Importer, Value};
use crate::error::OnnxError;
use crate::graph::{FloatOp, TailOp, ValueId};
use crate::proto::{Const, NodeView};
use crate::tensor::Tensor;

/// Bounds at least this large are "no bound": exporters write the largest float.
const UNBOUNDED: f64 = 3.4e38;

impl<'a> Importer<'a> {
    /// A constant's real elements, refusing NaN and infinities.
    pub(super) fn finite(&self, view: &NodeView<'a>, c: &Const) -> Result<Tensor, OnnxError> {
        if c.batch_at.is_some() {
            return Err(
                view.fail("it computes with the number of samples; export the model with a fixed shape")
            );
        }
        if !c.tensor.is_finite() {
            return Err(view.fail("a constant holds NaN or an infinity"));
        }
        Ok(c.tensor.clone())
    }

    /// `x · weight` over the last axis, without bias.
    fn dense(&mut self, view: &NodeView<'a>, x: ValueId, weight: Tensor) -> Result<ValueId, OnnxError> {
        let [k, n] = weight.shape[..] else {
            return Err(view.fail(format!("the weight has {} axes instead of 2", weight.shape.len())));
        };
        let mut shape = self.shape(x).to_vec();
        match shape.last_mut() {
            Some(last) if *last == k && k > 0 && n > 0 => *last = n,
            _ => {
                return Err(view.fail(format!(
                    "a value of shape {shape:?} per sample does not fit a weight of shape [{k}, {n}]"
                )));
            }
        }
        let value = self.push(view, FloatOp::MatMul { x, weight, bias: None }, shape)?;
        Self::id(view, &value)
    }

    fn id(view: &NodeView<'a>, value: &Value) -> Result<ValueId, OnnxError> {
        match value {
            Value::Computed { id, .. } => Ok(*id),
            Value::Constant(_) => Err(view.fail("a constant where a value was expected")),
        }
    }

    pub(super) fn mat_mul(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let (a, b) = (self.operand(view, 0)?, self.operand(view, 1)?);
        match (a, b) {
            (Value::Computed { .. }, Value::Constant(w)) => {
                let x = self.real(view, 0)?;
                let mut weight = self.finite(view, &w)?;
                let vector = weight.shape.len() == 1;
                if vector {
                    weight.shape.push(1);
                }
                let id = self.dense(view, x, weight)?;
                if vector {
                    let mut shape = self.shape(id).to_vec();
                    shape.pop();
                    return self.push(view, FloatOp::Reshape { x: id }, shape);
                }
                Ok(Value::Computed { id, integer: false })
            }
            (Value::Constant(_), Value::Constant(_)) => {
                Err(view.fail("a product of two constants; fold constants when exporting the model"))
            }
            (Value::Constant(_), _) => Err(view
                .fail("the constant is on the left, which mixes samples; write the layer as value × weight")),
            _ => Err(view.fail("both factors depend on the record; only a constant weight is supported")),
        }
    }

    pub(super) fn gemm(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let x = self.real(view, 0)?;
        if view.int("transA", 0) != 0 {
            return Err(view.fail("transA = 1 transposes the sample axis"));
        }
        if self.full_rank(x) != 2 {
            return Err(view.fail(format!("its first input has {} axes instead of 2", self.full_rank(x))));
        }
        let w = self.constant(view, 1)?;
        let mut weight = self.finite(view, &w)?;
        if weight.shape.len() == 2 && view.int("transB", 0) != 0 {
            weight = weight.transposed(&[1, 0]);
        }
        let alpha = view.float("alpha", 1.0);
        let id = self.dense(view, x, weight.map(|v| v * alpha))?;
        if view.input(2).is_none() {
            return Ok(Value::Computed { id, integer: false });
        }
        let beta = view.float("beta", 1.0);
        match self.operand(view, 2)? {
            Value::Constant(c) => {
                let offset = self.finite(view, &c)?.map(|v| v * beta);
                let offset = self.per_sample(view, id, offset)?;
                let n = self.shape(id).last().copied().unwrap_or(1);
                if let Some(row) = offset.broadcast_to(&[n])
                    && let FloatOp::MatMul { bias, .. } = &mut self.nodes[id].op
                {
                    *bias = Some(row.data);
                    return Ok(Value::Computed { id, integer: false });
                }
                self.affine(view, id, None, Some(offset))
            }
            Value::Computed { .. } => {
                let c = self.real(view, 2)?;
                let scaled = if beta == 1.0 {
                    c
                } else {
                    let value = self.affine(view, c, Some(Tensor::scalar(beta)), None)?;
                    Self::id(view, &value)?
                };
                self.combine(view, id, scaled, |a, b| FloatOp::Sum { a, b, subtract: false })
            }
        }
    }

    /// A constant operand's shape per sample, checked to broadcast onto `x` without stretching it.
    pub(super) fn per_sample(
        &self,
        view: &NodeView<'a>,
        x: ValueId,
        mut c: Tensor,
    ) -> Result<Tensor, OnnxError> {
        if self.input.batched && c.shape.len() == self.full_rank(x) {
            if c.shape[0] != 1 {
                return Err(view.fail(format!("a constant of shape {:?} differs between samples", c.shape)));
            }
            c.shape.remove(0);
        }
        if broadcast_shapes(&c.shape, self.shape(x)).as_deref() != Some(self.shape(x)) {
            return Err(view.fail(format!(
                "a constant of shape {:?} does not fit a value of shape {:?} per sample",
                c.shape,
                self.shape(x)
            )));
        }
        Ok(c)
    }

    /// `x · scale + offset` with constants already brought to their shape per sample.
    pub(super) fn affine(
        &mut self,
        view: &NodeView<'a>,
        x: ValueId,
        scale: Option<Tensor>,
        offset: Option<Tensor>,
    ) -> Result<Value, OnnxError> {
        if [&scale, &offset].into_iter().flatten().any(|t| !t.is_finite()) {
            return Err(view.fail("its constants lead to NaN or an infinity (a division by zero?)"));
        }
        let shape = self.shape(x).to_vec();
        self.push(view, FloatOp::Affine { x, scale, offset }, shape)
    }

    /// Two values that both depend on the record.
    pub(super) fn combine(
        &mut self,
        view: &NodeView<'a>,
        a: ValueId,
        b: ValueId,
        op: impl FnOnce(ValueId, ValueId) -> FloatOp,
    ) -> Result<Value, OnnxError> {
        let (sa, sb) = (self.shape(a), self.shape(b));
        let shape = if sa.len() == sb.len() || !self.input.batched { broadcast_shapes(sa, sb) } else { None };
        let Some(shape) = shape else {
            return Err(
                view.fail(format!("values of shapes {sa:?} and {sb:?} per sample do not fit together"))
            );
        };
        self.push(view, op(a, b), shape)
    }

    pub(super) fn binary(&mut self, op: &str, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        match (self.operand(view, 0)?, self.operand(view, 1)?) {
            (Value::Constant(a), Value::Constant(b)) => self.fold_binary(op, view, &a, &b),
            (Value::Computed { .. }, Value::Computed { .. }) => {
                let (a, b) = (self.real(view, 0)?, self.real(view, 1)?);
                match op {
                    "Add" => self.combine(view, a, b, |a, b| FloatOp::Sum { a, b, subtract: false }),
                    "Sub" => self.combine(view, a, b, |a, b| FloatOp::Sum { a, b, subtract: true }),
                    "Mul" => self.combine(view, a, b, |a, b| FloatOp::Product { a, b }),
                    _ => self.quotient(view),
                }
            }
            (Value::Computed { .. }, Value::Constant(c)) => {
                let x = self.real(view, 0)?;
                let c = self.finite(view, &c)?;
                let c = self.per_sample(view, x, c)?;
                match op {
                    "Add" => self.affine(view, x, None, Some(c)),
                    "Sub" => self.affine(view, x, None, Some(c.map(|v| -v))),
                    "Mul" => self.affine(view, x, Some(c), None),
                    _ => self.affine(view, x, Some(c.map(|v| 1.0 / v)), None),
                }
            }
            (Value::Constant(c), Value::Computed { .. }) => {
                let x = self.real(view, 1)?;
                let c = self.finite(view, &c)?;
                let c = self.per_sample(view, x, c)?;
                match op {
                    "Add" => self.affine(view, x, None, Some(c)),
                    "Sub" => self.affine(view, x, Some(Tensor::scalar(-1.0)), Some(c)),
                    "Mul" => self.affine(view, x, Some(c), None),
                    _ => self.reciprocal_times(view, c, x),
                }
            }
        }
    }

    pub(super) fn negate(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        if let Value::Constant(c) = self.operand(view, 0)? {
            return self.fold_map(view, &c, |v| -v);
        }
        let x = self.real(view, 0)?;
        self.affine(view, x, Some(Tensor::scalar(-1.0)), None)
    }

    pub(super) fn batch_normalisation(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let x = self.real(view, 0)?;
        if view.int("training_mode", 0) != 0 {
            return Err(view.fail("training mode; export the model for inference"));
        }
        let channel = self.sample_axis(view, 1, self.full_rank(x))?;
        let channels = self.shape(x)[channel];
        let mut parts = Vec::with_capacity(4);
        for i in 1..5 {
            let c = self.constant(view, i)?;
            let t = self.finite(view, &c)?;
            if t.shape != [channels] {
                return Err(view.fail(format!("input {i} has shape {:?} instead of [{channels}]", t.shape)));
            }
            parts.push(t.data);
        }
        let epsilon = view.float("epsilon", f64::from(1e-5f32));
        let scale: Vec<f64> = parts[0].iter().zip(&parts[3]).map(|(g, v)| g / (v + epsilon).sqrt()).collect();
        let offset = (0..channels).map(|c| parts[1][c] - parts[2][c] * scale[c]).collect();
        let mut shape = vec![1; self.shape(x).len() - channel];
        shape[0] = channels;
        let tensor = |data| Some(Tensor { shape: shape.clone(), data });
        self.affine(view, x, tensor(scale), tensor(offset))
    }

    pub(super) fn clamp(&mut self, view: &NodeView<'a>, lo: f64, hi: f64) -> Result<Value, OnnxError> {
        let x = self.real(view, 0)?;
        if lo.is_nan() || hi.is_nan() || lo > hi {
            return Err(view.fail(format!("the bounds {lo} and {hi} hold no number between them")));
        }
        let lo = if lo <= -UNBOUNDED { f64::NEG_INFINITY } else { lo };
        let hi = if hi >= UNBOUNDED { f64::INFINITY } else { hi };
        if lo == f64::INFINITY || hi == f64::NEG_INFINITY {
            return Err(view.fail("a bound is infinite on the wrong side"));
        }
        let shape = self.shape(x).to_vec();
        self.push(view, FloatOp::Clamp { x, lo, hi }, shape)
    }

    pub(super) fn clip(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        // Attributes up to operator set 10, inputs since.
        let mut bounds = [view.float("min", f64::NEG_INFINITY), view.float("max", f64::INFINITY)];
        for (i, bound) in bounds.iter_mut().enumerate() {
            if let Some(c) = self.optional_constant(view, i + 1)? {
                *bound = c
                    .tensor
                    .as_scalar()
                    .filter(|_| c.batch_at.is_none())
                    .ok_or_else(|| view.fail("a bound is not a single number"))?;
            }
        }
        self.clamp(view, bounds[0], bounds[1])
    }

    /// `Max` or `Min` of a value and a single constant, as some exporters write a clip.
    pub(super) fn bound(&mut self, view: &NodeView<'a>, lower: bool) -> Result<Value, OnnxError> {
        let pair = (self.operand(view, 0)?, self.optional_operand(view, 1)?);
        let (at, c) = match pair {
            (x, None) => return Ok(x),
            (Value::Computed { .. }, Some(Value::Constant(c))) => (0, c),
            (Value::Constant(c), Some(Value::Computed { .. })) => (1, c),
            _ => return Err(view.fail("only a value and a constant are supported")),
        };
        let single = self.finite(view, &c)?.as_scalar().filter(|_| view.proto.input.len() == 2);
        let v = single.ok_or_else(|| view.fail("its constant is not a single number"))?;
        let x = self.real(view, at)?;
        let (lo, hi) = if lower { (v, f64::INFINITY) } else { (f64::NEG_INFINITY, v) };
        let shape = self.shape(x).to_vec();
        self.push(view, FloatOp::Clamp { x, lo, hi }, shape)
    }

    fn optional_operand(&mut self, view: &NodeView<'a>, i: usize) -> Result<Option<Value>, OnnxError> {
        view.input(i).map(|_| self.operand(view, i)).transpose()
    }

    /// The sum of any number of values.
    pub(super) fn sum_of_all(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let mut sum = self.real(view, 0)?;
        for i in 1..view.proto.input.len() {
            let next = self.real(view, i)?;
            let value = self.combine(view, sum, next, |a, b| FloatOp::Sum { a, b, subtract: false })?;
            sum = Self::id(view, &value)?;
        }
        Ok(Value::Computed { id: sum, integer: false })
    }

    pub(super) fn dropout(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        // `ratio` (input 1) plays no part in inference.
        if let Some(training) = self.optional_constant(view, 2)?
            && training.tensor.data.iter().any(|&v| v != 0.0)
        {
            return Err(view.fail("training mode; export the model for inference"));
        }
        self.operand(view, 0)
    }

    pub(super) fn cast(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let to = i32::try_from(view.int("to", 0)).ok().and_then(|t| DataType::try_from(t).ok());
        let to = to.unwrap_or(DataType::Undefined);
        let to_integer = match to {
            DataType::Float | DataType::Double | DataType::Float16 => false,
            DataType::Int64 | DataType::Int32 => true,
            _ => return Err(view.fail(format!("a cast to {} is not supported", to.as_str_name()))),
        };
        match self.operand(view, 0)? {
            Value::Constant(c) if to_integer => self.fold_cast(view, &c, f64::trunc, true),
            Value::Constant(c) if to == DataType::Double => self.fold_cast(view, &c, |v| v, false),
            Value::Constant(c) => self.fold_cast(view, &c, |v| f64::from(v as f32), false),
            Value::Computed { integer: false, .. } if to_integer => {
                Err(view.fail("rounding a computed value to an integer is not supported"))
            }
            Value::Computed { id, .. } => Ok(Value::Computed { id, integer: to_integer }),
        }
    }

    pub(super) fn softmax(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let x = self.real(view, 0)?;
        let rank = self.full_rank(x);
        // Up to operator set 12, everything from the axis on is one distribution; since then, the axis alone.
        let flattened = self.opset < 13;
        let axis = self.sample_axis(view, view.int("axis", if flattened { 1 } else { -1 }), rank)?;
        let shape = self.shape(x);
        let group = if flattened { shape[axis..].iter().product() } else { shape[axis] };
        if !flattened && shape[axis + 1..].iter().any(|&len| len != 1) {
            return Err(view.fail("it works along an axis before the last; transpose its operand"));
        }
        let log = view.proto.op_type == "LogSoftmax";
        self.tail(view, |x, _| TailOp::Softmax { x, group, log })
    }

    pub(super) fn arg_max(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let x = self.real(view, 0)?;
        let axis = self.sample_axis(view, view.int("axis", 0), self.full_rank(x))?;
        if self.shape(x)[axis] != self.shape(x).iter().product::<usize>() {
            return Err(view.fail("it finds the largest along an axis that does not hold all outputs"));
        }
        if view.int("select_last_index", 0) != 0 {
            return Err(view.fail("the last index wins a tie here; the lowest does in a claim"));
        }
        let mut shape = self.shape(x).to_vec();
        if view.int("keepdims", 1) == 0 {
            shape.remove(axis);
        } else {
            shape[axis] = 1;
        }
        self.push_typed(view, FloatOp::Tail(TailOp::ArgMax { x }), shape, true)
    }
}
