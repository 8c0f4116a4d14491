//! Claims about test sets: proved, verified, and everything that must be refused. Tests run with every engine where both can
//! prove such claims.

#![allow(clippy::unwrap_used)]

mod common;

use common::{altered_bytes_are_refused, key, refused, with_every_engine};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tacit_claim::{
    AccuracyClaim, AnswersClaim, Bundle, Card, CardName, CardPoints, Claim, ClaimKind, ClaimMismatch,
    ColumnName, Commitment, CommitmentPin, Comparison, Context, DataClaim, DatasetOpening, EngineId,
    Fraction, Metric, PredictionsClaim, ProofChunk, Requirement, Scope, WeightsClaim, WeightsOpening,
};
use tacit_core::{
    ChunkStore, Chunks, CommitRequest, Committed, CoreError, DataFolder, Expectations, Outcome,
    ProvedTestSet, Ready, Required, Silent, Supplied, TestData, TestSetProof, Verdict, commit,
    commit_dataset, merge, prepare_accuracy, prove_accuracy, prove_predictions, statement, verify,
};
use tacit_model::testing::{mlp, record, schema};
use tacit_model::{Dataset, Grouping, Labels, Model};
use tacit_relations::TallyError;

with_every_engine! {
    requirements_that_are_met,
    one_logit_and_numbers,
    what_is_reached,
    missed_requirements_are_told_before_anything_is_proved,
    other_test_sets_are_refused,
    other_cards_and_contexts_are_refused,
    rewritten_claims_are_refused,
    altered_proofs_do_not_hold,
    hidden_test_sets,
    hidden_test_sets_committed_to_before,
    hidden_test_sets_that_cannot_be_proved,
    predictions,
    outputs,
    revealed_weights,
    other_models_are_refused,
}

const SAMPLES: usize = 6;

struct Stage {
    engine: EngineId,
    _kept: tempfile::TempDir,
    folder: DataFolder,
    model: Model,
    card: Card,
    points: Option<CardPoints>,
    opening: WeightsOpening,
    data: Dataset,
    context: Context,
    rng: ChaCha20Rng,
}

/// A model that answers each class at least twice.
fn answering_both(sizes: &[usize], seed: u64) -> Model {
    let mut all = (100 * seed..).map(|seed| mlp(sizes, 8, 8, seed));
    let second = |m: &Model| records(m).iter().filter(|r| class(m, r) == 1).count();
    all.find(|m| (2..=SAMPLES - 2).contains(&second(m))).unwrap()
}

fn classifier(seed: u64) -> Model {
    answering_both(&[2, 3, 2], seed)
}

fn single_logit() -> Model {
    answering_both(&[2, 1], 3)
}

fn regressor() -> Model {
    let base = mlp(&[2, 1], 8, 8, 3);
    let mut architecture = base.architecture().clone();
    architecture.schema = schema(2, 0);
    Model::new(architecture, base.weights().tensors().to_vec()).unwrap()
}

fn records(model: &Model) -> Vec<Vec<i64>> {
    (0..SAMPLES as u64).map(|i| record(model.architecture(), 10 + i)).collect()
}

fn class(model: &Model, record: &[i64]) -> usize {
    model.architecture().predicted_class(model.run(record).unwrap().output()).unwrap()
}

/// Records with classes, of which the model gets all but the first right, of two sites.
fn classes_of(model: &Model, records: &[Vec<i64>]) -> (Labels, Vec<Grouping>) {
    let classes: Vec<String> = model.architecture().schema.classes.iter().map(|c| c.name.clone()).collect();
    let n = classes.len();
    let right = records.iter().map(|r| class(model, r)).enumerate();
    let indices = right.map(|(i, c)| ((c + usize::from(i == 0)) % n) as u32).collect();
    let sites: Vec<&str> = ["a", "b"].into_iter().cycle().take(records.len()).collect();
    (Labels::Classes { column: "label".into(), classes, indices }, vec![Grouping::of("site".into(), &sites)])
}

/// Records with numbers, of which the first is off by two units of the output.
fn numbers_of(model: &Model, records: &[Vec<i64>]) -> Labels {
    // Eight decimals hold 2^-8 exactly.
    let unit = 10i64.pow(8) >> model.architecture().output_exponent;
    let answers = records.iter().map(|r| model.run(r).unwrap().output()[0]).enumerate();
    let values = answers.map(|(i, a)| (a + if i == 0 { 2 } else { 0 }) * unit).collect();
    Labels::Numbers { column: "label".into(), decimals: 8, values }
}

fn data_of(model: &Model, records: Vec<Vec<i64>>) -> Dataset {
    let schema = &model.architecture().schema;
    if schema.classes.is_empty() {
        let labels = numbers_of(model, &records);
        return Dataset::new(schema, records, Some(labels), vec![]).unwrap();
    }
    let (labels, groupings) = classes_of(model, &records);
    Dataset::new(schema, records, Some(labels), groupings).unwrap()
}

fn stage_of(engine: EngineId, model: Model, public_weights: bool) -> Stage {
    let kept = tempfile::tempdir().unwrap();
    let folder = DataFolder::new(kept.path());
    if engine == EngineId::Halo2 {
        folder.srs().add_unsafe_dev(12).unwrap();
    }
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let request = CommitRequest {
        model: &model,
        name: CardName::new("test").unwrap(),
        engines: &[engine],
        owner: &key(),
        public_weights,
        quantisation: None,
    };
    let Committed { card, points, opening } = commit(&folder, &request, &mut rng, &Silent).unwrap();
    let data = data_of(&model, records(&model));
    let context = Context::new("round 1").unwrap();
    Stage { engine, _kept: kept, folder, model, card, points, opening, data, context, rng }
}

fn stage(engine: EngineId) -> Stage {
    stage_of(engine, classifier(2), false)
}

/// The development setup is what the halo2 engine has here.
fn trusting() -> Expectations {
    Expectations { allow_dev_srs: true, ..Expectations::default() }
}

impl Stage {
    fn request(&self) -> TestSetProof<'_> {
        TestSetProof {
            model: &self.model,
            card: &self.card,
            points: self.points.as_ref(),
            opening: Some(&self.opening),
            data: &self.data,
            engine: self.engine,
            reveal_weights: false,
            context: &self.context,
        }
    }

    fn required(&self, texts: &[&str]) -> Vec<Requirement> {
        let schema = &self.model.architecture().schema;
        texts.iter().flat_map(|t| Requirement::parse(t, schema, None).unwrap()).collect()
    }

    fn prove_with(
        &self,
        request: &TestSetProof<'_>,
        texts: &[&str],
        hide: bool,
    ) -> Result<ProvedTestSet, CoreError> {
        let required = Required::These(self.required(texts));
        prove_accuracy(&self.folder, request, &required, hide, &mut self.rng.clone(), &Silent)
    }

    fn prove(&self, texts: &[&str]) -> Result<ProvedTestSet, CoreError> {
        self.prove_with(&self.request(), texts, false)
    }

    /// Verifies with the card's own points and the model's own test set.
    fn verify(&self, bundle: &Bundle) -> Result<Verdict, CoreError> {
        self.verify_on(bundle, Some(&self.data))
    }

    fn verify_on(&self, bundle: &Bundle, data: Option<&Dataset>) -> Result<Verdict, CoreError> {
        self.verify_expecting(bundle, data, &trusting())
    }

    fn verify_expecting(
        &self,
        bundle: &Bundle,
        data: Option<&Dataset>,
        expected: &Expectations,
    ) -> Result<Verdict, CoreError> {
        let supplied = Supplied { points: self.points.as_ref(), model: None, data };
        verify(&self.folder, bundle, &self.card, supplied, expected, &Silent)
    }

    /// The tightest bound in twenty-fourths that the model meets; the next must be missed.
    fn tightest(&self, left: &str, comparison: Comparison, by: &str) -> String {
        let sign = if comparison == Comparison::AtLeast { ">=" } else { "<=" };
        let text = |n: u32| format!("{left} {sign} {n}/24{by}");
        let meets = |n: u32| {
            let request = self.request();
            let ready = prepare_accuracy(
                &self.folder,
                &request,
                &Required::These(self.required(&[&text(n)])),
                TestData::Public,
                Chunks::Exactly(1),
                &mut self.rng.clone(),
                &Silent,
            );
            match ready.map(drop) {
                Ok(()) => true,
                Err(CoreError::Missed(_)) => false,
                Err(e) => panic!("{}: {e}", text(n)),
            }
        };
        let bounds: Vec<u32> =
            if comparison == Comparison::AtLeast { (0..=24).rev().collect() } else { (0..=24).collect() };
        let at = bounds.into_iter().find(|n| meets(*n)).unwrap();
        text(at)
    }
}

/// The error of what must not work.
#[track_caller]
/// The proof with another accuracy claim.
fn rewritten(bundle: &Bundle, edit: impl FnOnce(&mut AccuracyClaim)) -> Bundle {
    let (mut claim, proof) = bundle.clone().into_parts();
    let ClaimKind::Accuracy(accuracy) = &mut claim.kind else { panic!("about accuracy") };
    edit(accuracy);
    Bundle::new(claim, proof).unwrap()
}

fn accuracy_of(bundle: &Bundle) -> &AccuracyClaim {
    let ClaimKind::Accuracy(accuracy) = &bundle.claim().kind else { panic!("about accuracy") };
    accuracy
}

fn requirements_that_are_met(engine: EngineId) {
    let s = stage(engine);
    let lefts: &[(&str, &str)] = match engine {
        EngineId::Sumcheck => &[
            ("accuracy", ""),
            ("accuracy", " by site"),
            ("top[1]", ""),
            ("top[2]", " by site"),
            ("recall[class 0]", ""),
            ("precision[class 1]", ""),
            ("specificity[class 1]", ""),
            ("false_positive_rate[class 0]", ""),
            ("selection_rate[class 1]", " by site"),
            ("f1[class 0]", ""),
            ("balanced_accuracy", ""),
        ],
        EngineId::Halo2 => &[("top[1]", ""), ("recall[class 1]", "")],
    };
    let mut texts = Vec::new();
    for (left, by) in lefts {
        texts.push(s.tightest(left, Comparison::AtLeast, by));
        texts.push(s.tightest(left, Comparison::AtMost, by));
    }
    texts.push(s.tightest("gap(accuracy)", Comparison::AtMost, " by site"));
    if engine == EngineId::Sumcheck {
        texts.push(s.tightest("gap(selection_rate[class 1])", Comparison::AtMost, " by site"));
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let proved = s.prove(&texts).unwrap();
    assert_eq!(proved.setup.is_some(), engine == EngineId::Halo2);
    let bundle = Bundle::from_bytes(&proved.bundle.to_bytes()).unwrap();
    let verdict = s.verify(&bundle).unwrap();
    assert_eq!(verdict.setup, proved.setup);
    assert!(verdict.sentence.contains("run on the 6 records of the test set"), "{}", verdict.sentence);
    assert!(verdict.hidden.contains(&"every prediction".to_owned()));
    // One at a time, and each in a proof that is of no use for another.
    if engine == EngineId::Sumcheck {
        for text in texts {
            s.verify(&s.prove(&[text]).unwrap().bundle).unwrap();
        }
    }
}

fn one_logit_and_numbers(engine: EngineId) {
    let s = stage_of(engine, single_logit(), false);
    let proved = s.prove(&["accuracy >= 5/6", "accuracy <= 5/6", "precision[class 0] >= 0.5"]).unwrap();
    s.verify(&proved.bundle).unwrap();
    refused(s.prove(&["accuracy >= 5/6", "accuracy <= 4/6"]), Outcome::DoesNotHold);
    let e = s.prove(&["top[1] >= 0.5"]).unwrap_err();
    assert!(matches!(e, CoreError::Tally(TallyError::Model { .. })), "{e}");

    // Off by two units of 2^-8 in one record of six.
    let s = stage_of(engine, regressor(), false);
    let proved = s.prove(&["mae <= 2/1536", "mse <= 4/393216"]).unwrap();
    s.verify(&proved.bundle).unwrap();
    for text in ["mae <= 1/1536", "mse <= 3/393216", "mae <= 0", "mae <= 1999/1536000"] {
        refused(s.prove(&[text]), Outcome::DoesNotHold);
    }
    let better = rewritten(&proved.bundle, |a| a.requirements[0].bound = Fraction::new(1, 1536).unwrap());
    refused(s.verify(&better), Outcome::DoesNotHold);
    let e = s.prove(&["mae <= 2/1536 by site"]).unwrap_err();
    assert!(matches!(e, CoreError::Tally(TallyError::NoColumn(_))), "{e}");
}

fn what_is_reached(engine: EngineId) {
    let s = stage(engine);
    let reached = Required::Reached(s.required(&["recall[class 1] >= 0"]));
    let rng = &mut s.rng.clone();
    let proved = prove_accuracy(&s.folder, &s.request(), &reached, false, rng, &Silent).unwrap();
    s.verify(&proved.bundle).unwrap();
    let claim = accuracy_of(&proved.bundle);
    assert_eq!(claim.requirements.len(), 2);
    assert_eq!(claim.requirements[0], Requirement::accuracy_at_least(Fraction::new(5, 6).unwrap()));
    let more = rewritten(&proved.bundle, |a| a.requirements[0].bound = Fraction::new(1, 1).unwrap());
    refused(s.verify(&more), Outcome::DoesNotHold);
    // Shares of all records are stated as counts.
    let proved = s.prove(&["accuracy >= 70%"]).unwrap();
    assert_eq!(accuracy_of(&proved.bundle).requirements[0].bound, Fraction::new(5, 6).unwrap());
}

fn missed_requirements_are_told_before_anything_is_proved(engine: EngineId) {
    let mut s = stage(engine);
    // No setup: whatever would be proved fails otherwise.
    let empty = tempfile::tempdir().unwrap();
    s.folder = DataFolder::new(empty.path());
    let missed = |texts: &[&str]| match refused(s.prove(texts), Outcome::DoesNotHold) {
        CoreError::Missed(text) => text,
        e => panic!("{e}"),
    };
    assert_eq!(missed(&["accuracy >= 6/6"]), "5 of 6 correct, 6 needed");
    assert_eq!(missed(&["accuracy >= 84%"]), "5 of 6 correct, 6 needed");
    assert_eq!(missed(&["accuracy <= 4/6"]), "5 of 6 correct, 4 allowed");
    let text = missed(&["accuracy >= 5/6", "accuracy >= 0.9 by site"]);
    assert!(text.contains("2 of 3 (66.66 %) for a, 3 of 3 (100.00 %) for b"), "{text}");
    assert!(text.contains("accuracy >= 9/10 by site"), "{text}");
    for text in
        ["gap(accuracy) <= 1/4 by site", "balanced_accuracy >= 1.0", "f1[class 1] >= 1.0", "top[1] >= 6/6"]
    {
        missed(&[text]);
    }
    let met = Required::These(s.required(&["accuracy >= 5/6"]));
    let proved = prove_accuracy(&s.folder, &s.request(), &met, false, &mut s.rng.clone(), &Silent);
    assert_eq!(proved.is_ok(), engine == EngineId::Sumcheck, "only a missing setup is in the way");
}

/// The same test set with an edit.
fn edited(
    s: &Stage,
    edit: impl FnOnce(&mut Vec<Vec<i64>>, &mut Vec<u32>, &mut Vec<Grouping>, &mut String),
) -> Dataset {
    let mut records: Vec<Vec<i64>> = (0..s.data.samples()).map(|i| s.data.record(i).to_vec()).collect();
    let Some(Labels::Classes { column, classes, indices }) = s.data.labels().cloned() else {
        panic!("classes")
    };
    let (mut column, mut indices, mut groupings) = (column, indices, s.data.groupings().to_vec());
    edit(&mut records, &mut indices, &mut groupings, &mut column);
    let labels = Labels::Classes { column, classes, indices };
    Dataset::new(&s.model.architecture().schema, records, Some(labels), groupings).unwrap()
}

fn sites(g: &mut Vec<Grouping>, sites: &[&str]) {
    *g = vec![Grouping::of("site".into(), sites)];
}

fn other_test_sets_are_refused(engine: EngineId) {
    let s = stage(engine);
    let proved = s.prove(&["accuracy >= 5/6", "gap(accuracy) <= 1/3 by site"]).unwrap();
    let bundle = &proved.bundle;
    s.verify(bundle).unwrap();
    let e = refused(s.verify_on(bundle, None), Outcome::Unusable);
    assert!(matches!(e, CoreError::NoData), "{e}");
    let e = statement(bundle.claim(), &s.card, s.points.as_ref(), None).unwrap_err();
    assert!(matches!(e, CoreError::NoData), "{e}");

    let abc = ["a", "b", "a", "b", "a", "b", "a"];
    let others = [
        ("one label", edited(&s, |_, labels, _, _| labels[0] = 1 - labels[0])),
        (
            "rows",
            edited(&s, |records, labels, _, _| {
                records.swap(1, 3);
                labels.swap(1, 3);
            }),
        ),
        ("one cell", edited(&s, |records, _, _, _| records[2][1] += 1)),
        (
            "a row less",
            edited(&s, |records, labels, groups, _| {
                records.pop();
                labels.pop();
                sites(groups, &abc[..5]);
            }),
        ),
        (
            "a row twice",
            edited(&s, |records, labels, groups, _| {
                records.push(records[0].clone());
                labels.push(labels[0]);
                sites(groups, &abc);
            }),
        ),
        ("one group", edited(&s, |_, _, groups, _| sites(groups, &["a", "b", "a", "b", "b", "b"]))),
        ("no groups", edited(&s, |_, _, groups, _| groups.clear())),
        ("other groups", edited(&s, |_, _, groups, _| groups[0].groups[1] = "c".into())),
        ("another column of labels", edited(&s, |_, _, _, column| "other".clone_into(column))),
    ];
    for (what, other) in &others {
        let e = refused(s.verify_on(bundle, Some(other)), Outcome::DoesNotHold);
        assert!(matches!(e, CoreError::OtherData { .. }), "{what}: {e}");
        // ... nor after the claim is rewritten to name it.
        let lifted = rewritten(bundle, |a| {
            a.samples = other.samples() as u64;
            let labels = ColumnName::new(other.labels().unwrap().column()).unwrap();
            a.data = DataClaim::Public { digest: other.digest(), labels };
        });
        let Err(e) = s.verify_on(&lifted, Some(other)) else { panic!("{what}: accepted") };
        assert!(matches!(e, CoreError::DoesNotHold(_) | CoreError::Tally(_)), "{what}: {e}");
    }
    // Groups have no order.
    let mut groupings = s.data.groupings().to_vec();
    let plain = s.data.clone();
    groupings.insert(0, Grouping::of("more".into(), &["x"; SAMPLES]));
    let with = |groupings| {
        let records = (0..SAMPLES).map(|i| plain.record(i).to_vec()).collect();
        Dataset::new(&s.model.architecture().schema, records, plain.labels().cloned(), groupings).unwrap()
    };
    let (one, other) = (with(groupings.clone()), with(groupings.into_iter().rev().collect()));
    let request = TestSetProof { data: &one, ..s.request() };
    let proved = s.prove_with(&request, &["gap(accuracy) <= 1/3 by site"], false).unwrap();
    s.verify_on(&proved.bundle, Some(&other)).unwrap();
    refused(s.verify(&proved.bundle), Outcome::DoesNotHold);

    // Provers are told what is wrong with theirs.
    let schema = schema(3, 2);
    let wide = Dataset::new(
        &schema,
        vec![vec![0; 3]],
        s.data.labels().cloned().map(|_| labels_of(&s, vec![0])),
        vec![],
    );
    let wide = wide.unwrap();
    let e =
        s.prove_with(&TestSetProof { data: &wide, ..s.request() }, &["accuracy >= 0"], false).unwrap_err();
    assert!(matches!(e, CoreError::DataSchema), "{e}");
    let records: Vec<_> = (0..SAMPLES).map(|i| s.data.record(i).to_vec()).collect();
    for labels in
        [None, Some(Labels::Numbers { column: "label".into(), decimals: 0, values: vec![0; SAMPLES] })]
    {
        let other = Dataset::new(&s.model.architecture().schema, records.clone(), labels, vec![]).unwrap();
        for hide in [false, true] {
            let request = TestSetProof { data: &other, ..s.request() };
            refused(s.prove_with(&request, &["accuracy >= 0"], hide), Outcome::Unusable);
        }
    }
}

fn labels_of(s: &Stage, indices: Vec<u32>) -> Labels {
    let classes = s.model.architecture().schema.classes.iter().map(|c| c.name.clone()).collect();
    Labels::Classes { column: "label".into(), classes, indices }
}

fn other_cards_and_contexts_are_refused(engine: EngineId) {
    let s = stage(engine);
    let proved = s.prove(&["accuracy >= 5/6"]).unwrap();
    let bundle = &proved.bundle;
    let expecting = |expected: Expectations| s.verify_expecting(bundle, Some(&s.data), &expected);
    if engine == EngineId::Halo2 {
        refused(expecting(Expectations::default()), Outcome::Policy);
    } else {
        expecting(Expectations::default()).unwrap();
    }
    expecting(Expectations { card: Some(s.card.id()), context: Some(s.context.clone()), ..trusting() })
        .unwrap();
    let round = Context::new("round 2").unwrap();
    refused(expecting(Expectations { context: Some(round.clone()), ..trusting() }), Outcome::DoesNotHold);
    // There is no commitment to pin.
    let pin = CommitmentPin::Digest([1; 32]);
    refused(expecting(Expectations { input: Some(pin), ..trusting() }), Outcome::DoesNotHold);

    // The same architecture, weights and owner, committed again; and another model.
    for other in [stage_of(engine, classifier(2), true), stage_of(engine, classifier(4), false)] {
        refused(expecting(Expectations { card: Some(other.card.id()), ..trusting() }), Outcome::Policy);
        let with_card = |bundle: &Bundle| {
            let supplied = Supplied { points: other.points.as_ref(), model: None, data: Some(&s.data) };
            verify(&s.folder, bundle, &other.card, supplied, &trusting(), &Silent)
        };
        refused(with_card(bundle), Outcome::DoesNotHold);
        let (mut claim, proof) = bundle.clone().into_parts();
        claim.card_id = other.card.id();
        refused(with_card(&Bundle::new(claim, proof).unwrap()), Outcome::DoesNotHold);
    }
    let (mut claim, proof) = bundle.clone().into_parts();
    claim.context = round;
    refused(s.verify(&Bundle::new(claim.clone(), proof.clone()).unwrap()), Outcome::DoesNotHold);
    claim.context = s.context.clone();
    claim.engine = EngineId::ALL.into_iter().find(|e| *e != engine).unwrap();
    refused(s.verify(&Bundle::new(claim, proof).unwrap()), Outcome::DoesNotHold);
}

fn rewritten_claims_are_refused(engine: EngineId) {
    let s = stage(engine);
    let proved = s.prove(&["accuracy >= 5/6", "recall[class 1] >= 1/4"]).unwrap();
    s.verify(&proved.bundle).unwrap();
    type Edit = Box<dyn Fn(&mut AccuracyClaim)>;
    let fraction = |n, d| Fraction::new(n, d).unwrap();
    let metric = |m: Metric| -> Edit { Box::new(move |a| a.requirements[0].metric = m) };
    let bound = |f: Fraction| -> Edit { Box::new(move |a| a.requirements[0].bound = f) };
    let site = || ColumnName::new("site").unwrap();
    let edits: Vec<(&str, Edit)> = vec![
        ("a higher bound", bound(fraction(6, 6))),
        ("a lower bound", bound(fraction(4, 6))),
        ("the bound in other terms", bound(fraction(10, 12))),
        ("a bound of equal count", bound(fraction(81, 100))),
        ("top", metric(Metric::Top(1))),
        ("selection rate", metric(Metric::SelectionRate(0))),
        ("precision", metric(Metric::Precision(1))),
        ("another class", Box::new(|a| a.requirements[1].metric = Metric::Recall(0))),
        ("the other side", Box::new(|a| a.requirements[0].comparison = Comparison::AtMost)),
        ("each group", Box::new(move |a| a.requirements[0].scope = Scope::EachGroup(site()))),
        (
            "a gap",
            Box::new(move |a| {
                a.requirements[0].scope = Scope::Gap(site());
                a.requirements[0].comparison = Comparison::AtMost;
            }),
        ),
        ("one more", Box::new(|a| a.requirements.push(a.requirements[0].clone()))),
        ("one less", Box::new(|a| drop(a.requirements.pop()))),
        ("another order", Box::new(|a| a.requirements.swap(0, 1))),
        (
            "another label column",
            Box::new(|a| {
                let DataClaim::Public { labels, .. } = &mut a.data else { panic!("public") };
                *labels = ColumnName::new("site").unwrap();
            }),
        ),
    ];
    for (what, edit) in edits {
        let e = refused_or(s.verify(&rewritten(&proved.bundle, edit)), what);
        assert!(matches!(e, CoreError::DoesNotHold(_) | CoreError::OtherLabels { .. }), "{what}: {e}");
    }
    type Check = fn(&CoreError) -> bool;
    let mismatch: Check = |e| matches!(e, CoreError::Claim(_));
    let other_data: Check = |e| matches!(e, CoreError::OtherData { .. });
    let edits: Vec<(&str, Check, Edit)> = vec![
        (
            "another digest",
            other_data,
            Box::new(|a| {
                let DataClaim::Public { digest, .. } = &mut a.data else { panic!("public") };
                digest.0[31] ^= 1;
            }),
        ),
        ("more samples", other_data, Box::new(|a| a.samples += 1)),
        ("fewer samples", other_data, Box::new(|a| a.samples -= 1)),
        ("no samples", mismatch, Box::new(|a| a.samples = 0)),
        ("all samples", other_data, Box::new(|a| a.samples = u64::MAX)),
        ("no requirement", mismatch, Box::new(|a| a.requirements.clear())),
        (
            "too many",
            mismatch,
            Box::new(|a| a.requirements = vec![a.requirements[0].clone(); Requirement::MAX + 1]),
        ),
        ("no chunk", mismatch, Box::new(|a| a.chunks = 0)),
        ("more chunks than records", mismatch, Box::new(|a| a.chunks = 7)),
        ("revealed weights", mismatch, Box::new(|a| a.weights = WeightsClaim::Revealed)),
        ("more than everything", mismatch, bound(fraction(7, 6))),
        ("no such class", mismatch, metric(Metric::Recall(2))),
        ("no such rank", mismatch, metric(Metric::Top(3))),
        ("numbers", mismatch, metric(Metric::MeanAbsoluteError)),
    ];
    for (what, check, edit) in edits {
        let e = refused_or(s.verify(&rewritten(&proved.bundle, edit)), what);
        assert!(check(&e), "{what}: {e}");
    }
    let e = refused_or(s.verify(&rewritten(&proved.bundle, |a| a.chunks = 2)), "chunks");
    if engine == EngineId::Halo2 {
        assert!(matches!(e, CoreError::Claim(ClaimMismatch::Chunks { .. })), "{e}");
    } else {
        assert!(matches!(e, CoreError::DoesNotHold(_)), "{e}");
    }
    // As if the test set were hidden.
    let commitment = Commitment::new(vec![1; 32]).unwrap();
    let hidden = rewritten(&proved.bundle, |a| a.data = DataClaim::Hidden { commitment });
    for data in [None, Some(&s.data)] {
        refused(s.verify_on(&hidden, data), Outcome::DoesNotHold);
    }
}

#[track_caller]
fn refused_or<T>(result: Result<T, CoreError>, what: &str) -> CoreError {
    match result {
        Ok(_) => panic!("{what}: accepted"),
        Err(e) => e,
    }
}

fn altered_proofs_do_not_hold(engine: EngineId) {
    let s = stage(engine);
    let (claim, proof) = s.prove(&["accuracy >= 5/6"]).unwrap().bundle.into_parts();
    let check = |bytes: Vec<u8>| s.verify(&Bundle::new(claim.clone(), bytes).unwrap());
    altered_bytes_are_refused(&proof, check);
}

fn commitment_of(bundle: &Bundle) -> Commitment {
    bundle.claim().input_commitment().unwrap().clone()
}

fn hidden_test_sets(engine: EngineId) {
    let s = stage(engine);
    let texts: &[&str] = match engine {
        EngineId::Sumcheck => &[
            "accuracy >= 5/6",
            "accuracy <= 5/6",
            "recall[class 1] >= 0.1",
            "precision[class 1] >= 0.1",
            "f1[class 0] >= 0.1",
            "selection_rate[class 0] <= 1.0",
            "top[1] >= 5/6",
            "top[2] >= 6/6",
        ],
        EngineId::Halo2 => &["accuracy >= 5/6"],
    };
    let proved = s.prove_with(&s.request(), texts, true).unwrap();
    let verdict = s.verify_on(&proved.bundle, None).unwrap();
    assert!(verdict.hidden.contains(&"test set".to_owned()));
    assert!(verdict.unvouched.iter().any(|u| u.starts_with("test set seen by the verifier: no")));
    // A test set that happens to be there changes nothing.
    s.verify(&proved.bundle).unwrap();
    let commitment = commitment_of(&proved.bundle);
    let with_pin = |bundle: &Bundle, pin: CommitmentPin| {
        s.verify_expecting(bundle, None, &Expectations { input: Some(pin), ..trusting() })
    };
    with_pin(&proved.bundle, commitment.pin()).unwrap();
    // The same test set committed to again is another commitment.
    let mut rng = ChaCha20Rng::seed_from_u64(77);
    let required = Required::These(s.required(texts));
    let again = prove_accuracy(&s.folder, &s.request(), &required, true, &mut rng, &Silent).unwrap();
    let other = commitment_of(&again.bundle);
    assert_ne!(commitment, other);
    refused(with_pin(&proved.bundle, other.pin()), Outcome::DoesNotHold);
    let lifted = rewritten(&proved.bundle, |a| a.data = DataClaim::Hidden { commitment: other.clone() });
    refused(with_pin(&lifted, other.pin()), Outcome::DoesNotHold);
    for samples in [5, 7] {
        let lifted = rewritten(&proved.bundle, |a| a.samples = samples);
        refused(s.verify_on(&lifted, None), Outcome::DoesNotHold);
    }
    let better = rewritten(&proved.bundle, |a| a.requirements[0].bound = Fraction::new(1, 1).unwrap());
    refused(s.verify_on(&better, None), Outcome::DoesNotHold);
    let public = rewritten(&proved.bundle, |a| {
        a.data = DataClaim::Public { digest: s.data.digest(), labels: ColumnName::new("label").unwrap() };
    });
    refused(s.verify(&public), Outcome::DoesNotHold);
    let malformed = rewritten(&proved.bundle, |a| {
        a.data = DataClaim::Hidden { commitment: Commitment::new(vec![255; 7]).unwrap() };
    });
    refused(s.verify_on(&malformed, None), Outcome::DoesNotHold);
    // So many records that nobody has them: refused without trying.
    for samples in [1 << 24, 1 << 40, u64::MAX] {
        let many = rewritten(&proved.bundle, |a| a.samples = samples);
        let e = refused(s.verify_on(&many, None), Outcome::DoesNotHold);
        assert!(matches!(e, CoreError::Claim(_)), "{e}");
    }

    let s = stage_of(engine, regressor(), false);
    let proved = s.prove_with(&s.request(), &["mae <= 2/1536"], true).unwrap();
    s.verify_on(&proved.bundle, None).unwrap();
    let better = rewritten(&proved.bundle, |a| a.requirements[0].bound = Fraction::new(1, 1536).unwrap());
    refused(s.verify_on(&better, None), Outcome::DoesNotHold);
}

fn hidden_test_sets_committed_to_before(engine: EngineId) {
    let mut s = stage(engine);
    let opening = commit_dataset(&s.card, &s.data, &mut s.rng).unwrap();
    let opening = DatasetOpening::from_bytes(&opening.to_bytes()).unwrap();
    let known = opening.commitments[&engine].commitment.clone();
    let prove = |request: &TestSetProof<'_>, text: &str, opening: &DatasetOpening| {
        let (required, stated) = (Required::These(s.required(&[text])), TestData::Committed(opening));
        let rng = &mut s.rng.clone();
        prepare_accuracy(&s.folder, request, &required, stated, Chunks::Exactly(1), rng, &Silent)?.prove(
            &s.folder,
            &(),
            rng,
            &Silent,
        )
    };
    // Whatever is claimed of it, it is the same test set.
    for text in ["accuracy >= 5/6", "top[1] >= 5/6", "f1[class 1] >= 0.1"] {
        let proved = prove(&s.request(), text, &opening).unwrap();
        assert_eq!(commitment_of(&proved.bundle), known, "{text}");
        let pin = Expectations { input: Some(known.pin()), ..trusting() };
        s.verify_expecting(&proved.bundle, None, &pin).unwrap();
    }
    for other in [
        edited(&s, |_, labels, _, _| labels[5] = 1 - labels[5]),
        edited(&s, |records, _, _, _| records[3][0] += 1),
    ] {
        let request = TestSetProof { data: &other, ..s.request() };
        let e = prove(&request, "accuracy >= 0.1", &opening).unwrap_err();
        assert!(matches!(e, CoreError::Opening(_)), "{e}");
        // Whoever pretends that it is the opened one has an opening that does not open.
        let forged = DatasetOpening { dataset_digest: other.digest(), ..opening.clone() };
        prove(&request, "accuracy >= 0.1", &forged).unwrap_err();
    }
    let elsewhere = stage_of(engine, classifier(4), false);
    let e = prove(&elsewhere.request(), "accuracy >= 0.1", &opening).unwrap_err();
    assert!(matches!(e, CoreError::Opening(_)), "{e}");
    // Another commitment put into the claim.
    let proved = prove(&s.request(), "accuracy >= 5/6", &opening).unwrap();
    let again = commit_dataset(&s.card, &s.data, &mut s.rng.clone()).unwrap();
    let commitment = again.commitments[&engine].commitment.clone();
    assert_ne!(commitment, known);
    let lifted = rewritten(&proved.bundle, |a| a.data = DataClaim::Hidden { commitment });
    refused(s.verify_on(&lifted, None), Outcome::DoesNotHold);
}

fn hidden_test_sets_that_cannot_be_proved(engine: EngineId) {
    let s = stage(engine);
    for text in ["accuracy >= 0 by site", "gap(accuracy) <= 1.0 by site", "balanced_accuracy >= 0"] {
        let Err(e) = s.prove_with(&s.request(), &[text], true) else { panic!("{text}") };
        let told = matches!(e, CoreError::Claim(ClaimMismatch::NeedsPublicData(_)) | CoreError::Tally(_));
        assert!(told, "{text}: {e}");
        // Whoever writes the claim by hand.
        let accuracy = AccuracyClaim {
            samples: SAMPLES as u64,
            data: DataClaim::Hidden {
                commitment: DataClaim::commitment(SAMPLES as u64, s.card.schema_digest(), &[1; 32]).unwrap(),
            },
            requirements: s.required(&[text]),
            chunks: 1,
            weights: WeightsClaim::Hidden,
        };
        let e = Claim::new(&s.card, engine, accuracy, Context::default()).unwrap_err();
        assert!(matches!(e, ClaimMismatch::NeedsPublicData(_)), "{text}: {e}");
    }
    refused(s.prove_with(&s.request(), &["accuracy >= 6/6"], true), Outcome::DoesNotHold);
    // Out of range: clipped where the verifier sees it, refused where nobody does.
    let far = edited(&s, |records, _, _, _| records[4][1] = 1 << 20);
    let request = TestSetProof { data: &far, ..s.request() };
    let e = s.prove_with(&request, &["accuracy >= 0"], true).unwrap_err();
    assert!(matches!(e, CoreError::DataRecord { row: 4, .. }), "{e}");
    let proved = s.prove_with(&request, &["accuracy >= 0"], false).unwrap();
    s.verify_on(&proved.bundle, Some(&far)).unwrap();
    let clipped =
        edited(&s, |records, _, _, _| records[4][1] = s.model.architecture().schema.features[1].max);
    refused(s.verify_on(&proved.bundle, Some(&clipped)), Outcome::DoesNotHold);
    let e = s.prove_with(&s.request(), &["recall[class 0] >= 0 by nothing"], false).unwrap_err();
    assert!(matches!(e, CoreError::Tally(TallyError::NoColumn(_))), "{e}");
}

fn proved_answers(s: &Stage, data: &Dataset, outputs: bool) -> ProvedTestSet {
    let request = TestSetProof { data, ..s.request() };
    prove_predictions(&s.folder, &request, outputs, &mut s.rng.clone(), &Silent).unwrap()
}

/// The test set without labels.
fn unlabelled(s: &Stage) -> Dataset {
    let records = (0..s.data.samples()).map(|i| s.data.record(i).to_vec()).collect();
    Dataset::new(&s.model.architecture().schema, records, None, vec![]).unwrap()
}

fn with_answers(bundle: &Bundle, edit: impl FnOnce(&mut PredictionsClaim)) -> Bundle {
    let (mut claim, proof) = bundle.clone().into_parts();
    let ClaimKind::Predictions(predictions) = &mut claim.kind else { panic!("of predictions") };
    edit(predictions);
    Bundle::new(claim, proof).unwrap()
}

fn predictions(engine: EngineId) {
    for s in [stage(engine), stage_of(engine, single_logit(), false)] {
        let data = unlabelled(&s);
        let proved = proved_answers(&s, &data, false);
        let ClaimKind::Predictions(claim) = &proved.bundle.claim().kind else { panic!("of predictions") };
        let right: Vec<i64> = (0..SAMPLES).map(|i| class(&s.model, data.record(i)) as i64).collect();
        assert_eq!(claim.answers, AnswersClaim::Classes { indices: right.clone() });
        let check = |bundle: &Bundle| s.verify_on(bundle, Some(&data));
        let verdict = check(&proved.bundle).unwrap();
        assert!(verdict.hidden.contains(&"logits".to_owned()));
        let set = |indices: Vec<i64>| {
            with_answers(&proved.bundle, |p| p.answers = AnswersClaim::Classes { indices })
        };
        for i in 0..SAMPLES {
            let mut wrong = right.clone();
            wrong[i] = 1 - wrong[i];
            let e = refused(check(&set(wrong.clone())), Outcome::DoesNotHold);
            assert!(matches!(e, CoreError::DoesNotHold(_)), "{e}");
            for none in [2, -1, i64::MAX] {
                wrong[i] = none;
                let e = refused(check(&set(wrong.clone())), Outcome::DoesNotHold);
                assert!(matches!(e, CoreError::Claim(ClaimMismatch::NoSuchClass { .. })), "{e}");
            }
        }
        for wrong in [right[1..].to_vec(), [&right[..], &[0]].concat(), vec![]] {
            let e = refused(check(&set(wrong)), Outcome::DoesNotHold);
            assert!(matches!(e, CoreError::Claim(ClaimMismatch::OutputLength { .. })), "{e}");
        }
        let e = refused(s.verify_on(&proved.bundle, None), Outcome::Unusable);
        assert!(matches!(e, CoreError::NoData), "{e}");
        // Predictions are about the records: labels beside them change nothing.
        s.verify(&proved.bundle).unwrap();
        let lifted = with_answers(&proved.bundle, |p| p.digest = s.data.digest());
        refused(s.verify(&lifted), Outcome::DoesNotHold);
        let fewer = with_answers(&proved.bundle, |p| p.samples -= 1);
        refused(check(&fewer), Outcome::DoesNotHold);
        let revealed = with_answers(&proved.bundle, |p| p.weights = WeightsClaim::Revealed);
        refused(check(&revealed), Outcome::DoesNotHold);
    }
}

fn outputs(engine: EngineId) {
    for s in [stage(engine), stage_of(engine, regressor(), false)] {
        let data = unlabelled(&s);
        let proved = proved_answers(&s, &data, true);
        let right: Vec<i64> =
            (0..SAMPLES).flat_map(|i| s.model.run(data.record(i)).unwrap().output().to_vec()).collect();
        let ClaimKind::Predictions(claim) = &proved.bundle.claim().kind else { panic!("of predictions") };
        assert_eq!(claim.answers, AnswersClaim::Outputs { values: right.clone() });
        let check = |bundle: &Bundle| s.verify_on(bundle, Some(&data));
        check(&proved.bundle).unwrap();
        let set =
            |values: Vec<i64>| with_answers(&proved.bundle, |p| p.answers = AnswersClaim::Outputs { values });
        for i in 0..right.len() {
            for delta in [1, -1] {
                let mut wrong = right.clone();
                wrong[i] += delta;
                refused(check(&set(wrong)), Outcome::DoesNotHold);
            }
        }
        for wrong in [right[1..].to_vec(), [&right[..], &[0]].concat(), vec![i64::MAX; right.len()]] {
            let e = refused(check(&set(wrong)), Outcome::DoesNotHold);
            assert!(matches!(e, CoreError::Claim(_)), "{e}");
        }
        // Outputs are no classes.
        let classes = vec![0; SAMPLES];
        let as_classes =
            with_answers(&proved.bundle, |p| p.answers = AnswersClaim::Classes { indices: classes });
        refused(check(&as_classes), Outcome::DoesNotHold);
        if s.model.architecture().schema.classes.is_empty() {
            let request = TestSetProof { data: &data, ..s.request() };
            let e = prove_predictions(&s.folder, &request, false, &mut s.rng.clone(), &Silent).unwrap_err();
            assert!(matches!(e, CoreError::NoClasses), "{e}");
        }
    }
}

fn revealed_weights(engine: EngineId) {
    let s = stage_of(engine, classifier(2), true);
    let request = TestSetProof { reveal_weights: true, opening: None, ..s.request() };
    let accuracy = s.prove_with(&request, &["accuracy >= 5/6"], false).unwrap();
    let predictions = prove_predictions(&s.folder, &request, false, &mut s.rng.clone(), &Silent).unwrap();
    for proved in [accuracy, predictions] {
        let with = |model: Option<&Model>| {
            let supplied = Supplied { points: s.points.as_ref(), model, data: Some(&s.data) };
            verify(&s.folder, &proved.bundle, &s.card, supplied, &trusting(), &Silent)
        };
        with(Some(&s.model)).unwrap();
        assert!(matches!(with(None), Err(CoreError::NoModel)));
        refused(with(Some(&classifier(4))), Outcome::DoesNotHold);
        assert_eq!(proved.bundle.claim().weights(), WeightsClaim::Revealed);
    }
    // Not those of a card that hides them.
    let s = stage(engine);
    let request = TestSetProof { reveal_weights: true, ..s.request() };
    let e = s.prove_with(&request, &["accuracy >= 5/6"], false).unwrap_err();
    assert!(matches!(e, CoreError::Claim(ClaimMismatch::WeightsHidden)), "{e}");
}

fn other_models_are_refused(engine: EngineId) {
    let s = stage(engine);
    let other = classifier(4);
    for opening in [Some(&s.opening), None] {
        let request = TestSetProof { model: &other, opening, ..s.request() };
        for hide in [false, true] {
            let e = s.prove_with(&request, &["accuracy >= 0"], hide).unwrap_err();
            let told = matches!(e, CoreError::OtherModel(_) | CoreError::NoOpening(_));
            assert!(told, "{e}");
        }
        let e = prove_predictions(&s.folder, &request, true, &mut s.rng.clone(), &Silent).unwrap_err();
        assert!(matches!(e, CoreError::OtherModel(_) | CoreError::NoOpening(_)), "{e}");
    }
    // Public weights: the salts are on the card, and the commitment is made again.
    let s = stage_of(engine, classifier(2), true);
    let request = TestSetProof { model: &other, opening: None, ..s.request() };
    let e = s.prove_with(&request, &["accuracy >= 0"], false).unwrap_err();
    assert!(matches!(e, CoreError::OtherModel(_)), "{e}");
    // Another architecture altogether.
    let wider = mlp(&[2, 4, 2], 8, 8, 2);
    let request = TestSetProof { model: &wider, opening: None, ..s.request() };
    let e = s.prove_with(&request, &["accuracy >= 0"], false).unwrap_err();
    assert!(matches!(e, CoreError::OtherModel(_)), "{e}");
    let [engine] = EngineId::ALL.into_iter().filter(|e| *e != engine).collect::<Vec<_>>()[..] else {
        panic!()
    };
    let request = TestSetProof { engine, ..s.request() };
    let e = s.prove_with(&request, &["accuracy >= 0"], false).unwrap_err();
    assert!(matches!(e, CoreError::OtherEngine { .. }), "{e}");
}

/// What a claim proved in three parts needs.
fn in_three<'a>(s: &'a Stage, request: &'a TestSetProof<'a>, texts: &[&str]) -> Ready<'a> {
    let required = Required::These(s.required(texts));
    let three = Chunks::Exactly(3);
    prepare_accuracy(&s.folder, request, &required, TestData::Public, three, &mut s.rng.clone(), &Silent)
        .unwrap()
}

fn parts(s: &Stage, ready: &Ready<'_>) -> Vec<ProofChunk> {
    let one = |i| {
        let chunk = ready.prove_chunk(i, &mut ChaCha20Rng::seed_from_u64(i.into()), &Silent).unwrap();
        ProofChunk::from_bytes(&chunk.to_bytes()).unwrap()
    };
    assert!(matches!(
        ready.prove_chunk(3, &mut s.rng.clone(), &Silent),
        Err(CoreError::NoSuchChunk { number: 4, count: 3 })
    ));
    (0..ready.chunks()).map(one).collect()
}

fn merged(s: &Stage, data: &Dataset, chunks: Vec<ProofChunk>) -> Result<Bundle, CoreError> {
    merge(&s.folder, &s.card, s.points.as_ref(), data, chunks, &mut s.rng.clone(), &Silent)
}

const IN_PARTS: [&str; 5] = [
    "accuracy >= 5/6",
    "gap(accuracy) <= 1/3 by site",
    "top[1] <= 5/6",
    "precision[class 1] >= 0.1",
    "balanced_accuracy >= 0.5",
];

#[test]
fn claims_in_parts() {
    let s = stage(EngineId::Sumcheck);
    let request = s.request();
    let ready = in_three(&s, &request, &IN_PARTS);
    let bundle = ready.prove(&s.folder, &(), &mut s.rng.clone(), &Silent).unwrap().bundle;
    s.verify(&bundle).unwrap();
    // One by one, in any order, merged by somebody else.
    let mut chunks = parts(&s, &ready);
    chunks.rotate_left(2);
    let bundle = merged(&s, &s.data, chunks).unwrap();
    s.verify(&bundle).unwrap();
    let e = statement(bundle.claim(), &s.card, s.points.as_ref(), Some(&s.data)).unwrap_err();
    assert!(matches!(e, CoreError::InChunks(3)), "{e}");

    for chunks in [1, 2, 4, 6] {
        refused(s.verify(&rewritten(&bundle, |a| a.chunks = chunks)), Outcome::DoesNotHold);
    }
    for (at, metric) in [(0, Metric::Top(1)), (3, Metric::Recall(1)), (2, Metric::Accuracy)] {
        refused(s.verify(&rewritten(&bundle, |a| a.requirements[at].metric = metric)), Outcome::DoesNotHold);
    }
    let more = rewritten(&bundle, |a| a.requirements[0].bound = Fraction::new(1, 1).unwrap());
    refused(s.verify(&more), Outcome::DoesNotHold);
    let other = edited(&s, |_, labels, _, _| labels[5] = 1 - labels[5]);
    refused(s.verify_on(&bundle, Some(&other)), Outcome::DoesNotHold);
    refused(s.verify_on(&bundle, None), Outcome::Unusable);

    // Every byte counts, lengths of parts too.
    let (claim, proof) = bundle.into_parts();
    let check = |bytes: Vec<u8>| s.verify(&Bundle::new(claim.clone(), bytes).unwrap());
    check(proof.clone()).unwrap();
    for at in (0..8).chain((0..24).map(|i| i * (proof.len() - 1) / 23)) {
        let mut bad = proof.clone();
        bad[at] ^= 1;
        refused(check(bad), Outcome::DoesNotHold);
    }
    for length in [1, 3, 4, proof.len() / 3, proof.len() - 1] {
        refused(check(proof[..length].to_vec()), Outcome::DoesNotHold);
    }
    refused(check([&proof[..], &[0]].concat()), Outcome::DoesNotHold);
    // Two parts exchanged, one repeated.
    let length = |at: usize| 4 + u32::from_le_bytes(proof[at..at + 4].try_into().unwrap()) as usize;
    let first = length(0);
    let second = length(first);
    let (a, b, rest) = (&proof[..first], &proof[first..first + second], &proof[first + second..]);
    refused(check([b, a, rest].concat()), Outcome::DoesNotHold);
    refused(check([a, a, rest].concat()), Outcome::DoesNotHold);
    refused(check([a, rest].concat()), Outcome::DoesNotHold);
}

#[test]
fn parts_that_do_not_belong_together() {
    let s = stage(EngineId::Sumcheck);
    let request = s.request();
    let ready = in_three(&s, &request, &IN_PARTS);
    let fresh = || parts(&s, &ready);
    assert!(matches!(merged(&s, &s.data, vec![]), Err(CoreError::NoChunk)));
    let mut chunks = fresh();
    chunks.remove(1);
    let e = merged(&s, &s.data, chunks).unwrap_err();
    assert!(matches!(&e, CoreError::MissingChunks { missing, count: 3 } if missing == &[1]), "{e}");
    let mut chunks = fresh();
    chunks.push(fresh().remove(2));
    assert!(matches!(merged(&s, &s.data, chunks), Err(CoreError::RepeatedChunk(2))));
    let mut chunks = fresh();
    chunks[2].index = 7;
    assert!(matches!(merged(&s, &s.data, chunks), Err(CoreError::ForeignChunk(7))));

    // Of the same claim in other words, for another context.
    let context = Context::new("round 2").unwrap();
    let elsewhere = TestSetProof { context: &context, ..s.request() };
    let other = in_three(&s, &elsewhere, &IN_PARTS);
    let mut chunks = fresh();
    chunks[1] = parts(&s, &other).remove(1);
    assert!(matches!(merged(&s, &s.data, chunks), Err(CoreError::ForeignChunk(1))));
    let mut chunks = fresh();
    chunks[1].proof = parts(&s, &other).remove(1).proof;
    assert!(matches!(merged(&s, &s.data, chunks), Err(CoreError::BadChunk(1))));

    // Proofs exchanged between positions, damaged, or with another's secret.
    let mut chunks = fresh();
    let [a, b, _] = &mut chunks[..] else { panic!() };
    std::mem::swap(&mut a.proof, &mut b.proof);
    assert!(matches!(merged(&s, &s.data, chunks), Err(CoreError::BadChunk(0))));
    let mut chunks = fresh();
    let middle = chunks[2].proof.len() / 2;
    chunks[2].proof[middle] ^= 4;
    assert!(matches!(merged(&s, &s.data, chunks), Err(CoreError::BadChunk(2))));
    let mut chunks = fresh();
    let [a, b, _] = &mut chunks[..] else { panic!() };
    std::mem::swap(&mut a.secret, &mut b.secret);
    assert!(matches!(merged(&s, &s.data, chunks), Err(CoreError::DoesNotHold(_))));
    let mut chunks = fresh();
    chunks[1].secret = chunks[0].secret.clone();
    // Either the sums are none that hold, or they are not those of the parts.
    let e = merged(&s, &s.data, chunks).unwrap_err();
    assert!(matches!(e, CoreError::Engine(_) | CoreError::DoesNotHold(_)), "{e}");
    let mut chunks = fresh();
    chunks[0].secret.truncate(5);
    assert!(matches!(merged(&s, &s.data, chunks), Err(CoreError::BadChunk(0))));
    let other = edited(&s, |_, labels, _, _| labels[5] = 1 - labels[5]);
    assert!(matches!(merged(&s, &other, fresh()), Err(CoreError::OtherData { .. })));
}

/// Where parts are kept: what is damaged is proved again, what is another claim's is not lost.
#[test]
fn parts_that_were_kept() {
    use std::cell::{Cell, RefCell};
    #[derive(Default)]
    struct Shelf {
        chunks: RefCell<std::collections::BTreeMap<u32, Vec<u8>>>,
        kept: Cell<usize>,
    }
    impl ChunkStore for Shelf {
        fn load(&self, index: u32) -> Result<Option<ProofChunk>, CoreError> {
            Ok(self.chunks.borrow().get(&index).map(|b| ProofChunk::from_bytes(b).unwrap()))
        }
        fn keep(&self, chunk: &ProofChunk) -> Result<(), CoreError> {
            self.kept.set(self.kept.get() + 1);
            self.chunks.borrow_mut().insert(chunk.index, chunk.to_bytes().to_vec());
            Ok(())
        }
    }
    let s = stage(EngineId::Sumcheck);
    let request = s.request();
    let ready = in_three(&s, &request, &IN_PARTS);
    let shelf = Shelf::default();
    let prove = |ready: &Ready<'_>| ready.prove(&s.folder, &shelf, &mut s.rng.clone(), &Silent);
    for (damage, expected) in [(None, 3), (None, 3), (Some(1), 4), (Some(0), 5)] {
        if let Some(index) = damage {
            let mut chunk = shelf.load(index).unwrap().unwrap();
            let middle = chunk.proof.len() / 2;
            chunk.proof[middle] ^= 1;
            shelf.chunks.borrow_mut().insert(index, chunk.to_bytes().to_vec());
        }
        s.verify(&prove(&ready).unwrap().bundle).unwrap();
        assert_eq!(shelf.kept.get(), expected);
    }
    let context = Context::new("round 2").unwrap();
    let elsewhere = TestSetProof { context: &context, ..s.request() };
    let other = in_three(&s, &elsewhere, &IN_PARTS);
    assert!(matches!(prove(&other), Err(CoreError::ForeignChunk(0))));
    assert_eq!(shelf.kept.get(), 5);
}
