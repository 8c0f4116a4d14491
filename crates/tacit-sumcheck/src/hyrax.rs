//! Hyrax rows: Pedersen vector commitments to small signed integers.

use halo2curves::group::Group;
use rayon::prelude::*;

use crate::{
    group::{Affine, F, Generators, Point, normalise},
    pedersen::Pedersen,
};

/// One row of a Hyrax matrix: runs of small signed integers, each starting at a column.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row<'a> {
    /// First column and values of each run; columns outside every run hold zero.
    pub(crate) runs: Vec<(usize, &'a [i64])>,
}

/// Digits of a 64-bit integer in base 256, balanced.
const DIGITS: usize = 9;

/// `Σ_runs Σ_j values[j]·G_{column + j} + blinds[i]·H` for each row `i`.
///
/// Work follows the 8-bit signed digits present: zeros are free. Panics if a column has no generator.
pub(crate) fn commit_rows(generators: &Generators, rows: &[Row<'_>], blinds: &[F]) -> Vec<Affine> {
    assert_eq!(rows.len(), blinds.len(), "one blind for each row");
    let tables = Pedersen::get();
    let points: Vec<Point> = rows
        .par_iter()
        .zip(blinds)
        .map(|(row, blind)| commit_row(generators, row) + tables.blind(blind))
        .collect();
    normalise(&points)
}

fn commit_row(generators: &Generators, row: &Row<'_>) -> Point {
    let mut buckets = vec![[Point::identity(); 129]; DIGITS];
    for &(column, values) in &row.runs {
        for (&value, base) in values.iter().zip(&generators.rows[column..column + values.len()]) {
            for (position, digit) in digits(value).enumerate() {
                let bucket = &mut buckets[position][usize::from(digit.unsigned_abs())];
                *bucket = if digit < 0 { *bucket - base } else { *bucket + base };
            }
        }
    }
    let mut sum = Point::identity();
    for position in buckets.iter().rev() {
        for _ in 0..8 {
            sum = sum.double();
        }
        let mut running = Point::identity();
        for bucket in position[1..].iter().rev() {
            running += bucket;
            sum += running;
        }
    }
    sum
}

/// Balanced base-256 digits, least significant first.
fn digits(value: i64) -> impl Iterator<Item = i16> {
    let mut rest = i128::from(value);
    std::iter::from_fn(move || {
        let digit = rest as i8;
        let some = rest != 0;
        rest = (rest - i128::from(digit)) >> 8;
        some.then_some(i16::from(digit))
    })
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
