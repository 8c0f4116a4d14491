//! Equations at a random point.
//!
//! A linear equation needs nothing but evaluations. Elementwise products are one weighted sum-check over all of them,
//! contractions (Thaler, "Time-optimal interactive proofs for circuit evaluation" (2013), §5) and wirings one plain one.
//! Instances with fewer variables than the longest take part in the last rounds only.

use halo2curves::ff::{Field, PrimeField as _};
use rayon::prelude::*;
use tacit_relations::View;

use crate::claims::{Claims, Context};
use crate::expr::Expr;
use crate::grid::{Grid, bits_of};
use crate::group::{F, f_from_i128};
use crate::layout::outer_product;
use crate::party::{Linear, Malformed, Party};
use crate::plan::{Check, Contraction};
use crate::poly::{SplitEq, at, eq_table, fold};
use crate::sumcheck::{PlainRounds, WeightedRounds, plain, weighted};

/// Runs every check of the plan.
pub(crate) fn run<P: Party>(
    party: &mut P,
    context: &Context<'_>,
    claims: &mut Claims<P::Scalar>,
) -> Result<(), Malformed> {
    let checks = &context.plan.checks;
    let vars = checks.iter().map(|c| Grid { lens: c.lens() }.vars()).max().unwrap_or(0);
    let z = party.challenges("relations", vars);

    let (mut products, mut sums) = (Vec::new(), Vec::new());
    for check in checks {
        let grid = Grid { lens: check.lens() };
        let axes = grid.split(&z[..grid.vars()]);
        let claim = claims.expr(party, context, check.claimed(), &grid.lens, &axes)?;
        match check {
            Check::Linear { .. } => party.require_zero(claim),
            Check::Elementwise { .. } => products.push((check, claim)),
            Check::Contraction(_) | Check::Wiring { .. } => sums.push((check, claim)),
        }
    }
    elementwise(party, context, claims, &z, products)?;
    summed(party, context, claims, &z, sums)
}

impl Check {
    /// The grid on which it is checked at a random point.
    fn lens(&self) -> Vec<usize> {
        match self {
            Self::Linear { lens, .. } | Self::Elementwise { lens, .. } | Self::Wiring { lens, .. } => {
                lens.clone()
            }
            Self::Contraction(c) => [&c.batch[..], &c.rows, &c.columns].concat(),
        }
    }

    /// The expression whose evaluation is claimed there.
    fn claimed(&self) -> &Expr {
        match self {
            Self::Linear { expr, .. } => expr,
            Self::Elementwise { result, .. } => result,
            Self::Wiring { copy, .. } => copy,
            Self::Contraction(c) => &c.result,
        }
    }
}

/// Joins claims by powers of a challenge: the powers, and the sum.
fn join<P: Party>(party: &mut P, label: &str, instances: &[(&Check, P::Scalar)]) -> (Vec<F>, P::Scalar) {
    let base = party.challenge(label);
    let powers: Vec<F> =
        std::iter::successors(Some(F::ONE), |p| Some(*p * base)).take(instances.len()).collect();
    let sum =
        instances.iter().zip(&powers).fold(P::Scalar::known(F::ZERO), |sum, ((_, c), w)| sum.plus(c, *w));
    (powers, sum)
}

/// The dense padded table of compact values.
fn pad(grid: &Grid, compact: &[F]) -> Vec<F> {
    let mut table = vec![F::ZERO; grid.padded_len()];
    grid.for_each(|i, padded| table[padded] = compact[i]);
    table
}

/// The dense padded table of an expression.
fn dense(expr: &Expr, lens: &[usize], context: &Context<'_>) -> Vec<F> {
    let integers = expr.integers(lens, &context.values);
    let compact: Vec<F> = integers.par_iter().with_min_len(1 << 12).map(|v| f_from_i128(*v)).collect();
    pad(&Grid { lens: lens.to_vec() }, &compact)
}

/// `claim_i = Σ_x eq(z, x) left_i(x) right_i(x)`, joined by powers of a challenge.
fn elementwise<P: Party>(
    party: &mut P,
    context: &Context<'_>,
    claims: &mut Claims<P::Scalar>,
    z: &[F],
    instances: Vec<(&Check, P::Scalar)>,
) -> Result<(), Malformed> {
    if instances.is_empty() {
        return Ok(());
    }
    let (weights, claim) = join(party, "products", &instances);
    let grids: Vec<Grid> = instances.iter().map(|(check, _)| Grid { lens: check.lens() }).collect();
    let vars = grids.iter().map(Grid::vars).max().unwrap_or(0);
    let mut prover = context.proving.then(|| {
        let products = instances.iter().zip(&grids).zip(&weights).map(|(((check, claim), grid), weight)| {
            let Check::Elementwise { lens, left, right, .. } = check else {
                unreachable!("callers pass elementwise products")
            };
            let (left, right) = (dense(left, lens, context), dense(right, lens, context));
            let claim = party.value(claim).expect("the prover has values");
            WeightedProduct { vars: grid.vars(), weight: *weight, claim, left, right }
        });
        WeightedProducts { products: products.collect(), eq: SplitEq::new(&z[..vars]) }
    });
    let rounds = prover.as_mut().map(|p| p as &mut dyn WeightedRounds);
    let reduced = weighted(party, claim, &z[..vars], rounds)?;
    let mut rest = reduced.claim;
    for (((check, _), grid), weight) in instances.iter().zip(&grids).zip(&weights) {
        let Check::Elementwise { lens, left, right, .. } = check else {
            unreachable!("callers pass elementwise products")
        };
        let axes = grid.split(&reduced.point[..grid.vars()]);
        let left = claims.expr(party, context, left, lens, &axes)?;
        let right = claims.expr(party, context, right, lens, &axes)?;
        let product = party.multiply(&left, &right)?;
        rest.add(&product, &-*weight);
    }
    party.require_zero(rest);
    Ok(())
}

struct WeightedProduct {
    vars: usize,
    weight: F,
    /// What it contributes until it takes part.
    claim: F,
    left: Vec<F>,
    right: Vec<F>,
}

struct WeightedProducts {
    products: Vec<WeightedProduct>,
    eq: SplitEq,
}

impl WeightedRounds for WeightedProducts {
    fn round(&mut self) -> (F, F) {
        self.eq.pop();
        let left = self.eq.vars();
        self.products.iter().fold((F::ZERO, F::ZERO), |sum, product| {
            if product.vars <= left {
                return (sum.0 + product.weight * product.claim, sum.1);
            }
            let (a, b) = (&product.left, &product.right);
            let pairs = a.len().min(b.len()).div_ceil(2);
            let (one, leading) = self.eq.sum(pairs, |y| {
                let (a0, a1, b0, b1) = (at(a, 2 * y), at(a, 2 * y + 1), at(b, 2 * y), at(b, 2 * y + 1));
                (a1 * b1, (a1 - a0) * (b1 - b0))
            });
            (sum.0 + product.weight * one, sum.1 + product.weight * leading)
        })
    }

    fn bind(&mut self, r: &F) {
        let left = self.eq.vars();
        for product in self.products.iter_mut().filter(|p| p.vars > left) {
            fold(&mut product.left, r);
            fold(&mut product.right, r);
        }
    }
}

/// `claim_i = Σ_x factors_i(x)`, joined by powers of a challenge.
fn summed<P: Party>(
    party: &mut P,
    context: &Context<'_>,
    claims: &mut Claims<P::Scalar>,
    z: &[F],
    instances: Vec<(&Check, P::Scalar)>,
) -> Result<(), Malformed> {
    if instances.is_empty() {
        return Ok(());
    }
    let grids: Vec<Grid> = instances.iter().map(|(check, _)| Grid { lens: check.summed_lens() }).collect();
    let vars = grids.iter().map(Grid::vars).max().unwrap_or(0);
    let batched = |check: &&Check| matches!(check, Check::Contraction(c) if c.is_batched());
    let degree = if instances.iter().any(|(check, _)| batched(check)) { 3 } else { 2 };
    let (mut weights, claim) = join(party, "sums", &instances);
    // Summing over variables that an instance does not have multiplies it by their number of values.
    for (weight, grid) in weights.iter_mut().zip(&grids) {
        *weight *= F::TWO_INV.pow_vartime([(vars - grid.vars()) as u64]);
    }
    let mut prover =
        context.proving.then(|| {
            let _span = tracing::info_span!(target: "tacit_sumcheck", "bind").entered();
            let sums = instances.iter().zip(&grids).zip(&weights).map(|(((check, _), grid), weight)| {
                PlainSum { vars: grid.vars(), weight: *weight, factors: check.factors(grid, z, context) }
            });
            PlainSums { sums: sums.collect(), left: vars, degree }
        });
    let rounds = prover.as_mut().map(|p| p as &mut dyn PlainRounds);
    let reduced = plain(party, claim, vars, degree, rounds)?;
    let mut rest = reduced.claim;
    for (((check, _), grid), weight) in instances.iter().zip(&grids).zip(&weights) {
        let point = &reduced.point[..grid.vars()];
        let value = match check {
            Check::Contraction(c) => {
                let (batch, rows, columns) = c.split(z);
                let summed = grid.split(point);
                let (summed_batch, k) = summed.split_at(c.batch.len());
                let lens = c.left_lens();
                let left = claims.expr(party, context, &c.left, &lens, &[summed_batch, &rows, k].concat())?;
                let lens = c.right_lens();
                let right =
                    claims.expr(party, context, &c.right, &lens, &[summed_batch, k, &columns].concat())?;
                let mut product = party.multiply(&left, &right)?;
                let same: F = batch
                    .iter()
                    .zip(summed_batch)
                    .flat_map(|(a, b)| a.iter().zip(*b))
                    .map(|(a, b)| *a * b + (F::ONE - a) * (F::ONE - b))
                    .product();
                product.scale(&same);
                product
            }
            Check::Wiring { lens, original_lens, original, view, .. } => {
                let axes = grid.split(point);
                let mut value = claims.expr(party, context, original, original_lens, &axes)?;
                let at_copy = copy_weights(lens, z);
                let at_original = outer_product(original_lens, &axes);
                let wired: F =
                    (0..view.len()).filter_map(|i| view.index(i).map(|j| at_copy[i] * at_original[j])).sum();
                value.scale(&wired);
                value
            }
            _ => unreachable!("callers pass sums"),
        };
        rest.add(&value, &-*weight);
    }
    party.require_zero(rest);
    Ok(())
}

/// `eq(z, i)` for every element of a copy.
fn copy_weights(lens: &[usize], z: &[F]) -> Vec<F> {
    let grid = Grid { lens: lens.to_vec() };
    outer_product(lens, &grid.split(&z[..grid.vars()]))
}

impl Contraction {
    fn is_batched(&self) -> bool {
        self.batch.iter().any(|&len| len > 1)
    }

    fn left_lens(&self) -> Vec<usize> {
        [&self.batch[..], &self.rows, &[self.k]].concat()
    }

    fn right_lens(&self) -> Vec<usize> {
        [&self.batch[..], &[self.k], &self.columns].concat()
    }

    /// The random point of the result: batch, rows, columns.
    #[allow(clippy::type_complexity)]
    fn split<'z>(&self, z: &'z [F]) -> (Vec<&'z [F]>, Vec<&'z [F]>, Vec<&'z [F]>) {
        let grid = Grid { lens: [&self.batch[..], &self.rows, &self.columns].concat() };
        let axes = grid.split(&z[..grid.vars()]);
        let (batch, rest) = axes.split_at(self.batch.len());
        let (rows, columns) = rest.split_at(self.rows.len());
        (batch.to_vec(), rows.to_vec(), columns.to_vec())
    }
}

impl Check {
    /// The grid that is summed over.
    fn summed_lens(&self) -> Vec<usize> {
        match self {
            Self::Contraction(c) => [&c.batch[..], &[c.k]].concat(),
            Self::Wiring { original_lens, .. } => original_lens.clone(),
            Self::Linear { .. } | Self::Elementwise { .. } => Vec::new(),
        }
    }

    /// The tables whose product is summed.
    fn factors(&self, grid: &Grid, z: &[F], context: &Context<'_>) -> Vec<Vec<F>> {
        match self {
            Self::Contraction(c) => {
                let (batch, rows, columns) = c.split(z);
                let kept = vec![None; c.batch.len()];
                let some = |axes: &[&'_ [F]]| axes.iter().map(|a| Some(a.to_vec())).collect::<Vec<_>>();
                let bind = |expr: &Expr, lens: &[usize], points: Vec<Option<Vec<F>>>| {
                    let points: Vec<Option<&[F]>> = points.iter().map(Option::as_deref).collect();
                    pad(grid, &expr.bind(lens, &points, &context.values))
                };
                let left = bind(&c.left, &c.left_lens(), [kept.clone(), some(&rows), vec![None]].concat());
                let right = bind(&c.right, &c.right_lens(), [kept, vec![None], some(&columns)].concat());
                if !c.is_batched() {
                    return vec![left, right];
                }
                // Over the whole hypercube: the verifier evaluates the extension of equality itself.
                let along = eq_table(&batch.concat());
                let k = 1 << bits_of(c.k);
                vec![left, right, along.iter().flat_map(|e| std::iter::repeat_n(*e, k)).collect()]
            }
            Self::Wiring { lens, original_lens, original, view, .. } => {
                let mut weights = vec![F::ZERO; grid.len()];
                wire_weights(view, &copy_weights(lens, z), &mut weights);
                vec![pad(grid, &weights), dense(original, original_lens, context)]
            }
            Self::Linear { .. } | Self::Elementwise { .. } => Vec::new(),
        }
    }
}

/// Adds each element's weight to the position it is a copy of.
fn wire_weights(view: &View, copy: &[F], original: &mut [F]) {
    for (i, weight) in copy.iter().enumerate() {
        if let Some(j) = view.index(i) {
            original[j] += weight;
        }
    }
}

struct PlainSum {
    vars: usize,
    weight: F,
    factors: Vec<Vec<F>>,
}

struct PlainSums {
    sums: Vec<PlainSum>,
    /// Variables left to bind.
    left: usize,
    degree: usize,
}

impl PlainRounds for PlainSums {
    fn round(&mut self) -> Vec<F> {
        let mut total = vec![F::ZERO; self.degree];
        for sum in self.sums.iter().filter(|s| s.vars >= self.left) {
            let pairs = sum.factors.iter().map(Vec::len).min().unwrap_or(0).div_ceil(2);
            let coefficients = (0..pairs)
                .into_par_iter()
                .with_min_len(1 << 10)
                .map(|y| {
                    // The product of the factors as a polynomial in the bound variable.
                    let mut product = [F::ONE, F::ZERO, F::ZERO, F::ZERO];
                    for (d, factor) in sum.factors.iter().enumerate() {
                        let low = at(factor, 2 * y);
                        let slope = at(factor, 2 * y + 1) - low;
                        for i in (0..=d + 1).rev() {
                            let from_below = if i > 0 { product[i - 1] * slope } else { F::ZERO };
                            product[i] = product[i] * low + from_below;
                        }
                    }
                    product
                })
                .reduce(|| [F::ZERO; 4], |a, b| std::array::from_fn(|i| a[i] + b[i]));
            for (t, c) in total.iter_mut().zip(&coefficients[1..]) {
                *t += sum.weight * c;
            }
        }
        total
    }

    fn bind(&mut self, r: &F) {
        for sum in self.sums.iter_mut().filter(|s| s.vars >= self.left) {
            for factor in &mut sum.factors {
                fold(factor, r);
            }
        }
        self.left -= 1;
    }
}
