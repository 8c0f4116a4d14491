//! The whole flow on the real data, as parties in folders of their own would run it.

#![allow(clippy::unwrap_used)] // Tests may.

mod common;

use serde_json::Value;
use tacit_claim::Card;

use common::{
    Place, committed, data, flags, onnx, points_beside, prepare, proved, quantised, repository, verifier,
    with_every_engine,
};

with_every_engine! {
    a_diagnosis_is_proved_and_verified,
    every_choice_of_what_is_hidden_can_be_made,
    facts_of_a_hidden_answer_are_proved,
}

fn a_diagnosis_is_proved_and_verified(engine: &str) {
    let provider = committed(engine);
    prepare(&provider, engine);

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
    let commitment = committed["commitments"][engine].as_str().unwrap().to_owned();
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
    assert_eq!(proof["engine"], engine);
    let (setup, most) = if engine == "halo2" { (true.into(), 5 << 10) } else { (Value::Null, 60_000) };
    assert_eq!(proof["setup"]["unsafe_dev"], setup);
    assert!(proof["bytes"].as_u64().unwrap() <= most, "{proof}");

    // The verifier has a home of its own.
    let verifier = verifier(&provider, engine);
    let card_id = proof["card_id"].as_str().unwrap();
    let verify = format!("verify answer.proof --card card.json{}", flags(engine));
    let expected = ["request 1", card_id, &*commitment];
    let run = verifier
        .tacit(&format!("{verify} --context {{}} --expect-card {{}} --expect-input {{}}"), &expected)
        .ok();
    assert!(run.out.starts_with("HOLDS\nThe model of card "), "{run:?}");
    assert_eq!(run.err.contains("UNSAFE DEVELOPMENT SETUP"), engine == "halo2", "{run:?}");
    let setup = if engine == "halo2" { "unsafe development setup" } else { "none is needed" };
    for text in ["class malignant", "Made for «request 1».", "weights, input", "nobody", setup] {
        assert!(run.out.contains(text), "no `{text}` in {run:?}");
    }
    let run = verifier.tacit(&format!("{verify} --json"), &[]).ok();
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
    let layers = report["layers"].as_array().unwrap();
    let last = layers.last().unwrap();
    assert!(layers.len() > 1 && last["max_error"].as_f64().unwrap() < 0.1, "{report}");
    assert_eq!(last["saturated_values"], 0);
    for layer in layers {
        let range = |key: &str, i: usize| layer[key][i].as_f64().unwrap();
        assert!(range("representable", 1) >= range("observed", 1), "{layer}");
    }

    // The same in text, and what the options were called before.
    let run = place
        .tacit(
            "quantize {} --data {} --labels diagnosis --schema {} -o m.tacit --force --layers --weight-bits 8 --activation-bits 16",
            &holes,
        )
        .ok();
    for layer in layers {
        assert!(run.out.contains(layer["kind"].as_str().unwrap()), "{run:?}");
    }
    assert!(run.out.contains("saturated values") && run.out.contains("rms"), "{run:?}");
    assert!(run.out.lines().all(|l| !l.starts_with(['│', '┌', '├']) || l.chars().count() <= 80), "{run:?}");

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

fn every_choice_of_what_is_hidden_can_be_made(engine: &str) {
    let place = committed(engine);
    if engine == "halo2" {
        place.tacit("srs unsafe-dev --k 11", &[]).ok();
    }
    let commit =
        "commit diagnosis.tacit -o open --public-weights --key card/owner.key --name open --engine {}";
    place.tacit(commit, &[engine]).ok();
    assert!(!place.path("open/owner.key").exists(), "--key is used, none is made");
    let prove = "prove inference --model diagnosis.tacit --input {} --row 3";
    let test = &*data("test.csv");

    // No opening is needed where the weights are public.
    place.tacit(&format!("{prove} --card open/card.json --reveal input,weights -o a.proof"), &[test]).ok();
    let flags = flags(engine);
    let verify = &*format!("verify a.proof --card open/card.json{flags}");
    place.tacit(verify, &[]).fails(2, &["no model file was given", "--model"]);
    let run = place.tacit(&format!("{verify} --model diagnosis.tacit"), &[]).ok();
    assert!(run.out.contains("with public weights") && run.out.contains("mean radius"), "{run:?}");
    assert!(run.out.contains("stays hidden     nothing"), "{run:?}");

    // A hidden answer is shown to whoever has its opening.
    let hide = format!("{prove} --opening card/opening.secret --hide output");
    let run = place.tacit(&format!("{hide} -o b.proof"), &[test]).ok();
    assert!(run.out.contains("b.proof.answer.secret"), "{run:?}");
    let verify = &*format!("verify b.proof --card card/card.json{flags}");
    let run = place.tacit(verify, &[]).ok();
    assert!(
        run.out.contains("weights, input, output") && run.out.contains("the answer committed to"),
        "{run:?}"
    );
    assert!(!run.out.contains("class "), "{run:?}");
    let run = place.tacit(&format!("{verify} --answer b.proof.answer.secret"), &[]).ok();
    assert!(run.out.contains("the hidden answer is") && run.out.contains("class malignant"), "{run:?}");
    place.tacit(&format!("{hide} -o c.proof"), &[test]).ok();
    place
        .tacit(&format!("{verify} --answer c.proof.answer.secret"), &[])
        .does_not_hold(&["the answer given is not the one"]);
    place.tacit(&format!("{hide} -o b.proof"), &[test]).fails(2, &["already exists"]);
    std::fs::remove_file(place.path("b.proof")).unwrap();
    place.tacit(&format!("{hide} -o b.proof"), &[test]).fails(2, &["b.proof.answer.secret already exists"]);
    place
        .tacit(
            &format!(
                "verify a.proof --card open/card.json{flags} --model diagnosis.tacit --answer c.proof.answer.secret"
            ),
            &[],
        )
        .fails(2, &["states its answer", "leave out --answer"]);

    place
        .tacit(&format!("{prove} --opening card/opening.secret --reveal weights -o d.proof"), &[test])
        .fails(2, &["hidden", "--public-weights"]);
    assert!(!place.path("d.proof").exists());
}

/// Nothing is said of engines: the sumcheck engine. A card for halo2 alone is proved by halo2, one for both
/// by either.
fn facts_of_a_hidden_answer_are_proved(engine: &str) {
    let place = committed(engine);
    if engine == "halo2" {
        place.tacit("srs unsafe-dev --k 11", &[]).ok();
    }
    let test = data("test.csv");
    let prove = "prove inference --model diagnosis.tacit --opening card/opening.secret --input {} --row 0";
    let verify = format!("verify a.proof --card card/card.json --json{}", flags(engine));
    let class = format!("{prove} --reveal class --claim {{}} --context {{}} -o a.proof --json");
    let made = place.tacit(&class, &[&test, "margin[malignant] > 0", "request 1"]).ok().json();
    assert_eq!(made["output"]["public"], false);
    assert_eq!(place.files().iter().filter(|f| f.contains("answer")).count(), 0, "nothing opens the answer");
    let verdict = place.tacit(&verify, &[]).ok().json();
    assert_eq!(verdict["class"], "malignant");
    assert_eq!(verdict["output_values"], Value::Null);
    assert_eq!(verdict["facts"][0], "its class is malignant");
    assert_eq!(verdict["facts"], made["facts"]);
    let inspected = place.tacit("inspect a.proof --card card/card.json", &[]).ok();
    for text in ["hidden, but for this: its class is malignant; margin[malignant] > 0", "which this holds"] {
        assert!(inspected.out.contains(text), "no `{text}` in {inspected:?}");
    }
    place.tacit("inspect a.proof", &[]).ok();

    let first = format!("{prove} --reveal input,top-k=1 -o a.proof --force");
    let run = place.tacit(&first, &[&test]).ok();
    assert!(run.out.contains("its first class is malignant"), "{run:?}");
    place.tacit(&verify, &[]).ok();

    let claim =
        |condition: &str| place.tacit(&format!("{prove} -o b.proof --claim {{}}"), &[&test, condition]);
    claim("margin[benign] > 0").fails(1, &["does not satisfy `margin[benign] > 0`", "tacit predict"]);
    claim("margin[ill] > 0").fails(2, &["`ill` is no class or output of the model (there are "]);
    claim("malignant").fails(2, &["is no condition on an answer", "malignant >= 0.8"]);
    claim("margin[benign] > 999999999").fails(2, &["no answer of such a model satisfies"]);
    let top = |k: &str| place.tacit(&format!("{prove} -o b.proof --reveal top-k={k}"), &[&test]);
    top("2").fails(2, &["k lies between 1 and 1"]);
    top("x").usage("top-k=3");
    let both = format!("{prove} -o b.proof --reveal class --hide output");
    place.tacit(&both, &[&test]).fails(2, &["leave out --hide output"]);
    assert!(!place.path("b.proof").exists());
}

#[test]
fn the_engine_follows_from_the_card() {
    let place = quantised();
    place.tacit("commit diagnosis.tacit -o card", &[]).ok();
    place.tacit("commit diagnosis.tacit -o small --engine halo2", &[]).ok();
    let run = place.tacit("commit diagnosis.tacit -o both --engine all --json", &[]).ok().json();
    assert_eq!(run["commitments"].as_object().unwrap().len(), 2);
    let prove = |folder: &str, proof: &str, more: &str| {
        let opening = format!("{folder}/opening.secret");
        place.tacit(
            &format!(
                "prove inference --model diagnosis.tacit --opening {{}} --input {{}} --row 0 -o {{}} --json{more}"
            ),
            &[&opening, &data("test.csv"), proof],
        )
    };
    assert_eq!(prove("card", "a.proof", "").ok().json()["engine"], "sumcheck");
    assert_eq!(prove("both", "b.proof", "").ok().json()["engine"], "sumcheck");
    let run = prove("small", "c.proof", "");
    assert!(run.json()["error"].as_str().unwrap().contains("no setup"), "{run:?}");
    prepare(&place, "halo2");
    assert_eq!(prove("small", "c.proof", "").ok().json()["engine"], "halo2");
    assert_eq!(prove("both", "d.proof", " --engine halo2").ok().json()["engine"], "halo2");
    let run = prove("card", "e.proof", " --engine halo2");
    assert!(run.code == 2 && run.json()["advice"].as_str().unwrap().contains("--engine sumcheck"), "{run:?}");

    for (proof, card, flags) in [
        ("a.proof", "card", ""),
        ("b.proof", "both", ""),
        ("c.proof", "small", " --allow-dev-srs"),
        ("d.proof", "both", " --allow-dev-srs"),
    ] {
        place.tacit(&format!("verify {proof} --card {card}/card.json{flags}"), &[]).ok();
    }
    // The owner's word, and no more.
    let run = place.tacit("inspect both/card.json", &[]).ok();
    assert!(run.out.contains("(sumcheck)") && run.out.contains("(halo2)"), "{run:?}");
    assert!(run.out.contains("on the owner's signed word alone"), "{run:?}");
    let run = place.tacit("verify b.proof --card both/card.json", &[]).ok();
    assert!(
        run.out.contains("same weights behind the commitments of all engines: the owner's word"),
        "{run:?}"
    );
}

#[test]
fn the_time_is_accounted_for() {
    let place = committed("sumcheck");
    let prove = "prove inference --model diagnosis.tacit --opening card/opening.secret --input {} --row 0";
    let run = place.tacit(&format!("{prove} -o a.proof --profile"), &[&data("test.csv")]).ok();
    for line in ["read the files ", "trace ", "prove ", "verify ", "elsewhere ", "in all "] {
        assert!(run.err.lines().any(|l| l.starts_with(line) && l.contains(" ms ")), "no `{line}` in {run:?}");
    }
    assert!(run.err.lines().any(|l| l.starts_with("  ")), "the engine's own spans: {run:?}");
    let run = place.tacit(&format!("{prove} -o b.proof --profile --json"), &[&data("test.csv")]).ok();
    let report = run.json();
    let spans = report["profile"].as_array().unwrap();
    let nested = |s: &&Value| s["path"].as_array().is_some_and(|p| p.len() > 1 && p[0] == "prove");
    assert!(spans.iter().filter(nested).count() > 1, "{report}");
    assert!(spans.iter().all(|s| s["seconds"].is_f64() && s["count"].is_u64()), "{report}");
    let run = place.tacit(&format!("{prove} -o c.proof"), &[&data("test.csv")]).ok();
    assert!(!run.err.contains("elsewhere"), "{run:?}");
}

/// The points of a large model's commitment lie beside its card.
#[test]
fn points_beside_the_card_are_found() {
    let provider = committed("sumcheck");
    points_beside(&provider);
    let prove = "prove inference --model diagnosis.tacit --opening card/opening.secret --input {} --row 0";
    provider.tacit(&format!("{prove} -o answer.proof"), &[&data("test.csv")]).ok();
    let run = provider.tacit("inspect card/card.points", &[]).ok();
    assert!(run.out.contains("points of a card") && run.out.contains("certificate"), "{run:?}");
    let run = provider.tacit("inspect card/card.json", &[]).ok();
    assert!(run.out.contains("in card.points beside the card"), "{run:?}");

    // Under another name, as a verifier with several cards would keep them.
    let other = Place::new();
    other.take(&provider, "card/card.json", "clinic.json");
    other.take(&provider, "card/card.points", "clinic.points");
    other.take(&provider, "answer.proof", "answer.proof");
    other.tacit("verify answer.proof --card clinic.json", &[]).ok();
    let id = Card::from_json(&other.read("clinic.json")).unwrap().id().to_string();
    assert!(other.path(".home/tacit/checked").join(id).exists(), "the certificate's check is remembered");
    other.tacit("verify answer.proof --card clinic.json", &[]).ok();
    // A verifier that cannot write still verifies.
    let mut command = other.command();
    let run = command.args(["verify", "answer.proof", "--card", "clinic.json"]);
    assert!(run.env("XDG_DATA_HOME", "/dev/null/none").output().unwrap().status.success());

    // --force with a card that needs none leaves no points of the old one.
    provider.tacit("commit diagnosis.tacit -o card", &[]).fails(2, &["already exists"]);
    provider.tacit("commit diagnosis.tacit -o card --force", &[]).ok();
    assert!(!provider.path("card/card.points").exists());
}

#[test]
fn nothing_is_overwritten_without_force() {
    let place = proved("sumcheck");
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
        .tacit("predict diagnosis.tacit --input {} --row 0 -o answer.proof", &test)
        .fails(2, &["already exists"]);
    for (file, bytes) in &before {
        assert!(place.read(file) == *bytes, "{file} was changed");
    }
    place.tacit(&format!("{commit_input} --force"), &test).ok();
    assert!(place.read("record.secret") != before[1].1);

    // An identity is never replaced: a new card is signed with it.
    let old = Card::from_json(&before[3].1).unwrap().id().to_string();
    let run = place.tacit("commit diagnosis.tacit -o card --force", &[]).ok();
    assert!(run.err.contains(&format!("card {old} was replaced")), "{run:?}");
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
    let place = proved("sumcheck");
    let hide = "prove inference --model diagnosis.tacit --opening card/opening.secret --input-opening record.secret \
                --hide output -o hidden.proof";
    place.tacit(hide, &[]).ok();
    points_beside(&place);
    let mode = |f: &str| std::fs::metadata(place.path(f)).unwrap().permissions().mode() & 0o777;
    for secret in [
        "diagnosis.tacit",
        "record.secret",
        "card/opening.secret",
        "card/owner.key",
        "hidden.proof.answer.secret",
    ] {
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
    for text in
        ["none is needed", "UNSAFE", "HOLDS", "165 of 171", "4 test records", "peak memory", "were refused"]
    {
        assert!(run.out.contains(text), "no `{text}` in {run:?}");
    }
    assert!(!run.out.contains("NOT REFUSED"), "{run:?}");
    let run = place.tacit("demo medical --json", &[]).ok();
    let report = run.json();
    assert_eq!(report["attacks_refused"], 16);
    assert!(report["attacks"].as_array().unwrap().iter().all(|a| a["refused"] == true), "{report}");
    for figure in ["prove_seconds", "first_verify_seconds", "halo2_prove_seconds"] {
        assert!(report["figures"][figure].as_f64().unwrap() > 0.0, "{report}");
    }
    assert!(place.files().is_empty() && !place.path(".home").exists(), "nothing is kept");
}

/// 40 records of five values with a label each.
fn labelled(label: impl Fn(u32) -> String) -> String {
    let row = |i: u32| {
        let values: Vec<String> = (0..5).map(|j| ((i * 7 + j * 13) % 20).to_string()).collect();
        format!("{},{}\n", values.join(","), label(i))
    };
    format!("a,b,c,d,e,y\n{}", (0..40).map(row).collect::<String>())
}

#[test]
fn labels_of_a_regressor_are_the_numbers_that_it_predicts() {
    let place = Place::new();
    let fixture = |name: &str| repository(&format!("crates/tacit-onnx/tests/fixtures/{name}.onnx"));
    place.write("real.csv", labelled(|i| format!("{}.25", i)));
    place.write("whole.csv", labelled(|i| (i * 7).to_string()));
    place.write("text.csv", labelled(|i| if i < 39 { "1.5" } else { "tall" }.to_owned()));
    let regressor = fixture("sklearn_regressor");
    for data in ["real.csv", "whole.csv"] {
        let quantize = "quantize {} --data {} --labels y -o m.tacit --force";
        let run = place.tacit(quantize, &[&regressor, data]).ok();
        assert!(run.out.contains("mean absolute error"), "{run:?}");
        assert!(run.err.contains("the labels in `y` are numbers that the model predicts"), "{run:?}");
        let json = place.tacit(&format!("{quantize} --json"), &[&regressor, data]).ok().json();
        let error = |of: &str| json[format!("{of}_mean_absolute_error")].as_f64().unwrap();
        let (float, quantised) = (error("float"), error("quantised"));
        assert!(float > 0.0 && (float - quantised).abs() < 0.05 * float, "{float} {quantised}");
        let schema: serde_json::Value = serde_json::from_slice(&place.read("m.schema.json")).unwrap();
        assert_eq!(
            (schema["features"].as_array().unwrap().len(), &schema["classes"]),
            (5, &serde_json::json!([]))
        );

        let predict = place.tacit("predict m.tacit --input {} --labels y --json", &[data]).ok().json();
        assert!((predict["mean_absolute_error"].as_f64().unwrap() - quantised).abs() < 1e-9, "{predict}");
        let run = place.tacit("predict m.tacit --input {} --labels y", &[data]).ok();
        assert!(run.out.contains("mean absolute error") && !run.err.contains("ignored"), "{run:?}");
        // With the schema as well.
        place.write("s.json", place.read("m.schema.json"));
        let with = "quantize {} --data {} --labels y --schema s.json -o n.tacit --force";
        let run = place.tacit(with, &[&regressor, data]).ok();
        assert!(run.out.contains("mean absolute error"), "{run:?}");
        assert_eq!(place.read("m.tacit"), place.read("n.tacit"));
    }
    place
        .tacit("predict m.tacit --input text.csv --labels y", &[])
        .fails(2, &["row 39 (line 41)", "`tall` is not a number"]);

    // Of a model that decides between classes they are none.
    let classifier = fixture("sklearn_mlp_three");
    let quantize =
        |data: &str| place.tacit("quantize {} --data {} --labels y -o c.tacit", &[&classifier, data]);
    quantize("real.csv").fails(2, &["`0.25` is not a class name or a whole number", "every record has one"]);
    quantize("whole.csv").fails(
        2,
        &[
            "3 outputs per sample, and whole.csv has 40 different labels in `y` (0, 7, 14, 21, …)",
            "no schema was given",
        ],
    );
    let run = place.tacit("quantize {} --data real.csv -o c.tacit", &[&classifier]);
    run.fails(2, &["takes 5 values per sample; real.csv has 6 columns (a, b, c, d, …)", "--labels"]);
    place.write("wide.csv", labelled(|i| format!("{i},{}", i % 3)).replace("e,y", "e,f,y"));
    let run = quantize("wide.csv").fails(2, &["has 6 columns besides `y`", "no schema was given"]);
    assert!(!run.err.contains("--labels"), "{run:?}");
}
