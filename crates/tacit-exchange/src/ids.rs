//! 32 bytes with a meaning, as 64 hexadecimal digits in text and JSON.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use tacit_claim::{HexError, bytes32};

bytes32! {
    /// SHA-256 of a sealed request, header and ciphertext, 32 bytes.
    RequestId
}
impl RequestId {
    /// The id of a sealed request's bytes, whatever they are.
    #[must_use]
    pub fn of(message: &[u8]) -> Self {
        Self(tacit_claim::encoding::domain_hash("tacit/exchange/request/1", &[message]))
    }
}

bytes32! {
    /// Names a prekey of a provider: SHA-256 of its suite and public key, 32 bytes.
    PrekeyId
}
bytes32! {
    /// SHA-256 of a [`Capability`], 32 bytes: what a request's header shows of it.
    CapabilityHash
}

/// What fetches and deletes one answer at the relay: 32 secret bytes. Zeroised when dropped, never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct Capability([u8; 32]);

impl Capability {
    /// These bytes, from a cryptographic source of randomness.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// What the header shows.
    #[must_use]
    pub fn hash(&self) -> CapabilityHash {
        CapabilityHash(tacit_claim::encoding::domain_hash("tacit/exchange/capability/1", &[&self.0]))
    }

    /// The token of `authorization: Bearer …`: 64 hexadecimal digits.
    #[must_use]
    pub fn to_bearer(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0))
    }

    /// Reads a token.
    ///
    /// # Errors
    /// [`HexError`] for anything but 64 hexadecimal digits.
    pub fn from_bearer(token: &str) -> Result<Self, HexError> {
        if token.len() != 64 {
            return Err(HexError::Length { expected: 64, actual: token.chars().count() });
        }
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(token, &mut *bytes).map_err(|_| HexError::Digit)?;
        Ok(Self(*bytes))
    }
}

impl fmt::Debug for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Capability(hidden)")
    }
}
