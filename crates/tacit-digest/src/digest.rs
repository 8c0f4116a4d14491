//! Salted, domain-separated digests. The format is stated at the crate's head.

use halo2curves::bn256::Fr;

use crate::encoding::{Digest, hash_bytes_to_lanes, lane_to_field};
use crate::permutation::hash8;
use crate::salt::Salt;
use crate::vector::{ARITY, DigestError, Part, leaves, meta, root};

/// What a digest is a digest of: no two kinds share a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Domain {
    /// A model's weights, once per card.
    Weights,
    /// A record, or a hidden test set.
    Input,
    /// What a model answered.
    Output,
    /// A public test set.
    Dataset,
}

impl Domain {
    /// The domain's name and version, as it enters the digest.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Weights => "tacit/weights/1",
            Self::Input => "tacit/input/1",
            Self::Output => "tacit/output/1",
            Self::Dataset => "tacit/dataset/1",
        }
    }

    /// The label as a field element: its ASCII bytes, little-endian.
    #[must_use]
    pub fn tag(self) -> Fr {
        tag(self.label())
    }
}

/// The label under which a model is identified.
const MODEL_LABEL: &str = "tacit/model/1";

/// At most 16 ASCII bytes as a little-endian integer.
fn tag(label: &str) -> Fr {
    lane_to_field(label.bytes().rev().fold(0, |sum, byte| sum << 8 | u128::from(byte)))
}

/// The digest of `parts` under `domain`; public values take [`Salt::PUBLIC`].
///
/// # Errors
///
/// [`DigestError`] if there is no part, a width is not in 1..=64, or a value does not fit its part's width.
pub fn digest(domain: Domain, parts: &[Part<'_>], salt: &Salt) -> Result<Digest, DigestError> {
    let leaves = leaves(parts)?;
    let meta = meta(leaves.len(), parts.len())?;
    Ok(Digest::new(hash8(&final_inputs(domain, meta, salt, root(&leaves)))))
}

/// The eight inputs of the last permutation: `tag, meta, salt_0, salt_1, root, 0, 0, 0`.
#[must_use]
pub fn final_inputs(domain: Domain, meta: Fr, salt: &Salt, root: Fr) -> [Fr; ARITY] {
    let [salt_0, salt_1] = salt.lanes();
    let zero = Fr::zero();
    [domain.tag(), meta, salt_0, salt_1, root, zero, zero, zero]
}

/// The identity of a model: `H8(tag, arch_0, arch_1, weights, 0, 0, 0, 0)`, where `arch_0` and `arch_1` are the
/// 128-bit little-endian lanes of the 32-byte architecture digest, and `weights` the digest of the weights.
#[must_use]
pub fn model_id(architecture_digest: [u8; 32], weights: &Digest) -> Digest {
    let [low, high] = hash_bytes_to_lanes(architecture_digest);
    let zero = Fr::zero();
    Digest::new(hash8(&[tag(MODEL_LABEL), low, high, weights.element(), zero, zero, zero, zero]))
}

/// The label under which a list of curve points is hashed.
const POINTS_LABEL: &str = "tacit/points/1";

/// The digest of a list of points by their coordinates: `H8(tag, number of points, root of x₀, y₀, x₁, …, 0, …)`.
/// Points of a curve over this field only; hiding, if any, is the points' own.
#[must_use]
pub fn points_digest(points: impl IntoIterator<Item = (Fr, Fr)>) -> Digest {
    let coordinates: Vec<Fr> = points.into_iter().flat_map(|(x, y)| [x, y]).collect();
    let zero = Fr::zero();
    let count = Fr::from(coordinates.len() as u64 / 2);
    Digest::new(hash8(&[tag(POINTS_LABEL), count, root(&coordinates), zero, zero, zero, zero, zero]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::TreeShape;

    fn of(parts: &[(u8, &[i64])]) -> Digest {
        let parts: Vec<Part<'_>> = parts.iter().map(|&(width, values)| Part { width, values }).collect();
        digest(Domain::Weights, &parts, &Salt::PUBLIC).expect("in width")
    }

    #[test]
    fn labels_fit_a_lane() {
        for domain in [Domain::Weights, Domain::Input, Domain::Output, Domain::Dataset] {
            assert!(domain.label().len() <= 16 && domain.label().is_ascii());
        }
        assert!(MODEL_LABEL.len() <= 16 && MODEL_LABEL.is_ascii());
        let mut bytes = [0; 32];
        bytes[..15].copy_from_slice(b"tacit/weights/1");
        assert_eq!(Domain::Weights.tag().to_bytes(), bytes);
    }

    #[test]
    fn length_width_and_parts_are_bound() {
        let mut seen = vec![of(&[(8, &[1])])];
        let others: &[&[(u8, &[i64])]] = &[
            &[(8, &[1, 0])],
            &[(8, &[1, -128])], // offset binary 0 in the second place: the packed element is the same
            &[(9, &[1])],
            &[(8, &[1]), (8, &[])],
            &[(8, &[]), (8, &[1])],
            &[(8, &[])],
            &[(8, &[1, 2])],
            &[(8, &[1]), (8, &[2])],
            &[(8, &[2]), (8, &[1])],
            &[(8, &[2, 1])],
            &[(16, &[1 - 128 + 256 * 2 + 32896 - 32768])],
        ];
        for parts in others {
            let d = of(parts);
            assert!(!seen.contains(&d), "{parts:?}");
            seen.push(d);
        }
    }

    #[test]
    fn carried_packing_is_refused() {
        // (w_0 + 256, w_1 - 1) would pack to the element of (w_0, w_1).
        let parts = [Part { width: 8, values: &[3 + 256, 4 - 1] }];
        let error = digest(Domain::Weights, &parts, &Salt::PUBLIC);
        assert_eq!(error, Err(DigestError::OutOfWidth { part: 0, index: 0, width: 8 }));
    }

    #[test]
    fn domain_and_salt_separate() {
        let part = [Part { width: 8, values: &[1, 2, 3] }];
        let mut salt = [0; 32];
        let mut all = Vec::new();
        for byte in [None, Some(0), Some(16), Some(31)] {
            if let Some(i) = byte {
                salt[i] ^= 1;
            }
            for domain in [Domain::Weights, Domain::Input, Domain::Output, Domain::Dataset] {
                all.push(digest(domain, &part, &Salt::from_bytes(salt)).expect("in width").to_bytes());
            }
        }
        let n = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), n);
    }

    #[test]
    fn shape_agrees_with_the_computation() {
        for n in [0usize, 1, 31, 32, 247, 248, 1554, 18_000] {
            let values = vec![-5i64; n];
            let parts = [Part { width: 8, values: &values }, Part { width: 20, values: &values }];
            let leaves = leaves(&parts).expect("in width");
            let shape = TreeShape::new(&parts.map(|p| p.shape())).expect("in width");
            assert_eq!(shape.leaf_count, leaves.len());
            assert_eq!(shape.meta(), meta(leaves.len(), 2).expect("few"));
            assert_eq!(shape.levels.last(), Some(&1));
        }
    }

    #[test]
    fn model_ids_differ() {
        let weights = of(&[(8, &[1])]);
        let mut arch = [0; 32];
        let a = model_id(arch, &weights);
        arch[16] = 1;
        let b = model_id(arch, &weights);
        let c = model_id(arch, &of(&[(8, &[2])]));
        assert!(a != b && b != c && a != c);
    }
}
