//! The one way in which messages are sealed: HPKE (RFC 9180) with X-Wing, TurboSHAKE128 and ChaCha20-Poly1305.
//!
//! X-Wing (draft-connolly-cfrg-xwing-kem; HPKE's code point 0x647a, draft-ietf-hpke-pq) is X25519 and ML-KEM-768 together: a message stays
//! sealed while either holds. It is a draft still, so every message and every prekey names its suite, and any other
//! is refused. A body goes in chunks of one mebibyte under one HPKE context: the context's nonces count them, and each chunk's
//! associated data says whether it is the last, as STREAM has it (Hoang, Reyhanitabar, Rogaway, Vizár 2015), so
//! that chunks can be neither reordered, nor dropped, nor cut off.

use std::convert::Infallible;

use hpke::aead::{AeadCtxR, AeadCtxS, ChaCha20Poly1305};
use hpke::kdf::KdfTurboShake128;
use hpke::kem::XWing;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable as _, Kem as _, OpModeR, OpModeS, PskBundle, Serializable as _};
use rand_core::CryptoRngCore;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::padding;

#[cfg(test)]
mod vectors;

type PublicKey = <XWing as hpke::Kem>::PublicKey;
type PrivateKey = <XWing as hpke::Kem>::PrivateKey;
type EncappedKey = <XWing as hpke::Kem>::EncappedKey;

/// The suite's HPKE identifiers: KEM, KDF, AEAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// Key encapsulation.
    pub kem: u16,
    /// Key derivation.
    pub kdf: u16,
    /// Authenticated encryption.
    pub aead: u16,
}

impl Suite {
    /// The one suite that is spoken: X-Wing, TurboSHAKE128, ChaCha20-Poly1305.
    pub const ONLY: Self = Self { kem: 0x647a, kdf: 0x0012, aead: 0x0003 };
}

/// Bytes of an encapsulated key.
pub(crate) const ENCAPSULATED: usize = 1120;
/// Bytes of a sealed chunk's tag.
const TAG: usize = 16;
/// Bytes of a chunk's plaintext, the last one's apart.
pub(crate) const CHUNK: usize = 1 << 20;
/// Bytes that a context gives out for another.
pub(crate) type Exported = Zeroizing<[u8; 32]>;

/// Why a sealed body cannot be made or opened. Nothing of its content is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The public key is none.
    #[error("the public key is not one of the suite X-Wing, TurboSHAKE128, ChaCha20-Poly1305")]
    PublicKey,
    /// Altered, cut short, reordered, sealed to another key, or under another header.
    #[error("it was altered, or sealed for somebody else")]
    Open,
    /// Opened, but without the padding that every sealed body has.
    #[error("what was sealed is not padded as it must be")]
    Padding,
    /// Longer than any message.
    #[error("the content has {actual} bytes; at most {max} are sealed")]
    TooLong {
        /// Most that are sealed.
        max: usize,
        /// Bytes given.
        actual: usize,
    },
}

/// The workspace's source of randomness as HPKE's library wants it.
struct Rng<'a>(&'a mut dyn CryptoRngCore);

impl TryRng for Rng<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Rng<'_> {}

/// A secret key, as its 32-byte seed; zeroised when dropped, never printed. In a place of its own: what is moved, sorted or
/// grown around it leaves no copy behind.
#[derive(Clone)]
pub(crate) struct SecretKey(Box<Zeroizing<[u8; 32]>>);

impl SecretKey {
    pub(crate) fn generate(rng: &mut dyn CryptoRngCore) -> Self {
        let mut seed = Box::new(Zeroizing::new([0; 32]));
        rng.fill_bytes(&mut **seed);
        Self(seed)
    }

    pub(crate) fn from_seed(seed: Zeroizing<[u8; 32]>) -> Self {
        Self(Box::new(seed))
    }

    pub(crate) fn seed(&self) -> &[u8; 32] {
        &self.0
    }

    fn key(&self) -> PrivateKey {
        PrivateKey::from_bytes(self.seed()).expect("a seed has 32 bytes")
    }

    pub(crate) fn public(&self) -> Vec<u8> {
        XWing::sk_to_pk(&self.key()).to_bytes().to_vec()
    }
}

/// What only the two ends of an earlier message know, and the public name of that message.
pub(crate) struct Psk<'a> {
    pub(crate) secret: &'a Exported,
    pub(crate) id: &'a [u8; 32],
}

impl Psk<'_> {
    fn bundle(&self) -> PskBundle<'_> {
        PskBundle::new(&**self.secret, self.id).expect("neither half is empty")
    }
}

/// What a message is sealed under besides its key: direction and version, associated data.
pub(crate) struct Frame<'a> {
    /// HPKE's `info`: protocol, version, direction.
    pub(crate) info: &'static [u8],
    /// Everything in clear that comes before the body.
    pub(crate) aad: &'a [u8],
    /// What both ends know from an earlier message. HPKE's PSK mode where there is one, else its base mode.
    pub(crate) psk: Option<Psk<'a>>,
}

/// The encapsulated key, the sealed body and what the context exports.
pub(crate) struct Sealed {
    pub(crate) encapsulated: Vec<u8>,
    pub(crate) body: Vec<u8>,
    pub(crate) exported: Exported,
}

/// What both ends export from a context, for the message that answers.
const EXPORT: &[u8] = b"tacit exchange 1 response psk";

/// Whether these bytes are a public key.
pub(crate) fn is_public_key(bytes: &[u8]) -> bool {
    PublicKey::from_bytes(bytes).is_ok()
}

/// Bytes that a content takes once it is padded to at least `least` and sealed, its encapsulated key apart.
pub(crate) fn sealed_len(content: usize, least: usize) -> usize {
    let padded = padding::padded_len(content).max(padding::padded_len(least));
    padded + padded.div_ceil(CHUNK) * TAG
}

/// Seals a content, padded to a bucket of at least `least` bytes of content.
pub(crate) fn seal(
    to: &[u8],
    frame: &Frame<'_>,
    content: &[u8],
    least: usize,
    rng: &mut dyn CryptoRngCore,
) -> Result<Sealed, SealError> {
    let to = PublicKey::from_bytes(to).map_err(|_| SealError::PublicKey)?;
    let mode = frame.psk.as_ref().map_or(OpModeS::Base, |psk| OpModeS::Psk(psk.bundle()));
    let (encapsulated, mut context): (EncappedKey, AeadCtxS<ChaCha20Poly1305, KdfTurboShake128, XWing>) =
        hpke::setup_sender_with_rng(&mode, &to, frame.info, &mut Rng(rng))
            .map_err(|_| SealError::PublicKey)?;
    let padded = padding::pad(content, least)?;
    let mut body = Vec::with_capacity(sealed_len(content.len(), least));
    let mut chunks = padded.chunks(CHUNK).peekable();
    while let Some(chunk) = chunks.next() {
        let aad = chunk_aad(frame.aad, chunks.peek().is_none());
        body.extend_from_slice(&context.seal(chunk, &aad).expect("far fewer chunks than nonces"));
    }
    let mut exported = Zeroizing::new([0; 32]);
    context.export(EXPORT, &mut *exported).expect("32 bytes can be exported");
    Ok(Sealed { encapsulated: encapsulated.to_bytes().to_vec(), body, exported })
}

/// Opens a body; gives its content and what the context exports.
pub(crate) fn open(
    key: &SecretKey,
    frame: &Frame<'_>,
    encapsulated: &[u8],
    body: &[u8],
) -> Result<(Zeroizing<Vec<u8>>, Exported), SealError> {
    let encapsulated = EncappedKey::from_bytes(encapsulated).map_err(|_| SealError::Open)?;
    let mode = frame.psk.as_ref().map_or(OpModeR::Base, |psk| OpModeR::Psk(psk.bundle()));
    let mut context: AeadCtxR<ChaCha20Poly1305, KdfTurboShake128, XWing> =
        hpke::setup_receiver(&mode, &key.key(), &encapsulated, frame.info).map_err(|_| SealError::Open)?;
    // As long as the body: never grows, so that no copy of it stays behind.
    let mut padded = Zeroizing::new(Vec::with_capacity(body.len()));
    let mut chunks = body.chunks(CHUNK + TAG).peekable();
    while let Some(chunk) = chunks.next() {
        let aad = chunk_aad(frame.aad, chunks.peek().is_none());
        let opened = Zeroizing::new(context.open(chunk, &aad).map_err(|_| SealError::Open)?);
        padded.extend_from_slice(&opened);
    }
    let mut exported = Zeroizing::new([0; 32]);
    context.export(EXPORT, &mut *exported).expect("32 bytes can be exported");
    Ok((padding::unpad(padded)?, exported))
}

fn chunk_aad(aad: &[u8], last: bool) -> Vec<u8> {
    [aad, &[u8::from(last)]].concat()
}

/// Whether a sealed body can have this length: one of the padded sizes, with a tag per chunk.
pub(crate) const fn is_sealed_len(len: usize) -> bool {
    let chunks = len.div_ceil(CHUNK + TAG);
    match len.checked_sub(chunks * TAG) {
        Some(padded) => padding::is_size(padded),
        None => false,
    }
}
