//! A relay over each database, an owner with a card, a patient, and calls.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)] // not every test file uses everything

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use serde_json::Value;
use tacit_claim::testing::{bytes, card, commitment, owner};
use tacit_claim::{Card, CommittedInput, EngineId, InputOpening, OwnerKey, SaltBytes};
use tacit_exchange::http_signature::{Signed, sign};
use tacit_exchange::{
    Ask, Capability, PendingRequest, PrekeySecret, ProviderDocument, RequestId, SealedResponse, Unopened,
    UnsignedProvider,
};
use tacit_server::store::{SqlStore, StoreOptions};
use tacit_server::{Clock, Relay, RelayOptions, app};
use tower::ServiceExt as _;

pub const NOW: u64 = 1_800_000_000;
pub const HOST: &str = "relay.example";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

/// Where a test keeps its database; gone with the test.
pub struct Database {
    pub url: String,
    _folder: Option<tempfile::TempDir>,
}

/// A new database; `None` where there is no such server.
pub fn database(backend: Backend) -> Option<Database> {
    match backend {
        Backend::Sqlite => {
            let folder = tempfile::tempdir().unwrap();
            let url = format!("sqlite://{}/relay.db", folder.path().display());
            Some(Database { url, _folder: Some(folder) })
        }
        Backend::Postgres => {
            let url = tacit_tests::postgres::server()?.database();
            Some(Database { url, _folder: None })
        }
    }
}

/// Defines a test of the same name for each database: `async fn(database: Database)`.
#[macro_export]
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::common::database($crate::common::Backend::Sqlite).unwrap()).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(database) = $crate::common::database($crate::common::Backend::Postgres) {
                    super::$name(database).await;
                }
            })*
        }
    };
}

/// A relay and its clock.
#[derive(Clone)]
pub struct Site {
    pub relay: Relay,
    pub clock: Arc<AtomicU64>,
}

pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {:?}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The last part of the problem's type.
    pub fn problem(&self) -> String {
        let document = self.json();
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(document["status"], self.status.as_u16());
        let kind = document["type"].as_str().unwrap();
        kind.strip_prefix("urn:tacit:problem:").unwrap().to_owned()
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self
    }

    #[track_caller]
    pub fn expect_problem(self, status: u16, kind: &str) -> Self {
        let reply = self.expect(status);
        assert_eq!(reply.problem(), kind, "{}", reply.text());
        reply
    }
}

pub async fn site_with(database: &Database, change: impl FnOnce(&mut RelayOptions)) -> Site {
    let store = SqlStore::open(&database.url, &StoreOptions::default()).await.unwrap();
    let clock = Arc::new(AtomicU64::new(NOW));
    let now = Arc::clone(&clock);
    let mut options =
        RelayOptions { clock: Clock::of(move || now.load(Ordering::Relaxed)), ..RelayOptions::default() };
    options.limits.calls_per_address = None;
    change(&mut options);
    Site { relay: Relay::new(Arc::new(store), options), clock }
}

pub async fn site(database: &Database) -> Site {
    site_with(database, |_| {}).await
}

/// What is sent.
pub struct Call<'a> {
    pub method: Method,
    pub target: String,
    pub body: Vec<u8>,
    pub key: Option<&'a OwnerKey>,
    pub capability: Option<&'a Capability>,
}

pub fn call(method: Method, target: impl Into<String>) -> Call<'static> {
    Call { method, target: target.into(), body: Vec::new(), key: None, capability: None }
}

impl<'a> Call<'a> {
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub fn signed(self, key: &OwnerKey) -> Call<'_> {
        Call { key: Some(key), capability: None, ..self.plain() }
    }

    pub fn bearer(self, capability: &Capability) -> Call<'_> {
        Call { capability: Some(capability), key: None, ..self.plain() }
    }

    fn plain<'b>(self) -> Call<'b> {
        Call { method: self.method, target: self.target, body: self.body, key: None, capability: None }
    }
}

/// Never twice the same.
pub fn nonce() -> [u8; 16] {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut nonce = [0; 16];
    nonce[..8].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_le_bytes());
    nonce
}

/// A request with the fields of a signature.
pub fn signed_request(call: &Call<'_>, created: u64, nonce: &[u8; 16]) -> Request<Body> {
    let mut request = Request::builder().method(call.method.clone()).uri(&call.target).header("host", HOST);
    if let Some(key) = call.key {
        let (path, query) =
            call.target.split_once('?').map_or((call.target.as_str(), None), |(p, q)| (p, Some(q)));
        let signed = Signed { method: call.method.as_str(), authority: HOST, path, query, body: &call.body };
        for (name, value) in sign(key, &signed, created, nonce).unwrap().fields() {
            request = request.header(name, value);
        }
    }
    if let Some(capability) = call.capability {
        request = request.header("authorization", format!("Bearer {}", *capability.to_bearer()));
    }
    request.body(Body::from(call.body.clone())).unwrap()
}

impl Site {
    pub fn now(&self) -> u64 {
        self.clock.load(Ordering::Relaxed)
    }

    pub fn pass(&self, seconds: u64) {
        self.clock.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Sends it, and holds the answer's status and kind of body against the relay's own description.
    pub async fn send(&self, request: Request<Body>) -> Reply {
        let (method, path) = (request.method().as_str().to_lowercase(), request.uri().path().to_owned());
        let reply = self.send_undocumented(request).await;
        static PATHS: tokio::sync::OnceCell<Value> = tokio::sync::OnceCell::const_new();
        let get = || async {
            let request = Request::get("/openapi.json").body(Body::empty()).unwrap();
            self.send_undocumented(request).await.json()["paths"].clone()
        };
        let paths = PATHS.get_or_init(get).await;
        let matches = |template: &str| {
            let (a, b): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
            a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a == b || *a == "{id}" && !b.is_empty())
        };
        let known = paths.as_object().unwrap().iter().find(|(template, _)| matches(template));
        let operation = known.and_then(|(_, item)| item.get(&method));
        if let Some(operation) = operation {
            let documented = &operation["responses"][reply.status.as_str()];
            assert!(documented.is_object(), "{method} {path}: {} {}", reply.status, reply.text());
            let media = reply.headers.get("content-type").map(|value| value.to_str().unwrap());
            let media = media.filter(|_| !reply.body.is_empty()).map(|m| m.split(';').next().unwrap());
            let described = documented["content"].as_object().map(|c| c.keys().next().unwrap().as_str());
            assert_eq!(described, media, "{method} {path}: {}", reply.status);
            if let Some(kinds) =
                documented.pointer("/content/application~1problem+json/schema/properties/type/enum")
            {
                assert!(
                    kinds.as_array().unwrap().contains(&reply.json()["type"]),
                    "{method} {path}: {}",
                    reply.text()
                );
            }
        } else {
            assert!(matches!(reply.status.as_u16(), 404 | 405 | 429), "{method} {path}: {}", reply.status);
        }
        reply
    }

    async fn send_undocumented(&self, request: Request<Body>) -> Reply {
        let response = app(self.relay.clone()).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Reply { status: parts.status, headers: parts.headers, body }
    }

    pub async fn call(&self, call: Call<'_>) -> Reply {
        self.send(signed_request(&call, self.now(), &nonce())).await
    }

    pub async fn get(&self, target: impl Into<String>) -> Reply {
        self.call(call(Method::GET, target)).await
    }
}

/// An owner with a card and a prekey, and a patient's record.
pub struct Provider {
    pub key: OwnerKey,
    pub card: Card,
    pub prekey: PrekeySecret,
    pub input: InputOpening,
    rng: ChaCha20Rng,
}

pub fn provider(seed: u64) -> Provider {
    let card = card(seed);
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let committed = CommittedInput { salt: SaltBytes::new(bytes(seed ^ 5)), commitment: commitment(seed) };
    Provider {
        key: owner(seed),
        prekey: PrekeySecret::generate(NOW + 3600, &mut rng),
        input: InputOpening {
            card_id: card.id(),
            schema_digest: card.schema_digest(),
            record: vec![1, -2, 3],
            commitments: BTreeMap::from([(EngineId::Sumcheck, committed)]),
        },
        card,
        rng,
    }
}

impl Provider {
    pub fn path(&self, rest: &str) -> String {
        format!("/v1/cards/{}{rest}", self.card.id())
    }

    pub fn document(&self, issued_at: u64) -> ProviderDocument {
        let content = UnsignedProvider {
            card: self.card.id(),
            relay: "https://relay.example".to_owned(),
            contact: None,
            issued_at,
            prekeys: vec![self.prekey.public().clone()],
        };
        ProviderDocument::sign(content, &self.key).unwrap()
    }

    pub async fn publish(&self, site: &Site) {
        let put = call(Method::PUT, self.path("")).body(self.card.to_json()).signed(&self.key);
        site.call(put).await.expect(201);
        let document = self.document(NOW);
        let put = call(Method::PUT, self.path("/provider")).body(document.to_json()).signed(&self.key);
        site.call(put).await.expect(201);
    }

    pub fn seal(&mut self, now: u64) -> PendingRequest {
        let ask = Ask {
            card: &self.card,
            prekey: self.prekey.public(),
            engine: EngineId::Sumcheck,
            input: &self.input,
            now,
        };
        ask.seal("https://relay.example".to_owned(), &mut self.rng).unwrap()
    }

    pub async fn post(&mut self, site: &Site) -> PendingRequest {
        let pending = self.seal(site.now());
        site.call(post(&pending)).await.expect(201);
        pending
    }

    pub fn answer(&self, id: RequestId) -> SealedResponse {
        SealedResponse::not_opened(id, Unopened::Damaged, &self.key)
    }

    pub fn other_answer(&self, id: RequestId) -> SealedResponse {
        SealedResponse::not_opened(id, Unopened::PrekeyGone, &self.key)
    }

    pub async fn waiting(&self, site: &Site) -> Vec<String> {
        let list = site.call(call(Method::GET, self.path("/requests")).signed(&self.key)).await.expect(200);
        let ids = list.json()["requests"].as_array().unwrap().clone();
        ids.iter().map(|entry| entry["id"].as_str().unwrap().to_owned()).collect()
    }
}

pub fn post(pending: &PendingRequest) -> Call<'static> {
    call(Method::POST, "/v1/requests").body(pending.request().to_bytes())
}

pub fn request_path(id: RequestId, rest: &str) -> String {
    format!("/v1/requests/{id}{rest}")
}
