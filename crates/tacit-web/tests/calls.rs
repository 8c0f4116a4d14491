//! The verifier as the page calls it: bytes to JSON. No bytes whatever may make it panic, which in a browser is a trap.

#![cfg(feature = "verifier")]
#![allow(clippy::unwrap_used)]

use std::sync::OnceLock;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use serde_json::{Value, json};
use tacit_claim::{CardName, Context, Disclosure, EngineId, OwnerKey};
use tacit_core::{
    CommitRequest, Committed, DataFolder, ProveInference, Record, Shown, Silent, commit, commit_input,
    prove_inference,
};
use tacit_model::testing::{record, small_mlp};
use tacit_web::call::{Task, answer_bytes, encode};
use tacit_web::verifier::{Expected, File};
use zeroize::Zeroizing;

/// Files about one card with public weights.
struct Files {
    card: Vec<u8>,
    proof: Vec<u8>,
    /// A proof that takes the weights as public, and hides its answer.
    other: Vec<u8>,
    answer: Vec<u8>,
    model: Vec<u8>,
    record: Vec<u8>,
    pin: String,
    disclosure: Vec<u8>,
}

fn files() -> &'static Files {
    static FILES: OnceLock<Files> = OnceLock::new();
    FILES.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let folder = DataFolder::new(folder.path());
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let model = small_mlp(5);
        let owner = OwnerKey::from_seed(&Zeroizing::new([7; 32]));
        let request = CommitRequest {
            model: &model,
            name: CardName::new("test").unwrap(),
            engines: &[EngineId::Sumcheck],
            owner: &owner,
            public_weights: true,
            quantisation: None,
        };
        let Committed { card, points, opening } = commit(&folder, &request, &mut rng, &Silent).unwrap();
        let input = commit_input(&card, record(model.architecture(), 1), &mut rng).unwrap();
        let mut prove = |public: bool| {
            let request = ProveInference {
                model: &model,
                card: &card,
                points: points.as_ref(),
                opening: Some(&opening),
                record: Record::Committed(&input),
                engine: EngineId::Sumcheck,
                reveal_input: false,
                reveal_weights: public,
                shown: if public { Shown::Commitment } else { Shown::Answer },
                context: Context::new("request 1").unwrap(),
            };
            prove_inference(&folder, &request, &mut rng, &Silent).unwrap()
        };
        let (plain, other) = (prove(false), prove(true));
        let shared = Disclosure { bundle: plain.bundle.clone(), card: card.clone(), points: points.clone() };
        Files {
            disclosure: shared.to_bytes(),
            card: card.to_json().to_vec(),
            proof: plain.bundle.to_bytes(),
            other: other.bundle.to_bytes(),
            answer: other.output_opening.unwrap().to_bytes().to_vec(),
            model: model.to_bytes().to_vec(),
            record: input.to_bytes().to_vec(),
            pin: plain.bundle.claim().input_commitment().unwrap().pin().to_string(),
        }
    })
}

fn call(task: Task, files: &[(&str, &[u8])], expected: Expected) -> Value {
    let files: Vec<_> = files.iter().map(|(name, bytes)| File { name: (*name).to_owned(), bytes }).collect();
    serde_json::from_slice(&answer_bytes(&encode(task, &files, expected), &Silent)).unwrap()
}

/// The verdict on files, and what is said.
fn verdict(files: &[(&str, &[u8])], expected: Expected) -> (String, Value) {
    let report = call(Task::Verify, files, expected)["report"].clone();
    (report["verdict"].as_str().unwrap().to_owned(), report)
}

#[test]
fn proofs_hold_with_what_belongs_to_them() {
    let f = files();
    let (found, report) = verdict(&[("a.proof", &f.proof), ("card.json", &f.card)], Expected::default());
    assert_eq!(found, "holds", "{report}");
    assert!(report["claim"].as_str().unwrap().contains("answers"), "{report}");
    assert_eq!(report["answer"]["outputs"].as_array().unwrap().len(), 2);
    // The record's opening pins the commitment.
    let (found, report) =
        verdict(&[("x", &f.record), ("card.json", &f.card), ("a.proof", &f.proof)], Expected::default());
    assert_eq!(found, "holds", "{report}");
    assert!(!report["notes"].to_string().contains("commitment"), "{report}");

    // A disclosure has its card in it; the same card beside it does no harm.
    let shared = [("d.proof", &f.disclosure[..]), ("card.json", &f.card)];
    for given in [&shared[..1], &shared] {
        let (found, report) = verdict(given, Expected::default());
        assert_eq!(found, "holds", "{report}");
    }

    let other = [("b.proof", &f.other[..]), ("card.json", &f.card)];
    let (found, report) = verdict(&other, Expected::default());
    assert_eq!((&*found, report["advice"].to_string().contains("model")), ("unusable", true), "{report}");
    let with_model = [other[0], other[1], ("m.tacit", &f.model)];
    let (found, report) = verdict(&with_model, Expected::default());
    assert_eq!((&*found, report["answer"].is_null()), ("holds", true), "{report}");
    let opened = [other[0], other[1], with_model[2], ("b.answer.secret", &f.answer)];
    let (found, report) = verdict(&opened, Expected::default());
    assert_eq!((&*found, &report["answer"]["opened"]), ("holds", &json!(true)), "{report}");
}

#[test]
fn expectations_bind() {
    let f = files();
    let given = [("a.proof", &f.proof[..]), ("card.json", &f.card)];
    let some = |text: &str| Some(text.to_owned());
    for (expected, wanted) in [
        (Expected { record: some(&f.pin), ..Expected::default() }, "holds"),
        (Expected { record: some("00"), ..Expected::default() }, "does_not_hold"),
        (Expected { record: some("nothing"), ..Expected::default() }, "unusable"),
        (Expected { context: some("request 1"), ..Expected::default() }, "holds"),
        (Expected { context: some("request 2"), ..Expected::default() }, "does_not_hold"),
        (Expected { card: some(&"0".repeat(64)), ..Expected::default() }, "refused"),
        (Expected { owner: some("tacit1"), ..Expected::default() }, "unusable"),
    ] {
        let (found, report) = verdict(&given, expected);
        assert_eq!(found, wanted, "{report}");
    }
}

#[test]
fn inspection_says_what_is_missing() {
    let f = files();
    let missing = |files: &[(&str, &[u8])]| {
        call(Task::Inspect, files, Expected::default())["inspection"]["proof"]["missing"].clone()
    };
    assert_eq!(missing(&[("a.proof", &f.proof)]), json!(["card"]));
    assert_eq!(missing(&[("a.proof", &f.proof), ("c", &f.card)]), json!([]));
    assert_eq!(missing(&[("d.proof", &f.disclosure)]), json!([]));
    assert_eq!(missing(&[("b.proof", &f.other)]), json!(["card", "model"]));
    assert_eq!(missing(&[("b.proof", &f.other), ("m", &f.model), ("c", &f.card)]), json!([]));
    let found = call(Task::Inspect, &[("c", &f.card), ("x", b"abc"), ("s", &f.answer)], Expected::default());
    let files = &found["inspection"]["files"];
    assert_eq!((&files[0]["kind"], &files[2]["secret"]), (&json!("card"), &json!(true)), "{found}");
    assert_eq!(found["inspection"]["card"]["weight_count"], 3 * 4 + 4 + 4 * 2 + 2);
}

#[test]
fn altered_files_are_never_accepted_and_never_trap() {
    let f = files();
    for (which, file) in [&f.card, &f.proof, &f.disclosure].into_iter().enumerate() {
        for at in (0..40).map(|i| i * (file.len() - 1) / 39) {
            let mut bad = file.clone();
            bad[at] ^= 1 << (at % 8);
            for bad in [&bad[..], &file[..at]] {
                let (card, proof) = if which == 0 { (bad, &f.proof[..]) } else { (&f.card[..], bad) };
                let (found, report) =
                    verdict(&[("a.proof", proof), ("card.json", card)], Expected::default());
                assert_ne!(found, "holds", "file {which}, byte {at}: {report}");
            }
        }
    }
}

#[test]
fn files_that_are_no_use_are_refused_with_a_reason() {
    let f = files();
    for (given, wanted) in [
        (&[][..], "no proof"),
        (&[("x", &b"\xa5\xa5"[..])], "no proof"),
        (&[("a.proof", &f.proof), ("b.proof", &f.proof)], "two files for the proof"),
        (&[("a.proof", &f.proof)], "card"),
        (&[("a.proof", &f.proof), ("c", b"{}")], "card"),
    ] {
        let (found, report) = verdict(given, Expected::default());
        assert_eq!((&*found, report["reason"].to_string().contains(wanted)), ("unusable", true), "{report}");
    }
}

#[test]
fn calls_that_are_none_are_answered() {
    let f = files();
    let good = encode(Task::Verify, &[File { name: "p".into(), bytes: &f.proof }], Expected::default());
    let mut calls: Vec<Vec<u8>> = [0, 3, 4, 20, good.len() - 1].iter().map(|n| good[..*n].to_vec()).collect();
    calls.push([&good[..], b"x"].concat());
    calls.push(vec![0xff; 64]);
    let text = br#"{"task":"verify","files":[{"name":"a","bytes":18446744073709551615}]}"#;
    calls.push([&(text.len() as u32).to_le_bytes(), &text[..]].concat());
    for call in calls {
        let answer: Value = serde_json::from_slice(&answer_bytes(&call, &Silent)).unwrap();
        assert!(answer["malformed"].is_string(), "{answer}");
    }
}
