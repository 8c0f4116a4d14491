//! The salt of a hidden digest.

use halo2curves::bn256::Fr;
use rand_core::{CryptoRng, RngCore};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::encoding::hash_bytes_to_lanes;

/// 256 random bits that keep a digest of hidden values from being guessed; wiped from memory when dropped.
///
/// It enters the digest as two 128-bit little-endian lanes. It is as secret as the values: neither printed by `Debug`
/// nor serialised on its own, [`Salt::expose`] says where it leaves.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Salt([u8; 32]);

impl Salt {
    /// The salt of public values: zero, so that everybody computes the same digest.
    pub const PUBLIC: Self = Self([0; 32]);

    /// A fresh salt.
    #[must_use]
    pub fn random(rng: &mut (impl CryptoRng + RngCore)) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// A salt read back from an opening.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, for an opening file or a circuit's witness.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether this is [`Salt::PUBLIC`].
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.0 == [0; 32]
    }

    /// The two 128-bit little-endian lanes, as field elements.
    #[must_use]
    pub fn lanes(&self) -> [Fr; 2] {
        hash_bytes_to_lanes(self.0)
    }
}

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_public() { "Salt(public)" } else { "Salt(..)" })
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn debug_keeps_the_secret() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        assert_eq!(format!("{:?}", Salt::random(&mut rng)), "Salt(..)");
        assert_eq!(format!("{:?}", Salt::PUBLIC), "Salt(public)");
    }

    #[test]
    fn lanes_are_little_endian() {
        let mut bytes = [0; 32];
        bytes[0] = 5;
        bytes[16] = 6;
        bytes[17] = 1;
        assert_eq!(Salt::from_bytes(bytes).lanes(), [Fr::from(5), Fr::from(262)]);
        assert_eq!(Salt::PUBLIC.lanes(), [Fr::zero(); 2]);
    }
}
