//! Claims about test sets that are false by one: whatever tensor of the trace a prover lies about, alone or with everything
//! after it recomputed from the lie, a relation is broken or a public value is not the verifier's.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;

use common::*;
use tacit_claim::{Metric, Requirement};
use tacit_model::testing::SplitMix;
use tacit_model::{Dataset, Labels, Model};
use tacit_relations::testing::arithmetic::{forged, holds};
use tacit_relations::{Segment, TensorId, TestSetClaim, Trace, check, lower_verdict, tally};

const SAMPLES: usize = 5;

fn scene(kind: Kind, seed: u64) -> (Model, Dataset) {
    let model = model(kind, Reader::Normalise, 5, seed);
    let data = data_for(&model, kind, SAMPLES, 1, true, &mut SplitMix(seed));
    (model, data)
}

/// Lies about one tensor: one element off, or one more here and one less there; alone and with what follows from it.
fn lies(claimed: &Claimed, id: TensorId) -> Vec<Trace> {
    let system = &claimed.lowered.system;
    let len = system.tensor(id).len();
    let deltas = [1, -1, 2, -2, 40, -40, 1 << 20, -(1 << 20)];
    let mut changes: Vec<Vec<(usize, i64)>> =
        (0..len).flat_map(|i| deltas.map(|delta| vec![(i, delta)])).collect();
    if len <= 64 {
        changes
            .extend((0..len * len).filter(|i| i % len != i / len).map(|i| vec![(i % len, 1), (i / len, -1)]));
    }
    let mut told = Vec::new();
    for change in changes {
        let mut alone = claimed.trace.clone();
        let mut all = Some(claimed.trace.clone());
        for (at, delta) in change {
            alone.values[id.0 as usize][at] += delta;
            all = all.and_then(|trace| forged(system, &trace, id, at, delta));
        }
        told.extend([Some(alone), all].into_iter().flatten());
    }
    told
}

/// Tells every lie; returns how many made the claim come out.
fn nothing_helps(claimed: &Claimed, what: &str) -> usize {
    let system = &claimed.lowered.system;
    assert!(
        !claimed.is_accepted(&claimed.trace) && !claimed.comes_out(&claimed.trace),
        "{what}: it is false"
    );
    let mut successes = 0;
    for (index, spec) in system.tensors().iter().enumerate() {
        // What is committed is another commitment's business.
        if Segment::COMMITTED.contains(&spec.segment) {
            continue;
        }
        for trace in lies(claimed, TensorId(index as u32)) {
            assert!(!claimed.is_accepted(&trace), "{what}: a lie about tensor {index} ({:?})", spec.segment);
            assert_eq!(check(system, &trace).is_ok(), holds(system, &trace), "{what}: {index}");
            successes += usize::from(claimed.comes_out(&trace));
        }
    }
    successes
}

fn requirements(kind: Kind) -> Vec<&'static str> {
    match kind {
        Kind::Number(_) => vec!["mae <= 1", "mse <= 1", "mae <= 1 by column 0", "mse <= 1 by column 0"],
        _ => vec![
            "accuracy >= 0",
            "accuracy <= 0",
            "accuracy >= 0 by column 0",
            "gap(accuracy) <= 0 by column 0",
            "recall[class 1] >= 0",
            "recall[class 1] <= 0",
            "gap(recall[class 1]) <= 0 by column 0",
            "precision[class 1] >= 0",
            "precision[class 1] <= 0",
            "specificity[class 0] >= 0",
            "false_positive_rate[class 1] <= 0",
            "gap(false_positive_rate[class 1]) <= 0 by column 0",
            "selection_rate[class 1] >= 0",
            "gap(selection_rate[class 0]) <= 0 by column 0",
            "f1[class 1] >= 0",
            "f1[class 1] <= 0",
            "balanced_accuracy >= 0",
            "balanced_accuracy <= 0",
            "top[1] >= 0",
            "top[1] <= 0",
            "top[2] >= 0",
            "top[2] <= 0 by column 0",
        ],
    }
}

#[test]
fn claims_that_are_false_by_one() {
    let mut metrics: BTreeMap<&str, usize> = BTreeMap::new();
    for kind in [Kind::Logits(3), Kind::SingleLogit, Kind::Number(5)] {
        for text in requirements(kind) {
            let (mut cases, mut successes) = (0, 0);
            for seed in 0..200 {
                let (model, data) = scene(kind, seed);
                let plain = &Requirement::parse(text, &model.architecture().schema, None).unwrap()[0];
                for hidden in [false, true] {
                    let of_hidden =
                        plain.scope.column().is_none() && plain.metric != Metric::BalancedAccuracy;
                    if hidden && !of_hidden {
                        continue;
                    }
                    let Some((r, tally)) = nearest_missed(&model, &data, plain, hidden) else { continue };
                    let what =
                        format!("{} (seed {seed}, hidden {hidden})", r.text(&model.architecture().schema));
                    let claimed = Claimed::tally(&model, &data, hidden, &tally);
                    successes += nothing_helps(&claimed, &what);
                    cases += 1;
                    *metrics.entry(r.metric.name()).or_default() += 1;
                }
                if cases >= 2 && successes > 0 {
                    break;
                }
            }
            println!("{text} of {kind:?}: {cases} false claims, {successes} lies that would have helped");
            let single = kind == Kind::SingleLogit && text.starts_with("top");
            assert!((cases > 0 && successes > 0) || single, "{text} of {kind:?}");
        }
    }
    assert_eq!(metrics.len(), 11, "{metrics:?}");
}

/// Hidden labels that are no labels would count a record for several classes, or none.
#[test]
fn hidden_labels_are_one_hot() {
    let (model, data) = scene(Kind::Logits(3), 3);
    let r = Requirement::parse("accuracy >= 0", &model.architecture().schema, None).unwrap();
    let tally = tally(model.architecture(), &r, SAMPLES as u64, None).unwrap();
    let claimed = Claimed::tally(&model, &data, true, &tally);
    assert!(claimed.is_accepted(&claimed.trace));
    let system = &claimed.lowered.system;
    let labels = system.segment(Segment::Input).nth(1).unwrap();
    let Some(Labels::Classes { indices, .. }) = data.labels() else { panic!("classes") };
    for (i, class) in indices.iter().enumerate() {
        let honest: [i64; 3] = std::array::from_fn(|c| i64::from(c == *class as usize));
        for row in 0..125 {
            let row = [row % 5 - 2, row / 5 % 5 - 2, row / 25 - 2];
            let mut trace = Some(claimed.trace.clone());
            for (c, (to, from)) in row.iter().zip(honest).enumerate() {
                trace = trace.and_then(|t| forged(system, &t, labels, 3 * i + c, to - from));
            }
            let mut sorted = row;
            sorted.sort_unstable();
            assert_eq!(claimed.is_accepted(&trace.unwrap()), sorted == [0, 0, 1], "{row:?}");
        }
    }
    // A record out of its declared range.
    let records = system.segment(Segment::Input).next().unwrap();
    for at in 0..system.tensor(records).len() {
        let feature = &model.architecture().schema.features[at % 3];
        let value = claimed.trace.tensor(records)[at];
        for (to, inside) in
            [(feature.min, true), (feature.max, true), (feature.min - 1, false), (feature.max + 1, false)]
        {
            let trace = forged(system, &claimed.trace, records, at, to - value).unwrap();
            assert_eq!(claimed.is_accepted(&trace), inside, "{to}");
        }
    }
}

/// The sums of parts are held to the thresholds by relations of their own.
#[test]
fn sums_of_parts() {
    for (kind, text) in
        [(Kind::Logits(3), "accuracy >= 0"), (Kind::Logits(3), "top[2] <= 0"), (Kind::Number(5), "mae <= 1")]
    {
        let cases = (0..20).filter_map(|seed| {
            let (model, data) = scene(kind, seed);
            let plain = &Requirement::parse(text, &model.architecture().schema, None).unwrap()[0];
            let (_, tally) = nearest_missed(&model, &data, plain, false)?;
            Some((model, data, tally))
        });
        for (model, data, tally) in cases.take(4) {
            // Lies about a part's sum are broken relations of the part.
            let part = Claimed::new(&model, &data, 1..3, false, TestSetClaim::Sums(&tally), &[]);
            // Errors too large for any part are refused in each.
            assert!(part.is_accepted(&part.trace) || kind.classes() == 0);
            for index in 0..part.lowered.system.tensors().len() {
                let id = TensorId(index as u32);
                if !Segment::COMMITTED.contains(&part.lowered.system.tensor(id).segment) {
                    assert!(lies(&part, id).iter().all(|trace| !part.is_accepted(trace)), "tensor {index}");
                }
            }
            // And a sum that is too small by one is too small, whatever is said of the difference.
            let system = lower_verdict(&tally).unwrap();
            for missing in [0, 1, 2, tally.reach + tally.forms[0].at_least] {
                let totals = tally.forms.iter().map(|f| f.at_least - missing).collect();
                let given =
                    tacit_relations::Assignment { weights: vec![], input: vec![totals], public: vec![] };
                let honest = tacit_relations::trace(&system, &given).unwrap();
                assert_eq!(check(&system, &honest).is_ok(), missing == 0);
                let beyond = system.segment(Segment::Witness).next().unwrap();
                for delta in [1, missing, missing + 1] {
                    let mut trace = honest.clone();
                    trace.values[beyond.0 as usize][0] += delta;
                    assert!(delta == 0 || check(&system, &trace).is_err());
                }
            }
        }
    }
}
