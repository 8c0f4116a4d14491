//! Hostile claims about test sets: what a prover writes by hand, for a verifier who has card, proof and data.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, Instant};

use common::key;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tacit_claim::{
    AccuracyClaim, Bundle, Card, CardName, CardPoints, Claim, ColumnName, Context, DataClaim, DatasetOpening,
    EngineId, Fraction, Metric, Requirement, Scope, WeightsClaim, WeightsOpening,
};
use tacit_core::{
    Chunks, CommitRequest, Committed, CoreError, DataFolder, Expectations, Required, Silent, Supplied,
    TestData, TestSetProof, Verdict, commit, commit_dataset, prepare_accuracy, verify,
};
use tacit_model::testing::{mlp, record, schema};
use tacit_model::{Dataset, Grouping, Labels, Model, Op};
use tacit_relations::TallyError;

struct Stage {
    _kept: tempfile::TempDir,
    folder: DataFolder,
    model: Model,
    card: Card,
    points: Option<CardPoints>,
    opening: WeightsOpening,
    context: Context,
}

impl Stage {
    fn new(engine: EngineId, model: Model) -> Self {
        let kept = tempfile::tempdir().unwrap();
        let folder = DataFolder::new(kept.path());
        if engine == EngineId::Halo2 {
            folder.srs().add_unsafe_dev(12).unwrap();
        }
        let request = CommitRequest {
            model: &model,
            name: CardName::new("test").unwrap(),
            engines: &[engine],
            owner: &key(),
            public_weights: false,
            quantisation: None,
        };
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let Committed { card, points, opening } = commit(&folder, &request, &mut rng, &Silent).unwrap();
        Self { _kept: kept, folder, model, card, points, opening, context: Context::default() }
    }

    fn request<'a>(&'a self, engine: EngineId, data: &'a Dataset) -> TestSetProof<'a> {
        TestSetProof {
            model: &self.model,
            card: &self.card,
            points: self.points.as_ref(),
            opening: Some(&self.opening),
            data,
            engine,
            reveal_weights: false,
            context: &self.context,
        }
    }

    fn verify(
        &self,
        bundle: &Bundle,
        data: Option<&Dataset>,
        expected: &Expectations,
    ) -> Result<Verdict, CoreError> {
        let supplied = Supplied { points: self.points.as_ref(), model: None, data };
        verify(&self.folder, bundle, &self.card, supplied, expected, &Silent)
    }

    /// A claim that nobody proved.
    fn claimed(&self, engine: EngineId, accuracy: AccuracyClaim) -> Bundle {
        let claim = Claim {
            engine,
            card_id: self.card.id(),
            architecture_digest: self.card.architecture_digest(),
            kind: accuracy.into(),
            context: Context::default(),
            attestations: Vec::new(),
        };
        Bundle::new(claim, vec![7; 4096]).unwrap()
    }
}

fn regressor() -> Model {
    let base = mlp(&[2, 1], 8, 8, 3);
    let mut architecture = base.architecture().clone();
    architecture.schema = schema(2, 0);
    Model::new(architecture, base.weights().tensors().to_vec()).unwrap()
}

fn share(n: u64, d: u64) -> Fraction {
    Fraction::new(n, d).unwrap()
}

/// "Refused at once": far less than what working through a hostile claim takes, which is minutes, and far more than a busy
/// machine needs.
const AT_ONCE: Duration = Duration::from_secs(30);

/// The error of a claim that nobody proved, after no more work than it deserves.
#[track_caller]
fn refused_at_once(s: &Stage, bundle: &Bundle, data: Option<&Dataset>) -> CoreError {
    let start = Instant::now();
    let e = s.verify(bundle, data, &Expectations::default()).unwrap_err();
    assert!(start.elapsed() < AT_ONCE, "after {:?}: {e}", start.elapsed());
    e
}

fn hidden(s: &Stage, samples: u64, requirements: Vec<Requirement>) -> AccuracyClaim {
    let commitment = DataClaim::commitment(samples, s.card.schema_digest(), &[1; 32]).unwrap();
    AccuracyClaim {
        samples,
        data: DataClaim::Hidden { commitment },
        requirements,
        chunks: 1,
        weights: WeightsClaim::Hidden,
    }
}

fn public(data: &Dataset, requirements: Vec<Requirement>) -> AccuracyClaim {
    let labels = ColumnName::new(data.labels().unwrap().column()).unwrap();
    AccuracyClaim {
        samples: data.samples() as u64,
        data: DataClaim::Public { digest: data.digest(), labels },
        requirements,
        chunks: 1,
        weights: WeightsClaim::Hidden,
    }
}

/// A commitment to five records, under which a claim about twenty-five is proved: the others are zeros, and so is what lies
/// beyond the end of a row.
#[test]
fn a_commitment_is_to_so_many_records() {
    let engine = EngineId::Sumcheck;
    let s = Stage::new(engine, regressor());
    let schema = &s.model.architecture().schema;
    // Eight decimals hold the output's unit exactly.
    let unit = 10i64.pow(8) >> s.model.architecture().output_exponent;
    let answer = |r: &[i64]| s.model.run(r).unwrap().output()[0];
    assert!(answer(&[0, 0]).abs() < 50);
    let mut records: Vec<Vec<i64>> = (0..5).map(|i| record(s.model.architecture(), 10 + i)).collect();
    let mut values: Vec<i64> = records.iter().map(|r| (answer(r) + 100) * unit).collect();
    let data = |records: &[Vec<i64>], values: &[i64]| {
        let labels = Labels::Numbers { column: "y".into(), decimals: 8, values: values.to_vec() };
        Dataset::new(schema, records.to_vec(), Some(labels), vec![]).unwrap()
    };
    let committed = data(&records, &values);
    records.resize(25, vec![0, 0]);
    values.resize(25, 0);
    let longer = data(&records, &values);

    let opening = commit_dataset(&s.card, &committed, &mut ChaCha20Rng::seed_from_u64(2)).unwrap();
    let pin = opening.commitments[&engine].commitment.pin();
    // Missed by the records that were committed to, met by those and zeros.
    let required = Required::These(Requirement::parse("mae <= 70/256", schema, None).unwrap());
    let prove = |data: &Dataset, opening: &DatasetOpening| {
        let (request, stated) = (s.request(engine, data), TestData::Committed(opening));
        let rng = &mut ChaCha20Rng::seed_from_u64(3);
        prepare_accuracy(&s.folder, &request, &required, stated, Chunks::Exactly(1), rng, &Silent)?.prove(
            &s.folder,
            &(),
            rng,
            &Silent,
        )
    };
    assert!(matches!(prove(&committed, &opening), Err(CoreError::Missed(_))));
    let Ok(proved) = prove(&longer, &DatasetOpening { dataset_digest: longer.digest(), ..opening }) else {
        return;
    };
    let expected = Expectations { input: Some(pin), ..Expectations::default() };
    let found = s.verify(&proved.bundle, None, &expected);
    assert!(found.is_err(), "accepted: {}", found.unwrap().sentence);
}

#[test]
fn hidden_records_that_no_commitment_holds_are_refused_at_once() {
    let s = Stage::new(EngineId::Sumcheck, mlp(&[30, 2], 8, 8, 1));
    let accuracy = hidden(&s, 1 << 20, vec![Requirement::accuracy_at_least(share(1, 2))]);
    refused_at_once(&s, &s.claimed(EngineId::Sumcheck, accuracy), None);
}

#[test]
fn many_classes_are_refused_at_once() {
    let s = Stage::new(EngineId::Sumcheck, mlp(&[1, 1500], 2, 4, 1));
    let precision =
        |c| Requirement { metric: Metric::Precision(c), ..Requirement::accuracy_at_least(share(0, 1)) };
    let accuracy = hidden(&s, 1, (0..Requirement::MAX as u32).map(precision).collect());
    refused_at_once(&s, &s.claimed(EngineId::Sumcheck, accuracy), None);
}

/// Every record has a label and a group of its own.
fn grouped(s: &Stage, n: usize) -> Dataset {
    let schema = &s.model.architecture().schema;
    let records: Vec<Vec<i64>> = (0..n as u64).map(|i| record(s.model.architecture(), i)).collect();
    let names: Vec<String> = (0..n).map(|i| format!("{i:06}")).collect();
    let classes: Vec<String> = schema.classes.iter().map(|c| c.name.clone()).collect();
    let indices = (0..n).map(|i| (i % classes.len()) as u32).collect();
    let labels = Labels::Classes { column: "y".into(), classes, indices };
    Dataset::new(schema, records, Some(labels), vec![Grouping::of("id".into(), &names)]).unwrap()
}

#[test]
fn a_group_for_every_record_is_refused_at_once() {
    let s = Stage::new(EngineId::Sumcheck, mlp(&[2, 2], 8, 8, 1));
    let data = grouped(&s, 10_000);
    let scope = Scope::EachGroup(ColumnName::new("id").unwrap());
    let requirement = Requirement { scope, ..Requirement::accuracy_at_least(share(0, 1)) };
    let bundle = s.claimed(EngineId::Sumcheck, public(&data, vec![requirement]));
    let e = refused_at_once(&s, &bundle, Some(&data));
    assert!(matches!(e, CoreError::Tally(TallyError::TooMany { .. })), "{e}");
}

/// Outputs nearly as wide as an architecture allows: errors are bounded by a range, and so are their squares and the sums.
#[test]
fn squared_errors_of_wide_outputs() {
    let base = regressor();
    let mut architecture = base.architecture().clone();
    for node in &mut architecture.nodes {
        if let Op::Normalise { rule, .. } = &mut node.op {
            (rule.lo, rule.hi) = (-(1 << 39), (1 << 39) - 1);
        }
    }
    architecture.nodes.pop();
    for param in &mut architecture.params {
        param.width = 20;
    }
    let s =
        Stage::new(EngineId::Sumcheck, Model::new(architecture, base.weights().tensors().to_vec()).unwrap());
    let schema = &s.model.architecture().schema;
    let records: Vec<Vec<i64>> = (0..1000).map(|i| record(s.model.architecture(), i)).collect();
    let labels = Labels::Numbers { column: "y".into(), decimals: 0, values: vec![0; records.len()] };
    let data = Dataset::new(schema, records, Some(labels), vec![]).unwrap();
    let required = Requirement::parse("mse <= 3", schema, None).unwrap();
    refused_at_once(&s, &s.claimed(EngineId::Sumcheck, public(&data, required)), Some(&data));
}

#[test]
fn sentences_say_no_more_than_is_claimed() {
    let s = Stage::new(EngineId::Sumcheck, mlp(&[2, 2], 8, 8, 1));
    let by = "site (90.00 %); at least 100000 of 100000 right";
    let requirements = vec![
        Requirement::accuracy_at_least(share(99_996, 100_000)),
        Requirement {
            scope: Scope::EachGroup(ColumnName::new(by).unwrap()),
            ..Requirement::accuracy_at_least(share(1, 100))
        },
    ];
    let accuracy = AccuracyClaim {
        data: DataClaim::Public {
            digest: grouped(&s, 3).digest(),
            labels: ColumnName::new("not the diagnosis").unwrap(),
        },
        ..hidden(&s, 100_000, requirements)
    };
    let claim = Claim::new(&s.card, EngineId::Sumcheck, accuracy, Context::default()).unwrap();
    let sentence = claim.sentence(&s.card).unwrap();
    assert!(sentence.contains("not the diagnosis"), "{sentence}");
    assert!(!sentence.contains(&format!("by {by}")), "{sentence}");
    assert!(!sentence.contains("99996 of 100000 right (100.00 %"), "{sentence}");
}
