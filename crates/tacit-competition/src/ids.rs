//! 32 bytes with a meaning, as 64 hexadecimal digits in text and JSON.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The text is not 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits in lower case")]
pub struct NotHex;

/// Exactly 64 digits in lower case: one spelling.
fn decode(text: &str) -> Result<[u8; 32], NotHex> {
    let mut bytes = [0; 32];
    let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if text.len() != 64 || !text.bytes().all(is_digit) {
        return Err(NotHex);
    }
    hex::decode_to_slice(text, &mut bytes).map_err(|_| NotHex)?;
    Ok(bytes)
}

macro_rules! bytes32 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub [u8; 32]);

        tacit_claim::hex_conversions!($name, NotHex, decode);

        impl TryFrom<String> for $name {
            type Error = NotHex;

            fn try_from(text: String) -> Result<Self, NotHex> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(bytes: $name) -> Self {
                bytes.to_string()
            }
        }
    };
}

bytes32! {
    /// SHA-256 of a competition's canonical bytes, the host's signature included.
    CompetitionId
}
bytes32! {
    /// Digest of a test set's canonical form, labels and groups included, whatever file it came from.
    TestSetDigest
}
bytes32! {
    /// Commitment to a test set that is still to come: SHA-256 over a domain, a salt and the
    /// [`TestSetDigest`].
    SealedTestSet
}
bytes32! {
    /// SHA-256 of a file's bytes.
    FileDigest
}
bytes32! {
    /// Hash of a node or of the root of an RFC 6962 tree.
    TreeHash
}

impl From<tacit_model::DatasetDigest> for TestSetDigest {
    fn from(digest: tacit_model::DatasetDigest) -> Self {
        Self(digest.0)
    }
}

impl FileDigest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_have_one_spelling() {
        let id = CompetitionId([0xab; 32]);
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "ab", &"AB".repeat(32), &"ab".repeat(33), &"é".repeat(32), &"zz".repeat(32)] {
            assert_eq!(bad.parse::<CompetitionId>(), Err(NotHex), "{bad}");
        }
    }
}
