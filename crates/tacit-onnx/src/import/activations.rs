//! Functions of one number.

use super::{Importer, Value};
use crate::error::OnnxError;
use crate::function::Function;
use crate::graph::FloatOp;
use crate::proto::NodeView;
use crate::tensor::Tensor;

impl<'a> Importer<'a> {
    /// The function that an operator names; `None` for other operators.
    pub(super) fn named_function(
        &self,
        op: &str,
        view: &NodeView<'a>,
    ) -> Result<Option<Function>, OnnxError> {
        let alpha = |default: f64| view.float("alpha", default);
        Ok(Some(match op {
            "Sigmoid" => Function::Sigmoid,
            "Tanh" => Function::Tanh,
            "Erf" => Function::Erf,
            "HardSigmoid" => {
                Function::HardSigmoid { alpha: alpha(f64::from(0.2f32)), beta: view.float("beta", 0.5) }
            }
            "Elu" => Function::Elu { alpha: alpha(1.0) },
            "Selu" => Function::Selu {
                alpha: alpha(f64::from(1.673_263_2_f32)),
                gamma: view.float("gamma", f64::from(1.050_701_f32)),
            },
            "LeakyRelu" => Function::LeakyRelu { alpha: alpha(f64::from(0.01f32)) },
            "Celu" if alpha(1.0) > 0.0 => Function::Celu { alpha: alpha(1.0) },
            "Celu" => return Err(view.fail("`alpha` is not above zero")),
            "Softplus" => Function::Softplus,
            "Softsign" => Function::Softsign,
            "Gelu" => match view.text("approximate") {
                "" | "none" => Function::Gelu,
                "tanh" => Function::GeluTanh,
                other => return Err(view.fail(format!("the approximation `{other}` is not known"))),
            },
            "HardSwish" => Function::HardSwish,
            "Mish" => Function::Mish,
            "Abs" => Function::Abs,
            "Exp" => Function::Exp,
            "Log" => Function::Log,
            "Sqrt" => Function::Sqrt,
            "Reciprocal" => Function::Reciprocal,
            _ => return Ok(None),
        }))
    }

    pub(super) fn function(&mut self, view: &NodeView<'a>, f: Function) -> Result<Value, OnnxError> {
        if let Value::Constant(c) = self.operand(view, 0)? {
            return self.fold_map(view, &c, |v| f.value(v));
        }
        let x = self.real(view, 0)?;
        let shape = self.shape(x).to_vec();
        self.push(view, FloatOp::Function { x, f }, shape)
    }

    /// `max(x, 0) - slope · max(-x, 0)`: the slopes are weights.
    pub(super) fn p_relu(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let x = self.real(view, 0)?;
        let slope = self.constant(view, 1)?;
        let slope = self.finite(view, &slope)?;
        let slope = self.per_sample(view, x, slope)?;
        let shape = self.shape(x).to_vec();
        let hinge = self.add(view, FloatOp::Clamp { x, lo: 0.0, hi: f64::INFINITY }, shape.clone())?;
        let below = self.add(view, FloatOp::Sum { a: hinge, b: x, subtract: true }, shape.clone())?;
        let scaled =
            self.add(view, FloatOp::Affine { x: below, scale: Some(slope), offset: None }, shape.clone())?;
        self.push(view, FloatOp::Sum { a: hinge, b: scaled, subtract: true }, shape)
    }

    /// Powers with a constant exponent: those that are products, roots and reciprocals.
    pub(super) fn power(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let exponent = self.constant(view, 1)?;
        let exponent = self.finite(view, &exponent)?;
        let Some(exponent) = exponent.as_scalar() else {
            return Err(view.fail("the exponent is not a single number"));
        };
        if let Value::Constant(c) = self.operand(view, 0)? {
            return self.fold_map(view, &c, |v| v.powf(exponent));
        }
        let x = self.real(view, 0)?;
        let shape = self.shape(x).to_vec();
        if exponent == 0.5 {
            return self.function(view, Function::Sqrt);
        }
        if exponent == -1.0 {
            return self.function(view, Function::Reciprocal);
        }
        if exponent == 1.0 {
            return self.operand(view, 0);
        }
        if exponent != 2.0 && exponent != 3.0 {
            return Err(view.fail(format!("the exponent is {exponent}; -1, 0.5, 1, 2 and 3 are supported")));
        }
        let square = self.add(view, FloatOp::Product { a: x, b: x }, shape.clone())?;
        if exponent == 2.0 {
            return Ok(Value::Computed { id: square, integer: false });
        }
        self.push(view, FloatOp::Product { a: square, b: x }, shape)
    }

    /// `a / b` where both depend on the record.
    pub(super) fn quotient(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let (a, b) = (self.real(view, 0)?, self.real(view, 1)?);
        self.combine(view, a, b, |a, b| FloatOp::Quotient { a, b })
    }

    /// `c / x` of a constant `c`.
    pub(super) fn reciprocal_times(
        &mut self,
        view: &NodeView<'a>,
        c: Tensor,
        x: usize,
    ) -> Result<Value, OnnxError> {
        let shape = self.shape(x).to_vec();
        let inverse = self.add(view, FloatOp::Function { x, f: Function::Reciprocal }, shape)?;
        self.affine(view, inverse, Some(c), None)
    }
}
