//! What is read of a call: its path, its query, its body, who signed it.

use std::sync::{Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use tacit_claim::{CardId, Fingerprint, OwnerPublicKey};
use tacit_exchange::http_signature::{self, SignatureInput, Signed};
use tacit_exchange::{Capability, RequestId};
use tokio::sync::OwnedSemaphorePermit;

use crate::problem::{Kind, Problem};
use crate::state::{Inner, PERMIT};
use crate::store::{Change, Outcome};

/// A call whose body was not read yet.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) parts: Parts,
    /// Never locked: a body cannot be shared between threads, a call must.
    body: Mutex<Body>,
}

/// A body, and the right to the memory that it takes.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) bytes: Bytes,
    _memory: Option<OwnedSemaphorePermit>,
}

/// Who signed a call: checked, fresh and never seen before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signer {
    pub(crate) key: OwnerPublicKey,
}

/// A signature that was read, and is fresh, but not checked yet.
#[derive(Debug)]
pub(crate) struct Claimed(SignatureInput);

impl Claimed {
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.0.fingerprint
    }
}

impl Call {
    pub(crate) fn new(request: Request<Body>) -> Self {
        let (parts, body) = request.into_parts();
        Self { parts, body: Mutex::new(body) }
    }

    /// The third segment of the path, an id: 64 lower-case hexadecimal digits.
    fn id(&self) -> Result<[u8; 32], Problem> {
        hex_id(self.parts.uri.path().split('/').nth(3).unwrap_or(""))
            .ok_or_else(|| Problem::malformed("the id in the path must be 64 lower-case hexadecimal digits"))
    }

    pub(crate) fn card_id(&self) -> Result<CardId, Problem> {
        self.id().map(CardId)
    }

    pub(crate) fn request_id(&self) -> Result<RequestId, Problem> {
        self.id().map(RequestId)
    }

    /// The values of the query's parameters, in the order of `names`; others are refused.
    pub(crate) fn query<const N: usize>(
        &self,
        names: [&'static str; N],
    ) -> Result<[Option<&str>; N], Problem> {
        let mut values = [None; N];
        let query = self.parts.uri.query().unwrap_or("");
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let at = names.iter().position(|known| *known == name);
            let place = at.and_then(|at| values.get_mut(at)).ok_or_else(|| {
                let known = if N == 0 { "none".to_owned() } else { names.join(", ") };
                Problem::malformed(format!("the query has an unknown parameter; known here: {known}"))
            })?;
            if place.replace(value).is_some() {
                return Err(Problem::malformed(format!("the query has `{}` twice", names[at.unwrap_or(0)])));
            }
        }
        Ok(values)
    }

    /// Refuses any query.
    pub(crate) fn no_query(&self) -> Result<(), Problem> {
        self.query([]).map(|[]| ())
    }

    /// The secret of `authorization: Bearer …`.
    pub(crate) fn capability(&self) -> Result<Capability, Problem> {
        let none = || {
            Problem::new(
                Kind::NoCapability,
                "send `authorization: Bearer` and the request's capability, 64 hexadecimal digits",
            )
        };
        let value = one(&self.parts.headers, AUTHORIZATION.as_str()).ok_or_else(none)?;
        let (scheme, token) = value.split_once(' ').ok_or_else(none)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(none());
        }
        Capability::from_bearer(token).map_err(|_| none())
    }

    /// Reads who says to have signed, before the body is read: whoever did not sign, or not just now, is spared the
    /// sending.
    pub(crate) fn claimed(&self, relay: &Inner) -> Result<Claimed, Problem> {
        let headers = &self.parts.headers;
        let input = http_signature::parse(|name| one(headers, name))?;
        input.check_fresh(relay.now(), relay.limits().clock_skew.as_secs())?;
        Ok(Claimed(input))
    }

    /// The key of an owner who published a card here.
    pub(crate) async fn owner_of(&self, relay: &Inner, claimed: &Claimed) -> Result<OwnerPublicKey, Problem> {
        relay.owner(claimed.fingerprint()).await?.ok_or_else(|| {
            Problem::new(Kind::BadSignature, "no owner with this key has published a card at this relay")
        })
    }

    /// Checks the signature and remembers its nonce.
    pub(crate) async fn signer(
        &self,
        relay: &Inner,
        claimed: &Claimed,
        key: OwnerPublicKey,
        body: &Bytes,
    ) -> Result<Signer, Problem> {
        let uri = &self.parts.uri;
        let host = one(&self.parts.headers, HOST.as_str()).or_else(|| uri.authority().map(|a| a.as_str()));
        let authority = relay.options.authority.as_deref().or(host).unwrap_or("");
        let signed = Signed {
            method: self.parts.method.as_str(),
            authority,
            path: uri.path(),
            query: uri.query(),
            body,
        };
        claimed.0.verify(&key, &signed)?;
        let skew = relay.limits().clock_skew.as_secs();
        // As long as it may be fresh by the clock of any relay, and one second for the rounding.
        let expires_at = claimed.0.created.saturating_add(2 * skew + 1);
        let nonce = Change::Nonce { owner: claimed.fingerprint(), nonce: claimed.0.nonce, expires_at };
        match relay.store.apply(nonce).await? {
            Outcome::Created => Ok(Signer { key }),
            Outcome::Same => Err(Problem::new(
                Kind::Replayed,
                "this nonce was used before: sign every call anew, also when it is repeated",
            )),
            _ => Err(Problem::impossible("nonce")),
        }
    }

    /// Reads the body, at most `max` bytes.
    pub(crate) async fn content(&mut self, relay: &Inner, max: usize) -> Result<Content, Problem> {
        let body = std::mem::take(self.body.get_mut().unwrap_or_else(PoisonError::into_inner));
        match tokio::time::timeout(relay.limits().body_timeout, read(relay, body, max)).await {
            Ok(result) => result,
            Err(_) => Err(Problem::new(Kind::Timeout, "the body did not come in time")),
        }
    }

    /// The whole of a signed call by an owner who has a card here.
    pub(crate) async fn signed_content(
        &mut self,
        relay: &Inner,
        max: usize,
    ) -> Result<(Signer, Content), Problem> {
        let claimed = self.claimed(relay)?;
        let key = self.owner_of(relay, &claimed).await?;
        let content = self.content(relay, max).await?;
        let signer = self.signer(relay, &claimed, key, &content.bytes).await?;
        Ok((signer, content))
    }
}

async fn read(relay: &Inner, body: Body, max: usize) -> Result<Content, Problem> {
    let too_large = || Problem::new(Kind::TooLarge, format!("the body may have at most {max} bytes"));
    let announced = axum::body::HttpBody::size_hint(&body).lower();
    if announced > max as u64 {
        return Err(too_large());
    }
    let mut body = http_body_util::Limited::new(body, max);
    let mut bytes = Vec::new();
    let mut memory: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                too_large()
            } else {
                Problem::malformed("the body broke off")
            }
        })?;
        let Ok(data) = frame.into_data() else { continue };
        let permits = u32::try_from(data.len().div_ceil(PERMIT)).unwrap_or(u32::MAX);
        let more = relay.memory.clone().try_acquire_many_owned(permits).map_err(|_| {
            Problem::new(Kind::Busy, "the relay reads as much as it can hold: try again").retry_after(2)
        })?;
        match &mut memory {
            Some(memory) => memory.merge(more),
            None => memory = Some(more),
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Content { bytes: bytes.into(), _memory: memory })
}

/// The value of a field that stands once, in visible ASCII.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Bytes by their lower-case hexadecimal digits.
pub(crate) fn hex_id<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut id = [0; N];
    let lower = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (lower && hex::decode_to_slice(text, &mut id).is_ok()).then_some(id)
}

/// A whole number of a query within bounds.
pub(crate) fn number(
    name: &'static str,
    text: Option<&str>,
    default: u64,
    range: std::ops::RangeInclusive<u64>,
) -> Result<u64, Problem> {
    let Some(text) = text else { return Ok(default) };
    let digits = !text.is_empty() && text.len() <= 19 && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|value| digits && range.contains(value)).ok_or_else(|| {
        let (least, most) = range.into_inner();
        Problem::malformed(format!("`{name}` must be a whole number from {least} to {most}"))
    })
}
