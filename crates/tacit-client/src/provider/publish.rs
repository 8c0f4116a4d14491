//! Putting a card on a relay, with the keys that requests are sealed to, and keeping the latter fresh.

use rand_core::CryptoRngCore;
use tacit_claim::{Card, CardPoints, OwnerKey};
use tacit_core::Outcome;
use tacit_exchange::{PrekeyId, Prekeys, ProviderDocument, ProviderError, UnsignedProvider};

use super::prekeys::{Lifetimes, PrekeyStore, StoreError};
use crate::relay::{RelayClient, RelayError, unix_now};

/// What is published.
#[derive(Debug, Clone, Copy)]
pub struct Publication<'a> {
    /// Who signed the card.
    pub key: &'a OwnerKey,
    /// The card.
    pub card: &'a Card,
    /// What is too large for it.
    pub points: Option<&'a CardPoints>,
    /// The prekeys.
    pub store: &'a PrekeyStore,
    /// How long they live.
    pub lifetimes: Lifetimes,
}

/// What was published.
#[derive(Debug)]
pub struct PublishedDocument {
    /// The document.
    pub document: ProviderDocument,
    /// The new prekey, if one was due.
    pub made: Option<PrekeyId>,
    /// Old prekeys that were deleted.
    pub forgotten: usize,
    /// Prekeys that the relay listed for the card, still good and not in the store: another folder has them, or none.
    pub foreign: usize,
}

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The key did not sign the card.
    #[error("the card is signed by {card}, the key is {key}")]
    OtherOwner {
        /// Who signed the card.
        card: tacit_claim::Fingerprint,
        /// Whose key it is.
        key: tacit_claim::Fingerprint,
    },
    /// The prekeys.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The relay.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// The document.
    #[error("the provider's document cannot be made: {0}")]
    Document(#[from] ProviderError),
}

impl PublishError {
    /// What it means.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        Outcome::Unusable
    }

    /// What to do next.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::OtherOwner { .. } => Some("use the key that signed the card".to_owned()),
            Self::Store(e) => e.advice(),
            Self::Relay(e) => e.advice(),
            Self::Document(_) => None,
        }
    }
}

impl Publication<'_> {
    /// Puts card, points and document on a relay. With no `contact`, that of the last document stays.
    ///
    /// # Errors
    /// [`PublishError`].
    pub fn publish(
        &self,
        relay: &RelayClient,
        contact: Option<&str>,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<PublishedDocument, PublishError> {
        self.check_owner()?;
        let rotated = self.store.rotate(self.key, &self.lifetimes, unix_now(), rng)?;
        let there = self.there(relay)?;
        let foreign = foreign(there.as_ref(), &rotated.prekeys);
        let document = self.document(relay, contact, &rotated.prekeys, there.as_ref())?;
        self.put_card(relay)?;
        self.put(relay, &document)?;
        Ok(PublishedDocument { document, made: rotated.made, forgotten: rotated.forgotten, foreign })
    }

    /// The document that the relay has for the card.
    fn there(&self, relay: &RelayClient) -> Result<Option<ProviderDocument>, RelayError> {
        let document =
            relay.provider(self.card.id())?.and_then(|bytes| ProviderDocument::from_json(&bytes).ok());
        Ok(document.filter(|document| document.check_for(self.card).is_ok()))
    }

    /// Sees to it that the relay has the card and a document with the newest prekey; makes that if it is due. Gives what
    /// was published, if anything had to be.
    ///
    /// # Errors
    /// [`PublishError`].
    pub fn keep_fresh(
        &self,
        relay: &RelayClient,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<Option<PublishedDocument>, PublishError> {
        self.check_owner()?;
        let rotated = self.store.rotate(self.key, &self.lifetimes, unix_now(), rng)?;
        let now = unix_now();
        let listed = self.lifetimes.listed(&rotated.prekeys, now);
        let newest = listed.into_iter().max_by_key(|p| p.not_after());
        let there = self.there(relay)?;
        let is_fresh =
            |document: &ProviderDocument| newest.as_ref().is_some_and(|p| document.takes(p.id(), now));
        if there.as_ref().is_some_and(is_fresh) {
            return Ok(None);
        }
        let foreign = foreign(there.as_ref(), &rotated.prekeys);
        // An older document that the relay still shows brings no old contact back.
        let known = self.store.document().is_some();
        let contact = there.as_ref().filter(|_| !known).and_then(ProviderDocument::contact);
        let document = self.document(relay, contact, &rotated.prekeys, there.as_ref())?;
        if there.is_none() {
            self.put_card(relay)?;
        }
        match self.put(relay, &document) {
            Ok(()) => {}
            // Another worker did the same within this second.
            Err(PublishError::Relay(e)) if e.status() == Some(409) => return Ok(None),
            Err(e) => return Err(e),
        }
        Ok(Some(PublishedDocument { document, made: rotated.made, forgotten: rotated.forgotten, foreign }))
    }

    fn check_owner(&self) -> Result<(), PublishError> {
        let (card, key) = (*self.card.owner(), self.key.public());
        if card == key {
            Ok(())
        } else {
            Err(PublishError::OtherOwner { card: card.fingerprint(), key: key.fingerprint() })
        }
    }

    fn document(
        &self,
        relay: &RelayClient,
        contact: Option<&str>,
        prekeys: &Prekeys,
        there: Option<&ProviderDocument>,
    ) -> Result<ProviderDocument, PublishError> {
        let last = self.store.document();
        let kept = last.as_ref().and_then(ProviderDocument::contact);
        let now = unix_now();
        // Of two documents the later counts, also when both are made within a second.
        let before = last.as_ref().into_iter().chain(there).map(ProviderDocument::issued_at).max();
        let issued_at = before.map_or(now, |before| now.max(before.saturating_add(1)));
        let content = UnsignedProvider {
            card: self.card.id(),
            relay: relay.address().to_string(),
            contact: contact.or(kept).map(str::to_owned),
            issued_at,
            prekeys: self.lifetimes.listed(prekeys, now),
        };
        Ok(ProviderDocument::sign(content, self.key)?)
    }

    fn put_card(&self, relay: &RelayClient) -> Result<(), PublishError> {
        relay.put_card(self.card, self.key)?;
        if let Some(points) = self.points {
            relay.put_points(self.card.id(), points, self.key)?;
        }
        Ok(())
    }

    fn put(&self, relay: &RelayClient, document: &ProviderDocument) -> Result<(), PublishError> {
        relay.put_provider(document, self.key)?;
        Ok(self.store.keep_document(document)?)
    }
}

/// How many prekeys a document lists that are still good and that are not ours.
fn foreign(document: Option<&ProviderDocument>, ours: &Prekeys) -> usize {
    let now = unix_now();
    let listed = document.into_iter().flat_map(ProviderDocument::prekeys);
    listed.filter(|prekey| prekey.not_after() > now && ours.get(prekey.id()).is_none()).count()
}
