//! What a relation defines, over the integers: whole tensors at a time, along the operands' memory.

use crate::relation::{Grouping, HintRule, Relation, Sizes};
use crate::view::{Axis, View};

impl Relation {
    /// The result of `len` elements, row-major; empty for a relation without one. Where an operand lies outside a
    /// table's domain the result ends before that element.
    pub(crate) fn evaluate(&self, values: &[Vec<i64>], len: usize) -> Vec<i64> {
        let of = |v: &View| v.elements(&values[v.tensor.0 as usize]);
        match self {
            Self::Contraction { a, c, grouping, bias, .. } => {
                contraction(values, a, c, *grouping, bias.as_ref())
            }
            Self::Affine { terms, offset, .. } => {
                let mut sums = vec![*offset; len];
                for (coefficient, view) in terms {
                    sums.iter_mut().zip(of(view).iter()).for_each(|(sum, v)| *sum += coefficient * v);
                }
                sums
            }
            Self::Product { a, c, .. } => of(a).iter().zip(of(c).iter()).map(|(a, c)| a * c).collect(),
            Self::Requant { x, shift, lo, hi, .. } => {
                of(x).iter().map(|v| tacit_model::requantise(*v, *shift, *lo, *hi)).collect()
            }
            Self::Range { .. } => Vec::new(),
            Self::Table { x, first, values, .. } => of(x)
                .iter()
                .map_while(|v| {
                    let at = v.checked_sub(*first).and_then(|at| usize::try_from(at).ok())?;
                    values.get(at).copied()
                })
                .collect(),
            Self::Max { x, .. } => of(x)
                .chunks_exact(x.len() / len.max(1))
                .map(|group| group.iter().copied().max().unwrap_or_default())
                .collect(),
            Self::Hint { rule: HintRule::Quotient { n, d }, lo, hi, .. } => {
                let quotient = |(n, d): (&i64, &i64)| if *d > 0 { n.div_euclid(*d) } else { 0 };
                of(n).iter().zip(of(d).iter()).map(quotient).map(|q| q.clamp(*lo, *hi)).collect()
            }
            Self::Hint { rule: HintRule::Root { x }, lo, hi, .. } => {
                let root = |x: &i64| u64::try_from(*x).map_or(0, |x| x.isqrt() as i64);
                of(x).iter().map(root).map(|r| r.clamp(*lo, *hi)).collect()
            }
            Self::ArgMax { x, .. } => {
                let mut selected = Vec::with_capacity(len);
                for group in groups(x, &of(x)) {
                    // `max_by_key` takes the last of equal ones: backwards, the lowest index.
                    let best = (0..group.len()).rev().max_by_key(|&j| group[j]);
                    selected.extend((0..group.len()).map(|j| i64::from(best == Some(j))));
                }
                selected
            }
        }
    }
}

/// The elements along the last axis, for each position on the others.
fn groups<'a>(x: &View, elements: &'a [i64]) -> impl Iterator<Item = &'a [i64]> {
    elements.chunks_exact(x.axes.last().map_or(1, |axis| axis.len))
}

/// Fewer columns than this are taken one at a time.
const NARROW: usize = 8;

/// `bias + a c`, batch by batch and along the first row axis, so that windows are never all in memory at once; the inner loop
/// runs along memory.
fn contraction(values: &[Vec<i64>], a: &View, c: &View, grouping: Grouping, bias: Option<&View>) -> Vec<i64> {
    let sizes = grouping.sizes(a, c).expect("a system's operands agree");
    let Sizes { batches, rows, depth, columns } = sizes;
    let mut y = match bias {
        Some(bias) => bias.materialise(&values[bias.tensor.0 as usize]),
        None => vec![0; batches * rows * columns],
    };
    let depth_axes = a.axes.len() - grouping.batch - grouping.rows;
    let runs = if grouping.rows == 0 { 1 } else { a.axes[grouping.batch].len };
    for (batch, y) in y.chunks_exact_mut(rows * columns).enumerate() {
        let (Some(a), Some(mut c)) = (nth(a, grouping.batch, batch), nth(c, grouping.batch, batch)) else {
            continue;
        };
        let stride = |axes: &[Axis]| axes.last().map_or(0, |axis| axis.stride);
        let (k_axes, n_axes) = c.axes.split_at(depth_axes);
        let by_column = columns < NARROW || stride(k_axes) < stride(n_axes);
        if by_column {
            c.axes.rotate_left(depth_axes);
        }
        let c = c.elements(&values[c.tensor.0 as usize]);
        for (run, y) in y.chunks_exact_mut(rows / runs * columns).enumerate() {
            let Some(a) = nth(&a, grouping.rows.min(1), run) else { continue };
            let a = a.elements(&values[a.tensor.0 as usize]);
            for (a, y) in a.chunks_exact(depth).zip(y.chunks_exact_mut(columns)) {
                if by_column {
                    for (c, y) in c.chunks_exact(depth).zip(y) {
                        *y = a.iter().zip(c).fold(*y, |sum, (a, c)| sum + a * c);
                    }
                } else {
                    for (a, c) in a.iter().zip(c.chunks_exact(columns)).filter(|(a, _)| **a != 0) {
                        c.iter().zip(&mut *y).for_each(|(c, y)| *y += a * c);
                    }
                }
            }
        }
    }
    y
}

/// What a view shows at the `flat`-th position of its first `axes` axes; `None` for padding.
fn nth(view: &View, axes: usize, flat: usize) -> Option<View> {
    let (first, inner) = match axes {
        0 => return Some(view.clone()),
        _ => (view.axes.first()?, view.axes[1..axes].iter().map(|a| a.len).product::<usize>()),
    };
    debug_assert!(flat < first.len * inner);
    nth(&view.slice(flat / inner)?, axes - 1, flat % inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::system::TensorId;
    use crate::view::tests::{arb_view, memory};

    fn sizes() -> impl Strategy<Value = [usize; 4]> {
        // Narrow and wide right operands.
        (1usize..4, 1usize..5, 1usize..6, prop_oneof![1usize..4, NARROW - 1..NARROW + 4])
            .prop_map(|(b, m, k, n)| [b, m, k, n])
    }

    proptest! {
        #[test]
        fn contractions_along_memory_are_those_of_the_definition(
            (lens, a, c, bias) in sizes().prop_flat_map(|[b, m, k, n]| (
                Just([b, m, k, n]),
                arb_view(TensorId(0), vec![b, m, k]),
                arb_view(TensorId(1), vec![b, k, n]),
                prop::option::of(arb_view(TensorId(2), vec![b, m, n])),
            )),
            swap in any::<bool>(),
        ) {
            let [b, m, k, n] = lens;
            let mut c = c;
            if swap {
                // A transposed matrix.
                (c.axes[1].stride, c.axes[2].stride) = (1, c.axes[2].stride.max(k));
            }
            let mut values = vec![memory(), memory(), memory()];
            values[1].reverse();
            let read = |v: &View, i: usize| v.get(&values[v.tensor.0 as usize], i);
            let expected: Vec<i64> = (0..b * m * n)
                .map(|i| {
                    let (batch, row, column) = (i / (m * n), i / n % m, i % n);
                    (0..k).fold(bias.as_ref().map_or(0, |v| read(v, i)), |sum, j| {
                        sum + read(&a, (batch * m + row) * k + j) * read(&c, (batch * k + j) * n + column)
                    })
                })
                .collect();
            let relation =
                Relation::Contraction { a, c, grouping: Grouping::MATRIX, bias, y: TensorId(3) };
            prop_assert_eq!(relation.evaluate(&values, expected.len()), expected);
        }
    }
}
