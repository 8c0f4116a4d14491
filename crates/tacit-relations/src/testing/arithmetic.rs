//! A second evaluation of every relation, written from the definitions and sharing nothing with the library's own.

use crate::relation::{HintRule, Relation};
use crate::system::{RelationSystem, Segment, TensorId};
use crate::trace::Trace;
use crate::view::View;

/// The element of a view at row-major position `flat`.
fn read(values: &[Vec<i64>], view: &View, flat: usize) -> i128 {
    let mut rest = flat;
    let mut position = view.offset as i128;
    for axis in view.axes.iter().rev() {
        let coordinate = rest % axis.len;
        rest /= axis.len;
        if coordinate < axis.before || coordinate >= axis.before + axis.valid {
            return 0;
        }
        position += ((coordinate - axis.before) * axis.stride) as i128;
    }
    i128::from(values[view.tensor.0 as usize][position as usize])
}

/// `floor(x / 2^shift + 1/2)` by division.
fn rounded(x: i128, shift: u8) -> i128 {
    let d = 1i128 << shift;
    (2 * x + d).div_euclid(2 * d)
}

/// The `i`-th element of what a relation defines; `None` for an operand off a table's domain.
fn element(values: &[Vec<i64>], relation: &Relation, i: usize) -> Option<i128> {
    Some(match relation {
        Relation::Contraction { a, c, grouping, bias, .. } => {
            let sizes = grouping.sizes(a, c)?;
            let (m, k, n) = (sizes.rows, sizes.depth, sizes.columns);
            let batch = i / (m * n);
            let (row, column) = ((i % (m * n)) / n, i % n);
            let mut sum = bias.as_ref().map_or(0, |b| read(values, b, i));
            for j in 0..k {
                sum += read(values, a, batch * m * k + row * k + j)
                    * read(values, c, batch * k * n + j * n + column);
            }
            sum
        }
        Relation::Affine { terms, offset, .. } => {
            terms.iter().map(|(c, v)| i128::from(*c) * read(values, v, i)).sum::<i128>() + i128::from(*offset)
        }
        Relation::Product { a, c, .. } => read(values, a, i) * read(values, c, i),
        Relation::Requant { x, shift, lo, hi, .. } => {
            rounded(read(values, x, i), *shift).clamp(i128::from(*lo), i128::from(*hi))
        }
        Relation::Table { x, first, values: results, .. } => {
            let at = read(values, x, i) - i128::from(*first);
            i128::from(*results.get(usize::try_from(at).ok()?)?)
        }
        Relation::Max { x, y } => {
            let n = x.len() / values[y.0 as usize].len();
            let mut largest = read(values, x, i * n);
            for j in 1..n {
                largest = largest.max(read(values, x, i * n + j));
            }
            largest
        }
        Relation::ArgMax { x, .. } => {
            let n = x.axes[x.axes.len() - 1].len;
            let own = read(values, x, i);
            let (start, at) = (i - i % n, i % n);
            let above = |j: usize| read(values, x, start + j) > own;
            let ties_before = (0..at).any(|j| read(values, x, start + j) == own);
            i128::from(!ties_before && !(0..n).any(above))
        }
        // What an honest prover puts there.
        Relation::Hint { rule: HintRule::Quotient { n, d }, lo, hi, .. } => {
            let (n, d) = (read(values, n, i), read(values, d, i));
            let mut q = if d > 0 { n / d } else { 0 };
            if d > 0 && q * d > n {
                q -= 1;
            }
            q.clamp(i128::from(*lo), i128::from(*hi))
        }
        Relation::Hint { rule: HintRule::Root { x }, lo, hi, .. } => {
            let x = read(values, x, i).max(0);
            let (mut below, mut above) = (0i128, 1 << 32);
            while above - below > 1 {
                let middle = (below + above) / 2;
                *(if middle * middle <= x { &mut below } else { &mut above }) = middle;
            }
            below.clamp(i128::from(*lo), i128::from(*hi))
        }
        Relation::Range { .. } => return None,
    })
}

/// Whether every relation holds and every committed, public and constant value is allowed, over the integers.
#[must_use]
pub fn holds(system: &RelationSystem, trace: &Trace) -> bool {
    let values = &trace.values;
    let tensors = system.tensors().iter().zip(values).all(|(spec, v)| {
        let allowed = |i: usize, x: i64| match spec.segment {
            Segment::Constant => spec.constant[i] == x,
            Segment::Public => (spec.bounds.0..=spec.bounds.1).contains(&x),
            Segment::Witness => true,
            _ => {
                let half = 1i128 << (spec.width - 1);
                (-half..half).contains(&i128::from(x))
            }
        };
        v.len() == spec.len() && v.iter().enumerate().all(|(i, x)| allowed(i, *x))
    });
    tensors
        && system.relations().iter().all(|r| match r {
            Relation::Range { x, lo, hi } => {
                (0..x.len()).all(|i| (i128::from(*lo)..=i128::from(*hi)).contains(&read(values, x, i)))
            }
            Relation::Hint { lo, hi, y, .. } => values[y.0 as usize].iter().all(|v| (*lo..=*hi).contains(v)),
            _ => r.result().is_none_or(|y| {
                values[y.0 as usize]
                    .iter()
                    .enumerate()
                    .all(|(i, v)| element(values, r, i) == Some((*v).into()))
            }),
        })
}

/// The honest trace up to `tensor`, whose `at`-th element is off by `delta`; everything after it is recomputed from the
/// lie. At most one relation is broken, by one element. `None` where the lie leads out of 64 bits or a table's domain.
#[must_use]
pub fn forged(
    system: &RelationSystem,
    honest: &Trace,
    tensor: TensorId,
    at: usize,
    delta: i64,
) -> Option<Trace> {
    let mut values = honest.values.clone();
    let lie = |values: &mut Vec<Vec<i64>>| {
        let cell = &mut values[tensor.0 as usize][at];
        *cell = cell.checked_add(delta)?;
        Some(())
    };
    let mut told = system.relations().iter().all(|r| r.result() != Some(tensor));
    if told {
        lie(&mut values)?;
    }
    for r in system.relations() {
        let Some(y) = r.result() else { continue };
        if told {
            let fresh: Option<Vec<i64>> =
                (0..system.tensor(y).len()).map(|i| i64::try_from(element(&values, r, i)?).ok()).collect();
            values[y.0 as usize] = fresh?;
        } else if y == tensor {
            lie(&mut values)?;
            told = true;
        }
    }
    Some(Trace { values })
}
