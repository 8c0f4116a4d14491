//! `/metrics`: counts and times by route, what is stored. No ids and no addresses.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::store::Usage;

/// Which route, method and status.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Call {
    route: String,
    method: &'static str,
    status: u16,
}

impl EncodeLabelSet for Call {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        [("route", self.route.as_str()), ("method", self.method)].encode(encoder)?;
        [("status", self.status.to_string())].encode(encoder)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Route(String);

impl EncodeLabelSet for Route {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        [("route", self.0.as_str())].encode(encoder)
    }
}

pub(crate) struct Metrics {
    registry: Registry,
    calls: Family<Call, Counter>,
    seconds: Family<Route, Histogram, fn() -> Histogram>,
    stored_bytes: Gauge<u64, AtomicU64>,
    cards: Gauge<u64, AtomicU64>,
    waiting: Gauge<u64, AtomicU64>,
    pub(crate) connections: Gauge,
    pub(crate) swept: Counter,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 2.0, 17));
        let metrics = Self {
            registry: Registry::default(),
            calls: Family::default(),
            seconds: Family::new_with_constructor(histogram),
            stored_bytes: Gauge::default(),
            cards: Gauge::default(),
            waiting: Gauge::default(),
            connections: Gauge::default(),
            swept: Counter::default(),
        };
        metrics.registered()
    }

    fn registered(mut self) -> Self {
        let mut registry = Registry::with_prefix("tacit_relay");
        registry.register("calls", "Calls by route, method and status", self.calls.clone());
        registry.register_with_unit(
            "call_duration",
            "Time until a call was answered, waits of long polls included",
            Unit::Seconds,
            self.seconds.clone(),
        );
        registry.register_with_unit("stored", "What is stored", Unit::Bytes, self.stored_bytes.clone());
        registry.register("cards", "Published cards", self.cards.clone());
        registry.register("waiting_requests", "Unanswered requests", self.waiting.clone());
        registry.register("connections", "Open connections", self.connections.clone());
        registry.register("swept", "Expired messages and nonces that were swept", self.swept.clone());
        self.registry = registry;
        self
    }

    /// Counts a call. `route` is a route of the relay, never a path of a client.
    pub(crate) fn count(&self, route: &str, method: &Method, status: StatusCode, took: Duration) {
        let method = match *method {
            Method::GET => "GET",
            Method::HEAD => "HEAD",
            Method::PUT => "PUT",
            Method::POST => "POST",
            Method::DELETE => "DELETE",
            _ => "other",
        };
        let call = Call { route: route.to_owned(), method, status: status.as_u16() };
        self.calls.get_or_create(&call).inc();
        self.seconds.get_or_create(&Route(route.to_owned())).observe(took.as_secs_f64());
    }

    pub(crate) fn text(&self, usage: Usage) -> Result<String, std::fmt::Error> {
        self.stored_bytes.set(usage.stored_bytes);
        self.cards.set(usage.cards);
        self.waiting.set(usage.waiting);
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
