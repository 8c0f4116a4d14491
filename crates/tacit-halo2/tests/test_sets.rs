//! Claims about test sets that are false by one: provers whose lie makes the count come out run the real prover, and the
//! verifier refuses what they make. For every metric, with records in the open and hidden.

#![allow(clippy::unwrap_used)]

mod common;
#[path = "../../tacit-relations/tests/common/mod.rs"]
mod scenes;

use std::collections::BTreeMap;

use common::proofs::Keyed;
use common::{Case, in_parallel, is_thorough, openings, same_cells, statement};
use scenes::{Claimed, Kind, Reader, data_for, model, nearest_missed, records_of};
use tacit_claim::Requirement;
use tacit_model::testing::SplitMix;
use tacit_model::{Dataset, Model};
use tacit_relations::testing::arithmetic::forged;
use tacit_relations::{Assignment, Relation, Segment, TensorId, TestSetClaim, Trace, committed_labels};

const SAMPLES: usize = 4;

fn scene(kind: Kind, seed: u64) -> (Model, Dataset) {
    let model = model(kind, Reader::Normalise, 5, seed);
    let data = data_for(&model, kind, SAMPLES, 1, true, &mut SplitMix(seed));
    (model, data)
}

/// The claim with an honest witness, whether or not that shows it.
fn case(name: &str, model: &Model, data: &Dataset, claimed: &Claimed, hidden: bool) -> Case {
    let system = claimed.lowered.system.clone();
    let openings = openings(&system);
    let statement = statement(system, &claimed.trace, &openings).unwrap();
    assert!(claimed.public.iter().all(|(id, values)| statement.public.get(id) == Some(values)));
    let records = || vec![records_of(data).concat(), committed_labels(model.architecture(), data).unwrap()];
    let given = Assignment {
        weights: model.weights().tensors().to_vec(),
        input: if hidden { records() } else { vec![] },
        public: vec![],
    };
    Case { name: name.to_owned(), given, statement, trace: claimed.trace.clone(), openings }
}

/// A lie about the tensor, with everything after it recomputed, that makes the claim come out: one element off, or one more
/// here and one less there.
fn helpful_lie(claimed: &Claimed, id: TensorId) -> Option<Trace> {
    let system = &claimed.lowered.system;
    let len = system.tensor(id).len();
    let pairs = (0..len * len).filter(|i| i % len != i / len).map(|i| vec![(i % len, 1), (i / len, -1)]);
    let deltas = [1, -1, 2, -2, 5, -5, 16, -16];
    let single = (0..len).flat_map(|i| deltas.map(|delta| vec![(i, delta)]));
    pairs.take(400).chain(single).find_map(|change| {
        let all =
            change.into_iter().try_fold(claimed.trace.clone(), |t, (at, by)| forged(system, &t, id, at, by));
        all.filter(|trace| claimed.comes_out(trace))
    })
}

#[test]
fn false_claims_about_test_sets_are_refused() {
    let numbers = ["mae <= 1", "mse <= 1 by column 0"];
    let classes = [
        "accuracy >= 0",
        "accuracy <= 0",
        "top[2] >= 0",
        "top[1] <= 0",
        "recall[class 1] >= 0",
        "precision[class 1] >= 0",
        "specificity[class 0] >= 0",
        "false_positive_rate[class 1] <= 0",
        "selection_rate[class 1] >= 0",
        "f1[class 1] >= 0",
        "balanced_accuracy >= 0",
        "gap(accuracy) <= 0 by column 0",
        "gap(selection_rate[class 0]) <= 0 by column 0",
    ];
    let claims: Vec<(Kind, &str, bool)> = [
        classes.map(|t| (Kind::Logits(if t.contains("balanced") { 2 } else { 3 }), t, false)).to_vec(),
        numbers.map(|t| (Kind::Number(5), t, false)).to_vec(),
        vec![(Kind::SingleLogit, "accuracy >= 0", false), (Kind::SingleLogit, "recall[class 1] >= 0", false)],
        ["accuracy >= 0", "precision[class 1] >= 0", "top[2] >= 0"]
            .map(|t| (Kind::Logits(3), t, true))
            .to_vec(),
        vec![(Kind::Number(5), "mae <= 1", true), (Kind::SingleLogit, "f1[class 1] >= 0", true)],
    ]
    .concat();
    let told = in_parallel(&claims, |&(kind, text, hidden)| {
        let found = (0..200).find_map(|seed| {
            let (model, data) = scene(kind, seed);
            let plain = &Requirement::parse(text, &model.architecture().schema, None).unwrap()[0];
            let (r, tally) = nearest_missed(&model, &data, plain, hidden)?;
            let claimed = Claimed::tally(&model, &data, hidden, &tally);
            let system = &claimed.lowered.system;
            let ids = (0..system.tensors().len() as u32).map(TensorId);
            let lies: Vec<(TensorId, Trace)> = ids
                .filter(|id| system.tensor(*id).segment != Segment::Constant)
                .filter_map(|id| Some((id, helpful_lie(&claimed, id)?)))
                .collect();
            // Where two groups miss, one lie does not help.
            (lies.len() > 3).then_some((model, data, r, claimed, lies))
        });
        let (model, data, r, claimed, lies) = found.unwrap_or_else(|| panic!("{text}: no such test set"));
        let name = format!("{}, hidden {hidden}", r.text(&model.architecture().schema));
        let case = case(&name, &model, &data, &claimed, hidden);
        let keyed = Keyed::new(case.clone());
        let honest = case.circuit();
        let mut kinds: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
        for (id, trace) in lies {
            let made_by = case.system().relations().iter().find(|r| r.result() == Some(id));
            let circuit = case.circuit_of(&case.statement, &trace);
            if same_cells(&circuit, &honest) {
                continue;
            }
            // One lie about the result of each kind of relation, as a rule.
            let [refused, impossible] = kinds.entry(made_by.map_or("given", Relation::kind)).or_default();
            if *refused > 0 && !is_thorough() {
                continue;
            }
            match keyed.forge(&circuit, &case.statement) {
                Ok(proof) => {
                    assert!(
                        keyed.verify(&case.statement, &proof).is_err(),
                        "{name}: a lie about tensor {}",
                        id.0
                    );
                    *refused += 1;
                }
                Err(_) => *impossible += 1,
            }
        }
        // The truth does not help either.
        if let Ok(proof) = keyed.forge_trace(&case.trace, &case.statement) {
            assert!(keyed.verify(&case.statement, &proof).is_err(), "{name}: the truth");
        }
        assert!(kinds.values().map(|[refused, _]| refused).sum::<usize>() >= 3, "{name}: {kinds:?}");
        (name, kinds)
    });
    for (name, kinds) in told {
        println!("{name}: {kinds:?} (refused, no proof could be made)");
    }
}

/// The same machinery proves what is true.
#[test]
fn true_claims_about_test_sets_hold() {
    let claims = [
        (Kind::Logits(3), "accuracy >= 0", false),
        (Kind::Number(5), "mae <= 1000", true),
        (Kind::Logits(2), "f1[class 1] >= 0", true),
    ];
    in_parallel(&claims, |&(kind, text, hidden)| {
        let (model, data, claimed) = (0..100)
            .find_map(|seed| {
                let (model, data) = scene(kind, seed);
                let r = Requirement::parse(text, &model.architecture().schema, None).unwrap();
                let seen = if hidden { None } else { Some(&data) };
                let tally = tacit_relations::tally(model.architecture(), &r, SAMPLES as u64, seen).unwrap();
                let claimed =
                    Claimed::new(&model, &data, 0..SAMPLES, hidden, TestSetClaim::Tally(&tally), &[]);
                claimed.is_accepted(&claimed.trace).then_some((model, data, claimed))
            })
            .unwrap();
        let keyed = Keyed::new(case(text, &model, &data, &claimed, hidden));
        keyed.verify(&keyed.case.statement, &keyed.prove()).unwrap();
    });
}
