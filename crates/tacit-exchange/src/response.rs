//! An answer: the claim with its proof, or a refusal, sealed to the request's reply key and signed by the provider.
//!
//! On the wire: magic (8 bytes), version (2, little-endian), kind (1), request id (32), content, signature (64) over all before it.
//! The content is an encapsulated key (1,120) and a sealed body, whose associated data is what precedes it; or, where the request could
//! not be opened and so holds no key to seal to, one byte that says why. The body is sealed in HPKE's PSK mode under a secret
//! that the request's own context exports: only who opened the request can answer it.

use std::fmt;

use rand_core::CryptoRngCore;
use serde::{Deserialize, Serialize};
use tacit_claim::encoding;
use tacit_claim::{Bundle, BundleError, OwnerKey, OwnerPublicKey, OwnerSignature};
use zeroize::Zeroize as _;

use crate::ids::RequestId;
use crate::message::{self, MessageError, VERSION};
use crate::padding::MAX_CONTENT;
use crate::request::OpenedRequest;
use crate::suite::{self, ENCAPSULATED, Exported, Frame, Psk, SealError, SecretKey};

pub(crate) const INFO: &[u8] = b"tacit exchange 1 response";
const DOMAIN: &str = "tacit/exchange/response/1";
const SIGNATURE: usize = 64;
const SEALED: u8 = 0;
const UNOPENED: u8 = 1;

/// Why a provider does not answer a request that it has opened. Sealed like an answer: the patient alone reads it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The record is for another schema than the card's.
    WrongSchema,
    /// The record has another number of values than the card's schema.
    WrongLength {
        /// Values that the schema has.
        expected: u32,
        /// Values sent.
        actual: u32,
    },
    /// A value is outside the range that the card declares for its feature.
    OutOfRange {
        /// The feature, by its place in the schema.
        feature: u32,
        /// The value, in the schema's integers.
        value: i64,
    },
    /// The record and the salt do not open the commitment that came with them.
    OtherCommitment,
    /// The provider does not prove by the engine asked for.
    Engine,
    /// The request was older than the provider answers.
    Expired {
        /// Seconds between its making and its opening.
        age: u64,
        /// Most seconds that the provider answers after.
        max: u64,
    },
    /// The provider failed; asking again may help.
    Failed,
}

/// Shows no value of a record.
impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongSchema => f.write_str("WrongSchema"),
            Self::WrongLength { expected, actual } => {
                f.debug_struct("WrongLength").field("expected", expected).field("actual", actual).finish()
            }
            Self::OutOfRange { feature, value: _ } => {
                write!(f, "OutOfRange {{ feature: {feature}, value hidden }}")
            }
            Self::OtherCommitment => f.write_str("OtherCommitment"),
            Self::Engine => f.write_str("Engine"),
            Self::Expired { age, max } => {
                f.debug_struct("Expired").field("age", age).field("max", max).finish()
            }
            Self::Failed => f.write_str("Failed"),
        }
    }
}

/// Why a provider could not open a request. Not sealed, since there is nothing to seal to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unopened {
    /// The secret half of its prekey is deleted, or never was the provider's.
    #[error("the prekey that it was sealed to is deleted: send it again")]
    PrekeyGone,
    /// It was altered on its way, or is not a request.
    #[error("it was altered on its way, or made by a program that seals otherwise")]
    Damaged,
}

impl Unopened {
    const fn code(self) -> u8 {
        match self {
            Self::PrekeyGone => 1,
            Self::Damaged => 2,
        }
    }

    const fn of(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::PrekeyGone),
            2 => Some(Self::Damaged),
            _ => None,
        }
    }
}

/// What a provider says to a request that it has opened.
#[derive(Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)] // one at a time, and mostly the large one
pub enum Answer {
    /// A claim and its proof, which the patient has yet to verify.
    Proved(Bundle),
    /// No answer, and why.
    Refused(Refusal),
}

/// Shows nothing of a diagnosis.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proved(bundle) => write!(f, "Proved(proof of {} bytes, hidden)", bundle.proof().len()),
            Self::Refused(refusal) => write!(f, "Refused({refusal:?})"),
        }
    }
}

#[derive(Serialize, Deserialize)]
enum AnswerBody {
    Proved(Vec<u8>),
    Refused(Refusal),
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        match self {
            Self::Proved(bytes) => bytes.zeroize(),
            Self::Refused(Refusal::OutOfRange { value, .. }) => value.zeroize(),
            Self::Refused(_) => {}
        }
    }
}

/// A sealed answer as it travels.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedResponse {
    request: RequestId,
    unopened: Option<Unopened>,
    bytes: Vec<u8>,
}

impl fmt::Debug for SealedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedResponse(to {}, {} bytes)", self.request, self.bytes.len())
    }
}

/// Bytes before the content.
const CLEAR: usize = 8 + 2 + 1 + 32;

fn clear(kind: u8, request: RequestId) -> Vec<u8> {
    [&SealedResponse::MAGIC[..], &VERSION.to_le_bytes(), &[kind], &request.0].concat()
}

impl SealedResponse {
    pub(crate) const MAGIC: [u8; 8] = *b"TACITRSP";
    /// Longest answer that is read, in bytes.
    pub const MAX_BYTES: usize = MAX_CONTENT + (2 << 20);

    /// Reads a message; opens nothing and checks no signature.
    ///
    /// # Errors
    /// [`MessageError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MessageError> {
        let rest = message::header(bytes, Self::MAGIC, "answer", Self::MAX_BYTES)?;
        let (kind, rest) = rest.split_first().ok_or(MessageError::Truncated)?;
        let (request, rest) = rest.split_first_chunk::<32>().ok_or(MessageError::Truncated)?;
        let content = rest.len().checked_sub(SIGNATURE).ok_or(MessageError::Truncated)?;
        let unopened = match *kind {
            SEALED => {
                let body = content.checked_sub(ENCAPSULATED).ok_or(MessageError::Truncated)?;
                if !suite::is_sealed_len(body) {
                    return Err(MessageError::BodyLength(body));
                }
                None
            }
            UNOPENED => {
                let reason = if content == 1 { Unopened::of(rest[0]) } else { None };
                Some(reason.ok_or(MessageError::BodyLength(content))?)
            }
            kind => return Err(MessageError::Kind(kind)),
        };
        Ok(Self { request: RequestId(*request), unopened, bytes: bytes.to_vec() })
    }

    /// The message.
    #[must_use]
    pub fn to_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The request that it answers.
    #[must_use]
    pub const fn request_id(&self) -> RequestId {
        self.request
    }

    /// Why the provider could not open the request, where it says so.
    #[must_use]
    pub const fn unopened(&self) -> Option<Unopened> {
        self.unopened
    }

    /// Checks that the provider signed it.
    ///
    /// # Errors
    /// [`MessageError::Signature`].
    pub fn verify(&self, provider: &OwnerPublicKey) -> Result<(), MessageError> {
        let (signed, signature) =
            self.bytes.split_last_chunk::<SIGNATURE>().ok_or(MessageError::Truncated)?;
        provider.verify(DOMAIN, signed, &OwnerSignature(*signature)).map_err(|_| MessageError::Signature)
    }

    fn signed(request: RequestId, unopened: Option<Unopened>, mut bytes: Vec<u8>, key: &OwnerKey) -> Self {
        let signature = key.sign(DOMAIN, &bytes);
        bytes.extend_from_slice(&signature.0);
        Self { request, unopened, bytes }
    }

    /// Says of a request that it could not be opened.
    #[must_use]
    pub fn not_opened(request: RequestId, why: Unopened, key: &OwnerKey) -> Self {
        let mut bytes = clear(UNOPENED, request);
        bytes.push(why.code());
        Self::signed(request, Some(why), bytes, key)
    }
}

impl OpenedRequest {
    /// Seals an answer, padded as one of `least` bytes would be: give the length of a proof file of this card's, so that
    /// a refusal looks like an answer.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn answer(
        &self,
        answer: &Answer,
        least: usize,
        key: &OwnerKey,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<SealedResponse, SealError> {
        let body = match answer {
            Answer::Proved(bundle) => AnswerBody::Proved(bundle.to_bytes()),
            Answer::Refused(refusal) => AnswerBody::Refused(refusal.clone()),
        };
        let proof = if let AnswerBody::Proved(bytes) = &body { bytes.len() } else { 0 };
        let content =
            encoding::encode_secret(&body, AROUND + proof).expect("the capacity bounds either kind");
        let mut bytes = clear(SEALED, self.id());
        let psk = Some(Psk { secret: self.exported(), id: &self.id().0 });
        let frame = Frame { info: INFO, aad: &bytes, psk };
        let sealed = suite::seal(self.reply_key(), &frame, &content, least + AROUND, rng)?;
        bytes.extend_from_slice(&sealed.encapsulated);
        bytes.extend_from_slice(&sealed.body);
        Ok(SealedResponse::signed(self.id(), None, bytes, key))
    }
}

/// Bytes by which an answer may be longer than the proof file that its length is measured by, and still be padded no further
/// than a refusal: its own encoding, a longer context, longer integers.
const AROUND: usize = 1024;

/// Opens an answer to the request `id`: checks who signed it, then what is sealed. The claim is not verified.
pub(crate) fn open(
    response: &SealedResponse,
    id: RequestId,
    provider: &OwnerPublicKey,
    reply: &SecretKey,
    exported: &Exported,
) -> Result<Result<Answer, Unopened>, ResponseError> {
    if response.request != id {
        return Err(MessageError::OtherRequest { expected: id, actual: response.request }.into());
    }
    response.verify(provider)?;
    if let Some(why) = response.unopened {
        return Ok(Err(why));
    }
    let (clear, rest) = response.bytes.split_at(CLEAR);
    let content = &rest[..rest.len() - SIGNATURE];
    let (encapsulated, body) = content.split_at(ENCAPSULATED);
    let frame = Frame { info: INFO, aad: clear, psk: Some(Psk { secret: exported, id: &id.0 }) };
    let (content, _) = suite::open(reply, &frame, encapsulated, body).map_err(MessageError::from)?;
    let body: AnswerBody = encoding::decode(&content).map_err(MessageError::Content)?;
    Ok(Ok(match &body {
        AnswerBody::Refused(refusal) => Answer::Refused(refusal.clone()),
        AnswerBody::Proved(bytes) => Answer::Proved(Bundle::from_bytes(bytes)?),
    }))
}

/// Why an answer is refused before its proof is verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// Not a message, not for this request, not from this provider, or altered.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// It holds no proof file.
    #[error("the answer's proof: {0}")]
    Bundle(#[from] BundleError),
}
