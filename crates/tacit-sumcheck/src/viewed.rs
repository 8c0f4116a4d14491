//! Views that are no expressions: windows, padding, changed shapes.
//!
//! What such a view shows is never committed. An evaluation of it, wherever one is asked for, is committed as a scalar and
//! reduced to one of what is looked at: with `copy[c] = original[map(c)]`, zero where `map` has none,
//!
//! `copy~(p) = Σ_x W(x) · original~(x)`, `W(x) = Σ_{c: map(c) = x} eq(p, c)`.
//!
//! Axes that a view shows as they are keep their coordinates, so that the sum ranges over the others alone: over one image,
//! however many samples and channels there are. The others fall into independent parts (height, width), and `W` is a product
//! over them; the verifier evaluates each factor in the size of its part. All reductions of one depth are one sum-check; a
//! view of a view is reduced before what it looks at (for convolutions: Liu, Xie, Zhang, "zkCNN" (2021), §4, whose sum is
//! over coefficients instead).

use std::ops::Range;

use halo2curves::ff::{Field, PrimeField as _};
use rayon::prelude::*;
use tacit_relations::{Axis, View};

use crate::claims::{Claims, Context};
use crate::expr::{Expr, Values};
use crate::grid::Grid;
use crate::group::F;
use crate::layout::outer_product;
use crate::party::{Linear, Malformed, Party};
use crate::poly::{bits, inner};
use crate::sumcheck::plain;
use crate::sums::{PlainSum, PlainSums, join, pad};

/// A view of an expression.
#[derive(Debug)]
pub(crate) struct Viewed {
    /// The grid of what is shown.
    pub(crate) grid: Grid,
    /// The grid of what is looked at.
    pub(crate) original_grid: Grid,
    pub(crate) original: Expr,
    /// The same as a view of the tensor that the expression stands for.
    #[cfg_attr(not(test), allow(dead_code))]
    pub(crate) view: View,
    /// Where each axis of the original takes its coordinate from.
    pub(crate) axes: Vec<Coordinate>,
    /// In order of the original's axes; those without any come last.
    pub(crate) parts: Vec<Part>,
    /// One more than the largest depth of the views in `original`.
    pub(crate) depth: usize,
}

/// Where an axis of the original takes its coordinate from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coordinate {
    /// An axis of what is shown, of the same length.
    Same(usize),
    /// Always this one.
    At(usize),
    /// A [`Part`].
    Part,
}

/// Axes of what is shown that walk along neighbouring axes of the original.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Axes of what is shown.
    pub(crate) copy: Vec<usize>,
    /// Axes of the original; none for axes that only repeat or pad.
    pub(crate) original: Range<usize>,
    /// The former, cut into as many axes as it takes; strides in elements of the latter.
    pub(crate) walk: Vec<Axis>,
    /// The position on the latter where the walk begins.
    pub(crate) start: usize,
}

impl Part {
    /// For every compact position on the axes of what is shown the one on the original's; `None` for padding. Never stored by a
    /// verifier: an architecture may name more of them than there is memory.
    pub(crate) fn positions(&self) -> impl Iterator<Item = Option<usize>> + '_ {
        let len: usize = self.walk.iter().map(|axis| axis.len).product();
        (0..len).map(|i| {
            let (mut rest, mut at) = (i, self.start);
            for axis in self.walk.iter().rev() {
                let coordinate = rest % axis.len;
                rest /= axis.len;
                at += coordinate.checked_sub(axis.before).filter(|&c| c < axis.valid)? * axis.stride;
            }
            Some(at)
        })
    }

    /// Lengths of some of a grid's axes.
    fn lens(grid: &Grid, axes: impl Iterator<Item = usize>) -> Vec<usize> {
        axes.map(|axis| grid.lens[axis]).collect()
    }

    /// `eq(p, c)` for every position on the part's axes of what is shown.
    fn at_copy(&self, viewed: &Viewed, point: &[&[F]]) -> Vec<F> {
        let lens = Self::lens(&viewed.grid, self.copy.iter().copied());
        let axes: Vec<&[F]> = self.copy.iter().map(|&axis| point[axis]).collect();
        outer_product(&lens, &axes)
    }

    /// `W` over the part's axes of the original.
    fn weights(&self, viewed: &Viewed, point: &[&[F]]) -> Vec<F> {
        let len = Self::lens(&viewed.original_grid, self.original.clone()).iter().product();
        let mut weights = vec![F::ZERO; len];
        for (weight, at) in self.at_copy(viewed, point).into_iter().zip(self.positions()) {
            if let Some(at) = at {
                weights[at] += weight;
            }
        }
        weights
    }
}

impl Viewed {
    /// The original's axes that are summed over.
    fn summed(&self) -> Grid {
        let axes = self.parts.iter().flat_map(|part| part.original.clone());
        Grid { lens: Part::lens(&self.original_grid, axes) }
    }

    /// `W` over [`Self::summed`], in compact order.
    fn weights(&self, point: &[&[F]]) -> Vec<F> {
        self.parts.iter().fold(vec![F::ONE], |product, part| {
            let own = part.weights(self, point);
            product.iter().flat_map(|p| own.iter().map(move |w| *p * w)).collect()
        })
    }

    /// The extension of `W` at a point of [`Self::summed`].
    fn extension(&self, point: &[&[F]], summed: &[&[F]]) -> F {
        let mut summed = summed;
        self.parts
            .iter()
            .map(|part| {
                let (own, rest) = summed.split_at(part.original.len());
                summed = rest;
                let at = outer_product(&Part::lens(&self.original_grid, part.original.clone()), own);
                let copy = part.at_copy(self, point).into_iter().zip(part.positions());
                copy.filter_map(|(weight, to)| to.map(|to| weight * at[to])).sum::<F>()
            })
            .product()
    }

    /// The point of the original, given that of what is shown and that of the summed axes.
    fn original_point(&self, point: &[&[F]], summed: &[&[F]]) -> Vec<Vec<F>> {
        let mut summed = summed.iter();
        self.axes
            .iter()
            .enumerate()
            .map(|(axis, coordinate)| match coordinate {
                Coordinate::Same(copy) => point[*copy].to_vec(),
                Coordinate::At(c) => bits(*c, crate::grid::bits_of(self.original_grid.lens[axis])),
                Coordinate::Part => summed.next().map_or_else(Vec::new, |z| z.to_vec()),
            })
            .collect()
    }

    /// What is looked at, bound at the coordinates that the view keeps: compact over [`Self::summed`] and over the kept axes of
    /// what is shown that have no point, in order of the original's axes.
    fn bind_original(&self, points: &[Option<&[F]>], values: &Values<'_>) -> Vec<F> {
        let own: Vec<Option<Vec<F>>> = self
            .axes
            .iter()
            .enumerate()
            .map(|(axis, coordinate)| match coordinate {
                Coordinate::Same(copy) => points[*copy].map(<[F]>::to_vec),
                Coordinate::At(c) => Some(bits(*c, crate::grid::bits_of(self.original_grid.lens[axis]))),
                Coordinate::Part => None,
            })
            .collect();
        let own: Vec<Option<&[F]>> = own.iter().map(Option::as_deref).collect();
        self.original.bind(&self.original_grid.lens, &own, values)
    }

    /// Binds the axes that have points, keeps the others: compact, and which axes are left, in what order.
    pub(crate) fn bind(&self, points: &[Option<&[F]>], values: &Values<'_>) -> (Vec<F>, Vec<usize>) {
        let mut tensor = self.bind_original(points, values);
        // The axes of `tensor`: kept ones of what is shown, and the original's by part.
        let mut axes: Vec<(Option<usize>, usize)> = Vec::new();
        for (axis, coordinate) in self.axes.iter().enumerate() {
            match coordinate {
                Coordinate::Same(copy) if points[*copy].is_some() => {}
                Coordinate::Same(copy) => axes.push((Some(*copy), self.grid.lens[*copy])),
                Coordinate::At(_) => {}
                Coordinate::Part => axes.push((None, self.original_grid.lens[axis])),
            }
        }
        for part in &self.parts {
            let at = axes.iter().position(|(copy, _)| copy.is_none()).filter(|_| !part.original.is_empty());
            let at = at.unwrap_or(axes.len());
            let size = |axes: &[(Option<usize>, usize)]| axes.iter().map(|(_, len)| len).product::<usize>();
            let (before, rest) = axes.split_at(at);
            let (own, after) = rest.split_at(part.original.len());
            let (own_len, after_len) = (size(own), size(after));
            let (steps, kept) = self.steps(part, points);
            let kept_len: usize = kept.iter().map(|&axis| self.grid.lens[axis]).product();
            let mut next = vec![F::ZERO; size(before) * kept_len * after_len];
            let blocks =
                next.par_chunks_mut(kept_len * after_len).zip(tensor.par_chunks(own_len * after_len));
            blocks.for_each(|(next, tensor)| {
                for (to, from, weight) in &steps {
                    let next = &mut next[to * after_len..(to + 1) * after_len];
                    let row = &tensor[from * after_len..(from + 1) * after_len];
                    for (sum, v) in next.iter_mut().zip(row) {
                        *sum += *v * weight;
                    }
                }
            });
            tensor = next;
            let kept = kept.iter().map(|&axis| (Some(axis), self.grid.lens[axis]));
            axes.splice(at..at + part.original.len(), kept);
        }
        (tensor, axes.into_iter().filter_map(|(copy, _)| copy).collect())
    }

    /// From a position on the original's axes to one on the kept axes of what is shown, with a weight; and those axes.
    fn steps(&self, part: &Part, points: &[Option<&[F]>]) -> (Vec<(usize, usize, F)>, Vec<usize>) {
        let kept: Vec<usize> = part.copy.iter().copied().filter(|&axis| points[axis].is_none()).collect();
        let tables: Vec<Option<Vec<F>>> = part
            .copy
            .iter()
            .map(|&axis| points[axis].map(|z| outer_product(&[self.grid.lens[axis]], &[z])))
            .collect();
        let mut steps = Vec::new();
        for (i, from) in part.positions().enumerate() {
            let Some(from) = from else { continue };
            let (mut rest, mut weight, mut to, mut stride) = (i, F::ONE, 0, 1);
            for (axis, table) in part.copy.iter().zip(&tables).rev() {
                let len = self.grid.lens[*axis];
                let coordinate = rest % len;
                rest /= len;
                match table {
                    Some(table) => weight *= table[coordinate],
                    None => {
                        to += coordinate * stride;
                        stride *= len;
                    }
                }
            }
            steps.push((to, from, weight));
        }
        (steps, kept)
    }

    /// The exact integers that are shown, in compact order.
    pub(crate) fn integers(&self, values: &Values<'_>) -> Vec<i128> {
        let original = self.original.integers(&self.original_grid.lens, values);
        let (strides, own) = (self.original_grid.strides(), self.grid.strides());
        let mut start = 0;
        let mut same = Vec::new();
        for (axis, coordinate) in self.axes.iter().enumerate() {
            match coordinate {
                Coordinate::Same(copy) => same.push((own[*copy], self.grid.lens[*copy], strides[axis])),
                Coordinate::At(c) => start += c * strides[axis],
                Coordinate::Part => {}
            }
        }
        // A part leads to positions on its own axes, the last of which has this stride.
        let unit = |part: &Part| part.original.end.checked_sub(1).map_or(0, |last| strides[last]);
        let maps: Vec<Vec<Option<usize>>> = self
            .parts
            .iter()
            .map(|part| part.positions().map(|at| at.map(|at| at * unit(part))).collect())
            .collect();
        (0..self.grid.len())
            .into_par_iter()
            .with_min_len(1 << 12)
            .map(|i| {
                let mut at = start;
                for (stride, len, step) in &same {
                    at += i / stride % len * step;
                }
                for (part, map) in self.parts.iter().zip(&maps) {
                    let position = part
                        .copy
                        .iter()
                        .fold(0, |p, &axis| p * self.grid.lens[axis] + i / own[axis] % self.grid.lens[axis]);
                    match map[position] {
                        Some(to) => at += to,
                        None => return 0,
                    }
                }
                original[at]
            })
            .collect()
    }

    /// For the prover: what the reduction of an evaluation sums, and the evaluation.
    pub(crate) fn evaluate(&self, point: &[&[F]], values: &Values<'_>) -> (Summed, F) {
        let points: Vec<Option<&[F]>> = point.iter().map(|z| Some(*z)).collect();
        let summed = Summed { weights: self.weights(point), original: self.bind_original(&points, values) };
        let value = inner(&summed.weights, &summed.original);
        (summed, value)
    }
}

/// The two factors of a reduction, compact over the summed axes.
pub(crate) struct Summed {
    weights: Vec<F>,
    original: Vec<F>,
}

/// The view's extension at `point` is `scalar`.
pub(crate) struct ViewClaim<S> {
    pub(crate) view: usize,
    pub(crate) point: Vec<F>,
    pub(crate) scalar: S,
    /// For the prover.
    pub(crate) summed: Option<Summed>,
}

/// Reduces every claim on a view to claims on columns.
pub(crate) fn run<P: Party>(
    party: &mut P,
    context: &Context<'_>,
    claims: &mut Claims<P::Scalar>,
) -> Result<(), Malformed> {
    let views = &context.plan.views;
    for depth in (1..=views.iter().map(|v| v.depth).max().unwrap_or(0)).rev() {
        // What deeper ones look at has been claimed by now.
        let (due, later) =
            std::mem::take(&mut claims.views).into_iter().partition(|c| views[c.view].depth == depth);
        claims.views = later;
        reduce(party, context, claims, due)?;
    }
    Ok(())
}

fn reduce<P: Party>(
    party: &mut P,
    context: &Context<'_>,
    claims: &mut Claims<P::Scalar>,
    mut due: Vec<ViewClaim<P::Scalar>>,
) -> Result<(), Malformed> {
    if due.is_empty() {
        return Ok(());
    }
    let views = &context.plan.views;
    let grids: Vec<Grid> = due.iter().map(|claim| views[claim.view].summed()).collect();
    let vars = grids.iter().map(Grid::vars).max().unwrap_or(0);
    let (mut weights, claim) = join(party, "views", due.iter().map(|claim| &claim.scalar));
    // Summing over variables that a claim does not have multiplies it by their number of values.
    for (weight, grid) in weights.iter_mut().zip(&grids) {
        *weight *= F::TWO_INV.pow_vartime([(vars - grid.vars()) as u64]);
    }
    let mut prover = context.proving.then(|| {
        let sums = due.iter_mut().zip(&grids).zip(&weights).map(|((claim, grid), weight)| {
            let summed = claim.summed.take().expect("the prover has values");
            let factors = vec![pad(grid, &summed.weights), pad(grid, &summed.original)];
            PlainSum { vars: grid.vars(), weight: *weight, factors }
        });
        PlainSums { sums: sums.collect(), left: vars, degree: 2 }
    });
    let rounds = prover.as_mut().map(|p| p as &mut dyn crate::sumcheck::PlainRounds);
    let reduced = plain(party, claim, vars, 2, rounds)?;
    let mut rest = reduced.claim;
    for ((claim, grid), weight) in due.iter().zip(&grids).zip(&weights) {
        let viewed = &views[claim.view];
        let point = viewed.grid.split(&claim.point);
        let summed = grid.split(&reduced.point[..grid.vars()]);
        let axes = viewed.original_point(&point, &summed);
        let axes: Vec<&[F]> = axes.iter().map(Vec::as_slice).collect();
        let mut value = claims.expr(party, context, &viewed.original, &viewed.original_grid.lens, &axes)?;
        value.scale(&viewed.extension(&point, &summed));
        rest.add(&value, &-*weight);
    }
    party.require_zero(rest);
    Ok(())
}
