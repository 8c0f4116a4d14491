//! Cards, what lies beside them and where their providers take requests.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tacit_claim::{Card, CardId, CardPoints, CardWeights};
use tacit_exchange::ProviderDocument;

use crate::call::{Call, number};
use crate::problem::{Kind, Problem};
use crate::state::{Inner, Relay};
use crate::store::{Change, ListedCard, NewCard, Outcome};

/// Cards on one page of the list.
pub(crate) const PAGE: u64 = 50;
pub(crate) const MAX_PAGE: u64 = 200;
/// Cursors are numbers that the store can hold.
pub(crate) const MAX_CURSOR: u64 = i64::MAX as u64;

type Answer = Result<Response, Problem>;

pub(crate) const JSON: &str = "application/json";
pub(crate) const BINARY: &str = "application/octet-stream";

fn bytes(content_type: &'static str, caching: &'static str, bytes: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, caching)], bytes).into_response()
}

/// `PUT /v1/cards/{id}`.
pub(crate) async fn put_card(State(relay): State<Relay>, request: Request<Body>) -> Answer {
    let (relay, mut call) = (&relay.0, Call::new(request));
    call.no_query()?;
    let id = call.card_id()?;
    let claimed = call.claimed(relay)?;
    let publishers = &relay.options.publishers;
    if !publishers.is_empty() && !publishers.contains(&claimed.fingerprint()) {
        return Err(Problem::new(Kind::NotPublisher, "ask whoever runs this relay to admit your key"));
    }
    let content = call.content(relay, relay.limits().card_bytes).await?;
    let json = content.bytes.clone();
    let card = blocking(move || {
        if Sha256::digest(&json)[..] != id.0 {
            return Err(Problem::malformed("the id in the path is not the SHA-256 of the body"));
        }
        Card::from_json(&json).map_err(|e| Problem::malformed(e.to_string()))
    })
    .await?;
    if claimed.fingerprint() != card.owner().fingerprint() {
        return Err(Problem::new(Kind::NotOwner, "the call must be signed by the key that signed the card"));
    }
    let signer = call.signer(relay, &claimed, *card.owner(), &content.bytes).await?;
    let engines: Vec<&str> = card.commitments().engines().map(|engine| engine.name()).collect();
    let new = NewCard {
        id,
        owner: signer.key.fingerprint(),
        owner_key: signer.key.to_bytes(),
        name: card.name().to_string(),
        engines: engines.join(","),
        weights: match card.weights() {
            CardWeights::Hidden => "hidden",
            CardWeights::Public { .. } => "public",
        },
        published_at: relay.now(),
        json: content.bytes.to_vec(),
    };
    match relay.store.apply(Change::PutCard(Box::new(new), relay.limits().quotas)).await? {
        Outcome::Created => Ok(StatusCode::CREATED.into_response()),
        Outcome::Same => Ok(StatusCode::OK.into_response()),
        Outcome::Full(quota) => Err(quota.into()),
        _ => Err(Problem::impossible("card")),
    }
}

/// Checking a large body takes a while, and others wait for this thread.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        tracing::error!(%error, "checking a body failed");
        Err(Problem::new(Kind::Internal, "the relay failed; its log says why"))
    })
}

/// A signed body that belongs to a card, by the card's owner.
async fn owned(
    relay: &Inner,
    call: &mut Call,
    id: CardId,
    max: usize,
) -> Result<crate::call::Content, Problem> {
    let (signer, content) = call.signed_content(relay, max).await?;
    let card = relay.card(id).await?.ok_or_else(Problem::unknown_card)?;
    if card.owner != signer.key {
        return Err(Problem::new(Kind::NotOwner, "the call must be signed by the key that signed the card"));
    }
    Ok(content)
}

async fn stored_card(relay: &Inner, id: CardId) -> Result<Card, Problem> {
    let json = relay.store.card_json(id).await?.ok_or_else(Problem::unknown_card)?;
    blocking(move || Card::from_json(&json).map_err(|_| Problem::impossible("stored card"))).await
}

/// `PUT /v1/cards/{id}/points`.
pub(crate) async fn put_points(State(relay): State<Relay>, request: Request<Body>) -> Answer {
    let (relay, mut call) = (&relay.0, Call::new(request));
    call.no_query()?;
    let id = call.card_id()?;
    let content = owned(relay, &mut call, id, relay.limits().points_bytes).await?;
    let card = stored_card(relay, id).await?;
    let points = content.bytes.clone();
    blocking(move || {
        let sumcheck = card.commitments().sumcheck.as_ref();
        let Some(sumcheck) = sumcheck.filter(|_| card.inline_points().is_none()) else {
            return Err(Problem::malformed("nothing belongs beside this card"));
        };
        let points = CardPoints::from_bytes(&points).map_err(|e| Problem::malformed(e.to_string()))?;
        if points.certificate_digest() != sumcheck.parameters.certificate {
            return Err(Problem::malformed("the certificate is not the one that the card names"));
        }
        Ok(())
    })
    .await?;
    let (points, quotas) = (content.bytes.to_vec(), relay.limits().quotas);
    placed(relay.store.apply(Change::PutPoints { card: id, points, quotas }).await?)
}

/// `PUT /v1/cards/{id}/provider`.
pub(crate) async fn put_provider(State(relay): State<Relay>, request: Request<Body>) -> Answer {
    let (relay, mut call) = (&relay.0, Call::new(request));
    call.no_query()?;
    let id = call.card_id()?;
    let content = owned(relay, &mut call, id, relay.limits().provider_bytes).await?;
    let document =
        ProviderDocument::from_json(&content.bytes).map_err(|e| Problem::malformed(e.to_string()))?;
    document.check_for(&stored_card(relay, id).await?).map_err(|e| Problem::malformed(e.to_string()))?;
    let issued_at = document.issued_at();
    if issued_at > relay.now().saturating_add(relay.limits().clock_skew.as_secs()) {
        return Err(Problem::malformed("the document was issued in the future: set the clock right"));
    }
    let change = Change::PutProvider {
        card: id,
        json: content.bytes.to_vec(),
        issued_at,
        expires_at: document.expires_at(),
        quotas: relay.limits().quotas,
    };
    let outcome = relay.store.apply(change).await?;
    relay.forget_card(id).await;
    placed(outcome)
}

fn placed(outcome: Outcome) -> Answer {
    match outcome {
        Outcome::Created => Ok(StatusCode::CREATED.into_response()),
        Outcome::Same | Outcome::Replaced => Ok(StatusCode::OK.into_response()),
        Outcome::Older => {
            Err(Problem::new(Kind::Older, "a document issued at the same time or later is here and stays"))
        }
        Outcome::Unknown => Err(Problem::unknown_card()),
        Outcome::Full(quota) => Err(quota.into()),
        _ => Err(Problem::impossible("file of a card")),
    }
}

/// `GET /v1/cards/{id}`.
pub(crate) async fn get_card(State(relay): State<Relay>, request: Request<Body>) -> Answer {
    let (relay, call) = (&relay.0, Call::new(request));
    call.no_query()?;
    let json = relay.store.card_json(call.card_id()?).await?.ok_or_else(Problem::unknown_card)?;
    Ok(bytes(JSON, "public, max-age=31536000, immutable", json))
}

/// `GET /v1/cards/{id}/points`.
pub(crate) async fn get_points(State(relay): State<Relay>, request: Request<Body>) -> Answer {
    let (relay, call) = (&relay.0, Call::new(request));
    call.no_query()?;
    let points = relay.store.card_points(call.card_id()?).await?.ok_or_else(Problem::unknown_card)?;
    let none = || Problem::new(Kind::NotFound, "nothing lies beside this card here");
    Ok(bytes(BINARY, "no-cache", points.ok_or_else(none)?))
}

/// `GET /v1/cards/{id}/provider`.
pub(crate) async fn get_provider(State(relay): State<Relay>, request: Request<Body>) -> Answer {
    let (relay, call) = (&relay.0, Call::new(request));
    call.no_query()?;
    let card = relay.store.card(call.card_id()?).await?.ok_or_else(Problem::unknown_card)?;
    let none = || Problem::new(Kind::NotFound, "nobody takes requests for this card here");
    Ok(bytes(JSON, "no-cache", card.provider.ok_or_else(none)?))
}

#[derive(Serialize)]
struct List {
    cards: Vec<Listed>,
    next: Option<String>,
}

#[derive(Serialize)]
struct Listed {
    id: CardId,
    name: String,
    owner: String,
    engines: Vec<String>,
    weights: String,
    published_at: u64,
    accepts_requests: bool,
}

/// `GET /v1/cards`.
pub(crate) async fn list_cards(State(relay): State<Relay>, request: Request<Body>) -> Answer {
    let (relay, call) = (&relay.0, Call::new(request));
    let [after, limit] = call.query(["after", "limit"])?;
    let after = number("after", after, 0, 0..=MAX_CURSOR)?;
    let limit = number("limit", limit, PAGE, 1..=MAX_PAGE)?;
    let mut cards = relay.store.cards(after, u32::try_from(limit).unwrap_or(1) + 1).await?;
    let more = cards.len() as u64 > limit;
    cards.truncate(usize::try_from(limit).unwrap_or(1));
    let next = cards.last().filter(|_| more).map(|card| card.seq.to_string());
    let now = relay.now();
    let listed = |card: ListedCard| Listed {
        id: card.id,
        name: card.name,
        owner: card.owner,
        engines: card.engines.split(',').map(str::to_owned).collect(),
        weights: card.weights,
        published_at: card.published_at,
        accepts_requests: card.provider_expires.is_some_and(|expires| expires > now),
    };
    let list = List { cards: cards.into_iter().map(listed).collect(), next };
    Ok(([(CACHE_CONTROL, "no-cache")], Json(list)).into_response())
}
