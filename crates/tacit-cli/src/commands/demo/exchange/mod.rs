//! The exchange as it is in life: relay, provider and patient are processes of their own, which run the commands that
//! anybody would type.

mod lying;
mod process;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use tacit_claim::{Card, CardPoints, OwnerKey, WeightsOpening};
use tacit_core::files::{self, Access};
use tacit_model::Model;

use self::lying::{Lie, LyingRelay};
use self::process::{Party, Running};
use super::Teller;
use super::attempts::{Attempt, Round};
use super::bundled;
use super::figures::{Figures, shown};
use super::forging::copied_card;
use crate::failure::Failure;
use crate::report::{Item, PLAIN};

/// What the provider has.
pub(super) struct Provider<'a> {
    pub(super) key: &'a OwnerKey,
    pub(super) model: &'a Model,
    pub(super) card: &'a Card,
    pub(super) points: Option<&'a CardPoints>,
    pub(super) opening: &'a WeightsOpening,
}

/// The files and processes of the story.
struct Stage {
    relay: Party,
    patient: Party,
    third: Party,
    url: String,
    _serving: Running,
    _working: Running,
}

/// Where a provider's files are, from its folder.
const KEY: &str = "owner.key";
const MODEL: &str = "model.tacit";
const CARD: &str = "card.json";
const OPENING: &str = "opening.secret";
const RECORD: &str = "record.csv";
const REQUEST: &str = "request.secret";
const PROOF: &str = "diagnosis.proof";
const DISCLOSURE: &str = "for-the-insurer.proof";

pub(super) fn run(
    teller: &mut Teller,
    folder: &Path,
    provider: &Provider<'_>,
    figures: &mut Figures,
) -> Result<Vec<Attempt>, Failure> {
    teller.chapter("A relay, a provider and a patient, each a process of its own");
    let stage = Stage::set(teller, folder, provider)?;

    teller.chapter("The patient sends a record, sealed, and receives a diagnosis with its proof");
    let (id, pin) = (provider.card.id().to_string(), provider.card.owner().fingerprint().to_string());
    let start = Instant::now();
    stage.patient.run(teller, &send(&stage.url, &id, &pin, REQUEST))?;
    stage.patient.run(teller, &receive(REQUEST, PROOF))?;
    figures.time("send, wait, receive and verify, as two commands", start.elapsed(), "exchange_seconds");
    teller.line(format!("From the record to a verified diagnosis: {}.", shown(start.elapsed())));

    teller.chapter("She shows the diagnosis to somebody else, and not the record");
    stage.patient.run(teller, &["patient", "prove-to", REQUEST, "-o", DISCLOSURE])?;
    let disclosed = stage.patient.path(DISCLOSURE);
    fs::copy(&disclosed, stage.third.path(DISCLOSURE)).map_err(|e| unreadable(&disclosed, &e))?;
    stage.third.run(teller, &["verify", DISCLOSURE, "--pin", &pin])?;

    teller.chapter("What the relay knows");
    what_the_relay_holds(teller, &stage, provider)?;

    teller.chapter("The relay lies");
    lies(teller, &stage, provider, &id, &pin)
}

fn send<'a>(relay: &'a str, card: &'a str, pin: &'a str, request: &'a str) -> Vec<&'a str> {
    vec!["patient", "send", "--relay", relay, "--card", card, "--pin", pin, "--input", RECORD, "-o", request]
}

fn receive<'a>(request: &'a str, proof: &'a str) -> Vec<&'a str> {
    vec!["patient", "receive", request, "-o", proof]
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}

impl Stage {
    fn set(teller: &Teller, folder: &Path, owner: &Provider<'_>) -> Result<Self, Failure> {
        let party = |name: &str| Party::new(folder, name);
        let (relay, provider) = (party("relay")?, party("provider")?);
        let (patient, third) = (party("patient")?, party("insurer")?);
        let put = |path: PathBuf, bytes: &[u8], access| files::write(&path, bytes, access, true);
        put(provider.path(KEY), owner.key.to_text().as_bytes(), Access::Secret)?;
        put(provider.path(MODEL), &owner.model.to_bytes(), Access::Secret)?;
        put(provider.path(OPENING), &owner.opening.to_bytes(), Access::Secret)?;
        put(provider.path(CARD), owner.card.to_json(), Access::Public)?;
        if let Some(points) = owner.points {
            put(provider.path("card.points"), &points.to_bytes(), Access::Public)?;
        }
        put(patient.path(RECORD), &bundled::record_file()?, Access::Secret)?;

        let database = "sqlite://relay.db";
        let serving = relay.start(teller, &["serve", "--listen", "127.0.0.1:0", "--database", database])?;
        let url = process::address(&relay, &serving)?;
        provider.run(teller, &["provider", "publish", "--key", KEY, "--card", CARD, "--relay", &url])?;
        let work = [
            "provider",
            "work",
            "--key",
            KEY,
            "--model",
            MODEL,
            "--opening",
            OPENING,
            "--card",
            CARD,
            "--relay",
            &url,
        ];
        let working = provider.start(teller, &work)?;
        Ok(Self { relay, patient, third, url, _serving: serving, _working: working })
    }
}

/// Where the bytes begin that are shown of a sealed request: behind its header, and before a page of the database ends.
const FROM: usize = 300;
/// Bytes shown of a sealed request.
const SHOWN: usize = 48;

/// Looks through everything that the relay has written for what it must not know.
fn what_the_relay_holds(teller: &Teller, stage: &Stage, provider: &Provider<'_>) -> Result<(), Failure> {
    let mut held = Vec::new();
    for entry in
        fs::read_dir(stage.relay.path("")).map_err(|e| unreadable(&stage.relay.path(""), &e))?.flatten()
    {
        let path = entry.path();
        if path.is_file() {
            held.extend(fs::read(&path).map_err(|e| unreadable(&path, &e))?);
        }
    }
    teller.line(format!("Its database, with all that was sent through it, has {} bytes.", held.len()));
    let request = find(&held, b"TACITREQ").map(|at| &held[at..]);
    if let Some(request) = request.and_then(|r| r.get(FROM..FROM + SHOWN)) {
        teller.line(format!("Of the sealed request, from byte {FROM}, behind its header:"));
        for line in request.chunks(16) {
            let hex: Vec<String> = line.iter().map(|b| format!("{b:02x}")).collect();
            teller.tell(&[Item::Line(PLAIN, format!("  {}", hex.join(" ")))]);
        }
    }
    let record = bundled::record(provider.card.schema())?.rows.pop().unwrap_or_default();
    let proof = fs::read(stage.patient.path(PROOF)).map_err(|e| unreadable(&stage.relay.path(""), &e))?;
    let weights = provider.model.to_bytes();
    let little = |v: &[i64]| -> Vec<u8> { v.iter().flat_map(|v| v.to_le_bytes()).collect() };
    let text = bundled::record_file()?;
    let measurements = text.split(|b| *b == b'\n').nth(1).unwrap_or_default().to_vec();
    let secrets: [(&str, Vec<u8>); 4] = [
        ("the record, as the patient's file has it", measurements[..measurements.len().min(24)].to_vec()),
        ("the record, as integers", little(&record[..2])),
        ("the proof of the diagnosis", proof[proof.len() / 2..proof.len() / 2 + 16].to_vec()),
        ("the model's weights", weights[weights.len() / 2..weights.len() / 2 + 16].to_vec()),
    ];
    for (what, secret) in &secrets {
        if find(&held, secret).is_some() {
            return Err(Failure::new(format!("the relay holds {what} in clear: this must not be")));
        }
        teller.line(format!("- not in it: {what}"));
    }
    teller.line("It knows which card was asked, when, and sizes in a few steps.");
    Ok(())
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

/// Three lies of a relay, through a relay that tells them.
fn lies(
    teller: &Teller,
    stage: &Stage,
    provider: &Provider<'_>,
    id: &str,
    pin: &str,
) -> Result<Vec<Attempt>, Failure> {
    let mut round = Round::new(teller);
    // Somebody's answer, to be handed to somebody else.
    let kept = fs::read(stage.patient.path(&format!("{REQUEST}.response")))
        .map_err(|e| unreadable(&stage.patient.path(REQUEST), &e))?;
    let copied = copied_card(provider.card, |_| ())?;
    for (what, lie, request) in [
        ("one bit of the sealed answer is flipped", Lie::FlipABit, "second.secret"),
        ("the answer to another request is handed out", Lie::Answer(kept), "third.secret"),
    ] {
        let lying = LyingRelay::start(&stage.url, lie)?;
        stage.patient.quietly(&send(&lying.url(), id, pin, request))?;
        let proof = format!("{request}.proof");
        round.must_fail(what, stage.patient.quietly(&receive(request, &proof)), |f: &Failure| f.code == 1);
    }
    let swapped = copied.id().to_string();
    let lying = LyingRelay::start(&stage.url, Lie::Card(copied.to_json().to_vec()))?;
    round.must_fail(
        "a copy of the card under the same name, signed by the relay's own key, takes its place",
        stage.patient.quietly(&send(&lying.url(), &swapped, pin, "fourth.secret")),
        |f: &Failure| f.code == 3,
    );
    Ok(round.finish())
}

impl From<std::io::Error> for Failed {
    fn from(e: std::io::Error) -> Self {
        Self(e.to_string())
    }
}

/// Something of the machine's failed: no part of the story.
struct Failed(String);

impl From<Failed> for Failure {
    fn from(Failed(e): Failed) -> Self {
        Self::new(format!("the demo's processes cannot run: {e}"))
            .advise("it needs free ports on 127.0.0.1 and a temporary folder with space")
    }
}
