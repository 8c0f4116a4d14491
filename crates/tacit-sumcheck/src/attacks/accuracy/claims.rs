//! Claims about small test sets: one that is true, and one that is false by one record. Which is which follows from the
//! metrics' definitions alone, without forms or relations.

use std::ops::Range;

use tacit_claim::{Comparison, Fraction, Metric, Requirement, Scope};
use tacit_model::testing::{SplitMix, mlp, record, schema};
use tacit_model::{Architecture, Dataset, Grouping, Labels, Model};
use tacit_relations::testing::Case;
use tacit_relations::{
    Assignment, Relation, Segment, Tally, TensorId, TestSet, TestSetClaim, committed_labels, lower_test_set,
    tally, trace,
};

use super::super::Stage;
use crate::plan::Plan;

pub(super) const SAMPLES: usize = 7;

/// What a model predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One of three classes, by a logit for each.
    Logits,
    /// One of two classes, by one logit.
    SingleLogit,
    /// A number.
    Number,
}

impl Kind {
    const fn classes(self) -> usize {
        match self {
            Self::Logits => 3,
            Self::SingleLogit => 2,
            Self::Number => 0,
        }
    }

    /// One layer of a few bits: ties, saturation and values of several digits all occur.
    pub(super) fn model(self, seed: u64) -> Model {
        let outputs = if self == Self::Logits { 3 } else { 1 };
        let base = mlp(&[3, outputs], 4, if seed.is_multiple_of(2) { 6 } else { 11 }, seed);
        let mut architecture = base.architecture().clone();
        architecture.schema = schema(3, self.classes());
        architecture.output_exponent = 2 * (seed % 2) as i32;
        Model::new(architecture, base.weights().tensors().to_vec()).expect("well-formed")
    }

    /// About half of the labels are what the model answers; numbers are off by little.
    fn data(self, model: &Model, rng: &mut SplitMix) -> Dataset {
        let architecture = model.architecture();
        let records: Vec<Vec<i64>> = (0..SAMPLES).map(|_| record(architecture, rng.next_u64())).collect();
        let outputs = records.iter().map(|r| model.run(r).expect("it fits").output().to_vec());
        let labels: Vec<i64> = match self {
            Self::Number => {
                outputs.map(|out| (out[0] >> architecture.output_exponent) + rng.range(-3, 3)).collect()
            }
            _ => outputs
                .map(|out| match rng.range(0, 1) {
                    0 => architecture.predicted_class(&out).expect("there are classes") as i64,
                    _ => rng.range(0, self.classes() as i64 - 1),
                })
                .collect(),
        };
        let sites: Vec<&str> = (0..SAMPLES).map(|_| ["a", "b"][rng.range(0, 1) as usize]).collect();
        dataset(architecture, records, labels, &sites)
    }
}

/// A test set with labels by index, or numbers.
pub(super) fn dataset(
    architecture: &Architecture,
    records: Vec<Vec<i64>>,
    labels: Vec<i64>,
    sites: &[&str],
) -> Dataset {
    let schema = &architecture.schema;
    let column = "label".to_owned();
    let labels = if schema.classes.is_empty() {
        Labels::Numbers { column, decimals: 0, values: labels }
    } else {
        let classes = schema.classes.iter().map(|c| c.name.clone()).collect();
        Labels::Classes { column, classes, indices: labels.iter().map(|l| *l as u32).collect() }
    };
    let sites = vec![Grouping::of("site".into(), sites)];
    Dataset::new(schema, records, Some(labels), sites).expect("well-formed")
}

/// A number as numerator and positive denominator.
pub(super) type Ratio = (i128, i128);

fn is_better(comparison: Comparison, a: Ratio, b: Ratio) -> bool {
    let (a, b) = (a.0 * b.1, b.0 * a.1);
    if comparison == Comparison::AtLeast { a > b } else { a < b }
}

/// What is known of one record's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) group: usize,
    pub(super) label: usize,
    pub(super) predicted: usize,
    /// Whether the label is among the first, where that is asked.
    pub(super) among: bool,
    /// Output minus label.
    pub(super) error: i128,
}

/// The answers of a model to a test set.
pub(super) fn answers(model: &Model, data: &Dataset, metric: Metric) -> Vec<Answer> {
    let architecture = model.architecture();
    let of = |i: usize| {
        let out = model.run(data.record(i)).expect("it fits").output().to_vec();
        let group = data.groupings()[0].indices[i] as usize;
        let mut answer = Answer { group, label: 0, predicted: 0, among: false, error: 0 };
        match data.labels() {
            Some(Labels::Classes { indices, .. }) => {
                answer.label = indices[i] as usize;
                answer.predicted = architecture.predicted_class(&out).expect("there are classes");
                if let Metric::Top(k) = metric {
                    let mut order: Vec<usize> = (0..out.len()).collect();
                    // Stable: the lower index stays first among equals.
                    order.sort_by_key(|c| std::cmp::Reverse(out[*c]));
                    answer.among = order[..k as usize].contains(&answer.label);
                }
            }
            Some(Labels::Numbers { values, .. }) => {
                answer.error = i128::from(out[0]) - (i128::from(values[i]) << architecture.output_exponent);
            }
            None => panic!("there are labels"),
        }
        answer
    };
    (0..data.samples()).map(of).collect()
}

/// A metric's value on some records, by its definition; `None` where it has none.
fn value(metric: Metric, of: &[Answer], architecture: &Architecture) -> Option<Ratio> {
    let count = |wanted: &dyn Fn(&Answer) -> bool| of.iter().filter(|a| wanted(a)).count() as i128;
    let class = metric.class().map_or(usize::MAX, |c| c as usize);
    let all = of.len() as i128;
    let positives = count(&|a| a.label == class);
    let selected = count(&|a| a.predicted == class);
    let both = count(&|a| a.label == class && a.predicted == class);
    let exponent = architecture.output_exponent;
    let ratio = match metric {
        Metric::Accuracy => (count(&|a| a.label == a.predicted), all),
        Metric::Top(_) => (count(&|a| a.among), all),
        Metric::Recall(_) => (both, positives),
        Metric::Precision(_) => (both, selected),
        Metric::Specificity(_) => (all - positives - selected + both, all - positives),
        Metric::FalsePositiveRate(_) => (selected - both, all - positives),
        Metric::SelectionRate(_) => (selected, all),
        Metric::F1(_) => (2 * both, positives + selected),
        Metric::BalancedAccuracy => {
            let classes = architecture.schema.classes.len();
            let recalls = (0..classes).map(|c| value(Metric::Recall(c as u32), of, architecture));
            let add = |sum: Ratio, r: Ratio| (sum.0 * r.1 + r.0 * sum.1, sum.1 * r.1);
            let sum = recalls.collect::<Option<Vec<_>>>()?.into_iter().fold((0, 1), add);
            (sum.0, sum.1 * classes as i128)
        }
        Metric::MeanAbsoluteError => (of.iter().map(|a| a.error.abs()).sum(), all << exponent),
        Metric::MeanSquaredError => (of.iter().map(|a| a.error * a.error).sum(), all << (2 * exponent)),
    };
    (ratio.1 > 0).then_some(ratio)
}

/// The metric's value in every group, or overall.
pub(super) fn values(
    requirement: &Requirement,
    answers: &[Answer],
    architecture: &Architecture,
) -> Option<Vec<Ratio>> {
    let part = |g: usize| {
        let own = answers.iter().filter(|a| requirement.scope == Scope::Overall || a.group == g);
        value(requirement.metric, &own.copied().collect::<Vec<_>>(), architecture)
    };
    (0..if requirement.scope == Scope::Overall { 1 } else { 2 }).map(part).collect()
}

/// The one value that must keep to the bound; `None` where some part has none.
pub(super) fn reached(
    requirements: &[Requirement],
    answers: &[Answer],
    architecture: &Architecture,
) -> Option<Ratio> {
    let mut worst: Option<Ratio> = None;
    for r in requirements {
        let mut values = values(r, answers, architecture)?;
        if matches!(r.scope, Scope::Gap(_)) {
            let [a, b] = values[..] else { return None };
            values = vec![((a.0 * b.1 - b.0 * a.1).abs(), a.1 * b.1)];
        }
        for value in values {
            worst = worst.filter(|w| !is_better(r.comparison, *w, value)).or(Some(value));
        }
    }
    worst
}

/// Every answer that one record could be said to have been given instead: of numbers, those that are off by one less.
pub(super) fn moves(metric: Metric, answers: &[Answer], classes: usize) -> Vec<(usize, Answer)> {
    let of = |(i, a): (usize, &Answer)| -> Vec<(usize, Answer)> {
        match metric {
            Metric::Top(_) => vec![(i, Answer { among: !a.among, ..*a })],
            // The error made smaller by one.
            _ if metric.is_error() => vec![(i, Answer { error: a.error - a.error.signum(), ..*a })],
            _ => {
                let others = (0..classes).filter(|p| *p != a.predicted);
                others.map(|predicted| (i, Answer { predicted, ..*a })).collect()
            }
        }
    };
    answers.iter().enumerate().flat_map(of).collect()
}

/// A claim with all that its prover knows.
pub(super) struct Claimed {
    pub(super) text: String,
    pub(super) model: Model,
    pub(super) data: Dataset,
    pub(super) hidden: bool,
    pub(super) requirements: Vec<Requirement>,
    pub(super) tally: Tally,
    pub(super) answers: Vec<Answer>,
}

/// A relation system at work.
pub(super) struct System {
    pub(super) stage: Stage,
    pub(super) totals: TensorId,
    /// The model's outputs.
    pub(super) logits: TensorId,
}

impl Claimed {
    /// The claim with this bound.
    pub(super) fn new(
        model: &Model,
        data: &Dataset,
        plain: &[Requirement],
        bound: Ratio,
        hidden: bool,
    ) -> Option<Self> {
        let g = gcd(bound.0, bound.1);
        let terms = (u64::try_from(bound.0 / g).ok()?, u64::try_from(bound.1 / g).ok()?);
        let bound = Fraction::new(terms.0, terms.1).ok()?;
        let requirements: Vec<Requirement> =
            plain.iter().map(|r| Requirement { bound, ..r.clone() }).collect();
        let architecture = model.architecture();
        requirements.iter().try_for_each(|r| r.check(&architecture.schema)).ok()?;
        let seen = (!hidden).then_some(data);
        let tally = tally(architecture, &requirements, data.samples() as u64, seen).ok()?;
        let texts: Vec<String> = requirements.iter().map(|r| r.text(&architecture.schema)).collect();
        Some(Self {
            text: format!("{}{}", texts.join(", "), if hidden { ", hidden" } else { "" }),
            answers: answers(model, data, requirements[0].metric),
            model: model.clone(),
            data: data.clone(),
            hidden,
            requirements,
            tally,
        })
    }

    pub(super) fn metric(&self) -> Metric {
        self.requirements[0].metric
    }

    pub(super) fn architecture(&self) -> &Architecture {
        self.model.architecture()
    }

    /// Whether the claim is true where these are the answers.
    pub(super) fn holds(&self, answers: &[Answer]) -> bool {
        let r = &self.requirements[0];
        let bound: (u64, u64) = r.bound.into();
        let bound = (i128::from(bound.0), i128::from(bound.1));
        reached(&self.requirements, answers, self.architecture())
            .is_some_and(|value| !is_better(r.comparison, bound, value))
    }

    /// The answers that one record may be said to have been given for the claim to come out.
    pub(super) fn helpful(&self) -> Vec<(usize, Answer)> {
        let classes = self.architecture().schema.classes.len();
        let mut moves = moves(self.metric(), &self.answers, classes);
        moves.retain(|(i, answer)| {
            let mut all = self.answers.clone();
            all[*i] = *answer;
            self.holds(&all)
        });
        moves
    }

    /// Whether this record's group is ahead, where the claim is about a gap.
    pub(super) fn is_ahead(&self, record: usize) -> bool {
        let r = &self.requirements[0];
        let values = values(r, &self.answers, self.architecture()).filter(|v| v.len() == 2);
        let group = self.answers[record].group;
        matches!(r.scope, Scope::Gap(_))
            && values.is_some_and(|v| is_better(Comparison::AtLeast, v[group], v[1 - group]))
    }

    /// What an honest prover computes.
    pub(super) fn whole(&self) -> System {
        self.system(&self.model, &self.data, 0..self.data.samples(), TestSetClaim::Tally(&self.tally))
    }

    /// The sums over some of the records.
    pub(super) fn part(&self, range: Range<usize>) -> System {
        self.system(&self.model, &self.data, range, TestSetClaim::Sums(&self.tally))
    }

    /// The same with another model of the same architecture and another test set.
    pub(super) fn with(&self, model: &Model, data: &Dataset) -> System {
        self.system(model, data, 0..data.samples(), TestSetClaim::Tally(&self.tally))
    }

    fn system(&self, model: &Model, data: &Dataset, range: Range<usize>, claim: TestSetClaim<'_>) -> System {
        let architecture = model.architecture();
        let test = |claim| TestSet { samples: range.len(), hidden: self.hidden, claim };
        let lower = |claim| lower_test_set(architecture, test(claim)).expect("it can be lowered");
        let (lowered, outputs) = (lower(claim), lower(TestSetClaim::Outputs));
        let public = lowered.public_values(architecture, data, range.clone(), Some(&self.tally), &[]);
        let results: Vec<TensorId> = lowered.system.relations().iter().filter_map(Relation::result).collect();
        let given = lowered.system.segment(Segment::Public).filter(|id| !results.contains(id));
        let input = if self.hidden {
            let records = range.flat_map(|i| data.record(i).to_vec()).collect();
            vec![records, committed_labels(architecture, data).expect("there are labels")]
        } else {
            Vec::new()
        };
        let weights = model.weights().tensors().to_vec();
        let given = Assignment { weights, input, public: given.map(|id| public[&id].clone()).collect() };
        let trace = trace(&lowered.system, &given).expect("it has a trace");
        let plan = Plan::new(&lowered.system);
        let totals = lowered.totals.expect("a claim with forms");
        let case = Case { name: self.text.clone(), system: lowered.system, given, trace };
        let logits = outputs.answers.expect("outputs are asked for");
        System { stage: Stage::empty(case, plan), totals, logits }
    }
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}

/// The same architecture with a layer of these weights and outputs about these.
pub(super) fn constant(kind: Kind, outputs: &[i64]) -> Model {
    let model = kind.model(0);
    let mut tensors = model.weights().tensors().to_vec();
    tensors[0].fill(0);
    tensors[1] = outputs.iter().map(|out| 16 * out).collect();
    Model::new(model.architecture().clone(), tensors).expect("well-formed")
}

/// Other weights of the same widths.
pub(super) fn other_model(model: &Model, rng: &mut SplitMix) -> Model {
    let params = &model.architecture().params;
    let any = params.iter().map(|p| {
        let bounds = p.bounds();
        (0..p.len()).map(|_| rng.range(bounds.lo, bounds.hi)).collect()
    });
    Model::new(model.architecture().clone(), any.collect()).expect("well-formed")
}

/// The same test set with other labels, or other records.
pub(super) fn other_data(model: &Model, data: &Dataset, labels: bool, rng: &mut SplitMix) -> Dataset {
    let architecture = model.architecture();
    let own: Vec<i64> = match data.labels() {
        Some(Labels::Classes { indices, .. }) => indices.iter().map(|i| i64::from(*i)).collect(),
        Some(Labels::Numbers { values, .. }) => values.clone(),
        None => Vec::new(),
    };
    let classes = architecture.schema.classes.len() as i64;
    let mut other =
        |label: i64| if classes == 0 { label + rng.range(-2, 2) } else { rng.range(0, classes - 1) };
    let own = if labels { own.into_iter().map(&mut other).collect() } else { own };
    let records = (0..data.samples())
        .map(|i| if labels { data.record(i).to_vec() } else { record(architecture, rng.next_u64()) });
    let records = records.collect();
    let groups = &data.groupings()[0];
    let sites: Vec<&str> = groups.indices.iter().map(|g| groups.groups[*g as usize].as_str()).collect();
    dataset(architecture, records, own, &sites)
}

/// A claim of this text (its bound is replaced) that is false by the smallest step, and one that is true by none, of the
/// same model and test set: the first by seed where one record would do.
pub(super) fn false_and_true(kind: Kind, text: &str, hidden: bool) -> (Claimed, Claimed) {
    for seed in 0..5_000 {
        let model = kind.model(seed);
        let data = kind.data(&model, &mut SplitMix(seed));
        let architecture = model.architecture();
        let plain = Requirement::parse(text, &architecture.schema, None).expect("a requirement");
        let (metric, comparison) = (plain[0].metric, plain[0].comparison);
        let honest = answers(&model, &data, metric);
        if data.groupings()[0].groups.len() < 2 {
            continue;
        }
        let Some(value) = reached(&plain, &honest, architecture) else { continue };
        let step = if metric.is_error() {
            Some((value.0 - 1, value.1))
        } else {
            let changed = moves(metric, &honest, kind.classes()).into_iter().filter_map(|(i, answer)| {
                let mut all = honest.clone();
                all[i] = answer;
                reached(&plain, &all, architecture).filter(|v| is_better(comparison, *v, value))
            });
            changed.reduce(|a, b| if is_better(comparison, a, b) { b } else { a })
        };
        let Some(step) = step else { continue };
        let claims = [step, value].map(|bound| Claimed::new(&model, &data, &plain, bound, hidden));
        let [Some(lie), Some(truth)] = claims else { continue };
        // No single record has all of the error, and gaps close from either side.
        let most = honest.iter().map(|a| a.error.abs()).max().unwrap_or(0);
        let most = if metric == Metric::MeanSquaredError { most * most } else { most };
        let sums = values(&plain[0], &honest, architecture).unwrap_or_default();
        let few = metric.is_error() && sums.iter().any(|v| v.0 <= most);
        let helpful = lie.helpful();
        let is_gap = matches!(plain[0].scope, Scope::Gap(_));
        let ahead = helpful.iter().filter(|(i, _)| lie.is_ahead(*i)).count();
        let one_sided = is_gap && (ahead == 0 || ahead == helpful.len());
        if few || one_sided || helpful.len() < 2 {
            continue;
        }
        assert!(!lie.holds(&honest) && truth.holds(&honest), "{}", lie.text);
        return (lie, truth);
    }
    panic!("no test set for `{text}` of {kind:?}");
}
