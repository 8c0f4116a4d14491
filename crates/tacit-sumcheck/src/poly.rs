//! Multilinear polynomials over the Boolean hypercube.
//!
//! A point lists the most significant variable first. `eq(z, x) = Π_j (z_j x_j + (1 − z_j)(1 − x_j))` is the multilinear
//! extension of equality (Thaler, "Proofs, Arguments, and Zero-Knowledge", §3.5).

use halo2curves::ff::Field;
use rayon::prelude::*;

use crate::group::F;

/// Tables this small are not worth a second thread.
const SERIAL: usize = 1 << 12;

/// `eq(z, x)` for every `x` of the hypercube.
pub(crate) fn eq_table(z: &[F]) -> Vec<F> {
    let mut table = Vec::with_capacity(1 << z.len());
    table.push(F::ONE);
    for z in z {
        table = eq_step(&table, z);
    }
    table
}

/// The equality tables of every prefix of `z`, the longest last, in two factors: `eq(z[..j], y)` is a product of one
/// entry of a table over the leading half of all variables and one of a table over the others, so that tables stay of
/// square-root size.
pub(crate) struct SplitEq {
    leading: Vec<Vec<F>>,
    trailing: Vec<Vec<F>>,
}

impl SplitEq {
    pub(crate) fn new(z: &[F]) -> Self {
        let (leading, trailing) = z.split_at(z.len().div_ceil(2));
        Self { leading: prefix_tables(leading), trailing: prefix_tables(trailing) }
    }

    /// Number of variables of the longest prefix left.
    pub(crate) fn vars(&self) -> usize {
        self.leading.len() + self.trailing.len() - 2
    }

    /// Drops the last variable.
    pub(crate) fn pop(&mut self) {
        if self.trailing.len() > 1 {
            self.trailing.pop();
        } else if self.leading.len() > 1 {
            self.leading.pop();
        }
    }

    /// `Σ_{y < len} eq(y) · (a(y), b(y))` for the longest prefix left.
    pub(crate) fn sum(&self, len: usize, terms: impl Fn(usize) -> (F, F) + Sync) -> (F, F) {
        let empty = Vec::new();
        let (leading, trailing) =
            (self.leading.last().unwrap_or(&empty), self.trailing.last().unwrap_or(&empty));
        let width = trailing.len();
        let add = |a: (F, F), b: (F, F)| (a.0 + b.0, a.1 + b.1);
        let zero = || (F::ZERO, F::ZERO);
        let block = |h: usize| {
            let end = len.min((h + 1) * width);
            let (a, b) = (h * width..end).fold(zero(), |sum, y| {
                let (a, b) = terms(y);
                (sum.0 + trailing[y - h * width] * a, sum.1 + trailing[y - h * width] * b)
            });
            (leading[h] * a, leading[h] * b)
        };
        let blocks = len.div_ceil(width.max(1)).min(leading.len());
        if len < SERIAL / 4 {
            (0..blocks).map(block).fold(zero(), add)
        } else {
            (0..blocks)
                .into_par_iter()
                .with_min_len((1 << 8) / width.clamp(1, 1 << 8))
                .map(block)
                .reduce(zero, add)
        }
    }
}

/// The equality tables of every prefix of `z`, the empty one first.
fn prefix_tables(z: &[F]) -> Vec<Vec<F>> {
    let mut tables = vec![vec![F::ONE]];
    for z in z {
        let next = eq_step(&tables[tables.len() - 1], z);
        tables.push(next);
    }
    tables
}

/// Adds a least significant variable.
fn eq_step(table: &[F], z: &F) -> Vec<F> {
    let mut next = vec![F::ZERO; 2 * table.len()];
    let step = |(pair, e): (&mut [F], &F)| {
        pair[1] = *e * z;
        pair[0] = *e - pair[1];
    };
    if table.len() < SERIAL {
        next.chunks_exact_mut(2).zip(table).for_each(step);
    } else {
        next.par_chunks_exact_mut(2).zip(table).for_each(step);
    }
    next
}

/// `Σ_{i < len} eq(z, i)`: the multilinear extension of the indicator of the first `len` positions.
pub(crate) fn eq_sum(z: &[F], len: usize) -> F {
    if len >> z.len() != 0 {
        return F::ONE;
    }
    let (mut sum, mut prefix) = (F::ZERO, F::ONE);
    for (j, z) in z.iter().rev().enumerate().rev() {
        let with = prefix * z;
        let without = prefix - with;
        if len >> j & 1 == 1 {
            sum += without;
            prefix = with;
        } else {
            prefix = without;
        }
    }
    sum
}

/// `eq(z, index)`.
pub(crate) fn eq_at(z: &[F], index: usize) -> F {
    z.iter().rev().enumerate().fold(F::ONE, |product, (j, z)| {
        if index >> j & 1 == 1 { product * z } else { product * (F::ONE - z) }
    })
}

/// The point whose coordinates are the bits of `index`.
pub(crate) fn bits(index: usize, vars: usize) -> Vec<F> {
    (0..vars).rev().map(|j| F::from((index >> j & 1) as u64)).collect()
}

/// `Σ a_i b_i`.
pub(crate) fn inner(a: &[F], b: &[F]) -> F {
    a.iter().zip(b).fold(F::ZERO, |sum, (a, b)| sum + *a * b)
}

/// The `i`-th entry of a table whose tail is zero and not stored.
pub(crate) fn at(table: &[F], i: usize) -> F {
    table.get(i).copied().unwrap_or(F::ZERO)
}

/// Binds the least significant variable of a table whose tail is zero.
pub(crate) fn fold(table: &mut Vec<F>, r: &F) {
    let half = table.len().div_ceil(2);
    let bound = |i: usize| {
        let low = table[2 * i];
        let high = at(table, 2 * i + 1);
        low + (high - low) * r
    };
    let next: Vec<F> = if half < SERIAL {
        (0..half).map(bound).collect()
    } else {
        (0..half).into_par_iter().map(bound).collect()
    };
    *table = next;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_sums_and_folds_agree() {
        let z: Vec<F> = (3..8u64).map(F::from).collect();
        let table = eq_table(&z);
        for drop in 0..=5 {
            let mut split = SplitEq::new(&z);
            (0..drop).for_each(|_| split.pop());
            let prefix = eq_table(&z[..5 - drop]);
            assert_eq!(split.vars(), 5 - drop);
            for len in 0..=prefix.len() {
                let sums = split.sum(len, |y| (F::from(y as u64), F::ONE));
                let weighted = prefix[..len].iter().enumerate().map(|(y, e)| *e * F::from(y as u64)).sum();
                assert_eq!(sums, (weighted, prefix[..len].iter().sum()));
            }
        }
        for len in 0..=32 {
            assert_eq!(eq_sum(&z, len), table[..len].iter().sum::<F>());
        }
        for (i, e) in table.iter().enumerate() {
            assert_eq!(eq_at(&z, i), *e);
            assert_eq!(inner(&table, &eq_table(&bits(i, 5))), *e);
        }
        // Binding every variable evaluates the extension, zero tail included.
        let values: Vec<F> = (1..=19u64).map(F::from).collect();
        let mut folded = values.clone();
        for z in z.iter().rev() {
            fold(&mut folded, z);
        }
        assert_eq!(folded, [inner(&values, &table)]);
    }
}
