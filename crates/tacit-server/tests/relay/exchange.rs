//! What the relay does for those who keep to the rules, over both databases.

use std::time::{Duration, Instant};

use crate::common::{self, Database, call, post, provider, request_path, site};
use axum::http::Method;
use serde_json::json;

on_both!(a_card_and_what_belongs_to_it, a_request_from_end_to_end, leases, waits_are_woken, cards_are_listed);

async fn a_card_and_what_belongs_to_it(database: Database) {
    let site = site(&database).await;
    let p = provider(1);
    site.get(p.path("")).await.expect_problem(404, "not-found");
    let put = || call(Method::PUT, p.path("")).body(p.card.to_json()).signed(&p.key);
    site.call(put()).await.expect(201);
    site.call(put()).await.expect(200);
    let got = site.get(p.path("")).await.expect(200);
    assert_eq!(got.body, p.card.to_json());
    assert_eq!(got.headers["content-type"], "application/json");
    assert_eq!(got.headers["x-content-type-options"], "nosniff");

    site.get(p.path("/provider")).await.expect_problem(404, "not-found");
    let put = |at| call(Method::PUT, p.path("/provider")).body(p.document(at).to_json()).signed(&p.key);
    let now = site.now();
    site.call(put(now - 10)).await.expect(201);
    site.call(put(now - 10)).await.expect(200);
    site.call(put(now - 11)).await.expect_problem(409, "older-document");
    site.call(put(now - 9)).await.expect(200);
    site.call(put(now + 1000)).await.expect_problem(400, "malformed");
    assert_eq!(site.get(p.path("/provider")).await.expect(200).body, p.document(now - 9).to_json());

    site.get(p.path("/points")).await.expect_problem(404, "not-found");
    let wrong = tacit_claim::CardPoints::new(vec![1; 64], b"another certificate".to_vec()).unwrap();
    let put = |bytes: Vec<u8>| call(Method::PUT, p.path("/points")).body(bytes).signed(&p.key);
    site.call(put(wrong.to_bytes())).await.expect_problem(400, "malformed");
    site.call(put(b"nonsense".to_vec())).await.expect_problem(400, "malformed");
    // The made-up card's certificate is the digest of these bytes.
    let right =
        tacit_claim::CardPoints::new(vec![1; 64], tacit_claim::testing::bytes(1 ^ 3).to_vec()).unwrap();
    site.call(put(right.to_bytes())).await.expect(201);
    site.call(put(right.to_bytes())).await.expect(200);
    assert_eq!(site.get(p.path("/points")).await.expect(200).body, right.to_bytes());
}

async fn a_request_from_end_to_end(database: Database) {
    let site = site(&database).await;
    let mut p = provider(1);
    p.publish(&site).await;
    let pending = p.seal(site.now());
    let posted = site.call(post(&pending)).await.expect(201);
    assert_eq!(posted.json(), json!({ "id": pending.id().to_string() }));
    assert_eq!(site.call(post(&pending)).await.expect(200).json(), posted.json());
    assert_eq!(p.waiting(&site).await, [pending.id().to_string()]);

    let sealed =
        site.call(call(Method::GET, request_path(pending.id(), "")).signed(&p.key)).await.expect(200);
    assert_eq!(sealed.body, pending.request().to_bytes());
    let fetch = || call(Method::GET, request_path(pending.id(), "/response")).bearer(pending.capability());
    assert_eq!(site.call(fetch()).await.expect(204).headers["retry-after"], "1");

    let answer = p.answer(pending.id());
    let put =
        |bytes: &[u8]| call(Method::PUT, request_path(pending.id(), "/response")).body(bytes).signed(&p.key);
    site.call(put(answer.to_bytes())).await.expect(201);
    site.call(put(answer.to_bytes())).await.expect(200);
    site.call(put(p.other_answer(pending.id()).to_bytes())).await.expect_problem(409, "other-response");
    assert_eq!(site.call(fetch()).await.expect(200).body, answer.to_bytes());
    assert!(p.waiting(&site).await.is_empty());
    site.call(post(&pending)).await.expect(200);
    site.call(call(Method::GET, request_path(pending.id(), "")).signed(&p.key))
        .await
        .expect_problem(410, "gone");

    let delete = || call(Method::DELETE, request_path(pending.id(), "")).bearer(pending.capability());
    site.call(delete()).await.expect(204);
    site.call(delete()).await.expect(204);
    site.call(fetch()).await.expect_problem(410, "gone");
    site.call(post(&pending)).await.expect_problem(410, "gone");
    site.call(put(answer.to_bytes())).await.expect_problem(410, "gone");
    let usage = site.relay.store().usage().await.unwrap();
    let kept = p.card.to_json().len() + p.document(common::NOW).to_json().len();
    assert_eq!((usage.stored_bytes, usage.waiting, usage.cards), (kept as u64, 0, 1));
}

async fn leases(database: Database) {
    let site = site(&database).await;
    let mut p = provider(1);
    p.publish(&site).await;
    let id = p.post(&site).await.id();
    let (a, b) = ("aa".repeat(16), "bb".repeat(16));
    let path = request_path(id, "/lease");
    let put = |worker: &str, seconds: u64| {
        let body = json!({ "worker": worker, "seconds": seconds }).to_string();
        call(Method::PUT, path.clone()).body(body).signed(&p.key)
    };
    let held = site.call(put(&a, 30)).await.expect(200);
    assert_eq!(held.json(), json!({ "expires_at": site.now() + 30 }));
    assert!(p.waiting(&site).await.is_empty());
    let refused = site.call(put(&b, 30)).await.expect_problem(409, "leased");
    assert_eq!(refused.headers["retry-after"], "30");
    site.pass(20);
    site.call(put(&a, 30)).await.expect(200);
    site.pass(20);
    site.call(put(&b, 30)).await.expect_problem(409, "leased");
    site.pass(10);
    assert_eq!(p.waiting(&site).await, [id.to_string()]);
    site.call(put(&b, 30)).await.expect(200);
    let release = |worker: &str| call(Method::DELETE, format!("{path}?worker={worker}")).signed(&p.key);
    site.call(release(&a)).await.expect_problem(409, "leased");
    site.call(release(&b)).await.expect(204);
    site.call(release(&b)).await.expect(204);
    let body = json!({ "worker": b }).to_string();
    site.call(call(Method::DELETE, path.clone()).body(body).signed(&p.key)).await.expect(204);
    assert_eq!(p.waiting(&site).await.len(), 1);
    for (worker, seconds) in [("AA".repeat(16).as_str(), 30), ("aa", 30), (&a, 0), (&a, 601)] {
        site.call(put(worker, seconds)).await.expect_problem(400, "malformed");
    }
    let unknown = tacit_exchange::RequestId([7; 32]);
    let body = json!({ "worker": a, "seconds": 3 }).to_string();
    let lease = call(Method::PUT, request_path(unknown, "/lease")).body(body).signed(&p.key);
    site.call(lease).await.expect_problem(404, "not-found");
    // Whoever answers needs no lease; afterwards there is none to have.
    let answer = p.answer(id);
    let put_answer = call(Method::PUT, request_path(id, "/response")).body(answer.to_bytes()).signed(&p.key);
    site.call(put_answer).await.expect(201);
    site.call(put(&a, 30)).await.expect_problem(410, "gone");
}

async fn waits_are_woken(database: Database) {
    let site = site(&database).await;
    let mut p = provider(1);
    p.publish(&site).await;
    let began = Instant::now();
    let key = p.key.clone();
    let list = call(Method::GET, p.path("/requests?wait=30")).signed(&key);
    let (list, pending) = tokio::join!(site.call(list), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let pending = p.seal(site.now());
        site.call(post(&pending)).await.expect(201);
        pending
    });
    assert_eq!(list.expect(200).json()["requests"][0]["id"], pending.id().to_string());
    let wait =
        call(Method::GET, request_path(pending.id(), "/response?wait=30")).bearer(pending.capability());
    let answer = p.answer(pending.id());
    let put =
        call(Method::PUT, request_path(pending.id(), "/response")).body(answer.to_bytes()).signed(&p.key);
    let (got, ()) = tokio::join!(site.call(wait), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        site.call(put).await.expect(201);
    });
    assert_eq!(got.expect(200).body, answer.to_bytes());
    // The end of the relay ends every wait.
    let (list, ()) =
        tokio::join!(site.call(call(Method::GET, p.path("/requests?wait=60")).signed(&p.key)), async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            site.relay.stop();
        });
    assert_eq!(list.expect(200).json(), json!({ "requests": [], "next": null }));
    assert!(began.elapsed() < Duration::from_secs(10));
}

async fn cards_are_listed(database: Database) {
    let site = site(&database).await;
    assert_eq!(site.get("/v1/cards").await.expect(200).json(), json!({ "cards": [], "next": null }));
    for seed in 0..5 {
        let p = provider(seed);
        if seed == 3 {
            p.publish(&site).await;
        } else {
            let put = call(Method::PUT, p.path("")).body(p.card.to_json()).signed(&p.key);
            site.call(put).await.expect(201);
        }
    }
    let first = site.get("/v1/cards?limit=3").await.expect(200).json();
    let p = provider(0);
    assert_eq!(
        first["cards"][0],
        json!({
            "id": p.card.id().to_string(),
            "name": "model 0",
            "owner": p.key.public().fingerprint().to_string(),
            "engines": ["sumcheck", "halo2"],
            "weights": "hidden",
            "published_at": common::NOW,
            "accepts_requests": false,
        })
    );
    let next = first["next"].as_str().unwrap();
    let second = site.get(format!("/v1/cards?after={next}&limit=2")).await.expect(200).json();
    assert_eq!(second["cards"].as_array().unwrap().len(), 2);
    assert_eq!(second["cards"][0]["accepts_requests"], true);
    assert_eq!(second["next"], json!(null));
    site.pass(3600);
    assert_eq!(site.get("/v1/cards").await.json()["cards"][3]["accepts_requests"], false);
}
