//! Equations at a random point.
//!
//! A linear equation needs nothing but evaluations. Elementwise products are one weighted sum-check over all of them,
//! contractions (Thaler, "Time-optimal interactive proofs for circuit evaluation" (2013), §5) one plain one.
//! Instances with fewer variables than the longest take part in the last rounds only.

use halo2curves::ff::{Field, PrimeField as _};
use rayon::prelude::*;

use crate::claims::{Claims, Context};
use crate::expr::Expr;
use crate::grid::Grid;
use crate::group::{F, f_from_i128};
use crate::party::{Linear, Malformed, Party};
use crate::plan::{Check, Contraction};
use crate::poly::{SplitEq, at, eq_table, fold};
use crate::sumcheck::{PlainRounds, WeightedRounds, plain, weighted};
use crate::sums::{PlainSum, PlainSums, join, pad};

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
            Check::Contraction(contraction) => sums.push((&**contraction, claim)),
        }
    }
    elementwise(party, context, claims, &z, products)?;
    summed(party, context, claims, &z, sums)
}

impl Check {
    /// The grid on which it is checked at a random point.
    fn lens(&self) -> Vec<usize> {
        match self {
            Self::Linear { lens, .. } | Self::Elementwise { lens, .. } => lens.clone(),
            Self::Contraction(c) => [&c.batch[..], &c.rows, &c.columns].concat(),
        }
    }

    /// The expression whose evaluation is claimed there.
    fn claimed(&self) -> &Expr {
        match self {
            Self::Linear { expr, .. } => expr,
            Self::Elementwise { result, .. } => result,
            Self::Contraction(c) => &c.result,
        }
    }
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
    let (weights, claim) = join(party, "products", instances.iter().map(|(_, claim)| claim));
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
    instances: Vec<(&Contraction, P::Scalar)>,
) -> Result<(), Malformed> {
    if instances.is_empty() {
        return Ok(());
    }
    let grids: Vec<Grid> = instances.iter().map(|(c, _)| Grid { lens: c.summed_lens() }).collect();
    let vars = grids.iter().map(Grid::vars).max().unwrap_or(0);
    let degree = if instances.iter().any(|(c, _)| c.is_batched()) { 3 } else { 2 };
    let (mut weights, claim) = join(party, "sums", instances.iter().map(|(_, claim)| claim));
    // Summing over variables that an instance does not have multiplies it by their number of values.
    for (weight, grid) in weights.iter_mut().zip(&grids) {
        *weight *= F::TWO_INV.pow_vartime([(vars - grid.vars()) as u64]);
    }
    let mut prover = context.proving.then(|| {
        let _span = tracing::info_span!(target: "tacit_sumcheck", "bind").entered();
        let sums = instances.iter().zip(&grids).zip(&weights).map(|(((c, _), grid), weight)| PlainSum {
            vars: grid.vars(),
            weight: *weight,
            factors: c.factors(grid, z, context),
        });
        PlainSums { sums: sums.collect(), left: vars, degree }
    });
    let rounds = prover.as_mut().map(|p| p as &mut dyn PlainRounds);
    let reduced = plain(party, claim, vars, degree, rounds)?;
    let mut rest = reduced.claim;
    for (((c, _), grid), weight) in instances.iter().zip(&grids).zip(&weights) {
        let (batch, rows, columns) = c.split(z);
        let summed = grid.split(&reduced.point[..grid.vars()]);
        let (summed_batch, k) = summed.split_at(c.batch.len());
        let lens = c.left_lens();
        let left = claims.expr(party, context, &c.left, &lens, &[summed_batch, &rows, k].concat())?;
        let lens = c.right_lens();
        let right = claims.expr(party, context, &c.right, &lens, &[summed_batch, k, &columns].concat())?;
        let mut product = party.multiply(&left, &right)?;
        let same: F = batch
            .iter()
            .zip(summed_batch)
            .flat_map(|(a, b)| a.iter().zip(*b))
            .map(|(a, b)| *a * b + (F::ONE - a) * (F::ONE - b))
            .product();
        product.scale(&same);
        rest.add(&product, &-*weight);
    }
    party.require_zero(rest);
    Ok(())
}

impl Contraction {
    fn is_batched(&self) -> bool {
        self.batch.iter().any(|&len| len > 1)
    }

    fn left_lens(&self) -> Vec<usize> {
        [&self.batch[..], &self.rows, &self.k].concat()
    }

    fn right_lens(&self) -> Vec<usize> {
        [&self.batch[..], &self.k, &self.columns].concat()
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

    /// The grid that is summed over.
    fn summed_lens(&self) -> Vec<usize> {
        [&self.batch[..], &self.k].concat()
    }

    /// The tables whose product is summed.
    fn factors(&self, grid: &Grid, z: &[F], context: &Context<'_>) -> Vec<Vec<F>> {
        let (batch, rows, columns) = self.split(z);
        let kept = vec![None; self.batch.len()];
        let terms = vec![None; self.k.len()];
        let some = |axes: Vec<&[F]>| axes.iter().map(|a| Some(a.to_vec())).collect::<Vec<_>>();
        let bind = |expr: &Expr, lens: &[usize], points: Vec<Option<Vec<F>>>| {
            let points: Vec<Option<&[F]>> = points.iter().map(Option::as_deref).collect();
            pad(grid, &expr.bind(lens, &points, &context.values))
        };
        let left = bind(&self.left, &self.left_lens(), [kept.clone(), some(rows), terms.clone()].concat());
        let right = bind(&self.right, &self.right_lens(), [kept, terms, some(columns)].concat());
        if !self.is_batched() {
            return vec![left, right];
        }
        // Over the whole hypercube: the verifier evaluates the extension of equality itself.
        let along = eq_table(&batch.concat());
        let k = 1 << Grid { lens: self.k.clone() }.vars();
        vec![left, right, along.iter().flat_map(|e| std::iter::repeat_n(*e, k)).collect()]
    }
}
