//! What is claimed. Version 1.
//!
//! A claim names its card by id, and with it the owner's key; every public value and the context are inside. Its
//! digest is what an engine's transcript absorbs before the first challenge, so that a proof can be lifted to no other
//! card, owner, context or value.

use serde::{Deserialize, Serialize};
use tacit_model::{ArchitectureDigest, DatasetDigest};

use crate::answer::AnswerFact;
use crate::bytes::{CardId, ClaimDigest, Commitment, architecture_digest};
use crate::encoding::{EncodingError, MAX_VALUES, bounded_values, decode, domain_hash, encode};
use crate::engine::EngineId;
use crate::test_set::{AccuracyClaim, DataClaim, PredictionsClaim};
use crate::text::Context;

/// Longest encoding of a claim, in bytes.
pub(crate) const MAX_CLAIM: usize = 24 << 20;

/// A claim about the model of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The engine that proves it.
    pub engine: EngineId,
    /// The card, owner's key included.
    pub card_id: CardId,
    /// The card's architecture.
    pub architecture_digest: ArchitectureDigest,
    /// What is claimed.
    pub kind: ClaimKind,
    /// What the claim was made for.
    pub context: Context,
    /// Who vouches for a record or a test set. Nobody can in version 1.
    pub attestations: Vec<Attestation>,
}

/// What is claimed. Later kinds are appended: an encoding never changes its meaning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ClaimKind {
    /// The model, run on one record, gives one answer.
    Inference(Inference),
    /// The model, run on a test set, does well enough.
    Accuracy(AccuracyClaim),
    /// The model, run on a test set, gives these answers.
    Predictions(PredictionsClaim),
}

impl From<Inference> for ClaimKind {
    fn from(inference: Inference) -> Self {
        Self::Inference(inference)
    }
}

impl From<AccuracyClaim> for ClaimKind {
    fn from(accuracy: AccuracyClaim) -> Self {
        Self::Accuracy(accuracy)
    }
}

impl From<PredictionsClaim> for ClaimKind {
    fn from(predictions: PredictionsClaim) -> Self {
        Self::Predictions(predictions)
    }
}

/// "The model of the card, run on this record, gives this answer."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inference {
    /// The record.
    pub input: InputClaim,
    /// The answer.
    pub output: OutputClaim,
    /// The weights.
    pub weights: WeightsClaim,
}

/// A record, as a claim states it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum InputClaim {
    /// Only its commitment is public.
    Hidden {
        /// The engine's commitment.
        commitment: Commitment,
    },
    /// Public.
    Revealed {
        /// The record in schema integers.
        #[serde(deserialize_with = "bounded_values")]
        record: Vec<i64>,
    },
}

/// An answer, as a claim states it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum OutputClaim {
    /// Public.
    Public {
        /// The model's output integers, row-major.
        #[serde(deserialize_with = "bounded_values")]
        values: Vec<i64>,
    },
    /// Only its commitment is public.
    Hidden {
        /// The engine's commitment.
        commitment: Commitment,
    },
    /// Hidden, and not committed to: only these facts of it are public, and all of them hold.
    Facts {
        /// 1 to [`AnswerFact::MAX`] facts.
        facts: Vec<AnswerFact>,
    },
}

/// The weights, as a claim states them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightsClaim {
    /// The claim says nothing of them but that they are the committed ones.
    Hidden,
    /// Public: the verifier has the model file and the card the salts.
    Revealed,
}

/// Somebody's word for a record or a test set. There is no such thing in version 1, so the list is always empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attestation {}

/// The fields in the order in which they are encoded.
#[derive(Serialize, Deserialize)]
struct ClaimFields {
    version: u16,
    engine: EngineId,
    card_id: CardId,
    #[serde(with = "architecture_digest")]
    architecture_digest: ArchitectureDigest,
    kind: ClaimKind,
    context: Context,
    attestations: Vec<Attestation>,
}

impl Claim {
    /// Version of claims.
    pub const VERSION: u16 = 1;
    /// Most integers of a record or of an answer that a claim can state.
    pub const MAX_VALUES: usize = MAX_VALUES;

    fn fields(&self) -> ClaimFields {
        ClaimFields {
            version: Self::VERSION,
            engine: self.engine,
            card_id: self.card_id,
            architecture_digest: self.architecture_digest,
            kind: self.kind.clone(),
            context: self.context.clone(),
            attestations: self.attestations.clone(),
        }
    }

    /// The one encoding: postcard, version first.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(&self.fields())
    }

    /// Reads an encoding; refuses other versions, trailing bytes and non-canonical forms.
    ///
    /// # Errors
    /// [`ClaimError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ClaimError> {
        if bytes.len() > MAX_CLAIM {
            return Err(ClaimError::TooLarge { max: MAX_CLAIM, actual: bytes.len() });
        }
        let (version, _) = postcard::take_from_bytes::<u16>(bytes)
            .map_err(|e| ClaimError::Encoding(EncodingError::Malformed(e.to_string())))?;
        if version != Self::VERSION {
            return Err(ClaimError::Version { expected: Self::VERSION, actual: version });
        }
        let ClaimFields { version: _, engine, card_id, architecture_digest, kind, context, attestations } =
            decode(bytes)?;
        Ok(Self { engine, card_id, architecture_digest, kind, context, attestations })
    }

    /// What an engine's transcript absorbs before its first challenge: SHA-256 of a domain and the encoding.
    #[must_use]
    pub fn digest(&self) -> ClaimDigest {
        ClaimDigest(domain_hash("tacit/claim/1", &[&self.to_bytes()]))
    }

    /// The commitment to the record or the test set, where it is hidden.
    #[must_use]
    pub const fn input_commitment(&self) -> Option<&Commitment> {
        match &self.kind {
            ClaimKind::Inference(Inference { input: InputClaim::Hidden { commitment }, .. })
            | ClaimKind::Accuracy(AccuracyClaim { data: DataClaim::Hidden { commitment }, .. }) => {
                Some(commitment)
            }
            _ => None,
        }
    }

    /// The answer's integers, where the answer is public.
    #[must_use]
    pub fn output_values(&self) -> Option<&[i64]> {
        match &self.kind {
            ClaimKind::Inference(Inference { output: OutputClaim::Public { values }, .. }) => Some(values),
            _ => None,
        }
    }

    /// What the claim states of an answer that it hides otherwise; empty for any other claim.
    #[must_use]
    pub fn facts(&self) -> &[AnswerFact] {
        match &self.kind {
            ClaimKind::Inference(Inference { output: OutputClaim::Facts { facts }, .. }) => facts,
            _ => &[],
        }
    }

    /// The digest of the test set, where there is a public one.
    #[must_use]
    pub const fn dataset_digest(&self) -> Option<DatasetDigest> {
        match &self.kind {
            ClaimKind::Accuracy(AccuracyClaim { data: DataClaim::Public { digest, .. }, .. })
            | ClaimKind::Predictions(PredictionsClaim { digest, .. }) => Some(*digest),
            _ => None,
        }
    }

    /// What the claim says of the weights.
    #[must_use]
    pub const fn weights(&self) -> WeightsClaim {
        match &self.kind {
            ClaimKind::Inference(Inference { weights, .. })
            | ClaimKind::Accuracy(AccuracyClaim { weights, .. })
            | ClaimKind::Predictions(PredictionsClaim { weights, .. }) => *weights,
        }
    }

    /// The claim's fields for people and scripts: bytes in hexadecimal, integers as they are.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self.fields()).expect("the fields hold no map and no float")
    }

    /// Whether every list is short enough to be read again.
    pub(crate) fn check_size(&self) -> Result<(), ClaimError> {
        let actual = match &self.kind {
            ClaimKind::Inference(Inference { input, output, .. }) => {
                let input = if let InputClaim::Revealed { record } = input { record.len() } else { 0 };
                let output = if let OutputClaim::Public { values } = output { values.len() } else { 0 };
                input.max(output)
            }
            ClaimKind::Accuracy(_) => 0,
            ClaimKind::Predictions(PredictionsClaim { answers, .. }) => answers.values().len(),
        };
        if actual > MAX_VALUES { Err(ClaimError::Values { max: MAX_VALUES, actual }) } else { Ok(()) }
    }
}

/// Why bytes are no claim.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// Longer than any claim.
    #[error("the claim has {actual} bytes; at most {max} are read")]
    TooLarge {
        /// Bytes read at most.
        max: usize,
        /// Bytes given.
        actual: usize,
    },
    /// A record or an answer longer than a claim can state.
    #[error("the claim states {actual} values; at most {max} can be stated")]
    Values {
        /// Most that can be stated.
        max: usize,
        /// Values given.
        actual: usize,
    },
    /// Another version.
    #[error("claim version {actual} is not supported (this build reads version {expected})")]
    Version {
        /// Version that is read.
        expected: u16,
        /// Version given.
        actual: u16,
    },
    /// Not the one encoding of a claim.
    #[error("the claim {0}")]
    Encoding(#[from] EncodingError),
}
