//! Secret files: `opening.secret`, which opens a card's commitments, `input.secret`, which opens a record's,
//! `data.secret`, which opens a test set's, and `PROOF.answer.secret`, which opens that of an answer.
//!
//! All have the frame of [`crate::secret_file`].

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use tacit_model::{ArchitectureDigest, DatasetDigest, ModelDigest, Schema};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::bytes::{
    CardId, ClaimDigest, Commitment, SchemaDigest, architecture_digest, dataset_digest, model_digest,
};
use crate::encoding::{MAX_VALUES, bounded_values, domain_hash, encode};
use crate::engine::EngineId;
use crate::salt::SaltBytes;
use crate::secret_file::{HEADER, OpeningError, SecretFile};

/// A varint of 64 bits takes at most this many bytes.
const VARINT: usize = 10;

/// What opens the commitments to a card's weights. Whoever has it and guesses the weights can confirm the
/// guess.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightsOpening {
    /// The card whose commitments it opens.
    pub card_id: CardId,
    /// Its architecture.
    #[serde(with = "architecture_digest")]
    pub architecture_digest: ArchitectureDigest,
    /// The model that was committed to: keeps its owner from proving with another by mistake.
    #[serde(with = "model_digest")]
    pub model_digest: ModelDigest,
    /// The salt of every engine's commitment.
    pub salts: BTreeMap<EngineId, SaltBytes>,
}

impl WeightsOpening {
    pub(crate) const MAGIC: [u8; 8] = *b"TACITOPN";
    const FILE: SecretFile = SecretFile { name: "opening", magic: Self::MAGIC, version: 2, max: 4096 };

    /// The file's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Self::FILE.write(self, 3 * 32 + VARINT + self.salts.len() * (VARINT + 32))
    }

    /// Reads a file's bytes; refuses other formats, versions, damage, trailing bytes and non-canonical
    /// encodings.
    ///
    /// # Errors
    /// [`OpeningError`], which shows no secret.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OpeningError> {
        Self::FILE.read(bytes)
    }
}

/// One engine's commitment to a record and the salt that opens it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedInput {
    /// Opens the commitment.
    pub salt: SaltBytes,
    /// The commitment, which proofs show.
    pub commitment: Commitment,
}

/// A record committed ahead of any proof, with what opens its commitments.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputOpening {
    /// The card for which it was made. It serves every card with the same schema.
    pub card_id: CardId,
    /// What the record's integers mean.
    pub schema_digest: SchemaDigest,
    /// The record, in schema integers.
    #[serde(deserialize_with = "bounded_values")]
    pub record: Vec<i64>,
    /// The commitment of every engine.
    pub commitments: BTreeMap<EngineId, CommittedInput>,
}

impl Zeroize for InputOpening {
    fn zeroize(&mut self) {
        self.record.zeroize();
        for committed in self.commitments.values_mut() {
            committed.salt.zeroize();
        }
    }
}

impl Drop for InputOpening {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl ZeroizeOnDrop for InputOpening {}

impl fmt::Debug for InputOpening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InputOpening")
            .field("card_id", &self.card_id)
            .field("schema_digest", &self.schema_digest)
            .field("record", &format_args!("({} values, hidden)", self.record.len()))
            .field("commitments", &self.commitments)
            .finish()
    }
}

impl InputOpening {
    pub(crate) const MAGIC: [u8; 8] = *b"TACITINP";
    const FILE: SecretFile = SecretFile {
        name: "input opening",
        magic: Self::MAGIC,
        version: 1,
        max: HEADER + 1024 + MAX_VALUES * VARINT + EngineId::ALL.len() * (1 << 17),
    };

    /// The file's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let commitments = committed_len(&self.commitments);
        Self::FILE.write(self, 32 + 32 + 2 * VARINT + self.record.len() * VARINT + commitments)
    }

    /// Reads a file's bytes; refuses other formats, versions, damage, trailing bytes and non-canonical
    /// encodings.
    ///
    /// # Errors
    /// [`OpeningError`], which shows no secret.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OpeningError> {
        Self::FILE.read(bytes)
    }
}

/// What opens the commitments to a test set, records and labels, that nobody but its owner sees. The test set itself is a
/// file of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetOpening {
    /// The card for whose model it was made.
    pub card_id: CardId,
    /// Digest of the test set, labels included.
    #[serde(with = "dataset_digest")]
    pub dataset_digest: DatasetDigest,
    /// The commitment of every engine.
    pub commitments: BTreeMap<EngineId, CommittedInput>,
}

impl DatasetOpening {
    pub(crate) const MAGIC: [u8; 8] = *b"TACITDAT";
    const FILE: SecretFile = SecretFile {
        name: "test set opening",
        magic: Self::MAGIC,
        version: 1,
        max: HEADER + 1024 + EngineId::ALL.len() * (1 << 17),
    };

    /// The file's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Self::FILE.write(self, 32 + 32 + VARINT + committed_len(&self.commitments))
    }

    /// Reads a file's bytes; refuses other formats, versions, damage, trailing bytes and non-canonical
    /// encodings.
    ///
    /// # Errors
    /// [`OpeningError`], which shows no secret.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OpeningError> {
        Self::FILE.read(bytes)
    }
}

/// Bytes that engines' commitments and salts encode to at most.
fn committed_len(commitments: &BTreeMap<EngineId, CommittedInput>) -> usize {
    commitments.values().map(|c| 2 * VARINT + 32 + c.commitment.as_bytes().len()).sum()
}

/// The answer that a claim hides, with what opens its commitment. Whoever has it can show which answer a
/// proof is about.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct OutputOpening {
    /// The claim whose answer it is.
    #[zeroize(skip)]
    pub claim: ClaimDigest,
    /// The model's output integers.
    #[serde(deserialize_with = "bounded_values")]
    pub values: Vec<i64>,
    /// Opens the commitment.
    pub salt: SaltBytes,
}

impl fmt::Debug for OutputOpening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.values.len();
        write!(f, "OutputOpening({values} values of claim {}, hidden)", self.claim)
    }
}

impl OutputOpening {
    pub(crate) const MAGIC: [u8; 8] = *b"TACITOUT";
    const FILE: SecretFile = SecretFile {
        name: "answer opening",
        magic: Self::MAGIC,
        version: 1,
        max: HEADER + 1024 + MAX_VALUES * VARINT,
    };

    /// The file's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Self::FILE.write(self, 32 + 32 + VARINT + self.values.len() * VARINT)
    }

    /// Reads a file's bytes; refuses other formats, versions, damage, trailing bytes and non-canonical
    /// encodings.
    ///
    /// # Errors
    /// [`OpeningError`], which shows no secret.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OpeningError> {
        Self::FILE.read(bytes)
    }
}

/// SHA-256 of a schema's canonical bytes: equal for every model that takes the same records.
#[must_use]
pub fn schema_digest(schema: &Schema) -> SchemaDigest {
    SchemaDigest(domain_hash("tacit/schema/1", &[&encode(schema)]))
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::encoding::EncodingError;

    fn weights() -> WeightsOpening {
        WeightsOpening {
            card_id: CardId([1; 32]),
            architecture_digest: ArchitectureDigest([2; 32]),
            model_digest: ModelDigest([0xc5; 32]),
            salts: EngineId::ALL.into_iter().map(|e| (e, SaltBytes::new([0xc5; 32]))).collect(),
        }
    }

    fn input() -> InputOpening {
        let commitment = Commitment::new(vec![9; 40]).expect("short");
        InputOpening {
            card_id: CardId([1; 32]),
            schema_digest: SchemaDigest([2; 32]),
            record: vec![i64::MIN, -1, 0, 1, i64::MAX, 123_454_321],
            commitments: EngineId::ALL
                .into_iter()
                .map(|e| {
                    let salt = SaltBytes::new([0xc5; 32]);
                    (e, CommittedInput { salt, commitment: commitment.clone() })
                })
                .collect(),
        }
    }

    fn output() -> OutputOpening {
        OutputOpening {
            claim: ClaimDigest([1; 32]),
            values: vec![i64::MIN, 0, 123_454_321],
            salt: SaltBytes::new([0xc5; 32]),
        }
    }

    fn dataset() -> DatasetOpening {
        DatasetOpening {
            card_id: CardId([1; 32]),
            dataset_digest: DatasetDigest([3; 32]),
            commitments: input().commitments.clone(),
        }
    }

    fn is_strict<T: PartialEq + fmt::Debug>(
        value: &T,
        bytes: &[u8],
        read: impl Fn(&[u8]) -> Result<T, OpeningError>,
    ) {
        assert_eq!(read(bytes).as_ref(), Ok(value));
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut bad = bytes.to_vec();
                bad[at] ^= 1 << bit;
                assert!(read(&bad).is_err(), "flipped bit {bit} of byte {at}");
            }
            assert!(read(&bytes[..at]).is_err(), "cut at {at}");
        }
        assert!(read(&[bytes, &[0]].concat()).is_err());
    }

    #[test]
    fn openings_round_trip_and_refuse_damage() {
        is_strict(&weights(), &weights().to_bytes(), WeightsOpening::from_bytes);
        is_strict(&input(), &input().to_bytes(), InputOpening::from_bytes);
        is_strict(&dataset(), &dataset().to_bytes(), DatasetOpening::from_bytes);
        is_strict(&output(), &output().to_bytes(), OutputOpening::from_bytes);
    }

    /// A file with a valid checksum around an arbitrary body.
    fn frame(file: &SecretFile, body: &[u8]) -> Vec<u8> {
        [&file.magic[..], &file.version.to_le_bytes(), &Sha256::digest(body), body].concat()
    }

    #[test]
    fn the_body_has_one_encoding() {
        let body = weights().to_bytes()[HEADER..].to_vec();
        assert_eq!(frame(&WeightsOpening::FILE, &body), *weights().to_bytes());
        let read = |body: &[u8]| match WeightsOpening::from_bytes(&frame(&WeightsOpening::FILE, body)) {
            Err(OpeningError::Body { source, .. }) => source,
            other => panic!("{other:?}"),
        };
        assert_eq!(read(&[&body[..], &[0]].concat()), EncodingError::Trailing(1));
        // The two engines in the other order; the same engine twice.
        let (head, first, second) = (&body[..97], &body[97..130], &body[130..]);
        assert_eq!(read(&[head, second, first].concat()), EncodingError::NotCanonical);
        assert_eq!(read(&[head, first, first].concat()), EncodingError::NotCanonical);
        let overlong = [&body[..96], &[0x82, 0x00], &body[97..]].concat();
        assert_eq!(read(&overlong), EncodingError::NotCanonical);
    }

    #[test]
    fn counts_are_bounded_before_memory_is_set_aside() {
        // 2^62 integers are announced.
        let body = [&[0; 64][..], &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40]].concat();
        let bytes = frame(&InputOpening::FILE, &body);
        assert!(matches!(InputOpening::from_bytes(&bytes), Err(OpeningError::Body { .. })));
        assert!(matches!(
            WeightsOpening::from_bytes(&vec![0; 5000]),
            Err(OpeningError::TooLarge { max: 4096, actual: 5000, .. })
        ));
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = [format!("{:?}", weights()), format!("{:?}", input()), format!("{:#?}", input())];
        for shown in shown.into_iter().chain([format!("{:?}", output()), format!("{:?}", dataset())]) {
            for secret in ["c5c5", "C5C5", "197", "123454321"] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
    }
}
