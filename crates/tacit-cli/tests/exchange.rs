//! Patient, relay and provider, by real processes on loopback: the whole story, and what goes wrong in it.

#![allow(clippy::unwrap_used)] // Tests may.

mod common;

use std::time::Duration;

use common::relay::{Process, Provider, Proxy, Relay};
use common::{Place, data, with_every_engine};
use serde_json::Value;
use tacit_claim::{Card, CardId, OwnerKey};
use tacit_client::{ClientOptions, PlainHttp, RelayAddress, RelayClient, WorkerId};
use tacit_exchange::{PendingRequest, Prekeys};

with_every_engine! {
    a_patient_gets_a_diagnosis_and_proves_it_to_somebody_else,
}

const RECEIVE: &str = "patient receive request.secret -o diagnosis.proof --wait 60";

fn flags(engine: &str) -> String {
    format!("{RECEIVE}{}", common::flags(engine))
}

fn client(url: &str) -> RelayClient {
    let address = RelayAddress::parse(url, PlainHttp::LoopbackOnly).unwrap();
    RelayClient::new(address, &ClientOptions::default()).unwrap()
}

fn a_patient_gets_a_diagnosis_and_proves_it_to_somebody_else(engine: &str) {
    let relay = Relay::start();
    let provider = Provider::published(engine, &relay.url);
    let worker = provider.worker(&relay.url, &[]);
    let patient = Place::new();
    common::prepare(&patient, engine);
    let sent = provider.send(&patient, &relay.url, "0").ok();
    assert!(
        sent.out.contains("Sent a sealed record") && sent.err.contains("tacit patient receive"),
        "{sent:?}"
    );
    let received = patient.tacit(&flags(engine), &[]).ok();
    assert!(received.out.starts_with("HOLDS\n") && received.out.contains("class malignant"), "{received:?}");
    assert_eq!(patient.files(), ["diagnosis.proof", "request.secret", "request.secret.response"]);
    #[cfg(unix)]
    for secret in ["request.secret", "request.secret.response"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(patient.path(secret)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }

    // Anybody with the card, later.
    let sentence = received.out.lines().nth(1).unwrap();
    patient.take(&provider.place, "card/card.json", "card.json");
    let verify = format!("verify diagnosis.proof --card card.json{}", common::flags(engine));
    assert_eq!(patient.tacit(&verify, &[]).ok().out.lines().nth(1), Some(sentence), "the same sentence");

    // Somebody else, with one file and a fingerprint.
    patient.tacit("patient prove-to request.secret -o insurer.proof", &[]).ok();
    let insurer = Place::new();
    common::prepare(&insurer, engine);
    insurer.take(&patient, "insurer.proof", "insurer.proof");
    let verify = format!("verify insurer.proof{}", common::flags(engine));
    let run = insurer.tacit(&format!("{verify} --pin {{}}"), &[&provider.pin]).ok();
    assert!(run.out.contains(sentence) && run.out.contains("pinned by its owner's fingerprint"), "{run:?}");
    let run = insurer.tacit(&verify, &[]).ok();
    assert!(run.out.contains("pinned by nobody") && run.err.contains("warning"), "{run:?}");
    insurer.tacit(&format!("{verify} --expect-card {{}}"), &[&provider.card]).ok();
    let stranger = OwnerKey::from_seed(&zeroize::Zeroizing::new([5; 32])).public().fingerprint().to_string();
    insurer.tacit(&format!("{verify} --pin {{}}"), &[&stranger]).fails(3, &["whom you pinned"]);
    if engine == "sumcheck" {
        a_disclosure_is_attested(&patient, &insurer, &provider);
    }

    // At the relay nothing is left, and the answer is good for ever.
    let pending = PendingRequest::from_bytes(&patient.read("request.secret")).unwrap();
    let left = client(&relay.url).response(pending.id(), pending.capability(), Duration::ZERO).unwrap();
    assert!(matches!(left, tacit_client::Fetched::Gone), "{left:?}");
    let again = patient.tacit(&format!("{} --force --json", flags(engine)), &[]).ok();
    assert_eq!(again.json()["class"], "malignant");

    worker.signal("TERM");
    let ended = worker.end().ok();
    assert!(ended.out.contains("Answered 1 request"), "{ended:?}");
    let line = ended.err.lines().find(|l| l.contains(" answered in ")).unwrap();
    assert!(line.starts_with(&pending.id().short().to_string()) && line.ends_with(" ms"), "{line}");
    assert!(!ended.err.contains("malignant"), "{ended:?}");
}

/// The verdict is on the proof in the disclosure: it serves the proof alone as well, and no other card.
fn a_disclosure_is_attested(patient: &Place, insurer: &Place, provider: &Provider) {
    let auditor = insurer.tacit("provider init auditor --json", &[]).ok().json();
    let auditor = auditor["fingerprint"].as_str().unwrap().to_owned();
    let verify = "verify insurer.proof --pin {} --attest auditor/owner.key";
    let run = insurer.tacit(verify, &[&provider.pin]).ok();
    assert!(run.err.contains("the verdict names the proof in the file and its card"), "{run:?}");
    insurer.take(patient, "diagnosis.proof", "diagnosis.proof");
    let check = "attestation insurer.proof.verdict.json --verifier {} --proof";
    for proof in ["insurer.proof", "diagnosis.proof"] {
        insurer.tacit(&format!("{check} {proof}"), &[&auditor]).ok();
    }
    let other = common::proved("sumcheck");
    insurer.take(&other, "answer.proof", "other.proof");
    insurer.take(&other, "card/card.json", "other.json");
    insurer.tacit("patient prove-to other.proof --card other.json -o other.both", &[]).ok();
    for (proof, why) in [("other.proof", "is about the proof file"), ("other.both", "brings card")] {
        insurer.tacit(&format!("{check} {proof}"), &[&auditor]).does_not_hold(&[why]);
    }
}

#[test]
fn inspect_knows_what_an_exchange_leaves() {
    let relay = Relay::start();
    let provider = Provider::published("sumcheck", &relay.url);
    let patient = Place::new();
    provider.send(&patient, &relay.url, "0").ok();
    provider.work_once(&relay.url).ok();
    patient.tacit(RECEIVE, &[]).ok();
    patient
        .tacit(
            "patient prove-to diagnosis.proof --card {} -o insurer.proof",
            &[&provider.place.path("card/card.json").display().to_string()],
        )
        .ok();
    let pending = PendingRequest::from_bytes(&patient.read("request.secret")).unwrap();
    patient.write("request", pending.request().to_bytes());
    let prekeys = format!("clinic/prekeys/{}", provider.card);
    provider.place.write("word", "word\n");
    provider.place.tacit("provider init locked --passphrase-file word", &[]).ok();
    for (place, file, kind, secret) in [
        (&patient, "request.secret", "request on its way", true),
        (&patient, "request.secret.response", "sealed answer", false),
        (&patient, "request", "sealed request", false),
        (&patient, "insurer.proof", "proof with its card", false),
        (&provider.place, &*format!("{prekeys}.provider.json"), "provider's document", false),
        (&provider.place, &*format!("{prekeys}.prekeys"), "provider's prekeys", true),
        (&provider.place, "locked/owner.key", "owner's key, encrypted", true),
    ] {
        let text = place.run(["inspect", file]).ok();
        assert!(text.out.contains(kind) && text.out.contains("it reveals"), "{text:?}");
        let run = place.run(["inspect", file, "--json"]).ok();
        let json = run.json();
        assert_eq!((json["kind"].as_str(), json["secret"].as_bool()), (Some(kind), Some(secret)), "{file}");
        let token = pending.capability().to_bearer();
        for hidden in ["20.57", "20570", &**token] {
            assert!(!text.out.contains(hidden) && !run.out.contains(hidden), "{file}: {text:?}");
        }
    }
}

#[test]
fn another_fingerprint_is_refused_by_policy_and_nothing_is_written() {
    let relay = Relay::start();
    let provider = Provider::published("sumcheck", &relay.url);
    let patient = Place::new();
    let stranger = OwnerKey::from_seed(&zeroize::Zeroizing::new([5; 32])).public().fingerprint().to_string();
    provider
        .send_pinned(&patient, &relay.url, "0", &stranger)
        .fails(3, &["whom you pinned", "do not send anything"]);
    assert!(patient.files().is_empty());
    let unknown = "ab".repeat(32);
    let line = "patient send --relay {} --card {} --pin {} --input {} --row 0 -o request.secret";
    patient.tacit(line, &[&relay.url, &unknown, &provider.pin, &data("test.csv")]).fails(2, &["has no card"]);
    assert!(patient.files().is_empty());
}

#[test]
fn what_was_not_sent_is_sent_by_receive() {
    let mut relay = Relay::start();
    let provider = Provider::published("sumcheck", &relay.url);
    // Everything but the post reaches the relay.
    let deaf = Proxy::lying(&relay.url, |first, status, body| {
        if first.starts_with("POST /v1/requests ") {
            "HTTP/1.1 500 Internal Server Error".clone_into(status);
            body.clear();
        }
    });
    let (patient, unlucky) = (Place::new(), Place::new());
    let run = provider
        .send(&unlucky, &deaf.url, "0")
        .fails(2, &["is kept", "tacit patient receive request.secret"]);
    assert!(run.err.contains("refused to take the request"), "{run:?}");
    assert_eq!(unlucky.files(), ["request.secret"]);

    // A relay that has forgotten everything, the cards included, until the provider comes back.
    provider.send(&patient, &relay.url, "0").ok();
    for file in relay.place.files() {
        std::fs::remove_file(relay.place.path(&file)).unwrap();
    }
    relay.restart();
    let mut waiting = Process::spawn(&patient, &RECEIVE.split(' ').collect::<Vec<_>>());
    let worker = provider.worker(&relay.url, &[]);
    // It may have been told that there is no such card before the worker published it again.
    if waiting_failed(&mut waiting) {
        patient.tacit(RECEIVE, &[]).ok();
    }
    assert!(patient.files().contains(&"diagnosis.proof".to_owned()), "{:?}", worker.log);
}

fn waiting_failed(process: &mut Process) -> bool {
    let process = std::mem::replace(process, Process::spawn(&Place::new(), &["--version"]));
    process.end().code != 0
}

#[test]
fn receive_waits_as_long_as_it_is_told_and_goes_on_later() {
    let relay = Relay::start();
    let provider = Provider::published("sumcheck", &relay.url);
    let patient = Place::new();
    provider.send(&patient, &relay.url, "1").ok();
    let line = "patient receive request.secret -o diagnosis.proof --wait 1";
    patient.tacit(line, &[]).fails(2, &["no answer within 1 s", "run the same command again"]);
    // Killed while it waits: nothing is lost.
    let mut waiting = Process::spawn(&patient, &RECEIVE.split(' ').collect::<Vec<_>>());
    std::thread::sleep(Duration::from_millis(300));
    waiting.kill();
    let run = provider.work_once(&relay.url).ok();
    assert!(run.out.contains("Answered 1 request"), "{run:?}");
    assert!(provider.work_once(&relay.url).ok().out.contains("Answered 0 requests"));
    patient.tacit("patient prove-to request.secret -o insurer.proof", &[]).fails(2, &["was received yet"]);
    patient.tacit(RECEIVE, &[]).ok();
    patient.tacit("patient prove-to request.secret -o insurer.proof", &[]).ok();
}

/// A proxy behind which a worker takes a lease and then hangs for ever; and what tells of the lease.
fn hanging_after_the_lease(relay: &str) -> (Proxy, std::sync::mpsc::Receiver<()>) {
    let (leased, is_leased) = std::sync::mpsc::channel();
    let leased = std::sync::Mutex::new(leased);
    let hanging = Proxy::lying(relay, move |first, _, _| {
        if first.starts_with("GET /v1/requests/") {
            let _ = leased.lock().unwrap().send(());
            std::thread::sleep(Duration::from_secs(600));
        }
    });
    (hanging, is_leased)
}

#[test]
fn a_worker_killed_while_proving_is_replaced() {
    let relay = Relay::start();
    let provider = Provider::published("sumcheck", &relay.url);
    // The first worker takes a lease and then hangs for ever.
    let (hanging, is_leased) = hanging_after_the_lease(&relay.url);
    let mut first = provider.worker(&hanging.url, &["--lease", "5"]);
    let patient = Place::new();
    provider.send(&patient, &relay.url, "2").ok();
    is_leased.recv_timeout(Duration::from_secs(60)).unwrap();
    let second = provider.worker(&relay.url, &["--lease", "5"]);
    std::thread::sleep(Duration::from_secs(7));
    assert!(
        !second.log.lock().unwrap().contains("answered"),
        "the lease is renewed while the first one lives"
    );
    first.kill();
    patient.tacit(RECEIVE, &[]).ok();
    second.signal("INT");
    assert!(second.end().ok().out.contains("Answered 1 request"));
}

#[test]
fn a_second_signal_gives_back_what_is_at_hand() {
    let relay = Relay::start();
    let provider = Provider::published("sumcheck", &relay.url);
    let (hanging, is_leased) = hanging_after_the_lease(&relay.url);
    let worker = provider.worker(&hanging.url, &["--lease", "300"]);
    let patient = Place::new();
    provider.send(&patient, &relay.url, "2").ok();
    is_leased.recv_timeout(Duration::from_secs(60)).unwrap();
    worker.signal("INT");
    assert!(provider.work_once(&relay.url).ok().out.contains("Answered 0 requests"), "it is still at work");
    worker.signal("INT");
    assert_eq!(worker.end().code, 130);
    assert!(provider.work_once(&relay.url).ok().out.contains("Answered 1 request"));
    patient.tacit(RECEIVE, &[]).ok();
}

#[test]
fn several_workers_answer_every_request_once() {
    let relay = Relay::start();
    let provider = Provider::published("sumcheck", &relay.url);
    let workers = [(); 3].map(|()| provider.worker(&relay.url, &["--parallel", "2"]));
    let patients: Vec<Place> = (0..8).map(|_| Place::new()).collect();
    for (row, patient) in patients.iter().enumerate() {
        provider.send(patient, &relay.url, &row.to_string()).ok();
    }
    for patient in &patients {
        patient.tacit(RECEIVE, &[]).ok();
    }
    let mut answered = 0;
    for worker in workers {
        worker.signal("TERM");
        let ended = worker.end().ok();
        answered += ended.err.lines().filter(|line| line.contains(" answered in ")).count();
        assert!(!ended.err.contains("another worker"), "{ended:?}");
    }
    assert_eq!(answered, 8);
}

#[test]
fn a_lease_of_another_is_waited_for() {
    let relay = Relay::start();
    let provider = Provider::published("sumcheck", &relay.url);
    let patient = Place::new();
    provider.send(&patient, &relay.url, "3").ok();
    let pending = PendingRequest::from_bytes(&patient.read("request.secret")).unwrap();
    let key = OwnerKey::from_text(&provider.place.read("clinic/owner.key")).unwrap();
    let dead = WorkerId::random();
    client(&relay.url).lease(pending.id(), &dead, 600, &key).unwrap();
    assert!(provider.work_once(&relay.url).ok().out.contains("Answered 0"));
    client(&relay.url).release(pending.id(), &dead, &key).unwrap();
    assert!(provider.work_once(&relay.url).ok().out.contains("Answered 1"));
    patient.tacit(RECEIVE, &[]).ok();
}

#[test]
fn a_request_to_a_deleted_prekey_is_refused_in_the_open() {
    let relay = Relay::start();
    let provider = Provider::published("sumcheck", &relay.url);
    let patient = Place::new();
    provider.send(&patient, &relay.url, "0").ok();
    // Every secret half is lost. The next worker makes and publishes a new one.
    let prekeys = provider.place.path(&format!("clinic/prekeys/{}.prekeys", provider.card));
    std::fs::remove_file(&prekeys).unwrap();
    let run = provider.work_once(&relay.url).ok();
    assert!(run.err.contains("published prekey") && run.err.contains("not_opened"), "{run:?}");
    patient.tacit(RECEIVE, &[]).fails(2, &["could not open the request", "tacit patient send"]);
    let line = "patient send --relay {} --card {} --pin {} --input {} --row 0 -o request.secret --force";
    patient.tacit(line, &[&relay.url, &provider.card, &provider.pin, &data("test.csv")]).ok();
    provider.work_once(&relay.url).ok();
    patient.tacit(RECEIVE, &[]).ok();
    // The file is of one owner and one card.
    let key = OwnerKey::from_text(&provider.place.read("clinic/owner.key")).unwrap();
    let card: CardId = provider.card.parse().unwrap();
    let bytes = std::fs::read(&prekeys).unwrap();
    assert!(Prekeys::from_bytes(&bytes, &key, card).is_ok());
    assert!(Prekeys::from_bytes(&bytes, &key, CardId([1; 32])).is_err());
    std::fs::write(&prekeys, &bytes[..bytes.len() - 1]).unwrap();
    let run = provider.place.run(provider.work(&relay.url, &["--once"]));
    assert!(run.code == 2 && run.err.contains("does not open with this key"), "{run:?}");
}

#[test]
fn a_second_folder_of_prekeys_is_noticed() {
    let relay = Relay::start();
    let provider = Provider::published("sumcheck", &relay.url);
    let patient = Place::new();
    provider.send(&patient, &relay.url, "0").ok();
    // The same key on another machine, without its prekeys.
    std::fs::create_dir(provider.place.path("copy")).unwrap();
    provider.place.take(&provider.place, "clinic/owner.key", "copy/owner.key");
    let work =
        "provider work --key {} --model diagnosis.tacit --opening card/opening.secret --relay {} --once";
    let run = provider.place.tacit(work, &["copy/owner.key", &relay.url]).ok();
    let file = format!("copy/prekeys/{}.prekeys", provider.card);
    for text in ["the relay listed 1 prekey", &file, "share one", "its prekey is not here"] {
        assert!(run.err.contains(text), "{text}: {run:?}");
    }
    patient.tacit(RECEIVE, &[]).fails(2, &["could not open the request"]);
    // The first one notices too, and whoever publishes.
    let publish = "provider publish --key {} --card card/card.json --relay {}";
    let run = provider.place.tacit(publish, &["clinic/owner.key", &relay.url]).ok();
    assert!(
        run.err.contains("warning: the relay listed 1 prekey") && run.err.contains("clinic/prekeys"),
        "{run:?}"
    );
    let run = provider.place.tacit(publish, &["clinic/owner.key", &relay.url]).ok();
    assert!(!run.err.contains("warning"), "{run:?}");
}

#[test]
fn another_relay_than_the_providers_is_told_of() {
    let relay = Relay::start();
    let provider = Provider::published("sumcheck", &relay.url);
    let patient = Place::new();
    let run = provider.send(&patient, &relay.url, "0").ok();
    assert!(!run.err.contains("warning"), "{run:?}");
    // The same relay by another name.
    let other = Proxy::recording(&relay.url);
    let patient = Place::new();
    let run = provider.send(&patient, &other.url, "0").ok();
    for text in ["warning: the provider says that it looks for requests at ", &relay.url, &other.url] {
        assert!(run.err.contains(text), "{run:?}");
    }
}

#[test]
fn keys_behind_a_passphrase_work_everywhere() {
    let place = common::quantised();
    place.write("word", "correct horse\n");
    place.write("wrong", "battery staple\n");
    place.tacit("provider init clinic --passphrase", &[]).fails(2, &["no terminal", "--passphrase-file"]);
    let run = place.tacit("provider init clinic --passphrase-file word --json", &[]).ok();
    assert_eq!(run.json()["encrypted"], true);
    assert!(!String::from_utf8(place.read("clinic/owner.key")).unwrap().contains("\nsecret "));
    place.tacit("provider init clinic", &[]).fails(2, &["never replaced"]);
    let commit = "commit diagnosis.tacit --key clinic/owner.key -o card";
    place.tacit(commit, &[]).fails(2, &["a passphrase is needed"]);
    let run = place.tacit(&format!("{commit} --passphrase-file wrong"), &[]);
    run.fails(2, &["clinic/owner.key", "does not open"]);
    assert!(!place.path("card/card.json").exists());
    let run = place.tacit(&format!("{commit} --passphrase-file word --json"), &[]).ok();
    let card = run.json()["card_id"].as_str().unwrap().to_owned();
    let pin = run.json()["owner"].as_str().unwrap().to_owned();

    let relay = Relay::start();
    let publish =
        "provider publish --key clinic/owner.key --passphrase-file word --card card/card.json --relay {}";
    place.tacit(publish, &[&relay.url]).ok();
    let provider = Provider { place, card, pin };
    let patient = Place::new();
    provider.send(&patient, &relay.url, "0").ok();
    let run = provider.place.run(provider.work(&relay.url, &["--once", "--passphrase-file", "wrong"]));
    run.fails(2, &["does not open"]);
    provider.place.run(provider.work(&relay.url, &["--once", "--passphrase-file", "word"])).ok();
    patient.tacit(RECEIVE, &[]).ok();
}

#[test]
fn a_worker_finds_out_at_once_that_it_cannot_work() {
    let relay = Relay::start();
    let provider = Provider::published("sumcheck", &relay.url);
    let other = common::committed("sumcheck");
    provider.place.take(&other, "card/opening.secret", "other.secret");
    provider.place.take(&other, "card/owner.key", "other.key");
    let work =
        "provider work --key {} --model diagnosis.tacit --opening {} --card card/card.json --relay {} --once";
    let run = provider.place.tacit(work, &["clinic/owner.key", "other.secret", &relay.url]);
    assert!(run.code == 2 && run.err.contains("error: ") && run.err.contains("belongs to card"), "{run:?}");
    let run = provider.place.tacit(work, &["other.key", "card/opening.secret", &relay.url]);
    assert!(run.code == 2 && run.err.contains("the key that signed the card"), "{run:?}");
    let run = provider.place.tacit(work, &["nobody.key", "card/opening.secret", &relay.url]);
    assert!(run.code == 2 && run.err.contains("nobody.key"), "{run:?}");
    let nowhere = format!("http://127.0.0.1:{}", common::relay::free_port());
    let publish = "provider publish --key clinic/owner.key --card card/card.json --relay {}";
    provider.place.tacit(publish, &[&nowhere]).fails(2, &["cannot be reached", "tacit serve"]);
    for (bad, why) in [
        ("relay.example", "or on this machine http://"),
        ("http://relay.example", "--plain-http"),
        ("https://relay.example/path", "has a path"),
    ] {
        provider.place.tacit(publish, &[bad]).fails(2, &["relay.example", why]);
    }
    // TLS, spoken to a relay that does not speak it.
    let tls = relay.url.replace("http://", "https://");
    provider.place.tacit(publish, &[&tls]).fails(2, &["no secure connection", "that the relay speaks TLS"]);
    let card = Card::from_json(&provider.place.read("card/card.json")).unwrap();
    assert_eq!(card.id().to_string(), provider.card);
}

#[test]
fn scripts_get_one_object() {
    let relay = Relay::start();
    let provider = Provider::published("sumcheck", &relay.url);
    let patient = Place::new();
    let line = "patient send --relay {} --card {} --pin {} --input {} --row 0 -o request.secret --json";
    let run = patient.tacit(line, &[&relay.url, &provider.card, &provider.pin, &data("test.csv")]).ok();
    let id = run.json()["request_id"].as_str().unwrap().to_owned();
    let run = provider.place.run(provider.work(&relay.url, &["--once", "--json"])).ok();
    let told: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((&told["proved"], &told["refused"]), (&Value::from(1), &Value::from(0)));
    let events: Vec<Value> = run.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().any(|e| e["event"] == "answered" && e["request"] == *id), "{events:?}");
    let run = patient.tacit(&format!("{RECEIVE} --json"), &[]).ok();
    let told = run.json();
    assert_eq!(
        (&told["holds"], &told["class"], &told["request_id"]),
        (&true.into(), &"malignant".into(), &id.into())
    );
}
