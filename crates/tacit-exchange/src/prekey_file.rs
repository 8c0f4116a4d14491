//! The file of a provider's prekeys for one card, encrypted under a key derived from the owner's: who is to open old
//! requests needs this file as it was, the owner's key, and, where that has one, its passphrase.
//!
//! Magic (8 bytes), version (2, little-endian), nonce (24), XChaCha20-Poly1305 of the canonical postcard of the
//! prekeys; all before the ciphertext, and the card's id, are associated data. A rewritten file forgets the prekeys
//! that it leaves out; what a file system or a backup keeps of the old one is beyond it.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use rand_core::CryptoRngCore;
use serde::{Deserialize, Serialize};
use tacit_claim::{CardId, OwnerKey, encoding};
use zeroize::{Zeroize, Zeroizing};

use crate::ids::PrekeyId;
use crate::prekey::{Prekey, PrekeySecret};

const MAGIC: [u8; 8] = *b"TACITPKS";
const VERSION: u16 = 1;
const CLEAR: usize = 8 + 2 + 24;
/// Most prekeys that are kept.
const MAX: usize = 64;

/// The prekeys of one card, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Prekeys(Vec<PrekeySecret>);

#[derive(Serialize, Deserialize)]
struct Fields(Vec<([u8; 32], u64)>);

impl Drop for Fields {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|(seed, _)| seed.zeroize());
    }
}

/// Why a file of prekeys is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrekeysError {
    /// Not such a file.
    #[error("not a Tacit file of prekeys")]
    Magic,
    /// Another version.
    #[error("version {actual} of the file of prekeys is not supported (this build reads version {expected})")]
    Version {
        /// Version that is read.
        expected: u16,
        /// Version of the file.
        actual: u16,
    },
    /// Altered, or another owner's or card's.
    #[error(
        "the file of prekeys does not open with this key for this card: it is damaged, or of another owner or card"
    )]
    Open,
}

impl Prekeys {
    /// Adds a prekey.
    pub fn push(&mut self, prekey: PrekeySecret) {
        self.0.push(prekey);
    }

    /// Drops the prekeys that ended before `before` (Unix seconds), and the oldest where there are too many; says how
    /// many went.
    pub fn forget(&mut self, before: u64) -> usize {
        let had = self.0.len();
        self.0.retain(|p| p.public().not_after() >= before);
        self.0.sort_by_key(|p| p.public().not_after());
        let excess = self.0.len().saturating_sub(MAX);
        self.0.drain(..excess);
        had - self.0.len()
    }

    /// The prekey of that id.
    #[must_use]
    pub fn get(&self, id: PrekeyId) -> Option<&PrekeySecret> {
        self.0.iter().find(|p| p.public().id() == id)
    }

    /// The public halves of those that are good at `now` (Unix seconds).
    #[must_use]
    pub fn public_at(&self, now: u64) -> Vec<Prekey> {
        self.0.iter().map(PrekeySecret::public).filter(|p| p.not_after() > now).cloned().collect()
    }

    /// The file's bytes.
    ///
    /// # Panics
    /// When there are more prekeys than memory could hold.
    #[must_use]
    pub fn to_bytes(&self, key: &OwnerKey, card: CardId, rng: &mut dyn CryptoRngCore) -> Vec<u8> {
        let fields = Fields(self.0.iter().map(|p| (*p.secret().seed(), p.public().not_after())).collect());
        let body = encoding::encode_secret(&fields, 16 + fields.0.len() * 42).expect("42 bytes each at most");
        let mut nonce = [0; 24];
        rng.fill_bytes(&mut nonce);
        let mut out = [&MAGIC[..], &VERSION.to_le_bytes(), &nonce].concat();
        let aad = [&out[..], &card.0].concat();
        let sealed = cipher(key).encrypt(&XNonce::from(nonce), Payload { msg: &body, aad: &aad });
        out.extend_from_slice(&sealed.expect("short"));
        out
    }

    /// Reads a file's bytes.
    ///
    /// # Errors
    /// [`PrekeysError`], which shows no secret.
    pub fn from_bytes(bytes: &[u8], key: &OwnerKey, card: CardId) -> Result<Self, PrekeysError> {
        let (clear, sealed) = bytes.split_at_checked(CLEAR).ok_or(PrekeysError::Magic)?;
        let rest = clear.strip_prefix(&MAGIC).ok_or(PrekeysError::Magic)?;
        let (version, nonce) = rest.split_first_chunk().ok_or(PrekeysError::Magic)?;
        let actual = u16::from_le_bytes(*version);
        if actual != VERSION {
            return Err(PrekeysError::Version { expected: VERSION, actual });
        }
        let nonce: [u8; 24] = nonce.try_into().map_err(|_| PrekeysError::Magic)?;
        if sealed.len() > 16 + 16 + 42 * MAX {
            return Err(PrekeysError::Open);
        }
        let aad = [clear, &card.0].concat();
        let body = cipher(key)
            .decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: &aad })
            .map(Zeroizing::new)
            .map_err(|_| PrekeysError::Open)?;
        let fields: Fields = encoding::decode(&body).map_err(|_| PrekeysError::Open)?;
        let prekey =
            |(seed, not_after): &([u8; 32], u64)| PrekeySecret::from_seed(Zeroizing::new(*seed), *not_after);
        Ok(Self(fields.0.iter().map(prekey).collect()))
    }
}

fn cipher(key: &OwnerKey) -> XChaCha20Poly1305 {
    let derived = key.derive("tacit/exchange/prekeys/1");
    XChaCha20Poly1305::new(<&Key>::from(&*derived))
}
