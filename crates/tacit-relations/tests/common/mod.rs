//! Small models and test sets for them, and what claims about them come to at the level of the checker.

#![allow(dead_code)]

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use tacit_claim::{ColumnName, Comparison, Fraction, Metric, Requirement, Scope};
use tacit_model::testing::{SplitMix, mlp, record, schema};
use tacit_model::{
    Architecture, Dataset, Grouping, Labels, Model, Node, NodeId, Op, Operand, OutputScale, ParamId,
    ParamSpec,
};
use tacit_relations::{
    Assignment, Lowered, Relation, Segment, Tally, TensorId, TestSet, TestSetClaim, Trace, committed_labels,
    lower_test_set, tally, trace,
};

/// What a model predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One of so many classes, by a logit for each.
    Logits(usize),
    /// One of two classes, by one logit.
    SingleLogit,
    /// A number, in units of `2^-exponent`.
    Number(i32),
}

impl Kind {
    pub(crate) fn classes(self) -> usize {
        match self {
            Self::Logits(classes) => classes,
            Self::SingleLogit => 2,
            Self::Number(_) => 0,
        }
    }

    pub(crate) fn outputs(self) -> usize {
        match self {
            Self::Logits(classes) => classes,
            Self::SingleLogit | Self::Number(_) => 1,
        }
    }
}

/// What reads the record first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Normalisation alone: the verifier computes it, and the record is no tensor.
    Normalise,
    /// Normalisation, and a difference taken from the record itself.
    Both,
    /// A requantisation.
    Requant,
    /// Reshapes and a transposition, then a matrix.
    Views,
}

pub(crate) const READERS: [Reader; 4] = [Reader::Normalise, Reader::Both, Reader::Requant, Reader::Views];

/// A model of three features. Few bits make for many ties.
pub(crate) fn model(kind: Kind, reader: Reader, bits: u8, seed: u64) -> Model {
    let base = mlp(&[3, 4, kind.outputs()], bits.min(8), bits, seed);
    let mut architecture = base.architecture().clone();
    architecture.schema = schema(3, kind.classes());
    if let Kind::Number(exponent) = kind {
        architecture.output_exponent = exponent;
    }
    if reader == Reader::Normalise {
        return Model::new(architecture, base.weights().tensors().to_vec()).unwrap();
    }
    let mut rng = SplitMix(seed);
    let outputs = kind.outputs();
    let params = vec![
        ParamSpec { shape: vec![3, outputs], width: bits.min(8) },
        ParamSpec { shape: vec![outputs], width: 14 },
    ];
    let tensors = params
        .iter()
        .map(|p| (0..p.len()).map(|_| rng.range(p.bounds().lo, p.bounds().hi)).collect())
        .collect();
    let Op::Normalise { rule, .. } = architecture.nodes[0].op.clone() else { panic!("comes first") };
    let value = |i: u32| Operand::Value(NodeId(i));
    let first = match reader {
        Reader::Normalise => unreachable!(),
        Reader::Both => vec![
            Op::Normalise { x: NodeId(0), rule },
            Op::Linear { terms: vec![(2, value(0)), (-1, value(1))], offset: 3 },
        ],
        Reader::Requant => vec![Op::Requant { x: NodeId(0), shift: 3, lo: -20, hi: 90 }],
        Reader::Views => vec![
            Op::Reshape { x: NodeId(0), shape: vec![3, 1] },
            Op::Transpose { x: NodeId(1), perm: vec![1, 0] },
            Op::Reshape { x: NodeId(2), shape: vec![3] },
        ],
    };
    let last = NodeId(first.len() as u32);
    let top = (1 << (bits - 1)) - 1;
    let ops = first.into_iter().chain([
        Op::MatMul { x: last, weight: ParamId(0), bias: Some(ParamId(1)) },
        Op::Requant { x: NodeId(last.0 + 1), shift: 8, lo: -top - 1, hi: top },
    ]);
    let nodes = ops.map(|op| Node { op }).collect();
    let architecture = Architecture { params, nodes, output_scale: OutputScale::Plain, ..architecture };
    Model::new(architecture, tensors).unwrap()
}

/// The same architecture with other weights.
pub(crate) fn with_weights(model: &Model, weight: impl Fn(usize, i64) -> i64) -> Model {
    let tensors = model.weights().tensors().iter().enumerate();
    let tensors = tensors.map(|(i, t)| t.iter().map(|w| weight(i, *w)).collect()).collect();
    Model::new(model.architecture().clone(), tensors).unwrap()
}

pub(crate) fn column(name: &str) -> ColumnName {
    ColumnName::new(name).unwrap()
}

pub(crate) fn fraction(numerator: i128, denominator: i128) -> Fraction {
    Fraction::new(u64::try_from(numerator).unwrap(), u64::try_from(denominator).unwrap()).unwrap()
}

pub(crate) fn requirement(
    metric: Metric,
    scope: Scope,
    comparison: Comparison,
    bound: Fraction,
) -> Requirement {
    Requirement { metric, scope, comparison, bound }
}

/// Labels by class for a model's schema.
pub(crate) fn class_labels(model: &Model, indices: Vec<u32>) -> Labels {
    let classes = model.architecture().schema.classes.iter().map(|c| c.name.clone()).collect();
    Labels::Classes { column: "label".into(), classes, indices }
}

/// What the model answers to every record: clipped by hand.
pub(crate) fn answers(model: &Model, records: &[Vec<i64>]) -> Vec<Vec<i64>> {
    let features = &model.architecture().schema.features;
    let run = |record: &Vec<i64>| {
        let inside: Vec<i64> = record.iter().zip(features).map(|(v, f)| (*v).max(f.min).min(f.max)).collect();
        model.run(&inside).unwrap().output().to_vec()
    };
    records.iter().map(run).collect()
}

/// A random test set: about half of the labels are what the model answers.
pub(crate) fn data_for(
    model: &Model,
    kind: Kind,
    samples: usize,
    columns: usize,
    in_range: bool,
    rng: &mut SplitMix,
) -> Dataset {
    let architecture = model.architecture();
    let mut records: Vec<Vec<i64>> = Vec::new();
    for _ in 0..samples {
        let mut fresh = record(architecture, rng.next_u64());
        if !in_range && rng.range(0, 3) == 0 {
            fresh[rng.range(0, 2) as usize] = rng.range(-5000, 5000);
        }
        let copy = rng.range(0, 5) == 0 && !records.is_empty();
        let from = rng.range(0, records.len().max(1) as i64 - 1) as usize;
        records.push(if copy { records[from].clone() } else { fresh });
    }
    let outputs = answers(model, &records);
    let labels = match kind {
        Kind::Number(exponent) => {
            let decimals = rng.range(0, 3) as u8;
            let unit = 10f64.powi(decimals.into()) * 2f64.powi(-exponent);
            let near = |out: &Vec<i64>| (out[0] as f64 * unit).round() as i64;
            let noise = [0, 1, 7, 300][rng.range(0, 3) as usize];
            let values = outputs.iter().map(|out| near(out) + rng.range(-noise, noise)).collect();
            Labels::Numbers { column: "label".into(), decimals, values }
        }
        _ => {
            let predicted = |out: &[i64]| architecture.predicted_class(out).unwrap() as u32;
            let any = |rng: &mut SplitMix| rng.range(0, kind.classes() as i64 - 1) as u32;
            let label = |out: &Vec<i64>| if rng.range(0, 1) == 0 { predicted(out) } else { any(rng) };
            class_labels(model, outputs.iter().map(label).collect())
        }
    };
    let groupings = (0..columns).map(|c| {
        let groups = rng.range(1, 3);
        let values: Vec<String> = (0..samples).map(|_| format!("g{}", rng.range(0, groups))).collect();
        Grouping::of(format!("column {c}"), &values)
    });
    let groupings = groupings.collect();
    Dataset::new(&architecture.schema, records, Some(labels), groupings).unwrap()
}

/// The first of a data set's records, with their labels and groups (whose columns keep their groups only where they all
/// occur).
pub(crate) fn records_of(data: &Dataset) -> Vec<Vec<i64>> {
    (0..data.samples()).map(|i| data.record(i).to_vec()).collect()
}

/// The requirement's tally where the model misses it.
pub(crate) fn missed(model: &Model, data: &Dataset, r: &Requirement, hidden: bool) -> Option<Tally> {
    let architecture = model.architecture();
    let tally =
        tally(architecture, std::slice::from_ref(r), data.samples() as u64, (!hidden).then_some(data))
            .ok()?;
    let sums = tally.sums(architecture, data, &answers(model, &records_of(data)).concat());
    tally.missed(&sums).is_some().then_some(tally)
}

/// Bounds with the denominators that counts over so few records can have, tightest first for a claim that should fail.
fn bounds(metric: Metric, comparison: Comparison) -> Vec<Fraction> {
    let all: Vec<(u64, u64)> = if metric.is_error() {
        (0..2000).map(|n| (n, 32)).collect()
    } else {
        (0..=12).map(|n| (n, 12)).collect()
    };
    let all = all.into_iter().map(|(n, d)| Fraction::new(n, d).unwrap());
    if comparison == Comparison::AtLeast { all.collect() } else { all.rev().collect() }
}

/// The nearest bound that the model misses.
pub(crate) fn nearest_missed(
    model: &Model,
    data: &Dataset,
    plain: &Requirement,
    hidden: bool,
) -> Option<(Requirement, Tally)> {
    bounds(plain.metric, plain.comparison).into_iter().find_map(|bound| {
        let r = Requirement { bound, ..plain.clone() };
        missed(model, data, &r, hidden).map(|tally| (r, tally))
    })
}

/// A lowered claim with the values of all its tensors.
pub(crate) struct Claimed {
    pub(crate) lowered: Lowered,
    pub(crate) public: BTreeMap<TensorId, Vec<i64>>,
    pub(crate) trace: Trace,
}

impl Claimed {
    /// What an honest prover computes for the records `range`, whether or not the claim holds.
    pub(crate) fn new(
        model: &Model,
        data: &Dataset,
        range: Range<usize>,
        hidden: bool,
        claim: TestSetClaim<'_>,
        answers: &[i64],
    ) -> Self {
        let architecture = model.architecture();
        let test = TestSet { samples: range.len(), hidden, claim };
        let lowered = lower_test_set(architecture, test).unwrap();
        let tally = match claim {
            TestSetClaim::Tally(tally) | TestSetClaim::Sums(tally) => Some(tally),
            TestSetClaim::Classes | TestSetClaim::Outputs => None,
        };
        let public = lowered.public_values(architecture, data, range, tally, answers);
        let system = &lowered.system;
        let results: HashSet<_> = system.relations().iter().filter_map(Relation::result).collect();
        let given = system.segment(Segment::Public).filter(|id| !results.contains(id));
        let input = if hidden {
            vec![records_of(data).concat(), committed_labels(architecture, data).unwrap()]
        } else {
            vec![]
        };
        let given = Assignment {
            weights: model.weights().tensors().to_vec(),
            input,
            public: given.map(|id| public[&id].clone()).collect(),
        };
        let trace = trace(system, &given).unwrap();
        Self { lowered, public, trace }
    }

    pub(crate) fn tally(model: &Model, data: &Dataset, hidden: bool, tally: &Tally) -> Self {
        Self::new(model, data, 0..data.samples(), hidden, TestSetClaim::Tally(tally), &[])
    }

    /// Whether the checker accepts, and the public tensors are those that the verifier computes.
    pub(crate) fn is_accepted(&self, trace: &Trace) -> bool {
        tacit_relations::check(&self.lowered.system, trace).is_ok()
            && self.public.iter().all(|(id, values)| trace.tensor(*id) == values.as_slice())
    }

    /// Whether the last relation, that of the thresholds, is content.
    pub(crate) fn comes_out(&self, trace: &Trace) -> bool {
        let Some(Relation::Range { x, lo, hi }) = self.lowered.system.relations().last() else { panic!() };
        x.elements(trace.tensor(x.tensor)).iter().all(|v| (lo..=hi).contains(&v))
    }

    pub(crate) fn totals(&self) -> &[i64] {
        self.trace.tensor(self.lowered.totals.unwrap())
    }
}
