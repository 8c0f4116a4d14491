//! What everybody between patient and provider sees, byte for byte: no record, no answer, no proof, no weights.

#![allow(clippy::unwrap_used)] // Tests may.

mod common;

use common::relay::{Provider, Proxy, Relay};
use common::{Place, data};
use tacit_claim::{Bundle, Card};
use tacit_exchange::{OpenedRequest, PendingRequest};
use tacit_model::{Model, format_decimal};

/// A plaintext, named, in one of its encodings.
struct Needle {
    name: String,
    bytes: Vec<u8>,
}

fn needle(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Needle {
    Needle { name: name.into(), bytes: bytes.into() }
}

fn found<'a>(needles: &'a [Needle], haystack: &[u8]) -> Vec<&'a str> {
    let is_there =
        |needle: &&Needle| haystack.windows(needle.bytes.len()).any(|window| window == needle.bytes);
    needles.iter().filter(is_there).map(|needle| needle.name.as_str()).collect()
}

fn varint(value: i64) -> Vec<u8> {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    let mut out = Vec::new();
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
    out
}

/// Integers in every encoding that could be meant: long enough runs, so that no chance makes one.
fn integers(name: &str, values: &[i64]) -> Vec<Needle> {
    let run = |encode: &dyn Fn(i64) -> Vec<u8>| values.iter().flat_map(|v| encode(*v)).collect::<Vec<u8>>();
    let mut needles = vec![
        needle(format!("{name}, 2 bytes little-endian"), run(&|v| (v as i16).to_le_bytes().to_vec())),
        needle(format!("{name}, 4 bytes little-endian"), run(&|v| (v as i32).to_le_bytes().to_vec())),
        needle(format!("{name}, 8 bytes little-endian"), run(&|v| v.to_le_bytes().to_vec())),
        needle(format!("{name}, 4 bytes big-endian"), run(&|v| (v as i32).to_be_bytes().to_vec())),
        needle(format!("{name}, 8 bytes big-endian"), run(&|v| v.to_be_bytes().to_vec())),
        needle(format!("{name}, zigzag varints"), run(&varint)),
        needle(format!("{name}, 4 byte floats"), run(&|v| (v as f32).to_le_bytes().to_vec())),
        needle(format!("{name}, 8 byte floats"), run(&|v| (v as f64).to_le_bytes().to_vec())),
    ];
    let text = values.iter().map(ToString::to_string).collect::<Vec<_>>();
    needles.extend([
        needle(format!("{name}, text"), text.join(",")),
        needle(format!("{name}, JSON"), text.join(", ")),
    ]);
    needles
}

/// Every run of a record's values, as integers, as decimals, as floats.
fn record_needles(card: &Card, record: &[i64]) -> Vec<Needle> {
    let mut needles = Vec::new();
    for at in 0..=record.len() - 4 {
        needles.extend(integers(&format!("record from value {at}"), &record[at..at + 4]));
    }
    let features = card.schema().features.iter().zip(record);
    let decimals: Vec<String> = features.map(|(f, v)| format_decimal(*v, f.decimals)).collect();
    for (at, pair) in decimals.windows(2).enumerate() {
        needles.push(needle(format!("record from value {at}, as written"), pair.join(",")));
        let floats: Vec<f64> = pair.iter().map(|text| text.parse().unwrap()).collect();
        let doubles: Vec<u8> = floats.iter().flat_map(|v| v.to_le_bytes()).collect();
        let singles: Vec<u8> = floats.iter().flat_map(|v| (*v as f32).to_le_bytes()).collect();
        needles.push(needle(format!("record from value {at}, doubles"), doubles));
        needles.push(needle(format!("record from value {at}, singles"), singles));
    }
    needles
}

fn answer_needles(bundle: &Bundle) -> Vec<Needle> {
    let proof = bundle.proof();
    let values = bundle.claim().output_values().unwrap();
    let mut needles: Vec<Needle> = (0..proof.len() - 16)
        .step_by(199)
        .map(|at| needle(format!("proof from byte {at}"), &proof[at..at + 16]))
        .collect();
    needles.push(needle("beginning of a proof file", *b"TACITPRF"));
    // Two small numbers alone could be there by chance in short encodings.
    needles.extend(integers("logits", values).into_iter().filter(|n| n.bytes.len() >= 6));
    needles.push(needle("context", bundle.claim().context.as_str()));
    needles.push(needle("commitment", bundle.claim().input_commitment().unwrap().as_bytes()));
    needles.push(needle("claim's digest", bundle.claim().digest().to_string()));
    needles
}

fn weight_needles(model: &Model) -> Vec<Needle> {
    let mut needles = Vec::new();
    for (i, tensor) in model.weights().tensors().iter().enumerate() {
        for (at, run) in tensor.chunks_exact(12).enumerate().step_by(5) {
            // Runs of zeros are no secret.
            if run.iter().filter(|v| **v != 0).count() > 8 {
                needles.extend(integers(&format!("weights of tensor {i}, run {at}"), run));
                let bytes: Vec<u8> = run.iter().map(|v| *v as i8 as u8).collect();
                needles.push(needle(format!("weights of tensor {i}, run {at}, bytes"), bytes));
            }
        }
    }
    needles
}

#[test]
fn nobody_between_sees_anything() {
    let relay = Relay::start();
    let proxy = Proxy::recording(&relay.url);
    let provider = Provider::published("sumcheck", &proxy.url);
    let worker = provider.worker(&proxy.url, &[]);
    let patient = Place::new();
    let class = "malignant";
    provider.send(&patient, &proxy.url, "0").ok();
    let received = patient.tacit("patient receive request.secret -o diagnosis.proof --keep", &[]).ok();
    assert!(received.out.contains(class), "{received:?}");
    let log = worker.log.lock().unwrap().clone();

    let pending = PendingRequest::from_bytes(&patient.read("request.secret")).unwrap();
    let bundle = Bundle::from_bytes(&patient.read("diagnosis.proof")).unwrap();
    let model = Model::from_bytes(&provider.place.read("diagnosis.tacit")).unwrap();
    let record = record_needles(pending.card(), &pending.input().record);
    let (answer, weights) = (answer_needles(&bundle), weight_needles(&model));
    let token = pending.capability().to_bearer();
    let salt = pending.input().commitments[&pending.engine()].salt.expose().to_vec();

    // The needles are found where they are: in what is sealed, in the proof, in the model.
    let plain = pending.to_bytes();
    assert!(found(&record, &plain).iter().any(|name| name.ends_with("zigzag varints")));
    let key = tacit_claim::OwnerKey::from_text(&provider.place.read("clinic/owner.key")).unwrap();
    let store = tacit_client::provider::PrekeyStore::beside(
        &provider.place.path("clinic/owner.key"),
        pending.card().id(),
    );
    let prekeys = store.load(&key).unwrap();
    let prekey = prekeys.get(pending.request().header().prekey_id).unwrap();
    let opened = OpenedRequest::open(pending.request(), prekey).unwrap();
    assert_eq!(opened.input().record, pending.input().record, "this very record is what was sent");
    let proof = found(&answer, &patient.read("diagnosis.proof"));
    assert!(proof.len() > bundle.proof().len() / 199 && proof.contains(&"context"), "{proof:?}");
    assert!(!found(&weights, &provider.place.read("diagnosis.tacit")).is_empty());
    let first = std::fs::read(data("test.csv")).unwrap();
    assert!(found(&record, &first).iter().any(|name| name.ends_with("as written")));

    let (seen, stored) = (proxy.seen.lock().unwrap().clone(), relay.stored());
    assert!(seen.len() > 50_000 && stored.len() > 50_000, "both directions and the database were kept");
    for message in [pending.request().to_bytes(), &patient.read("request.secret.response")] {
        for place in [&seen, &stored] {
            assert!(
                place.windows(64).any(|window| window == &message[200..264]),
                "the sealed message is there"
            );
        }
    }
    for (place, bytes) in [("traffic", &seen), ("store", &stored), ("worker's log", &log.into_bytes())] {
        assert_eq!(found(&record, bytes), [""; 0], "record in the {place}");
        assert_eq!(found(&answer, bytes), [""; 0], "answer in the {place}");
        assert_eq!(found(&weights, bytes), [""; 0], "weights in the {place}");
        assert_eq!(found(&[needle("salt", salt.clone())], bytes), [""; 0], "salt in the {place}");
    }
    // The card names its classes; but for cards, the class occurs nowhere.
    let card = pending.card().to_json();
    for (place, bytes) in [("traffic", &seen), ("store", &stored)] {
        let at =
            bytes.windows(class.len()).enumerate().filter(|(_, w)| *w == class.as_bytes()).map(|(at, _)| at);
        let around: Vec<&[u8]> = at.map(|at| &bytes[at - 9..at + class.len() + 2]).collect();
        assert!(!around.is_empty(), "the card is in the {place}");
        for text in around {
            assert!(count(card, text) > 0, "{:?} in the {place}", String::from_utf8_lossy(text));
        }
    }
    // The token that fetches the answer goes over the wire and is kept nowhere.
    assert!(count(&seen, token.as_bytes()) > 0 && count(&stored, token.as_bytes()) == 0);
}

fn count(haystack: &[u8], needle: &[u8]) -> usize {
    haystack.windows(needle.len()).filter(|window| *window == needle).count()
}
