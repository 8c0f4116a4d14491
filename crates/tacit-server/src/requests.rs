//! Sealed requests and answers, and who works on them.

use std::pin::Pin;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use tacit_exchange::{Capability, RequestId, SealedRequest, SealedResponse};
use tokio::sync::futures::OwnedNotified;
use tokio::time::Instant;

use crate::call::{Call, Signer, hex_id, number};
use crate::cards::{BINARY, MAX_CURSOR};
use crate::problem::{Kind, Problem};
use crate::state::{Inner, Relay};
use crate::store::{Change, NewRequest, Outcome, RequestState, StoreError, StoredRequest, WorkerId};
use crate::wake::Sleeper;

/// Requests on one page.
pub(crate) const PAGE: u64 = 50;
pub(crate) const MAX_PAGE: u64 = 500;
/// Bytes of the JSON of a lease.
const MAX_LEASE_BYTES: usize = 256;
/// How often a wait for work looks again, as a lease may have expired.
const LEASES: Duration = Duration::from_secs(1);

type Answer = Result<Response, Problem>;

#[derive(Serialize)]
struct Posted {
    id: RequestId,
}

/// `POST /v1/requests`.
pub(crate) async fn post(State(relay): State<Relay>, request: Request<Body>) -> Answer {
    let (relay, mut call) = (&relay.0, Call::new(request));
    call.no_query()?;
    let limits = relay.limits();
    let content = call.content(relay, limits.request_bytes).await?;
    let sealed = SealedRequest::from_bytes(&content.bytes).map_err(|e| Problem::malformed(e.to_string()))?;
    let (id, header) = (sealed.id(), sealed.header());
    relay.rates.check_card(header.card_id)?;
    let now = relay.now();
    if let Err(problem) = takes(relay, &sealed, now).await {
        // The same bytes are the same request, also when they would not be taken any more.
        return match relay.store.request(id).await?.map(|stored| stored.state) {
            Some(RequestState::Gone) => Err(Problem::gone()),
            Some(_) => Ok((StatusCode::OK, Json(Posted { id })).into_response()),
            None => Err(problem),
        };
    }
    let expires_at = now.saturating_add(limits.message_lifetime.as_secs());
    let new = NewRequest {
        id,
        card: header.card_id,
        capability_hash: header.capability_hash,
        received_at: now,
        expires_at,
        // By then it is too old to be taken again.
        forget_at: expires_at.saturating_add(limits.request_age.as_secs() + 2 * limits.clock_skew.as_secs()),
        sealed: content.bytes.to_vec(),
    };
    match relay.store.apply(Change::PostRequest(Box::new(new), limits.quotas)).await? {
        Outcome::Created => {
            relay.wakes.wake(&header.card_id.0);
            Ok((StatusCode::CREATED, Json(Posted { id })).into_response())
        }
        Outcome::Same => Ok((StatusCode::OK, Json(Posted { id })).into_response()),
        Outcome::Gone => Err(Problem::gone()),
        Outcome::Unknown => Err(Problem::unknown_card()),
        Outcome::Full(quota) => Err(quota.into()),
        _ => Err(Problem::impossible("request")),
    }
}

/// Whether a request like this one is taken now.
async fn takes(relay: &Inner, sealed: &SealedRequest, now: u64) -> Result<(), Problem> {
    let header = sealed.header();
    let card = relay.card(header.card_id).await?.ok_or_else(Problem::unknown_card)?;
    let Some(provider) = card.provider.as_ref().filter(|provider| provider.expires_at() > now) else {
        return Err(Problem::new(Kind::NotAccepting, "nobody takes requests for this card at present"));
    };
    if !provider.takes(header.prekey_id, now) {
        return Err(Problem::new(
            Kind::UnknownPrekey,
            "the request is sealed to a prekey that the provider does not list any more: seal it anew",
        ));
    }
    let limits = relay.limits();
    let (age, skew) = (limits.request_age.as_secs(), limits.clock_skew.as_secs());
    if header.created_at.saturating_add(age) < now || header.created_at > now.saturating_add(skew) {
        let detail =
            format!("a request must be posted within {age} seconds after it was made; set the clock right");
        return Err(Problem::new(Kind::OutOfWindow, detail));
    }
    Ok(())
}

/// A long poll: how long it may sleep, and what wakes it.
struct Wait<'a> {
    relay: &'a Inner,
    sleeper: Sleeper<'a>,
    deadline: Instant,
    /// How often it looks again in any case.
    every: Option<Duration>,
}

impl<'a> Wait<'a> {
    fn new(relay: &'a Inner, id: [u8; 32], seconds: u64, every: Option<Duration>) -> Self {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        Self { relay, sleeper: relay.wakes.of(id), deadline, every }
    }

    /// To be taken before looking: from then on nothing is missed.
    fn watch(&self) -> Pin<Box<OwnedNotified>> {
        let mut woken = Box::pin(self.sleeper.notify().notified_owned());
        woken.as_mut().enable();
        woken
    }

    /// Sleeps until something happens; `false` when the time or the relay is at its end.
    async fn sleep(&self, woken: Pin<Box<OwnedNotified>>) -> bool {
        let now = Instant::now();
        if now >= self.deadline {
            return false;
        }
        let until = self.every.map_or(self.deadline, |every| self.deadline.min(now + every));
        tokio::select! {
            biased;
            () = self.relay.stopped() => false,
            () = woken => true,
            () = tokio::time::sleep_until(until) => true,
        }
    }
}

fn wait_of(relay: &Inner, text: Option<&str>) -> Result<u64, Problem> {
    number("wait", text, 0, 0..=relay.limits().wait.as_secs())
}

#[derive(Serialize)]
struct List {
    requests: Vec<Waiting>,
    next: Option<String>,
}

#[derive(Serialize)]
struct Waiting {
    id: RequestId,
    size: u64,
    received_at: u64,
}

/// `GET /v1/cards/{id}/requests`.
pub(crate) async fn list(State(relay): State<Relay>, request: Request<Body>) -> Answer {
    let (relay, mut call) = (&relay.0, Call::new(request));
    let id = call.card_id()?;
    let [after, wait, limit] = call.query(["after", "wait", "limit"])?;
    let after = number("after", after, 0, 0..=MAX_CURSOR)?;
    let wait = wait_of(relay, wait)?;
    let limit = number("limit", limit, PAGE, 1..=MAX_PAGE)?;
    let (signer, _) = call.signed_content(relay, 0).await?;
    let card = relay.card(id).await?.ok_or_else(Problem::unknown_card)?;
    if card.owner != signer.key {
        return Err(Problem::new(Kind::NotOwner, "the call must be signed by the key that signed the card"));
    }
    let rows = u32::try_from(limit).unwrap_or(1);
    let waiting = Wait::new(relay, id.0, wait, Some(LEASES));
    let found = loop {
        let woken = waiting.watch();
        let found = relay.store.waiting(id, after, rows, relay.now()).await?;
        if !found.is_empty() || !waiting.sleep(woken).await {
            break found;
        }
    };
    let next = found.last().filter(|_| found.len() as u64 == limit).map(|last| last.seq.to_string());
    let listed = found.iter().map(|waiting| Waiting {
        id: waiting.id,
        size: waiting.size,
        received_at: waiting.received_at,
    });
    let list = List { requests: listed.collect(), next };
    Ok(([(CACHE_CONTROL, "no-store")], Json(list)).into_response())
}

/// What is known of a request to the owner of its card; everybody else learns nothing.
async fn owned(relay: &Inner, id: RequestId, signer: &Signer) -> Result<StoredRequest, Problem> {
    let stored = relay.store.request(id).await?.ok_or_else(Problem::unknown_request)?;
    if stored.owner == signer.key.fingerprint().to_string() {
        Ok(stored)
    } else {
        Err(Problem::unknown_request())
    }
}

/// `GET /v1/requests/{id}`.
pub(crate) async fn get(State(relay): State<Relay>, request: Request<Body>) -> Answer {
    let (relay, mut call) = (&relay.0, Call::new(request));
    call.no_query()?;
    let id = call.request_id()?;
    let (signer, _) = call.signed_content(relay, 0).await?;
    owned(relay, id, &signer).await?;
    let sealed = relay.store.sealed(id).await?.ok_or_else(Problem::gone)?;
    Ok(binary(sealed))
}

fn binary(bytes: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, BINARY), (CACHE_CONTROL, "no-store")], bytes).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LeaseBody {
    worker: String,
    seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleaseBody {
    worker: String,
}

#[derive(Serialize)]
struct LeaseAnswer {
    expires_at: u64,
}

fn worker(text: &str) -> Result<WorkerId, Problem> {
    let id = hex_id(text).map(WorkerId);
    id.ok_or_else(|| Problem::malformed("`worker` must be 32 lower-case hexadecimal digits"))
}

/// `PUT /v1/requests/{id}/lease`.
pub(crate) async fn lease(State(relay): State<Relay>, request: Request<Body>) -> Answer {
    let (relay, mut call) = (&relay.0, Call::new(request));
    call.no_query()?;
    let id = call.request_id()?;
    let (signer, content) = call.signed_content(relay, MAX_LEASE_BYTES).await?;
    let most = relay.limits().lease.as_secs();
    let body: LeaseBody = serde_json::from_slice(&content.bytes).map_err(|_| {
        Problem::malformed("the body must be JSON: {\"worker\":\"32 hexadecimal digits\",\"seconds\":30}")
    })?;
    if !(1..=most).contains(&body.seconds) {
        return Err(Problem::malformed(format!("`seconds` must be a whole number from 1 to {most}")));
    }
    let worker = worker(&body.worker)?;
    owned(relay, id, &signer).await?;
    let now = relay.now();
    let until = now.saturating_add(body.seconds);
    match relay.store.apply(Change::Lease { request: id, worker, now, until }).await? {
        Outcome::Leased { until } => Ok(Json(LeaseAnswer { expires_at: until }).into_response()),
        Outcome::Held { until } => Err(held(until, now)),
        Outcome::Gone => Err(Problem::gone()),
        Outcome::Unknown => Err(Problem::unknown_request()),
        _ => Err(Problem::impossible("lease")),
    }
}

fn held(until: u64, now: u64) -> Problem {
    Problem::new(Kind::Leased, "another worker holds this request").retry_after(until.saturating_sub(now))
}

/// `DELETE /v1/requests/{id}/lease`.
pub(crate) async fn release(State(relay): State<Relay>, request: Request<Body>) -> Answer {
    let (relay, mut call) = (&relay.0, Call::new(request));
    let id = call.request_id()?;
    let in_query = call.query(["worker"])?[0].map(str::to_owned);
    let (signer, content) = call.signed_content(relay, MAX_LEASE_BYTES).await?;
    let name = match (in_query, content.bytes.is_empty()) {
        (Some(name), true) => name,
        (None, false) => {
            serde_json::from_slice::<ReleaseBody>(&content.bytes)
                .map_err(|_| {
                    Problem::malformed("the body must be JSON: {\"worker\":\"32 hexadecimal digits\"}")
                })?
                .worker
        }
        _ => return Err(Problem::malformed("name the `worker`, in the query or in a body of JSON")),
    };
    let worker = worker(&name)?;
    let stored = owned(relay, id, &signer).await?;
    let now = relay.now();
    match relay.store.apply(Change::Release { request: id, worker, now }).await? {
        Outcome::Done => {
            relay.wakes.wake(&stored.card.0);
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        Outcome::Held { until } => Err(held(until, now)),
        Outcome::Gone => Err(Problem::gone()),
        Outcome::Unknown => Err(Problem::unknown_request()),
        _ => Err(Problem::impossible("lease")),
    }
}

/// `PUT /v1/requests/{id}/response`.
pub(crate) async fn put_response(State(relay): State<Relay>, request: Request<Body>) -> Answer {
    let (relay, mut call) = (&relay.0, Call::new(request));
    call.no_query()?;
    let id = call.request_id()?;
    let (signer, content) = call.signed_content(relay, relay.limits().response_bytes).await?;
    let response =
        SealedResponse::from_bytes(&content.bytes).map_err(|e| Problem::malformed(e.to_string()))?;
    if response.request_id() != id {
        return Err(Problem::malformed("the answer is to another request than the path names"));
    }
    owned(relay, id, &signer).await?;
    response.verify(&signer.key).map_err(|e| Problem::malformed(e.to_string()))?;
    let change =
        Change::PutResponse { request: id, sealed: content.bytes.to_vec(), quotas: relay.limits().quotas };
    match relay.store.apply(change).await? {
        Outcome::Created => {
            relay.wakes.wake(&id.0);
            Ok(StatusCode::CREATED.into_response())
        }
        Outcome::Same => Ok(StatusCode::OK.into_response()),
        Outcome::Different => Err(Problem::new(Kind::OtherResponse, "the request was answered otherwise")),
        Outcome::Gone => Err(Problem::gone()),
        Outcome::Unknown => Err(Problem::unknown_request()),
        Outcome::Full(quota) => Err(quota.into()),
        _ => Err(Problem::impossible("answer")),
    }
}

/// What is known of a request to whoever holds its capability; everybody else learns nothing.
async fn held_by(
    relay: &Inner,
    id: RequestId,
    capability: &Capability,
) -> Result<Option<StoredRequest>, StoreError> {
    let hash = capability.hash();
    let stored = relay.store.request(id).await?;
    Ok(stored.filter(|stored| bool::from(stored.capability_hash.0.ct_eq(&hash.0))))
}

/// `GET /v1/requests/{id}/response`.
pub(crate) async fn get_response(State(relay): State<Relay>, request: Request<Body>) -> Answer {
    let (relay, call) = (&relay.0, Call::new(request));
    let id = call.request_id()?;
    let [wait] = call.query(["wait"])?;
    let wait = wait_of(relay, wait)?;
    let capability = call.capability()?;
    let waiting = Wait::new(relay, id.0, wait, relay.store.shared());
    loop {
        let woken = waiting.watch();
        let stored = held_by(relay, id, &capability).await?.ok_or_else(Problem::unknown_request)?;
        match stored.state {
            RequestState::Waiting => {}
            RequestState::Answered => {
                return Ok(binary(relay.store.response(id).await?.ok_or_else(Problem::gone)?));
            }
            RequestState::Gone => return Err(Problem::gone()),
        }
        if !waiting.sleep(woken).await {
            let headers = [(RETRY_AFTER, "1"), (CACHE_CONTROL, "no-store")];
            return Ok((StatusCode::NO_CONTENT, headers).into_response());
        }
    }
}

/// `DELETE /v1/requests/{id}`.
pub(crate) async fn delete(State(relay): State<Relay>, request: Request<Body>) -> Answer {
    let (relay, call) = (&relay.0, Call::new(request));
    call.no_query()?;
    let id = call.request_id()?;
    let capability = call.capability()?;
    held_by(relay, id, &capability).await?.ok_or_else(Problem::unknown_request)?;
    match relay.store.apply(Change::Delete { request: id }).await? {
        Outcome::Done => {
            relay.wakes.wake(&id.0);
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        Outcome::Unknown => Err(Problem::unknown_request()),
        _ => Err(Problem::impossible("deletion")),
    }
}
