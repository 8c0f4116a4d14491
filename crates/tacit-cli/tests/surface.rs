//! Arguments, help, inspect, streams: what a newcomer and a script meet.

#![allow(clippy::unwrap_used)] // Tests may.

mod common;

use std::process::Stdio;

use common::{Place, data, onnx, points_beside, proved, repository, with_every_engine};

with_every_engine! {
    inspect_knows_every_file_and_prints_no_secret,
}

#[test]
fn every_command_has_help_with_an_example() {
    let place = Place::new();
    let commands = [
        "quantize",
        "predict",
        "commit",
        "commit-input",
        "prove inference",
        "prove accuracy",
        "prove predictions",
        "merge",
        "serve",
        "provider init",
        "provider publish",
        "provider work",
        "patient send",
        "patient receive",
        "patient prove-to",
        "dataset digest",
        "dataset commit",
        "verify",
        "inspect",
        "srs import",
        "srs unsafe-dev",
        "srs info",
        "demo medical",
    ];
    for command in commands {
        let run = place.tacit(&format!("{command} --help"), &[]).ok();
        assert!(run.out.contains("Example") && run.out.contains(&format!("tacit {command}")), "{run:?}");
    }
    let run = place.tacit("--help", &[]).ok();
    assert!(run.out.contains("Exit codes") && run.out.contains("tacit demo medical"), "{run:?}");
    assert!(place.tacit("--version", &[]).ok().out.starts_with("tacit 0."));
}

#[test]
fn bad_arguments_have_code_2() {
    let place = Place::new();
    for line in [
        "frobnicate",
        "verify",
        "verify a --card b --expect-card zz",
        "srs unsafe-dev --k 0",
        "srs unsafe-dev --k 99",
        "prove inference --model a -o b",
        "prove inference --model a --card c --input d --input-opening e -o f",
        "commit a -o b --engine snark",
        "prove inference --model a --card c --input d --engine snark -o f",
        "prove inference --model a --card c --input d --reveal output -o f",
        "predict a --input b --row -1",
    ] {
        let run = place.tacit(line, &[]);
        assert!(run.code == 2 && run.out.is_empty() && run.err.contains("error"), "{line}: {run:?}");
        let run = place.tacit(&format!("{line} --json"), &[]);
        let error = run.json();
        assert!(run.code == 2 && error["exit_code"] == 2 && error["error"].is_string(), "{line}: {run:?}");
    }
    assert_eq!(place.run::<&str>([]).code, 2);
    assert!(place.files().is_empty());
}

fn inspect_knows_every_file_and_prints_no_secret(engine: &str) {
    let place = proved(engine);
    let schema = data("schema.json");
    let onnx = onnx();
    let hide = "prove inference --model diagnosis.tacit --opening card/opening.secret --input-opening record.secret \
                --hide output -o hidden.proof";
    if engine == "halo2" {
        // The circuit with a hidden answer has more rows.
        place.tacit("srs unsafe-dev --k 11", &[]).ok();
    }
    place.tacit(hide, &[]).ok();
    let mut files = vec![
        ("diagnosis.tacit", "quantised model", true),
        ("card/card.json", "card", false),
        ("answer.proof", "proof", false),
        ("card/opening.secret", "opening of a card", true),
        ("record.secret", "opening of a record", true),
        ("hidden.proof.answer.secret", "opening of an answer", true),
        ("card/owner.key", "owner's key", true),
        (&*schema, "schema", false),
        (&*onnx, "ONNX model", false),
    ];
    if engine == "halo2" {
        files.push((".home/tacit/srs/srs-unsafe-dev-10.bin", "setup parameters", false));
    } else {
        points_beside(&place);
        files.push(("card/card.points", "points of a card", false));
    }
    let key = String::from_utf8(place.read("card/owner.key")).unwrap();
    let key = key.lines().find_map(|l| l.strip_prefix("secret ")).unwrap();
    let opening = place.read("card/opening.secret");
    let record = place.read("record.secret");
    // A salt is 32 bytes: no run of 16 bytes of a secret body may be printed. Card id and digests are public.
    let salt = hex(&opening[opening.len() - 32..]);
    // Nor the digest of the model, by which a guess of its weights could be confirmed.
    let model = hex(&opening[42 + 64..42 + 96]);
    for (file, kind, secret) in files {
        let text = place.run(["inspect", file]).ok();
        assert!(text.out.contains(kind) && text.out.contains("it reveals"), "{text:?}");
        let run = place.run(["inspect", file, "--json"]).ok();
        let json = run.json();
        assert_eq!((json["kind"].as_str(), json["secret"].as_bool()), (Some(kind), Some(secret)), "{file}");
        for shown in [&text.out, &run.out] {
            for hidden in [key, &salt, &model] {
                let everything = file == "diagnosis.tacit" && hidden == model;
                assert!(!shown.contains(hidden) || everything, "{file}: {shown}");
            }
            // The record's first measurement, in every form.
            if file == "record.secret" {
                assert!(!shown.contains("20.57") && !shown.contains("20570"), "{shown}");
                for at in 42 + 64..record.len() - 16 {
                    let run = hex(&record[at..at + 16]);
                    let public =
                        shown.contains(&run) && json["commitments"][engine].as_str().unwrap().contains(&run);
                    assert!(!shown.contains(&run) || public, "{shown}");
                }
            }
        }
    }
    if engine == "halo2" {
        let run = place.tacit("inspect answer.proof --card card/card.json", &[]).ok();
        assert!(
            run.out.contains("answers: class malignant") && run.out.contains("nobody has checked here"),
            "{run:?}"
        );
    }
    place.tacit("inspect card/card.json --card card/card.json", &[]).fails(2, &["--card is for proofs"]);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn setups_are_listed() {
    let place = Place::new();
    let run = place.tacit("srs info", &[]).ok();
    assert!(run.out.contains("No setup is installed") && run.err.contains("tacit srs import"), "{run:?}");
    let run = place.tacit("srs unsafe-dev --k 4", &[]).ok();
    assert!(run.out.contains("UNSAFE") && run.err.contains("anybody can forge"), "{run:?}");
    let run = place.tacit("srs info --json", &[]).ok();
    let info = run.json();
    assert_eq!((&info["setups"][0]["k"], &info["setups"][0]["unsafe_dev"]), (&4.into(), &true.into()));
    let ptau = |name: &str| repository(&format!("crates/tacit-halo2/tests/fixtures/ptau/{name}.ptau"));
    let run = place.tacit("srs import {} --max-k 6", &[&ptau("power08")]).ok();
    assert!(run.out.contains("2^6 rows") && run.err.contains("no published ceremony file"), "{run:?}");
    place.tacit("srs import {}", &[&ptau("bls12-381-new01")]).fails(2, &["BN254", " help: "]);
    let info = place.tacit("srs info --json", &[]).ok().json();
    assert_eq!(info["setups"].as_array().map(Vec::len), Some(2));
    assert_eq!((&info["setups"][0]["k"], &info["setups"][0]["unsafe_dev"]), (&6.into(), &false.into()));
    let run = place.run(["inspect", &ptau("power08")]).ok();
    assert!(run.out.contains("setup parameters"), "{run:?}");
    let file = place.path(".home/tacit/srs/srs-unsafe-dev-4.bin");
    std::fs::write(&file, b"TACITSRS and then nothing").unwrap();
    let run = place.tacit("srs info", &[]).ok();
    assert!(run.err.contains("delete it"), "{run:?}");
}

#[cfg(unix)]
#[test]
fn streams_that_fail_are_met_with_grace() {
    let place = Place::new();
    // A reader that went away.
    let mut child =
        place.command().args(["--help"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait_with_output().unwrap().stderr, b"");
    let holes = [&*onnx()];
    let mut child = place
        .command()
        .args(["inspect", holes[0]])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    // A disk that is full.
    if let Ok(full) = std::fs::File::options().write(true).open("/dev/full") {
        let output = place.command().args(["srs", "info"]).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("the result cannot be written"),
            "{output:?}"
        );
    }
    // No home at all.
    let output =
        place.command().env_remove("XDG_DATA_HOME").env("HOME", "").args(["srs", "info"]).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 2)), "{output:?}");
}
