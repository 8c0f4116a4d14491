//! Relays and providers that lie, and records that cannot be answered: refused, with the reason.

#![allow(clippy::unwrap_used)] // Tests may.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use common::relay::{Provider, Proxy, Relay};
use common::{Place, data};
use rand_core::OsRng;
use tacit_claim::{Card, EngineId, InputOpening, OwnerKey, WeightsOpening};
use tacit_client::provider::{PrekeyStore, ProviderModel};
use tacit_client::{ClientOptions, PlainHttp, RelayAddress, RelayClient};
use tacit_core::{DataFolder, Silent, commit_input};
use tacit_exchange::{Answer, Ask, OpenedRequest, PendingRequest, ProviderDocument, SealedRequest};
use tacit_model::Model;

const RECEIVE: &str = "patient receive request.secret -o diagnosis.proof --wait 20";

/// One relay and one provider for every test of this file.
fn stage() -> &'static (Relay, Provider) {
    static STAGE: OnceLock<(Relay, Provider)> = OnceLock::new();
    STAGE.get_or_init(|| {
        let relay = Relay::start();
        let provider = Provider::published("sumcheck", &relay.url);
        (relay, provider)
    })
}

fn client(url: &str) -> RelayClient {
    let address = RelayAddress::parse(url, PlainHttp::LoopbackOnly).unwrap();
    RelayClient::new(address, &ClientOptions::default()).unwrap()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn card(provider: &Provider) -> Card {
    Card::from_json(&provider.place.read("card/card.json")).unwrap()
}

fn key(provider: &Provider) -> OwnerKey {
    OwnerKey::from_text(&provider.place.read("clinic/owner.key")).unwrap()
}

/// A patient whose request was answered, through a relay that changes the answer.
fn lied_to(change: impl Fn(&mut Vec<u8>) + Send + Sync + 'static) -> (Place, Proxy) {
    let (relay, provider) = stage();
    let proxy = Proxy::lying(&relay.url, move |first, status, body| {
        if first.starts_with("GET /v1/requests/") && first.contains("/response") && status.contains(" 200 ") {
            change(body);
        }
    });
    let patient = Place::new();
    provider.send(&patient, &proxy.url, "0").ok();
    provider.work_once(&relay.url).ok();
    (patient, proxy)
}

#[test]
fn an_altered_answer_is_refused_wherever_it_was_altered() {
    // What to do with the answer comes from outside, so that one request serves every alteration.
    type Alteration = Box<dyn Fn(&mut Vec<u8>) + Send>;
    let alteration: Arc<Mutex<Alteration>> = Arc::new(Mutex::new(Box::new(|_| {})));
    let current = alteration.clone();
    let (patient, _proxy) = lied_to(move |body| current.lock().unwrap()(body));
    let flip = |at: fn(usize) -> usize| -> Alteration {
        Box::new(move |body| {
            let at = at(body.len());
            body[at] ^= 1;
        })
    };
    let alterations: Vec<(&str, Alteration)> = vec![
        ("the magic", flip(|_| 0)),
        ("the kind", flip(|_| 10)),
        ("the request's id", flip(|_| 20)),
        ("the encapsulated key", flip(|_| 100)),
        ("the sealed body", flip(|n| n / 2)),
        ("the signature", flip(|n| n - 1)),
        ("the end, cut off", Box::new(|body| body.truncate(body.len() - 1))),
        ("half of it, cut off", Box::new(|body| body.truncate(body.len() / 2))),
        ("everything, cut off", Box::new(Vec::clear)),
        ("a byte more", Box::new(|body| body.push(0))),
        ("another text", Box::new(|body| *body = b"<html>sign in</html>".to_vec())),
    ];
    for (what, change) in alterations {
        *alteration.lock().unwrap() = change;
        let run = patient.tacit(RECEIVE, &[]).fails(1, &["not the provider's answer", "do not rely on it"]);
        assert!(!run.err.contains("malignant"), "{what}: {run:?}");
        assert_eq!(patient.files(), ["request.secret"], "{what}");
    }
    // Nothing is lost by it.
    *alteration.lock().unwrap() = Box::new(|_| {});
    patient.tacit(RECEIVE, &[]).ok();
    assert_eq!(patient.files(), ["diagnosis.proof", "request.secret", "request.secret.response"]);
    // Damaged on the patient's own disk: the relay no longer has it.
    let mut kept = patient.read("request.secret.response");
    let middle = kept.len() / 2;
    kept[middle] ^= 1;
    patient.write("request.secret.response", kept);
    patient.tacit(&format!("{RECEIVE} --force"), &[]).fails(2, &["has deleted the request"]);
    patient.tacit("patient prove-to request.secret -o x", &[]).fails(1, &["not the provider's answer"]);
}

#[test]
fn an_answer_to_another_request_is_refused() {
    let (relay, provider) = stage();
    let stolen = Arc::new(Mutex::new(None::<Vec<u8>>));
    let (first, _proxy) = lied_to({
        let stolen = stolen.clone();
        move |body| *stolen.lock().unwrap() = Some(body.clone())
    });
    first.tacit(RECEIVE, &[]).ok();
    let replayed = stolen.lock().unwrap().clone().unwrap();
    let (second, _proxy) = lied_to(move |body| body.clone_from(&replayed));
    second.tacit(RECEIVE, &[]).fails(1, &["the answer is for request"]);
    assert_eq!(second.files(), ["request.secret"]);
    let _ = (relay, provider);
}

#[test]
fn another_card_under_the_same_name_is_refused() {
    let (relay, provider) = stage();
    let swapped = card(&common_other()).to_json().to_vec();
    let path = format!("GET /v1/cards/{} ", provider.card);
    let proxy = Proxy::lying(&relay.url, move |first, _, body| {
        if first.starts_with(&path) {
            body.clone_from(&swapped);
        }
    });
    let patient = Place::new();
    let run = provider.send(&patient, &proxy.url, "0");
    run.fails(1, &["something else than card", "do not send anything"]);
    assert!(patient.files().is_empty());
    // The other card's document in the place of this one's.
    let document = other_document();
    let path = format!("GET /v1/cards/{}/provider ", provider.card);
    let proxy = Proxy::lying(&relay.url, move |first, _, body| {
        if first.starts_with(&path) {
            body.clone_from(&document);
        }
    });
    provider.send(&patient, &proxy.url, "0").fails(1, &["provider.json is about card"]);
    assert!(patient.files().is_empty());
}

/// Another provider of the same relay.
fn common_other() -> Provider {
    Provider::published("sumcheck", &stage().0.url)
}

fn other_document() -> Vec<u8> {
    let other = common_other();
    client(&stage().0.url).provider(card(&other).id()).unwrap().unwrap()
}

/// Leaves a request at the relay that `tacit patient send` would not make.
fn post(
    patient: &Place,
    change: impl FnOnce(&Card, &mut InputOpening),
    created_at: Option<u64>,
) -> PendingRequest {
    let (relay, provider) = stage();
    let (card, client) = (card(provider), client(&relay.url));
    let document = ProviderDocument::from_json(&client.provider(card.id()).unwrap().unwrap()).unwrap();
    let middle = card.schema().features.iter().map(|f| (f.min + f.max) / 2).collect();
    let mut input = commit_input(&card, middle, &mut OsRng).unwrap();
    change(&card, &mut input);
    let now = created_at.unwrap_or_else(now);
    let prekey = document.prekey_at(now).unwrap();
    let ask = Ask { card: &card, prekey, engine: EngineId::Sumcheck, input: &input, now };
    let pending = ask.seal(relay.url.clone(), &mut OsRng).unwrap();
    client.post_request(pending.id(), pending.request().to_bytes()).unwrap();
    patient.write("request.secret", &*pending.to_bytes());
    pending
}

#[test]
fn what_the_provider_refuses_the_patient_alone_reads() {
    let (relay, provider) = stage();
    let refused = |change: fn(&Card, &mut InputOpening), texts: &[&str]| {
        let patient = Place::new();
        post(&patient, change, None);
        let run = provider.work_once(&relay.url).ok();
        assert!(run.err.contains(" refused in ") && run.out.contains("refused       1"), "{run:?}");
        // The worker's log says nothing of the record, nor why.
        for text in texts.iter().chain(&["mean radius", "99.999"]) {
            assert!(!run.err.contains(text) && !run.out.contains(text), "{text}: {run:?}");
        }
        for _ in 0..2 {
            // The second time from the patient's own disk.
            patient.tacit(RECEIVE, &[]).fails(2, &[&["the provider refused"], texts].concat());
            assert_eq!(patient.files(), ["request.secret", "request.secret.response"]);
        }
    };
    refused(
        |card, input| input.record[0] = card.schema().features[0].max + 1,
        &["`mean radius` is ", "outside the range that the card allows", "correct the record"],
    );
    refused(|_, input| input.record[3] += 1, &["do not open the commitment"]);
    refused(
        |_, input| {
            input.record.pop();
        },
        &["the record has 29 values; the model takes 30"],
    );
    refused(|_, input| input.schema_digest.0[0] ^= 1, &["another schema"]);
}

#[test]
fn a_refusal_looks_like_an_answer() {
    let (relay, provider) = stage();
    let size = |patient: &Place, pending: &PendingRequest| {
        provider.work_once(&relay.url).ok();
        let fetched = client(&relay.url)
            .response(pending.id(), pending.capability(), std::time::Duration::ZERO)
            .unwrap();
        let tacit_client::Fetched::Answer(bytes) = fetched else { panic!("no answer") };
        let _ = patient;
        bytes.len()
    };
    let patient = Place::new();
    let good = post(&patient, |_, _| {}, None);
    let good = size(&patient, &good);
    let bad = post(&patient, |_, input| input.record[3] += 1, None);
    assert_eq!(size(&patient, &bad), good);
}

#[test]
fn a_valid_proof_for_somebody_elses_record_has_an_error_of_its_own() {
    let (relay, provider) = stage();
    let (client, key) = (client(&relay.url), key(provider));
    let model = ProviderModel {
        model: Model::from_bytes(&provider.place.read("diagnosis.tacit")).unwrap(),
        card: card(provider),
        points: None,
        opening: Some(WeightsOpening::from_bytes(&provider.place.read("card/opening.secret")).unwrap()),
        folder: DataFolder::new(provider.place.path(".home/tacit")),
    };
    let store = PrekeyStore::beside(&provider.place.path("clinic/owner.key"), model.card.id());
    // A provider that proves what it likes and has every key.
    let answer = |patient: &Place, own_record: bool, own_context: bool| {
        let pending = post(patient, |_, _| {}, None);
        let bytes = client.request(pending.id(), &key).unwrap().unwrap();
        let request = SealedRequest::from_bytes(&bytes).unwrap();
        let prekeys = store.load(&key).unwrap();
        let opened = OpenedRequest::open(&request, prekeys.get(request.header().prekey_id).unwrap()).unwrap();
        let other = model.card.schema().features.iter().map(|f| f.max).collect();
        let other = commit_input(&model.card, other, &mut OsRng).unwrap();
        let input = if own_record { opened.input() } else { other };
        let context = if own_context { opened.context() } else { "request 7".parse().unwrap() };
        let proved = model.prove(EngineId::Sumcheck, &input, context, &mut OsRng, &Silent).unwrap();
        let sealed = opened.answer(&Answer::Proved(proved.bundle), 0, &key, &mut OsRng).unwrap();
        client.put_response(pending.id(), sealed.to_bytes(), &key).unwrap();
    };
    let patient = Place::new();
    answer(&patient, false, true);
    patient
        .tacit(RECEIVE, &[])
        .fails(1, &["a valid proof for somebody else's record", "do not rely on this answer"]);
    assert!(!patient.path("diagnosis.proof").exists());
    answer(&patient, true, false);
    patient.tacit(RECEIVE, &[]).fails(1, &["made for another request"]);
    assert!(!patient.path("diagnosis.proof").exists());
    answer(&patient, true, true);
    patient.tacit(RECEIVE, &[]).ok();
}

/// What is signed cannot have been altered on its way: it is the provider who is told of it.
#[test]
fn what_the_provider_signed_is_its_own_fault() {
    let (relay, provider) = stage();
    let (client, key) = (client(&relay.url), key(provider));
    let patient = Place::new();
    let pending = post(&patient, |_, _| {}, None);
    let bytes = client.request(pending.id(), &key).unwrap().unwrap();
    let request = SealedRequest::from_bytes(&bytes).unwrap();
    let store = PrekeyStore::beside(&provider.place.path("clinic/owner.key"), card(provider).id());
    let prekeys = store.load(&key).unwrap();
    let opened = OpenedRequest::open(&request, prekeys.get(request.header().prekey_id).unwrap()).unwrap();
    let refusal = Answer::Refused(tacit_exchange::Refusal::Failed);
    let sealed = opened.answer(&refusal, 0, &key, &mut OsRng).unwrap();
    let (signed, _) = sealed.to_bytes().split_last_chunk::<64>().unwrap();
    let mut signed = signed.to_vec();
    *signed.last_mut().unwrap() ^= 1;
    let signature = key.sign("tacit/exchange/response/1", &signed);
    signed.extend_from_slice(&signature.0);
    client.put_response(pending.id(), &signed, &key).unwrap();
    let run = patient.tacit(RECEIVE, &[]);
    let run = run.fails(1, &["is signed by the provider and cannot be read", "tell the provider"]);
    assert!(!run.err.contains("the relay is wrong or lies"), "{run:?}");

    // A range that the provider makes up.
    let patient = Place::new();
    let pending = post(&patient, |_, _| {}, None);
    let bytes = client.request(pending.id(), &key).unwrap().unwrap();
    let request = SealedRequest::from_bytes(&bytes).unwrap();
    let opened = OpenedRequest::open(&request, prekeys.get(request.header().prekey_id).unwrap()).unwrap();
    let refusal = Answer::Refused(tacit_exchange::Refusal::OutOfRange { feature: 0, value: 7 });
    let sealed = opened.answer(&refusal, 0, &key, &mut OsRng).unwrap();
    client.put_response(pending.id(), sealed.to_bytes(), &key).unwrap();
    let run = patient.tacit(RECEIVE, &[]).fails(2, &["refused for no reason", "tell the provider"]);
    assert!(!run.err.contains("correct the record"), "{run:?}");
}

#[test]
fn an_endless_list_is_followed_at_leisure() {
    // A relay of its own: nobody else answers what waits here.
    let relay = Relay::start();
    let provider = Provider::published("sumcheck", &relay.url);
    let asked = Arc::new(AtomicUsize::new(0));
    let (count, path) = (asked.clone(), format!("GET /v1/cards/{}/requests?", provider.card));
    let endless = Proxy::lying(&relay.url, move |first, status, body| {
        if first.starts_with(&path) {
            let n = count.fetch_add(1, Ordering::Relaxed);
            "HTTP/1.1 200 OK".clone_into(status);
            *body = format!(r#"{{"requests":[{{"id":"{n:064x}","size":9}}],"next":"{n}"}}"#).into_bytes();
        }
    });
    let worker = provider.worker(&endless.url, &["--once"]);
    std::thread::sleep(std::time::Duration::from_secs(4));
    let asked = asked.load(Ordering::Relaxed);
    assert!((2..=20).contains(&asked), "{asked} pages in four seconds");
    worker.signal("TERM");
    worker.end().ok();
}

#[test]
fn a_record_out_of_range_is_not_even_sent() {
    let (relay, provider) = stage();
    let patient = Place::new();
    let csv = std::fs::read_to_string(data("test.csv")).unwrap();
    let mut lines = csv.lines();
    let (header, first) = (lines.next().unwrap(), lines.next().unwrap());
    let column = header.split(',').position(|name| name == "mean radius").unwrap();
    let cells: Vec<&str> =
        first.split(',').enumerate().map(|(i, cell)| if i == column { "99999" } else { cell }).collect();
    patient.write("record.csv", format!("{header}\n{}\n", cells.join(",")));
    let line = "patient send --relay {} --card {} --pin {} --input record.csv -o request.secret";
    let run = patient.tacit(line, &[&relay.url, &provider.card, &provider.pin]);
    run.fails(2, &["mean radius", "99999"]);
    assert_eq!(patient.files(), ["record.csv"]);
}
