//! Claims about test sets by the real binary: accuracy in one go, in chunks by several processes, predictions, digests.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, Instant};

use common::{Place, data, onnx};

const PROVE: &str =
    "prove accuracy --model m.tacit --opening card/opening.secret --data {} --labels diagnosis";

/// A committed model, and the test set with a column `site` and its rows numbered.
fn committed() -> Place {
    let place = Place::new();
    place
        .tacit(
            "quantize {} --data {} --labels diagnosis --schema {} -o m.tacit",
            &[&onnx(), &data("train.csv"), &data("schema.json")],
        )
        .ok();
    place.tacit("commit m.tacit -o card", &[]).ok();
    let csv = std::fs::read_to_string(data("test.csv")).unwrap();
    let mut lines = csv.lines().enumerate().map(|(i, line)| match i {
        0 => format!("{line},site\n"),
        i => format!("{line},{}\n", ["north", "south"][i % 2]),
    });
    let header = lines.next().unwrap();
    place.write("test.csv", header + &lines.collect::<String>());
    place
}

#[test]
fn accuracy_is_proved_verified_and_cannot_be_moved() {
    let place = committed();
    let test = data("test.csv");
    let run = place.tacit(
        &format!("{PROVE} --at-least 95% --claim {{}} --context c -o a.proof --json"),
        &[&test, "recall[malignant] >= 0.9"],
    );
    let proved = run.ok().json();
    assert_eq!(proved["samples"], 171);
    assert!(proved["claim"].as_str().unwrap().contains("at least 163 of 171 right"), "{proved}");
    assert_eq!(proved["chunks"], 1);

    let verify = "verify a.proof --card card/card.json --data {} --context c";
    let run = place.tacit(&format!("{verify} --json"), &[&test]).ok();
    assert_eq!(run.json()["requirements"][1], "recall[malignant] >= 9/10");
    let run = place.tacit(&format!("{verify} --labels diagnosis"), &[&test]).ok();
    for text in ["HOLDS", "95 % interval of 163 of 171", "every prediction", "test set attested by: nobody"] {
        assert!(run.out.contains(text), "no `{text}` in {run:?}");
    }
    // Not the digest of the claim: other rows, other order, other labels.
    let csv = std::fs::read_to_string(&test).unwrap();
    let rows: Vec<&str> = csv.lines().collect();
    let relabelled = match rows[5].strip_suffix("malignant") {
        Some(rest) => format!("{rest}benign"),
        None => rows[5].replace("benign", "malignant"),
    };
    let (swapped, shorter) = ([&rows[..1], &[rows[2], rows[1]], &rows[3..]].concat(), rows[..171].to_vec());
    let (longer, other) =
        ([&rows[..], &[rows[1]]].concat(), [&rows[..5], &[&*relabelled], &rows[6..]].concat());
    for altered in [swapped, shorter, longer, other] {
        place.write("other.csv", altered.join("\n"));
        place.tacit(verify, &["other.csv"]).does_not_hold(&["the test set has digest"]);
    }
    place.tacit("verify a.proof --card card/card.json", &[]).fails(2, &["none was given", "--data"]);
    place
        .tacit("verify a.proof --card card/card.json --data {} --context d", &[&test])
        .does_not_hold(&["made for the context"]);
    place
        .tacit("verify a.proof --card card/card.json --data {} --labels {}", &[&test, "mean radius"])
        .fails(2, &["cannot be the label"]);
}

#[test]
fn what_the_model_misses_is_told_before_any_proving() {
    let place = committed();
    let test = data("test.csv");
    let reached = place.tacit(&format!("{PROVE} --at-least max -o max.proof --json"), &[&test]).ok().json();
    let claim = reached["claim"].as_str().unwrap();
    let right: u64 = claim.split("at least ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    let exactly = format!("{right}/171");
    place.tacit(&format!("{PROVE} --at-least {exactly} -o b.proof"), &[&test]).ok();
    let more = format!("{}/171", right + 1);
    place
        .tacit(&format!("{PROVE} --at-least {more} -o c.proof"), &[&test])
        .fails(1, &[&format!("{right} of 171 correct, {} needed", right + 1)]);
    place
        .tacit(&format!("{PROVE} --claim {{}} -o c.proof"), &[&test, "specificity[malignant] >= 1.0"])
        .fails(1, &["specificity[malignant] is", "needed"]);
    assert!(!place.files().contains(&"c.proof".to_owned()));
    for (args, holes, texts) in [
        ("--at-least 1", vec![], vec!["could be a count or a share"]),
        ("--at-least 101%", vec![], vec!["more than everything"]),
        ("--at-least 342/360", vec![], vec!["360 records; the test set has 171"]),
        ("--at-least x", vec![], vec!["is no threshold"]),
        ("--claim {}", vec!["recall[sick] >= 0.9"], vec!["is no class", "malignant"]),
        ("--claim {}", vec!["auc >= 0.9"], vec!["is no metric", "balanced_accuracy"]),
        ("--claim {}", vec!["gap(recall[malignant]) <= 0.1"], vec!["add `by COLUMN`"]),
        ("--claim {}", vec!["recall[malignant] >= 0.1 by place"], vec!["no column", "place"]),
        ("--claim {}", vec!["mae <= 1"], vec!["for models that predict numbers"]),
        ("--at-least 90% --chunks 172", vec![], vec!["172 chunks"]),
        ("--at-least 90% --by site", vec![], vec!["--claim"]),
        ("--at-least 90% --chunk 4/3", vec![], vec!["first of four chunks"]),
    ] {
        let holes: Vec<&str> = std::iter::once(test.as_str()).chain(holes).collect();
        place.tacit(&format!("{PROVE} {args} -o c.proof"), &holes).fails(2, &texts);
    }
    assert!(!place.files().contains(&"c.proof".to_owned()));
}

#[test]
fn groups_are_held_apart_and_gaps_bounded() {
    let place = committed();
    let path = place.path("test.csv");
    let test = path.to_str().unwrap();
    place
        .tacit(
            &format!("{PROVE} --claim {{}} --claim {{}} --claim {{}} -o fair.proof"),
            &[
                test,
                "accuracy >= 0.9 by site",
                "gap(recall[malignant]) <= 0.1 by site",
                "demographic_parity[malignant] <= 0.3 by site",
            ],
        )
        .ok();
    let run = place.tacit("verify fair.proof --card card/card.json --data test.csv", &[]).ok();
    assert!(run.out.contains("gap(selection_rate[malignant]) <= 3/10 by site"), "{run:?}");
    // The same records without, or with other groups.
    let csv = std::fs::read_to_string(&path).unwrap();
    place.write("moved.csv", csv.replacen("north", "south", 1));
    place
        .tacit("verify fair.proof --card card/card.json --data moved.csv", &[])
        .does_not_hold(&["the test set has digest"]);
    place
        .tacit("verify fair.proof --card card/card.json --data {}", &[&data("test.csv")])
        .fails(2, &["no column", "site"]);
    // Numbers of one group: nothing to compare.
    place.write("one.csv", csv.replace("north", "south"));
    place
        .tacit(&format!("{PROVE} --claim {{}} -o x.proof"), &["one.csv", "gap(accuracy) <= 0.1 by site"])
        .fails(2, &["compares groups"]);
}

#[test]
fn a_hidden_test_set_is_committed() {
    let place = committed();
    let small: String =
        std::fs::read_to_string(data("test.csv")).unwrap().split_inclusive('\n').take(21).collect();
    place.write("small.csv", small);
    let run = place.tacit(
        &format!("{PROVE} --at-least 80% --claim {{}} --hide data -o h.proof --json"),
        &["small.csv", "precision[malignant] >= 0.5"],
    );
    let pin = run.ok().json()["input_commitment"].as_str().unwrap().to_owned();
    let run = place.tacit("verify h.proof --card card/card.json --expect-input {}", &[&pin]).ok();
    assert!(run.out.contains("test set seen by the verifier: no"), "{run:?}");
    let other = format!("{}{}", &pin[..pin.len() - 2], if pin.ends_with("00") { "01" } else { "00" });
    place
        .tacit("verify h.proof --card card/card.json --expect-input {}", &[&other])
        .does_not_hold(&["not about the record"]);
    // Committed ahead of the proof: two claims show the same commitment.
    let run = place.tacit(
        "dataset commit small.csv --card card/card.json --labels diagnosis -o data.secret --json",
        &[],
    );
    let committed = run.ok().json()["commitments"]["sumcheck"].as_str().unwrap().to_owned();
    assert_ne!(committed, pin);
    for (bound, file) in [("80%", "b.proof"), ("70%", "c.proof")] {
        let line = format!("{PROVE} --at-least {bound} --data-opening data.secret -o {file}");
        place.tacit(&line, &["small.csv"]).ok();
        place.tacit(&format!("verify {file} --card card/card.json --expect-input {{}}"), &[&committed]).ok();
    }
    place
        .tacit(&format!("{PROVE} --at-least 80% --data-opening data.secret -o d.proof"), &[&data("test.csv")])
        .fails(2, &["another test set"]);
    place.tacit("inspect data.secret", &[]).ok();
    place
        .tacit(
            &format!("{PROVE} --claim {{}} --hide data -o i.proof"),
            &["small.csv", "balanced_accuracy >= 0.5"],
        )
        .fails(2, &["needs a test set that the verifier sees"]);
}

#[test]
fn predictions_are_public_and_bound() {
    let place = committed();
    let test = data("test.csv");
    let prove = "prove predictions --model m.tacit --opening card/opening.secret --data {}";
    place.tacit(&format!("{prove} --predictions p.csv -o p.proof"), &[&test]).ok();
    let verify = "verify p.proof --card card/card.json --data {} --predictions p.csv";
    place.tacit(verify, &[&test]).ok();
    let csv = String::from_utf8(place.read("p.csv")).unwrap();
    assert_eq!(csv.lines().count(), 172);
    let again = place.tacit("predict m.tacit --input {} --clip -o again.csv", &[&test]);
    again.ok();
    let class = |csv: &str| -> Vec<String> {
        csv.lines().skip(1).map(|l| l.split(',').nth(1).unwrap().to_owned()).collect()
    };
    assert_eq!(class(&csv), class(&String::from_utf8(place.read("again.csv")).unwrap()));
    // One class changed in the file.
    place.write("p.csv", csv.replacen("malignant", "benign", 1));
    place.tacit(verify, &[&test]).does_not_hold(&["not the predictions", "row"]);
    place.write("p.csv", csv.lines().take(20).map(|l| format!("{l}\n")).collect::<String>());
    place.tacit(verify, &[&test]).does_not_hold(&["not the predictions"]);
    // Outputs too.
    place.tacit(&format!("{prove} --outputs --predictions o.csv -o o.proof"), &[&test]).ok();
    let run = place.tacit("verify o.proof --card card/card.json --data {} --json", &[&test]).ok();
    assert_eq!(run.json()["predictions"].as_array().unwrap().len(), 342);
    place.tacit(&format!("{prove} -o p.proof"), &[&test]).fails(2, &["already exists"]);
    place
        .tacit(&format!("{prove} --predictions one -o one"), &[&test])
        .fails(2, &["two outputs of one name"]);
}

#[test]
fn digests_are_those_of_the_records() {
    let place = committed();
    let digest = |file: &str, more: &str| {
        let line = format!("dataset digest {{}} --schema {{}} --json {more}");
        place.tacit(line.trim(), &[file, &data("schema.json")]).ok().json()["digest"].clone()
    };
    let csv = std::fs::read_to_string(data("test.csv")).unwrap();
    // Columns turned round: the same set.
    let turned: String =
        csv.lines().map(|l| l.split(',').rev().collect::<Vec<_>>().join(",") + "\n").collect();
    place.write("turned.csv", turned);
    let original = digest(&data("test.csv"), "--labels diagnosis");
    assert_eq!(digest("turned.csv", "--labels diagnosis"), original);
    assert_eq!(digest("test.csv", "--labels diagnosis"), original);
    assert_ne!(digest("test.csv", "--labels diagnosis --by site"), original);
    assert_ne!(digest("test.csv", ""), original);
}

/// Chunks by processes of their own, one of them killed.
#[test]
fn chunks_by_several_processes_are_merged() {
    let place = committed();
    let test = data("test.csv");
    let chunk = |i: usize| {
        let mut command = place.command();
        let line = PROVE.replace("{}", &test) + &format!(" --at-least 90% --chunk {i}/3 -o {i}.chunk");
        command.args(line.split(' ')).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        command.spawn().unwrap()
    };
    let mut running = [1, 2, 3].map(chunk);
    // Killed on the way or just finished: the file is there whole or not at all.
    std::thread::sleep(Duration::from_millis(20));
    running[1].kill().unwrap();
    for child in &mut running {
        child.wait().unwrap();
    }
    let merge = "merge 3.chunk 1.chunk 2.chunk --card card/card.json --data {} -o a.proof";
    if !place.path("2.chunk").exists() {
        assert!(place.tacit(merge, &[&test]).code == 2);
        assert!(chunk(2).wait().unwrap().success());
    }
    for (line, text) in [
        ("merge 1.chunk 3.chunk --card card/card.json --data {} -o a.proof", "1 of 3 chunks is missing: 2"),
        ("merge 1.chunk 2.chunk 2.chunk 3.chunk --card card/card.json --data {} -o a.proof", "given twice"),
    ] {
        place.tacit(line, &[&test]).fails(2, &[text]);
    }
    // Chunks of another test set, bound, model.
    let lines: Vec<String> =
        std::fs::read_to_string(&test).unwrap().lines().map(|l| format!("{l}\n")).collect();
    place.write("less.csv", lines[..171].concat());
    for (file, bound, model) in
        [("less.csv", "90%", "card"), (test.as_str(), "91%", "card"), (test.as_str(), "90%", "second")]
    {
        if model == "second" {
            place.tacit("commit m.tacit -o second", &[]).ok();
        }
        let line = format!(
            "prove accuracy --model m.tacit --opening {model}/opening.secret --data {{}} --labels diagnosis --at-least \
             {bound} --chunk 2/3 -o foreign.chunk -f"
        );
        place.tacit(&line, &[file]).ok();
        place
            .tacit("merge 1.chunk foreign.chunk 3.chunk --card card/card.json --data {} -o a.proof", &[&test])
            .fails(2, &["belongs to another claim"]);
    }
    // One byte of a chunk's proof.
    let mut bytes = place.read("2.chunk");
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    place.write("bad.chunk", bytes);
    place
        .tacit("merge 1.chunk bad.chunk 3.chunk --card card/card.json --data {} -o a.proof", &[&test])
        .fails(2, &["chunk 2 is damaged"]);
    assert!(!place.path("a.proof").exists());

    place.tacit(merge, &[&test]).ok();
    place.tacit("verify a.proof --card card/card.json --data {}", &[&test]).ok();
    place
        .tacit("verify a.proof --card card/card.json --data less.csv", &[])
        .does_not_hold(&["the test set has digest"]);
    let mut proof = place.read("a.proof");
    let at = proof.len() - 40;
    proof[at] ^= 1;
    place.write("a2.proof", proof);
    place.tacit("verify a2.proof --card card/card.json --data {}", &[&test]).does_not_hold(&[]);
}

/// A run that is killed half-way goes on where it was.
#[test]
fn a_crash_between_chunks_loses_nothing() {
    let place = committed();
    let test = data("test.csv");
    let line = PROVE.replace("{}", &test) + " --at-least 90% --chunks 171 -o a.proof --json";
    let mut command = place.command();
    command.args(line.split(' ')).stdout(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    let work = place.path("a.proof.work");
    let kept = || {
        std::fs::read_dir(&work).map_or(0, |d| {
            d.filter(|f| f.as_ref().is_ok_and(|f| f.path().extension().is_some_and(|e| e == "chunk"))).count()
        })
    };
    let start = Instant::now();
    while kept() < 3 && start.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let found = kept();
    assert!((3..171).contains(&found), "{found}");
    assert!(!place.path("a.proof").exists());
    // Chunks of another claim are not overwritten.
    let other = line.replace("90%", "89%");
    let refused = place.run(other.split(' '));
    assert!(
        refused.code == 2 && refused.json()["error"].as_str().unwrap().contains("another claim"),
        "{refused:?}"
    );
    assert_eq!(kept(), found);
    // A damaged one is proved again.
    let mut bytes = place.read("a.proof.work/00002.chunk");
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    place.write("a.proof.work/00002.chunk", bytes);
    let report = place.run(line.split(' ')).ok().json();
    assert_eq!(report["chunks"], 171);
    assert_eq!(report["chunks_found"], found);
    assert!(!work.exists());
    place.tacit("verify a.proof --card card/card.json --data {}", &[&test]).ok();
}
