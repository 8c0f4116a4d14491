//! The relay that serves the page, with a log of everything that it is asked.

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use tacit_claim::{Card, CardPoints};
use tacit_server::RelayOptions;
use tacit_server::store::{Change, NewCard, SqlStore, Store as _, StoreOptions};
use tempfile::TempDir;

/// What a relay has of a card.
#[derive(Clone)]
pub(crate) struct Published {
    pub(crate) card: Card,
    pub(crate) points: Option<CardPoints>,
}

/// Something that the relay was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
}

type Log = Arc<Mutex<Vec<Asked>>>;

/// A relay on loopback.
pub(crate) struct Relay {
    pub(crate) url: String,
    log: Log,
    _folder: TempDir,
}

impl Relay {
    pub(crate) async fn start(cards: Vec<Published>, verifier: Option<Vec<u8>>) -> Self {
        let log = Log::default();
        let folder = tempfile::tempdir().expect("a folder");
        let app = app(cards, verifier, folder.path()).await.layer(from_fn_with_state(log.clone(), note));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, log, _folder: folder }
    }

    /// Everything that was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.log.lock().expect("nothing panics with it").clone()
    }

    /// How often a path was asked for.
    pub(crate) fn count(&self, path: &str) -> usize {
        self.asked().iter().filter(|asked| asked.path == path).count()
    }
}

async fn note(State(log): State<Log>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 26).await.expect("a body");
    log.lock().expect("nothing panics with it").push(Asked {
        method: parts.method.to_string(),
        path: parts.uri.to_string(),
        body: body.to_vec(),
    });
    next.run(Request::from_parts(parts, Body::from(body))).await
}

/// The relay, with these cards in its database.
async fn app(cards: Vec<Published>, verifier: Option<Vec<u8>>, folder: &Path) -> Router {
    let database = format!("sqlite://{}", folder.join("relay.db").display());
    let store = SqlStore::open(&database, &StoreOptions::default()).await.expect("a database");
    let mut options = RelayOptions { verifier: verifier.map(Bytes::from), ..RelayOptions::default() };
    options.limits.calls_per_address = None;
    let quotas = options.limits.quotas;
    for Published { card, points } in cards {
        let engines: Vec<_> = card.commitments().engines().map(|e| e.name()).collect();
        let new = NewCard {
            id: card.id(),
            owner: card.owner().fingerprint(),
            owner_key: card.owner().to_bytes(),
            name: card.name().as_str().to_owned(),
            engines: engines.join(","),
            weights: "hidden",
            published_at: 1_780_000_000,
            json: card.to_json().to_vec(),
        };
        store.apply(Change::PutCard(Box::new(new), quotas)).await.expect("a card");
        if let Some(points) = points {
            let change = Change::PutPoints { card: card.id(), points: points.to_bytes(), quotas };
            store.apply(change).await.expect("points");
        }
    }
    tacit_server::app(tacit_server::Relay::new(Arc::new(store), options))
}
