//! Claims about facts of a hidden answer: proved, verified, and everything that must be refused. Every test runs with every
//! engine.

#![allow(clippy::unwrap_used)]

mod common;

use common::{key, refused, with_every_engine};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tacit_claim::{
    AnswerBound, AnswerError, AnswerFact, Bundle, Card, CardName, Claim, ClaimKind, ClaimMismatch, Context,
    EngineId, OutputClaim, WeightsOpening,
};
use tacit_core::{
    Asked, CommitRequest, Committed, CoreError, DataFolder, Expectations, Outcome, ProveInference, Proved,
    Record, Shown, Silent, Supplied, Verdict, commit, prove_inference, verify,
};
use tacit_model::testing::{mlp, record, schema};
use tacit_model::{Model, OutputScale};

with_every_engine! {
    facts_of_classes,
    facts_of_numbers_and_probabilities,
    facts_that_do_not_hold,
    rewritten_facts_are_refused,
}

struct Stage {
    engine: EngineId,
    _kept: tempfile::TempDir,
    folder: DataFolder,
    model: Model,
    card: Card,
    opening: WeightsOpening,
    record: Vec<i64>,
}

fn stage(engine: EngineId, outputs: usize, classes: usize, scale: OutputScale) -> Stage {
    let kept = tempfile::tempdir().unwrap();
    let folder = DataFolder::new(kept.path());
    if engine == EngineId::Halo2 {
        folder.srs().add_unsafe_dev(11).unwrap();
    }
    let base = mlp(&[2, outputs], 8, 8, 5);
    let mut architecture = base.architecture().clone();
    architecture.schema = schema(2, classes);
    architecture.output_scale = scale;
    // Probabilities lie between 0 and 1.
    architecture.output_exponent = if scale == OutputScale::Probabilities { 20 } else { 5 };
    let model = Model::new(architecture, base.weights().tensors().to_vec()).unwrap();
    let request = CommitRequest {
        model: &model,
        name: CardName::new("test").unwrap(),
        engines: &[engine],
        owner: &key(),
        public_weights: true,
        quantisation: None,
    };
    let Committed { card, points, opening } =
        commit(&folder, &request, &mut ChaCha20Rng::seed_from_u64(1), &Silent).unwrap();
    assert!(points.is_none(), "a small card carries its points");
    // An answer inside its bounds, by which it could be told from a neighbour.
    let inside = |x: &Vec<i64>| {
        let bounds = card.output_bounds();
        model.run(x).unwrap().output().iter().all(|v| (bounds.lo + 2..bounds.hi - 1).contains(v))
    };
    let record = (0..).map(|seed| record(model.architecture(), seed)).find(inside).unwrap();
    Stage { engine, _kept: kept, folder, model, card, opening, record }
}

impl Stage {
    fn output(&self) -> Vec<i64> {
        self.model.run(&self.record).unwrap().output().to_vec()
    }

    fn bound(&self, text: &str) -> AnswerBound {
        AnswerBound::parse(text, &self.card.answers()).unwrap()
    }

    fn prove(&self, asked: &[Asked], all_open: bool) -> Result<Proved, CoreError> {
        let request = ProveInference {
            model: &self.model,
            card: &self.card,
            points: None,
            opening: Some(&self.opening),
            record: Record::Fresh(self.record.clone()),
            engine: self.engine,
            reveal_input: all_open,
            reveal_weights: all_open,
            shown: Shown::Facts(asked),
            context: Context::new("request 1").unwrap(),
        };
        prove_inference(&self.folder, &request, &mut ChaCha20Rng::seed_from_u64(2), &Silent)
    }

    fn verify(&self, bundle: &Bundle) -> Result<Verdict, CoreError> {
        let bundle = Bundle::from_bytes(&bundle.to_bytes()).unwrap();
        let expected = Expectations { allow_dev_srs: true, ..Expectations::default() };
        let supplied = Supplied { model: Some(&self.model), ..Supplied::default() };
        verify(&self.folder, &bundle, &self.card, supplied, &expected, &Silent)
    }

    /// The classes in order, the first one first.
    fn order(&self) -> Vec<u32> {
        let output = self.output();
        let mut order: Vec<u32> = (0..output.len() as u32).collect();
        order.sort_by_key(|i| (-output[*i as usize], *i));
        order
    }
}

fn name(class: u32) -> String {
    format!("class {class}")
}

fn facts_of_classes(engine: EngineId) {
    let s = stage(engine, 4, 4, OutputScale::SoftmaxLogits);
    let order = s.order();
    let output = s.output();
    let mut first = order[..2].to_vec();
    first.sort_unstable();
    let lead = output[order[0] as usize] - output[order[1] as usize];
    assert!(lead > 0, "{output:?}");
    let margin = format!("margin[class {}] >= {}", order[0], tacit_model::format_decimal(lead * 3125, 5));
    for open in [false, true] {
        let asked = [Asked::Class, Asked::Top(2), Asked::Bound(s.bound(&margin))];
        let proved = s.prove(&asked, open).unwrap();
        assert!(proved.output_opening.is_none());
        let claim = proved.bundle.claim();
        assert_eq!(claim.output_values(), None);
        assert_eq!(
            claim.facts()[..2],
            [AnswerFact::Class { index: order[0] }, AnswerFact::Top { indices: first.clone() }]
        );
        let verdict = s.verify(&proved.bundle).unwrap();
        let texts = [
            format!("gives a hidden answer of which this holds: its class is {};", name(order[0])),
            format!(
                "its first 2 classes, in no particular order, are {}, {};",
                name(first[0]),
                name(first[1])
            ),
            format!("(its logit less any other is at least {lead} in units of 2^-5)."),
        ];
        for text in texts {
            assert!(verdict.sentence.contains(&text), "no `{text}` in {}", verdict.sentence);
        }
        assert!(verdict.hidden.iter().any(|h| h.starts_with("output")));
        let fields = claim.to_json();
        assert_eq!(fields["kind"]["inference"]["output"]["facts"]["facts"][0]["class"]["index"], order[0]);
        assert_eq!(fields["kind"]["inference"]["output"]["facts"]["facts"][2]["bound"]["bound"], lead);
    }
}

fn facts_of_numbers_and_probabilities(engine: EngineId) {
    let s = stage(engine, 1, 0, OutputScale::Plain);
    let value = s.output()[0];
    let text = tacit_model::format_decimal(value * 3125, 5);
    let both = [format!("output >= {text}"), format!("output <= {text}")];
    let asked: Vec<Asked> = both.iter().map(|t| Asked::Bound(s.bound(t))).collect();
    s.verify(&s.prove(&asked, false).unwrap().bundle).unwrap();
    for missed in [format!("output > {text}"), format!("output < {text}")] {
        refused(s.prove(&[Asked::Bound(s.bound(&missed))], false), Outcome::DoesNotHold);
    }
    for e in [s.prove(&[Asked::Class], false), s.prove(&[Asked::Top(1)], false)] {
        assert!(matches!(e, Err(CoreError::Answer(AnswerError::NoClasses))));
    }

    let s = stage(engine, 1, 2, OutputScale::SigmoidLogit);
    let likely = u32::from(s.output()[0] > 0);
    let asked = [Asked::Class, Asked::Bound(s.bound(&format!("{} >= 50 %", name(likely))))];
    let verdict = s.verify(&s.prove(&asked, false).unwrap().bundle).unwrap();
    assert!(
        verdict.sentence.contains(&format!("probability[class {likely}] >= 0.5 (")),
        "{}",
        verdict.sentence
    );

    let s = stage(engine, 2, 2, OutputScale::SoftmaxLogits);
    let [likely, other] = s.order()[..] else { panic!("two") };
    let bounds = [format!("{} > 0.5", name(likely)), format!("{} < 0.5", name(other))];
    let asked: Vec<Asked> = bounds.iter().map(|t| Asked::Bound(s.bound(t))).collect();
    s.verify(&s.prove(&asked, false).unwrap().bundle).unwrap();

    // Where the outputs are probabilities themselves, a bound is about the output: of any number of classes, and exact.
    let s = stage(engine, 3, 3, OutputScale::Probabilities);
    let likely = s.order()[0];
    let value = s.output()[likely as usize];
    assert!(value > 0, "{:?}", s.output());
    // Rounded down to twelve decimals: still above what is one unit less.
    let at = |v: i64| tacit_model::format_decimal((v * 1_000_000_000_000) >> 20, 12);
    let asked = [Asked::Class, Asked::Bound(s.bound(&format!("{} >= {}", name(likely), at(value))))];
    let verdict = s.verify(&s.prove(&asked, false).unwrap().bundle).unwrap();
    let bound = s.bound(&format!("probability[class {likely}] >= {}", at(value))).text(&s.card.answers());
    let text = format!("{bound} (it is at least {value} in units of 2^-20)");
    assert!(verdict.sentence.contains(&text), "no `{text}` in {}", verdict.sentence);
    for none in ["0", "1", "37", "-0.5"] {
        let e = AnswerBound::parse(&format!("{} >= {none}", name(likely)), &s.card.answers());
        assert!(matches!(e, Err(AnswerError::NotAProbability(_))), "{e:?}");
    }
    let more = format!("{} >= {}", name(likely), at(value + 1));
    refused(s.prove(&[Asked::Bound(s.bound(&more))], false), Outcome::DoesNotHold);
}

fn facts_that_do_not_hold(engine: EngineId) {
    let s = stage(engine, 3, 3, OutputScale::Plain);
    let output = s.output();
    let above = format!("output[class 1] >= {}", tacit_model::format_decimal((output[1] + 1) * 3125, 5));
    let e = refused(s.prove(&[Asked::Bound(s.bound(&above))], false), Outcome::DoesNotHold);
    assert!(matches!(e, CoreError::BoundMissed(_)) && e.advice().is_some(), "{e}");
    for k in [0, 3, 4, u32::MAX] {
        let e = refused(s.prove(&[Asked::Top(k)], false), Outcome::Unusable);
        assert!(matches!(e, CoreError::Answer(AnswerError::Top { .. })), "{e}");
    }
    let e = refused(s.prove(&[Asked::Class, Asked::Class], false), Outcome::Unusable);
    assert!(matches!(e, CoreError::Answer(AnswerError::Repeated)), "{e}");
    let e = refused(s.prove(&[], false), Outcome::Unusable);
    assert!(matches!(e, CoreError::Answer(AnswerError::Count(0))), "{e}");
}

fn facts_mut(claim: &mut Claim) -> &mut Vec<AnswerFact> {
    match &mut claim.kind {
        ClaimKind::Inference(inference) => match &mut inference.output {
            OutputClaim::Facts { facts } => facts,
            other => panic!("no facts: {other:?}"),
        },
        other => panic!("no inference: {other:?}"),
    }
}

fn rewritten_facts_are_refused(engine: EngineId) {
    let s = stage(engine, 3, 3, OutputScale::Plain);
    let output = s.output();
    let order = s.order();
    let met = |v: i64| s.bound(&format!("output[class 1] >= {}", tacit_model::format_decimal(v * 3125, 5)));
    let bound = met(output[1]);
    let (claim, proof) =
        s.prove(&[Asked::Class, Asked::Top(2), Asked::Bound(bound)], false).unwrap().bundle.into_parts();
    let mut best = order[..2].to_vec();
    best.sort_unstable();
    let check = |edit: &dyn Fn(&mut Vec<AnswerFact>)| {
        let mut claim = claim.clone();
        edit(facts_mut(&mut claim));
        refused(s.verify(&Bundle::new(claim, proof.clone()).unwrap()), Outcome::DoesNotHold)
    };
    s.verify(&Bundle::new(claim.clone(), proof.clone()).unwrap()).unwrap();
    // Another class, another member, another bound, less or more than was proved, true or not.
    check(&|f| f[0] = AnswerFact::Class { index: order[1] });
    let mut wrong = vec![order[0], order[2]];
    wrong.sort_unstable();
    check(&|f| f[1] = AnswerFact::Top { indices: wrong.clone() });
    check(&|f| f[1] = AnswerFact::Top { indices: best[..1].to_vec() });
    check(&|f| f[2] = AnswerFact::Bound(met(output[1] + 1)));
    check(&|f| f[2] = AnswerFact::Bound(met(output[1] - 1)));
    check(&|f| f.truncate(1));
    check(&|f| f.swap(0, 1));
    // What no claim can state is refused before any proof is looked at.
    let mismatch = |e: CoreError| match e {
        CoreError::Claim(ClaimMismatch::Fact(e)) => e,
        other => panic!("{other}"),
    };
    let with_integer = |integer: i64| {
        let mut fields = serde_json::to_value(bound).unwrap();
        fields["bound"] = integer.into();
        serde_json::from_value::<AnswerBound>(fields).unwrap()
    };
    for by in [-1, 1] {
        let e = mismatch(check(&|f| f[2] = AnswerFact::Bound(with_integer(bound.bound() + by))));
        assert_eq!(e, AnswerError::Bound { expected: bound.bound(), actual: bound.bound() + by });
    }
    mismatch(check(&|f| f[2] = AnswerFact::Bound(with_integer(i64::MIN))));
    let reversed: Vec<u32> = best.iter().rev().copied().collect();
    for indices in [vec![], vec![0, 1, 2], reversed, vec![1, 1], vec![0, 3], vec![0, u32::MAX]] {
        mismatch(check(&|f| f[1] = AnswerFact::Top { indices: indices.clone() }));
    }
    mismatch(check(&|f| f[0] = AnswerFact::Class { index: 3 }));
    mismatch(check(&|f| f.clear()));
    mismatch(check(&|f| f.extend(vec![f[0].clone(); 20])));

    // A proof of one kind of claim for another.
    let mut rewritten = claim.clone();
    let ClaimKind::Inference(inference) = &mut rewritten.kind else { panic!("an inference") };
    inference.output = OutputClaim::Public { values: output };
    refused(s.verify(&Bundle::new(rewritten, proof.clone()).unwrap()), Outcome::DoesNotHold);
    common::altered_bytes_are_refused(&proof, |bytes| s.verify(&Bundle::new(claim.clone(), bytes).unwrap()));
}
