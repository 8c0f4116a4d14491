//! A chunk file: one part of a proof, with what its prover needs to merge it. Secret until it is merged.
//!
//! Magic (8 bytes), version (2), position of the chunk (4), then claim, engine's proof and engine's secret, each behind its
//! length (4); integers little-endian, nothing behind.

use zeroize::Zeroizing;

use crate::bundle::{BundleError, MAX_PROOF, part};
use crate::claim::{Claim, ClaimError, MAX_CLAIM};

const VERSION: u16 = 1;
/// Longest secret of a chunk, in bytes.
const MAX_SECRET: usize = 1 << 18;

/// One part of a proof. Whoever reads it learns the sums over the part's records.
pub struct ProofChunk {
    /// The whole claim.
    pub claim: Claim,
    /// Position among the claim's chunks, from 0.
    pub index: u32,
    /// The engine's proof of this part.
    pub proof: Vec<u8>,
    /// What the engine needs to merge it.
    pub secret: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for ProofChunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ProofChunk(number {} of claim {:?}, secret hidden)", self.index, self.claim.digest())
    }
}

impl ProofChunk {
    pub(crate) const MAGIC: [u8; 8] = *b"TACITCHK";

    /// The file's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let claim = self.claim.to_bytes();
        let parts = [&*claim, &*self.proof, &*self.secret];
        let len = 14 + parts.iter().map(|p| 4 + p.len()).sum::<usize>();
        let mut out = Zeroizing::new(Vec::with_capacity(len));
        out.extend_from_slice(&Self::MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.index.to_le_bytes());
        for part in parts {
            let length = u32::try_from(part.len()).expect("every part is bounded well below 4 GiB");
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(part);
        }
        out
    }

    /// Reads a file's bytes; refuses other formats, versions, lengths and non-canonical claims.
    ///
    /// # Errors
    /// [`ChunkError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ChunkError> {
        use ChunkError as E;
        let rest = bytes.strip_prefix(&Self::MAGIC).ok_or(E::Magic)?;
        let (version, rest) = rest.split_first_chunk().ok_or(E::Truncated)?;
        let actual = u16::from_le_bytes(*version);
        if actual != VERSION {
            return Err(E::Version { expected: VERSION, actual });
        }
        let (index, rest) = rest.split_first_chunk().ok_or(E::Truncated)?;
        let next = |rest, max| {
            part(rest, |n| if n > max { Err(BundleError::ProofLength { max, actual: n }) } else { Ok(()) })
                .map_err(|e| match e {
                    BundleError::ProofLength { max, actual } => E::Length { max, actual },
                    _ => E::Truncated,
                })
        };
        let (claim, rest) = next(rest, MAX_CLAIM)?;
        let (proof, rest) = next(rest, MAX_PROOF)?;
        let (secret, rest) = next(rest, MAX_SECRET)?;
        if !rest.is_empty() {
            return Err(E::Trailing(rest.len()));
        }
        Ok(Self {
            claim: Claim::from_bytes(claim)?,
            index: u32::from_le_bytes(*index),
            proof: proof.to_vec(),
            secret: Zeroizing::new(secret.to_vec()),
        })
    }
}

/// Why a chunk file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// Another format.
    #[error("not a chunk of a proof (it does not begin with `TACITCHK`)")]
    Magic,
    /// Cut short.
    #[error("the chunk file is cut short")]
    Truncated,
    /// Bytes after the end.
    #[error("the chunk file has {0} bytes after its end")]
    Trailing(usize),
    /// Another version.
    #[error("chunk file version {actual} is not supported (this build reads version {expected})")]
    Version {
        /// Version that is read.
        expected: u16,
        /// Version of the file.
        actual: u16,
    },
    /// A part that is too long.
    #[error("a part of the chunk file has {actual} bytes; at most {max} are read")]
    Length {
        /// Bytes read at most.
        max: usize,
        /// Bytes announced.
        actual: usize,
    },
    /// The claim inside is unusable.
    #[error("the chunk file's claim: {0}")]
    Claim(#[from] ClaimError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineId;
    use crate::testing::{card, claim};

    #[test]
    fn one_encoding() {
        let chunk = ProofChunk {
            claim: claim(&card(1), EngineId::Sumcheck, 2),
            index: 3,
            proof: vec![1, 2, 3],
            secret: Zeroizing::new(vec![4, 5]),
        };
        let bytes = chunk.to_bytes();
        let again = ProofChunk::from_bytes(&bytes).unwrap();
        assert_eq!(*again.to_bytes(), *bytes);
        assert_eq!((again.index, &again.proof, &*again.secret), (3, &chunk.proof, &*chunk.secret));
        for n in 0..bytes.len() {
            assert!(ProofChunk::from_bytes(&bytes[..n]).is_err());
        }
        assert_eq!(ProofChunk::from_bytes(&[&bytes[..], &[0]].concat()).err(), Some(ChunkError::Trailing(1)));
        let mut other = bytes.to_vec();
        other[8] = 2;
        assert_eq!(
            ProofChunk::from_bytes(&other).err(),
            Some(ChunkError::Version { expected: 1, actual: 2 })
        );
    }
}
