//! A proof file: a claim and what an engine says for it.
//!
//! Magic (8 bytes), version (2), length of the claim (4), claim, length of the engine's proof (4), engine's proof;
//! integers little-endian, nothing behind. The engine judges its own bytes, their canonical form included.

use sha2::{Digest as _, Sha256};

use crate::claim::{Claim, ClaimError, MAX_CLAIM};

const VERSION: u16 = 1;
/// Longest engine proof, in bytes.
pub(crate) const MAX_PROOF: usize = 64 << 20;

/// A claim and an engine's proof of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    claim: Claim,
    proof: Vec<u8>,
}

impl Bundle {
    pub(crate) const MAGIC: [u8; 8] = *b"TACITPRF";

    /// Joins a claim and an engine's proof; whether the proof holds is for the engine to say.
    ///
    /// # Errors
    /// [`BundleError`] when either is too long, or the proof empty.
    pub fn new(claim: Claim, proof: Vec<u8>) -> Result<Self, BundleError> {
        claim.check_size()?;
        if proof.is_empty() || proof.len() > MAX_PROOF {
            return Err(BundleError::ProofLength { max: MAX_PROOF, actual: proof.len() });
        }
        Ok(Self { claim, proof })
    }

    /// What is claimed.
    #[must_use]
    pub const fn claim(&self) -> &Claim {
        &self.claim
    }

    /// The engine's bytes.
    #[must_use]
    pub fn proof(&self) -> &[u8] {
        &self.proof
    }

    /// The two parts.
    #[must_use]
    pub fn into_parts(self) -> (Claim, Vec<u8>) {
        (self.claim, self.proof)
    }

    /// The file's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let claim = self.claim.to_bytes();
        let mut out = Vec::with_capacity(18 + claim.len() + self.proof.len());
        out.extend_from_slice(&Self::MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        for part in [&claim, &self.proof] {
            let length = u32::try_from(part.len()).expect("both parts are bounded well below 4 GiB");
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(part);
        }
        out
    }

    /// Reads a file's bytes; refuses other formats, versions, lengths and non-canonical claims.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BundleError> {
        use BundleError as E;
        let rest = bytes.strip_prefix(&Self::MAGIC).ok_or(E::Magic)?;
        let (version, rest) = rest.split_first_chunk().ok_or(E::Truncated)?;
        let actual = u16::from_le_bytes(*version);
        if actual != VERSION {
            return Err(E::Version { expected: VERSION, actual });
        }
        let (claim, rest) = part(rest, |n| {
            if n > MAX_CLAIM {
                Err(ClaimError::TooLarge { max: MAX_CLAIM, actual: n }.into())
            } else {
                Ok(())
            }
        })?;
        let (proof, rest) = part(rest, |n| {
            let ok = (1..=MAX_PROOF).contains(&n);
            if ok { Ok(()) } else { Err(E::ProofLength { max: MAX_PROOF, actual: n }) }
        })?;
        if !rest.is_empty() {
            return Err(E::Trailing(rest.len()));
        }
        Self::new(Claim::from_bytes(claim)?, proof.to_vec())
    }

    /// Whether bytes that are no proof file look like one whose first bytes were altered, rather than like another file.
    #[must_use]
    pub fn resembles(bytes: &[u8]) -> bool {
        bytes.iter().zip(Self::MAGIC).filter(|(a, b)| *a == b).count() >= 6
    }

    /// What the file holds, for people and scripts: the claim, its digest, length and SHA-256 of the engine's proof and
    /// of the file.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let bytes = self.to_bytes();
        serde_json::json!({
            "format": "tacit.proof/1",
            "claim": self.claim.to_json(),
            "claim_digest": self.claim.digest().to_string(),
            "proof": { "bytes": self.proof.len(), "sha256": hex::encode(Sha256::digest(&self.proof)) },
            "file": { "bytes": bytes.len(), "sha256": hex::encode(Sha256::digest(&bytes)) },
        })
    }
}

/// A length, checked before anything else, and as many bytes.
pub(crate) fn part(
    bytes: &[u8],
    check: impl Fn(usize) -> Result<(), BundleError>,
) -> Result<(&[u8], &[u8]), BundleError> {
    let (length, rest) = bytes.split_first_chunk().ok_or(BundleError::Truncated)?;
    let length = u32::from_le_bytes(*length) as usize;
    check(length)?;
    rest.split_at_checked(length).ok_or(BundleError::Truncated)
}

/// Why a proof file is refused before its proof is looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Another format.
    #[error("not a Tacit proof file (it does not begin with `TACITPRF`)")]
    Magic,
    /// Cut short.
    #[error("the proof file is cut short")]
    Truncated,
    /// Bytes after the end.
    #[error("the proof file has {0} bytes after its end")]
    Trailing(usize),
    /// Another version.
    #[error("proof file version {actual} is not supported (this build reads version {expected})")]
    Version {
        /// Version that is read.
        expected: u16,
        /// Version of the file.
        actual: u16,
    },
    /// No engine proof, or an overlong one.
    #[error("the engine's proof has {actual} bytes; between 1 and {max} are read")]
    ProofLength {
        /// Most that are read.
        max: usize,
        /// Bytes announced.
        actual: usize,
    },
    /// The claim inside is unusable.
    #[error("the proof file's claim: {0}")]
    Claim(#[from] ClaimError),
}

impl BundleError {
    /// The version that this build reads, where the file is of a later one.
    #[must_use]
    pub const fn newer_than(&self) -> Option<u16> {
        match self {
            Self::Version { expected, actual } | Self::Claim(ClaimError::Version { expected, actual })
                if *actual > *expected =>
            {
                Some(*expected)
            }
            _ => None,
        }
    }
}
