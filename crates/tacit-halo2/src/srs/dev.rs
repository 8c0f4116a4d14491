//! Setups for development, made from a secret that is known while they are made.

use blake2::{Blake2b512, Digest as _};
use halo2_proofs::arithmetic::parallelize;
use halo2_proofs::halo2curves::bn256::{Fr, G1, G1Affine, G2Affine};
use halo2_proofs::halo2curves::ff::{BatchInvert as _, Field as _, FromUniformBytes as _, PrimeField as _};
use halo2_proofs::halo2curves::group::prime::PrimeCurveAffine as _;
use halo2_proofs::halo2curves::group::{Curve as _, Group as _};
use rand_core::RngCore;

use super::points::root_of_unity;
use super::{MAX_K, SrsOrigin, SrsParts};

/// The secret of the store's development setups is the BLAKE2b-512 of this, reduced: it is public.
const PUBLIC_SEED: &[u8] = b"tacit: everybody knows the secret of this setup/1";

/// A `τ` for which every domain has a Lagrange basis: neither zero nor a root of unity.
pub(super) fn draw_secret(mut rng: impl RngCore) -> Fr {
    loop {
        let tau = Fr::random(&mut rng);
        if is_usable(tau) {
            return tau;
        }
    }
}

fn is_usable(tau: Fr) -> bool {
    tau != Fr::ZERO && tau.pow_vartime([1 << MAX_K]) != Fr::ONE
}

/// The `τ` of the store's development setups: one for all sizes and machines, so that a smaller setup is cut from a
/// larger one, and a proof made on one machine verifies on another that allows development setups.
pub(super) fn public_secret() -> Fr {
    let digest: [u8; 64] = Blake2b512::digest(PUBLIC_SEED).into();
    Fr::from_uniform_bytes(&digest)
}

/// `2^k` powers of `tau` and their Lagrange basis
/// `L_i = (τ^n - 1) / n * ω^i / (τ - ω^i)`, all by multiplication of the generator.
pub(super) fn setup(k: u32, tau: Fr) -> SrsParts {
    let n = 1usize << k;
    let table = Multiples::of_generator();
    let g = table.times_all(n, |start| geometric(tau.pow_vartime([start as u64]), tau));

    let omega = root_of_unity(k);
    let mut inverses: Vec<Fr> = geometric(Fr::ONE, omega).take(n).map(|root| tau - root).collect();
    inverses.iter_mut().batch_invert();
    let scale = (tau.pow_vartime([n as u64]) - Fr::ONE) * Fr::TWO_INV.pow_vartime([u64::from(k)]);
    let lagrange = table.times_all(n, |start| {
        let numerators = geometric(scale * omega.pow_vartime([start as u64]), omega);
        numerators.zip(&inverses[start..]).map(|(a, b)| a * b)
    });
    let tau_g2 = (G2Affine::generator() * tau).to_affine();
    SrsParts { origin: SrsOrigin::UnsafeDev, k, powers: g, lagrange, tau_g2 }
}

/// `first, first * ratio, first * ratio^2, …`.
fn geometric(first: Fr, ratio: Fr) -> impl Iterator<Item = Fr> {
    std::iter::successors(Some(first), move |x| Some(*x * ratio))
}

/// `d 256^j G1` for every byte position `j` of a scalar and every byte `d`: a multiplication is 32 additions.
struct Multiples(Vec<G1Affine>);

impl Multiples {
    fn of_generator() -> Self {
        let mut points = Vec::with_capacity(32 * 256);
        let mut base = G1::generator();
        for _ in 0..32 {
            let mut multiple = G1::identity();
            for _ in 0..256 {
                points.push(multiple);
                multiple += base;
            }
            base = multiple;
        }
        let mut affine = vec![G1Affine::identity(); points.len()];
        G1::batch_normalize(&points, &mut affine);
        Self(affine)
    }

    fn times(&self, scalar: Fr) -> G1 {
        let digits = scalar.to_repr();
        let rows = self.0.chunks_exact(256);
        digits.iter().zip(rows).fold(G1::identity(), |sum, (&digit, row)| sum + row[usize::from(digit)])
    }

    /// `n` multiples, where `scalars(i)` gives the `i`-th scalar and those that follow it.
    fn times_all<I: Iterator<Item = Fr>>(
        &self,
        n: usize,
        scalars: impl Fn(usize) -> I + Send + Sync + Clone,
    ) -> Vec<G1Affine> {
        let mut out = vec![G1Affine::identity(); n];
        parallelize(&mut out, |chunk, start| {
            let points: Vec<G1> = scalars(start).take(chunk.len()).map(|x| self.times(x)).collect();
            G1::batch_normalize(&points, chunk);
        });
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_secret_is_usable() {
        assert!(is_usable(public_secret()));
        assert!(!is_usable(Fr::ZERO) && !is_usable(Fr::ONE) && !is_usable(root_of_unity(9)));
    }
}
