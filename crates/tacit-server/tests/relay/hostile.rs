//! Nonsense at every endpoint: the relay says no, as its description has it, and never fails.

use crate::common::{
    self, Backend, Provider, Site, call, database, nonce, provider, request_path, signed_request, site,
};
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, Request};
use proptest::prelude::*;
use tacit_exchange::RequestId;

/// Paths with something behind them, and with something missing.
fn arb_path() -> impl Strategy<Value = String> {
    let id = prop_oneof![
        Just(provider(1).card.id().to_string()),
        Just(RequestId([7; 32]).to_string()),
        "[0-9a-f]{64}",
        "[0-9a-fA-F]{60,66}",
        "[!$&-.0-;=@-Z_a-z~]{0,70}",
        Just("%00%ff%2e%2e%2f".to_owned()),
    ];
    let shape = prop::sample::select(vec![
        "/v1/cards",
        "/v1/cards/{id}",
        "/v1/cards/{id}/points",
        "/v1/cards/{id}/provider",
        "/v1/cards/{id}/requests",
        "/v1/requests",
        "/v1/requests/{id}",
        "/v1/requests/{id}/lease",
        "/v1/requests/{id}/response",
        "/healthz",
        "/metrics",
        "/openapi.json",
        "/",
        "/cards/{id}",
        "/verifier.wasm",
        "/v1/{id}",
    ]);
    let number = prop_oneof![
        Just(String::new()),
        any::<u64>().prop_map(|n| n.to_string()),
        (0..3u64).prop_map(|n| n.to_string()),
        "[-+]?[0-9.e]{1,25}",
        "[!$'-.0-;=?@-~]{0,20}",
    ];
    let name = prop::sample::select(vec!["after", "limit", "worker", "x", "", "wait"]);
    let query = prop::collection::vec((name, number), 0..4);
    (shape, id, query).prop_map(|(shape, id, query)| {
        // Waits are kept short.
        let short =
            |name: &str, value: String| if name == "wait" { value.chars().take(1).collect() } else { value };
        let pairs: Vec<_> = query.into_iter().map(|(n, v)| format!("{n}={}", short(n, v))).collect();
        let path = shape.replace("{id}", &id);
        if pairs.is_empty() { path } else { format!("{path}?{}", pairs.join("&")) }
    })
}

fn arb_method() -> impl Strategy<Value = Method> {
    prop::sample::select(vec![Method::GET, Method::PUT, Method::POST, Method::DELETE, Method::PATCH])
}

fn arb_body(world: &Provider) -> impl Strategy<Value = Vec<u8>> + use<> {
    let mut sealer = provider(1);
    let real = vec![
        world.card.to_json().to_vec(),
        world.document(common::NOW).to_json().to_vec(),
        sealer.seal(common::NOW).request().to_bytes().to_vec(),
        world.answer(RequestId([7; 32])).to_bytes().to_vec(),
        br#"{"worker":"00000000000000000000000000000000","seconds":30}"#.to_vec(),
        b"TACITPTS\x01\0\xff\xff\xff\xff".to_vec(),
        b"[[[[[[[[[[[[[[[[[[[[[[[[".to_vec(),
    ];
    let changed =
        (prop::sample::select(real), any::<(u16, u8)>(), 0..4u8).prop_map(|(mut bytes, (at, mask), how)| {
            let at = usize::from(at) % bytes.len();
            match how {
                0 => bytes[at] ^= mask,
                1 => bytes.truncate(at),
                2 => bytes.extend([mask; 3]),
                _ => {}
            }
            bytes
        });
    prop_oneof![Just(Vec::new()), prop::collection::vec(any::<u8>(), 0..300), changed]
}

fn arb_headers() -> impl Strategy<Value = Vec<(HeaderName, HeaderValue)>> {
    let name = prop::sample::select(vec![
        "authorization",
        "content-digest",
        "signature-input",
        "signature",
        "host",
        "content-type",
        "x-forwarded-for",
    ]);
    let value = prop_oneof![
        prop::collection::vec((32..255u8).prop_filter("visible", |b| *b != 127), 0..60),
        Just(b"Bearer 0000000000000000000000000000000000000000000000000000000000000000".to_vec()),
        Just(b"sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:".to_vec()),
        Just(b"a=();created=1".to_vec()),
        Just(b"a=:AAAA:".to_vec()),
    ];
    let header = (name, value)
        .prop_map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_bytes(&value).unwrap()));
    prop::collection::vec(header, 0..5)
}

/// Sends all cases to one relay. Every answer is held against the relay's description as well.
fn with_relay<T: std::fmt::Debug>(
    cases: u32,
    strategy: impl Strategy<Value = T>,
    send: impl AsyncFn(&Site, &Provider, &T),
) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let database = database(Backend::Sqlite).unwrap();
    let world = provider(1);
    let site = runtime.block_on(async {
        let site = site(&database).await;
        world.publish(&site).await;
        site
    });
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let outcome = runner.run(&strategy, |case| {
        runtime.block_on(send(&site, &world, &case));
        Ok(())
    });
    outcome.unwrap();
    runtime.block_on(async { site.get("/healthz").await.expect(200) });
}

#[test]
fn nonsense_from_strangers() {
    let cases = (arb_method(), arb_path(), arb_headers(), arb_body(&provider(1)));
    with_relay(600, cases, async |site, _, (method, path, headers, body)| {
        let Ok(request) = Request::builder().method(method).uri(path).body(Body::from(body.clone())) else {
            return;
        };
        let mut request = request;
        for (name, value) in headers {
            request.headers_mut().append(name, value.clone());
        }
        let status = site.send(request).await.status.as_u16();
        assert!(status < 500 && !matches!(status, 301..=399), "{method} {path}: {status}");
    });
}

#[test]
fn nonsense_from_an_owner() {
    let cases = (arb_method(), arb_path(), arb_body(&provider(1)));
    with_relay(400, cases, async |site, world, (method, path, body)| {
        if path.parse::<axum::http::Uri>().is_err() {
            return;
        }
        let call = call(method.clone(), path.clone()).body(body.clone()).signed(&world.key);
        let request = signed_request(&call, common::NOW, &nonce());
        let status = site.send(request).await.status.as_u16();
        assert!(status < 500, "{method} {path}: {status}");
    });
}

#[test]
fn no_flipped_bit_of_a_signed_call_passes() {
    let cases = (any::<prop::sample::Index>(), 0..8u8, 0..3usize);
    with_relay(200, cases, async |site, world, (at, bit, which)| {
        let mut request = signed_request(
            &call(Method::GET, world.path("/requests")).signed(&world.key),
            common::NOW,
            &nonce(),
        );
        let name = ["signature", "signature-input", "content-digest"][*which];
        let mut value = request.headers()[name].as_bytes().to_vec();
        let at = at.index(value.len());
        value[at] ^= 1 << bit;
        let Ok(value) = HeaderValue::from_bytes(&value) else { return };
        request.headers_mut().insert(name, value);
        let reply = site.send(request).await;
        // A label that is changed in one field is changed in that field alone.
        assert_eq!(reply.status, 401, "{name} at {at}, bit {bit}");
    });
}

#[test]
fn an_id_has_one_spelling() {
    with_relay(1, Just(()), async |site, world, ()| {
        let id = world.card.id().to_string();
        site.get(format!("/v1/cards/{id}")).await.expect(200);
        site.get(format!("/v1/cards/{}", id.to_uppercase())).await.expect_problem(400, "malformed");
        site.get(format!("/v1/cards/%{:x}{}", id.as_bytes()[0], &id[1..]))
            .await
            .expect_problem(400, "malformed");
        site.get(format!("/v1/cards/{id}?x=1")).await.expect_problem(400, "malformed");
        site.get("/v1/cards?limit=1&limit=1").await.expect_problem(400, "malformed");
        site.get("/v1/cards?limit=01").await.expect(200);
        site.get("/v1/cards?limit=%31").await.expect_problem(400, "malformed");
        let wait = call(Method::GET, request_path(RequestId([1; 32]), "/response?wait=61"));
        site.call(wait).await.expect_problem(400, "malformed");
    });
}
