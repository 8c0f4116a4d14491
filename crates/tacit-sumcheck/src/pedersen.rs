//! Pedersen commitments to one scalar, by fixed-base tables.

use std::sync::OnceLock;

use crate::group::{Affine, F, Point, scalar_bases};

/// Commits with the bases `U` and `H` of [`Generators`](crate::group::Generators).
///
/// Running time depends on the values: timing is outside the threat model.
#[derive(Debug)]
pub(crate) struct Pedersen {
    u: Affine,
    h: Affine,
}

impl Pedersen {
    /// The tables of this process, built on first use.
    pub(crate) fn get() -> &'static Self {
        static TABLES: OnceLock<Pedersen> = OnceLock::new();
        TABLES.get_or_init(|| {
            let (u, h) = scalar_bases();
            Self { u, h }
        })
    }

    /// `value·U + blind·H`.
    pub(crate) fn commit(&self, value: &F, blind: &F) -> Point {
        self.u * value + self.h * blind
    }

    /// `blind·H`: a commitment to zero.
    pub(crate) fn blind(&self, blind: &F) -> Point {
        self.h * blind
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
