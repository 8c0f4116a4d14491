//! The frame of files that must not leave their owner: magic (8 bytes), version (2, little-endian), SHA-256 of the
//! body (32), body in canonical postcard.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::encoding::{EncodingError, decode, encode_secret};

/// Bytes in front of the body.
pub const HEADER: usize = 8 + 2 + 32;

/// A kind of secret file.
#[derive(Debug, Clone, Copy)]
pub struct SecretFile {
    /// What messages call it.
    pub name: &'static str,
    /// Its first eight bytes.
    pub magic: [u8; 8],
    /// The version that is read and written.
    pub version: u16,
    /// Longest file that is read, in bytes.
    pub max: usize,
}

impl SecretFile {
    /// The file's bytes. `capacity` bounds the body, so that no copy of it is left behind by a growing buffer.
    ///
    /// # Panics
    /// When the body is larger than `capacity`.
    #[must_use]
    pub fn write(&self, value: &impl Serialize, capacity: usize) -> Zeroizing<Vec<u8>> {
        let body = encode_secret(value, capacity).expect("the callers' capacities bound every field");
        let mut out = Zeroizing::new(Vec::with_capacity(HEADER + body.len()));
        out.extend_from_slice(&self.magic);
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&Sha256::digest(&*body));
        out.extend_from_slice(&body);
        out
    }

    /// Reads a file; refuses other formats, versions, damage, trailing bytes and non-canonical encodings.
    ///
    /// # Errors
    /// [`OpeningError`], which shows no secret.
    pub fn read<T: Serialize + DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, OpeningError> {
        use OpeningError as E;
        let file = self.name;
        if bytes.len() > self.max {
            return Err(E::TooLarge { file, max: self.max, actual: bytes.len() });
        }
        let rest = bytes.strip_prefix(&self.magic).ok_or(E::Magic { file })?;
        let (version, rest) = rest.split_first_chunk().ok_or(E::Truncated { file })?;
        let actual = u16::from_le_bytes(*version);
        if actual != self.version {
            return Err(E::Version { file, expected: self.version, actual });
        }
        let (checksum, body) = rest.split_first_chunk::<32>().ok_or(E::Truncated { file })?;
        if Sha256::digest(body).as_slice() != checksum {
            return Err(E::Checksum { file });
        }
        decode(body).map_err(|source| E::Body { file, source })
    }
}

/// Why a secret file is refused. `file` is the [`SecretFile::name`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpeningError {
    /// Another format.
    #[error("not a Tacit {file} file")]
    Magic {
        /// Kind of file wanted.
        file: &'static str,
    },
    /// Cut short.
    #[error("the {file} file is cut short")]
    Truncated {
        /// Kind of file wanted.
        file: &'static str,
    },
    /// Larger than any such file.
    #[error("the {file} file has {actual} bytes; at most {max} are read")]
    TooLarge {
        /// Kind of file wanted.
        file: &'static str,
        /// Bytes read at most.
        max: usize,
        /// Bytes given.
        actual: usize,
    },
    /// Another version.
    #[error("{file} file version {actual} is not supported (this build reads version {expected})")]
    Version {
        /// Kind of file wanted.
        file: &'static str,
        /// Version that is read.
        expected: u16,
        /// Version of the file.
        actual: u16,
    },
    /// Damaged.
    #[error("the {file} file is damaged: its checksum does not match")]
    Checksum {
        /// Kind of file wanted.
        file: &'static str,
    },
    /// The body is not the one encoding of such a secret.
    #[error("the {file} file {source}")]
    Body {
        /// Kind of file wanted.
        file: &'static str,
        /// What is wrong with it.
        source: EncodingError,
    },
}
