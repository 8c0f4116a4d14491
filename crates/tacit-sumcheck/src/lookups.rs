//! Lookups: every looked-up value is a row of its table.
//!
//! Logarithmic derivatives (Haböck, "Multivariate lookups based on logarithmic derivatives" (2022)): with multiplicities
//! `m` committed before the challenge `α`, the looked-up values are rows of the tables if and only if, but for a chance of
//! (number of leaves) / |F|,
//!
//! `Σ_i 1 / (α − v_i) − Σ_j m_j / (α − t_j) = 0`.
//!
//! The fractions are added in a binary tree whose layers are reduced to one another by sum-check (Papini and Haböck,
//! "Improving logarithmic derivative lookup arguments using GKR" (2023)), here with every message committed. One tree
//! holds the values of all relations and the rows of all tables; a row is `key + β·value + β²·second value + β³·table`. Only the numerator of
//! the root is shown to be zero: as a polynomial in `α` it is zero exactly when the multisets agree.
//!
//! Leaves lie in blocks of a power of two, largest first. A leaf that is padding has numerator 0 and denominator 1, by a
//! public formula; denominators are kept less one, so that padding is zero in every layer and costs nothing.

use halo2curves::ff::Field;
use rayon::prelude::*;

use crate::claims::{Claims, Context};
use crate::expr::Source;
use crate::grid::{Grid, bits_of};
use crate::group::{F, f_from_i64, f_from_i128};
use crate::party::{Linear, Malformed, Message, Party};
use crate::plan::{Fill, LookupTable, MAX_VALUES, Plan};
use crate::poly::{SplitEq, at, eq_at, eq_table};
use crate::sumcheck::{WeightedRounds, weighted};

/// A run of leaves.
struct Block {
    offset: usize,
    vars: usize,
    kind: BlockKind,
}

enum BlockKind {
    /// Looked-up values, by index.
    Lookup(usize),
    /// Rows of a table, by index.
    Table(usize),
}

/// The challenges that make a row one field element.
struct Compression {
    alpha: F,
    beta: F,
}

impl Compression {
    /// Weight of the table's number.
    fn tag(&self, table: usize) -> F {
        self.beta.pow_vartime([MAX_VALUES as u64 + 1]) * F::from(table as u64)
    }

    /// Weights of the values.
    fn weights(&self) -> [F; MAX_VALUES] {
        [self.beta, self.beta.square()]
    }
}

fn blocks(plan: &Plan) -> Vec<Block> {
    let lookups = plan.lookups.iter().enumerate();
    let lookups = lookups.map(|(i, l)| (Grid { lens: l.lens.clone() }.vars(), BlockKind::Lookup(i)));
    let tables = plan.tables.iter().enumerate().map(|(i, t)| (t.vars(), BlockKind::Table(i)));
    let mut all: Vec<(usize, BlockKind)> = lookups.chain(tables).collect();
    all.sort_by_key(|(vars, _)| std::cmp::Reverse(*vars));
    let mut offset = 0;
    all.into_iter()
        .map(|(vars, kind)| {
            let block = Block { offset, vars, kind };
            offset += 1 << vars;
            block
        })
        .collect()
}

/// Runs the argument.
pub(crate) fn run<P: Party>(
    party: &mut P,
    context: &Context<'_>,
    claims: &mut Claims<P::Scalar>,
) -> Result<(), Malformed> {
    let plan = context.plan;
    if plan.lookups.is_empty() {
        return Ok(());
    }
    let compression = Compression { alpha: party.challenge("lookup"), beta: party.challenge("row") };
    let blocks = blocks(plan);
    let depth = blocks.last().map_or(0, |b| bits_of(b.offset + (1 << b.vars)));
    let mut layers = if context.proving {
        let _span = tracing::info_span!(target: "tacit_sumcheck", "fractions").entered();
        tree(leaves(context, &compression, &blocks), depth)
    } else {
        Vec::new()
    };

    let root = layers.first().map(|l| l.denominators[0]);
    let mut numerator = P::Scalar::known(F::ZERO);
    let mut denominator = one(party.commit(Message::Lookup, 1, || root.into_iter().collect())?)?;
    let mut point = Vec::new();
    for depth in 0..depth {
        let lambda = party.challenge("layer");
        let claim = denominator.clone().plus(&numerator, lambda);
        let mut children = context.proving.then(|| {
            let mut layer = std::mem::take(&mut layers[depth + 1]);
            if depth + 1 == layers.len() - 1 && layer.denominators.is_empty() {
                layer = leaves(context, &compression, &blocks);
            }
            LayerRounds::new(layer, lambda, &point)
        });
        let rounds = children.as_mut().map(|c| c as &mut dyn WeightedRounds);
        let reduced = weighted(party, claim, &point, rounds)?;
        let sent =
            party.commit(Message::Lookup, 4, || children.map(|c| c.finish(lambda)).unwrap_or_default())?;
        let [p0, p1, q0, q1]: [P::Scalar; 4] =
            sent.try_into().map_err(|_| Malformed("a layer is incomplete"))?;
        // (λ p₀ + q₀) q₁ + λ p₁ q₀ − 1 = claim, with q₀ = q0 + 1 and q₁ = q1 + 1.
        let whole = |q: &P::Scalar| q.clone().plus(&P::Scalar::known(F::ONE), F::ONE);
        let (whole0, whole1) = (whole(&q0), whole(&q1));
        let second = party.multiply(&p1, &whole0)?;
        let first = whole(&reduced.claim).plus(&second, -lambda);
        party.require_product(whole0.plus(&p0, lambda), whole1, first);
        let tau = party.challenge("child");
        numerator = p0.clone().plus(&p1, tau).plus(&p0, -tau);
        denominator = q0.clone().plus(&q1, tau).plus(&q0, -tau);
        point = reduced.point;
        point.push(tau);
    }

    // The leaves: public formulas and evaluations of columns.
    let (mut p, mut q) = (P::Scalar::known(F::ZERO), P::Scalar::known(F::ZERO));
    for block in &blocks {
        let (high, low) = point.split_at(depth - block.vars);
        let selected = eq_at(high, block.offset >> block.vars);
        match block.kind {
            BlockKind::Lookup(i) => {
                let lookup = &plan.lookups[i];
                let grid = Grid { lens: lookup.lens.clone() };
                let axes = grid.split(low);
                let real = selected * grid.indicator(&axes);
                p.add(&P::Scalar::known(real), &F::ONE);
                let constant = compression.alpha - F::ONE - compression.tag(lookup.table);
                q.add(&P::Scalar::known(real * constant), &F::ONE);
                let key = claims.expr(party, context, &lookup.key, &lookup.lens, &axes)?;
                q.add(&key, &-selected);
                for (value, weight) in lookup.values.iter().zip(compression.weights()) {
                    let value = claims.expr(party, context, value, &lookup.lens, &axes)?;
                    q.add(&value, &-(selected * weight));
                }
            }
            BlockKind::Table(t) => {
                let multiplicities = multiplicities(plan, t)?;
                let m = claims.source(party, context, Source::Column(multiplicities), low.to_vec())?;
                p.add(&m, &-selected);
                let rows = compression.alpha - F::ONE - evaluate_table(&plan.tables[t], t, low, &compression);
                q.add(&P::Scalar::known(selected * rows), &F::ONE);
            }
        }
    }
    party.require_zero(p.minus(&numerator));
    party.require_zero(q.minus(&denominator));
    Ok(())
}

fn one<S>(scalars: Vec<S>) -> Result<S, Malformed> {
    scalars.into_iter().next().ok_or(Malformed("a scalar is missing"))
}

/// The column that holds a table's multiplicities.
fn multiplicities(plan: &Plan, table: usize) -> Result<usize, Malformed> {
    plan.columns
        .iter()
        .position(|c| matches!(c.fill, Fill::Multiplicities { table: t } if t == table))
        .ok_or(Malformed("a table has no multiplicities"))
}

/// The extension of a table's rows.
fn evaluate_table(table: &LookupTable, index: usize, z: &[F], compression: &Compression) -> F {
    match table {
        LookupTable::Range { .. } => {
            z.iter().fold(F::ZERO, |sum, z| sum.double() + z) + compression.tag(index)
        }
        LookupTable::Function { .. } => {
            eq_table(z).iter().enumerate().map(|(j, e)| row(table, index, j, compression) * e).sum()
        }
    }
}

fn row(table: &LookupTable, index: usize, j: usize, compression: &Compression) -> F {
    let values: F =
        table.values(j).zip(compression.weights()).map(|(v, weight)| weight * f_from_i64(v)).sum();
    F::from(table.key(j) as u64) + values + compression.tag(index)
}

/// One layer of the tree: numerators and denominators less one; beyond the end both are zero.
#[derive(Default)]
struct Layer {
    numerators: Vec<F>,
    denominators: Vec<F>,
}

fn leaves(context: &Context<'_>, compression: &Compression, blocks: &[Block]) -> Layer {
    let plan = context.plan;
    let len = blocks.last().map_or(0, |b| match b.kind {
        BlockKind::Lookup(i) => b.offset + Grid { lens: plan.lookups[i].lens.clone() }.padded_len(),
        BlockKind::Table(_) => b.offset + (1 << b.vars),
    });
    let mut layer = Layer { numerators: vec![F::ZERO; len], denominators: vec![F::ZERO; len] };
    for block in blocks {
        match block.kind {
            BlockKind::Lookup(i) => {
                let lookup = &plan.lookups[i];
                let grid = Grid { lens: lookup.lens.clone() };
                let keys = lookup.key.integers(&lookup.lens, &context.values);
                let values: Vec<(F, Vec<i128>)> = compression
                    .weights()
                    .into_iter()
                    .zip(lookup.values.iter().map(|v| v.integers(&lookup.lens, &context.values)))
                    .collect();
                let constant = compression.alpha - F::ONE - compression.tag(lookup.table);
                let denominator = |j: usize| {
                    let key = constant - f_from_i128(keys[j]);
                    values.iter().fold(key, |row, (weight, values)| row - *weight * f_from_i128(values[j]))
                };
                // Rows of the innermost axis are contiguous among the leaves.
                let inner = lookup.lens.last().copied().unwrap_or(1);
                let outer = Grid { lens: lookup.lens[..lookup.lens.len().saturating_sub(1)].to_vec() };
                let end = block.offset + grid.padded_len();
                let stride = 1 << bits_of(inner);
                let numerators = layer.numerators[block.offset..end].par_chunks_mut(stride);
                let denominators = layer.denominators[block.offset..end].par_chunks_mut(stride);
                let positions = outer.compact_positions();
                numerators
                    .zip(denominators)
                    .enumerate()
                    .with_min_len((1 << 10) / stride.min(1 << 10))
                    .for_each(|(padded, (p, q))| {
                        let Some(row) = positions(padded) else { return };
                        for (j, (p, q)) in p.iter_mut().zip(q).take(inner).enumerate() {
                            *p = F::ONE;
                            *q = denominator(row * inner + j);
                        }
                    });
            }
            BlockKind::Table(t) => {
                let column = multiplicities(plan, t).expect("every table has multiplicities");
                let counts = &context.values.columns[column];
                for j in 0..1 << block.vars {
                    layer.numerators[block.offset + j] = -F::from(counts[j] as u64);
                    let row = row(&plan.tables[t], t, j, compression);
                    layer.denominators[block.offset + j] = compression.alpha - F::ONE - row;
                }
            }
        }
    }
    layer
}

/// More leaves than this are computed a second time rather than kept until they are needed.
const KEPT: usize = 1 << 22;

/// Every layer, the root first; too many leaves are left out.
fn tree(leaves: Layer, depth: usize) -> Vec<Layer> {
    let mut layers = vec![leaves];
    for _ in 0..depth {
        let below = &layers[layers.len() - 1];
        let sums = (0..below.numerators.len().div_ceil(2)).into_par_iter().with_min_len(1 << 10).map(|i| {
            let (p0, p1) = (at(&below.numerators, 2 * i), at(&below.numerators, 2 * i + 1));
            let (q0, q1) = (at(&below.denominators, 2 * i), at(&below.denominators, 2 * i + 1));
            (p0 + p1 + p0 * q1 + p1 * q0, q0 * q1 + q0 + q1)
        });
        let (numerators, denominators) = sums.unzip();
        layers.push(Layer { numerators, denominators });
        if layers.len() == 2 && layers[0].numerators.len() > KEPT {
            layers[0] = Layer::default();
        }
    }
    layers.reverse();
    layers
}

/// The sum-check of a layer, over pairs of children that lie side by side.
struct LayerRounds {
    /// Numerators times `λ`.
    p: Vec<F>,
    /// Denominators less one.
    q: Vec<F>,
    /// Equality with the point's prefixes.
    eq: SplitEq,
}

impl LayerRounds {
    fn new(children: Layer, lambda: F, point: &[F]) -> Self {
        let mut p = children.numerators;
        p.par_iter_mut().with_min_len(1 << 12).for_each(|p| *p *= lambda);
        Self { p, q: children.denominators, eq: SplitEq::new(point) }
    }

    /// `p₀, p₁, q₀ − 1, q₁ − 1` at the end.
    fn finish(self, lambda: F) -> Vec<F> {
        let inverse = lambda.invert().unwrap_or(F::ZERO);
        vec![at(&self.p, 0) * inverse, at(&self.p, 1) * inverse, at(&self.q, 0), at(&self.q, 1)]
    }
}

/// Four neighbours, zero beyond the end.
fn quad(v: &[F], y: usize) -> [F; 4] {
    match v.get(4 * y..4 * y + 4) {
        Some(q) => [q[0], q[1], q[2], q[3]],
        None => std::array::from_fn(|i| at(v, 4 * y + i)),
    }
}

impl WeightedRounds for LayerRounds {
    fn round(&mut self) -> (F, F) {
        self.eq.pop();
        let (p, q) = (&self.p, &self.q);
        self.eq.sum(q.len().div_ceil(4), |y| {
            let ([p00, p10, p01, p11], [q00, q10, q01, q11]) = (quad(p, y), quad(q, y));
            // At X = 1, and differences along X; denominators whole.
            let (a1, b1) = (p01 + q01 + F::ONE, q11 + F::ONE);
            let at_one = a1 * b1 + p11 * (q01 + F::ONE) - F::ONE;
            let (da, db) = (p01 - p00 + q01 - q00, q11 - q10);
            (at_one, da * db + (p11 - p10) * (q01 - q00))
        })
    }

    fn bind(&mut self, r: &F) {
        for v in [&mut self.p, &mut self.q] {
            let next = (0..v.len().div_ceil(4)).into_par_iter().with_min_len(1 << 10).flat_map_iter(|y| {
                let [a0, b0, a1, b1] = quad(v, y);
                [a0 + (a1 - a0) * r, b0 + (b1 - b0) * r]
            });
            *v = next.collect();
        }
    }
}
