//! What the relay refuses, and that it says why.

use crate::common::{
    Database, NOW, Provider, call, nonce, post, provider, request_path, signed_request, site, site_with,
};
use axum::body::{Body, Bytes};
use axum::http::{Method, Request};
use tacit_claim::testing::owner;
use tacit_exchange::{Capability, RequestId};
use tacit_server::Rate;
use tacit_server::serve::sweep_now;

on_both!(
    signatures,
    other_owners,
    capabilities,
    requests_that_are_not_taken,
    answers_that_are_not_taken,
    bodies_that_are_too_large,
    quotas,
    expiry,
    nothing_resurrects,
);

async fn signatures(database: Database) {
    let site = site(&database).await;
    let p = provider(1);
    p.publish(&site).await;
    let list = || call(Method::GET, p.path("/requests?wait=0")).signed(&p.key);
    let once = nonce();
    site.send(signed_request(&list(), NOW, &once)).await.expect(200);
    let again = site.send(signed_request(&list(), NOW, &once)).await.expect_problem(401, "replayed");
    assert_eq!(again.headers["www-authenticate"], "Signature");
    // The nonce is the key's, whatever it signs.
    let other = call(Method::GET, p.path("/requests?wait=0&limit=3")).signed(&p.key);
    site.send(signed_request(&other, NOW + 1, &once)).await.expect_problem(401, "replayed");
    for created in [NOW - 61, NOW + 61, 0] {
        site.send(signed_request(&list(), created, &nonce())).await.expect_problem(401, "stale");
    }
    for created in [NOW - 60, NOW + 60] {
        site.send(signed_request(&list(), created, &nonce())).await.expect(200);
    }
    // The nonce of a signature from the future is remembered for as long as the signature is fresh.
    let late = nonce();
    site.send(signed_request(&list(), NOW + 60, &late)).await.expect(200);
    site.pass(120);
    sweep_now(&site.relay).await;
    site.send(signed_request(&list(), NOW + 60, &late)).await.expect_problem(401, "replayed");
    site.pass(2);
    sweep_now(&site.relay).await;
    site.send(signed_request(&list(), NOW + 60, &late)).await.expect_problem(401, "stale");

    let now = site.now();
    let unsigned = call(Method::GET, p.path("/requests"));
    site.call(unsigned).await.expect_problem(401, "unsigned");
    let fresh = || signed_request(&list(), now, &nonce());
    for (name, value, kind) in [
        ("signature", "tacit=:AAAA:", "bad-signature"),
        ("signature-input", "tacit=()", "bad-signature"),
        ("content-digest", "sha-256=:AAAA:", "bad-signature"),
        ("host", "elsewhere.example", "bad-signature"),
    ] {
        let mut request = fresh();
        request.headers_mut().insert(name, value.parse().unwrap());
        site.send(request).await.expect_problem(401, kind);
        let mut request = fresh();
        if name != "host" {
            request.headers_mut().append(name, value.parse().unwrap());
            site.send(request).await.expect_problem(401, "unsigned");
        }
    }
    let mut request = fresh();
    *request.uri_mut() = p.path("/requests?wait=1").parse().unwrap();
    site.send(request).await.expect_problem(401, "bad-signature");
    let mut request = signed_request(&call(Method::PUT, p.path("")).body("a").signed(&p.key), now, &nonce());
    *request.body_mut() = Body::from(p.card.to_json().to_vec());
    site.send(request).await.expect_problem(401, "bad-signature");
    let stranger = owner(99);
    let other = call(Method::GET, p.path("/requests")).signed(&stranger);
    site.call(other).await.expect_problem(401, "bad-signature");
}

async fn other_owners(database: Database) {
    let site = site(&database).await;
    let (mut p, q) = (provider(1), provider(2));
    p.publish(&site).await;
    q.publish(&site).await;
    let pending = p.post(&site).await;
    let id = pending.id();
    let signed = |method, target: String, body: &[u8]| call(method, target).body(body).signed(&q.key);
    let json = p.document(NOW + 1);
    for (method, path, body) in [
        (Method::GET, p.path("/requests"), b"".as_slice()),
        (Method::PUT, p.path("/provider"), json.to_json()),
        (Method::PUT, p.path("/points"), b"points"),
    ] {
        site.call(signed(method, path, body)).await.expect_problem(403, "not-owner");
    }
    let resigned = call(Method::PUT, p.path("")).body(p.card.to_json()).signed(&q.key);
    site.call(resigned).await.expect_problem(403, "not-owner");
    // Whoever owns another card cannot tell whether a request exists.
    let answer = p.answer(id);
    let lease = serde_json::json!({ "worker": "aa".repeat(16), "seconds": 5 }).to_string();
    for (method, rest, body) in [
        (Method::GET, "", b"".as_slice()),
        (Method::PUT, "/response", answer.to_bytes()),
        (Method::PUT, "/lease", lease.as_bytes()),
    ] {
        let known = site.call(signed(method.clone(), request_path(id, rest), body)).await;
        let known = known.expect_problem(404, "not-found").text();
        if rest != "/response" {
            let unknown = site.call(signed(method, request_path(RequestId([7; 32]), rest), body)).await;
            assert_eq!(known, unknown.expect_problem(404, "not-found").text());
        }
    }
    // Documents under another card's path.
    let swapped = call(Method::PUT, p.path("/provider")).body(q.document(NOW + 1).to_json()).signed(&p.key);
    site.call(swapped).await.expect_problem(400, "malformed");
    let swapped = call(Method::PUT, q.path("")).body(p.card.to_json()).signed(&p.key);
    site.call(swapped).await.expect_problem(400, "malformed");

    // Publishers can be restricted.
    let only = site_with(&database, |options| {
        options.publishers.insert(q.key.public().fingerprint());
    })
    .await;
    let put = |p: &Provider| call(Method::PUT, p.path("")).body(p.card.to_json());
    only.call(put(&p).signed(&p.key)).await.expect_problem(403, "not-publisher");
    only.call(put(&q).signed(&q.key)).await.expect(200);
}

async fn capabilities(database: Database) {
    let site = site(&database).await;
    let mut p = provider(1);
    p.publish(&site).await;
    let (a, b) = (p.post(&site).await, p.post(&site).await);
    let wrong = Capability::new([1; 32]);
    let mut texts = Vec::new();
    for (id, capability) in [
        (a.id(), b.capability()),
        (a.id(), &wrong),
        (RequestId([9; 32]), a.capability()),
        (RequestId([9; 32]), &wrong),
    ] {
        for (method, rest) in
            [(Method::GET, "/response"), (Method::GET, "/response?wait=1"), (Method::DELETE, "")]
        {
            let reply = site.call(call(method, request_path(id, rest)).bearer(capability)).await;
            texts.push(reply.expect_problem(404, "not-found").text());
        }
    }
    assert!(texts.iter().all(|text| *text == texts[0]));
    for value in
        ["", "Bearer", "Bearer zz", "Basic aGk6aGk=", &format!("Bearer {}", "0".repeat(63)), "Bearer \u{e9}"]
    {
        for (id, method, rest) in [(a.id(), "GET", "/response"), (RequestId([9; 32]), "DELETE", "")] {
            let request = Request::builder().method(method).uri(request_path(id, rest));
            let request = request.header("authorization", value).body(Body::empty()).unwrap();
            let reply = site.send(request).await.expect_problem(401, "no-capability");
            assert_eq!(reply.headers["www-authenticate"], "Bearer");
        }
    }
    site.call(call(Method::GET, request_path(a.id(), "/response")))
        .await
        .expect_problem(401, "no-capability");
    site.call(call(Method::GET, request_path(a.id(), "/response")).bearer(a.capability())).await.expect(204);
}

async fn requests_that_are_not_taken(database: Database) {
    let site = site(&database).await;
    let mut p = provider(1);
    let early = p.seal(NOW);
    site.call(post(&early)).await.expect_problem(404, "not-found");
    let put = call(Method::PUT, p.path("")).body(p.card.to_json()).signed(&p.key);
    site.call(put).await.expect(201);
    site.call(post(&early)).await.expect_problem(409, "not-accepting");
    let put = call(Method::PUT, p.path("/provider")).body(p.document(NOW).to_json()).signed(&p.key);
    site.call(put).await.expect(201);
    site.call(post(&early)).await.expect(201);
    for created in [NOW - 86_401, NOW + 61] {
        let pending = p.seal(created);
        site.call(post(&pending)).await.expect_problem(400, "out-of-window");
    }
    let mut other = provider(1);
    other.prekey = tacit_exchange::PrekeySecret::generate(NOW + 99, &mut rand_core::OsRng);
    let elsewhere = other.seal(NOW);
    site.call(post(&elsewhere)).await.expect_problem(409, "unknown-prekey");
    let late = p.seal(NOW);
    site.pass(3600);
    site.call(post(&late)).await.expect_problem(409, "not-accepting");
    // What was taken is still the same request.
    site.call(post(&early)).await.expect(200);
    let whole = early.request().to_bytes();
    for bad in [b"".as_slice(), b"TACITREQ", &whole[..whole.len() - 1], &[whole, b"x"].concat()] {
        site.call(call(Method::POST, "/v1/requests").body(bad)).await.expect_problem(400, "malformed");
    }
}

async fn answers_that_are_not_taken(database: Database) {
    let site = site(&database).await;
    let mut p = provider(1);
    p.publish(&site).await;
    let (a, b) = (p.post(&site).await.id(), p.post(&site).await.id());
    let put = |id, bytes: &[u8]| call(Method::PUT, request_path(id, "/response")).body(bytes).signed(&p.key);
    let good = p.answer(a);
    site.call(put(b, good.to_bytes())).await.expect_problem(400, "malformed");
    let forged = provider(2).answer(a);
    site.call(put(a, forged.to_bytes())).await.expect_problem(400, "malformed");
    let mut flipped = good.to_bytes().to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    site.call(put(a, &flipped)).await.expect_problem(400, "malformed");
    site.call(put(RequestId([3; 32]), p.answer(RequestId([3; 32])).to_bytes()))
        .await
        .expect_problem(404, "not-found");
    site.call(put(a, good.to_bytes())).await.expect(201);
}

async fn bodies_that_are_too_large(database: Database) {
    let site = site_with(&database, |options| {
        options.limits.request_bytes = 1000;
        options.limits.card_bytes = 100;
        options.limits.provider_bytes = 100;
    })
    .await;
    let p = provider(1);
    let large = call(Method::POST, "/v1/requests").body(vec![0; 1001]);
    site.call(large).await.expect_problem(413, "too-large");
    // Nobody says how long it is.
    let pieces = (0..11).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(&[7; 100])));
    let chunked = http_body_util::StreamBody::new(futures_of(pieces));
    let request = Request::post("/v1/requests").body(Body::new(chunked)).unwrap();
    site.send(request).await.expect_problem(413, "too-large");
    let put = call(Method::PUT, p.path("")).body(p.card.to_json()).signed(&p.key);
    site.call(put).await.expect_problem(413, "too-large");
    let get = call(Method::GET, "/v1/cards").body(vec![0; 5000]);
    site.call(get).await.expect(200);
    let tight = site_with(&database, |options| options.limits.bytes_in_flight = 2048).await;
    let call = call(Method::POST, "/v1/requests").body(vec![0; 4096]);
    let busy = tight.call(call).await.expect_problem(503, "busy");
    assert!(busy.headers.contains_key("retry-after"));
}

/// A body of frames, one after another.
fn futures_of(
    pieces: impl Iterator<Item = Result<Bytes, std::io::Error>> + Unpin,
) -> impl futures_core::Stream<Item = Result<http_body::Frame<Bytes>, std::io::Error>> {
    struct Frames<I>(I);
    impl<I: Iterator<Item = Result<Bytes, std::io::Error>> + Unpin> futures_core::Stream for Frames<I> {
        type Item = Result<http_body::Frame<Bytes>, std::io::Error>;

        fn poll_next(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Self::Item>> {
            std::task::Poll::Ready(self.0.next().map(|piece| piece.map(http_body::Frame::data)))
        }
    }
    Frames(pieces)
}

async fn quotas(database: Database) {
    let mut p = provider(1);
    let pending: Vec<_> = (0..4).map(|_| p.seal(NOW)).collect();
    let kept = p.card.to_json().len() + p.document(NOW).to_json().len();
    let one = pending[0].request().to_bytes().len();
    let site = site_with(&database, |options| {
        let quotas = &mut options.limits.quotas;
        (quotas.waiting_per_card, quotas.cards, quotas.cards_per_owner) = (2, 2, 1);
        quotas.stored_bytes = (kept + 2 * one + 1000) as u64;
    })
    .await;
    p.publish(&site).await;
    let another = tacit_claim::testing::unsigned_card(p.card.architecture(), 77);
    let another = tacit_claim::testing::sign(another, 1);
    let put = call(Method::PUT, format!("/v1/cards/{}", another.id())).body(another.to_json()).signed(&p.key);
    site.call(put).await.expect_problem(403, "too-many-cards");
    site.call(post(&pending[0])).await.expect(201);
    site.call(post(&pending[1])).await.expect(201);
    let busy = site.call(post(&pending[2])).await.expect_problem(429, "card-busy");
    assert!(busy.headers.contains_key("retry-after"));
    // What is here already is no further request.
    site.call(post(&pending[1])).await.expect(200);
    let answer = p.answer(pending[0].id());
    let path = request_path(pending[0].id(), "/response");
    site.call(call(Method::PUT, path).body(answer.to_bytes()).signed(&p.key)).await.expect(201);
    site.call(post(&pending[2])).await.expect(201);
    let q = provider(2);
    let put = || call(Method::PUT, q.path("")).body(q.card.to_json()).signed(&q.key);
    site.call(put()).await.expect_problem(507, "full");
    let delete = call(Method::DELETE, request_path(pending[1].id(), "")).bearer(pending[1].capability());
    site.call(delete).await.expect(204);
    site.call(put()).await.expect(201);
    let r = provider(3);
    let put = call(Method::PUT, r.path("")).body(r.card.to_json()).signed(&r.key);
    site.call(put).await.expect_problem(507, "full");

    let slow = site_with(&database, |options| {
        options.limits.calls_per_address = Some(Rate::new(1, 3));
        options.trust_forwarded = true;
    })
    .await;
    let from = |address: &str| {
        Request::get("/v1/cards").header("x-forwarded-for", address).body(Body::empty()).unwrap()
    };
    for _ in 0..3 {
        slow.send(from("10.0.0.1, 192.0.2.1")).await.expect(200);
    }
    let busy = slow.send(from("10.0.0.2, 192.0.2.1")).await.expect_problem(429, "too-many-requests");
    assert_eq!(busy.headers["retry-after"], "1");
    slow.send(from("192.0.2.1, 10.0.0.2")).await.expect(200);
}

async fn expiry(database: Database) {
    let site = site(&database).await;
    let mut p = provider(1);
    p.publish(&site).await;
    let (waiting, answered) = (p.post(&site).await, p.post(&site).await);
    let answer = p.answer(answered.id());
    let path = request_path(answered.id(), "/response");
    site.call(call(Method::PUT, path.clone()).body(answer.to_bytes()).signed(&p.key)).await.expect(201);
    let before = site.relay.store().usage().await.unwrap();
    let lifetime = 7 * 86_400;
    site.pass(lifetime - 1);
    sweep_now(&site.relay).await;
    assert_eq!(site.relay.store().usage().await.unwrap(), before);
    site.pass(1);
    sweep_now(&site.relay).await;
    let after = site.relay.store().usage().await.unwrap();
    let freed = waiting.request().to_bytes().len() + answer.to_bytes().len();
    assert_eq!((after.stored_bytes + freed as u64, after.waiting), (before.stored_bytes, 0));
    assert!(p.waiting(&site).await.is_empty());
    site.call(call(Method::GET, path).bearer(answered.capability())).await.expect_problem(410, "gone");
    site.call(post(&waiting)).await.expect_problem(410, "gone");
    // In the end even the id is forgotten; the message is too old to be taken by then.
    site.pass(86_400 + 121);
    sweep_now(&site.relay).await;
    site.call(post(&waiting)).await.expect_problem(409, "not-accepting");
}

async fn nothing_resurrects(database: Database) {
    let site = site(&database).await;
    let mut p = provider(1);
    p.publish(&site).await;
    let pending = p.post(&site).await;
    site.call(call(Method::DELETE, request_path(pending.id(), "")).bearer(pending.capability()))
        .await
        .expect(204);
    for _ in 0..2 {
        site.call(post(&pending)).await.expect_problem(410, "gone");
        sweep_now(&site.relay).await;
        site.pass(60);
    }
    assert!(p.waiting(&site).await.is_empty());
    assert_eq!(site.relay.store().usage().await.unwrap().waiting, 0);
    let lease = serde_json::json!({ "worker": "aa".repeat(16), "seconds": 5 }).to_string();
    let lease = call(Method::PUT, request_path(pending.id(), "/lease")).body(lease).signed(&p.key);
    site.call(lease).await.expect_problem(410, "gone");
}
