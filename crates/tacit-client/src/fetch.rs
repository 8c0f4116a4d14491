//! Cards and provider documents from a relay, checked: nothing that it hands out is taken on its word.

use sha2::{Digest as _, Sha256};
use tacit_claim::{Card, CardError, CardId, CardPoints, Fingerprint, PointsError};
use tacit_core::Outcome;
use tacit_exchange::{ProviderDocument, ProviderError};

use crate::relay::{RelayClient, RelayError};

/// A card that is the one asked for and signed by whom the caller pinned, with what lies beside it.
#[derive(Debug, Clone)]
pub struct Published {
    /// The card.
    pub card: Card,
    /// What is too large for it.
    pub points: Option<CardPoints>,
}

/// Why what a relay hands out is not used.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The relay itself.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// No such card.
    #[error("the relay has no card {0}")]
    NoCard(CardId),
    /// Another card under this one's name.
    #[error("the relay handed out something else than card {expected}: its SHA-256 is {actual}")]
    OtherCard {
        /// The card asked for.
        expected: CardId,
        /// SHA-256 of what came.
        actual: CardId,
    },
    /// The card asked for cannot be used.
    #[error("card {0}: {1}")]
    Card(CardId, CardError),
    /// Signed by another owner than the one pinned.
    #[error("card {card} is signed by {actual}, not by {expected}, whom you pinned")]
    NotPinned {
        /// The card.
        card: CardId,
        /// Who was pinned.
        expected: Fingerprint,
        /// Who signed.
        actual: Fingerprint,
    },
    /// The points are missing.
    #[error(
        "the relay does not have the points of card {0}, without which no proof about it can be verified"
    )]
    NoPoints(CardId),
    /// The points are none.
    #[error("the points of card {0}: {1}")]
    Points(CardId, PointsError),
    /// Other points than the card names.
    #[error("the relay handed out other points than those that card {0} names")]
    OtherPoints(CardId),
    /// Nobody takes requests for this card here.
    #[error("nobody takes requests for card {0} at this relay")]
    NoProvider(CardId),
    /// The document cannot be used.
    #[error("the provider's document for card {0}: {1}")]
    Provider(CardId, ProviderError),
}

impl FetchError {
    /// What it means.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::NotPinned { .. } => Outcome::Policy,
            Self::OtherCard { .. }
            | Self::OtherPoints(_)
            | Self::Provider(_, ProviderError::OtherCard { .. } | ProviderError::OtherOwner { .. }) => {
                Outcome::DoesNotHold
            }
            _ => Outcome::Unusable,
        }
    }

    /// What to do next.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        Some(match self {
            Self::Relay(e) => return e.advice(),
            Self::NoCard(_) => "check the card's id and the relay's address with the provider".to_owned(),
            Self::OtherCard { .. } | Self::OtherPoints(_) => {
                "do not send anything: the relay is wrong or lies; tell the provider, or ask for another relay".to_owned()
            }
            Self::NotPinned { .. } => "do not send anything: check card id and fingerprint with the provider, over \
                another way than this relay"
                .to_owned(),
            Self::Card(..) => "ask the provider for a card made with this version of tacit".to_owned(),
            Self::NoPoints(_) | Self::Points(..) | Self::NoProvider(_) => {
                "ask the provider to publish the card again (`tacit provider publish`)".to_owned()
            }
            Self::Provider(_, ProviderError::Expired) => {
                "ask the provider to start its worker (`tacit provider work`), then try again".to_owned()
            }
            Self::Provider(..) => "do not send anything; tell the provider".to_owned(),
        })
    }
}

/// The card with this id, and what lies beside it: signed by `pin`, named by the id, complete.
///
/// # Errors
/// [`FetchError`].
pub fn fetch_card(relay: &RelayClient, id: CardId, pin: &Fingerprint) -> Result<Published, FetchError> {
    let bytes = relay.card(id)?.ok_or(FetchError::NoCard(id))?;
    let card = check_card(id, pin, &bytes)?;
    let named = match &card.commitments().sumcheck {
        Some(sumcheck) if sumcheck.parameters.points.is_none() => sumcheck.parameters.certificate,
        _ => return Ok(Published { card, points: None }),
    };
    let bytes = relay.points(id)?.ok_or(FetchError::NoPoints(id))?;
    let points = CardPoints::from_bytes(&bytes).map_err(|e| FetchError::Points(id, e))?;
    if points.certificate_digest() != named {
        return Err(FetchError::OtherPoints(id));
    }
    Ok(Published { card, points: Some(points) })
}

fn check_card(id: CardId, pin: &Fingerprint, bytes: &[u8]) -> Result<Card, FetchError> {
    let actual = CardId(Sha256::digest(bytes).into());
    if actual != id {
        return Err(FetchError::OtherCard { expected: id, actual });
    }
    let card = Card::from_json(bytes).map_err(|e| FetchError::Card(id, e))?;
    let signer = card.owner().fingerprint();
    if signer != *pin {
        return Err(FetchError::NotPinned { card: id, expected: *pin, actual: signer });
    }
    Ok(card)
}

/// The provider's document of a card: signed by the card's owner. Whether a prekey is still good is asked when one is
/// needed.
///
/// # Errors
/// [`FetchError`].
pub fn fetch_provider(relay: &RelayClient, card: &Card) -> Result<ProviderDocument, FetchError> {
    let id = card.id();
    let bytes = relay.provider(id)?.ok_or(FetchError::NoProvider(id))?;
    let document = ProviderDocument::from_json(&bytes).map_err(|e| FetchError::Provider(id, e))?;
    document.check_for(card).map_err(|e| FetchError::Provider(id, e))?;
    Ok(document)
}
