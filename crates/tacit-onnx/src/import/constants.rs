//! Operators whose inputs are all constants, and the arithmetic of shapes that exporters write around a flatten.

use std::rc::Rc;

use super::{Importer, Value};
use crate::error::OnnxError;
use crate::proto::{Const, NodeView, read_tensor};
use crate::tensor::{Tensor, elements};

impl<'a> Importer<'a> {
    /// Takes the elements of a result from the budget, before they are computed.
    pub(super) fn spend(&mut self, view: &NodeView<'a>, count: Option<usize>) -> Result<(), OnnxError> {
        let left = count.and_then(|n| self.constant_budget.checked_sub(n));
        self.constant_budget =
            left.ok_or_else(|| view.fail("the constants grow far beyond the size of the file"))?;
        Ok(())
    }

    fn folded(tensor: Tensor, integer: bool, batch_at: Option<usize>) -> Value {
        Value::Constant(Rc::new(Const { tensor, integer, batch_at }))
    }

    pub(super) fn integer_vector(&self, values: &[i64]) -> Const {
        let tensor = Tensor::vector(values.iter().map(|&v| v as f64).collect());
        Const { tensor, integer: true, batch_at: None }
    }

    pub(super) fn constant_node(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        if let Some(t) = view.attribute("value").and_then(|a| a.t.as_ref()) {
            return Ok(Value::Constant(Rc::new(read_tensor(t)?)));
        }
        let vector = |data| Ok(Self::folded(Tensor::vector(data), false, None));
        if let Some(a) = view.attribute("value_float") {
            return Ok(Self::folded(Tensor::scalar(a.f.into()), false, None));
        }
        if let Some(a) = view.attribute("value_int") {
            return Ok(Self::folded(Tensor::scalar(a.i as f64), true, None));
        }
        if view.attribute("value_floats").is_some() {
            return vector(view.floats("value_floats"));
        }
        if let Some(ints) = view.ints("value_ints") {
            return Ok(Value::Constant(Rc::new(self.integer_vector(ints))));
        }
        Err(view.fail("it holds neither a dense tensor nor numbers"))
    }

    fn plain(view: &NodeView<'a>, c: &Const) -> Result<(), OnnxError> {
        match c.batch_at {
            None => Ok(()),
            Some(_) => {
                Err(view.fail("it computes with the number of samples; export the model with a fixed shape"))
            }
        }
    }

    pub(super) fn fold_map(
        &mut self,
        view: &NodeView<'a>,
        c: &Const,
        f: impl Fn(f64) -> f64,
    ) -> Result<Value, OnnxError> {
        Self::plain(view, c)?;
        self.spend(view, Some(c.tensor.data.len()))?;
        Ok(Self::folded(c.tensor.map(f), c.integer, None))
    }

    /// A change of element type; the number of samples stays what it is.
    pub(super) fn fold_cast(
        &mut self,
        view: &NodeView<'a>,
        c: &Const,
        f: impl Fn(f64) -> f64,
        integer: bool,
    ) -> Result<Value, OnnxError> {
        self.spend(view, Some(c.tensor.data.len()))?;
        Ok(Self::folded(c.tensor.map(f), integer, c.batch_at))
    }

    pub(super) fn fold_binary(
        &mut self,
        op: &str,
        view: &NodeView<'a>,
        a: &Const,
        b: &Const,
    ) -> Result<Value, OnnxError> {
        Self::plain(view, a)?;
        Self::plain(view, b)?;
        let integer = a.integer && b.integer;
        let shape = tacit_model::broadcast_shapes(&a.tensor.shape, &b.tensor.shape);
        self.spend(view, shape.as_deref().and_then(elements))?;
        let f: fn(f64, f64) -> f64 = match op {
            "Add" => |x, y| x + y,
            "Sub" => |x, y| x - y,
            "Mul" => |x, y| x * y,
            _ if integer => |x, y| (x / y).trunc(),
            _ => |x, y| x / y,
        };
        let tensor = a.tensor.zip(&b.tensor, f).ok_or_else(|| view.fail("the shapes do not fit together"))?;
        Ok(Self::folded(tensor, integer, None))
    }

    pub(super) fn fold_reshape(
        &mut self,
        view: &NodeView<'a>,
        c: &Const,
        shape: Vec<usize>,
    ) -> Result<Value, OnnxError> {
        self.spend(view, Some(c.tensor.data.len()))?;
        let tensor =
            c.tensor.clone().reshaped(shape).ok_or_else(|| view.fail("the number of elements changes"))?;
        Ok(Self::folded(tensor, c.integer, c.batch_at))
    }

    pub(super) fn fold_transpose(
        &mut self,
        view: &NodeView<'a>,
        c: &Const,
        perm: &[usize],
    ) -> Result<Value, OnnxError> {
        Self::plain(view, c)?;
        self.spend(view, Some(c.tensor.data.len()))?;
        Ok(Self::folded(c.tensor.transposed(perm), c.integer, None))
    }

    pub(super) fn fold_concat(
        &mut self,
        view: &NodeView<'a>,
        parts: &[Rc<Const>],
    ) -> Result<Value, OnnxError> {
        let mut data = Vec::new();
        let mut batch_at = None;
        for part in parts {
            if part.tensor.shape.len() != 1 {
                return Err(view.fail("only vectors of constants can be joined"));
            }
            if let Some(at) = part.batch_at
                && batch_at.replace(data.len() + at).is_some()
            {
                return Err(view.fail("it names the number of samples twice"));
            }
            self.spend(view, Some(part.tensor.data.len()))?;
            data.extend_from_slice(&part.tensor.data);
        }
        Ok(Self::folded(Tensor::vector(data), parts.iter().all(|p| p.integer), batch_at))
    }

    pub(super) fn shape_of(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let (dims, batched) = match self.operand(view, 0)? {
            Value::Constant(c) => (c.tensor.shape.clone(), false),
            Value::Computed { id, .. } => (self.shape(id).to_vec(), self.input.batched),
        };
        let mut data: Vec<f64> = dims.iter().map(|&d| d as f64).collect();
        if batched {
            data.insert(0, self.input.batch.unwrap_or(1) as f64);
        }
        let all = Const { tensor: Tensor::vector(data), integer: true, batch_at: batched.then_some(0) };
        let end = if view.attribute("end").is_some() { view.int("end", 0) } else { i64::MAX };
        Ok(Value::Constant(Rc::new(cut(&all, view.int("start", 0), end))))
    }

    /// Elements of a vector.
    pub(super) fn fold_gather(&mut self, view: &NodeView<'a>, c: &Const) -> Result<Value, OnnxError> {
        let indices = self.constant(view, 1)?;
        let n = c.tensor.data.len();
        let resolve = |i: i64| usize::try_from(if i < 0 { i + n as i64 } else { i }).ok().filter(|&i| i < n);
        let picked: Option<Vec<usize>> =
            indices.integers().and_then(|v| v.into_iter().map(resolve).collect());
        let (Some(picked), 1, true) = (picked, c.tensor.shape.len(), indices.batch_at.is_none()) else {
            return Err(view.fail("only elements of a vector of constants can be picked"));
        };
        self.spend(view, Some(picked.len()))?;
        let mut batches = (0..picked.len()).filter(|&p| Some(picked[p]) == c.batch_at);
        let batch_at = batches.next();
        if batches.next().is_some() {
            return Err(view.fail("it names the number of samples twice"));
        }
        let data = picked.iter().map(|&i| c.tensor.data[i]).collect();
        Ok(Self::folded(Tensor { shape: indices.tensor.shape.clone(), data }, c.integer, batch_at))
    }

    /// A tensor of one number repeated.
    pub(super) fn constant_of_shape(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let shape = self.constant(view, 0)?;
        Self::plain(view, &shape)?;
        let sizes: Option<Vec<usize>> = shape
            .integers()
            .and_then(|v| v.into_iter().map(|d| usize::try_from(d).ok()).collect())
            .filter(|s: &Vec<usize>| s.len() <= crate::proto::MAX_RANK);
        let sizes = sizes.ok_or_else(|| view.fail("its shape is no list of sizes"))?;
        let count = elements(&sizes);
        self.spend(view, count)?;
        let (value, integer) = match view.attribute("value").and_then(|a| a.t.as_ref()) {
            Some(t) => {
                let c = read_tensor(t)?;
                let value = c.tensor.as_scalar().ok_or_else(|| view.fail("`value` is not one number"))?;
                (value, c.integer)
            }
            None => (0.0, false),
        };
        Ok(Self::folded(Tensor { shape: sizes, data: vec![value; count.unwrap_or(0)] }, integer, None))
    }
}

/// Elements `start..end` of a vector, each counted from the end where negative and clamped to the vector.
fn cut(c: &Const, start: i64, end: i64) -> Const {
    let n = c.tensor.data.len();
    let at = |i: i64| if i < 0 { i.saturating_add(n as i64).max(0) } else { i.min(n as i64) } as usize;
    let (start, end) = (at(start), at(end));
    let data = c.tensor.data.get(start..end).unwrap_or_default().to_vec();
    let batch_at = c.batch_at.filter(|b| (start..end).contains(b)).map(|b| b - start);
    Const { tensor: Tensor::vector(data), integer: c.integer, batch_at }
}
