//! Sums of field elements times small integers, reduced once.
//!
//! A field element is eight 32-bit limbs, an integer one, two or four unsigned 16-bit parts after a bias of half
//! their range. A product of limb and part is below `2^48`, so a 64-bit lane takes [`LIMIT`] of them before it
//! has to be folded into a field element, and plain code vectorises on every 64-bit machine.

use halo2curves::ff::FromUniformBytes;

use crate::group::F;

/// A field element in four canonical little-endian limbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limbs(pub(crate) [u64; 4]);

/// The canonical limbs of `f`.
pub(crate) fn limbs(f: &F) -> Limbs {
    Limbs((*f).into())
}

/// Products of a 32-bit limb and a 16-bit part that a 64-bit lane surely holds.
const LIMIT: usize = 1 << 16;

/// Values looked at together for their width.
const BLOCK: usize = 1 << 10;

/// How many 16-bit parts the widest of `values` needs: 1, 2 or 4.
fn parts(values: &[i64]) -> usize {
    let fit = |parts: usize| {
        values.iter().fold(0, |high, value| high | (value.wrapping_add(bias(parts)) as u64 >> (16 * parts)))
            == 0
    };
    [1, 2].into_iter().find(|&parts| fit(parts)).unwrap_or(4)
}

/// What makes a value of that many parts non-negative, modulo `2^64`.
const fn bias(parts: usize) -> i64 {
    1i64.wrapping_shl(16 * parts as u32 - 1)
}

/// `2^(16·exponent)` for `exponent < 4`.
fn power(exponent: usize) -> F {
    F::from(1 << (16 * exponent))
}

/// `Σ_i lanes[i]·2^(32·i)`.
fn assemble(lanes: [u64; 8]) -> F {
    let mut bytes = [0; 64];
    let mut carry = 0u128;
    for (lane, out) in lanes.iter().zip(bytes.as_chunks_mut::<4>().0) {
        carry += u128::from(*lane);
        *out = (carry as u32).to_le_bytes();
        carry >>= 32;
    }
    bytes[32..48].copy_from_slice(&carry.to_le_bytes());
    F::from_uniform_bytes(&bytes)
}

/// `Σ_j weights[j]·values[j]` over the shorter of the two lengths.
pub(crate) fn dot(weights: &[Limbs], values: &[i64]) -> F {
    weights.chunks(BLOCK).zip(values.chunks(BLOCK)).map(|(weights, values)| dot_block(weights, values)).sum()
}

/// [`dot`] over at most [`BLOCK`] values, the biased values less the bias.
fn dot_block(weights: &[Limbs], values: &[i64]) -> F {
    const { assert!(BLOCK <= LIMIT) };
    let parts = parts(values);
    let mut sum = F::zero();
    for part in 0..parts {
        let mut lanes = Lanes::default();
        let mut weight_lanes = Lanes::default();
        if part == 0 {
            for (weight, value) in weights.iter().zip(values) {
                lanes.add(weight, value.wrapping_add(bias(parts)) as u64 & 0xffff);
                weight_lanes.add(weight, 1);
            }
            sum -= weight_lanes.sum() * F::from(bias(parts) as u64);
        } else {
            for (weight, value) in weights.iter().zip(values) {
                lanes.add(weight, (value.wrapping_add(bias(parts)) as u64 >> (16 * part)) & 0xffff);
            }
        }
        sum += lanes.sum() * power(part);
    }
    sum
}

/// One sum: even and odd limbs.
#[derive(Default)]
struct Lanes {
    even: [u64; 4],
    odd: [u64; 4],
}

impl Lanes {
    #[inline(always)]
    fn add(&mut self, weight: &Limbs, factor: u64) {
        for i in 0..4 {
            self.even[i] += (weight.0[i] & 0xffff_ffff) * factor;
            self.odd[i] += (weight.0[i] >> 32) * factor;
        }
    }

    fn sum(&self) -> F {
        assemble(std::array::from_fn(|i| if i % 2 == 0 { self.even[i / 2] } else { self.odd[i / 2] }))
    }
}

/// Columns whose lanes lie together.
const WIDTH: usize = 8;

/// The lanes of [`WIDTH`] columns, by limb and column.
type Lot = [[u64; WIDTH]; 8];

/// Accumulators, one per column: `out[c] = Σ_rows weight_row·values_row[c]`.
///
/// There is no limit to the number of additions.
#[derive(Clone)]
pub(crate) struct ColumnSums {
    columns: usize,
    /// By part; empty until values need the part.
    lanes: [Vec<Lot>; 4],
    /// Additions since the lanes were last folded.
    pending: usize,
    /// By column, what was folded.
    folded: Vec<F>,
    /// By column and one more, the differences from one to the next of all biases added.
    biases: Vec<F>,
}

impl ColumnSums {
    /// All zero.
    pub(crate) fn new(columns: usize) -> Self {
        let lanes = [vec![[[0; WIDTH]; 8]; columns.div_ceil(WIDTH)], vec![], vec![], vec![]];
        Self { columns, lanes, pending: 0, folded: vec![], biases: vec![F::zero(); columns + 1] }
    }

    /// Adds `weight·values[j]` to column `start + j` for each `j`. Panics if a column is not there.
    pub(crate) fn add(&mut self, weight: &Limbs, start: usize, values: &[i64]) {
        assert!(start + values.len() <= self.columns, "columns {start} and on of {}", self.columns);
        if values.is_empty() {
            return;
        }
        if self.pending == LIMIT {
            self.fold();
        }
        self.pending += 1;
        let parts = parts(values);
        let bias = bias(parts);
        let total = F::from_raw(weight.0) * F::from(bias as u64);
        self.biases[start] += total;
        self.biases[start + values.len()] -= total;
        let limbs: [u64; 8] = std::array::from_fn(|i| (weight.0[i / 2] >> (32 * (i % 2))) & 0xffff_ffff);
        let (offset, first) = (start % WIDTH, start / WIDTH);
        let (head, body) = values.split_at(if offset == 0 { 0 } else { (WIDTH - offset).min(values.len()) });
        let next = first + usize::from(offset != 0);
        for (part, lanes) in self.lanes[..parts].iter_mut().enumerate() {
            if lanes.is_empty() {
                lanes.resize(self.columns.div_ceil(WIDTH), [[0; WIDTH]; 8]);
            }
            if !head.is_empty() {
                add_some(&mut lanes[first], &limbs, offset, head, bias, 16 * part);
            }
            let (lots, tail) = body.as_chunks::<WIDTH>();
            for (lot, values) in lanes[next..].iter_mut().zip(lots) {
                add_lot(lot, &limbs, values, bias, 16 * part);
            }
            if !tail.is_empty() {
                add_some(&mut lanes[next + lots.len()], &limbs, 0, tail, bias, 16 * part);
            }
        }
    }

    /// Adds the sums of `other`, which has as many columns.
    pub(crate) fn merge(&mut self, other: &Self) {
        assert_eq!(self.columns, other.columns, "sums over the same columns");
        if self.pending + other.pending > LIMIT {
            self.fold();
        }
        self.pending += other.pending;
        for (lanes, other) in self.lanes.iter_mut().zip(&other.lanes) {
            if lanes.len() < other.len() {
                lanes.clone_from(other);
                continue;
            }
            for (lane, other) in lanes
                .as_flattened_mut()
                .as_flattened_mut()
                .iter_mut()
                .zip(other.as_flattened().as_flattened())
            {
                *lane += other;
            }
        }
        if self.folded.len() < other.folded.len() {
            self.folded.clone_from(&other.folded);
        } else {
            self.folded.iter_mut().zip(&other.folded).for_each(|(sum, other)| *sum += other);
        }
        self.biases.iter_mut().zip(&other.biases).for_each(|(sum, other)| *sum += other);
    }

    /// The sums, reduced.
    pub(crate) fn finish(&self) -> Vec<F> {
        let mut bias = F::zero();
        let sums = (0..self.columns).map(|column| {
            bias += self.biases[column];
            self.pending_sum(column) + self.folded.get(column).unwrap_or(&F::zero()) - bias
        });
        sums.collect()
    }

    /// What the lanes of a column hold.
    fn pending_sum(&self, column: usize) -> F {
        let part = |(part, lanes): (usize, &Vec<Lot>)| {
            let lot = lanes.get(column / WIDTH)?;
            let sum = assemble(lot.map(|limb| limb[column % WIDTH]));
            Some(if part == 0 { sum } else { sum * power(part) })
        };
        self.lanes.iter().enumerate().filter_map(part).sum()
    }

    /// Empties the lanes into `folded`.
    fn fold(&mut self) {
        let sums: Vec<F> = (0..self.columns).map(|column| self.pending_sum(column)).collect();
        self.folded.resize(self.columns, F::zero());
        self.folded.iter_mut().zip(sums).for_each(|(folded, sum)| *folded += sum);
        self.lanes.iter_mut().for_each(|lanes| lanes.fill([[0; WIDTH]; 8]));
        self.pending = 0;
    }
}

/// Adds weight times part to all columns of a lot.
#[inline(always)]
fn add_lot(lot: &mut Lot, limbs: &[u64; 8], values: &[i64; WIDTH], bias: i64, shift: usize) {
    let factors = values.map(|value| (value.wrapping_add(bias) as u64 >> shift) & 0xffff);
    for (lanes, limb) in lot.iter_mut().zip(limbs) {
        for (lane, factor) in lanes.iter_mut().zip(&factors) {
            *lane += (limb & 0xffff_ffff) * factor;
        }
    }
}

/// Adds weight times part to some columns of a lot.
fn add_some(lot: &mut Lot, limbs: &[u64; 8], offset: usize, values: &[i64], bias: i64, shift: usize) {
    for (lanes, limb) in lot.iter_mut().zip(limbs) {
        for (lane, value) in lanes[offset..].iter_mut().zip(values) {
            *lane += limb * ((value.wrapping_add(bias) as u64 >> shift) & 0xffff);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use halo2curves::ff::Field;
    use rand_chacha::ChaCha20Rng;
    use rand_core::{RngCore, SeedableRng};

    use crate::group::f_from_i64;

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

    #[test]
    fn lanes_fold_before_they_overflow() {
        let mut sums = ColumnSums::new(9);
        let mut other = ColumnSums::new(9);
        let rounds = LIMIT + LIMIT / 2;
        for _ in 0..rounds {
            sums.add(&limbs(&-F::ONE), 0, &[32_767; 9]);
        }
        for _ in 0..rounds {
            other.add(&limbs(&-F::ONE), 1, &[i64::MAX; 8]);
        }
        sums.merge(&other);
        sums.merge(&other);
        let narrow = -F::from(32_767 * rounds as u64);
        let both = narrow - F::from(i64::MAX as u64) * F::from(2 * rounds as u64);
        assert_eq!(sums.finish(), [vec![narrow], vec![both; 8]].concat());
    }
}
