//! Sums of field elements times small integers, reduced once.

use crate::group::{F, f_from_i64};

/// A field element in four canonical little-endian limbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limbs(pub(crate) [u64; 4]);

/// The canonical limbs of `f`.
pub(crate) fn limbs(f: &F) -> Limbs {
    Limbs((*f).into())
}

/// `Σ_j weights[j]·values[j]` over the shorter of the two lengths.
pub(crate) fn dot(weights: &[Limbs], values: &[i64]) -> F {
    weights.iter().zip(values).map(|(weight, value)| F::from_raw(weight.0) * f_from_i64(*value)).sum()
}

/// Accumulators, one per column: `out[c] = Σ_rows weight_row·values_row[c]`.
///
/// No overflow before `2^40` additions to a column.
#[derive(Debug, Clone)]
pub(crate) struct ColumnSums {
    sums: Vec<F>,
}

impl ColumnSums {
    /// All zero.
    pub(crate) fn new(columns: usize) -> Self {
        Self { sums: vec![F::zero(); columns] }
    }

    /// Adds `weight·values[j]` to column `start + j` for each `j`. Panics if a column is not there.
    pub(crate) fn add(&mut self, weight: &Limbs, start: usize, values: &[i64]) {
        let weight = F::from_raw(weight.0);
        for (sum, value) in self.sums[start..start + values.len()].iter_mut().zip(values) {
            *sum += weight * f_from_i64(*value);
        }
    }

    /// Adds the sums of `other`, which has as many columns.
    pub(crate) fn merge(&mut self, other: &Self) {
        assert_eq!(self.sums.len(), other.sums.len(), "sums over the same columns");
        for (sum, other) in self.sums.iter_mut().zip(&other.sums) {
            *sum += other;
        }
    }

    /// The sums, reduced.
    pub(crate) fn finish(&self) -> Vec<F> {
        self.sums.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use halo2curves::ff::Field;
    use rand_chacha::ChaCha20Rng;
    use rand_core::{RngCore, SeedableRng};

    fn naive(weights: &[F], values: &[i64]) -> F {
        weights.iter().zip(values).map(|(w, v)| w * f_from_i64(*v)).sum()
    }

    /// Weights and values of at most `bits` bits, extremes among them.
    fn sample(rng: &mut ChaCha20Rng, len: usize, bits: u32) -> (Vec<F>, Vec<i64>) {
        let weights = (0..len).map(|i| if i % 7 == 0 { -F::ONE } else { F::random(&mut *rng) }).collect();
        let values = (0..len)
            .map(|i| match i % 11 {
                0 => i64::MIN >> (64 - bits),
                1 => i64::MAX >> (64 - bits),
                2 => 0,
                _ => rng.next_u64() as i64 >> (64 - bits),
            })
            .collect();
        (weights, values)
    }

    #[test]
    fn dots() {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        for bits in [1, 8, 9, 16, 17, 31, 32, 33, 48, 63, 64] {
            for len in [0, 1, 2, 7, 8, 9, 64, 300, 5000] {
                let (weights, values) = sample(&mut rng, len, bits);
                let weight_limbs: Vec<Limbs> = weights.iter().map(limbs).collect();
                assert_eq!(dot(&weight_limbs, &values), naive(&weights, &values), "{bits} bits, {len}");
            }
        }
    }

    #[test]
    fn columns() {
        let mut rng = ChaCha20Rng::seed_from_u64(8);
        for bits in [1, 8, 16, 17, 32, 33, 64] {
            for columns in [0, 1, 2, 7, 8, 65] {
                let mut halves = [ColumnSums::new(columns), ColumnSums::new(columns)];
                let mut expected = vec![F::ZERO; columns];
                for row in 0..300 {
                    let weight = if row % 5 == 0 { -F::ONE } else { F::random(&mut rng) };
                    let start = if row % 3 == 0 { columns / 3 } else { 0 };
                    // Wide rows among narrow ones.
                    let bits = if row % 50 == 49 { 64 } else { bits };
                    let (_, values) = sample(&mut rng, columns - start, bits);
                    halves[row % 2].add(&limbs(&weight), start, &values);
                    for (sum, value) in expected[start..].iter_mut().zip(&values) {
                        *sum += weight * f_from_i64(*value);
                    }
                }
                let [mut sums, other] = halves;
                sums.merge(&other);
                assert_eq!(sums.finish(), expected, "{bits} bits, {columns} columns");
            }
        }
    }
}
