//! Builds relation systems by hand: bounds follow from the operands' bounds by interval arithmetic.

use tacit_model::testing::SplitMix;

use super::Case;
use crate::relation::{Grouping, Relation};
use crate::system::{RelationSystem, Segment, TensorId, TensorSpec};
use crate::trace::Assignment;
use crate::view::{Axis, View};

/// Bounds that keep a range of `width` signed bits.
#[must_use]
pub fn signed(width: u8) -> (i64, i64) {
    (-(1 << (width - 1)), (1 << (width - 1)) - 1)
}

/// Collects tensors, relations and the values that no relation defines.
pub struct Builder {
    name: String,
    /// What is random.
    pub rng: SplitMix,
    /// Tensors so far.
    pub tensors: Vec<TensorSpec>,
    relations: Vec<Relation>,
    given: Assignment,
    /// Segment of the next result.
    next: Segment,
}

impl Builder {
    /// Nothing yet.
    #[must_use]
    pub fn new(name: impl Into<String>, seed: u64) -> Self {
        let (name, rng) = (name.into(), SplitMix(seed));
        let (tensors, relations, given) = (Vec::new(), Vec::new(), Assignment::default());
        Self { name, rng, tensors, relations, given, next: Segment::Witness }
    }

    fn push(
        &mut self,
        shape: &[usize],
        bounds: (i64, i64),
        segment: Segment,
        constant: Vec<i64>,
    ) -> TensorId {
        let committed = Segment::COMMITTED.contains(&segment);
        let width = if committed { tacit_model::signed_width(bounds.0, bounds.1) } else { 0 };
        self.tensors.push(TensorSpec { shape: shape.to_vec(), bounds, segment, width, constant });
        TensorId(self.tensors.len() as u32 - 1)
    }

    /// Random values within bounds; both bounds occur where there is room for them.
    pub fn values(&mut self, len: usize, (lo, hi): (i64, i64)) -> Vec<i64> {
        let mut values: Vec<i64> = (0..len).map(|_| self.rng.range(lo, hi)).collect();
        if len > 2 {
            values[len - 1] = hi;
            values[len - 2] = lo;
        }
        values
    }

    fn filled(&mut self, shape: &[usize], bounds: (i64, i64)) -> Vec<i64> {
        self.values(shape.iter().product(), bounds)
    }

    /// Random weights.
    pub fn weights(&mut self, shape: &[usize], width: u8) -> TensorId {
        let values = self.filled(shape, signed(width));
        self.weights_of(shape, width, values)
    }

    /// Weights.
    pub fn weights_of(&mut self, shape: &[usize], width: u8, values: Vec<i64>) -> TensorId {
        self.given.weights.push(values);
        self.push(shape, signed(width), Segment::Weights, Vec::new())
    }

    /// A random hidden input.
    pub fn input(&mut self, shape: &[usize], width: u8) -> TensorId {
        let values = self.filled(shape, signed(width));
        self.input_of(shape, width, values)
    }

    /// A hidden input.
    pub fn input_of(&mut self, shape: &[usize], width: u8, values: Vec<i64>) -> TensorId {
        self.given.input.push(values);
        self.push(shape, signed(width), Segment::Input, Vec::new())
    }

    /// A random public tensor, given by the claim.
    pub fn public(&mut self, shape: &[usize], bounds: (i64, i64)) -> TensorId {
        let values = self.filled(shape, bounds);
        self.given.public.push(values);
        self.push(shape, bounds, Segment::Public, Vec::new())
    }

    /// A tensor of the architecture.
    pub fn constant(&mut self, shape: &[usize], values: Vec<i64>) -> TensorId {
        let lo = values.iter().copied().min().unwrap_or(0);
        let hi = values.iter().copied().max().unwrap_or(0);
        self.push(shape, (lo, hi), Segment::Constant, values)
    }

    /// The segment of the next relation's result; later ones are witnesses again.
    pub fn to(&mut self, segment: Segment) -> &mut Self {
        self.next = segment;
        self
    }

    /// What a view can show: padding shows zero.
    fn shown(&self, view: &View) -> (i128, i128) {
        let (lo, hi) = self.tensors[view.tensor.0 as usize].bounds;
        let padded = view.axes.iter().any(|a| a.valid < a.len);
        let (lo, hi) = if padded { (lo.min(0), hi.max(0)) } else { (lo, hi) };
        (lo.into(), hi.into())
    }

    fn result(&mut self, len: usize, lo: i128, hi: i128) -> TensorId {
        let bounds = (i64::try_from(lo).expect("small"), i64::try_from(hi).expect("small"));
        let segment = std::mem::replace(&mut self.next, Segment::Witness);
        self.push(&[len], bounds, segment, Vec::new())
    }

    /// A [`Relation::Contraction`]; its result, bounded by interval arithmetic.
    pub fn contraction(&mut self, a: View, c: View, bias: Option<View>) -> TensorId {
        self.grouped(a, c, Grouping::MATRIX, bias)
    }

    /// A [`Relation::Contraction`] of several axes each; its result, bounded by interval arithmetic.
    ///
    /// # Panics
    /// When the operands do not agree.
    pub fn grouped(&mut self, a: View, c: View, grouping: Grouping, bias: Option<View>) -> TensorId {
        let sizes = grouping.sizes(&a, &c).expect("operands agree");
        let depth = sizes.depth as i128;
        let (mut lo, mut hi) = times(self.shown(&a), self.shown(&c));
        (lo, hi) = (lo * depth, hi * depth);
        if let Some(bias) = &bias {
            let b = self.shown(bias);
            (lo, hi) = (lo + b.0, hi + b.1);
        }
        let y = self.result(sizes.batches * sizes.rows * sizes.columns, lo, hi);
        self.relations.push(Relation::Contraction { a, c, grouping, bias, y });
        y
    }

    /// A [`Relation::Affine`]; its result, bounded by interval arithmetic.
    ///
    /// # Panics
    /// Without a term.
    pub fn affine(&mut self, terms: Vec<(i64, View)>, offset: i64) -> TensorId {
        let (mut lo, mut hi) = (i128::from(offset), i128::from(offset));
        for (c, v) in &terms {
            let p = times((i128::from(*c), i128::from(*c)), self.shown(v));
            (lo, hi) = (lo + p.0, hi + p.1);
        }
        let y = self.result(terms[0].1.len(), lo, hi);
        self.relations.push(Relation::Affine { terms, offset, y });
        y
    }

    /// A [`Relation::Product`]; its result, bounded by interval arithmetic.
    pub fn product(&mut self, a: View, c: View) -> TensorId {
        let (lo, hi) = times(self.shown(&a), self.shown(&c));
        let y = self.result(a.len(), lo, hi);
        self.relations.push(Relation::Product { a, c, y });
        y
    }

    /// A [`Relation::Requant`]; its result, bounded by interval arithmetic.
    pub fn requant(&mut self, x: View, shift: u8, lo: i64, hi: i64) -> TensorId {
        let y = self.result(x.len(), lo.into(), hi.into());
        self.relations.push(Relation::Requant { x, shift, lo, hi, y });
        y
    }

    /// A [`Relation::Range`].
    pub fn range(&mut self, x: View, lo: i64, hi: i64) {
        self.relations.push(Relation::Range { x, lo, hi });
    }

    /// A [`Relation::Table`].
    pub fn table(&mut self, x: View, first: i64, values: &[i64]) -> TensorId {
        let bound = |v: Option<i64>| i128::from(v.unwrap_or_default());
        let y =
            self.result(x.len(), bound(values.iter().copied().min()), bound(values.iter().copied().max()));
        self.relations.push(Relation::Table { x, first, values: values.into(), y });
        y
    }

    /// A [`Relation::Max`] over the last axis.
    pub fn max(&mut self, x: View) -> TensorId {
        self.max_over(x, 1)
    }

    /// A [`Relation::Max`] over the last `axes` axes.
    pub fn max_over(&mut self, x: View, axes: usize) -> TensorId {
        let (lo, hi) = self.shown(&x);
        let lead = x.axes[..x.axes.len() - axes].iter().map(|axis| axis.len).product();
        let y = self.result(lead, lo, hi);
        self.relations.push(Relation::Max { x, y });
        y
    }

    /// A [`Relation::ArgMax`].
    pub fn arg_max(&mut self, x: View) -> TensorId {
        let y = self.result(x.len(), 0, 1);
        self.relations.push(Relation::ArgMax { x, y });
        y
    }

    /// The whole tensor as a view.
    #[must_use]
    pub fn all(&self, id: TensorId) -> View {
        let len = self.tensors[id.0 as usize].len();
        View::whole(id, &[len])
    }

    /// The whole tensor under another shape.
    #[must_use]
    pub fn shaped(&self, id: TensorId, shape: &[usize]) -> View {
        View::whole(id, shape)
    }

    /// Name, system, and the values that no relation defines.
    ///
    /// # Panics
    /// When the system is ill-formed.
    #[must_use]
    pub fn system(self) -> (String, RelationSystem, Assignment) {
        let system = RelationSystem::new(self.tensors, self.relations)
            .unwrap_or_else(|e| panic!("{}: {e}", self.name));
        (self.name, system, self.given)
    }

    /// The case.
    ///
    /// # Panics
    /// When the system is ill-formed.
    #[must_use]
    pub fn finish(self) -> Case {
        let (name, system, given) = self.system();
        Case::new(name, system, given)
    }
}

fn times(a: (i128, i128), b: (i128, i128)) -> (i128, i128) {
    let all = [a.0 * b.0, a.0 * b.1, a.1 * b.0, a.1 * b.1];
    (*all.iter().min().expect("four"), *all.iter().max().expect("four"))
}

/// An axis that reads `valid` elements `stride` apart behind `before` zeros, `len` in all.
#[must_use]
pub fn padded(len: usize, stride: usize, before: usize, valid: usize) -> Axis {
    Axis { len, stride, before, valid }
}
