//! Hyrax rows: Pedersen vector commitments to small signed integers.

use rayon::prelude::*;

use crate::{
    group::{Affine, Entry, F, Generators, Point, bucket_sums, horner, normalise},
    pedersen::Pedersen,
};

/// One row of a Hyrax matrix: runs of small signed integers, each starting at a column.
#[derive(Clone, Default)]
pub(crate) struct Row<'a> {
    /// First column and values of each run; columns outside every run hold zero.
    pub(crate) runs: Vec<(usize, &'a [i64])>,
}

/// Digits worked on together: more would leave the cache, fewer would share an inversion.
const BATCH: usize = 1 << 13;

/// `Σ_runs Σ_j values[j]·G_{column + j} + blinds[i]·H` for each row `i`.
///
/// Work follows the signed digits present: zeros are free. Panics if a column has no generator.
pub(crate) fn commit_rows(generators: &Generators, rows: &[Row<'_>], blinds: &[F]) -> Vec<Affine> {
    assert_eq!(rows.len(), blinds.len(), "one blind for each row");
    let values: usize = rows.iter().map(Row::len).sum();
    let batches = values.div_ceil(BATCH).max(rayon::current_num_threads());
    let size = rows.len().div_ceil(batches).max(1);
    let points: Vec<Point> = rows
        .par_chunks(size)
        .zip(blinds.par_chunks(size))
        .flat_map_iter(|(rows, blinds)| commit_batch(generators, rows, blinds))
        .collect();
    normalise(&points)
}

impl Row<'_> {
    fn len(&self) -> usize {
        self.runs.iter().map(|(_, values)| values.len()).sum()
    }
}

/// Rows whose buckets are summed together.
fn commit_batch(generators: &Generators, rows: &[Row<'_>], blinds: &[F]) -> Vec<Point> {
    let (width, windows) = shape(rows);
    let tables = Pedersen::get();
    let mut blind_terms = Vec::new();
    let mut entries = Vec::new();
    let columns = generators.rows.len();
    for (index, (row, blind)) in rows.iter().zip(blinds).enumerate() {
        let first = index * windows;
        for &(column, values) in &row.runs {
            assert!(column + values.len() <= columns, "a generator for each column");
            for (column, &value) in (column..).zip(values) {
                for (window, digit) in digits(value, width).enumerate() {
                    entries.extend(Entry::new(first + window, width, digit, column));
                }
            }
        }
        for term in tables.blind_terms(blind) {
            entries.extend(Entry::new(first, width, 1, columns + blind_terms.len()));
            blind_terms.push(term);
        }
    }
    let sums = bucket_sums(rows.len() * windows, width, &entries, |index| match index.checked_sub(columns) {
        None => generators.rows[index],
        Some(index) => blind_terms[index],
    });
    sums.chunks(windows * width).map(|bits| horner(bits).into()).collect()
}

/// Balanced digits in base `2^width`, from the lowest to the last that is not zero.
#[inline(always)]
fn digits(value: i64, width: usize) -> impl Iterator<Item = i64> {
    let mut rest = value;
    std::iter::from_fn(move || {
        let digit = rest << (64 - width) >> (64 - width);
        let some = rest != 0;
        rest = (rest >> width) + i64::from(digit < 0);
        some.then_some(digit)
    })
}

/// The cheapest digit width for these rows, and the digits of their longest value.
fn shape(rows: &[Row<'_>]) -> (usize, usize) {
    // How many values need so many bits, sign included.
    let mut sizes = [0; 65];
    let (mut low, mut high) = (0, 0);
    for (_, values) in rows.iter().flat_map(|row| &row.runs) {
        for &value in *values {
            sizes[if value == 0 { 0 } else { 65 - (value ^ (value >> 63)).leading_zeros() as usize }] += 1;
            (low, high) = (low.min(value), high.max(value));
        }
    }
    let windows = |width| digits(low, width).count().max(digits(high, width).count()).max(1);
    let cost = |width: usize| {
        let digits: usize = sizes.iter().enumerate().map(|(size, count)| size.div_ceil(width) * count).sum();
        digits + rows.len() * windows(width) * (1 << width)
    };
    let width = (2..=12).min_by_key(|&width| cost(width)).expect("the range is not empty");
    (width, windows(width))
}

#[cfg(test)]
mod tests {
    use super::*;

    use halo2curves::ff::Field;
    use rand_chacha::ChaCha20Rng;
    use rand_core::{RngCore, SeedableRng};

    use crate::group::f_from_i64;

    fn naive(generators: &Generators, row: &Row<'_>, blind: &F) -> Affine {
        let mut sum = generators.h * blind;
        for (column, values) in &row.runs {
            for (value, base) in values.iter().zip(&generators.rows[*column..]) {
                sum += base * f_from_i64(*value);
            }
        }
        sum.into()
    }

    fn check(rows: &[Vec<(usize, Vec<i64>)>]) {
        let generators = Generators::get(64);
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let blinds: Vec<F> = rows.iter().map(|_| F::random(&mut rng)).collect();
        let rows: Vec<Row<'_>> =
            rows.iter().map(|row| Row { runs: row.iter().map(|(c, v)| (*c, &v[..])).collect() }).collect();
        let expected: Vec<Affine> =
            rows.iter().zip(&blinds).map(|(row, blind)| naive(&generators, row, blind)).collect();
        assert_eq!(commit_rows(&generators, &rows, &blinds), expected);
    }

    #[test]
    fn extremes() {
        check(&[]);
        check(&[vec![]]);
        check(&[vec![(3, vec![])], vec![(0, vec![0; 64])]]);
        let edges = [
            i64::MIN,
            i64::MIN + 1,
            i64::MAX,
            -129,
            -128,
            -127,
            -1,
            0,
            1,
            127,
            128,
            129,
            255,
            256,
            32_639,
            32_640,
            32_767,
            32_768,
            -32_768,
            -32_769,
            1 << 40,
            -(1 << 40),
            0x7f7f_7f7f_7f7f_7f7f,
            0x8080_8080,
        ];
        check(&edges.map(|v| vec![(5, vec![v])]));
        check(&[vec![(0, edges.to_vec())]]);
    }

    #[test]
    fn runs_may_overlap_and_cancel() {
        check(&[vec![(7, vec![5]), (7, vec![5])], vec![(7, vec![5]), (7, vec![-5])]]);
        check(&[vec![(7, vec![1]), (7, vec![1]), (7, vec![1]), (7, vec![-1])]]);
        check(&[vec![(0, vec![3; 64]); 5]]);
    }

    #[test]
    fn random_rows() {
        let mut rng = ChaCha20Rng::seed_from_u64(6);
        for bits in [1, 4, 8, 9, 16, 17, 24, 33, 64] {
            let rows: Vec<_> = (0..11)
                .map(|i| {
                    let values = (0..i * 4).map(|_| rng.next_u64() as i64 >> (64 - bits)).collect();
                    let start = rng.next_u32() as usize % 20;
                    vec![(start, values), (0, vec![i as i64; 3])]
                })
                .collect();
            check(&rows);
        }
    }
}
