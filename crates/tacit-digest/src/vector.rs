//! Packing of integers into field elements, and the tree over them. The format is stated at the crate's head.

use halo2curves::bn256::Fr;

use crate::permutation::hash8;

/// Children of a node of the tree.
///
/// Eight rather than sixteen: the circuit that recomputes the tree has one column for each element of the permutation's
/// state, so that arity 8 (width 9) is half as wide as arity 16 (width 17), for about the same area per packed element.
pub const ARITY: usize = 8;

/// Bits of a field element that packing may use: the largest multiple of 8 that leaves every packed integer below the
/// modulus (254 bits) with room to spare.
pub const PACKED_BITS: usize = 248;

/// A run of integers of one width, each in `-2^(width-1) .. 2^(width-1)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'a> {
    /// Bits of each integer, 1 to 64, sign included.
    pub width: u8,
    /// The integers.
    pub values: &'a [i64],
}

impl Part<'_> {
    /// Width and number of the integers, without their values.
    #[must_use]
    pub fn shape(&self) -> PartShape {
        PartShape { width: self.width, count: self.values.len() }
    }
}

/// What is public of a [`Part`]: how many integers of which width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PartShape {
    /// Bits of each integer, 1 to 64, sign included.
    pub width: u8,
    /// How many integers.
    pub count: usize,
}

impl PartShape {
    /// The leaf that stands before the part's packed elements: `count * 2^8 + width`.
    #[must_use]
    pub fn descriptor(&self) -> Fr {
        Fr::from_raw([(self.count as u64) << 8 | u64::from(self.width), self.count as u64 >> 56, 0, 0])
    }

    /// Leaves of the part: its descriptor and its packed elements.
    ///
    /// # Panics
    ///
    /// If the width is not in 1..=64.
    #[must_use]
    pub fn leaf_count(&self) -> usize {
        1 + self.count.div_ceil(per_element(self.width))
    }
}

/// Why parts have no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// A width is not in 1..=64.
    #[error("part {part} has width {width}; widths are 1 to 64 bits")]
    Width {
        /// Position of the part.
        part: usize,
        /// The width found.
        width: u8,
    },
    /// A value does not fit its part's width. The value, which may be hidden, is not shown.
    #[error("the value at index {index} of part {part} does not fit {width} signed bits")]
    OutOfWidth {
        /// Position of the part.
        part: usize,
        /// Position of the value within the part.
        index: usize,
        /// The declared width in bits.
        width: u8,
    },
    /// There is no part.
    #[error("a digest needs at least one part")]
    NoParts,
    /// There are more parts or leaves than the digest's header can count (2^32 - 1 each).
    #[error("{parts} parts with {leaves} leaves are too many for a digest")]
    TooMany {
        /// Number of parts.
        parts: usize,
        /// Number of leaves.
        leaves: usize,
    },
}

/// Integers of `width` bits that one field element holds: `floor(248 / width)`.
///
/// # Panics
///
/// If the width is not in 1..=64.
#[must_use]
pub const fn per_element(width: u8) -> usize {
    assert!(1 <= width && width <= 64, "widths are 1 to 64 bits");
    PACKED_BITS / width as usize
}

/// `value + 2^(width-1)`, or `None` if `value` does not fit `width` signed bits (1 to 64).
#[must_use]
pub const fn offset_binary(value: i64, width: u8) -> Option<u64> {
    if width == 0 || width > 64 {
        return None;
    }
    let shifted = value as i128 + (1i128 << (width - 1));
    if shifted >= 0 && shifted < 1i128 << width { Some(shifted as u64) } else { None }
}

/// Packs offset-binary integers into one element: `sum_i chunk[i] 2^(width i)`.
///
/// `chunk` has at most [`per_element`]`(width)` integers, each below `2^width`.
fn pack(chunk: impl Iterator<Item = u64>, width: u8) -> Fr {
    let mut limbs = [0u64; 4];
    for (i, u) in chunk.enumerate() {
        let (limb, bit) = (i * usize::from(width) / 64, i * usize::from(width) % 64);
        let wide = u128::from(u) << bit;
        limbs[limb] |= wide as u64;
        if let Some(next) = limbs.get_mut(limb + 1) {
            *next |= (wide >> 64) as u64;
        }
    }
    Fr::from_raw(limbs)
}

/// The leaves of the tree over `parts`: for each part its descriptor, then its packed elements.
///
/// # Errors
///
/// [`DigestError`] if there is no part, a width is not in 1..=64, or a value does not fit its width.
pub fn leaves(parts: &[Part<'_>]) -> Result<Vec<Fr>, DigestError> {
    if parts.is_empty() {
        return Err(DigestError::NoParts);
    }
    let mut leaves = Vec::new();
    for (part_index, part) in parts.iter().enumerate() {
        let width = part.width;
        if !(1..=64).contains(&width) {
            return Err(DigestError::Width { part: part_index, width });
        }
        leaves.push(part.shape().descriptor());
        let mut offsets = Vec::with_capacity(per_element(width));
        for (chunk_index, chunk) in part.values.chunks(per_element(width)).enumerate() {
            offsets.clear();
            for (i, &value) in chunk.iter().enumerate() {
                let index = chunk_index * per_element(width) + i;
                offsets.push(offset_binary(value, width).ok_or(DigestError::OutOfWidth {
                    part: part_index,
                    index,
                    width,
                })?);
            }
            leaves.push(pack(offsets.iter().copied(), width));
        }
    }
    Ok(leaves)
}

/// The root of the tree over `leaves`: groups of eight hashed by [`hash8`] (the last filled with zeros), level by
/// level, at least once, until one element is left.
///
/// The root alone does not say how many leaves there are: [`digest()`](crate::digest()) adds that.
#[must_use]
pub fn root(leaves: &[Fr]) -> Fr {
    let mut level = leaves.to_vec();
    for calls in levels(leaves.len()) {
        level.resize(calls * ARITY, Fr::zero());
        let (groups, _) = level.as_chunks::<ARITY>();
        level = groups.iter().map(hash8).collect();
    }
    level[0]
}

/// How many [`hash8`] calls each level of the tree over `leaf_count` leaves makes, from the leaves up; the last is 1.
///
/// A tree over no leaves has the one level of a tree over one.
#[must_use]
pub fn levels(leaf_count: usize) -> Vec<usize> {
    let mut calls = vec![leaf_count.div_ceil(ARITY).max(1)];
    while let Some(&last) = calls.last()
        && last > 1
    {
        calls.push(last.div_ceil(ARITY));
    }
    calls
}

/// Everything about a digest's computation that does not depend on the values: what a circuit lays out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeShape {
    /// The parts, in order.
    pub parts: Vec<PartShape>,
    /// Leaves, descriptors included.
    pub leaf_count: usize,
    /// [`hash8`] calls at each level, from the leaves up.
    pub levels: Vec<usize>,
}

impl TreeShape {
    /// The shape of the tree over parts of these shapes.
    ///
    /// # Errors
    ///
    /// [`DigestError`] if there is no part, a width is not in 1..=64, or there are too many leaves.
    pub fn new(parts: &[PartShape]) -> Result<Self, DigestError> {
        if parts.is_empty() {
            return Err(DigestError::NoParts);
        }
        let mut leaf_count = 0usize;
        for (part, shape) in parts.iter().enumerate() {
            if !(1..=64).contains(&shape.width) {
                return Err(DigestError::Width { part, width: shape.width });
            }
            leaf_count = leaf_count.saturating_add(shape.leaf_count());
        }
        meta(leaf_count, parts.len())?;
        Ok(Self { parts: parts.to_vec(), leaf_count, levels: levels(leaf_count) })
    }

    /// Permutations in all: those of the tree and the one that ends the digest.
    #[must_use]
    pub fn permutations(&self) -> usize {
        self.levels.iter().sum::<usize>() + 1
    }

    /// The digest's second input: `leaf_count * 2^32 + number of parts`.
    #[must_use]
    pub fn meta(&self) -> Fr {
        Fr::from((self.leaf_count as u64) << 32 | self.parts.len() as u64)
    }
}

/// `leaves * 2^32 + parts`.
pub(crate) fn meta(leaves: usize, parts: usize) -> Result<Fr, DigestError> {
    match (u32::try_from(leaves), u32::try_from(parts)) {
        (Ok(l), Ok(p)) => Ok(Fr::from(u64::from(l) << 32 | u64::from(p))),
        _ => Err(DigestError::TooMany { parts, leaves }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offset_binary_bounds() {
        assert_eq!(offset_binary(-128, 8), Some(0));
        assert_eq!(offset_binary(127, 8), Some(255));
        assert_eq!(offset_binary(128, 8), None);
        assert_eq!(offset_binary(-129, 8), None);
        assert_eq!(offset_binary(-1, 1), Some(0));
        assert_eq!(offset_binary(0, 1), Some(1));
        assert_eq!(offset_binary(1, 1), None);
        assert_eq!(offset_binary(i64::MIN, 64), Some(0));
        assert_eq!(offset_binary(i64::MAX, 64), Some(u64::MAX));
        assert_eq!(offset_binary(0, 0), None);
        assert_eq!(offset_binary(0, 65), None);
    }

    #[test]
    fn packing_is_the_weighted_sum() {
        for width in 1..=64u8 {
            let n = per_element(width);
            let low = -(1i128 << (width - 1));
            let values: Vec<i64> =
                (0..n).map(|i| (low + ((i as i128 * 7919) & ((1 << width) - 1))) as i64).collect();
            let packed = leaves(&[Part { width, values: &values }]).expect("in width")[1];
            let base = (0..width).fold(Fr::one(), |x, _| x.double());
            let sum = values.iter().rev().fold(Fr::zero(), |sum, &v| {
                sum * base + Fr::from(offset_binary(v, width).expect("in width"))
            });
            assert_eq!(packed, sum, "width {width}");
        }
    }

    #[test]
    fn leaf_layout() {
        let values = [1i64; 32];
        let leaves =
            leaves(&[Part { width: 8, values: &values }, Part { width: 64, values: &[] }]).expect("in width");
        assert_eq!(leaves.len(), 4);
        assert_eq!(leaves[0], Fr::from(32 * 256 + 8));
        assert_eq!(leaves[2], Fr::from(129));
        assert_eq!(leaves[3], Fr::from(64));
        assert_eq!(PartShape { width: 8, count: 32 }.leaf_count(), 3);
        assert_eq!(PartShape { width: 8, count: 31 }.leaf_count(), 2);
    }

    #[test]
    fn levels_by_hand() {
        for (count, expected) in [
            (0, vec![1]),
            (1, vec![1]),
            (8, vec![1]),
            (9, vec![2, 1]),
            (64, vec![8, 1]),
            (65, vec![9, 2, 1]),
            (582, vec![73, 10, 2, 1]),
        ] {
            assert_eq!(levels(count), expected, "{count} leaves");
        }
    }

    #[test]
    fn errors_name_the_place() {
        let good = Part { width: 8, values: &[0, 127] };
        let bad = Part { width: 8, values: &[0, 0, 128] };
        assert_eq!(leaves(&[good, bad]), Err(DigestError::OutOfWidth { part: 1, index: 2, width: 8 }));
        let long: Vec<i64> = (0..100).map(|i| if i == 70 { -200 } else { 0 }).collect();
        assert_eq!(
            leaves(&[Part { width: 8, values: &long }]),
            Err(DigestError::OutOfWidth { part: 0, index: 70, width: 8 })
        );
        for width in [0, 65, 255] {
            assert_eq!(
                leaves(&[good, Part { width, values: &[] }]),
                Err(DigestError::Width { part: 1, width })
            );
            let shape = PartShape { width, count: 0 };
            assert_eq!(TreeShape::new(&[shape]), Err(DigestError::Width { part: 0, width }));
        }
        assert_eq!(leaves(&[]), Err(DigestError::NoParts));
        let huge = PartShape { width: 64, count: usize::MAX };
        assert!(matches!(TreeShape::new(&[huge]), Err(DigestError::TooMany { parts: 1, .. })));
    }
}
