//! Pedersen commitments to one scalar, by fixed-base tables.

use std::sync::OnceLock;

use halo2curves::ff::PrimeField;

use crate::group::{Affine, F, Jacobian, Point, add_pairs, booth, normalise, scalar_bases};

/// Bits of a digit. The tables take `2·⌈255/WIDTH⌉·2^(WIDTH−1)` points.
const WIDTH: usize = 8;

/// Digits of a scalar.
const DIGITS: usize = (F::NUM_BITS as usize + 1).div_ceil(WIDTH);

/// Commits with the bases `U` and `H` of [`Generators`](crate::group::Generators).
///
/// Running time depends on the values: timing is outside the threat model.
#[derive(Debug)]
pub(crate) struct Pedersen {
    u: Table,
    h: Table,
}

impl Pedersen {
    /// The tables of this process, built on first use.
    pub(crate) fn get() -> &'static Self {
        static TABLES: OnceLock<Pedersen> = OnceLock::new();
        TABLES.get().unwrap_or_else(|| {
            // Outside the lock: two threads may compute the same tables, but none waits holding it. Threads of the pool that
            // waited for tables could not help to compute them.
            let (u, h) = scalar_bases();
            let (u, h) = rayon::join(|| Table::new(u), || Table::new(h));
            TABLES.get_or_init(|| Self { u, h })
        })
    }

    /// `value·U + blind·H`.
    pub(crate) fn commit(&self, value: &F, blind: &F) -> Point {
        sum(self.u.terms(value).chain(self.h.terms(blind)))
    }

    /// `blind·H`: a commitment to zero.
    pub(crate) fn blind(&self, blind: &F) -> Point {
        sum(self.blind_terms(blind))
    }

    /// Points that add up to `blind·H`.
    pub(crate) fn blind_terms(&self, blind: &F) -> impl Iterator<Item = Affine> {
        self.h.terms(blind)
    }
}

fn sum(terms: impl Iterator<Item = Affine>) -> Point {
    terms.fold(Jacobian::IDENTITY, |sum, term| sum.add(&term)).into()
}

/// Multiples of one base: `(j + 1)·2^(WIDTH·i)·base` at `i·2^(WIDTH−1) + j`.
#[derive(Debug)]
struct Table(Vec<Affine>);

impl Table {
    fn new(base: Affine) -> Self {
        let mut power = Jacobian::from(base);
        let mut powers = Vec::with_capacity(DIGITS);
        for _ in 0..DIGITS {
            powers.push(power.into());
            power = (0..WIDTH).fold(power, |power, _| power.double());
        }
        // From the multiples up to `known` those up to twice as far, for all windows together.
        let mut multiples = normalise(&powers);
        for known in (0..WIDTH - 1).map(|i| 1 << i) {
            let further =
                add_pairs(multiples.len(), |i| (multiples[i], multiples[i - i % known + known - 1]));
            multiples = multiples
                .chunks(known)
                .zip(further.chunks(known))
                .flat_map(|(a, b)| [a, b].concat())
                .collect();
        }
        Self(multiples)
    }

    /// Points that add up to `scalar·base`.
    fn terms(&self, scalar: &F) -> impl Iterator<Item = Affine> {
        let limbs = <[u64; 4]>::from(*scalar);
        self.0.chunks(1 << (WIDTH - 1)).enumerate().filter_map(move |(window, multiples)| {
            let digit = booth(&limbs, window, WIDTH);
            let point = multiples[digit.unsigned_abs().checked_sub(1)? as usize];
            Some(if digit < 0 { -point } else { point })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use halo2curves::ff::Field;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    #[test]
    fn matches_naive() {
        let mut rng = ChaCha20Rng::seed_from_u64(4);
        let (u, h) = scalar_bases();
        let tables = Pedersen::get();
        let mut scalars = vec![F::ZERO, F::ONE, -F::ONE, F::from(128), F::from(1 << 60), -F::from(129)];
        scalars.extend((0..20).map(|_| F::random(&mut rng)));
        for value in &scalars {
            assert_eq!(tables.blind(value), h * value);
            for blind in &scalars {
                assert_eq!(tables.commit(value, blind), u * value + h * blind);
            }
        }
    }
}
