//! Operators that cut, join, pad and repeat.

use std::rc::Rc;

use super::{Importer, Value};
use crate::error::OnnxError;
use crate::graph::{FloatOp, ValueId};
use crate::movement::{Fill, Movement};
use crate::proto::{Const, NodeView};
use crate::tensor::{Tensor, elements};

/// Where a slice begins on one axis, how far it goes at a time, and how often.
#[derive(Clone, Copy)]
struct Cut {
    axis: usize,
    start: i64,
    step: i64,
    count: usize,
}

/// The coordinates `start, start + step, ..` before `end` on an axis of length `len` (NumPy's rule).
fn cut(axis: usize, len: usize, start: i64, end: i64, step: i64) -> Option<Cut> {
    let n = len as i64;
    let from_end = |i: i64| if i < 0 { i.saturating_add(n) } else { i };
    let (start, count) = match step {
        1.. => {
            let (start, end) = (from_end(start).clamp(0, n), from_end(end).clamp(0, n));
            (start, (end - start).max(0) as u64)
        }
        i64::MIN..=-1 => {
            let (start, end) = (from_end(start).clamp(-1, n - 1), from_end(end).clamp(-1, n - 1));
            (start, (start - end).max(0) as u64)
        }
        0 => return None,
    };
    let count = usize::try_from(count.div_ceil(step.unsigned_abs())).ok()?;
    Some(Cut { axis, start, step, count })
}

impl<'a> Importer<'a> {
    /// Integers of an attribute or, since some operator set, of input `i`.
    fn integers(&mut self, view: &NodeView<'a>, name: &str, i: usize) -> Result<Option<Vec<i64>>, OnnxError> {
        if let Some(given) = view.ints(name) {
            return Ok(Some(given.to_vec()));
        }
        let Some(c) = self.optional_constant(view, i)? else { return Ok(None) };
        let integers = c.integers().filter(|_| c.batch_at.is_none());
        integers.map(Some).ok_or_else(|| view.fail(format!("`{name}` is no list of fixed integers")))
    }

    pub(super) fn slice(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let x = self.operand(view, 0)?;
        let missing = || view.fail("`starts` and `ends` are needed, equally many");
        let starts = self.integers(view, "starts", 1)?.ok_or_else(missing)?;
        let ends = self.integers(view, "ends", 2)?.filter(|e| e.len() == starts.len()).ok_or_else(missing)?;
        let axes = self.integers(view, "axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
        let steps = self.integers(view, "steps", 4)?.unwrap_or_else(|| vec![1; starts.len()]);
        if axes.len() != starts.len() || steps.len() != starts.len() {
            return Err(view.fail("`starts`, `axes` and `steps` differ in length"));
        }
        let (mut cuts, bounds) = (Vec::new(), starts.into_iter().zip(ends).zip(steps));
        for (axis, ((start, end), step)) in axes.into_iter().zip(bounds) {
            let (axis, len) = match &x {
                Value::Computed { id, .. } => {
                    let rank = self.full_rank(*id);
                    let sample = axis == 0 || axis == -(rank as i64);
                    if self.input.batched && sample && start == 0 && end >= i64::from(i32::MAX) && step == 1 {
                        continue;
                    }
                    let axis = self.sample_axis(view, axis, rank)?;
                    (axis, self.shape(*id)[axis])
                }
                Value::Constant(c) => {
                    let rank = c.tensor.shape.len();
                    let resolved = if axis < 0 { axis + rank as i64 } else { axis };
                    let axis = usize::try_from(resolved).ok().filter(|&a| a < rank);
                    let axis = axis.ok_or_else(|| view.fail("an axis does not exist"))?;
                    (axis, c.tensor.shape[axis])
                }
            };
            cuts.push(cut(axis, len, start, end, step).ok_or_else(|| view.fail("a step is zero"))?);
        }
        match x {
            Value::Constant(c) => self.fold_slice(view, &c, &cuts),
            Value::Computed { id, .. } => self.sliced(view, id, &cuts),
        }
    }

    fn sliced(&mut self, view: &NodeView<'a>, x: ValueId, cuts: &[Cut]) -> Result<Value, OnnxError> {
        let mut shape = self.shape(x).to_vec();
        let (mut starts, mut steps) = (vec![0; shape.len()], vec![1; shape.len()]);
        for cut in cuts {
            let step = usize::try_from(cut.step).ok().filter(|&s| s > 0);
            let step = step.ok_or_else(|| view.fail("a step below zero turns a value around"))?;
            if cut.count == 0 {
                return Err(view.fail("nothing is left"));
            }
            starts[cut.axis] = cut.start as usize;
            steps[cut.axis] = step;
            shape[cut.axis] = cut.count;
        }
        self.push(view, FloatOp::Move { x, movement: Movement::Slice { starts, steps } }, shape)
    }

    fn fold_slice(&mut self, view: &NodeView<'a>, c: &Const, cuts: &[Cut]) -> Result<Value, OnnxError> {
        let mut tensor = c.tensor.clone();
        let mut batch_at = c.batch_at;
        for &Cut { axis, start, step, count } in cuts {
            let (lead, len) = (elements(&tensor.shape[..axis]), tensor.shape[axis]);
            let inner: usize = tensor.shape[axis + 1..].iter().product();
            let lead = lead.unwrap_or(0);
            self.spend(view, elements(&[lead, count, inner]))?;
            let at = |k: usize| (start + k as i64 * step) as usize;
            let picks = || (0..lead).flat_map(move |l| (0..count).map(move |k| (l * len + at(k)) * inner));
            batch_at = batch_at.and_then(|b| {
                picks().position(|p| (p..p + inner).contains(&b)).map(|at| at * inner + b % inner.max(1))
            });
            let data = picks().flat_map(|p| tensor.data[p..p + inner].iter().copied()).collect();
            tensor.shape[axis] = count;
            tensor = Tensor { shape: tensor.shape, data };
        }
        Ok(Value::Constant(Rc::new(Const { tensor, integer: c.integer, batch_at })))
    }

    pub(super) fn split(&mut self, view: &NodeView<'a>) -> Result<(), OnnxError> {
        let x = self.real(view, 0)?;
        let axis = self.sample_axis(view, view.int("axis", 0), self.full_rank(x))?;
        let (len, count) = (self.shape(x)[axis], view.proto.output.len().max(1));
        let lengths = match self.integers(view, "split", 1)? {
            Some(given) => given.iter().map(|&v| usize::try_from(v).unwrap_or(0)).collect(),
            // Equal parts, the last one shorter where need be.
            None => {
                let each = len.div_ceil(count);
                let mut lengths = vec![each; count];
                lengths[count - 1] = len.saturating_sub(each * (count - 1));
                lengths
            }
        };
        let total = lengths.iter().try_fold(0usize, |sum, &l| sum.checked_add(l));
        if lengths.len() != count || total != Some(len) || lengths.contains(&0) {
            return Err(view.fail(format!("parts of {lengths:?} do not make {count} of {len}")));
        }
        let mut start = 0;
        for (i, count) in lengths.into_iter().enumerate() {
            if !view.proto.output[i].is_empty() {
                let part = self.sliced(view, x, &[Cut { axis, start, step: 1, count }])?;
                self.define(view, i, part)?;
            }
            start += count as i64;
        }
        Ok(())
    }

    pub(super) fn gather(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        match self.operand(view, 0)? {
            Value::Constant(c) => self.fold_gather(view, &c),
            Value::Computed { .. } => self.pick(view),
        }
    }

    /// Elements of a value at constant places.
    fn pick(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let x = self.real(view, 0)?;
        let axis = self.sample_axis(view, view.int("axis", 0), self.full_rank(x))?;
        let indices = self.constant(view, 1)?;
        let len = self.shape(x)[axis] as i64;
        let at = |&i: &i64| Some(if i < 0 { i + len } else { i }).filter(|i| (0..len).contains(i));
        let places: Option<Vec<i64>> = indices
            .integers()
            .filter(|_| indices.batch_at.is_none())
            .and_then(|v| v.iter().map(at).collect());
        let places = places
            .filter(|p| (1..=64).contains(&p.len()))
            .ok_or_else(|| view.fail("only up to 64 constant places that exist can be picked"))?;
        let mut parts = Vec::with_capacity(places.len());
        for start in places {
            let part = self.sliced(view, x, &[Cut { axis, start, step: 1, count: 1 }])?;
            parts.extend(match part {
                Value::Computed { id, .. } => Some(id),
                Value::Constant(_) => None,
            });
        }
        let mut shape = self.shape(x).to_vec();
        shape[axis] = parts.len();
        let joined = match parts[..] {
            [only] => only,
            _ => self.add(view, FloatOp::Concat { parts, axis }, shape.clone())?,
        };
        shape.splice(axis..=axis, indices.tensor.shape.iter().copied());
        self.push(view, FloatOp::Reshape { x: joined }, shape)
    }

    pub(super) fn join(&mut self, view: &NodeView<'a>, parts: &[ValueId]) -> Result<Value, OnnxError> {
        let first = *parts.first().ok_or_else(|| view.fail("it joins nothing"))?;
        let axis = self.sample_axis(view, view.int("axis", 1), self.full_rank(first))?;
        let mut shape = self.shape(first).to_vec();
        if parts.len() > 64 {
            return Err(view.fail("it joins more than 64 values"));
        }
        shape[axis] = 0;
        for &part in parts {
            let other = self.shape(part);
            let fits =
                other.len() == shape.len() && (0..shape.len()).all(|i| i == axis || shape[i] == other[i]);
            if !fits {
                return Err(
                    view.fail(format!("values of shapes {shape:?} and {other:?} do not fit side by side"))
                );
            }
            shape[axis] += other[axis];
        }
        match parts {
            [only] => Ok(Value::Computed { id: *only, integer: false }),
            _ => self.push(view, FloatOp::Concat { parts: parts.to_vec(), axis }, shape),
        }
    }

    pub(super) fn pad(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let x = self.real(view, 0)?;
        if !matches!(view.text("mode"), "" | "constant") {
            return Err(view.fail(format!("the mode `{}` is not supported; zeros are", view.text("mode"))));
        }
        let value = match self.optional_constant(view, 2)? {
            Some(c) => c.tensor.as_scalar(),
            None => Some(view.float("value", 0.0)),
        };
        if value != Some(0.0) {
            return Err(view.fail("only padding with zeros is supported"));
        }
        let pads = self.integers(view, "pads", 1)?.ok_or_else(|| view.fail("`pads` is missing"))?;
        let rank = self.full_rank(x);
        let axes = self.integers(view, "axes", 3)?.unwrap_or_else(|| (0..rank as i64).collect());
        if pads.len() != 2 * axes.len() {
            return Err(view.fail(format!("{} paddings for {} axes", pads.len(), axes.len())));
        }
        let mut sides = [vec![0i64; self.shape(x).len()], vec![0i64; self.shape(x).len()]];
        for (i, &axis) in axes.iter().enumerate() {
            let (before, after) = (pads[i], pads[axes.len() + i]);
            if before == 0 && after == 0 {
                continue;
            }
            let axis = self.sample_axis(view, axis, rank)?;
            let limit = 0..1 << 20;
            if !limit.contains(&before) || !limit.contains(&after) {
                return Err(view.fail(match before.min(after) < 0 {
                    true => format!("paddings of {before} and {after}; use Slice to cut something off"),
                    false => format!("paddings of {before} and {after}; at most {} are added", limit.end - 1),
                }));
            }
            (sides[0][axis], sides[1][axis]) = (before, after);
        }
        let id = self.resized(view, x, &sides[0], &sides[1])?;
        Ok(Value::Computed { id, integer: false })
    }

    /// Zeros around a value on all axes, or less of it where a number is below zero.
    pub(super) fn resized(
        &mut self,
        view: &NodeView<'a>,
        mut x: ValueId,
        before: &[i64],
        after: &[i64],
    ) -> Result<ValueId, OnnxError> {
        let sum = |shape: &[usize], b: &[usize], a: &[usize]| -> Vec<usize> {
            shape.iter().zip(b).zip(a).map(|((d, b), a)| d + b + a).collect()
        };
        let part = |v: &[i64], sign: i64| -> Vec<usize> {
            v.iter().map(|p| usize::try_from(sign * p).unwrap_or(0)).collect()
        };
        if before.iter().chain(after).any(|&p| p < 0) {
            let (starts, ends) = (part(before, -1), part(after, -1));
            let left = |((d, s), e): ((&usize, &usize), &usize)| d.checked_sub(s + e);
            let shape: Option<Vec<usize>> = self.shape(x).iter().zip(&starts).zip(&ends).map(left).collect();
            let shape = shape.ok_or_else(|| view.fail("its padding cuts off more than there is"))?;
            let movement = Movement::Slice { steps: vec![1; starts.len()], starts };
            x = self.add(view, FloatOp::Move { x, movement }, shape)?;
        }
        let (before, after) = (part(before, 1), part(after, 1));
        if before.iter().chain(&after).all(|&p| p == 0) {
            return Ok(x);
        }
        let shape = sum(self.shape(x), &before, &after);
        self.add(
            view,
            FloatOp::Move { x, movement: Movement::Pad { before, after, fill: Fill::Zero } },
            shape,
        )
    }

    pub(super) fn expand(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let x = self.real(view, 0)?;
        let target = self.constant(view, 1)?;
        let mut target_shape: Vec<i64> =
            target.integers().ok_or_else(|| view.fail("the shape holds a fraction"))?;
        if self.input.batched && target_shape.len() == self.full_rank(x) {
            if target.batch_at != Some(0) && target_shape[0] != 1 {
                return Err(view.fail("it repeats samples"));
            }
            target_shape.remove(0);
        } else if target.batch_at.is_some() || target_shape.len() > self.shape(x).len() {
            return Err(view.fail("it adds axes before the samples"));
        }
        let sizes: Option<Vec<usize>> = target_shape.iter().map(|&d| usize::try_from(d).ok()).collect();
        let shape = sizes.and_then(|s| tacit_model::broadcast_shapes(self.shape(x), &s));
        let shape = shape.ok_or_else(|| {
            view.fail(format!("{:?} per sample cannot be repeated to {target_shape:?}", self.shape(x)))
        })?;
        self.push(view, FloatOp::Move { x, movement: Movement::Broadcast }, shape)
    }
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn cuts_are_those_of_numpy() {
        let on = |len, start, end, step| cut(0, len, start, end, step).map(|c| (c.start, c.count));
        assert_eq!(on(5, 1, 4, 1), Some((1, 3)));
        assert_eq!(on(5, -2, i64::MAX, 1), Some((3, 2)));
        assert_eq!(on(5, 0, 5, 2), Some((0, 3)));
        assert_eq!(on(5, -1, i64::MIN, -1), Some((4, 5)));
        assert_eq!(on(5, 3, 0, -2), Some((3, 2)));
        assert_eq!(on(5, 4, 2, 1), Some((4, 0)));
        assert_eq!(on(5, 0, 5, 0), None);
    }
}
