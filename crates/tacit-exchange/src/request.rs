//! A request: a record, sealed to a provider's prekey, with what the answer is to be bound and sealed to.
//!
//! On the wire: magic (8 bytes), version (2, little-endian), length of the header (2), header in canonical postcard, encapsulated
//! key (1,120), sealed body. Everything before the encapsulated key is the body's associated data, and the
//! request's id is a hash of all of it. The header says which card and which prekey, when, and the hash of what
//! fetches the answer; nothing in it, and nothing that a claim shows, links the two.

use std::collections::BTreeMap;
use std::fmt;

use rand_core::CryptoRngCore;
use serde::{Deserialize, Serialize};
use tacit_claim::encoding::{self, domain_hash};
use tacit_claim::{Card, CardId, CommittedInput, Context, EngineId, InputOpening, SchemaDigest};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::ids::{Capability, CapabilityHash, PrekeyId, RequestId};
use crate::message::{self, MessageError, VERSION};
use crate::padding::MAX_CONTENT;
use crate::pending::PendingRequest;
use crate::prekey::{Prekey, PrekeySecret};
use crate::suite::{self, ENCAPSULATED, Exported, Frame, SealError, SecretKey, Suite};

pub(crate) const INFO: &[u8] = b"tacit exchange 1 request";
/// Longest content of a request, in bytes.
const MAX_REQUEST: usize = 16 << 20;

/// What everybody between patient and provider sees of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestHeader {
    /// How the body is sealed.
    pub suite: Suite,
    /// The card whose model is asked.
    pub card_id: CardId,
    /// The prekey that the body is sealed to.
    pub prekey_id: PrekeyId,
    /// Hash of what fetches the answer.
    pub capability_hash: CapabilityHash,
    /// When the patient sealed it, by their clock, in Unix seconds.
    pub created_at: u64,
}

/// A sealed request as it travels.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedRequest {
    header: RequestHeader,
    id: RequestId,
    /// Where the encapsulated key begins.
    body_at: usize,
    bytes: Vec<u8>,
}

impl fmt::Debug for SealedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedRequest({}, {} bytes, {:?})", self.id, self.bytes.len(), self.header)
    }
}

impl SealedRequest {
    pub(crate) const MAGIC: [u8; 8] = *b"TACITREQ";
    /// Longest request that is read, in bytes.
    pub const MAX_BYTES: usize = MAX_REQUEST + (1 << 20) + 4096;

    fn assemble(header: &RequestHeader) -> Vec<u8> {
        let header = encoding::encode(header);
        let length = u16::try_from(header.len()).expect("a header has some hundred bytes");
        [&Self::MAGIC[..], &VERSION.to_le_bytes(), &length.to_le_bytes(), &header].concat()
    }

    /// Reads a message; opens nothing.
    ///
    /// # Errors
    /// [`MessageError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MessageError> {
        let rest = message::header(bytes, Self::MAGIC, "request", Self::MAX_BYTES)?;
        let (length, rest) = rest.split_first_chunk().ok_or(MessageError::Truncated)?;
        let length = usize::from(u16::from_le_bytes(*length));
        let (header, rest) = rest.split_at_checked(length).ok_or(MessageError::Truncated)?;
        let header: RequestHeader = encoding::decode(header).map_err(MessageError::Header)?;
        if header.suite != Suite::ONLY {
            return Err(MessageError::Suite(header.suite));
        }
        let body = rest.len().checked_sub(ENCAPSULATED).ok_or(MessageError::Truncated)?;
        if !suite::is_sealed_len(body) {
            return Err(MessageError::BodyLength(body));
        }
        Ok(Self {
            header,
            id: RequestId::of(bytes),
            body_at: bytes.len() - rest.len(),
            bytes: bytes.to_vec(),
        })
    }

    /// The message.
    #[must_use]
    pub fn to_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What everybody sees.
    #[must_use]
    pub const fn header(&self) -> &RequestHeader {
        &self.header
    }

    /// Hash of the whole message.
    #[must_use]
    pub const fn id(&self) -> RequestId {
        self.id
    }
}

/// The context of the proof that answers a request. The nonce travels inside the sealed body, so that nobody else can tell
/// which request a disclosed proof answered.
#[must_use]
pub fn proof_context(request: RequestId, nonce: &[u8; 32]) -> Context {
    let digest = domain_hash("tacit/exchange/context/1", &[&request.0, nonce]);
    Context::new(format!("tacit exchange 1: {}", hex::encode(digest))).expect("short, plain ASCII")
}

/// What is sealed.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct RequestBody {
    version: u16,
    #[zeroize(skip)]
    engine: EngineId,
    #[zeroize(skip)]
    schema_digest: SchemaDigest,
    #[serde(deserialize_with = "encoding::bounded_values")]
    record: Vec<i64>,
    #[zeroize(skip)] // its salt zeroises itself
    committed: CommittedInput,
    #[zeroize(skip)] // public
    reply_key: Vec<u8>,
    nonce: [u8; 32],
}

/// What a patient asks.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The card, pinned.
    pub card: &'a Card,
    /// The prekey to seal to.
    pub prekey: &'a Prekey,
    /// The engine that is to prove the answer.
    pub engine: EngineId,
    /// The record with its commitment and salt.
    pub input: &'a InputOpening,
    /// The patient's clock, in Unix seconds.
    pub now: u64,
}

/// Why a request cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The record was not committed for that engine.
    #[error("the record was not committed for the {0} engine")]
    Engine(EngineId),
    /// Not sealed.
    #[error("the request cannot be sealed: {0}")]
    Seal(#[from] SealError),
}

impl Ask<'_> {
    /// Seals a request. The pending request opens the answer and must be kept, secret, until it has come; what it
    /// holds is fresh for every request.
    ///
    /// # Errors
    /// [`AskError`].
    pub fn seal(&self, relay: String, rng: &mut dyn CryptoRngCore) -> Result<PendingRequest, AskError> {
        let committed = self.input.commitments.get(&self.engine).ok_or(AskError::Engine(self.engine))?;
        let mut secret = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *secret);
        let capability = Capability::new(*secret);
        let mut nonce = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *nonce);
        let reply = SecretKey::generate(rng);
        let header = RequestHeader {
            suite: Suite::ONLY,
            card_id: self.card.id(),
            prekey_id: self.prekey.id(),
            capability_hash: capability.hash(),
            created_at: self.now,
        };
        let body = RequestBody {
            version: VERSION,
            engine: self.engine,
            schema_digest: self.input.schema_digest,
            record: self.input.record.clone(),
            committed: committed.clone(),
            reply_key: reply.public(),
            nonce: *nonce,
        };
        let capacity =
            256 + body.record.len() * 10 + committed.commitment.as_bytes().len() + body.reply_key.len();
        let content = encoding::encode_secret(&body, capacity).expect("the capacity bounds every field");
        if content.len() > MAX_REQUEST {
            return Err(SealError::TooLong { max: MAX_REQUEST, actual: content.len() }.into());
        }
        let mut bytes = SealedRequest::assemble(&header);
        let frame = Frame { info: INFO, aad: &bytes, psk: None };
        let sealed = suite::seal(self.prekey.key(), &frame, &content, content.len() + self.slack(), rng)?;
        let body_at = bytes.len();
        bytes.extend_from_slice(&sealed.encapsulated);
        bytes.extend_from_slice(&sealed.body);
        let request = SealedRequest { header, id: RequestId::of(&bytes), body_at, bytes };
        Ok(PendingRequest::new(relay, self, request, capability, reply, sealed.exported, nonce))
    }

    /// How many bytes more the longest record within the card's ranges takes: an integer takes as many as its size needs,
    /// and the length of what is sealed is to say nothing of it.
    fn slack(&self) -> usize {
        let features = &self.card.schema().features;
        let longest: usize = features.iter().map(|f| encoded_len(f.min).max(encoded_len(f.max))).sum();
        longest.saturating_sub(self.input.record.iter().map(|v| encoded_len(*v)).sum())
    }
}

/// Bytes of an integer in postcard: seven bits in each of what is twice its magnitude.
fn encoded_len(value: i64) -> usize {
    let zigzag = ((value << 1) ^ (value >> 63)) | 1;
    (64 - zigzag.leading_zeros() as usize).div_ceil(7)
}

/// A request that its provider has opened. Zeroised when dropped, never printed.
pub struct OpenedRequest {
    body: RequestBody,
    header: RequestHeader,
    id: RequestId,
    exported: Exported,
}

impl fmt::Debug for OpenedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenedRequest({}, content hidden)", self.id)
    }
}

impl OpenedRequest {
    /// Opens a request that is sealed to this prekey.
    ///
    /// # Errors
    /// [`MessageError`], which shows nothing of the content.
    pub fn open(request: &SealedRequest, prekey: &PrekeySecret) -> Result<Self, MessageError> {
        if request.header.prekey_id != prekey.public().id() {
            return Err(MessageError::OtherPrekey);
        }
        let (clear, rest) = request.bytes.split_at(request.body_at);
        let (encapsulated, body) = rest.split_at(ENCAPSULATED);
        let frame = Frame { info: INFO, aad: clear, psk: None };
        let (content, exported) = suite::open(prekey.secret(), &frame, encapsulated, body)?;
        let body: RequestBody = encoding::decode(&content).map_err(MessageError::Content)?;
        if body.version != VERSION {
            return Err(MessageError::Version { expected: VERSION, actual: body.version });
        }
        if !suite::is_public_key(&body.reply_key) {
            return Err(SealError::PublicKey.into());
        }
        Ok(Self { body, header: request.header.clone(), id: request.id, exported })
    }

    /// The request's id.
    #[must_use]
    pub const fn id(&self) -> RequestId {
        self.id
    }

    /// What everybody saw of it.
    #[must_use]
    pub const fn header(&self) -> &RequestHeader {
        &self.header
    }

    /// The engine that is to prove the answer.
    #[must_use]
    pub fn engine(&self) -> EngineId {
        self.body.engine
    }

    /// The record with the commitment that the patient says it opens; whether it does is for the provider to check.
    #[must_use]
    pub fn input(&self) -> InputOpening {
        InputOpening {
            card_id: self.header.card_id,
            schema_digest: self.body.schema_digest,
            record: self.body.record.clone(),
            commitments: BTreeMap::from([(self.body.engine, self.body.committed.clone())]),
        }
    }

    /// The context that the proof must have.
    #[must_use]
    pub fn context(&self) -> Context {
        proof_context(self.id, &self.body.nonce)
    }

    pub(crate) fn reply_key(&self) -> &[u8] {
        &self.body.reply_key
    }

    pub(crate) const fn exported(&self) -> &Exported {
        &self.exported
    }
}

const _: () = assert!(MAX_REQUEST <= MAX_CONTENT);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;
    use tacit_claim::{Commitment, SaltBytes};

    use super::*;

    #[test]
    fn integers_take_as_many_bytes_as_is_reckoned() {
        let powers = (0..64).map(|n| 1i64 << n).flat_map(|p| [p, p.wrapping_sub(1), p.wrapping_neg(), !p]);
        for value in powers.chain([0]) {
            assert_eq!(encoded_len(value), encoding::encode(&value).len(), "{value}");
        }
    }

    /// What a stranger seals to a prekey, whatever it is.
    fn opened(content: &[u8]) -> Result<OpenedRequest, MessageError> {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let prekey = PrekeySecret::generate(1, &mut rng);
        let header = RequestHeader {
            suite: Suite::ONLY,
            card_id: CardId([1; 32]),
            prekey_id: prekey.public().id(),
            capability_hash: CapabilityHash([2; 32]),
            created_at: 0,
        };
        let mut bytes = SealedRequest::assemble(&header);
        let frame = Frame { info: INFO, aad: &bytes, psk: None };
        let sealed = suite::seal(prekey.public().key(), &frame, content, 0, &mut rng).unwrap();
        bytes.extend_from_slice(&sealed.encapsulated);
        bytes.extend_from_slice(&sealed.body);
        OpenedRequest::open(&SealedRequest::from_bytes(&bytes).unwrap(), &prekey)
    }

    fn body(edit: impl FnOnce(&mut RequestBody)) -> Vec<u8> {
        let mut body = RequestBody {
            version: VERSION,
            engine: EngineId::Sumcheck,
            schema_digest: SchemaDigest([3; 32]),
            record: vec![1, -2, i64::MAX],
            committed: CommittedInput {
                salt: SaltBytes::new([4; 32]),
                commitment: Commitment::new(vec![5; 32]).unwrap(),
            },
            reply_key: SecretKey::generate(&mut ChaCha20Rng::seed_from_u64(2)).public(),
            nonce: [6; 32],
        };
        edit(&mut body);
        encoding::encode(&body)
    }

    #[test]
    fn what_strangers_seal_is_checked_like_what_they_send() {
        let good = body(|_| ());
        assert_eq!(opened(&good).unwrap().input().record, [1, -2, i64::MAX]);
        assert_eq!(
            opened(&body(|b| b.version = 2)).unwrap_err(),
            MessageError::Version { expected: 1, actual: 2 }
        );
        let no_key = MessageError::Seal(SealError::PublicKey);
        assert_eq!(opened(&body(|b| b.reply_key.truncate(1215))).unwrap_err(), no_key);
        // A coefficient of the lattice key beyond the modulus.
        assert_eq!(opened(&body(|b| b.reply_key[..3].fill(0xff))).unwrap_err(), no_key);
        let trailing = MessageError::Content(encoding::EncodingError::Trailing(1));
        assert_eq!(opened(&[&good[..], &[0]].concat()).unwrap_err(), trailing);
        // 2^62 integers are announced.
        let mut many = good[..34].to_vec();
        many.extend([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40]);
        assert!(matches!(opened(&many).unwrap_err(), MessageError::Content(_)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_sealed_content_panics(
            from: prop::sample::Index,
            to: prop::sample::Index,
            new in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let good = body(|_| ());
            let (a, b) = (from.index(good.len()), to.index(good.len()));
            let content = [&good[..a.min(b)], &new, &good[a.max(b)..]].concat();
            if let Ok(request) = opened(&content) {
                prop_assert_eq!(encoding::encode(&request.body), content);
            }
        }
    }
}
