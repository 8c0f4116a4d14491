//! The relay that serves the page, with a log of everything that it is asked.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::json;
use tacit_claim::{Card, CardPoints};
use tacit_web::page;

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
}

impl Relay {
    pub(crate) async fn start(cards: Vec<Published>, verifier: Option<Vec<u8>>) -> Self {
        let log = Log::default();
        let app = app(cards, verifier).layer(from_fn_with_state(log.clone(), note));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, log }
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

/// The relay's page and what the page asks of it.
fn app(cards: Vec<Published>, verifier: Option<Vec<u8>>) -> Router {
    let listed: Vec<_> = cards
        .iter()
        .map(|Published { card, .. }| {
            json!({ "id": card.id().to_string(), "name": card.name().as_str(), "owner": card.owner().fingerprint().to_string(),
                "engines": card.commitments().engines().map(|e| e.name()).collect::<Vec<_>>(), "weights": "hidden",
                "published_at": 1_780_000_000, "accepts_requests": true })
        })
        .collect();
    let list = json!({ "cards": listed, "next": null }).to_string();
    let mut app = Router::new()
        .route("/v1/cards", get(move || send("application/json", list.clone())))
        .route("/cards/{id}", get(|| send(page::INDEX.content_type, page::INDEX.body)));
    for Published { card, points } in cards {
        let path = format!("/v1/cards/{}", card.id());
        app = app.route(&path, get(move || send("application/json", card.to_json().to_vec())));
        if let Some(points) = points {
            app = app.route(
                &format!("{path}/points"),
                get(move || send("application/octet-stream", points.to_bytes())),
            );
        }
    }
    if let Some(module) = verifier {
        app = app.route(page::VERIFIER, get(move || send(page::VERIFIER_TYPE, module.clone())));
    }
    for file in page::FILES.iter().chain([&page::INDEX]) {
        app = app.route(file.path, get(|| send(file.content_type, file.body)));
    }
    app
}

async fn send(content_type: &'static str, body: impl Into<Body>) -> Response {
    let nosniff = HeaderName::from_static("x-content-type-options");
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, page::CONTENT_SECURITY_POLICY),
        (nosniff, "nosniff"),
    ];
    (StatusCode::OK, headers, body.into()).into_response()
}
