//! `request.secret`: what a patient keeps of a request until its answer has come, and afterwards to show it to others.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use tacit_claim::secret_file::{HEADER, SecretFile};
use tacit_claim::{
    Card, CardError, CardPoints, CommitmentPin, CommittedInput, Context, EngineId, InputOpening,
    OpeningError, OwnerPublicKey, PointsError, encoding,
};
use zeroize::{Zeroize, Zeroizing};

use crate::ids::{Capability, RequestId};
use crate::message::MessageError;
use crate::request::{Ask, SealedRequest, proof_context};
use crate::response::{self, Answer, ResponseError, SealedResponse, Unopened};
use crate::suite::{Exported, SecretKey};

/// A request on its way. Zeroised when dropped, never printed.
pub struct PendingRequest {
    relay: String,
    card: Card,
    points: Option<CardPoints>,
    request: SealedRequest,
    capability: Capability,
    reply: SecretKey,
    exported: Exported,
    nonce: Zeroizing<[u8; 32]>,
    engine: EngineId,
    input: InputOpening,
}

#[derive(Serialize, Deserialize)]
struct PendingFields {
    relay: String,
    card: Vec<u8>,
    points: Option<Vec<u8>>,
    request: Vec<u8>,
    capability: Capability,
    reply: [u8; 32],
    exported: [u8; 32],
    nonce: [u8; 32],
    engine: EngineId,
    #[serde(deserialize_with = "encoding::bounded_values")]
    record: Vec<i64>,
    committed: CommittedInput,
}

impl Drop for PendingFields {
    fn drop(&mut self) {
        self.reply.zeroize();
        self.exported.zeroize();
        self.nonce.zeroize();
        self.record.zeroize();
    }
}

impl fmt::Debug for PendingRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PendingRequest({}, at {}, secrets hidden)", self.request.id(), self.relay)
    }
}

/// Why a `request.secret` is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PendingError {
    /// Not such a file, or damaged.
    #[error(transparent)]
    File(#[from] OpeningError),
    /// Its card is unusable.
    #[error("the request file's card: {0}")]
    Card(#[from] CardError),
    /// Its points are unusable.
    #[error("the request file's points: {0}")]
    Points(#[from] PointsError),
    /// Its message is unusable.
    #[error("the request file's message: {0}")]
    Message(#[from] MessageError),
    /// Its parts do not belong together.
    #[error("the request file's parts do not belong together")]
    Inconsistent,
}

impl PendingRequest {
    const FILE: SecretFile =
        SecretFile { name: "request", magic: *b"TACITPND", version: 1, max: HEADER + (192 << 20) };

    pub(crate) fn new(
        relay: String,
        ask: &Ask<'_>,
        request: SealedRequest,
        capability: Capability,
        reply: SecretKey,
        exported: Exported,
        nonce: Zeroizing<[u8; 32]>,
    ) -> Self {
        Self {
            relay,
            card: ask.card.clone(),
            points: None,
            request,
            capability,
            reply,
            exported,
            nonce,
            engine: ask.engine,
            input: ask.input.clone(),
        }
    }

    /// Keeps what lies beside the card, so that the answer can be verified and disclosed without the relay.
    #[must_use]
    pub fn with_points(mut self, points: Option<CardPoints>) -> Self {
        self.points = points;
        self
    }

    /// The file's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let fields = PendingFields {
            relay: self.relay.clone(),
            card: self.card.to_json().to_vec(),
            points: self.points.as_ref().map(CardPoints::to_bytes),
            request: self.request.to_bytes().to_vec(),
            capability: self.capability.clone(),
            reply: *self.reply.seed(),
            exported: *self.exported,
            nonce: *self.nonce,
            engine: self.engine,
            record: self.input.record.clone(),
            committed: self.input.commitments[&self.engine].clone(),
        };
        let capacity = 1024
            + fields.relay.len()
            + fields.card.len()
            + fields.points.as_ref().map_or(0, Vec::len)
            + fields.request.len()
            + fields.record.len() * 10
            + fields.committed.commitment.as_bytes().len();
        Self::FILE.write(&fields, capacity)
    }

    /// Reads a file's bytes; refuses other formats, versions, damage and parts that do not belong together.
    ///
    /// # Errors
    /// [`PendingError`], which shows no secret.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PendingError> {
        let fields: PendingFields = Self::FILE.read(bytes)?;
        let card = Card::from_json(&fields.card)?;
        let points = fields.points.as_deref().map(CardPoints::from_bytes).transpose()?;
        let request = SealedRequest::from_bytes(&fields.request)?;
        let header = request.header();
        if header.card_id != card.id() || header.capability_hash != fields.capability.hash() {
            return Err(PendingError::Inconsistent);
        }
        Ok(Self {
            input: InputOpening {
                card_id: card.id(),
                schema_digest: card.schema_digest(),
                record: fields.record.clone(),
                commitments: BTreeMap::from([(fields.engine, fields.committed.clone())]),
            },
            relay: fields.relay.clone(),
            capability: fields.capability.clone(),
            reply: SecretKey::from_seed(Zeroizing::new(fields.reply)),
            exported: Zeroizing::new(fields.exported),
            nonce: Zeroizing::new(fields.nonce),
            engine: fields.engine,
            card,
            points,
            request,
        })
    }

    /// Opens an answer: checks that it is to this request and signed by the pinned card's owner. The claim is not
    /// verified.
    ///
    /// # Errors
    /// [`ResponseError`].
    pub fn open(&self, response: &SealedResponse) -> Result<Result<Answer, Unopened>, ResponseError> {
        let provider: &OwnerPublicKey = self.card.owner();
        response::open(response, self.request.id(), provider, &self.reply, &self.exported)
    }

    /// The relay's URL.
    #[must_use]
    pub fn relay(&self) -> &str {
        &self.relay
    }

    /// The pinned card.
    #[must_use]
    pub const fn card(&self) -> &Card {
        &self.card
    }

    /// What lies beside the card.
    #[must_use]
    pub const fn points(&self) -> Option<&CardPoints> {
        self.points.as_ref()
    }

    /// The message, to be sent as often as it takes.
    #[must_use]
    pub const fn request(&self) -> &SealedRequest {
        &self.request
    }

    /// The request's id.
    #[must_use]
    pub const fn id(&self) -> RequestId {
        self.request.id()
    }

    /// What fetches the answer.
    #[must_use]
    pub const fn capability(&self) -> &Capability {
        &self.capability
    }

    /// The engine that is to prove the answer.
    #[must_use]
    pub const fn engine(&self) -> EngineId {
        self.engine
    }

    /// The record with its commitment.
    #[must_use]
    pub const fn input(&self) -> &InputOpening {
        &self.input
    }

    /// The commitment that the claim must be about.
    #[must_use]
    pub fn commitment(&self) -> CommitmentPin {
        CommitmentPin::Whole(self.input.commitments[&self.engine].commitment.clone())
    }

    /// The context that the claim must have.
    #[must_use]
    pub fn context(&self) -> Context {
        proof_context(self.request.id(), &self.nonce)
    }
}
