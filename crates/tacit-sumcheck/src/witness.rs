//! The prover's columns: what the plan says to commit, computed from a trace.

use std::borrow::Cow;

use tacit_relations::{EngineError, Trace, View};
use zeroize::Zeroize as _;

use crate::expr::Values;
use crate::plan::{Fill, Part, Plan, Quantity};

/// What to do with a looked-up value that is in no row of its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// Say so.
    Refuse,
    /// Go on, as a cheating prover would.
    #[cfg(test)]
    Ignore,
}

fn unsatisfied() -> EngineError {
    EngineError::new("the trace does not satisfy the relations: a value lies outside its range or table")
}

/// Fills `values.columns`.
pub(crate) fn fill<'t>(
    plan: &Plan,
    trace: &'t Trace,
    values: &mut Values<'t>,
    misfit: Misfit,
) -> Result<(), EngineError> {
    let mut last: Option<(usize, Vec<i128>)> = None;
    for column in &plan.columns {
        let filled: Cow<'t, [i64]> = match &column.fill {
            Fill::Tensor(id) => trace.tensor(*id).into(),
            Fill::Digit { quantity, shift, bits } => {
                if last.as_ref().is_none_or(|(known, _)| known != quantity) {
                    if let Some((_, old)) = &mut last {
                        old.zeroize();
                    }
                    last = Some((*quantity, plan.quantities[*quantity].integers(trace, values)));
                }
                let mask = bits.map_or(-1, |bits| (1i128 << bits) - 1);
                let integers = last.as_ref().map(|(_, v)| v.as_slice()).unwrap_or_default();
                let digits = integers.iter().map(|v| i64::try_from(v >> shift & mask));
                digits.collect::<Result<Vec<_>, _>>().map_err(|_| unsatisfied())?.into()
            }
            Fill::Multiplicities { table } => multiplicities(plan, *table, values, misfit)?.into(),
        };
        values.columns.push(filled);
    }
    if let Some((_, old)) = &mut last {
        old.zeroize();
    }
    Ok(())
}

pub(crate) fn multiplicities(
    plan: &Plan,
    table: usize,
    values: &Values<'_>,
    misfit: Misfit,
) -> Result<Vec<i64>, EngineError> {
    let spec = &plan.tables[table];
    let mut counts = vec![0i64; 1 << spec.vars()];
    for lookup in plan.lookups.iter().filter(|l| l.table == table) {
        let keys = lookup.key.integers(&lookup.lens, values);
        let beside: Vec<Vec<i128>> = lookup.values.iter().map(|v| v.integers(&lookup.lens, values)).collect();
        for (i, key) in keys.iter().enumerate() {
            let row = usize::try_from(*key).ok().filter(|&j| j < counts.len() && spec.key(j) == j);
            let row = row.filter(|&j| beside.iter().map(|v| v[i]).eq(spec.values(j).map(i128::from)));
            match row {
                Some(row) => counts[row] += 1,
                None if misfit == Misfit::Refuse => return Err(unsatisfied()),
                None => {}
            }
        }
    }
    Ok(counts)
}

impl Quantity {
    fn integers(&self, trace: &Trace, values: &Values<'_>) -> Vec<i128> {
        let read = |view: &View| view.materialise(trace.tensor(view.tensor));
        match self {
            Self::Expr { expr, lens } => expr.integers(lens, values),
            Self::Requant { x, shift, lo, hi, part } => {
                let half = 1i128 << shift >> 1;
                let (lo, hi) = (i128::from(*lo), i128::from(*hi));
                let of = |x: &i64| {
                    let x = i128::from(*x) + half;
                    let rounded = x >> shift;
                    match part {
                        Part::Result => rounded.clamp(lo, hi) - lo,
                        Part::Above => (rounded - hi).max(0),
                        Part::Below => (lo - rounded).max(0),
                        Part::Remainder => x - (rounded << shift),
                        Part::Low { bits } => (rounded - lo) & ((1 << bits) - 1),
                        Part::Block { bits, first } => ((rounded - lo) >> bits) - i128::from(*first),
                        Part::Within { bits } => i128::from((rounded - lo) >> bits == 0),
                        Part::Beyond { bits } => i128::from((rounded - lo) >> bits > 0),
                    }
                };
                read(x).iter().map(of).collect()
            }
            Self::Maximum { x } => {
                rows(x, &read(x)).map(|row| row.iter().copied().max().unwrap_or(0).into()).collect()
            }
            Self::Selector { x, along } => read(x)
                .chunks(*along)
                .flat_map(|row| {
                    let best = row.iter().max().and_then(|m| row.iter().position(|v| v == m));
                    (0..row.len()).map(move |i| i128::from(Some(i) == best))
                })
                .collect(),
            Self::Later { selector, along } => trace
                .tensor(*selector)
                .chunks(*along)
                .flat_map(|row| (0..row.len()).map(|j| row[j + 1..].iter().map(|v| i128::from(*v)).sum()))
                .collect(),
        }
    }
}

fn rows<'v>(x: &View, values: &'v [i64]) -> impl Iterator<Item = &'v [i64]> {
    values.chunks(x.axes.last().map_or(1, |a| a.len))
}
