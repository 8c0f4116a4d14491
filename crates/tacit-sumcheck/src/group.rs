//! Grumpkin: the group that commitments live in, its generators, encodings and multi-scalar multiplication.

use std::sync::{Arc, OnceLock, RwLock};

use halo2curves::{
    CurveExt,
    ff::{Field, PrimeField},
    group::{Curve, Group, GroupEncoding, prime::PrimeCurveAffine},
    grumpkin,
};
use rayon::prelude::*;

/// Scalars of the group: the engine's field.
pub(crate) type F = grumpkin::Fr;
/// A point in projective coordinates.
pub(crate) type Point = grumpkin::G1;
/// A point in affine coordinates.
pub(crate) type Affine = grumpkin::G1Affine;

/// Domain of every generator; a change of it is a change of protocol.
const DOMAIN: &str = "tacit/grumpkin/1";

/// Bases nobody knows a relation between, by hash-to-curve from [`DOMAIN`].
#[derive(Debug)]
pub(crate) struct Generators {
    /// Row generators `G_0, G_1, …`, from the messages `"row" ‖ index` (64 bits, little-endian).
    pub(crate) rows: Vec<Affine>,
    /// Blinding base `H`, from `"blind"`.
    pub(crate) h: Affine,
    /// Base `U` of committed scalars, from `"scalar"`.
    pub(crate) u: Affine,
}

impl Generators {
    /// At least `columns` row generators. The process keeps the longest list asked for so far.
    pub(crate) fn get(columns: usize) -> Arc<Self> {
        static CACHE: OnceLock<RwLock<Arc<Generators>>> = OnceLock::new();
        let cache = CACHE.get_or_init(|| RwLock::new(Arc::new(Self::extended(&[], 0))));
        // A poisoned lock still holds a whole list: the only write is one assignment.
        let known = Arc::clone(&cache.read().unwrap_or_else(|poisoned| poisoned.into_inner()));
        if known.rows.len() >= columns {
            return known;
        }
        // Outside the lock: two threads may compute the same points, but none waits holding it.
        let longer = Arc::new(Self::extended(&known.rows, columns.next_power_of_two()));
        let mut slot = cache.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        if slot.rows.len() < longer.rows.len() {
            *slot = longer;
        }
        Arc::clone(&slot)
    }

    /// `columns` row generators, of which `known` are the first.
    fn extended(known: &[Affine], columns: usize) -> Self {
        let (u, h) = scalar_bases();
        let hash = |index: usize| {
            let mut message = *b"row\0\0\0\0\0\0\0\0";
            message[3..].copy_from_slice(&(index as u64).to_le_bytes());
            hash_to_curve(&message)
        };
        let new: Vec<Point> = (known.len()..columns).into_par_iter().map(hash).collect();
        Self { rows: [known, &normalise(&new)].concat(), h, u }
    }
}

/// `U` and `H`, without any row generator.
pub(crate) fn scalar_bases() -> (Affine, Affine) {
    static BASES: OnceLock<(Affine, Affine)> = OnceLock::new();
    *BASES.get_or_init(|| (hash_to_curve(b"scalar").to_affine(), hash_to_curve(b"blind").to_affine()))
}

pub(crate) fn hash_to_curve(message: &[u8]) -> Point {
    Point::hash_to_curve(DOMAIN)(message)
}

/// The compressed encoding: `x` in 32 little-endian bytes, bit 254 the parity of `y`, bit 255 the identity.
pub(crate) fn encode(p: &Affine) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(p.to_bytes().as_ref());
    bytes
}

/// The point that [`encode`] maps to these bytes; `None` for any other bytes and for the identity.
pub(crate) fn decode(bytes: &[u8; 32]) -> Option<Affine> {
    let mut repr = <Affine as GroupEncoding>::Repr::default();
    repr.as_mut().copy_from_slice(bytes);
    let point = Option::<Affine>::from(Affine::from_bytes(&repr))?;
    (!bool::from(point.is_identity()) && encode(&point) == *bytes).then_some(point)
}

/// [`decode`] for points one after another, 32 bytes each; `None` if any is refused or bytes are left over.
pub(crate) fn decode_all(bytes: &[u8]) -> Option<Vec<Affine>> {
    let (points, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() {
        return None;
    }
    points.par_iter().with_min_len(32).map(decode).collect()
}

/// Affine coordinates of all points with one inversion per thread.
pub(crate) fn normalise(points: &[Point]) -> Vec<Affine> {
    let mut affine = vec![Affine::identity(); points.len()];
    let chunk = points.len().div_ceil(rayon::current_num_threads()).max(64);
    points.par_chunks(chunk).zip(affine.par_chunks_mut(chunk)).for_each(|(from, to)| {
        Point::batch_normalize(from, to);
    });
    affine
}

/// `Σ scalars[i]·bases[i]` over the shorter of the two lengths. Timing depends on the scalars.
pub(crate) fn msm(scalars: &[F], bases: &[Affine]) -> Point {
    let (scalars, bases): (Vec<F>, Vec<Affine>) =
        scalars.iter().zip(bases).filter(|(s, _)| !bool::from(s.is_zero())).unzip();
    if scalars.is_empty() {
        return Point::identity();
    }
    halo2curves::msm::msm_best(&scalars, &bases)
}

/// The field element of a signed integer.
pub(crate) fn f_from_i64(v: i64) -> F {
    let magnitude = F::from(v.unsigned_abs());
    if v < 0 { -magnitude } else { magnitude }
}

/// The field element of a signed integer.
pub(crate) fn f_from_i128(v: i128) -> F {
    let magnitude = F::from_u128(v.unsigned_abs());
    if v < 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::collections::HashSet;

    use rand_chacha::ChaCha20Rng;
    use rand_core::{RngCore, SeedableRng};

    #[test]
    fn generators_are_distinct_and_a_longer_list_extends_a_shorter_one() {
        let short = Generators::get(5).rows.clone();
        let long = Generators::get(300);
        assert!(long.rows.len() >= 300);
        assert_eq!(short[..5], long.rows[..5]);
        let mut seen: HashSet<[u8; 32]> = long.rows.iter().map(encode).collect();
        assert!(seen.insert(encode(&long.h)) && seen.insert(encode(&long.u)));
        assert_eq!(seen.len(), long.rows.len() + 2);
        assert_eq!(long.rows[7], hash_to_curve(b"row\x07\0\0\0\0\0\0\0").to_affine());
    }

    #[test]
    fn encodings_round_trip_and_nothing_else_decodes() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let points: Vec<Affine> = (0..100).map(|_| Affine::random(&mut rng)).collect();
        let bytes: Vec<u8> = points.iter().flat_map(encode).collect();
        assert_eq!(decode_all(&bytes), Some(points.clone()));
        assert_eq!(decode_all(&bytes[..bytes.len() - 1]), None);
        assert_eq!(decode_all(&[]), Some(vec![]));
        for point in &points {
            assert_eq!(decode(&encode(point)), Some(*point));
            assert_eq!(decode(&encode(&-point)), Some(-point));
            let mut flagged = encode(point);
            flagged[31] |= 0x80;
            assert_eq!(decode(&flagged), None);
        }
        assert_eq!(decode(&encode(&Affine::identity())), None);
        assert_eq!(decode(&[0xff; 32]), None);
        let mut modulus = [0u8; 32];
        for (byte, digits) in modulus.iter_mut().rev().zip(grumpkin::Fq::MODULUS.as_bytes()[2..].chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap();
        }
        assert_eq!(decode(&modulus), None, "x = p");
        let mut refused = 0;
        for _ in 0..200 {
            let mut random = [0; 32];
            rng.fill_bytes(&mut random);
            random[31] &= 0x6f;
            match decode(&random) {
                Some(point) => assert_eq!(encode(&point), random),
                None => refused += 1,
            }
        }
        assert!(refused > 50);
    }

    fn naive(scalars: &[F], bases: &[Affine]) -> Point {
        scalars.iter().zip(bases).map(|(s, b)| b * s).sum()
    }

    #[test]
    fn msm_matches_naive() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        for len in [0, 1, 2, 3, 7, 31, 32, 33, 100, 700] {
            let bases: Vec<Affine> = (0..len).map(|_| Affine::random(&mut rng)).collect();
            let scalars: Vec<F> = (0..len)
                .map(|i| match i % 5 {
                    0 => F::ZERO,
                    1 => F::ONE,
                    2 => -F::ONE,
                    3 => F::from(rng.next_u64()),
                    _ => F::random(&mut rng),
                })
                .collect();
            assert_eq!(msm(&scalars, &bases), naive(&scalars, &bases), "{len}");
        }
    }

    #[test]
    fn msm_with_coinciding_points() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let base = Affine::random(&mut rng);
        for len in [2, 3, 64, 400] {
            let same = vec![base; len];
            let signs: Vec<Affine> = (0..len).map(|i| if i % 2 == 0 { base } else { -base }).collect();
            let scalar = F::random(&mut rng);
            let equal = vec![scalar; len];
            let random: Vec<F> = (0..len).map(|_| F::random(&mut rng)).collect();
            for bases in [&same, &signs] {
                assert_eq!(msm(&equal, bases), naive(&equal, bases));
                assert_eq!(msm(&random, bases), naive(&random, bases));
            }
        }
    }

    #[test]
    fn integers() {
        for v in [0, 1, -1, i64::MAX, i64::MIN] {
            assert_eq!(f_from_i64(v) + F::from(1 << 63), F::from((v as u64) ^ (1 << 63)));
            assert_eq!(f_from_i64(v), f_from_i128(v.into()));
        }
        assert_eq!(f_from_i128(i128::MIN), -F::from(2).pow([127]));
        assert_eq!(f_from_i128(i128::MAX), F::from(2).pow([127]) - F::ONE);
    }
}
