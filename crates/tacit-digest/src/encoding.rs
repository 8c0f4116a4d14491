//! [`Digest`] and its one encoding.

use std::fmt;
use std::str::FromStr;

use halo2curves::bn256::Fr;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A Poseidon digest: one element of the scalar field of BN254.
///
/// Its encoding is the canonical integer (below the modulus) as 32 little-endian bytes; as text, those bytes in
/// lowercase hexadecimal. Readers reject everything else. `serde` writes text to formats for people (JSON) and the 32
/// bytes to others.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(Fr);

/// Why bytes or text are not a [`Digest`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The integer is not below the modulus of the field.
    #[error("not a canonical field element: the value is not below the modulus of BN254's scalar field")]
    NonCanonical,
    /// The text is not 64 characters long.
    #[error("a digest has 64 hexadecimal digits, not {found} characters")]
    Length {
        /// Bytes of text found.
        found: usize,
    },
    /// A character is not one of `0-9a-f`.
    #[error("a digest is written in lowercase hexadecimal; character {position} is not one of 0-9a-f")]
    Character {
        /// Byte position in the text, from 0.
        position: usize,
    },
}

impl Digest {
    /// The digest that a circuit or a hash has computed.
    #[must_use]
    pub const fn new(element: Fr) -> Self {
        Self(element)
    }

    /// The field element.
    #[must_use]
    pub const fn element(&self) -> Fr {
        self.0
    }

    /// 32 canonical little-endian bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// Reads 32 canonical little-endian bytes.
    ///
    /// # Errors
    ///
    /// [`DecodeError::NonCanonical`] if the integer is not below the modulus.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, DecodeError> {
        Option::<Fr>::from(Fr::from_bytes(bytes)).map(Self).ok_or(DecodeError::NonCanonical)
    }
}

impl From<Digest> for Fr {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex::encode(self.to_bytes()))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        if let Some(position) = text.bytes().position(|b| !matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(DecodeError::Character { position });
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| DecodeError::Length { found: text.len() })?;
        Self::from_bytes(&bytes)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.to_bytes().serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
        } else {
            Self::from_bytes(&<[u8; 32]>::deserialize(deserializer)?).map_err(D::Error::custom)
        }
    }
}

/// Splits a 256-bit hash into two 128-bit little-endian lanes (bytes 0..16, bytes 16..32), each a field element.
///
/// This is how a hash that is not a field element (SHA-256 of a claim, of an architecture) enters Poseidon or an
/// instance column without loss.
#[must_use]
pub fn hash_bytes_to_lanes(bytes: [u8; 32]) -> [Fr; 2] {
    let value = u128::from_le_bytes;
    let (low, high) = bytes.split_at(16);
    let lane = |half: &[u8]| value(half.try_into().expect("half of 32 bytes is 16 bytes"));
    [lane(low), lane(high)].map(lane_to_field)
}

/// A 128-bit integer as a field element.
pub(crate) fn lane_to_field(lane: u128) -> Fr {
    Fr::from_raw([lane as u64, (lane >> 64) as u64, 0, 0])
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULUS: &str = "010000f093f5e1439170b97948e833285d588181b64550b829a031e1724e6430";

    #[test]
    fn one_encoding() {
        let digest = Digest::new(-Fr::one());
        let text = digest.to_string();
        assert_eq!(text, format!("00{}", &MODULUS[2..]));
        assert_eq!(text.parse(), Ok(digest));
        assert_eq!(Digest::from_bytes(&digest.to_bytes()), Ok(digest));
        assert_eq!(MODULUS.parse::<Digest>(), Err(DecodeError::NonCanonical));
        assert_eq!("ff".repeat(32).parse::<Digest>(), Err(DecodeError::NonCanonical));
        assert_eq!(text.to_uppercase().parse::<Digest>(), Err(DecodeError::Character { position: 6 }));
        assert_eq!(text[1..].parse::<Digest>(), Err(DecodeError::Length { found: 63 }));
        assert_eq!(format!("{text}0").parse::<Digest>(), Err(DecodeError::Length { found: 65 }));
        assert_eq!("".parse::<Digest>(), Err(DecodeError::Length { found: 0 }));
        assert_eq!("0é".parse::<Digest>(), Err(DecodeError::Character { position: 1 }));
    }

    #[test]
    fn serde_is_strict() {
        let digest = Digest::new(Fr::from(258));
        let json = serde_json::to_string(&digest).expect("a string");
        assert_eq!(json, format!("\"0201{}\"", "00".repeat(30)));
        assert_eq!(serde_json::from_str::<Digest>(&json).expect("own output"), digest);
        assert!(serde_json::from_str::<Digest>(&format!("\"{MODULUS}\"")).is_err());
        let bytes = postcard::to_allocvec(&digest).expect("32 bytes");
        assert_eq!(bytes, digest.to_bytes());
        assert_eq!(postcard::from_bytes::<Digest>(&bytes).expect("own output"), digest);
        assert!(postcard::from_bytes::<Digest>(&[0xff; 32]).is_err());
    }
}
