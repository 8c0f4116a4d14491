//! Claims about a whole test set: how well a model does on it, and what it predicts for each of its records.

use serde::{Deserialize, Serialize};
use tacit_model::DatasetDigest;

use crate::bytes::{Commitment, HexError, SchemaDigest, dataset_digest};
use crate::claim::WeightsClaim;
use crate::encoding::bounded_values;
use crate::engine::EngineId;
use crate::requirement::Requirement;
use crate::text::ColumnName;

/// "The model of the card, run on this test set, meets these requirements, all of them."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccuracyClaim {
    /// Number of records.
    pub samples: u64,
    /// The test set.
    pub data: DataClaim,
    /// 1 to [`Requirement::MAX`] conditions.
    pub requirements: Vec<Requirement>,
    /// Number of parts in which the claim was proved, each about consecutive records: at most [`Self::MAX_CHUNKS`].
    pub chunks: u32,
    /// The weights.
    pub weights: WeightsClaim,
}

impl AccuracyClaim {
    /// Most parts of a proof.
    pub const MAX_CHUNKS: u32 = 1 << 16;
    /// Most values of a hidden test set, labels included: of one that the verifier does not have, nothing else tells how large
    /// it can be.
    const MAX_HIDDEN: u64 = 1 << 22;
    /// The same for the halo2 engine, which lays out a circuit before it knows that it is too large.
    const MAX_HIDDEN_HALO2: u64 = 1 << 18;

    /// Most values of a hidden test set that `engine` can have committed to by this commitment.
    pub(crate) fn most_hidden(engine: EngineId, commitment: &Commitment) -> u64 {
        /// Bytes of a point, and elements that one commits to at most.
        const POINT: (u64, u64) = (32, 2048);
        match engine {
            EngineId::Sumcheck => {
                let points = (commitment.as_bytes().len() - DataClaim::PREFIX) as u64 / POINT.0;
                Self::MAX_HIDDEN.min(points * POINT.1)
            }
            EngineId::Halo2 => Self::MAX_HIDDEN_HALO2,
        }
    }

    /// The records that a chunk is about: all chunks together are about all records, in order, as many each as possible
    /// alike. `None` where there is no such chunk.
    #[must_use]
    pub fn records_of(&self, chunk: u32) -> Option<std::ops::Range<u64>> {
        let start =
            |i: u32| (u128::from(self.samples) * u128::from(i) / u128::from(self.chunks.max(1))) as u64;
        (chunk < self.chunks).then(|| start(chunk)..start(chunk + 1))
    }
}

/// A test set, as a claim states it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DataClaim {
    /// Public: the verifier reads the file.
    Public {
        /// Digest of its canonical form, labels and the columns of the requirements included.
        #[serde(with = "dataset_digest")]
        digest: DatasetDigest,
        /// The column or array of the labels.
        labels: ColumnName,
    },
    /// Hidden, features and labels: only its commitment is public.
    Hidden {
        /// Number of records (8 bytes, little-endian), digest of the schema (32), and the engine's commitment to records and
        /// labels: [`DataClaim::commitment`].
        commitment: Commitment,
    },
}

impl DataClaim {
    /// Bytes in front of the engine's commitment.
    const PREFIX: usize = 8 + 32;

    /// The commitment to a hidden test set. What the engine commits to is a number of integers: how many records they are, and
    /// what they mean, stands in front, so that one commitment is to one test set.
    ///
    /// # Errors
    /// [`HexError::CommitmentLength`] where it is too long to be stated.
    pub fn commitment(samples: u64, schema: SchemaDigest, engine: &[u8]) -> Result<Commitment, HexError> {
        Commitment::new([&samples.to_le_bytes()[..], &schema.0, engine].concat())
    }

    /// The engine's part of a [`DataClaim::commitment`] to a test set of this size and schema; `None` for any other.
    #[must_use]
    pub fn engine_commitment(commitment: &Commitment, samples: u64, schema: SchemaDigest) -> Option<&[u8]> {
        let rest = commitment.as_bytes().strip_prefix(&samples.to_le_bytes())?;
        rest.strip_prefix(&schema.0).filter(|engine| !engine.is_empty())
    }
}

/// "The model of the card answers these, record by record, on this public test set."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PredictionsClaim {
    /// Number of records.
    pub samples: u64,
    /// Digest of the test set's canonical form, without labels.
    #[serde(with = "dataset_digest")]
    pub digest: DatasetDigest,
    /// What the model answers.
    pub answers: AnswersClaim,
    /// The weights.
    pub weights: WeightsClaim,
}

/// Answers to all records of a test set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AnswersClaim {
    /// The index of every record's predicted class; nothing is said of the logits.
    Classes {
        /// One index per record.
        #[serde(deserialize_with = "bounded_values")]
        indices: Vec<i64>,
    },
    /// The model's output integers.
    Outputs {
        /// Row-major, shape (samples, outputs).
        #[serde(deserialize_with = "bounded_values")]
        values: Vec<i64>,
    },
}

impl AnswersClaim {
    /// The integers.
    #[must_use]
    pub fn values(&self) -> &[i64] {
        match self {
            Self::Classes { indices } => indices,
            Self::Outputs { values } => values,
        }
    }
}
