//! Points as raw bytes, and the checks that make a list of points a setup.
//!
//! A raw point is its affine coordinates, `x` then `y`, each as 32 little-endian bytes of its Montgomery form (radix
//! `2^256`); an element of the quadratic extension is `c0` then `c1`. This is both the form of `.ptau` files and that
//! of `halo2curves`, so that reading costs a comparison and the curve equation.

use halo2_proofs::arithmetic::{best_multiexp, parallelize};
use halo2_proofs::halo2curves::CurveAffine;
use halo2_proofs::halo2curves::bn256::{Bn256, Fq, Fq2, Fr, G1Affine, G2Affine, G2Prepared};
use halo2_proofs::halo2curves::ff::{BatchInvert as _, Field as _, PrimeField as _};
use halo2_proofs::halo2curves::group::cofactor::CofactorGroup as _;
use halo2_proofs::halo2curves::group::prime::PrimeCurveAffine as _;
use halo2_proofs::halo2curves::group::{Curve as _, Group as _};
use halo2_proofs::halo2curves::pairing::{MillerLoopResult as _, MultiMillerLoop as _};
use halo2_proofs::halo2curves::serde::SerdeObject;

/// Bytes of a raw point of G1.
pub(super) const G1_BYTES: usize = 64;
/// Bytes of a raw point of G2.
pub(super) const G2_BYTES: usize = 128;

/// Why raw bytes are not a usable point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PointFault {
    /// A coordinate is not below the modulus of the base field.
    #[error("a coordinate is not below the field's modulus")]
    NotCanonical,
    /// The coordinates do not satisfy the curve equation.
    #[error("it is not on the curve")]
    NotOnCurve,
    /// The point at infinity, which no setup contains.
    #[error("it is the point at infinity")]
    Infinity,
    /// A point of the twist outside the subgroup of prime order.
    #[error("it is outside the subgroup of prime order")]
    NotInSubgroup,
}

/// A finite point of G1 (whose every point has prime order).
pub(super) fn g1_from_raw(bytes: &[u8; G1_BYTES]) -> Result<G1Affine, PointFault> {
    affine::<G1Affine, Fq>(bytes)
}

/// A finite point of G2's subgroup of prime order.
pub(super) fn g2_from_raw(bytes: &[u8; G2_BYTES]) -> Result<G2Affine, PointFault> {
    let point = affine::<G2Affine, Fq2>(bytes)?;
    if bool::from(point.to_curve().is_torsion_free()) { Ok(point) } else { Err(PointFault::NotInSubgroup) }
}

fn affine<C: CurveAffine<Base = F>, F: SerdeObject>(bytes: &[u8]) -> Result<C, PointFault> {
    let (x, y) = bytes.split_at(bytes.len() / 2);
    let (x, y) = F::from_raw_bytes(x).zip(F::from_raw_bytes(y)).ok_or(PointFault::NotCanonical)?;
    let point = Option::<C>::from(C::from_xy(x, y)).ok_or(PointFault::NotOnCurve)?;
    if bool::from(point.is_identity()) { Err(PointFault::Infinity) } else { Ok(point) }
}

/// Appends the points of `bytes` (a whole number of them) to `points`; an error is the index within `bytes`.
pub(super) fn extend_from_raw(points: &mut Vec<G1Affine>, bytes: &[u8]) -> Result<(), (usize, PointFault)> {
    let (raw, _) = bytes.as_chunks::<G1_BYTES>();
    for (i, raw) in raw.iter().enumerate() {
        points.push(g1_from_raw(raw).map_err(|fault| (i, fault))?);
    }
    Ok(())
}

/// `sum_i scalar_i point_i`.
fn combine(scalars: &[Fr], points: &[G1Affine]) -> G1Affine {
    best_multiexp(scalars, points).to_affine()
}

/// `1, z, z^2, …`, `n` of them.
fn powers_of(z: Fr, n: usize) -> Vec<Fr> {
    let mut powers = vec![Fr::ONE; n];
    parallelize(&mut powers, |chunk, start| {
        let mut power = z.pow_vartime([start as u64]);
        for x in chunk {
            *x = power;
            power *= z;
        }
    });
    powers
}

/// Random linear combinations that check powers and their Lagrange bases, at a challenge `z` drawn after all points
/// are fixed. Each check is a polynomial identity in `z` of degree at most `n`, so that a false one holds for at most
/// `n` of the field's elements (Schwartz–Zippel).
pub(super) struct Consistency {
    z: Fr,
    powers: Vec<Fr>,
}

impl Consistency {
    /// For up to `n` points, at the challenge `z`.
    pub(super) fn new(z: Fr, n: usize) -> Self {
        Self { z, powers: powers_of(z, n) }
    }

    /// Whether `points` (at least two, the first the generator) are `G1, τ G1, τ^2 G1, …` for the `τ` of `tau_g2`:
    /// `e(sum_i z^i P_(i+1), G2) = e(sum_i z^i P_i, τ G2)`, both sums over all but one point. With
    /// `S = sum_i z^i P_i` over all `n`, they are `(S - P_0) / z` and `S - z^(n-1) P_(n-1)`.
    pub(super) fn powers_match(&self, points: &[G1Affine], tau_g2: &G2Affine) -> bool {
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return false };
        let Some(z_inverse) = Option::<Fr>::from(self.z.invert()) else { return false };
        let n = points.len();
        let all = combine(&self.powers[..n], points);
        let shifted = ((all.to_curve() - first.to_curve()) * z_inverse).to_affine();
        let unshifted = (all.to_curve() - *last * self.powers[n - 1]).to_affine();
        let g2 = G2Prepared::from(G2Affine::generator());
        let tau_g2 = G2Prepared::from(*tau_g2);
        let product = Bn256::multi_miller_loop(&[(&shifted, &g2), (&-unshifted, &tau_g2)]);
        bool::from(product.final_exponentiation().is_identity())
    }

    /// Whether `lagrange` is the Lagrange basis of the `2^k` powers `points`, in the order of the domain
    /// `ω^0, ω^1, …`: with `f(X) = sum_j z^j X^j`, `sum_i f(ω^i) L_i = sum_j z^j P_j`, and
    /// `f(ω^i) = (z^n - 1) / (z ω^i - 1)`.
    pub(super) fn lagrange_match(&self, points: &[G1Affine], lagrange: &[G1Affine], k: u32) -> bool {
        let n = points.len();
        if n != 1 << k || lagrange.len() != n {
            return false;
        }
        let mut values: Vec<Fr> = powers_of(root_of_unity(k), n);
        values.iter_mut().for_each(|x| *x = self.z * *x - Fr::ONE);
        values.iter_mut().batch_invert();
        let numerator = self.powers[n - 1] * self.z - Fr::ONE;
        values.iter_mut().for_each(|x| *x *= numerator);
        combine(&values, lagrange) == combine(&self.powers[..n], points)
    }
}

/// The generator of the domain of `2^k` points that the proving system uses.
pub(super) fn root_of_unity(k: u32) -> Fr {
    (k..Fr::S).fold(Fr::ROOT_OF_UNITY, |root, _| root.square())
}

#[cfg(test)]
mod tests {
    use halo2_proofs::halo2curves::bn256::{G1, G2};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;
    use crate::srs::lagrange_of;

    fn setup(k: u32, tau: Fr) -> (Vec<G1Affine>, G2Affine) {
        let points = powers_of(tau, 1 << k).iter().map(|x| (G1::generator() * x).to_affine()).collect();
        (points, (G2::generator() * tau).to_affine())
    }

    fn raw1(point: G1Affine) -> [u8; 64] {
        point.to_raw_bytes().try_into().expect("64 bytes")
    }

    fn raw2(point: G2Affine) -> [u8; 128] {
        point.to_raw_bytes().try_into().expect("128 bytes")
    }

    #[test]
    fn faults_of_points() {
        let g = G1Affine::generator();
        assert_eq!(g1_from_raw(&raw1(g)), Ok(g));
        assert_eq!(g1_from_raw(&[0; 64]), Err(PointFault::Infinity));
        assert_eq!(g1_from_raw(&[0xff; 64]), Err(PointFault::NotCanonical));
        let mut off = raw1(g);
        off[0] ^= 1;
        assert_eq!(g1_from_raw(&off), Err(PointFault::NotOnCurve));
        let h = G2Affine::generator();
        assert_eq!(g2_from_raw(&raw2(h)), Ok(h));
        assert_eq!(g2_from_raw(&[0; 128]), Err(PointFault::Infinity));
        // A point of the twist: almost all of them lie outside the subgroup.
        let outside = (1u64..)
            .find_map(|x| {
                let x = Fq2::from(x);
                let y = Option::<Fq2>::from((x.square() * x + G2Affine::b()).sqrt())?;
                Option::<G2Affine>::from(G2Affine::from_xy(x, y))
            })
            .expect("half of all x have a y");
        assert_eq!(g2_from_raw(&raw2(outside)), Err(PointFault::NotInSubgroup));
    }

    #[test]
    fn one_wrong_point_is_seen() {
        let mut rng = ChaCha20Rng::seed_from_u64(6);
        let (k, tau) = (4, Fr::random(&mut rng));
        let (points, tau_g2) = setup(k, tau);
        let lagrange = lagrange_of(&points, k);
        let check = Consistency::new(Fr::random(&mut rng), points.len());
        assert!(check.powers_match(&points, &tau_g2));
        assert!(check.powers_match(&points[..2], &tau_g2));
        assert!(check.lagrange_match(&points, &lagrange, k));
        assert!(!check.powers_match(&points, &setup(0, tau + Fr::ONE).1));
        for i in 0..points.len() {
            let mut wrong = points.clone();
            wrong[i] = (wrong[i] + G1Affine::generator()).to_affine();
            assert!(!check.powers_match(&wrong, &tau_g2), "power {i}");
            assert!(!check.lagrange_match(&wrong, &lagrange, k), "power {i}");
            let mut wrong = lagrange.clone();
            wrong[i] = -wrong[i];
            assert!(!check.lagrange_match(&points, &wrong, k), "Lagrange point {i}");
        }
        let mut swapped = lagrange;
        swapped.swap(1, 2);
        assert!(!check.lagrange_match(&points, &swapped, k));
    }
}
