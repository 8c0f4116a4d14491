//! Expressions: integer-linear forms of columns, over a grid.
//!
//! A tensor of the relation system is such a form of what is really committed: an accumulator, for example, is a form of
//! the digits that its requantisation commits. Every linear relation is then free.

use std::borrow::Cow;

use halo2curves::ff::Field;
use rayon::prelude::*;

use crate::grid::{Grid, bits_of};
use crate::group::{F, f_from_i128};
use crate::layout::outer_product;
use crate::poly::{bits, eq_sum};
use crate::viewed::Viewed;
use crate::wide::{ColumnSums, dot, limbs};

/// Where values come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Source {
    /// A committed column.
    Column(usize),
    /// Values that the verifier has.
    Public(usize),
    /// A view of another expression.
    Viewed(usize),
}

/// Where an axis of a source takes its coordinate from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// An axis of the expression's grid.
    Axis(usize),
    /// Always this one.
    At(usize),
}

/// `coefficient · source[slots]`. An axis of the grid that no slot takes is broadcast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) coefficient: i128,
    pub(crate) source: Source,
    pub(crate) slots: Vec<Slot>,
}

/// `Σ terms + constant`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Expr {
    pub(crate) terms: Vec<Term>,
    pub(crate) constant: i128,
}

/// Coefficients beyond this are not composed further.
const LARGEST: i128 = 1 << 120;

impl Expr {
    /// A constant.
    pub(crate) fn constant(constant: i128) -> Self {
        Self { terms: Vec::new(), constant }
    }

    /// A source of the same axes.
    pub(crate) fn source(source: Source, axes: usize) -> Self {
        let slots = (0..axes).map(Slot::Axis).collect();
        Self { terms: vec![Term { coefficient: 1, source, slots }], constant: 0 }
    }

    /// `self + by · other`; `None` when a coefficient grows too large.
    pub(crate) fn checked_add(mut self, other: &Self, by: i128) -> Option<Self> {
        let small = |v: i128| (v.abs() <= LARGEST).then_some(v);
        for term in &other.terms {
            let coefficient = small(term.coefficient.checked_mul(by)?)?;
            let same = |t: &&mut Term| t.source == term.source && t.slots == term.slots;
            match self.terms.iter_mut().find(same) {
                Some(own) => own.coefficient = small(own.coefficient.checked_add(coefficient)?)?,
                None => self.terms.push(Term { coefficient, ..term.clone() }),
            }
        }
        self.terms.retain(|t| t.coefficient != 0);
        self.constant = small(self.constant.checked_add(other.constant.checked_mul(by)?)?)?;
        Some(self)
    }

    /// The same values on another grid, whose axes `slots` gives to the axes of this one.
    pub(crate) fn compose(&self, slots: &[Slot]) -> Self {
        let through = |slot: &Slot| match slot {
            Slot::Axis(i) => slots[*i],
            at => *at,
        };
        let terms = self
            .terms
            .iter()
            .map(|t| Term { slots: t.slots.iter().map(through).collect(), ..t.clone() })
            .collect();
        Self { terms, constant: self.constant }
    }

    /// The exact integers, in compact order over `lens`.
    pub(crate) fn integers(&self, lens: &[usize], values: &Values<'_>) -> Vec<i128> {
        let len: usize = lens.iter().product();
        let mut out = vec![self.constant; len];
        for term in &self.terms {
            if let Source::Viewed(i) = term.source {
                let data = values.views[i].integers(values);
                let (start, strides) = term.strides(lens.len(), &values.views[i].grid);
                walk(lens, start, &strides, |i, at| out[i] += term.coefficient * data[at]);
                continue;
            }
            let (data, grid) = values.of(term.source);
            let (start, strides) = term.strides(lens.len(), grid);
            if start == 0 && strides == (Grid { lens: lens.to_vec() }).strides() && data.len() == len {
                out.par_iter_mut().with_min_len(1 << 12).zip(data).for_each(|(o, v)| {
                    *o += term.coefficient * i128::from(*v);
                });
            } else {
                walk(lens, start, &strides, |i, at| out[i] += term.coefficient * i128::from(data[at]));
            }
        }
        out
    }

    /// Binds the axes that have weights, keeps the others: compact over the kept axes, in their order.
    pub(crate) fn bind(&self, lens: &[usize], points: &[Option<&[F]>], values: &Values<'_>) -> Vec<F> {
        let kept: Vec<usize> = (0..lens.len()).filter(|&i| points[i].is_none()).collect();
        let kept_lens: Vec<usize> = kept.iter().map(|&i| lens[i]).collect();
        let total = |used: &dyn Fn(usize) -> bool| {
            (0..lens.len()).filter(|&i| !used(i)).fold(F::ONE, |product, i| match points[i] {
                Some(z) => product * eq_sum(z, lens[i]),
                None => product,
            })
        };
        let mut out = vec![f_from_i128(self.constant) * total(&|_| false); kept_lens.iter().product()];
        for term in &self.terms {
            let factor = f_from_i128(term.coefficient) * total(&|i| term.slots.contains(&Slot::Axis(i)));
            let (bound, axes) = match term.source {
                Source::Viewed(i) => bind_view(&values.views[i], &term.slots, points, values),
                source => {
                    let (data, grid) = values.of(source);
                    bind_source(data, grid, &term.slots, points)
                }
            };
            // Place what is left of the source's axes among the kept ones.
            let own = Grid { lens: axes.iter().map(|&i| lens[i]).collect() };
            let own_strides = own.strides();
            let strides: Vec<usize> =
                kept.iter().map(|i| axes.iter().position(|a| a == i).map_or(0, |p| own_strides[p])).collect();
            walk(&kept_lens, 0, &strides, |i, at| out[i] += bound[at] * factor);
        }
        out
    }
}

impl Term {
    /// The point of the source's extension, given that of the expression's.
    pub(crate) fn point(&self, grid: &Grid, axes: &[&[F]]) -> Vec<F> {
        let mut point = Vec::with_capacity(grid.vars());
        for (slot, &len) in self.slots.iter().zip(&grid.lens) {
            match slot {
                Slot::Axis(i) => point.extend_from_slice(axes[*i]),
                Slot::At(c) => point.extend(bits(*c, bits_of(len))),
            }
        }
        point
    }

    /// Position of the first element and distance between neighbours along each axis of the grid.
    fn strides(&self, axes: usize, grid: &Grid) -> (usize, Vec<usize>) {
        let mut strides = vec![0; axes];
        let mut start = 0;
        for (slot, stride) in self.slots.iter().zip(grid.strides()) {
            match slot {
                Slot::Axis(i) => strides[*i] += stride,
                Slot::At(c) => start += c * stride,
            }
        }
        (start, strides)
    }
}

/// Calls `visit(compact, position)` for every element of a strided walk.
pub(crate) fn walk(lens: &[usize], start: usize, strides: &[usize], mut visit: impl FnMut(usize, usize)) {
    let Some((&last, outer)) = lens.split_last() else { return visit(0, start) };
    let (last_stride, outer_strides) = (strides[outer.len()], &strides[..outer.len()]);
    let mut coordinates = vec![0; outer.len()];
    let (mut at, mut index) = (start, 0);
    for _ in 0..outer.iter().product() {
        for i in 0..last {
            visit(index, at + i * last_stride);
            index += 1;
        }
        for axis in (0..outer.len()).rev() {
            coordinates[axis] += 1;
            at += outer_strides[axis];
            if coordinates[axis] < outer[axis] {
                break;
            }
            at -= outer[axis] * outer_strides[axis];
            coordinates[axis] = 0;
        }
    }
}

/// Binds a source's axes; returns the axes of the expression that are left, in the source's order.
fn bind_source(data: &[i64], grid: &Grid, slots: &[Slot], points: &[Option<&[F]>]) -> (Vec<F>, Vec<usize>) {
    let fixed = slots.iter().any(|s| matches!(s, Slot::At(_)));
    let (data, grid, slots): (Cow<'_, [i64]>, _, Vec<usize>) = if fixed {
        let mut start = 0;
        let (mut lens, mut strides, mut left) = (Vec::new(), Vec::new(), Vec::new());
        for ((slot, stride), &len) in slots.iter().zip(grid.strides()).zip(&grid.lens) {
            match slot {
                Slot::At(c) => start += c * stride,
                Slot::Axis(i) => {
                    lens.push(len);
                    strides.push(stride);
                    left.push(*i);
                }
            }
        }
        let mut slice = vec![0; lens.iter().product()];
        walk(&lens, start, &strides, |i, at| slice[i] = data[at]);
        (slice.into(), Grid { lens }, left)
    } else {
        let axes = slots.iter().map(|s| if let Slot::Axis(i) = s { *i } else { 0 }).collect();
        (data.into(), grid.clone(), axes)
    };
    // Runs of neighbouring axes that are bound, the first one over integers.
    let mut lens = grid.lens;
    let mut axes = slots;
    let mut field: Option<Vec<F>> = None;
    while let Some(end) = axes.iter().rposition(|&i| points[i].is_some()) {
        let begin = axes[..end].iter().rposition(|&i| points[i].is_none()).map_or(0, |p| p + 1);
        let z: Vec<&[F]> = axes[begin..=end].iter().filter_map(|&i| points[i]).collect();
        let weights = outer_product(&lens[begin..=end], &z);
        let inner: usize = lens[end + 1..].iter().product();
        field = Some(match field {
            None => bind_integers(&data, &weights, inner),
            Some(values) => bind_field(&values, &weights, inner),
        });
        lens.drain(begin..=end);
        axes.drain(begin..=end);
    }
    let field = field.unwrap_or_else(|| data.iter().map(|&v| crate::group::f_from_i64(v)).collect());
    (field, axes)
}

/// The same for a view.
fn bind_view(
    viewed: &Viewed,
    slots: &[Slot],
    points: &[Option<&[F]>],
    values: &Values<'_>,
) -> (Vec<F>, Vec<usize>) {
    let own: Vec<Option<Cow<'_, [F]>>> = slots
        .iter()
        .zip(&viewed.grid.lens)
        .map(|(slot, &len)| match slot {
            Slot::Axis(i) => points[*i].map(Cow::Borrowed),
            Slot::At(c) => Some(bits(*c, bits_of(len)).into()),
        })
        .collect();
    let own: Vec<Option<&[F]>> = own.iter().map(Option::as_deref).collect();
    let (bound, kept) = viewed.bind(&own, values);
    let axis = |copy: &usize| match slots[*copy] {
        Slot::Axis(i) => i,
        Slot::At(_) => unreachable!("fixed coordinates are bound"),
    };
    (bound, kept.iter().map(axis).collect())
}

/// `out[o, i] = Σ_j weights[j] · data[o, j, i]`.
fn bind_integers(data: &[i64], weights: &[F], inner: usize) -> Vec<F> {
    let weights: Vec<_> = weights.iter().map(limbs).collect();
    if inner == 1 {
        return data
            .par_chunks(weights.len())
            .with_min_len((1 << 12) / weights.len().min(1 << 12))
            .map(|row| dot(&weights, row))
            .collect();
    }
    // Enough rows for a thread to be worth it, few enough for every thread to have some.
    let rows = (weights.len().div_ceil(2 * rayon::current_num_threads())).max((1 << 13) / inner.min(1 << 13));
    data.chunks(weights.len() * inner)
        .flat_map(|block| {
            let sums = block
                .par_chunks(rows * inner)
                .zip(weights.par_chunks(rows))
                .map(|(block, weights)| {
                    let mut sums = ColumnSums::new(inner);
                    for (row, weight) in block.chunks(inner).zip(weights) {
                        sums.add(weight, 0, row);
                    }
                    sums
                })
                .reduce_with(|mut a, b| {
                    a.merge(&b);
                    a
                });
            sums.map_or_else(Vec::new, |s| s.finish())
        })
        .collect()
}

/// The same over field elements.
fn bind_field(data: &[F], weights: &[F], inner: usize) -> Vec<F> {
    data.chunks(weights.len() * inner)
        .flat_map(|block| {
            let mut sums = vec![F::ZERO; inner];
            for (row, weight) in block.chunks(inner).zip(weights) {
                for (sum, v) in sums.iter_mut().zip(row) {
                    *sum += *v * weight;
                }
            }
            sums
        })
        .collect()
}

/// Integers by source.
pub(crate) struct Values<'t> {
    /// Columns; the verifier has none.
    pub(crate) columns: Vec<Cow<'t, [i64]>>,
    pub(crate) column_grids: &'t [Grid],
    pub(crate) publics: &'t [Vec<i64>],
    pub(crate) public_grids: &'t [Grid],
    pub(crate) views: &'t [Viewed],
}

impl Values<'_> {
    /// Values and grid of a source that is no view.
    fn of(&self, source: Source) -> (&[i64], &Grid) {
        match source {
            Source::Column(i) => (&self.columns[i], &self.column_grids[i]),
            Source::Public(i) => (&self.publics[i], &self.public_grids[i]),
            Source::Viewed(_) => unreachable!("callers have told views apart"),
        }
    }

    /// The grid of a source.
    pub(crate) fn grid(&self, source: Source) -> &Grid {
        match source {
            Source::Column(i) => &self.column_grids[i],
            Source::Public(i) => &self.public_grids[i],
            Source::Viewed(i) => &self.views[i].grid,
        }
    }
}
