//! Sums of products of dense tables, several at once.

use halo2curves::ff::Field;
use rayon::prelude::*;

use crate::grid::Grid;
use crate::group::F;
use crate::party::{Linear, Party};
use crate::poly::{at, fold};
use crate::sumcheck::PlainRounds;

/// Joins claims by powers of a challenge: the powers, and the sum.
pub(crate) fn join<'s, P: Party>(
    party: &mut P,
    label: &str,
    claims: impl Iterator<Item = &'s P::Scalar>,
) -> (Vec<F>, P::Scalar)
where
    P::Scalar: 's,
{
    let base = party.challenge(label);
    let (mut powers, mut sum, mut power) = (Vec::new(), P::Scalar::known(F::ZERO), F::ONE);
    for claim in claims {
        sum.add(claim, &power);
        powers.push(power);
        power *= base;
    }
    (powers, sum)
}

/// The dense padded table of compact values.
pub(crate) fn pad(grid: &Grid, compact: &[F]) -> Vec<F> {
    let mut table = vec![F::ZERO; grid.padded_len()];
    grid.for_each(|i, padded| table[padded] = compact[i]);
    table
}

/// One sum: its number of variables, its weight and the dense tables whose product is summed.
pub(crate) struct PlainSum {
    pub(crate) vars: usize,
    pub(crate) weight: F,
    pub(crate) factors: Vec<Vec<F>>,
}

/// Several sums, joined; those of fewer variables than the longest take part in the last rounds only.
pub(crate) struct PlainSums {
    pub(crate) sums: Vec<PlainSum>,
    /// Variables left to bind.
    pub(crate) left: usize,
    pub(crate) degree: usize,
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
