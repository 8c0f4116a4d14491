//! The whole flow on the real data, as parties in folders of their own would run it.

#![allow(clippy::unwrap_used)] // Tests may.

mod common;

use common::{Place, committed, data, onnx, proved, verifier};

#[test]
fn a_diagnosis_is_proved_and_verified() {
    let provider = committed();
    provider.tacit("srs unsafe-dev --k 10", &[]).ok();

    // The patient has the card alone.
    let patient = Place::new();
    patient.take(&provider, "card/card.json", "card.json");
    let run = patient
        .tacit(
            "commit-input --card card.json --input {} --row 0 -o record.secret --json",
            &[&data("test.csv")],
        )
        .ok();
    let committed = run.json();
    let commitment = committed["commitments"]["halo2"].as_str().unwrap().to_owned();
    assert_eq!(committed["ignored_columns"][0], "diagnosis");

    provider.take(&patient, "record.secret", "record.secret");
    let run = provider
        .run([
            "prove",
            "inference",
            "--model",
            "diagnosis.tacit",
            "--opening",
            "card/opening.secret",
            "--input-opening",
            "record.secret",
            "--context",
            "request 1",
            "-o",
            "answer.proof",
            "--json",
        ])
        .ok();
    let proof = run.json();
    assert_eq!(proof["input_commitment"], commitment.as_str());
    assert_eq!(proof["output"]["class"], "malignant");
    assert_eq!(proof["setup"]["unsafe_dev"], true);
    assert!(proof["bytes"].as_u64().unwrap() <= 5 << 10, "{proof}");

    // The verifier has a home of its own.
    let verifier = verifier(&provider);
    let card_id = proof["card_id"].as_str().unwrap();
    let run = verifier
        .run([
            "verify",
            "answer.proof",
            "--card",
            "card.json",
            "--context",
            "request 1",
            "--expect-card",
            card_id,
            "--expect-input",
            &commitment,
            "--allow-dev-srs",
        ])
        .ok();
    assert!(run.out.starts_with("HOLDS\nThe model of card "), "{run:?}");
    assert!(run.err.contains("UNSAFE DEVELOPMENT SETUP"), "{run:?}");
    for text in
        ["class malignant", "Made for «request 1».", "weights, input", "nobody", "unsafe development setup"]
    {
        assert!(run.out.contains(text), "no `{text}` in {run:?}");
    }
    let run = verifier.tacit("verify answer.proof --card card.json --allow-dev-srs --json", &[]).ok();
    let verdict = run.json();
    assert_eq!(verdict["holds"], true);
    assert_eq!(verdict["class"], "malignant");
    assert_eq!(verdict["hidden"], serde_json::json!(["weights", "input"]));
    assert_eq!(verdict["input_commitment"], commitment.as_str());
    assert_eq!(verdict["claim_digest"], proof["claim_digest"]);
}

#[test]
fn quantisation_shows_what_it_costs() {
    let place = Place::new();
    let holes = [&*onnx(), &*data("train.csv"), &*data("schema.json")];
    let run =
        place.tacit("quantize {} --data {} --labels diagnosis --schema {} -o m.tacit --json", &holes).ok();
    let report = run.json();
    let correct = |key: &str| report[key]["correct"].as_i64().unwrap();
    assert_eq!(report["float_accuracy"]["samples"], 398);
    assert_eq!(correct("float_accuracy"), 396);
    assert!((correct("quantised_accuracy") - 396).abs() <= 1, "{report}");
    assert!(report["max_error"].as_f64().unwrap() < 0.1, "{report}");
    assert_eq!(report["schema_inferred"], false);
    assert_eq!(place.files(), ["m.tacit"]);

    let run = place
        .tacit("predict m.tacit --input {} --labels diagnosis --clip -o out.csv --json", &[&data("test.csv")])
        .ok();
    let answers = run.json();
    assert!((answers["correct"].as_i64().unwrap() - 165).abs() <= 1, "within one record of float");
    assert_eq!(answers["clipped_cells"], 11);
    assert_eq!(answers["records"].as_array().unwrap().len(), 171);
    let csv = String::from_utf8(place.read("out.csv")).unwrap();
    assert!(csv.starts_with("row,class,logit malignant,") && csv.lines().count() == 172, "{csv}");
    let run = place.tacit("predict m.tacit --input {} --row 0", &[&data("test.csv")]).ok();
    assert!(run.out.contains("malignant") && run.err.contains("ignored 1 column: `diagnosis`"), "{run:?}");
}

#[test]
fn an_inferred_schema_is_kept_and_a_wrong_order_of_classes_is_noticed() {
    let place = Place::new();
    let holes = [&*onnx(), &*data("train.csv")];
    let run = place.tacit("quantize {} --data {} --labels diagnosis -o m.tacit", &holes).ok();
    assert!(run.err.contains("worse than chance") && run.err.contains("m.schema.json"), "{run:?}");
    assert_eq!(place.files(), ["m.schema.json", "m.tacit"]);
    // What the warning says helps.
    let schema = String::from_utf8(place.read("m.schema.json")).unwrap();
    let swapped = schema.replace("\"benign\"", "\"?\"").replace("\"malignant\"", "\"benign\"");
    place.write("m.schema.json", swapped.replace("\"?\"", "\"malignant\""));
    let holes = [&*onnx(), &*data("train.csv"), "m.schema.json"];
    let run =
        place.tacit("quantize {} --data {} --labels diagnosis --schema {} -o m.tacit --force", &holes).ok();
    assert!(run.out.contains("396 of 398") && !run.err.contains("warning"), "{run:?}");
}

#[test]
fn every_choice_of_what_is_hidden_can_be_made() {
    let place = committed();
    place.tacit("srs unsafe-dev --k 11", &[]).ok();
    place.tacit("commit diagnosis.tacit -o open --public-weights --key card/owner.key --name open", &[]).ok();
    assert!(!place.path("open/owner.key").exists(), "--key is used, none is made");
    let prove = "prove inference --model diagnosis.tacit --input {} --row 3";
    let test = &*data("test.csv");

    // No opening is needed where the weights are public.
    place.tacit(&format!("{prove} --card open/card.json --reveal input,weights -o a.proof"), &[test]).ok();
    let verify = "verify a.proof --card open/card.json --allow-dev-srs";
    place.tacit(verify, &[]).fails(2, &["no model file was given", "--model"]);
    let run = place.tacit(&format!("{verify} --model diagnosis.tacit"), &[]).ok();
    assert!(run.out.contains("with public weights") && run.out.contains("mean radius"), "{run:?}");
    assert!(run.out.contains("stays hidden     nothing"), "{run:?}");

    let run =
        place.tacit(&format!("{prove} --opening card/opening.secret --hide output -o b.proof"), &[test]).ok();
    assert!(run.err.contains("the answer's opening is not kept"), "{run:?}");
    let run = place.tacit("verify b.proof --card card/card.json --allow-dev-srs", &[]).ok();
    assert!(
        run.out.contains("weights, input, output") && run.out.contains("the answer committed to"),
        "{run:?}"
    );

    place
        .tacit(&format!("{prove} --opening card/opening.secret --reveal weights -o c.proof"), &[test])
        .fails(2, &["hidden", "--public-weights"]);
    assert!(!place.path("c.proof").exists());
}

#[test]
fn nothing_is_overwritten_without_force() {
    let place = proved();
    let before: Vec<_> =
        ["diagnosis.tacit", "record.secret", "answer.proof", "card/card.json", "card/owner.key"]
            .map(|f| (f, place.read(f)))
            .into();
    let holes = [&*onnx(), &*data("train.csv")];
    place.tacit("quantize {} --data {} -o diagnosis.tacit", &holes).fails(2, &["already exists", "--force"]);
    place.tacit("commit diagnosis.tacit -o card", &[]).fails(2, &["card.json already exists", "--force"]);
    let test = [&*data("test.csv")];
    let commit_input = "commit-input --card card/card.json --input {} --row 1 -o record.secret";
    place.tacit(commit_input, &test).fails(2, &["already exists"]);
    let prove = "prove inference --model diagnosis.tacit --opening card/opening.secret --input {} --row 1 -o answer.proof";
    place.tacit(prove, &test).fails(2, &["already exists"]);
    place
        .tacit("predict diagnosis.tacit --input {} --row 0 -o diagnosis.tacit", &test)
        .fails(2, &["already exists"]);
    for (file, bytes) in &before {
        assert!(place.read(file) == *bytes, "{file} was changed");
    }
    place.tacit(&format!("{commit_input} --force"), &test).ok();
    assert!(place.read("record.secret") != before[1].1);

    // An identity is never replaced: a new card is signed with it.
    place.tacit("commit diagnosis.tacit -o card --force", &[]).ok();
    assert!(place.read("card/owner.key") == before[4].1 && place.read("card/card.json") != before[3].1);
    std::fs::remove_file(place.path("card/card.json")).unwrap();
    std::fs::remove_file(place.path("card/opening.secret")).unwrap();
    place
        .tacit("commit diagnosis.tacit -o card", &[])
        .fails(2, &["owner.key already exists", "--key card/owner.key"]);
}

#[cfg(unix)]
#[test]
fn secrets_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = proved();
    let mode = |f: &str| std::fs::metadata(place.path(f)).unwrap().permissions().mode() & 0o777;
    for secret in ["diagnosis.tacit", "record.secret", "card/opening.secret", "card/owner.key"] {
        assert_eq!(mode(secret), 0o600, "{secret}");
    }
    for public in ["answer.proof", "card/card.json"] {
        assert_eq!(mode(public), 0o644, "{public}");
    }
}

#[test]
fn the_demo_tells_its_story_and_every_attack_fails() {
    let place = Place::new();
    let run = place.tacit("demo medical", &[]).ok();
    for text in ["UNSAFE", "HOLDS", "165 of 171", "4 test records", "peak memory", "were refused"] {
        assert!(run.out.contains(text), "no `{text}` in {run:?}");
    }
    assert!(!run.out.contains("NOT REFUSED"), "{run:?}");
    let run = place.tacit("demo medical --json", &[]).ok();
    let report = run.json();
    assert_eq!(report["attacks_refused"], 11);
    assert!(report["attacks"].as_array().unwrap().iter().all(|a| a["refused"] == true), "{report}");
    assert!(report["figures"]["prove_seconds"].as_f64().unwrap() > 0.0, "{report}");
    assert!(place.files().is_empty() && !place.path(".home").exists(), "nothing is kept");
}
