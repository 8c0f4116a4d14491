//! A client against a server that says what a test has written down for it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tacit_claim::OwnerKey;
use tacit_exchange::{Capability, RequestId, http_signature};
use zeroize::Zeroizing;

use super::*;

/// Answers one connection after the other with the texts, and keeps what was asked.
fn server(answers: &[&str]) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (answers, kept) = (answers.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>(), asked.clone());
    std::thread::spawn(move || {
        for answer in answers {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = n.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            kept.lock().unwrap().push(head);
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    (address, asked)
}

fn http(status: &str, fields: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{fields}connection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn client(address: &str) -> RelayClient {
    let address = RelayAddress::parse(address, PlainHttp::LoopbackOnly).unwrap();
    let quick = Duration::from_millis(5);
    let patience = Patience { total: Duration::from_secs(10), first: quick, most: quick };
    RelayClient::new(address, &ClientOptions { patience, ..ClientOptions::default() }).unwrap()
}

fn key() -> OwnerKey {
    OwnerKey::from_seed(&Zeroizing::new([7; 32]))
}

const ID: RequestId = RequestId([9; 32]);
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

#[test]
fn what_passes_is_tried_again_and_signed_anew() {
    let good = http("201 Created", "", "");
    let (address, asked) = server(&[BUSY, BUSY, &good]);
    assert_eq!(client(&address).put_response(ID, b"sealed", &key()), Ok(Handed::Kept));
    let asked = asked.lock().unwrap();
    let host = address.strip_prefix("http://").unwrap();
    let path = format!("/v1/requests/{ID}/response");
    let signed =
        http_signature::Signed { method: "PUT", authority: host, path: &path, query: None, body: b"sealed" };
    let nonces: std::collections::BTreeSet<_> = asked
        .iter()
        .map(|head| {
            let fields: Vec<(String, String)> = head
                .lines()
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect();
            let get = |name: &'static str| fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
            let input = http_signature::parse(get).unwrap();
            input.verify(&key().public(), &signed).unwrap();
            input.nonce
        })
        .collect();
    assert_eq!(nonces.len(), 3, "a nonce is never used twice");
}

#[test]
fn refusals_are_not_repeated_and_say_why() {
    let problem = r#"{"type":"about:blank","title":"Too large","detail":"at most 9 bytes","status":413}"#;
    let (address, asked) = server(&[&http("413 Payload Too Large", "", problem)]);
    let refused = client(&address).post_request(ID, b"sealed").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the relay refused to take the request: Too large (413): at most 9 bytes"
    );
    assert_eq!(asked.lock().unwrap().len(), 1);
    for (status, lease, handed) in
        [("409 Conflict", Lease::Another, Handed::AnotherThere), ("410 Gone", Lease::Gone, Handed::Gone)]
    {
        let answer = http(status, "", "");
        let (address, _) = server(&[&answer, &answer]);
        let client = client(&address);
        assert_eq!(client.lease(ID, &WorkerId::random(), 30, &key()), Ok(lease));
        assert_eq!(client.put_response(ID, b"", &key()), Ok(handed));
    }
}

#[test]
fn a_redirect_is_never_followed() {
    let (elsewhere, lured) = server(&[&http("200 OK", "", "")]);
    let away = http("307 Temporary Redirect", &format!("location: {elsewhere}/\r\n"), "");
    let (address, asked) = server(&[&away, &away]);
    let client = client(&address);
    let capability = Capability::new([3; 32]);
    let redirected = client.response(ID, &capability, Duration::ZERO).unwrap_err();
    assert!(matches!(&redirected, RelayError::Redirect { status: 307, .. }), "{redirected:?}");
    assert!(matches!(client.card(tacit_claim::CardId([1; 32])), Err(RelayError::Redirect { .. })));
    assert!(asked.lock().unwrap()[0].contains(&*capability.to_bearer()));
    assert!(lured.lock().unwrap().is_empty());
}

#[test]
fn the_capability_stands_in_no_error_and_no_url() {
    let capability = Capability::new([3; 32]);
    let token = capability.to_bearer();
    let (address, asked) = server(&[&http("401 Unauthorized", "", "")]);
    let refused = client(&address).delete(ID, &capability).unwrap_err();
    assert!(!format!("{refused} {refused:?}").contains(&*token));
    assert!(!asked.lock().unwrap()[0].lines().next().unwrap().contains(&*token));
}

#[test]
fn answers_are_bounded() {
    let long = "x".repeat(5000);
    let (address, _) = server(&[&http("201 Created", "", &long)]);
    assert!(matches!(client(&address).post_request(ID, b"x"), Err(RelayError::TooLarge { max: 4096, .. })));
    let (address, _) = server(&[&http("201 Created", "", r#"{"id":"zz"}"#)]);
    assert!(matches!(client(&address).post_request(ID, b"x"), Err(RelayError::Unexpected { .. })));
    let other = format!(r#"{{"id":"{}"}}"#, RequestId([8; 32]));
    let (address, _) = server(&[&http("201 Created", "", &other)]);
    assert!(matches!(client(&address).post_request(ID, b"x"), Err(RelayError::Unexpected { .. })));
}

#[test]
fn what_the_relay_asks_for_is_waited_for_within_patience() {
    let later = http("429 Too Many Requests", "retry-after: 3600\r\n", "");
    let (address, asked) = server(&[&later]);
    let refused = client(&address).post_request(ID, b"x").unwrap_err();
    assert_eq!(refused.status(), Some(429));
    assert!(refused.advice().unwrap().contains("3600 seconds"));
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[test]
fn nobody_there_is_an_error_of_its_own() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = client(&format!("http://{free}")).with_patience(Patience::NONE);
    let failed = client.post_request(ID, b"x").unwrap_err();
    assert!(matches!(failed, RelayError::Unreachable { .. }), "{failed:?}");
}

#[test]
fn an_answer_may_be_pending_there_or_unknown() {
    let (address, _) = server(&[
        "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n",
        &http("200 OK", "", "sealed"),
        &http("404 Not Found", "", ""),
    ]);
    let (client, capability) = (client(&address), Capability::new([3; 32]));
    let fetch = || client.response(ID, &capability, Duration::ZERO).unwrap();
    assert!(matches!(fetch(), Fetched::Pending));
    assert!(matches!(fetch(), Fetched::Answer(bytes) if bytes == b"sealed"));
    assert!(matches!(fetch(), Fetched::Unknown));
}

#[test]
fn authorities_must_be_certificates() {
    let address = RelayAddress::parse("https://relay.example", PlainHttp::LoopbackOnly).unwrap();
    for bad in [&b""[..], b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", b"text"] {
        let options = ClientOptions { authorities: Some(bad.to_vec()), ..ClientOptions::default() };
        assert!(matches!(RelayClient::new(address.clone(), &options), Err(RelayError::Unusable(_))));
    }
}
