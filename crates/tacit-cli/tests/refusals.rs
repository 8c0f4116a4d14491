//! What must not work: the exit code of the contract, an error pair, and no file left behind.

#![allow(clippy::unwrap_used)] // Tests may.

mod common;

use std::sync::OnceLock;

use common::{Place, committed, data, flags, onnx, points_beside, proved, verifier, with_every_engine};
use serde_json::Value;
use tacit_claim::{Card, CardPoints, OwnerKey, UnsignedCard, WeightsOpening};

with_every_engine! {
    a_proof_for_something_else_does_not_hold,
    a_damaged_proof_does_not_hold,
    policy_refuses_with_its_own_code,
}

/// A proof that is good, made once by each engine.
fn good(engine: &str) -> &'static Place {
    static SUMCHECK: OnceLock<Place> = OnceLock::new();
    static HALO2: OnceLock<Place> = OnceLock::new();
    if engine == "halo2" { &HALO2 } else { &SUMCHECK }.get_or_init(|| proved(engine))
}

fn verify_line(engine: &str) -> String {
    format!("verify answer.proof --card card.json{}", flags(engine))
}

fn a_proof_for_something_else_does_not_hold(engine: &str) {
    let other = committed(engine);
    let v = verifier(good(engine), engine);
    let verify = &*verify_line(engine);
    v.tacit(verify, &[]).ok();
    v.tacit(&format!("{verify} --context request-2"), &[])
        .does_not_hold(&["`request-1`, not for `request-2`"]);
    let unknown = "ab".repeat(32);
    v.tacit(&format!("{verify} --expect-input {{}}"), &[&unknown]).does_not_hold(&[&unknown]);
    v.take(&other, "card/card.json", "other.json");
    let run = v.tacit(&verify.replace("card.json", "other.json"), &[]);
    let run = run.does_not_hold(&["the claim is about card"]);
    assert!(run.err.contains("verify the proof against the card that it was made for"), "{run:?}");

    let run = v.tacit(&format!("{verify} --context request-2 --json"), &[]);
    assert_eq!(run.code, 1);
    let verdict = run.json();
    assert_eq!((&verdict["holds"], &verdict["exit_code"]), (&Value::Bool(false), &Value::from(1)));
    assert!(verdict["error"].as_str().unwrap().contains("request-2") && verdict["advice"].is_string());
}

fn a_damaged_proof_does_not_hold(engine: &str) {
    let v = verifier(good(engine), engine);
    let verify = &*verify_line(engine);
    let bytes = v.read("answer.proof");
    // Magic, version, lengths, the claim's version, engine, card, the last byte of the claim, the engine's
    // proof.
    let claim_end = 14 + u32::from_le_bytes(bytes[10..14].try_into().unwrap()) as usize;
    for at in [
        0,
        7,
        8,
        10,
        13,
        14,
        15,
        20,
        claim_end - 1,
        claim_end,
        claim_end + 4,
        bytes.len() / 2,
        bytes.len() - 1,
    ] {
        let mut bad = bytes.clone();
        bad[at] ^= 1;
        v.write("answer.proof", bad);
        let run = v.tacit(verify, &[]);
        assert_eq!(run.code, 1, "flipped byte {at}: {run:?}");
        assert!(run.out.starts_with("DOES NOT HOLD: "), "{run:?}");
    }
    for cut in [9, 16, bytes.len() / 2, bytes.len() - 1] {
        v.write("answer.proof", &bytes[..cut]);
        v.tacit(verify, &[]).does_not_hold(&[]);
    }
    v.write("answer.proof", [&bytes[..], &[0]].concat());
    v.tacit(verify, &[]).does_not_hold(&["1 bytes after its end"]);
    // What may be good for a later tacit: the file's version, the claim's.
    for (at, version) in [(8, 2), (8, 3), (14, 2)] {
        let mut later = bytes.clone();
        later[at] = version;
        v.write("answer.proof", later);
        v.tacit(verify, &[]).fails(
            2,
            &[
                &format!("version {version} is not supported (this build reads version 1)"),
                "update tacit, or ask for a proof of version 1",
            ],
        );
    }
    // What never was a proof.
    for other in [&b""[..], b"hello", &[0xff; 1000]] {
        v.write("answer.proof", other);
        v.tacit(verify, &[]).fails(2, &["answer.proof: not a Tacit proof file"]);
    }
}

fn policy_refuses_with_its_own_code(engine: &str) {
    let v = verifier(good(engine), engine);
    if engine == "halo2" {
        v.tacit("verify answer.proof --card card.json", &[])
            .fails(3, &["unsafe development", "--allow-dev-srs"]);
        let run = v.tacit("verify answer.proof --card card.json --json", &[]);
        assert_eq!((run.code, run.json()["exit_code"].as_u64()), (3, Some(3)));
    }
    let unknown = "ab".repeat(32);
    v.tacit(&format!("{} --expect-card {{}}", verify_line(engine)), &[&unknown])
        .fails(3, &[&unknown, "do not trust this card"]);
}

#[test]
fn without_a_setup_there_is_advice() {
    let place = committed("halo2");
    let prove =
        "prove inference --model diagnosis.tacit --opening card/opening.secret --input {} --row 0 -o a.proof";
    let run = place.tacit(prove, &[&data("test.csv")]);
    run.fails(2, &["no setup for circuits of 2^10 rows", "tacit srs import", "tacit srs unsafe-dev --k 10"]);
    place.tacit("srs unsafe-dev --k 9", &[]).ok();
    place.tacit(prove, &[&data("test.csv")]).fails(2, &["no setup for circuits of 2^10 rows"]);
    assert_eq!(place.files(), ["card", "diagnosis.tacit"]);

    let v = Place::new();
    v.take(good("halo2"), "card/card.json", "card.json");
    v.take(good("halo2"), "answer.proof", "answer.proof");
    v.tacit(&verify_line("halo2"), &[]).fails(2, &["no setup", "tacit srs import"]);
}

/// What the sumcheck card keeps beside itself: missing, another card's, altered; and then good again.
#[test]
fn points_beside_the_card_are_its_own() {
    let provider = committed("sumcheck");
    points_beside(&provider);
    let prove = |proof: &str| {
        let line =
            "prove inference --model diagnosis.tacit --opening card/opening.secret --input {} --row 0 -o {}";
        provider.tacit(line, &[&data("test.csv"), proof])
    };
    prove("answer.proof").ok();
    let v = verifier(&provider, "sumcheck");
    let verify = &*verify_line("sumcheck");
    let missing = ["card.points is missing", "from the card's owner", "put it there as"];
    v.tacit(verify, &[]).fails(2, &missing);
    let points = CardPoints::from_bytes(&provider.read("card/card.points")).unwrap();
    let flipped = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        bytes
    };
    let other_points = CardPoints::new(flipped(points.points()), points.certificate().to_vec()).unwrap();
    let other_certificate = CardPoints::new(points.points().to_vec(), flipped(points.certificate())).unwrap();
    let good = points.to_bytes();
    let other_card = {
        let place = committed("sumcheck");
        points_beside(&place);
        place.read("card/card.points")
    };
    let again = "card.points from the card's owner again";
    let bad: [(&[u8], &[&str]); 7] = [
        (&other_points.to_bytes(), &["the points are not those", again]),
        (&other_certificate.to_bytes(), &["the certificate is not the one", again]),
        (&other_card, &["the certificate is not the one", again]),
        (&good[..good.len() - 1], &["card.points: ", "cut short"]),
        (&[&good[..], &[0]].concat(), &["card.points: ", "1 bytes after"]),
        (b"hello", &["card.points: not a Tacit file"]),
        (
            &v.read("card.json"),
            &["card.points: expected a file of the kind `points of a card`, found `card`"],
        ),
    ];
    for known in [false, true] {
        for (bytes, texts) in bad {
            v.write("card.points", bytes);
            v.tacit(verify, &[]).fails(2, texts);
            provider.write("card/card.points", bytes);
            prove("new.proof").fails(2, texts);
        }
        assert_eq!(v.path(".home/tacit/checked").exists(), known);
        // Once it was good, it is remembered for what it was.
        v.write("card.points", &good);
        v.tacit(verify, &[]).ok();
    }
    std::fs::remove_file(v.path("card.points")).unwrap();
    v.tacit(verify, &[]).fails(2, &missing);
    std::fs::remove_file(provider.path("card/card.points")).unwrap();
    prove("new.proof").fails(2, &missing);
    assert!(!provider.path("new.proof").exists());
    v.tacit("verify answer.proof --card answer.proof", &[]).fails(2, &["found `proof`"]);
    v.write("card.points", &good);
    v.tacit("verify answer.proof --card card.points", &[]).fails(2, &["the card is card.json"]);
}

#[test]
fn unusable_files_are_named() {
    let good = good("sumcheck");
    let place = Place::new();
    for name in ["diagnosis.tacit", "record.secret", "answer.proof"] {
        place.take(good, name, name);
    }
    for name in ["card.json", "opening.secret", "owner.key"] {
        place.take(good, &format!("card/{name}"), name);
    }
    let before = place.files();
    let test = &*data("test.csv");
    let prove = |model: &str, opening: &str, input: &str| {
        place.run([
            "prove",
            "inference",
            "--model",
            model,
            "--opening",
            opening,
            "--card",
            "card.json",
            "--input-opening",
            input,
            "-o",
            "new.proof",
        ])
    };
    // Missing files.
    prove("none.tacit", "opening.secret", "record.secret").fails(2, &["none.tacit: ", "check the path"]);
    prove("diagnosis.tacit", "none.secret", "record.secret").fails(2, &["none.secret: "]);
    prove("diagnosis.tacit", "opening.secret", "none.secret").fails(2, &["none.secret: "]);
    place.tacit("verify none.proof --card card.json", &[]).fails(2, &["none.proof: "]);
    place.tacit("inspect .", &[]).fails(2, &["is a folder"]);
    place.tacit("predict diagnosis.tacit --input none.csv", &[]).fails(2, &["none.csv: ", "check the path"]);
    place.tacit("srs import none.ptau", &[]).fails(2, &["none.ptau: "]);
    // Files of another kind.
    place
        .tacit("commit-input --card card.json --input record.secret -o new.secret", &[])
        .fails(2, &["expected records, found a file of the kind", "--input-opening"]);
    // What is no regular file is never replaced, with --force or without.
    place
        .tacit("commit-input --card card.json --input {} --row 0 -o . --force", &[test])
        .fails(2, &["never replaced"]);
    // Hidden weights cannot be compared with a file, and a part of a commitment is none.
    place
        .tacit("verify answer.proof --card card.json --model diagnosis.tacit", &[])
        .fails(2, &["hidden", "leave out --model"]);
    place
        .tacit("verify answer.proof --card card.json --expect-input 9ed3349e07c65069", &[])
        .fails(2, &["64 hexadecimal digits"]);
    prove("card.json", "opening.secret", "record.secret")
        .fails(2, &["card.json: expected", "`quantised model`, found `card`"]);
    prove("diagnosis.tacit", "record.secret", "record.secret")
        .fails(2, &["record.secret: expected", "`opening of a card`, found `opening of a record`"]);
    prove("diagnosis.tacit", "opening.secret", "opening.secret").fails(2, &["opening.secret: expected"]);
    place.tacit("verify card.json --card card.json", &[]).fails(2, &["card.json: expected"]);
    place.tacit("verify answer.proof --card opening.secret", &[]).fails(2, &["beside the opening"]);
    place.tacit("commit {} -o new", &[&onnx()]).fails(2, &["quantise it first"]);
    place.tacit("commit diagnosis.tacit -o new --key card.json", &[]).fails(2, &["card.json: expected"]);
    place.tacit("srs import card.json", &[]).fails(2, &["card.json: ", ".ptau"]);
    place.tacit("inspect {}", &[test]).fails(2, &["none of tacit's files"]);
    place
        .tacit("quantize card.json --data {} --labels diagnosis -o new.tacit", &[test])
        .fails(2, &["card.json: "]);
    // Damage.
    for name in ["diagnosis.tacit", "record.secret", "opening.secret", "owner.key", "card.json"] {
        let mut bytes = place.read(name);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        place.write("bad", bytes);
        place.tacit("inspect bad", &[]).fails(2, &["bad: "]);
        let file = |wanted: &'static str| if wanted == name { "bad" } else { wanted };
        let run = match name {
            "owner.key" => place.tacit("commit diagnosis.tacit -o new --key bad", &[]),
            "card.json" => place.tacit("verify answer.proof --card bad", &[]),
            _ => prove(file("diagnosis.tacit"), file("opening.secret"), file("record.secret")),
        };
        run.fails(2, &["bad: ", " help: "]);
    }
    // Parts that do not belong together.
    let other = committed("sumcheck");
    place.take(&other, "card/card.json", "card.json");
    prove("diagnosis.tacit", "opening.secret", "record.secret").fails(2, &["the opening belongs to card"]);
    place.take(&other, "card/opening.secret", "opening.secret");
    let holes = [&*onnx(), &*data("train.csv"), &*data("schema.json")];
    place
        .tacit("quantize {} --data {} --labels diagnosis --schema {} --weight-bits 6 -o bad --force", &holes)
        .ok();
    prove("bad", "opening.secret", "record.secret")
        .fails(2, &["the model is not the one", "use the model file"]);
    std::fs::remove_file(place.path("bad")).unwrap();
    assert_eq!(place.files(), before, "a failure left a file behind");
}

#[test]
fn records_are_refused_by_column_and_row() {
    let place = committed("sumcheck");
    let commit = |input: &str, row: &[&str]| {
        place.run(
            ["commit-input", "--card", "card/card.json", "-o", "r.secret", "--input", input]
                .iter()
                .chain(row),
        )
    };
    let test = &*data("test.csv");
    commit(test, &["--row", "48"])
        .fails(2, &["row 48", "`texture error`", "4.885", "[-0.5238, 4.7800]", " help: "]);
    commit(test, &[]).fails(2, &["holds 171 records", "--row N"]);
    commit(test, &["--row", "171"]).fails(2, &["there is no row 171", "--row N"]);
    let text = std::fs::read_to_string(test).unwrap();
    let lines: Vec<&str> = text.lines().take(2).collect();
    let with = |header: &str, row: &str| place.write("one.csv", format!("{header}\n{row}\n"));
    with(&lines[0].replace("mean radius", "radius"), lines[1]);
    commit("one.csv", &[]).fails(2, &["`mean radius`", "missing", "tacit inspect"]);
    for (cell, what) in [
        ("", "a missing value"),
        ("high", "`high` is not a number"),
        ("NaN", "a missing value (`NaN`)"),
        ("1e300", "too large"),
    ] {
        with(lines[0], &lines[1].replacen("20.57", cell, 1));
        commit("one.csv", &[]).fails(2, &["row 0", "`mean radius`", what, "[2.293, 30.418]"]);
    }
    with(lines[0], lines[1]);
    commit("one.csv", &[]).ok();
    let predict = place.tacit("predict diagnosis.tacit --input {} -o new.csv", &[test]);
    predict.fails(2, &["row 48", "texture error", "--clip"]);
    assert_eq!(place.files(), ["card", "diagnosis.tacit", "one.csv", "r.secret"]);
}

#[test]
fn a_model_that_cannot_be_quantised_leaves_nothing() {
    let place = Place::new();
    let train = &*data("train.csv");
    let quantize = |onnx: &str, more: &[&str]| {
        place.run(["quantize", onnx, "--data", train, "-o", "m.tacit"].iter().chain(more))
    };
    quantize(&onnx(), &[]).fails(2, &["`diagnosis`", "--labels"]);
    quantize(&onnx(), &["--labels", "result"]).fails(2, &["there is no column `result`", "--labels"]);
    quantize(&onnx(), &["--labels", "mean radius"]).fails(2, &[" help: "]);
    quantize(&onnx(), &["--labels", "diagnosis", "--w-bits", "40"])
        .usage("write a whole number from 2 to 16");
    place.write("bad.onnx", &std::fs::read(onnx()).unwrap()[..2000]);
    quantize("bad.onnx", &["--labels", "diagnosis"]).fails(2, &["bad.onnx: ", "copied whole"]);
    place.write("schema.json", "{\"format\": \"tacit.schema/1\"");
    quantize(&onnx(), &["--labels", "diagnosis", "--schema", "schema.json"]).fails(2, &["schema.json: "]);
    assert_eq!(place.files(), ["bad.onnx", "schema.json"]);
}

#[test]
fn open_axes_and_several_outputs_are_named_with_the_option_that_settles_them() {
    let place = Place::new();
    place.write("d.csv", "a,b,c,d\n1,2,3,4\n0,-1,2,5\n");
    let quantize = |name: &str, more: &[&str]| {
        let onnx = common::repository(&format!("crates/tacit-onnx/tests/fixtures/{name}.onnx"));
        place.run(["quantize", &*onnx, "--data", "d.csv", "-o", "m.tacit"].iter().chain(more))
    };
    quantize("open_axis", &[]).fails(2, &["open: `M`", "--shape M=VALUE"]);
    quantize("open_axis", &["--shape", "K=4"])
        .fails(2, &["no open axis `K`; open are: `M`", "--shape NAME=VALUE"]);
    quantize("open_axis", &["--shape", "N=4"]).fails(2, &["runs over the samples", "leave out"]);
    quantize("open_axis", &["--shape", "M=0"]).fails(2, &["cannot have the length 0"]);
    quantize("open_axis", &["--shape", "M=5"]).fails(2, &["takes 5 values"]);
    for wrong in ["M", "=4", "M=", "M=four", "M=-1"] {
        quantize("open_axis", &["--shape", wrong]).fails(2, &["NAME=VALUE"]);
    }
    quantize("two_outputs", &[]).fails(2, &["(out, second)", "--onnx-output NAME"]);
    quantize("two_outputs", &["--onnx-output", "third"]).fails(2, &["no output `third`", "out, second"]);
    assert_eq!(place.files(), ["d.csv"]);
    quantize("open_axis", &["--shape", "M=4"]).ok();
    quantize("two_outputs", &["--onnx-output", "second", "--force"]).ok();
}

#[test]
fn no_output_is_an_input() {
    let place = proved("sumcheck");
    std::fs::copy(data("test.csv"), place.path("t.csv")).unwrap();
    place.write("m.schema.json", std::fs::read(data("schema.json")).unwrap());
    let names = [
        "diagnosis.tacit",
        "record.secret",
        "t.csv",
        "m.schema.json",
        "card/card.json",
        "card/opening.secret",
        "card/owner.key",
    ];
    let before = names.map(|name| place.read(name));
    let absolute = place.path("card/../t.csv").display().to_string();
    let prove = "prove inference --model diagnosis.tacit --opening card/opening.secret";
    for line in [
        &format!("{prove} --input t.csv --row 0 -o card/opening.secret"),
        &format!("{prove} --input t.csv --row 0 -o card/card.json"),
        &format!("{prove} --input t.csv --row 0 -o diagnosis.tacit"),
        &format!("{prove} --input t.csv --row 0 -o {{}}"),
        &format!("{prove} --input-opening record.secret -o record.secret"),
        "commit-input --card card/card.json --input t.csv --row 0 -o card/card.json",
        "commit-input --card card/card.json --input t.csv --row 0 -o ./t.csv",
        "predict diagnosis.tacit --input t.csv -o t.csv",
        "predict diagnosis.tacit --input t.csv -o {}",
        "predict diagnosis.tacit --input t.csv -o diagnosis.tacit",
        "quantize diagnosis.tacit --data t.csv -o diagnosis.tacit",
        "quantize diagnosis.tacit --data t.csv -o t.csv",
        "quantize diagnosis.tacit --data m.schema.json -o m.tacit",
        "commit card/opening.secret -o card",
        "commit diagnosis.tacit -o card --key card/card.json",
    ] {
        for force in ["", " --force"] {
            place
                .tacit(&format!("{line}{force}"), &[&absolute])
                .fails(2, &["the output is also an input", "choose another name"]);
        }
    }
    assert!(names.map(|name| place.read(name)) == before);
    for line in ["commit diagnosis.tacit -o t.csv", "commit diagnosis.tacit -o t.csv/card --force"] {
        place.tacit(line, &[]).fails(2, &["t.csv is a file; a folder is wanted"]);
    }
}

/// The card's fault, and said so: exit code 1 from whoever meets it.
#[test]
fn a_certificate_that_does_not_hold_is_a_verdict_on_the_card() {
    let place = proved("sumcheck");
    let card = Card::from_json(&place.read("card/card.json")).unwrap();
    let points = card.inline_points().unwrap();
    let mut certificate = points.certificate().to_vec();
    *certificate.last_mut().unwrap() ^= 1;
    let points = CardPoints::new(points.points().to_vec(), certificate).unwrap();
    let mut commitments = card.commitments().clone();
    let parameters = &mut commitments.sumcheck.as_mut().unwrap().parameters;
    parameters.certificate = points.certificate_digest();
    parameters.points = Some(points);
    let content = UnsignedCard {
        name: card.name().clone(),
        architecture: card.architecture().clone(),
        weights: card.weights().clone(),
        commitments,
        policy: card.policy(),
        quantisation: card.quantisation(),
    };
    let card = Card::sign(content, &OwnerKey::from_text(&place.read("card/owner.key")).unwrap()).unwrap();
    let mut opening = WeightsOpening::from_bytes(&place.read("card/opening.secret")).unwrap();
    opening.card_id = card.id();
    place.write("card/card.json", card.to_json());
    place.write("card/opening.secret", &*opening.to_bytes());
    let run = place
        .tacit(
            "prove inference --model diagnosis.tacit --opening card/opening.secret --input-opening record.secret \
             -o new.proof",
            &[],
        )
        .fails(1, &["the certificate of card", "(the certificate ", "proved about this card"]);
    assert!(!run.err.contains("for this statement") && !place.path("new.proof").exists(), "{run:?}");
}

#[test]
fn data_that_is_none_or_laid_out_otherwise_says_what_to_do() {
    let place = Place::new();
    let fixture = |name: &str| common::repository(&format!("crates/tacit-onnx/tests/fixtures/{name}.onnx"));
    let softmax = fixture("softmax");
    let quantize = |data: &str, bytes: &[u8]| {
        place.write(data, bytes);
        place.run(["quantize", &*softmax, "--data", data, "--labels", "y", "-o", "m.tacit"])
    };
    for mark in ["", "NaN", "?", "NA"] {
        let csv = format!("a,b,c,d,y\n1,2,3,{mark},0\n");
        let run = quantize("d.csv", csv.as_bytes())
            .fails(2, &["row 0 (line 2), column `d`: a missing value", "fill it in or leave the record out"]);
        assert!(!run.err.contains("--labels"), "{run:?}");
    }
    let run = quantize("d.csv", b"a,b,c,d,y\n1,2,3,1e300,0\n")
        .fails(2, &["is too large; numbers below 1099511627776", "larger unit"]);
    assert!(!run.err.contains("label"), "{run:?}");
    let run = quantize("d.csv", b"a,b,c,d,y\n1,2,3,red,0\n").fails(2, &["`red` is not a number", "--schema"]);
    assert!(!run.err.contains("--labels"), "{run:?}");
    quantize("d.csv", b"a,b,c,d,y\n1,2,3,4,\n")
        .fails(2, &["a missing label", "the name of a class or a whole number"]);
    quantize("d.csv", b"").fails(2, &["the file is empty", "copied whole"]);
    quantize("d.parquet", b"PAR1....").fails(2, &["Parquet files are not read", "to_csv"]);

    // Channels last, for a model that wants them first.
    let npy = |shape: &str| {
        let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({shape}), }}");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend((0..144u16).map(|i| (i * 37 % 251) as u8));
        bytes
    };
    place.write("last.npy", npy("2, 6, 6, 2"));
    place.write("first.npy", npy("2, 2, 6, 6"));
    place.write("flat.npy", npy("2, 72"));
    let conv = fixture("conv");
    let quantize = |data: &str| place.tacit("quantize {} --data {} -o c.tacit --force", &[&conv, data]);
    let wrong = [
        "has shape (2, 6, 6, 2); the model's input is (samples, 2, 6, 6)",
        "numpy.transpose(X, (0, 3, 1, 2))",
    ];
    quantize("last.npy").fails(2, &wrong);
    place.write("small.npy", npy("4, 2, 6, 3"));
    quantize("small.npy").fails(2, &["has shape (4, 2, 6, 3)", "as large as the model takes them"]);
    quantize("flat.npy").ok();
    quantize("first.npy").ok();
    place.tacit("predict c.tacit --input last.npy", &[]).fails(2, &wrong);
    place.tacit("predict c.tacit --input first.npy", &[]).ok();
}

#[test]
fn options_say_what_they_take() {
    let place = Place::new();
    let quantize = |more: &str| place.tacit(&format!("quantize m.onnx --data d.csv -o m.tacit {more}"), &[]);
    for (option, most) in [("--w-bits", "from 2 to 16"), ("--a-bits", "from 4 to 24")] {
        for wrong in ["abc", "1", "-1", "40", "8.5", "999999999999999999999"] {
            let run = quantize(&format!("{option} {wrong}"));
            assert!(!run.err.contains("use '--"), "{run:?}");
            run.usage(most);
        }
    }
    for wrong in ["height=-3", "height=8.5", "height=99999999999999999999999"] {
        quantize(&format!("--shape {wrong}")).usage("a positive whole number");
    }
    let accuracy = "prove accuracy --model m.tacit --opening o.secret --data d.csv --labels y -o p";
    place.tacit(accuracy, &[]).usage("--at-least <SHARE>|--claim <CONDITION>");
    place
        .tacit("quantize {} --data {} --labels diagnosis -o -", &[&onnx(), &data("train.csv")])
        .fails(2, &["`-` does not stand for standard output", "name a file"]);
    assert!(place.files().is_empty());

    // A schema by hand.
    let schema = |text: &str| {
        place.write("s.json", text);
        place.tacit("quantize {} --data {} --schema s.json -o m.tacit", &[&onnx(), &data("train.csv")])
    };
    let feature = r#"{"name": "a", "decimals": 0, "min": "0", "max": "1"}"#;
    let whole = |features: &str, classes: &str| {
        format!(r#"{{"format": "tacit.schema/1", "features": [{features}], "classes": [{classes}]}}"#)
    };
    let help = r#"{"name": "age", "decimals": 0, "min": "0", "max": "120"}"#;
    schema(&whole(feature, "\"no\"")).fails(2, &["expected a class such as {\"name\": \"benign\"}", help]);
    schema(&whole(&feature.replace("\"0\"", "-5"), ""))
        .fails(2, &["text in quotes, such as \"min\": \"-5\"", help]);
    schema(&whole(&feature.replace("\"decimals\": 0", "\"decimals\": -1"), ""))
        .fails(2, &["a whole number from 0 to 9"]);
    schema(&whole(&format!("{feature}, {feature}"), "")).fails(2, &["two features are called `a`"]);
}
