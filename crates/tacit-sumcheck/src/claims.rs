//! Evaluations of columns at points: each committed once, all opened at the end.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use halo2curves::ff::Field as _;
use rayon::prelude::*;

use crate::expr::{Expr, Slot, Source, Values};
use crate::grid::Grid;
use crate::group::{F, f_from_i64, f_from_i128};
use crate::layout::{Layout, outer_product};
use crate::party::{Linear, Malformed, Message, Party};
use crate::plan::Plan;
use crate::poly::{bits, inner};
use crate::viewed::{Summed, ViewClaim};
use crate::wide::{ColumnSums, limbs};

/// What both parties work from; the verifier's columns are empty.
pub(crate) struct Context<'t> {
    pub(crate) plan: &'t Plan,
    pub(crate) values: Values<'t>,
    pub(crate) proving: bool,
}

/// The column's extension at `point` is `scalar`.
pub(crate) struct Claim<S> {
    pub(crate) column: usize,
    pub(crate) point: Vec<F>,
    pub(crate) scalar: S,
    /// For the prover: the rows, combined by their weights; full ones and short ones.
    pub(crate) combined: Option<Arc<Combined>>,
}

/// `Σ L[row] · row` over the full rows and over the short ones.
pub(crate) struct Combined {
    pub(crate) full: Vec<F>,
    pub(crate) tail: Vec<F>,
}

impl Combined {
    /// One row by itself.
    fn row(layout: &Layout, values: &[i64], row: usize) -> Self {
        let own = values[layout.range(row)].iter().map(|v| f_from_i64(*v)).collect();
        let zeros = |len| vec![F::ZERO; len];
        if layout.is_tail(row) {
            Self { full: zeros(layout.row_len()), tail: own }
        } else {
            Self { full: own, tail: zeros(layout.tail_len().unwrap_or(0)) }
        }
    }
}

/// A tensor that is evaluated element by element, beside what the relations ask for.
pub(crate) struct Totals<'p> {
    pub(crate) expr: &'p Expr,
    pub(crate) grid: Grid,
}

/// The claims of a proof.
pub(crate) struct Claims<S> {
    pub(crate) list: Vec<Claim<S>>,
    /// Claims on views that are not reduced yet.
    pub(crate) views: Vec<ViewClaim<S>>,
    index: HashMap<(Source, Vec<[u8; 32]>), S>,
    known: HashMap<(Source, Vec<[u8; 32]>), F>,
}

impl<S: Linear> Claims<S> {
    pub(crate) fn new() -> Self {
        Self { list: Vec::new(), views: Vec::new(), index: HashMap::new(), known: HashMap::new() }
    }

    /// The multilinear extension of an expression (zero off the grid) at a point, axis by axis.
    pub(crate) fn expr<P: Party<Scalar = S>>(
        &mut self,
        party: &mut P,
        context: &Context<'_>,
        expr: &Expr,
        lens: &[usize],
        axes: &[&[F]],
    ) -> Result<S, Malformed> {
        let grid = Grid { lens: lens.to_vec() };
        let mut sum = S::known(f_from_i128(expr.constant) * grid.indicator(axes));
        for term in &expr.terms {
            let source_grid = context.values.grid(term.source);
            let mut factor = f_from_i128(term.coefficient);
            for (i, (&len, z)) in lens.iter().zip(axes).enumerate() {
                if !term.slots.contains(&Slot::Axis(i)) {
                    factor *= crate::poly::eq_sum(z, len);
                }
            }
            let value = self.source(party, context, term.source, term.point(source_grid, axes))?;
            sum.add(&value, &factor);
        }
        Ok(sum)
    }

    /// Every element of a tensor: its expression at the element's Boolean point.
    pub(crate) fn totals<P: Party<Scalar = S>>(
        &mut self,
        party: &mut P,
        context: &Context<'_>,
        totals: &Totals<'_>,
    ) -> Result<Vec<S>, Malformed> {
        let Totals { expr, grid } = totals;
        let points: Vec<Vec<F>> = (0..grid.len()).map(|i| bits(grid.pad(i), grid.vars())).collect();
        let wanted = points.iter().flat_map(|point| {
            let axes = grid.split(point);
            let columns = expr.terms.iter().filter_map(move |term| match term.source {
                Source::Public(_) => None,
                source => Some((source, term.point(context.values.grid(source), &axes))),
            });
            columns.collect::<Vec<_>>()
        });
        self.commit(party, context, wanted)?;
        let mut element = |point: &Vec<F>| self.expr(party, context, expr, &grid.lens, &grid.split(point));
        points.iter().map(&mut element).collect()
    }

    /// Evaluates columns and views at points: what was not evaluated before is committed in one message.
    fn commit<P: Party<Scalar = S>>(
        &mut self,
        party: &mut P,
        context: &Context<'_>,
        wanted: impl Iterator<Item = (Source, Vec<F>)>,
    ) -> Result<(), Malformed> {
        let mut fresh = Vec::new();
        for (source, point) in wanted {
            if let Entry::Vacant(entry) = self.index.entry(key(source, &point)) {
                entry.insert(S::known(F::ZERO));
                fresh.push((source, point));
            }
        }
        if fresh.is_empty() {
            return Ok(());
        }
        let mut evaluations = Vec::new();
        let scalars = party.commit(Message::Evaluation, fresh.len(), || {
            let values;
            (evaluations, values) = evaluate(context, &fresh);
            values
        })?;
        let mut evaluations = evaluations.into_iter();
        for ((source, point), scalar) in fresh.into_iter().zip(scalars) {
            self.index.insert(key(source, &point), scalar.clone());
            let evaluation = evaluations.next();
            match source {
                Source::Viewed(view) => {
                    let summed = evaluation.and_then(Evaluation::summed);
                    self.views.push(ViewClaim { view, point, scalar, summed });
                }
                Source::Column(column) => {
                    let combined = evaluation.and_then(Evaluation::combined);
                    self.list.push(Claim { column, point, scalar, combined });
                }
                Source::Public(_) => return Err(Malformed("a public value is not committed")),
            }
        }
        Ok(())
    }

    /// A source at a point.
    pub(crate) fn source<P: Party<Scalar = S>>(
        &mut self,
        party: &mut P,
        context: &Context<'_>,
        source: Source,
        point: Vec<F>,
    ) -> Result<S, Malformed> {
        match source {
            Source::Public(i) => {
                let evaluate = || {
                    let grid = &context.values.public_grids[i];
                    let weights = outer_product(&grid.lens, &grid.split(&point));
                    let terms = context.values.publics[i].par_iter().with_min_len(1 << 12).zip(weights);
                    terms.map(|(v, w)| f_from_i64(*v) * w).sum()
                };
                Ok(S::known(*self.known.entry(key(source, &point)).or_insert_with(evaluate)))
            }
            Source::Column(_) | Source::Viewed(_) => {
                let key = key(source, &point);
                if !self.index.contains_key(&key) {
                    self.commit(party, context, std::iter::once((source, point)))?;
                }
                Ok(self.index.get(&key).ok_or(Malformed("an evaluation is missing"))?.clone())
            }
        }
    }
}

/// What the prover keeps of an evaluation.
enum Evaluation {
    Column(Arc<Combined>),
    View(Summed),
    Public,
}

impl Evaluation {
    fn combined(self) -> Option<Arc<Combined>> {
        if let Self::Column(combined) = self { Some(combined) } else { None }
    }

    fn summed(self) -> Option<Summed> {
        if let Self::View(summed) = self { Some(summed) } else { None }
    }
}

/// Evaluates sources at points.
fn evaluate(context: &Context<'_>, wanted: &[(Source, Vec<F>)]) -> (Vec<Evaluation>, Vec<F>) {
    let of = |column: usize| (&context.plan.columns[column].layout, &context.values.columns[column]);
    // Elements of one row share it.
    let mut own = BTreeMap::new();
    for (source, point) in wanted {
        let Source::Column(column) = source else { continue };
        let (layout, values) = of(*column);
        if let Some((row, _)) = layout.element(point) {
            own.entry((*column, row)).or_insert_with(|| Arc::new(Combined::row(layout, values, row)));
        }
    }
    let evaluations = wanted.par_iter().map(|(source, point)| match source {
        Source::Column(column) => {
            let (layout, values) = of(*column);
            match layout.element(point) {
                Some((row, at)) => {
                    let combined = Arc::clone(&own[&(*column, row)]);
                    (Evaluation::Column(combined), f_from_i64(values[layout.range(row)][at]))
                }
                None => {
                    let (combined, value) = combine(layout, values, point);
                    (Evaluation::Column(Arc::new(combined)), value)
                }
            }
        }
        Source::Viewed(view) => {
            let viewed = &context.plan.views[*view];
            let (summed, value) = viewed.evaluate(&viewed.grid.split(point), &context.values);
            (Evaluation::View(summed), value)
        }
        Source::Public(_) => (Evaluation::Public, F::ZERO),
    });
    evaluations.unzip()
}

/// What an evaluation is known by.
fn key(source: Source, point: &[F]) -> (Source, Vec<[u8; 32]>) {
    (source, point.iter().map(F::to_bytes).collect())
}

/// One pass over the integers of a column: its rows combined by the point's row weights, and the evaluation.
fn combine(layout: &Layout, values: &[i64], point: &[F]) -> (Combined, F) {
    let columns = layout.column_weights(point);
    let rows: Vec<_> = layout.row_weights(point).iter().map(limbs).collect();
    // Enough rows for a thread to be worth it.
    let chunk =
        rows.len().div_ceil(2 * rayon::current_num_threads()).max((1 << 13) / layout.row_len().min(1 << 13));
    let sums = rows
        .par_chunks(chunk)
        .enumerate()
        .map(|(c, weights)| {
            let mut full = ColumnSums::new(layout.row_len());
            let mut tail = ColumnSums::new(layout.tail_len().unwrap_or(0));
            for (i, weight) in weights.iter().enumerate() {
                let row = c * chunk + i;
                let sums = if layout.is_tail(row) { &mut tail } else { &mut full };
                sums.add(weight, 0, &values[layout.range(row)]);
            }
            (full, tail)
        })
        .reduce_with(|mut a, b| {
            a.0.merge(&b.0);
            a.1.merge(&b.1);
            a
        });
    let combined = sums.map_or(Combined { full: Vec::new(), tail: Vec::new() }, |(full, tail)| Combined {
        full: full.finish(),
        tail: tail.finish(),
    });
    let value = inner(&combined.full, &columns) + inner(&combined.tail, &columns);
    (combined, value)
}
