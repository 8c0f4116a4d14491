//! The verifier's one multi-scalar multiplication, over points that a prover chooses to meet each other.

use halo2curves::ff::Field as _;
use halo2curves::group::{Curve as _, Group as _};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tacit_model::testing::SplitMix;

use crate::group::{Affine, F, Generators, Point, msm};

fn naive(scalars: &[F], bases: &[Affine]) -> Point {
    scalars.iter().zip(bases).map(|(s, b)| Point::from(*b) * s).sum()
}

/// Scalars whose digits are extreme, equal, opposite, or few.
fn scalar(rng: &mut SplitMix, random: &mut ChaCha20Rng, earlier: &[F]) -> F {
    let power = |n: i64| F::from(2).pow_vartime([n as u64]);
    match rng.range(0, 7) {
        0 if !earlier.is_empty() => earlier[rng.range(0, earlier.len() as i64 - 1) as usize],
        1 if !earlier.is_empty() => -earlier[rng.range(0, earlier.len() as i64 - 1) as usize],
        2 => power(rng.range(0, 253)),
        3 => power(rng.range(0, 253)) - F::ONE,
        4 => -F::from(rng.range(0, 3) as u64),
        5 => F::from(rng.range(0, 300) as u64),
        6 => -power(rng.range(0, 253)),
        _ => F::random(random),
    }
}

#[test]
fn points_that_meet_are_added_like_any_others() {
    let generators = Generators::get(64);
    let mut rng = SplitMix(90);
    let mut random = ChaCha20Rng::seed_from_u64(91);
    let mut identities = 0;
    for round in 0..super::cases(30, 80) {
        // A few points, their opposites, multiples and sums: of generators, as a prover may choose them.
        let base = generators.rows[rng.range(0, 63) as usize];
        let mut pool = vec![base, -base, generators.h, generators.u, Affine::default()];
        for _ in 0..3 {
            let [a, b] = [(); 2].map(|()| pool[rng.range(0, pool.len() as i64 - 1) as usize]);
            pool.push((Point::from(a) + b).to_affine());
            pool.push((Point::from(a).double() - b).to_affine());
        }
        let few = rng.range(1, pool.len() as i64) as usize;
        let len = [1, 2, 3, 17, 100, 600][rng.range(0, 5) as usize];
        let mut scalars = Vec::new();
        let mut bases = Vec::new();
        for _ in 0..len {
            scalars.push(scalar(&mut rng, &mut random, &scalars));
            bases.push(pool[rng.range(0, few as i64 - 1) as usize]);
        }
        let sum = naive(&scalars, &bases);
        assert_eq!(msm(&scalars, &bases), sum, "round {round}");
        // With the opposite of the sum, nothing is left; with anything else, something is.
        scalars.push(-F::ONE);
        bases.push(sum.to_affine());
        assert!(bool::from(msm(&scalars, &bases).is_identity()), "round {round}");
        if bool::from(sum.is_identity()) {
            identities += 1;
            continue;
        }
        scalars[len] = F::ONE;
        assert!(!bool::from(msm(&scalars, &bases).is_identity()), "round {round}");
    }
    assert!(identities < 40, "most sums are points");
}
