//! Prekeys: short-lived keys that requests are sealed to. Once the secret half is deleted, a request sealed to it
//! can be opened by nobody.

use std::fmt;

use rand_core::CryptoRngCore;
use serde::{Deserialize, Serialize};
use tacit_claim::encoding::domain_hash;
use zeroize::Zeroizing;

use crate::ids::PrekeyId;
use crate::suite::{SecretKey, Suite, is_public_key};

/// The public half, as `provider.json` lists it.
#[derive(Clone, PartialEq, Eq)]
pub struct Prekey {
    id: PrekeyId,
    key: Vec<u8>,
    not_after: u64,
}

/// The fields in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PrekeyJson {
    id: PrekeyId,
    key: String,
    not_after: u64,
    suite: Suite,
}

/// Why a prekey is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PrekeyError {
    /// Another suite.
    #[error(
        "the prekey's suite (KEM {:#06x}, KDF {:#06x}, AEAD {:#06x}) is not supported: this build speaks X-Wing with TurboSHAKE128 and ChaCha20-Poly1305",
        .0.kem, .0.kdf, .0.aead
    )]
    Suite(Suite),
    /// Not the encoding of a public key.
    #[error("the prekey is not an X-Wing public key in hexadecimal digits")]
    Key,
    /// The id is of another key.
    #[error("the prekey's id is not that of its key")]
    Id,
}

impl Prekey {
    fn new(key: Vec<u8>, not_after: u64) -> Self {
        Self { id: prekey_id(&key), key, not_after }
    }

    /// What requests name it by.
    #[must_use]
    pub const fn id(&self) -> PrekeyId {
        self.id
    }

    /// Until when requests may be sealed to it, in Unix seconds.
    #[must_use]
    pub const fn not_after(&self) -> u64 {
        self.not_after
    }

    pub(crate) fn key(&self) -> &[u8] {
        &self.key
    }
}

fn prekey_id(key: &[u8]) -> PrekeyId {
    let Suite { kem, kdf, aead } = Suite::ONLY;
    let suite: Vec<u8> = [kem, kdf, aead].iter().flat_map(|id| id.to_be_bytes()).collect();
    PrekeyId(domain_hash("tacit/exchange/prekey/1", &[&suite, key]))
}

impl Serialize for Prekey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        PrekeyJson { id: self.id, key: hex::encode(&self.key), not_after: self.not_after, suite: Suite::ONLY }
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Prekey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = PrekeyJson::deserialize(deserializer)?;
        let prekey = || {
            if fields.suite != Suite::ONLY {
                return Err(PrekeyError::Suite(fields.suite));
            }
            let key = hex::decode(&fields.key).map_err(|_| PrekeyError::Key)?;
            if !is_public_key(&key) {
                return Err(PrekeyError::Key);
            }
            let prekey = Self::new(key, fields.not_after);
            if prekey.id == fields.id { Ok(prekey) } else { Err(PrekeyError::Id) }
        };
        prekey().map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for Prekey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prekey({}, until {})", self.id.short(), self.not_after)
    }
}

/// Both halves. Zeroised when dropped, never printed.
#[derive(Clone)]
pub struct PrekeySecret {
    secret: SecretKey,
    public: Prekey,
}

impl PrekeySecret {
    /// A fresh prekey, good until `not_after` (Unix seconds).
    pub fn generate(not_after: u64, rng: &mut dyn CryptoRngCore) -> Self {
        Self::from_secret(SecretKey::generate(rng), not_after)
    }

    pub(crate) fn from_seed(seed: Zeroizing<[u8; 32]>, not_after: u64) -> Self {
        Self::from_secret(SecretKey::from_seed(seed), not_after)
    }

    fn from_secret(secret: SecretKey, not_after: u64) -> Self {
        Self { public: Prekey::new(secret.public(), not_after), secret }
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &Prekey {
        &self.public
    }

    pub(crate) const fn secret(&self) -> &SecretKey {
        &self.secret
    }
}

impl fmt::Debug for PrekeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrekeySecret({:?}, secret hidden)", self.public)
    }
}
