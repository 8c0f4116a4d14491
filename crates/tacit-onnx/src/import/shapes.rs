//! Operators that move elements without changing them.

use std::rc::Rc;

use super::{Importer, Value};
use crate::error::OnnxError;
use crate::graph::{FloatOp, ValueId};
use crate::proto::{Const, NodeView};
use crate::tensor::{elements, is_permutation};

impl<'a> Importer<'a> {
    /// `x` under another shape per sample.
    fn reshaped(&mut self, view: &NodeView<'a>, x: Value, shape: Vec<usize>) -> Result<Value, OnnxError> {
        match x {
            Value::Computed { id, integer } => {
                self.push_typed(view, FloatOp::Reshape { x: id }, shape, integer)
            }
            Value::Constant(c) => self.fold_reshape(view, &c, shape),
        }
    }

    pub(super) fn reshape(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let x = self.operand(view, 0)?;
        // Up to operator set 4 the shape was an attribute.
        let target = match view.ints("shape") {
            Some(shape) => Rc::new(self.integer_vector(shape)),
            None => self.constant(view, 1)?,
        };
        let dims = target.integers().ok_or_else(|| view.fail("the shape holds a fraction"))?;
        let copy = view.int("allowzero", 0) == 0;
        match x {
            Value::Constant(c) => {
                if target.batch_at.is_some() {
                    return Err(view.fail("the shape of a constant depends on the number of samples"));
                }
                let shape = resolve(&dims, &c.tensor.shape, c.tensor.data.len(), copy)
                    .ok_or_else(|| view.fail(format!("{:?} cannot become {dims:?}", c.tensor.shape)))?;
                self.fold_reshape(view, &c, shape)
            }
            Value::Computed { id, .. } => {
                let shape = self.sample_target(&dims, target.batch_at, id, copy).ok_or_else(|| {
                    view.fail(format!(
                        "the target {dims:?} does not keep the sample axis first and {:?} elements per sample",
                        self.shape(id)
                    ))
                })?;
                self.reshaped(view, x, shape)
            }
        }
    }

    /// The target of a reshape without its sample axis; `None` where samples would mix.
    fn sample_target(
        &self,
        dims: &[i64],
        batch_at: Option<usize>,
        x: ValueId,
        copy: bool,
    ) -> Option<Vec<usize>> {
        let shape = self.shape(x);
        let count = elements(shape)?;
        if !self.input.batched {
            return resolve(dims, shape, count, copy);
        }
        let (&first, rest) = dims.split_first()?;
        let declared = self.input.batch.unwrap_or(1) as i64;
        let keeps =
            batch_at == Some(0) || (first == 0 && copy) || first == -1 || first == 1 || first == declared;
        if !keeps || batch_at.is_some_and(|at| at > 0) || (first == -1 && rest.contains(&-1)) {
            return None;
        }
        resolve(rest, shape, count, copy)
    }

    pub(super) fn flatten(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let x = self.operand(view, 0)?;
        let axis = view.int("axis", 1);
        let Value::Computed { id, .. } = x else {
            return Err(view.fail("flattening a constant is not supported"));
        };
        let rank = self.full_rank(id);
        let resolved = if axis < 0 { axis + rank as i64 } else { axis };
        let axis = usize::try_from(resolved)
            .ok()
            .filter(|&a| a <= rank)
            .ok_or_else(|| view.fail(format!("axis {axis} does not exist")))?;
        let shape = self.shape(id);
        let shape = if self.input.batched {
            // [samples · before, after]: nothing but the sample axis may lie before.
            match axis.checked_sub(1) {
                Some(a) if shape[..a].iter().all(|&d| d == 1) => vec![shape.iter().product()],
                _ => return Err(view.fail("it merges the sample axis with another")),
            }
        } else {
            vec![shape[..axis].iter().product(), shape[axis..].iter().product()]
        };
        self.reshaped(view, x, shape)
    }

    pub(super) fn transpose(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let x = self.operand(view, 0)?;
        let rank = match &x {
            Value::Constant(c) => c.tensor.shape.len(),
            Value::Computed { id, .. } => self.full_rank(*id),
        };
        let perm: Option<Vec<usize>> = match view.ints("perm") {
            Some(perm) => perm.iter().map(|&p| usize::try_from(p).ok()).collect(),
            None => Some((0..rank).rev().collect()),
        };
        let perm = perm
            .filter(|p| is_permutation(p, rank))
            .ok_or_else(|| view.fail(format!("`perm` is no permutation of {rank} axes")))?;
        match x {
            Value::Constant(c) => self.fold_transpose(view, &c, &perm),
            Value::Computed { id, integer } => {
                let perm = if self.input.batched {
                    if perm.first() != Some(&0) {
                        return Err(view.fail("it moves the sample axis"));
                    }
                    perm[1..].iter().map(|p| p - 1).collect()
                } else {
                    perm
                };
                let shape = perm.iter().map(|&p| self.shape(id)[p]).collect();
                self.push_typed(view, FloatOp::Transpose { x: id, perm }, shape, integer)
            }
        }
    }

    /// `Squeeze`, or `Unsqueeze` where `insert`.
    pub(super) fn squeeze(&mut self, view: &NodeView<'a>, insert: bool) -> Result<Value, OnnxError> {
        let x = self.operand(view, 0)?;
        // An attribute up to operator set 12, an input since.
        let axes: Option<Vec<i64>> = match view.ints("axes") {
            Some(axes) => Some(axes.to_vec()),
            None => match self.optional_constant(view, 1)? {
                Some(c) => Some(c.integers().ok_or_else(|| view.fail("`axes` holds a fraction"))?),
                None => None,
            },
        };
        let (mut shape, fixed) = match &x {
            Value::Constant(c) => (c.tensor.shape.clone(), 0),
            Value::Computed { id, .. } => (self.shape(*id).to_vec(), usize::from(self.input.batched)),
        };
        let Some(axes) = axes else {
            if insert || fixed == 1 {
                return Err(view.fail("`axes` is missing, so the sample axis could go as well"));
            }
            shape.retain(|&d| d != 1);
            return self.reshaped(view, x, shape);
        };
        let rank = shape.len() + fixed + if insert { axes.len() } else { 0 };
        if rank > crate::proto::MAX_RANK {
            return Err(view.fail(format!("the result has {rank} axes")));
        }
        let mut resolved = Vec::with_capacity(axes.len());
        for axis in axes {
            let a = if axis < 0 { axis + rank as i64 } else { axis };
            match usize::try_from(a).ok().filter(|a| *a < rank && !resolved.contains(a)) {
                Some(a) if a >= fixed => resolved.push(a),
                Some(_) => return Err(view.fail("it adds or removes an axis before the samples")),
                None => return Err(view.fail(format!("axis {axis} does not exist or is named twice"))),
            }
        }
        resolved.sort_unstable();
        if insert {
            for a in resolved {
                shape.insert(a - fixed, 1);
            }
        } else {
            for a in resolved.into_iter().rev() {
                if shape.remove(a - fixed) != 1 {
                    return Err(view.fail("it removes an axis that is longer than 1"));
                }
            }
        }
        self.reshaped(view, x, shape)
    }

    pub(super) fn concat(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let mut parts = Vec::with_capacity(view.proto.input.len());
        for i in 0..view.proto.input.len() {
            parts.push(self.operand(view, i)?);
        }
        let constants: Option<Vec<Rc<Const>>> = parts
            .iter()
            .map(|p| match p {
                Value::Constant(c) => Some(Rc::clone(c)),
                Value::Computed { .. } => None,
            })
            .collect();
        if let Some(constants) = constants {
            return self.fold_concat(view, &constants);
        }
        let values: Option<Vec<ValueId>> = parts
            .iter()
            .map(|p| match p {
                Value::Computed { id, integer: false } => Some(*id),
                _ => None,
            })
            .collect();
        let values = values.ok_or_else(|| {
            view.fail("it joins constants or integers with values that depend on the record")
        })?;
        self.join(view, &values)
    }
}

/// The target of a reshape with -1 worked out and 0 copied from `shape` (which both leave out the sample axis).
fn resolve(dims: &[i64], shape: &[usize], count: usize, copy: bool) -> Option<Vec<usize>> {
    let mut out = Vec::with_capacity(dims.len());
    let mut open = None;
    for (i, &d) in dims.iter().enumerate() {
        out.push(match d {
            0 if copy => *shape.get(i)?,
            -1 if open.is_none() => {
                open = Some(i);
                1
            }
            d => usize::try_from(d).ok()?,
        });
    }
    let known = elements(&out)?;
    if let Some(i) = open {
        out[i] = count.checked_div(known)?;
    }
    (elements(&out)? == count).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn reshape_targets() {
        assert_eq!(resolve(&[-1], &[2, 3], 6, true), Some(vec![6]));
        assert_eq!(resolve(&[0, -1], &[2, 3], 6, true), Some(vec![2, 3]));
        assert_eq!(resolve(&[3, 2], &[2, 3], 6, true), Some(vec![3, 2]));
        assert_eq!(resolve(&[], &[1], 1, true), Some(vec![]));
        for bad in [&[4][..], &[-1, -1], &[-2], &[0, 0, 0], &[i64::MAX, i64::MAX], &[0, -1, 5]] {
            assert_eq!(resolve(bad, &[2, 3], 6, true), None, "{bad:?}");
        }
        assert_eq!(resolve(&[0, -1], &[2, 3], 6, false), None);
    }
}
