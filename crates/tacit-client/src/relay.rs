//! What a relay offers, call by call.

mod address;
mod error;
mod retry;
#[cfg(test)]
mod tests;
mod transport;

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tacit_claim::{Card, CardId, CardPoints, OwnerKey};
use tacit_exchange::{Capability, ProviderDocument, RequestId};
use ureq::http::Method;

pub use address::{AddressError, PlainHttp, RelayAddress};
pub use error::{Problem, RelayError};
pub use retry::Patience;
pub use transport::ClientOptions;

pub(crate) use retry::jittered;
pub(crate) use transport::unix_now;

use transport::{Call, Proof, Reply, Transport};

/// Most bytes of a card, of its points, of a provider's document, of a sealed message and of a list.
const MAX_CARD: u64 = 32 << 20;
const MAX_POINTS: u64 = 65 << 20;
const MAX_DOCUMENT: u64 = 1 << 16;
const MAX_MESSAGE: u64 = 100 << 20;
const MAX_LIST: u64 = 1 << 20;

const BINARY: &str = "application/octet-stream";
const JSON: &str = "application/json";

/// A relay.
#[derive(Debug, Clone)]
pub struct RelayClient(Transport);

/// A request that waits for an answer.
#[derive(Debug, Clone, Deserialize)]
pub struct Waiting {
    /// Its id.
    pub id: RequestId,
    /// Bytes of the sealed request.
    pub size: u64,
    /// When the relay got it, in its own words.
    #[serde(default)]
    pub received_at: serde_json::Value,
}

/// A page of the requests that wait.
#[derive(Debug, Clone, Deserialize)]
pub struct WaitingPage {
    /// Those that nobody has answered or is answering, oldest first.
    pub requests: Vec<Waiting>,
    /// Where the next page begins; `None` after the last.
    #[serde(default)]
    pub next: Option<String>,
}

/// What came of asking for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// It is ours for now.
    Ours,
    /// Another worker has it.
    Another,
    /// It was answered, deleted or never there.
    Gone,
}

/// What came of handing in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handed {
    /// It is there now, or was there already.
    Kept,
    /// Another answer to the same request is there.
    AnotherThere,
    /// The request is there no more.
    Gone,
}

/// What came of asking for an answer.
#[derive(Debug)]
pub enum Fetched {
    /// The sealed answer's bytes.
    Answer(Vec<u8>),
    /// None yet.
    Pending,
    /// The relay does not know the request.
    Unknown,
    /// It was there, and was deleted or waited too long.
    Gone,
}

impl RelayClient {
    /// A client of the relay at an address. Connects when first used.
    ///
    /// # Errors
    /// [`RelayError::Unusable`] for authorities that are no certificates.
    pub fn new(address: RelayAddress, options: &ClientOptions) -> Result<Self, RelayError> {
        Transport::new(address, options).map(Self)
    }

    /// The same relay with other patience.
    #[must_use]
    pub fn with_patience(&self, patience: Patience) -> Self {
        Self(self.0.with_patience(patience))
    }

    /// Where it is.
    #[must_use]
    pub const fn address(&self) -> &RelayAddress {
        self.0.address()
    }

    /// Puts a card there.
    ///
    /// # Errors
    /// [`RelayError`].
    pub fn put_card(&self, card: &Card, key: &OwnerKey) -> Result<(), RelayError> {
        let path = format!("/v1/cards/{}", card.id());
        self.put("keep the card", path, JSON, card.to_json(), key).map(drop)
    }

    /// Puts what is too large for a card there.
    ///
    /// # Errors
    /// [`RelayError`].
    pub fn put_points(&self, card: CardId, points: &CardPoints, key: &OwnerKey) -> Result<(), RelayError> {
        let path = format!("/v1/cards/{card}/points");
        self.put("keep the card's points", path, BINARY, &points.to_bytes(), key).map(drop)
    }

    /// Puts a provider's document there, in the place of an older one.
    ///
    /// # Errors
    /// [`RelayError`].
    pub fn put_provider(&self, document: &ProviderDocument, key: &OwnerKey) -> Result<(), RelayError> {
        let path = format!("/v1/cards/{}/provider", document.card());
        self.put("keep the provider's document", path, JSON, document.to_json(), key).map(drop)
    }

    /// The bytes of a card, of which nothing is checked yet. `None` if it is not there.
    ///
    /// # Errors
    /// [`RelayError`].
    pub fn card(&self, id: CardId) -> Result<Option<Vec<u8>>, RelayError> {
        self.get("hand out the card", format!("/v1/cards/{id}"), MAX_CARD)
    }

    /// The bytes of a card's points, of which nothing is checked yet. `None` if they are not there.
    ///
    /// # Errors
    /// [`RelayError`].
    pub fn points(&self, card: CardId) -> Result<Option<Vec<u8>>, RelayError> {
        self.get("hand out the card's points", format!("/v1/cards/{card}/points"), MAX_POINTS)
    }

    /// The bytes of a card's provider document, of which nothing is checked yet. `None` if it is not there.
    ///
    /// # Errors
    /// [`RelayError`].
    pub fn provider(&self, card: CardId) -> Result<Option<Vec<u8>>, RelayError> {
        self.get("hand out the provider's document", format!("/v1/cards/{card}/provider"), MAX_DOCUMENT)
    }

    /// Posts a sealed request's bytes; the same ones twice are one request.
    ///
    /// # Errors
    /// [`RelayError`].
    pub fn post_request(&self, id: RequestId, bytes: &[u8]) -> Result<(), RelayError> {
        #[derive(Deserialize)]
        struct Posted {
            id: RequestId,
        }
        let what = "take the request";
        let mut call = Call::new(what, Method::POST, "/v1/requests".to_owned(), Proof::Nobody);
        call.body = Some((BINARY, bytes));
        let posted: Posted = json(what, &self.0.send(&call)?)?;
        if posted.id == id {
            Ok(())
        } else {
            let why = "it names another request".to_owned();
            Err(RelayError::Unexpected { what, why })
        }
    }

    /// The requests for a card that wait, from `after` on; waits up to `wait` for the first.
    ///
    /// # Errors
    /// [`RelayError`].
    pub fn waiting(
        &self,
        card: CardId,
        key: &OwnerKey,
        after: Option<&str>,
        wait: Duration,
        limit: u32,
    ) -> Result<WaitingPage, RelayError> {
        let what = "list the requests";
        let mut call = Call::new(what, Method::GET, format!("/v1/cards/{card}/requests"), Proof::Owner(key));
        let after = match after {
            Some(cursor) if cursor.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) => {
                format!("after={cursor}&")
            }
            Some(_) => return Err(RelayError::Unusable("the relay's cursor has odd characters".to_owned())),
            None => String::new(),
        };
        call.query = Some(format!("{after}wait={}&limit={limit}", wait.as_secs()));
        (call.max, call.wait) = (MAX_LIST, wait);
        json(what, &self.0.send(&call)?)
    }

    /// Takes a request for `seconds`, or keeps it that much longer.
    ///
    /// # Errors
    /// [`RelayError`].
    pub fn lease(
        &self,
        id: RequestId,
        worker: &WorkerId,
        seconds: u64,
        key: &OwnerKey,
    ) -> Result<Lease, RelayError> {
        #[derive(Serialize)]
        struct Asked<'a> {
            worker: &'a str,
            seconds: u64,
        }
        let body = serde_json::to_vec(&Asked { worker: &worker.0, seconds }).unwrap_or_default();
        match self.put("lease the request", format!("/v1/requests/{id}/lease"), JSON, &body, key) {
            Ok(_) => Ok(Lease::Ours),
            Err(e) => match e.status() {
                Some(409) => Ok(Lease::Another),
                Some(404 | 410) => Ok(Lease::Gone),
                _ => Err(e),
            },
        }
    }

    /// Gives a request back before its time.
    ///
    /// # Errors
    /// [`RelayError`].
    pub fn release(&self, id: RequestId, worker: &WorkerId, key: &OwnerKey) -> Result<(), RelayError> {
        let path = format!("/v1/requests/{id}/lease");
        let mut call = Call::new("take the lease back", Method::DELETE, path, Proof::Owner(key));
        call.query = Some(format!("worker={}", worker.0));
        self.gone_is_fine(&call)
    }

    /// The bytes of a sealed request, for the provider. `None` if it is there no more.
    ///
    /// # Errors
    /// [`RelayError`].
    pub fn request(&self, id: RequestId, key: &OwnerKey) -> Result<Option<Vec<u8>>, RelayError> {
        let path = format!("/v1/requests/{id}");
        let mut call = Call::new("hand out the request", Method::GET, path, Proof::Owner(key));
        call.max = MAX_MESSAGE;
        self.or_none(&call)
    }

    /// Hands in the bytes of the answer to a request.
    ///
    /// # Errors
    /// [`RelayError`].
    pub fn put_response(&self, id: RequestId, bytes: &[u8], key: &OwnerKey) -> Result<Handed, RelayError> {
        let path = format!("/v1/requests/{id}/response");
        match self.put("keep the answer", path, BINARY, bytes, key) {
            Ok(_) => Ok(Handed::Kept),
            Err(e) => match e.status() {
                Some(409) => Ok(Handed::AnotherThere),
                Some(404 | 410) => Ok(Handed::Gone),
                _ => Err(e),
            },
        }
    }

    /// The answer to a request, for whoever sent it; waits up to `wait` for it.
    ///
    /// # Errors
    /// [`RelayError`].
    pub fn response(
        &self,
        id: RequestId,
        capability: &Capability,
        wait: Duration,
    ) -> Result<Fetched, RelayError> {
        let what = "hand out the answer";
        let path = format!("/v1/requests/{id}/response");
        let mut call = Call::new(what, Method::GET, path, Proof::Holder(capability));
        call.query = Some(format!("wait={}", wait.as_secs()));
        (call.max, call.wait) = (MAX_MESSAGE, wait);
        match self.0.send(&call) {
            Ok(reply) if reply.status == 204 => Ok(Fetched::Pending),
            Ok(reply) => Ok(Fetched::Answer(reply.body)),
            Err(e) if e.status() == Some(404) => Ok(Fetched::Unknown),
            Err(e) if e.status() == Some(410) => Ok(Fetched::Gone),
            Err(e) => Err(e),
        }
    }

    /// Deletes a request and its answer. One that is not there is as good as deleted.
    ///
    /// # Errors
    /// [`RelayError`].
    pub fn delete(&self, id: RequestId, capability: &Capability) -> Result<(), RelayError> {
        let path = format!("/v1/requests/{id}");
        self.gone_is_fine(&Call::new("delete the request", Method::DELETE, path, Proof::Holder(capability)))
    }

    fn put(
        &self,
        what: &'static str,
        path: String,
        kind: &'static str,
        body: &[u8],
        key: &OwnerKey,
    ) -> Result<Reply, RelayError> {
        let mut call = Call::new(what, Method::PUT, path, Proof::Owner(key));
        call.body = Some((kind, body));
        self.0.send(&call)
    }

    fn get(&self, what: &'static str, path: String, max: u64) -> Result<Option<Vec<u8>>, RelayError> {
        let mut call = Call::new(what, Method::GET, path, Proof::Nobody);
        call.max = max;
        self.or_none(&call)
    }

    fn or_none(&self, call: &Call<'_>) -> Result<Option<Vec<u8>>, RelayError> {
        match self.0.send(call) {
            Ok(reply) => Ok(Some(reply.body)),
            Err(e) if matches!(e.status(), Some(404 | 410)) => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn gone_is_fine(&self, call: &Call<'_>) -> Result<(), RelayError> {
        match self.0.send(call) {
            Ok(_) => Ok(()),
            Err(e) if matches!(e.status(), Some(404 | 410)) => Ok(()),
            Err(e) => Err(e),
        }
    }
}

/// Tells workers apart that share a key: 32 hexadecimal digits, drawn anew by each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerId(String);

impl WorkerId {
    /// A fresh one.
    #[must_use]
    pub fn random() -> Self {
        use rand_core::RngCore as _;
        let mut bytes = [0; 16];
        rand_core::OsRng.fill_bytes(&mut bytes);
        Self(hex::encode(bytes))
    }
}

fn json<T: DeserializeOwned>(what: &'static str, reply: &Reply) -> Result<T, RelayError> {
    serde_json::from_slice(&reply.body)
        .map_err(|_| RelayError::Unexpected { what, why: "it is not the JSON that is expected".to_owned() })
}
