//! Ways to a relay and to a key: TLS by an authority of one's own, points beside a card, passphrases on a terminal, and how
//! scripts learn where a relay listens.

#![allow(clippy::unwrap_used)] // Tests may.

mod common;

use std::path::Path;

use common::relay::{Process, Provider, Proxy, Relay, free_port};
use common::{Place, points_beside};

const RECEIVE: &str = "patient receive request.secret -o diagnosis.proof --wait 60";

/// An authority's certificate as `NAME.pem`, and what it issued to 127.0.0.1 as `NAME.chain.pem` and `NAME.key.pem`.
fn authority(folder: &Place, name: &str) {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    folder.write(&format!("{name}.pem"), params.self_signed(&key).unwrap().pem());
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let issued =
        CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    folder.write(&format!("{name}.chain.pem"), issued.pem());
    folder.write(&format!("{name}.key.pem"), key.serialize_pem());
}

#[test]
fn tls_by_an_authority_of_ones_own() {
    let relay = Place::new();
    authority(&relay, "ours");
    authority(&relay, "other");
    let listen = format!("127.0.0.1:{}", free_port());
    let mut serve = vec!["serve", "--database", "sqlite://relay.db", "--listen", &listen];
    serve.extend(["--tls-cert", "ours.chain.pem", "--tls-key", "ours.key.pem"]);
    let mut process = Process::spawn(&relay, &serve);
    let url = format!("https://{listen}");
    process.says(&format!("listening on {url}\n"));

    let place = common::committed("sumcheck");
    for name in ["ours.pem", "other.pem"] {
        place.take(&relay, name, name);
    }
    let publish = "provider publish --key card/owner.key --card card/card.json --relay {} --json";
    // The web's authorities know nothing of it, nor does another's; a file without certificates is none.
    for (ca, why) in [("", "--ca"), (" --ca other.pem", "--ca")] {
        let run = place.tacit(&publish.replace(" --json", ca), &[&url]);
        run.fails(2, &["no secure connection to the relay", "certificate", why]);
    }
    place.tacit(&publish.replace("--json", "--ca diagnosis.tacit"), &[&url]).fails(2, &["certificate"]);
    // Plain HTTP is not understood where TLS is spoken.
    let plain = url.replace("https", "http");
    place.tacit(&publish.replace("--json", "--ca ours.pem"), &[&plain]).fails(2, &[&listen]);
    // By another name than its certificate's.
    let renamed = url.replace("127.0.0.1", "localhost");
    let run = place.tacit(&publish.replace("--json", "--ca ours.pem"), &[&renamed]);
    run.fails(2, &["no secure connection", "localhost"]);

    let told = place.tacit(&format!("{publish} --ca ours.pem"), &[&url]).ok().json();
    let patient = Place::new();
    patient.take(&relay, "ours.pem", "ours.pem");
    let send =
        "patient send --relay {} --card {} --pin {} --input {} --row 0 -o request.secret --ca ours.pem";
    let holes = ["card_id", "fingerprint"].map(|key| told[key].as_str().unwrap().to_owned());
    patient.tacit(send, &[&url, &holes[0], &holes[1], &common::data("test.csv")]).ok();
    let work = "provider work --key card/owner.key --model diagnosis.tacit --opening card/opening.secret --relay {} --once";
    place.tacit(work, &[&url]).fails_anyhow("no secure connection");
    place.tacit(&format!("{work} --ca ours.pem"), &[&url]).ok();
    patient.tacit(RECEIVE, &[]).fails(2, &["no secure connection", "--ca"]);
    patient.tacit(&format!("{RECEIVE} --ca ours.pem"), &[]).ok();
}

/// A provider whose card has its points beside it, published.
fn with_points_beside(url: &str) -> Provider {
    let place = common::committed("sumcheck");
    points_beside(&place);
    std::fs::create_dir(place.path("clinic")).unwrap();
    std::fs::rename(place.path("card/owner.key"), place.path("clinic/owner.key")).unwrap();
    let publish = "provider publish --key clinic/owner.key --card card/card.json --relay {}";
    std::fs::rename(place.path("card/card.points"), place.path("points")).unwrap();
    place.tacit(publish, &[url]).fails(2, &["card.points"]);
    std::fs::rename(place.path("points"), place.path("card/card.points")).unwrap();
    let told = place.tacit(&format!("{publish} --json"), &[url]).ok().json();
    let text = |key: &str| told[key].as_str().unwrap().to_owned();
    Provider { card: text("card_id"), pin: text("fingerprint"), place }
}

#[test]
fn points_beside_a_card_come_over_the_relay() {
    let relay = Relay::start();
    let provider = with_points_beside(&relay.url);
    let points = provider.place.read("card/card.points");
    let path = format!("GET /v1/cards/{}/points ", provider.card);

    // Altered, another's, or none.
    for (instead, code, why) in
        [(Some(1), 1, "other points"), (Some(0), 2, "points"), (None, 2, "does not have the points")]
    {
        let (path, points) = (path.clone(), points.clone());
        let lying = Proxy::lying(&relay.url, move |first, status, body| {
            if !first.starts_with(&path) {
                return;
            }
            match instead {
                // Of the certificate, which comes last.
                Some(1) => *body.last_mut().unwrap() ^= 1,
                Some(_) => body.truncate(points.len() / 2),
                None => {
                    "HTTP/1.1 404 Not Found".clone_into(status);
                    body.clear();
                }
            }
        });
        let patient = Place::new();
        provider.send(&patient, &lying.url, "0").fails(code, &[why]);
        assert!(patient.files().is_empty(), "{why}");
    }

    let patient = Place::new();
    provider.send(&patient, &relay.url, "0").ok();
    provider.work_once(&relay.url).ok();
    patient.tacit(RECEIVE, &[]).ok();
    // Alone the proof needs the points; what is made for others brings them.
    patient.take(&provider.place, "card/card.json", "card.json");
    patient.tacit("verify diagnosis.proof --card card.json", &[]).fails_anyhow("card.points");
    patient.take(&provider.place, "card/card.points", "card.points");
    patient.tacit("verify diagnosis.proof --card card.json", &[]).ok();
    patient.tacit("patient prove-to request.secret -o insurer.proof", &[]).ok();
    let insurer = Place::new();
    insurer.take(&patient, "insurer.proof", "insurer.proof");
    insurer.tacit("verify insurer.proof --pin {}", &[&provider.pin]).ok();
}

/// What a command says and asks on a terminal, each prompt answered in turn. `script` has a terminal for it: that
/// of Linux systems, others' takes other options.
#[cfg(target_os = "linux")]
fn on_a_terminal(place: &Place, command: &str, talk: &[(&str, &str)]) -> (bool, String) {
    use std::io::{Read as _, Write as _};
    use std::process::{Command, Stdio};
    let line = format!("{} {command}", env!("CARGO_BIN_EXE_tacit"));
    let mut script = Command::new("script")
        .args(["--quiet", "--return", "--flush", "--command", &line, "/dev/null"])
        .current_dir(place.path(""))
        .env("XDG_DATA_HOME", place.path(".home"))
        .env("TERM", "dumb")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, mut output) = (script.stdin.take().unwrap(), script.stdout.take().unwrap());
    let mut said = Vec::new();
    let mut byte = [0];
    for (prompt, answer) in talk {
        let from = said.len();
        while !String::from_utf8_lossy(&said[from..]).contains(prompt) {
            let read = output.read(&mut byte).unwrap();
            assert_eq!(read, 1, "no `{prompt}` in {}", String::from_utf8_lossy(&said));
            said.push(byte[0]);
        }
        // The prompt is there a moment before the terminal stops showing what is typed.
        std::thread::sleep(std::time::Duration::from_millis(500));
        writeln!(input, "{answer}").unwrap();
    }
    output.read_to_end(&mut said).unwrap();
    let ended = script.wait().unwrap();
    (ended.success(), String::from_utf8(said).unwrap())
}

#[cfg(target_os = "linux")]
#[test]
fn passphrases_are_asked_for_on_a_terminal() {
    let place = common::quantised();
    let init = "provider init clinic --passphrase";
    let new = |first, second| [("New passphrase: ", first), ("The same again: ", second)];
    let (made, said) = on_a_terminal(&place, init, &new("correct horse", "battery staple"));
    assert!(!made && said.contains("the two passphrases differ"), "{said}");
    let (made, said) = on_a_terminal(&place, init, &new("", "")[..1]);
    assert!(!made && said.contains("empty"), "{said}");
    assert!(!place.path("clinic/owner.key").exists());
    let (made, said) = on_a_terminal(&place, init, &new("correct horse", "correct horse"));
    assert!(made && said.contains("tacit1") && !said.contains("horse"), "it is not shown: {said}");

    let commit = "commit diagnosis.tacit --key clinic/owner.key -o card";
    let ask = "Passphrase of clinic/owner.key: ";
    let (made, said) = on_a_terminal(&place, commit, &[(ask, "battery staple")]);
    assert!(!made && said.contains("does not open") && !place.path("card/card.json").exists(), "{said}");
    let (made, said) = on_a_terminal(&place, commit, &[(ask, "correct horse")]);
    assert!(made && place.path("card/card.json").exists() && !said.contains("horse"), "{said}");
    // What was typed is what a file would hold.
    place.write("word", "correct horse\n");
    place.tacit(&format!("{commit} --force --passphrase-file word"), &[]).ok();
}

#[test]
fn a_relay_says_where_it_listens() {
    for json in [false, true] {
        let place = Place::new();
        let more: &[&str] = if json { &["--json"] } else { &[] };
        let arguments = [&["serve", "--listen", "127.0.0.1:0"][..], more].concat();
        let mut relay = Process::spawn(&place, &arguments);
        relay.says("listening");
        let log = relay.log.lock().unwrap().clone();
        let url = if json {
            let lines = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
            let told = lines.into_iter().find(|told| told["event"] == "listening").unwrap();
            told["url"].as_str().unwrap().to_owned()
        } else {
            log.lines().find_map(|line| line.strip_prefix("listening on ")).unwrap().to_owned()
        };
        let address: std::net::SocketAddr = url.strip_prefix("http://").unwrap().parse().unwrap();
        assert!(address.ip().is_loopback() && address.port() != 0);
        // It is so when it is said: who waited for the line need not try twice.
        std::net::TcpStream::connect(address).unwrap();
        assert!(Path::new(&place.path("tacit.db")).exists());
        relay.signal("TERM");
        assert!(relay.end().ok().out.contains(if json { &url } else { "Stopped" }));
    }
    // Another relay on its port.
    let relay = Relay::start();
    let place = Place::new();
    let address = relay.url.strip_prefix("http://").unwrap();
    place.tacit("serve --listen {}", &[address]).fails_anyhow(address);
}
