//! All routes, and what is done for every call.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use axum::body::Body;
use axum::extract::{ConnectInfo, MatchedPath, State};
use axum::http::{HeaderName, HeaderValue, Request};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use tacit_web::page::CONTENT_SECURITY_POLICY;

use crate::problem::{Kind, Problem};
use crate::state::Relay;
use crate::{cards, openapi, page, requests};

/// The relay as a service.
pub fn app(relay: Relay) -> Router {
    let document = openapi::document(&relay.0.options.limits);
    let document = get(move || async move { Json(document) });
    Router::new()
        .route("/v1/cards", get(cards::list_cards))
        .route("/v1/cards/{id}", get(cards::get_card).put(cards::put_card))
        .route("/v1/cards/{id}/points", get(cards::get_points).put(cards::put_points))
        .route("/v1/cards/{id}/provider", get(cards::get_provider).put(cards::put_provider))
        .route("/v1/cards/{id}/requests", get(requests::list))
        .route("/v1/requests", post(requests::post))
        .route("/v1/requests/{id}", get(requests::get).delete(requests::delete))
        .route("/v1/requests/{id}/lease", put(requests::lease).delete(requests::release))
        .route("/v1/requests/{id}/response", get(requests::get_response).put(requests::put_response))
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .route("/openapi.json", document)
        .merge(page::routes())
        .fallback(async || Problem::new(Kind::NotFound, "the relay has no such path; see /openapi.json"))
        .method_not_allowed_fallback(async || {
            Problem::new(Kind::Method, "see /openapi.json for the methods of this path")
        })
        .layer(from_fn_with_state(relay.clone(), every_call))
        .with_state(relay)
}

/// Counts, logs and limits; sets the headers that every answer has.
async fn every_call(State(relay): State<Relay>, request: Request<Body>, next: Next) -> Response {
    let began = Instant::now();
    let relay = &relay.0;
    let address = address(&request, relay.options.trust_forwarded);
    let method = request.method().clone();
    // The route, not the path: paths hold ids, and queries what clients write.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let is_probe = matches!(route, "/healthz" | "/metrics");
    let limited = if is_probe { Ok(()) } else { relay.rates.check_address(address) };
    let mut response = match limited {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        ("content-security-policy", CONTENT_SECURITY_POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let (status, took) = (response.status(), began.elapsed());
    relay.metrics.count(route, &method, status, took);
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    tracing::info!(%method, route, status = status.as_u16(), millis, "call");
    tracing::debug!(%address, "call from");
    response
}

/// Who calls: the other end of the connection, or whom a trusted proxy names.
fn address(request: &Request<Body>, trust_forwarded: bool) -> IpAddr {
    let connected = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |ConnectInfo(address)| address.ip());
    if !trust_forwarded {
        return connected;
    }
    // The proxy appends: what stands before the last entry is whatever the client sent.
    let forwarded = request.headers().get_all("x-forwarded-for").iter().next_back();
    forwarded
        .and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok())
        .unwrap_or(connected)
}

/// `GET /healthz`.
async fn health(State(relay): State<Relay>) -> Result<Response, Problem> {
    relay.0.store.usage().await?;
    Ok(Json(serde_json::json!({ "status": "ok" })).into_response())
}

/// `GET /metrics`.
async fn metrics(State(relay): State<Relay>) -> Result<Response, Problem> {
    let usage = relay.0.store.usage().await?;
    let text = relay.0.metrics.text(usage).map_err(|_| Problem::impossible("metrics"))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(axum::http::header::CONTENT_TYPE, kind)], text).into_response())
}
