//! The secret that opens a commitment.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::bytes::hex32;

/// 256 bits from which an engine takes the salt, and whatever blinds it needs, of one commitment. Zeroised when
/// dropped, never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub struct SaltBytes(#[serde(with = "hex32")] [u8; 32]);

impl SaltBytes {
    /// These 32 bytes as a salt; for a hidden commitment they come from a cryptographic source of randomness.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The secret itself.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SaltBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SaltBytes(hidden)")
    }
}
