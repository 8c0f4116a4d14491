//! Byte strings with a meaning: hexadecimal in text and JSON, plain bytes in binary formats.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// Longest commitment, in bytes.
const MAX_COMMITMENT: usize = 1 << 16;

/// Why a text is not the hexadecimal form of such a byte string.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HexError {
    /// Another length.
    #[error("expected {expected} hexadecimal digits, found {actual}")]
    Length {
        /// Digits wanted.
        expected: usize,
        /// Digits (or other characters) found.
        actual: usize,
    },
    /// A commitment that is empty or longer than any engine makes.
    #[error("a commitment has between 1 and {MAX_COMMITMENT} bytes, not {0}")]
    CommitmentLength(usize),
    /// A character that is no hexadecimal digit, or an odd number of them.
    #[error("not a hexadecimal string")]
    Digit,
}

/// Decodes exactly `N` bytes, in either case.
#[doc(hidden)]
pub fn decode_hex<const N: usize>(text: &str) -> Result<[u8; N], HexError> {
    if text.len() != 2 * N {
        return Err(HexError::Length { expected: 2 * N, actual: text.chars().count() });
    }
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| HexError::Digit)?;
    Ok(bytes)
}

/// Serde for `[u8; 32]`: 64 hexadecimal digits where people read, 32 plain bytes where they do not.
#[doc(hidden)]
pub mod hex32 {
    use super::*;

    pub fn serialize<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&hex::encode(bytes))
        } else {
            bytes.serialize(serializer)
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(HexVisitor::<32>)
        } else {
            <[u8; 32]>::deserialize(deserializer)
        }
    }
}

/// Serde for `[u8; 64]` in JSON: 128 hexadecimal digits.
pub(crate) mod hex64 {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8; 64], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 64], D::Error> {
        deserializer.deserialize_str(HexVisitor::<64>)
    }
}

/// Serde for [`tacit_model::ArchitectureDigest`].
pub(crate) mod architecture_digest {
    use tacit_model::ArchitectureDigest;

    use super::*;

    pub(crate) fn serialize<S: Serializer>(digest: &ArchitectureDigest, s: S) -> Result<S::Ok, S::Error> {
        hex32::serialize(&digest.0, s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<ArchitectureDigest, D::Error> {
        hex32::deserialize(d).map(ArchitectureDigest)
    }
}

/// Serde for [`tacit_model::DatasetDigest`].
pub(crate) mod dataset_digest {
    use tacit_model::DatasetDigest;

    use super::*;

    pub(crate) fn serialize<S: Serializer>(digest: &DatasetDigest, s: S) -> Result<S::Ok, S::Error> {
        hex32::serialize(&digest.0, s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<DatasetDigest, D::Error> {
        hex32::deserialize(d).map(DatasetDigest)
    }
}

/// Serde for [`tacit_model::ModelDigest`], which stands in secret binary files alone.
pub(crate) mod model_digest {
    use tacit_model::ModelDigest;

    use super::*;

    pub(crate) fn serialize<S: Serializer>(digest: &ModelDigest, s: S) -> Result<S::Ok, S::Error> {
        digest.0.serialize(s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<ModelDigest, D::Error> {
        <[u8; 32]>::deserialize(d).map(ModelDigest)
    }
}

struct HexVisitor<const N: usize>;

impl<const N: usize> Visitor<'_> for HexVisitor<N> {
    type Value = [u8; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} hexadecimal digits", 2 * N)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        decode_hex(text).map_err(E::custom)
    }
}

/// Conversions of a tuple struct over 32 bytes to and from hexadecimal text.
#[doc(hidden)]
#[macro_export]
macro_rules! hex_conversions {
    ($name:ident, $error:ty, $decode:path) => {
        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                self.0.iter().try_for_each(|byte| ::std::write!(f, "{byte:02x}"))
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::write!(f, ::std::concat!(::std::stringify!($name), "({})"), self)
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $error;

            fn from_str(text: &str) -> ::std::result::Result<Self, $error> {
                $decode(text).map(Self)
            }
        }
    };
}

/// A tuple struct over 32 bytes: hexadecimal in text and JSON, plain bytes in binary formats.
#[doc(hidden)]
#[macro_export]
macro_rules! bytes32 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, $crate::serde::Serialize, $crate::serde::Deserialize)]
        #[serde(transparent, crate = "::tacit_claim::serde")]
        pub struct $name(#[serde(with = "::tacit_claim::hex32")] pub [u8; 32]);

        impl $name {
            /// The first eight bytes in hexadecimal and an ellipsis, for sentences.
            #[must_use]
            pub fn short(&self) -> String {
                $crate::short_hex(&self.0)
            }
        }

        $crate::hex_conversions!($name, $crate::HexError, $crate::decode_hex);
    };
}

bytes32! {
    /// SHA-256 of a card's canonical bytes, 32 bytes.
    CardId
}
bytes32! {
    /// Identity of a committed model under one engine, 32 bytes, made by the engine from the architecture's
    /// digest and the commitment to the weights. Ids of different engines are never equal.
    ModelId
}
bytes32! {
    /// SHA-256 of a schema: what "a record of the same kind" means, whatever the model. 32 bytes.
    SchemaDigest
}
bytes32! {
    /// SHA-256 of the certificate that every committed weight fits its width, 32 bytes.
    CertificateDigest
}

impl CertificateDigest {
    /// The digest of a certificate's bytes.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

bytes32! {
    /// Digest of a claim, 32 bytes: what an engine's transcript absorbs before its first challenge.
    ClaimDigest
}

/// At most the first eight bytes in hexadecimal, with an ellipsis where more follow.
#[doc(hidden)]
pub fn short_hex(bytes: &[u8]) -> String {
    match bytes.get(..8) {
        Some(head) if bytes.len() > 8 => format!("{}…", hex::encode(head)),
        _ => hex::encode(bytes),
    }
}

/// An engine's commitment, opaque here: 1 to 65,536 bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Commitment(Vec<u8>);

impl Commitment {
    /// A commitment of these bytes.
    ///
    /// # Errors
    /// [`HexError::CommitmentLength`] when there is none or too many.
    pub fn new(bytes: Vec<u8>) -> Result<Self, HexError> {
        if bytes.is_empty() || bytes.len() > MAX_COMMITMENT {
            return Err(HexError::CommitmentLength(bytes.len()));
        }
        Ok(Self(bytes))
    }

    /// The engine's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The first eight bytes of [`Commitment::pin`] in hexadecimal and an ellipsis, for sentences.
    #[must_use]
    pub fn short(&self) -> String {
        match self.pin() {
            CommitmentPin::Whole(_) => short_hex(&self.0),
            CommitmentPin::Digest(digest) => format!("{PIN}{}", short_hex(&digest)),
        }
    }
}

/// Longest commitment that people are shown in full, in bytes.
const MAX_SHOWN: usize = 64;
const PIN: &str = "sha256:";

/// What somebody knows of a commitment: all of it, or, where it is long, its SHA-256 (`sha256:` and 64
/// digits).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CommitmentPin {
    /// All of it.
    Whole(Commitment),
    /// Its SHA-256.
    Digest([u8; 32]),
}

impl CommitmentPin {
    /// Whether this is what is known of `commitment`.
    #[must_use]
    pub fn matches(&self, commitment: &Commitment) -> bool {
        match self {
            // 32 bytes pinned to a long commitment can only be its SHA-256, written without the prefix.
            Self::Whole(known) => {
                known == commitment
                    || matches!(commitment.pin(), Self::Digest(digest) if known.0.as_slice() == digest)
            }
            Self::Digest(known) => Sha256::digest(&commitment.0).as_slice() == known,
        }
    }
}

impl From<Commitment> for CommitmentPin {
    fn from(commitment: Commitment) -> Self {
        Self::Whole(commitment)
    }
}

impl fmt::Display for CommitmentPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(commitment) => commitment.fmt(f),
            Self::Digest(digest) => write!(f, "{PIN}{}", hex::encode(digest)),
        }
    }
}

impl FromStr for CommitmentPin {
    type Err = HexError;

    fn from_str(text: &str) -> Result<Self, HexError> {
        match text.split_at_checked(PIN.len()) {
            Some((prefix, digest)) if prefix.eq_ignore_ascii_case(PIN) => {
                decode_hex(digest).map(Self::Digest)
            }
            _ => text.parse().map(Self::Whole),
        }
    }
}

impl Commitment {
    /// What people pass on to know the commitment again: all of it, or its SHA-256 where it is long.
    #[must_use]
    pub fn pin(&self) -> CommitmentPin {
        if self.0.len() <= MAX_SHOWN {
            CommitmentPin::Whole(self.clone())
        } else {
            CommitmentPin::Digest(Sha256::digest(&self.0).into())
        }
    }
}

impl fmt::Display for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Commitment({self})")
    }
}

impl FromStr for Commitment {
    type Err = HexError;

    fn from_str(text: &str) -> Result<Self, HexError> {
        if text.len() > 2 * MAX_COMMITMENT {
            return Err(HexError::CommitmentLength(text.len() / 2));
        }
        Self::new(hex::decode(text).map_err(|_| HexError::Digit)?)
    }
}

impl Serialize for Commitment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&self.to_string())
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Commitment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(CommitmentVisitor)
        } else {
            deserializer.deserialize_bytes(CommitmentVisitor)
        }
    }
}

struct CommitmentVisitor;

impl Visitor<'_> for CommitmentVisitor {
    type Value = Commitment;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a commitment of 1 to {MAX_COMMITMENT} bytes")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Commitment, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Commitment, E> {
        if bytes.len() > MAX_COMMITMENT {
            return Err(E::custom(HexError::CommitmentLength(bytes.len())));
        }
        Commitment::new(bytes.to_vec()).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_round_trips_and_refuses_the_rest() {
        let id = CardId([0xab; 32]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
        assert_eq!(id.short(), "abababababababab…");
        assert_eq!("ab".parse::<CardId>(), Err(HexError::Length { expected: 64, actual: 2 }));
        assert_eq!("é".repeat(32).parse::<CardId>(), Err(HexError::Digit));
        assert_eq!("zz".repeat(32).parse::<CardId>(), Err(HexError::Digit));
    }

    #[test]
    fn commitments_are_bounded() {
        assert_eq!(Commitment::new(Vec::new()), Err(HexError::CommitmentLength(0)));
        let largest = Commitment::new(vec![7; MAX_COMMITMENT]).expect("allowed");
        assert_eq!(largest.to_string().parse(), Ok(largest));
        assert_eq!(
            Commitment::new(vec![7; MAX_COMMITMENT + 1]),
            Err(HexError::CommitmentLength(MAX_COMMITMENT + 1))
        );
        assert!("ab".repeat(MAX_COMMITMENT + 1).parse::<Commitment>().is_err());
        assert_eq!("abc".parse::<Commitment>(), Err(HexError::Digit));
    }

    #[test]
    fn long_commitments_are_pinned_by_their_digest() {
        for length in [1, 32, 64, 65, 5000] {
            let commitment = Commitment::new(vec![7; length]).expect("allowed");
            let pin = commitment.pin();
            let text = pin.to_string();
            assert!(text.len() <= 128 && text.starts_with("sha256:") == (length > 64), "{text}");
            assert_eq!(text.parse(), Ok(pin.clone()));
            assert!(pin.matches(&commitment) && CommitmentPin::from(commitment.clone()).matches(&commitment));
            let other = Commitment::new(vec![8; length]).expect("allowed");
            assert!(!pin.matches(&other));
            let bare = text.trim_start_matches(PIN);
            for known in [bare, &bare.to_uppercase(), &text.to_uppercase()] {
                let known: CommitmentPin = known.parse().expect("hexadecimal digits");
                assert!(known.matches(&commitment) && !known.matches(&other), "{text}");
            }
            assert!(text.starts_with(commitment.short().trim_end_matches('…')), "{text}");
        }
        assert!("sha256:ab".parse::<CommitmentPin>().is_err());
        assert!("sha256:".parse::<CommitmentPin>().is_err());
    }
}
