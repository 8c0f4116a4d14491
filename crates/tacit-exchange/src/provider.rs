//! `provider.json`: where and with which keys a provider takes requests for a card's model, signed by the card's owner. Unlike
//! the card it changes: prekeys come and go.

use serde::{Deserialize, Serialize};
use tacit_claim::strict_json::{self, FormatError};
use tacit_claim::{Card, CardId, Fingerprint, OwnerKey, OwnerPublicKey, OwnerSignature};

use crate::ids::PrekeyId;
use crate::prekey::Prekey;

const DOMAIN: &str = "tacit/provider/1";
/// Longest document that is read, in bytes.
const MAX_DOCUMENT: usize = 1 << 16;
/// Most prekeys in a document.
const MAX_PREKEYS: usize = 8;
/// Longest relay URL or contact, in bytes.
const MAX_TEXT: usize = 512;

/// What a provider puts into the document; [`ProviderDocument::sign`] adds the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsignedProvider {
    /// The card whose model answers.
    pub card: CardId,
    /// The relay's URL.
    pub relay: String,
    /// How to reach the provider, in words.
    pub contact: Option<String>,
    /// When the document was made, in Unix seconds: of two, the later counts.
    pub issued_at: u64,
    /// The prekeys, at least one.
    pub prekeys: Vec<Prekey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProviderJson {
    format: String,
    card: CardId,
    owner: OwnerPublicKey,
    relay: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contact: Option<String>,
    issued_at: u64,
    prekeys: Vec<Prekey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<OwnerSignature>,
}

/// A document that was checked: canonical, complete, signed by the key that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderDocument {
    content: UnsignedProvider,
    owner: OwnerPublicKey,
    json: Vec<u8>,
}

/// Why a document is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// Not the one form of such a document, or not signed by its key.
    #[error("provider.json {0}")]
    Format(#[from] FormatError),
    /// No prekey, or too many.
    #[error("provider.json lists {0} prekeys; there must be 1 to {MAX_PREKEYS}, each once")]
    Prekeys(usize),
    /// A text that is too long or would not print plainly.
    #[error(
        "the {0} in provider.json must have at most {MAX_TEXT} characters of visible ASCII, or blanks in the contact"
    )]
    Text(&'static str),
    /// About another card.
    #[error("provider.json is about card {}, not {}", .actual.short(), .expected.short())]
    OtherCard {
        /// The card at hand.
        expected: CardId,
        /// The card named.
        actual: CardId,
    },
    /// Signed by somebody else than the card's owner.
    #[error("provider.json is signed by {actual}, not by the card's owner, {expected}")]
    OtherOwner {
        /// The card's owner.
        expected: Fingerprint,
        /// The key that signed.
        actual: Fingerprint,
    },
    /// Every prekey has expired.
    #[error(
        "every prekey in provider.json has expired: the provider must publish a new one (`tacit provider work` does)"
    )]
    Expired,
}

impl ProviderDocument {
    /// Format name and version of `provider.json`.
    pub const FORMAT: &'static str = "tacit.provider/1";

    /// Completes and signs a document.
    ///
    /// # Errors
    /// [`ProviderError`] when the content breaks a rule that [`ProviderDocument::from_json`] holds documents to.
    pub fn sign(content: UnsignedProvider, key: &OwnerKey) -> Result<Self, ProviderError> {
        let mut fields = ProviderJson {
            format: Self::FORMAT.to_owned(),
            card: content.card,
            owner: key.public(),
            relay: content.relay,
            contact: content.contact,
            issued_at: content.issued_at,
            prekeys: content.prekeys,
            signature: None,
        };
        fields.signature = Some(key.sign(DOMAIN, &strict_json::unsigned(&fields)));
        Self::from_json(&strict_json::write(&fields))
    }

    /// Reads the bytes of `provider.json` and checks its signature.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, ProviderError> {
        let fields: ProviderJson = strict_json::read(bytes, MAX_DOCUMENT, Self::FORMAT)?;
        let signature = fields.signature.ok_or(FormatError::Unsigned)?;
        let ids: std::collections::BTreeSet<_> = fields.prekeys.iter().map(Prekey::id).collect();
        if !(1..=MAX_PREKEYS).contains(&fields.prekeys.len()) || ids.len() != fields.prekeys.len() {
            return Err(ProviderError::Prekeys(fields.prekeys.len()));
        }
        let plain = |text: &str, blanks: bool| {
            let ok = |b: u8| b.is_ascii_graphic() || (blanks && b == b' ');
            !text.is_empty() && text.len() <= MAX_TEXT && text.bytes().all(ok)
        };
        if !plain(&fields.relay, false) {
            return Err(ProviderError::Text("relay"));
        }
        if fields.contact.as_deref().is_some_and(|contact| !plain(contact, true)) {
            return Err(ProviderError::Text("contact"));
        }
        fields
            .owner
            .verify(DOMAIN, &strict_json::unsigned(&fields), &signature)
            .map_err(|_| FormatError::Signature)?;
        Ok(Self {
            owner: fields.owner,
            json: bytes.to_vec(),
            content: UnsignedProvider {
                card: fields.card,
                relay: fields.relay,
                contact: fields.contact,
                issued_at: fields.issued_at,
                prekeys: fields.prekeys,
            },
        })
    }

    /// The file's bytes.
    #[must_use]
    pub fn to_json(&self) -> &[u8] {
        &self.json
    }

    /// Checks that the document is about this card and signed by its owner.
    ///
    /// # Errors
    /// [`ProviderError::OtherCard`], [`ProviderError::OtherOwner`].
    pub fn check_for(&self, card: &Card) -> Result<(), ProviderError> {
        if self.content.card != card.id() {
            return Err(ProviderError::OtherCard { expected: card.id(), actual: self.content.card });
        }
        if self.owner != *card.owner() {
            return Err(ProviderError::OtherOwner {
                expected: card.owner().fingerprint(),
                actual: self.owner.fingerprint(),
            });
        }
        Ok(())
    }

    /// The prekey to seal to: of those that are good at `now` (Unix seconds), the one that is good longest.
    ///
    /// # Errors
    /// [`ProviderError::Expired`].
    pub fn prekey_at(&self, now: u64) -> Result<&Prekey, ProviderError> {
        let good = self.content.prekeys.iter().filter(|p| p.not_after() > now);
        good.max_by_key(|p| p.not_after()).ok_or(ProviderError::Expired)
    }

    /// Whether requests may be sealed to this prekey at `now` (Unix seconds).
    #[must_use]
    pub fn takes(&self, prekey: PrekeyId, now: u64) -> bool {
        self.content.prekeys.iter().any(|p| p.id() == prekey && p.not_after() > now)
    }

    /// The prekeys.
    #[must_use]
    pub fn prekeys(&self) -> &[Prekey] {
        &self.content.prekeys
    }

    /// The card whose model answers.
    #[must_use]
    pub const fn card(&self) -> CardId {
        self.content.card
    }

    /// The relay's URL.
    #[must_use]
    pub fn relay(&self) -> &str {
        &self.content.relay
    }

    /// How to reach the provider, in words.
    #[must_use]
    pub fn contact(&self) -> Option<&str> {
        self.content.contact.as_deref()
    }

    /// When the document was made, in Unix seconds.
    #[must_use]
    pub const fn issued_at(&self) -> u64 {
        self.content.issued_at
    }

    /// When the last prekey expires, in Unix seconds.
    #[must_use]
    pub fn expires_at(&self) -> u64 {
        self.content.prekeys.iter().map(Prekey::not_after).max().unwrap_or(0)
    }
}
