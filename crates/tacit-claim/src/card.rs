//! `card.json`: what an owner says about a model, for everybody to see, signed. It never changes.
//!
//! The file is RFC 8785 (canonical) JSON without a number that a double could not hold; its SHA-256 is the
//! card's id. The owner signs the same JSON without the `signature` field.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tacit_model::{
    Architecture, ArchitectureDigest, ArchitectureError, LOWERING_VERSION, Schema, ValueBounds,
};

use crate::answer::Answers;
use crate::bytes::{CardId, SchemaDigest, architecture_digest};
use crate::commitments::{CardWeights, Commitments};
use crate::encoding::{MAX_VALUES, canonical_json, domain_hash, inexact_number};
use crate::opening::schema_digest;
use crate::owner::{Fingerprint, OwnerKey, OwnerPublicKey, OwnerSignature};
use crate::points::CardPoints;
use crate::sniff::json_format;
use crate::text::{CardName, printable};

/// Longest card that is read, in bytes.
const MAX_CARD: usize = 32 << 20;
const SIGNATURE_DOMAIN: &str = "tacit/card/1";
const CERTIFICATE_DOMAIN: &str = "tacit/sumcheck-certificate/1";

/// What happens to a record with a value outside its declared range.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutOfRange {
    /// No proof is made, no claim accepted.
    #[default]
    Refuse,
}

/// The card's policies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// For values outside their declared range.
    pub out_of_range: OutOfRange,
}

/// How many of how many samples were right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accuracy {
    /// Samples whose class was right.
    pub correct: u64,
    /// Samples in all.
    pub samples: u64,
}

/// How far quantisation strayed, on the owner's word: nothing here is proved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantisation {
    /// Of the float model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub float_accuracy: Option<Accuracy>,
    /// Of the quantised model, on the same samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantised_accuracy: Option<Accuracy>,
}

/// What an owner puts on a card; [`Card::sign`] adds the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsignedCard {
    /// What the owner calls the model.
    pub name: CardName,
    /// Everything public about the model.
    pub architecture: Architecture,
    /// Whether the weights are hidden.
    pub weights: CardWeights,
    /// The commitments to the weights, at least one.
    pub commitments: Commitments,
    /// The policies.
    pub policy: Policy,
    /// Informational.
    pub quantisation: Option<Quantisation>,
}

/// The fields of the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CardJson {
    format: String,
    name: CardName,
    owner: OwnerPublicKey,
    architecture: Architecture,
    #[serde(with = "architecture_digest")]
    architecture_digest: ArchitectureDigest,
    lowering_version: u32,
    weights: CardWeights,
    commitments: Commitments,
    policy: Policy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quantisation: Option<Quantisation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<OwnerSignature>,
}

impl CardJson {
    fn new(content: UnsignedCard, owner: OwnerPublicKey) -> Self {
        Self {
            format: Card::FORMAT.to_owned(),
            owner,
            architecture_digest: content.architecture.digest(),
            lowering_version: LOWERING_VERSION,
            name: content.name,
            architecture: content.architecture,
            weights: content.weights,
            commitments: content.commitments,
            policy: content.policy,
            quantisation: content.quantisation,
            signature: None,
        }
    }
}

impl UnsignedCard {
    /// What the sumcheck engine's certificate for such a card of `owner` is bound to. See
    /// [`Card::certificate_binding`].
    ///
    /// # Errors
    /// [`CardError::Number`] when the content holds a number that JSON does not keep.
    pub fn certificate_binding(&self, owner: &OwnerPublicKey) -> Result<[u8; 32], CardError> {
        Ok(certificate_binding(json_value(&CardJson::new(self.clone(), *owner))?))
    }
}

/// The digest of a card's JSON without what the certificate cannot know: the signature and the certificate's
/// own digest.
fn certificate_binding(mut card: Value) -> [u8; 32] {
    if let Value::Object(fields) = &mut card {
        fields.remove("signature");
    }
    if let Some(parameters) = card.pointer_mut("/commitments/sumcheck/parameters") {
        *parameters = Value::Object(serde_json::Map::new());
    }
    domain_hash(CERTIFICATE_DOMAIN, &[&canonical_json(&card)])
}

/// A card that was checked: canonical, complete, consistent, signed by its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    content: UnsignedCard,
    owner: OwnerPublicKey,
    architecture_digest: ArchitectureDigest,
    output_len: usize,
    output_bounds: ValueBounds,
    id: CardId,
    json: Vec<u8>,
}

impl Card {
    /// Format name and version of `card.json`.
    pub const FORMAT: &'static str = "tacit.card/1";

    /// Completes and signs a card.
    ///
    /// # Errors
    /// [`CardError`] when the content breaks a rule that [`Card::from_json`] holds cards to.
    pub fn sign(content: UnsignedCard, key: &OwnerKey) -> Result<Self, CardError> {
        let mut fields = CardJson::new(content, key.public());
        fields.signature = Some(key.sign(SIGNATURE_DOMAIN, &canonical_json(&json_value(&fields)?)));
        Self::from_json(&canonical_json(&json_value(&fields)?))
    }

    /// Reads the bytes of `card.json`.
    ///
    /// # Errors
    /// [`CardError`] for anything but the canonical form of a complete and consistent card with its owner's
    /// signature.
    pub fn from_json(bytes: &[u8]) -> Result<Self, CardError> {
        use CardError as E;
        if bytes.len() > MAX_CARD {
            return Err(E::TooLarge(bytes.len()));
        }
        let parse_error = |e: serde_json::Error| E::Json(printable(&e.to_string()));
        match json_format(bytes).map_err(parse_error)? {
            Some(format) if format == Self::FORMAT => {}
            format => return Err(E::Format(format.map(|f| printable(&f)))),
        }
        let fields: CardJson = serde_json::from_slice(bytes).map_err(parse_error)?;
        let mut value = json_value(&fields)?;
        if canonical_json(&value) != bytes {
            return Err(E::NotCanonical);
        }
        let signature = fields.signature.ok_or(E::Unsigned)?;
        if fields.lowering_version != LOWERING_VERSION {
            return Err(E::LoweringVersion { expected: LOWERING_VERSION, actual: fields.lowering_version });
        }
        let values = fields.architecture.validate()?;
        let (output_shape, output_bounds) = values.last().ok_or(E::NoOutput)?;
        let output_len = output_shape.iter().product();
        if output_len > MAX_VALUES {
            return Err(E::Outputs { max: MAX_VALUES, actual: output_len });
        }
        let expected = fields.architecture.digest();
        if fields.architecture_digest != expected {
            return Err(E::ArchitectureDigest {
                expected: hex::encode(expected.0),
                actual: hex::encode(fields.architecture_digest.0),
            });
        }
        if fields.commitments.engines().next().is_none() {
            return Err(E::NoCommitment);
        }
        if let CardWeights::Public { salts } = &fields.weights
            && !fields.commitments.engines().eq(salts.keys().copied())
        {
            return Err(E::PublicSalts);
        }
        if let Some(sumcheck) = &fields.commitments.sumcheck
            && let Some(points) = &sumcheck.parameters.points
            && points.certificate_digest() != sumcheck.parameters.certificate
        {
            return Err(E::Certificate);
        }
        let q = fields.quantisation.unwrap_or_default();
        if let Some(a) =
            [q.float_accuracy, q.quantised_accuracy].into_iter().flatten().find(|a| a.correct > a.samples)
        {
            return Err(E::Accuracy { correct: a.correct, samples: a.samples });
        }
        if let Value::Object(map) = &mut value {
            map.remove("signature");
        }
        fields
            .owner
            .verify(SIGNATURE_DOMAIN, &canonical_json(&value), &signature)
            .map_err(|_| E::Signature(fields.owner.fingerprint()))?;
        Ok(Self {
            owner: fields.owner,
            architecture_digest: expected,
            output_len,
            output_bounds: *output_bounds,
            id: CardId(Sha256::digest(bytes).into()),
            json: bytes.to_vec(),
            content: UnsignedCard {
                name: fields.name,
                architecture: fields.architecture,
                weights: fields.weights,
                commitments: fields.commitments,
                policy: fields.policy,
                quantisation: fields.quantisation,
            },
        })
    }

    /// The file's bytes.
    #[must_use]
    pub fn to_json(&self) -> &[u8] {
        &self.json
    }

    /// SHA-256 of the file's bytes.
    #[must_use]
    pub const fn id(&self) -> CardId {
        self.id
    }

    /// What the owner calls the model.
    #[must_use]
    pub const fn name(&self) -> &CardName {
        &self.content.name
    }

    /// Who signed the card.
    #[must_use]
    pub const fn owner(&self) -> &OwnerPublicKey {
        &self.owner
    }

    /// Everything public about the model; it was validated.
    #[must_use]
    pub const fn architecture(&self) -> &Architecture {
        &self.content.architecture
    }

    /// Digest of the architecture and of the lowering version.
    #[must_use]
    pub const fn architecture_digest(&self) -> ArchitectureDigest {
        self.architecture_digest
    }

    /// What a record is.
    #[must_use]
    pub const fn schema(&self) -> &Schema {
        &self.content.architecture.schema
    }

    /// Digest of [`Card::schema`].
    #[must_use]
    pub fn schema_digest(&self) -> SchemaDigest {
        schema_digest(self.schema())
    }

    /// Integers in an answer.
    #[must_use]
    pub const fn output_len(&self) -> usize {
        self.output_len
    }

    /// Inclusive bounds of every integer of an answer.
    #[must_use]
    pub const fn output_bounds(&self) -> ValueBounds {
        self.output_bounds
    }

    /// What facts of an answer are checked against.
    #[must_use]
    pub const fn answers(&self) -> Answers<'_> {
        Answers::known(&self.content.architecture, self.output_len, self.output_bounds)
    }

    /// Whether the weights are hidden.
    #[must_use]
    pub const fn weights(&self) -> &CardWeights {
        &self.content.weights
    }

    /// The commitments to the weights.
    #[must_use]
    pub const fn commitments(&self) -> &Commitments {
        &self.content.commitments
    }

    /// The sumcheck commitment's points and certificate, where the card carries them itself. That they are
    /// those of the commitment is for the engine to check.
    #[must_use]
    pub fn inline_points(&self) -> Option<&CardPoints> {
        self.content.commitments.sumcheck.as_ref()?.parameters.points.as_ref()
    }

    /// What the sumcheck engine's certificate of the weights is bound to: SHA-256 over a domain and the
    /// card's canonical JSON without `signature` and without the contents of the sumcheck commitment's
    /// `parameters`. So owner's key, architecture, commitments, policy and name are all bound.
    #[must_use]
    pub fn certificate_binding(&self) -> [u8; 32] {
        certificate_binding(serde_json::from_slice(&self.json).expect("a card was read from this JSON"))
    }

    /// The policies.
    #[must_use]
    pub const fn policy(&self) -> Policy {
        self.content.policy
    }

    /// How far quantisation strayed, on the owner's word.
    #[must_use]
    pub const fn quantisation(&self) -> Option<Quantisation> {
        self.content.quantisation
    }

    /// What the card says on its owner's word alone, as phrases.
    #[must_use]
    pub fn unvouched(&self) -> Vec<String> {
        let mut list = Vec::new();
        if self.commitments().engines().count() > 1 {
            list.push("same weights behind the commitments of all engines: the owner's word".to_owned());
        }
        if self.quantisation().is_some() {
            list.push("accuracy of the float and the quantised model: the owner's word".to_owned());
        }
        list
    }
}

/// The JSON form, after checking that RFC 8785 can write every number.
fn json_value(fields: &CardJson) -> Result<Value, CardError> {
    let value = serde_json::to_value(fields).map_err(|e| CardError::Json(printable(&e.to_string())))?;
    inexact_number(&value).map_or(Ok(value), |number| Err(CardError::Number(number)))
}

/// Why a card is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    /// Larger than any card that is read.
    #[error("the card has {0} bytes; at most {MAX_CARD} are read")]
    TooLarge(usize),
    /// No JSON of the wanted form.
    #[error("the card cannot be read: {0}")]
    Json(String),
    /// Another format or version, or none named.
    #[error("the card's format is {}, not `tacit.card/1`", .0.as_ref().map_or("not named".to_owned(), |f| format!("`{f}`")))]
    Format(Option<String>),
    /// The same card in another spelling.
    #[error(
        "the card is not in canonical form (RFC 8785 JSON): it was reformatted or edited, and its id is no longer its own"
    )]
    NotCanonical,
    /// A number beyond what JSON keeps exactly.
    #[error("the card holds the number {0}, beyond the 2^53 - 1 that canonical JSON keeps exactly")]
    Number(String),
    /// No signature.
    #[error("the card is not signed")]
    Unsigned,
    /// Not its owner's signature.
    #[error("the card's signature was not made by its owner {0}")]
    Signature(Fingerprint),
    /// Made for another version of the lowering rules.
    #[error("the card was made for lowering version {actual}; this build has version {expected}")]
    LoweringVersion {
        /// Version of this build.
        expected: u32,
        /// Version of the card.
        actual: u32,
    },
    /// The architecture breaks a rule.
    #[error("the card's architecture: {0}")]
    Architecture(#[from] ArchitectureError),
    /// The architecture computes nothing.
    #[error("the card's architecture has no output")]
    NoOutput,
    /// More outputs than a claim can state.
    #[error("the card's architecture has {actual} outputs; at most {max} can be claimed")]
    Outputs {
        /// Most that can be claimed.
        max: usize,
        /// Outputs of the architecture.
        actual: usize,
    },
    /// The digest is of another architecture.
    #[error("the card's architecture digest is {actual}; its architecture has {expected}")]
    ArchitectureDigest {
        /// Digest of the architecture, hexadecimal.
        expected: String,
        /// Digest on the card, hexadecimal.
        actual: String,
    },
    /// No engine's commitment.
    #[error("the card commits to nothing: it names no engine")]
    NoCommitment,
    /// A salt without commitment or a commitment without salt.
    #[error("the card's weights are public, but its salts are not those of its commitments' engines")]
    PublicSalts,
    /// The certificate that the card carries is not the one that it names.
    #[error("the certificate in the card is not the one that the card names")]
    Certificate,
    /// More right answers than samples.
    #[error("the card counts {correct} right answers among {samples} samples")]
    Accuracy {
        /// Right answers.
        correct: u64,
        /// Samples.
        samples: u64,
    },
}
