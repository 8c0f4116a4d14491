//! Requirements on test sets: the forms that they become, and the relations that those become, say just what the textbook
//! definitions of the metrics say.

#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use proptest::prelude::*;
use tacit_claim::{Comparison, Metric, Requirement, Scope};
use tacit_model::testing::SplitMix;
use tacit_model::{Dataset, Grouping, Labels, Model};
use tacit_relations::{
    Assignment, Segment, Statement, TallyError, TestSetClaim, check, lower_test_set, lower_verdict, tally,
    trace,
};

/// The definitions: exact fractions, no weights, no forms.
mod textbook {
    use super::*;

    /// A number of `numerator / denominator`; a denominator of zero is no number.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) struct Ratio(pub(crate) i128, pub(crate) i128);

    impl Ratio {
        fn minus(self, other: Self) -> Self {
            Self(self.0 * other.1 - other.0 * self.1, self.1 * other.1)
        }

        fn plus(self, other: Self) -> Self {
            let (n, d) = (self.0 * other.1 + other.0 * self.1, self.1 * other.1);
            let g = gcd(n, d);
            Self(n / g, d / g)
        }

        pub(crate) fn lowest(self) -> Self {
            let g = gcd(self.0, self.1);
            Self(self.0 / g, self.1 / g)
        }

        fn meets(self, comparison: Comparison, bound: tacit_claim::Fraction) -> bool {
            let (left, right) =
                (self.0 * i128::from(bound.denominator()), self.1 * i128::from(bound.numerator()));
            if comparison == Comparison::AtLeast { left >= right } else { left <= right }
        }
    }

    fn gcd(a: i128, b: i128) -> i128 {
        if b == 0 { a.abs().max(1) } else { gcd(b, a % b) }
    }

    /// The class that a model with classes answers.
    pub(crate) fn class(answer: &[i64]) -> usize {
        match answer {
            [logit] if *logit > 0 => 1,
            [_] => 0,
            logits => {
                let top = logits.iter().max().unwrap();
                logits.iter().position(|l| l == top).unwrap()
            }
        }
    }

    /// A label in units of `2^-exponent`, rounded half up.
    fn rounded(v: i64, decimals: u8, exponent: i32) -> i128 {
        let (mut n, mut d) = (i128::from(v), 10i128.pow(decimals.into()));
        if exponent >= 0 {
            n <<= exponent
        } else {
            d <<= -exponent
        }
        let (whole, rest) = (n.div_euclid(d), n.rem_euclid(d));
        whole + i128::from(2 * rest >= d)
    }

    /// The metric's value on some of the records, `None` where it has none.
    pub(crate) fn value(
        metric: Metric,
        model: &Model,
        data: &Dataset,
        answers: &[Vec<i64>],
        records: &[usize],
    ) -> Option<Ratio> {
        let n = records.len() as i128;
        if metric.is_error() {
            let Some(Labels::Numbers { decimals, values, .. }) = data.labels() else { panic!("numbers") };
            let exponent = model.architecture().output_exponent;
            let errors =
                records.iter().map(|i| i128::from(answers[*i][0]) - rounded(values[*i], *decimals, exponent));
            let (sum, exponent): (i128, _) = match metric {
                Metric::MeanAbsoluteError => (errors.map(i128::abs).sum(), exponent),
                _ => (errors.map(|e| e * e).sum(), 2 * exponent),
            };
            return Some(if exponent >= 0 { Ratio(sum, n << exponent) } else { Ratio(sum << -exponent, n) });
        }
        let Some(Labels::Classes { classes, indices, .. }) = data.labels() else { panic!("classes") };
        // Confusion matrix: rows are labels.
        let mut confusion = vec![vec![0i128; classes.len()]; classes.len()];
        for i in records {
            confusion[indices[*i] as usize][class(&answers[*i])] += 1;
        }
        let own = |c: u32| {
            let c = c as usize;
            let tp = confusion[c][c];
            let fn_ = confusion[c].iter().sum::<i128>() - tp;
            let fp = confusion.iter().map(|row| row[c]).sum::<i128>() - tp;
            (tp, fp, fn_, n - tp - fp - fn_)
        };
        let ratio = match metric {
            Metric::Accuracy => Ratio((0..classes.len()).map(|c| confusion[c][c]).sum(), n),
            Metric::Top(k) => {
                let among = |i: &&usize| {
                    let mut order: Vec<usize> = (0..classes.len()).collect();
                    // Stable: the lower index stays first among equals.
                    order.sort_by_key(|c| std::cmp::Reverse(answers[**i][*c]));
                    order[..k as usize].contains(&(indices[**i] as usize))
                };
                Ratio(records.iter().filter(among).count() as i128, n)
            }
            Metric::Recall(c) => {
                let (tp, _, fn_, _) = own(c);
                Ratio(tp, tp + fn_)
            }
            Metric::Precision(c) => {
                let (tp, fp, ..) = own(c);
                Ratio(tp, tp + fp)
            }
            Metric::Specificity(c) => {
                let (_, fp, _, tn) = own(c);
                Ratio(tn, tn + fp)
            }
            Metric::FalsePositiveRate(c) => {
                let (_, fp, _, tn) = own(c);
                Ratio(fp, tn + fp)
            }
            Metric::SelectionRate(c) => {
                let (tp, fp, ..) = own(c);
                Ratio(tp + fp, n)
            }
            Metric::F1(c) => {
                let (tp, fp, fn_, _) = own(c);
                Ratio(2 * tp, 2 * tp + fp + fn_)
            }
            Metric::BalancedAccuracy => {
                let recall = |c: usize| Ratio(confusion[c][c], confusion[c].iter().sum());
                let recalls: Vec<Ratio> = (0..classes.len()).map(recall).collect();
                if recalls.iter().any(|r| r.1 == 0) {
                    return None;
                }
                let Ratio(n, d) = recalls.iter().fold(Ratio(0, 1), |sum, r| sum.plus(*r));
                Ratio(n, d * classes.len() as i128)
            }
            Metric::MeanAbsoluteError | Metric::MeanSquaredError => unreachable!(),
        };
        (ratio.1 != 0).then_some(ratio)
    }

    /// The records of every part that a requirement speaks of.
    pub(crate) fn parts(scope: &Scope, data: &Dataset) -> Vec<Vec<usize>> {
        let Some(column) = scope.column() else { return vec![(0..data.samples()).collect()] };
        let grouping = data.grouping(column.as_str()).unwrap();
        let of = |g: usize| (0..data.samples()).filter(|i| grouping.indices[*i] as usize == g).collect();
        (0..grouping.groups.len()).map(of).collect()
    }

    /// The values that the bound is compared with: of every part, or every ordered difference.
    pub(crate) fn values(
        requirement: &Requirement,
        model: &Model,
        data: &Dataset,
        answers: &[Vec<i64>],
    ) -> Vec<Option<Ratio>> {
        let of = |part: &Vec<usize>| value(requirement.metric, model, data, answers, part);
        let values: Vec<Option<Ratio>> = parts(&requirement.scope, data).iter().map(of).collect();
        if !matches!(requirement.scope, Scope::Gap(_)) {
            return values;
        }
        let gap = |a: &Option<Ratio>, b: &Option<Ratio>| {
            a.zip(*b).map(|(a, b)| a.minus(b)).map(|d| Ratio(d.0.abs(), d.1))
        };
        values.iter().flat_map(|a| values.iter().map(move |b| gap(a, b))).collect()
    }

    /// Whether the requirement holds; a value that is none does not.
    pub(crate) fn holds(
        requirement: &Requirement,
        model: &Model,
        data: &Dataset,
        answers: &[Vec<i64>],
    ) -> bool {
        let meets = |v: &Option<Ratio>| v.is_some_and(|v| v.meets(requirement.comparison, requirement.bound));
        values(requirement, model, data, answers).iter().all(meets)
    }

    /// Whether the labels alone make it meaningless.
    pub(crate) fn is_undefined(requirement: &Requirement, data: &Dataset) -> bool {
        let Some(Labels::Classes { classes, indices, .. }) = data.labels() else { return false };
        parts(&requirement.scope, data).iter().any(|part| {
            let has = |c: usize| part.iter().any(|i| indices[*i] as usize == c);
            let has_other = |c: usize| part.iter().any(|i| indices[*i] as usize != c);
            match requirement.metric {
                Metric::Recall(c) => !has(c as usize),
                Metric::Specificity(c) | Metric::FalsePositiveRate(c) => !has_other(c as usize),
                Metric::BalancedAccuracy => !(0..classes.len()).all(has),
                _ => false,
            }
        })
    }
}

use textbook::Ratio;

/// Whether a model is proved to meet requirements on a test set, by every way that there is; all ways must agree.
/// `None` where there is no such claim.
fn decide(
    model: &Model,
    data: &Dataset,
    requirements: &[Requirement],
    hidden: bool,
    cuts: &[usize],
) -> Option<bool> {
    let architecture = model.architecture();
    requirements.iter().for_each(|r| r.check(&architecture.schema).unwrap());
    let answers = answers(model, &records_of(data));
    let text: Vec<_> = requirements.iter().map(|r| r.text(&architecture.schema)).collect();
    let holds: Vec<bool> = requirements.iter().map(|r| textbook::holds(r, model, data, &answers)).collect();
    let all = !holds.contains(&false);

    let seen = if hidden { None } else { Some(data) };
    let tallied = tally(architecture, requirements, data.samples() as u64, seen);
    let one_group =
        |r: &Requirement| matches!(r.scope, Scope::Gap(_)) && textbook::parts(&r.scope, data).len() < 2;
    if !hidden && requirements.iter().any(|r| textbook::is_undefined(r, data) || one_group(r)) {
        let e = tallied.unwrap_err();
        assert!(matches!(e, TallyError::Undefined { .. } | TallyError::OneGroup { .. }), "{e}");
        return None;
    }
    let tally = tallied.unwrap_or_else(|e| panic!("{text:?}: {e}"));

    // Forms.
    let flat = answers.concat();
    let sums = tally.sums(architecture, data, &flat);
    let missed = tally.missed(&sums).map(|form| form.requirement);
    assert_eq!(missed, holds.iter().position(|h| !h), "{text:?}");
    for (form, sum) in tally.forms.iter().zip(&sums).filter(|_| all) {
        assert!((sum.abs().max(sum - form.at_least)) <= tally.reach, "{text:?}: beyond the reach");
    }

    // Relations.
    let whole = Claimed::tally(model, data, hidden, &tally);
    // An error that is larger than all together may be is cut off, and its record refused.
    let exact = all || requirements.iter().all(|r| !r.metric.is_error());
    assert!(!exact || whole.totals() == sums, "{text:?}");
    assert_eq!(check(&whole.lowered.system, &whole.trace).is_ok(), all, "{text:?}");
    let statement = Statement {
        system: whole.lowered.system,
        binding: [0; 32],
        commitments: [Segment::Weights, Segment::Input]
            .into_iter()
            .filter(|s| hidden || *s == Segment::Weights)
            .map(|s| (s, tacit_relations::Commitment(vec![])))
            .collect(),
        public: whole.public,
    };
    statement.validate().unwrap();

    // Parts.
    if !hidden {
        let mut ends: Vec<usize> = cuts.iter().map(|c| c % (data.samples() + 1)).collect();
        ends.extend([0, data.samples()]);
        ends.sort_unstable();
        ends.dedup();
        let chunks: Vec<Claimed> = ends
            .windows(2)
            .map(|w| Claimed::new(model, data, w[0]..w[1], false, TestSetClaim::Sums(&tally), &[]))
            .collect();
        let added: Vec<i64> = (0..sums.len()).map(|i| chunks.iter().map(|c| c.totals()[i]).sum()).collect();
        assert!(!exact || added == sums, "{text:?}");
        let verdict = lower_verdict(&tally).unwrap();
        let given = Assignment { weights: vec![], input: vec![added], public: vec![] };
        let accepts = trace(&verdict, &given).is_ok_and(|t| check(&verdict, &t).is_ok());
        let parts = chunks.iter().all(|c| check(&c.lowered.system, &c.trace).is_ok());
        assert_eq!(accepts && parts, all, "{text:?}: in parts");
    }
    Some(all)
}

/// Bounds at, just above and just below a value.
fn bounds_around(metric: Metric, Ratio(n, d): Ratio, fine: i128) -> Vec<tacit_claim::Fraction> {
    let Ratio(n, d) = Ratio(n, d).lowest();
    let most = if metric.is_error() { i128::MAX } else { d * fine };
    let around = [n * fine, n * fine + 1, n * fine - 1];
    let inside = around.into_iter().filter(|n| (0..=most).contains(n) && *n <= 1_000_000_000_000);
    inside.filter(|_| d * fine <= 1_000_000_000_000).map(|n| fraction(n, d * fine)).collect()
}

fn metrics(kind: Kind) -> Vec<Metric> {
    let classes = kind.classes() as u32;
    if classes == 0 {
        return vec![Metric::MeanAbsoluteError, Metric::MeanSquaredError];
    }
    let own: [fn(u32) -> Metric; 6] = [
        Metric::Recall,
        Metric::Precision,
        Metric::Specificity,
        Metric::FalsePositiveRate,
        Metric::SelectionRate,
        Metric::F1,
    ];
    let ranks = if kind == Kind::SingleLogit { 0 } else { classes };
    let mut all = vec![Metric::Accuracy, Metric::BalancedAccuracy];
    all.extend((1..=ranks).map(Metric::Top));
    all.extend((0..classes).flat_map(|c| own.map(|m| m(c))));
    all
}

fn scopes(metric: Metric, data: &Dataset) -> Vec<Scope> {
    let mut all = vec![Scope::Overall];
    for g in data.groupings() {
        all.push(Scope::EachGroup(column(&g.column)));
        if metric.can_be_compared() {
            all.push(Scope::Gap(column(&g.column)));
        }
    }
    all
}

fn comparisons(metric: Metric, scope: &Scope) -> &'static [Comparison] {
    if metric.is_error() || matches!(scope, Scope::Gap(_)) {
        &[Comparison::AtMost]
    } else {
        &[Comparison::AtLeast, Comparison::AtMost]
    }
}

fn is_for_hidden(r: &Requirement) -> bool {
    r.scope == Scope::Overall && r.metric != Metric::BalancedAccuracy
}

/// A random requirement with a bound about what the model reaches.
fn any_requirement(model: &Model, kind: Kind, data: &Dataset, rng: &mut SplitMix) -> Requirement {
    fn pick<'a, T>(rng: &mut SplitMix, all: &'a [T]) -> &'a T {
        &all[rng.range(0, all.len() as i64 - 1) as usize]
    }
    let metric = *pick(rng, &metrics(kind));
    let scope = pick(rng, &scopes(metric, data)).clone();
    let comparison = *pick(rng, comparisons(metric, &scope));
    let bound = fraction(rng.range(0, 20).into(), 20);
    let plain = requirement(metric, scope, comparison, bound);
    let answers = answers(model, &records_of(data));
    let values: Vec<Ratio> = textbook::values(&plain, model, data, &answers).into_iter().flatten().collect();
    if values.is_empty() || rng.range(0, 5) == 0 {
        return plain;
    }
    let fine = *pick(rng, &[1, 1, 7, 1000]);
    let bounds = bounds_around(metric, *pick(rng, &values), fine);
    let bound = if bounds.is_empty() { plain.bound } else { *pick(rng, &bounds) };
    Requirement { bound, ..plain }
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![
        4 => (2usize..=5).prop_map(Kind::Logits),
        1 => Just(Kind::SingleLogit),
        2 => (-4i32..=10).prop_map(Kind::Number),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn requirements_say_what_the_textbook_says(
        kind in kinds(),
        reader in prop::sample::select(&READERS[..]),
        bits in prop_oneof![Just(3u8), Just(5), Just(12)],
        samples in 1usize..12,
        columns in 0usize..3,
        requirements in 1usize..4,
        hidden in any::<bool>(),
        cuts in prop::collection::vec(any::<usize>(), 0..4),
        seed in any::<u64>(),
    ) {
        let mut rng = SplitMix(seed);
        let model = model(kind, reader, bits, seed);
        let data = data_for(&model, kind, samples, columns, hidden, &mut rng);
        let mut all: Vec<_> = (0..requirements).map(|_| any_requirement(&model, kind, &data, &mut rng)).collect();
        decide(&model, &data, &all, false, &cuts);
        if hidden {
            all.retain(is_for_hidden);
            if !all.is_empty() {
                decide(&model, &data, &all, true, &[]);
            }
        }
    }
}

/// Every metric in every scope with every comparison, at the value that the model reaches and one step to either side.
#[test]
fn bounds_are_exact() {
    let mut told = std::collections::BTreeMap::new();
    for kind in [Kind::Logits(2), Kind::Logits(3), Kind::SingleLogit, Kind::Number(5), Kind::Number(-3)] {
        for seed in 0..4 {
            let mut rng = SplitMix(seed);
            let reader = READERS[seed as usize % 4];
            let model = model(kind, reader, 5, seed);
            let data = data_for(&model, kind, 14, 1, true, &mut rng);
            let answers = answers(&model, &records_of(&data));
            for metric in metrics(kind) {
                for scope in scopes(metric, &data) {
                    for comparison in comparisons(metric, &scope) {
                        let any = requirement(metric, scope.clone(), *comparison, fraction(0, 1));
                        for value in textbook::values(&any, &model, &data, &answers).into_iter().flatten() {
                            for bound in bounds_around(metric, value, 1) {
                                let r = Requirement { bound, ..any.clone() };
                                let hidden = is_for_hidden(&r);
                                let public = decide(&model, &data, std::slice::from_ref(&r), false, &[5, 9]);
                                if let Some(holds) = public {
                                    *told.entry((metric.name(), holds)).or_insert(0) += 1;
                                }
                                if hidden {
                                    let holds = decide(&model, &data, &[r], true, &[]).unwrap();
                                    assert!(public.is_none_or(|public| public == holds));
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    println!("{told:?}");
    assert_eq!(told.len(), 2 * 11, "every metric both met and missed: {told:?}");
}

/// A model whose logits are the biases, whatever the record.
fn constant(kind: Kind, biases: &[i64]) -> Model {
    let base = model(kind, Reader::Normalise, 12, 1);
    let last = base.weights().tensors().len() - 1;
    let tensors = base.weights().tensors().iter().enumerate();
    let tensors = tensors
        .map(|(i, t)| if i == last { biases.iter().map(|b| b << 8).collect() } else { vec![0; t.len()] });
    Model::new(base.architecture().clone(), tensors.collect()).unwrap()
}

/// Records that are all alike, with these labels and one group per record where `groups` says so.
fn alike(model: &Model, labels: &[u32], groups: Option<&[&str]>) -> Dataset {
    let groupings = groups.map(|g| Grouping::of("site".into(), g)).into_iter().collect();
    let labels_of = class_labels(model, labels.to_vec());
    Dataset::new(&model.architecture().schema, vec![vec![0, 0, 0]; labels.len()], Some(labels_of), groupings)
        .unwrap()
}

fn one(model: &Model, text: &str) -> Requirement {
    let all = Requirement::parse(text, &model.architecture().schema, None).unwrap();
    let [only] = &all[..] else { panic!("{text}") };
    only.clone()
}

#[track_caller]
fn decided(model: &Model, data: &Dataset, text: &str, expected: Option<bool>) {
    let r = one(model, text);
    assert_eq!(decide(model, data, std::slice::from_ref(&r), false, &[1, 2]), expected, "{text}");
    if is_for_hidden(&r) {
        // Where labels are hidden, what has no value is missed.
        assert_eq!(decide(model, data, &[r], true, &[]), Some(expected == Some(true)), "{text}, hidden");
    }
}

/// The lowest index wins a tie and ranks first among equals.
#[test]
fn ties() {
    let model = constant(Kind::Logits(4), &[1, 3, 3, 1]);
    let data = alike(&model, &[0, 1, 2, 3], None);
    decided(&model, &data, "accuracy >= 1/4", Some(true));
    decided(&model, &data, "accuracy <= 1/4", Some(true));
    decided(&model, &data, "selection_rate[class 1] >= 1.0", Some(true));
    decided(&model, &data, "selection_rate[class 2] <= 0", Some(true));
    for (k, share) in [(1, "1/4"), (2, "2/4"), (3, "3/4"), (4, "1.0")] {
        decided(&model, &data, &format!("top[{k}] >= {share}"), Some(true));
        decided(&model, &data, &format!("top[{k}] <= {share}"), Some(true));
    }
    // 1, 2, 0, 3 is the order: of label 3 alone, nothing but the last rank will do.
    let data = alike(&model, &[3], None);
    decided(&model, &data, "top[3] >= 0.1", Some(false));
    let data = alike(&model, &[0], None);
    decided(&model, &data, "top[3] >= 1.0", Some(true));
    decided(&model, &data, "top[2] >= 0.1", Some(false));
}

/// A logit of zero is class 0, and the smallest above it class 1.
#[test]
fn single_logits() {
    for (bias, class) in [(-1, 0), (0, 0), (1, 1), (2000, 1), (-2000, 0)] {
        let model = constant(Kind::SingleLogit, &[bias]);
        let data = alike(&model, &[class; 3], None);
        decided(&model, &data, "accuracy >= 1.0", Some(true));
        let data = alike(&model, &[1 - class], None);
        decided(&model, &data, "accuracy <= 0", Some(true));
        decided(&model, &data, &format!("selection_rate[class {class}] >= 1.0"), Some(true));
        for hidden in [false, true] {
            let seen = if hidden { None } else { Some(&data) };
            let e = tally(model.architecture(), &[one(&model, "top[1] >= 0")], 1, seen).unwrap_err();
            assert!(matches!(e, TallyError::Model { .. }), "{e}");
        }
    }
}

/// Quotients with nothing below: told before proving where labels tell, missed where predictions do.
#[test]
fn what_has_no_value_holds_for_no_bound() {
    // Always class 1.
    let model = constant(Kind::Logits(3), &[0, 5, 0]);
    let data = alike(&model, &[0, 1, 1], Some(&["a", "a", "b"]));
    for (text, expected) in [
        ("recall[class 2] >= 0", None),
        ("recall[class 2] <= 1.0", None),
        ("recall[class 0] >= 0 by site", None),
        ("gap(recall[class 0]) <= 1.0 by site", None),
        ("balanced_accuracy >= 0", None),
        ("specificity[class 1] >= 0 by site", None),
        ("specificity[class 1] >= 0", Some(true)),
        ("false_positive_rate[class 1] <= 1.0 by site", None),
        ("precision[class 0] >= 0", Some(false)),
        ("precision[class 0] <= 1.0", Some(false)),
        ("precision[class 1] >= 0 by site", Some(true)),
        ("precision[class 0] >= 0 by site", Some(false)),
        // Labels, and no predictions; neither.
        ("f1[class 0] >= 0", Some(true)),
        ("f1[class 0] <= 0", Some(true)),
        ("f1[class 2] >= 0", Some(false)),
        ("f1[class 2] <= 1.0", Some(false)),
        ("f1[class 0] >= 0 by site", Some(false)),
        ("selection_rate[class 2] <= 0 by site", Some(true)),
        ("accuracy >= 1/2 by site", Some(true)),
        ("accuracy >= 51/100 by site", Some(false)),
        ("gap(accuracy) <= 1/2 by site", Some(true)),
        ("gap(accuracy) <= 49/100 by site", Some(false)),
        ("gap(selection_rate[class 1]) <= 0 by site", Some(true)),
    ] {
        decided(&model, &data, text, expected);
    }
    let alone = alike(&model, &[1], Some(&["a"]));
    decided(&model, &alone, "gap(accuracy) <= 1.0 by site", None);
    decided(&model, &alone, "accuracy >= 1.0 by site", Some(true));
    let e =
        tally(model.architecture(), &[one(&model, "accuracy >= 0 by place")], 1, Some(&alone)).unwrap_err();
    assert_eq!(e, TallyError::NoColumn("place".into()));
}

/// A gap counts whichever group is ahead, and between any two of three.
#[test]
fn gaps_between_all_groups() {
    let model = constant(Kind::Logits(2), &[3, 0]);
    // Accuracies 1/1, 1/2, 1/3.
    let labels = [0, 0, 1, 0, 1, 1];
    for sites in
        [["a", "b", "b", "c", "c", "c"], ["c", "b", "b", "a", "a", "a"], ["b", "a", "a", "c", "c", "c"]]
    {
        let data = alike(&model, &labels, Some(&sites));
        decided(&model, &data, "gap(accuracy) <= 2/3 by site", Some(true));
        decided(&model, &data, "gap(accuracy) <= 199/300 by site", Some(false));
        decided(&model, &data, "accuracy >= 1/3 by site", Some(true));
        decided(&model, &data, "accuracy >= 101/300 by site", Some(false));
    }
}

/// The least common multiple of many class counts is too large: the bound is held to, by less than a millionth.
#[test]
fn balanced_accuracy_of_awkward_counts() {
    let primes = [101u32, 103, 107, 109, 113];
    let base = model(Kind::Logits(5), Reader::Normalise, 5, 3);
    let labels: Vec<u32> = (0..5).flat_map(|c| std::iter::repeat_n(c, primes[c as usize] as usize)).collect();
    let mut rng = SplitMix(5);
    let records =
        labels.iter().map(|_| tacit_model::testing::record(base.architecture(), rng.next_u64())).collect();
    let data = Dataset::new(&base.architecture().schema, records, Some(class_labels(&base, labels)), vec![])
        .unwrap();
    let answers = answers(&base, &records_of(&data));
    let all: Vec<usize> = (0..data.samples()).collect();
    let Ratio(n, d) = textbook::value(Metric::BalancedAccuracy, &base, &data, &answers, &all).unwrap();
    for comparison in [Comparison::AtLeast, Comparison::AtMost] {
        // A millionth to either side, and the nearest bound that can be written.
        let scale = 1_000_000_000;
        let near = n * scale / d;
        for (numerator, expected) in [
            (near + 1000, Some(comparison == Comparison::AtMost)),
            (near - 1000, Some(comparison == Comparison::AtLeast)),
            (near, None),
            (near + 1, None),
        ] {
            let bound = fraction(numerator, scale);
            let r = requirement(Metric::BalancedAccuracy, Scope::Overall, comparison, bound);
            let tally = tally(base.architecture(), std::slice::from_ref(&r), 533, Some(&data)).unwrap();
            let met = tally.missed(&tally.sums(base.architecture(), &data, &answers.concat())).is_none();
            // Never met where it does not hold.
            assert!(!met || textbook::holds(&r, &base, &data, &answers), "{numerator}");
            assert!(expected.is_none_or(|e| e == met), "{numerator}: {comparison:?}");
            let whole = Claimed::tally(&base, &data, false, &tally);
            assert_eq!(check(&whole.lowered.system, &whole.trace).is_ok(), met);
        }
    }
}

/// Labels between two units of the output are rounded half up, below zero too.
#[test]
fn labels_are_rounded_to_the_outputs_unit() {
    // Unit 1/8; two decimals: 0.18 to 0.19 is a unit and a half; -0.18 rounds up to -0.125, -0.19 down to -0.25.
    let model = constant(Kind::Number(3), &[1]);
    let with = |values: Vec<i64>| {
        let n = values.len();
        let labels = Labels::Numbers { column: "label".into(), decimals: 4, values };
        Dataset::new(&model.architecture().schema, vec![vec![0, 0, 0]; n], Some(labels), vec![]).unwrap()
    };
    for (value, units) in [
        (1250, 1),
        (1874, 1),
        (1875, 2),
        (1876, 2),
        (625, 1),
        (624, 0),
        (-624, 0),
        (-625, 0),
        (-626, -1),
        (-1875, -1),
        (-1876, -2),
    ] {
        let data = with(vec![value]);
        let error: i64 = 1 - units;
        decided(&model, &data, &format!("mae <= {}/8", error.abs()), Some(true));
        decided(&model, &data, &format!("mse <= {}/64", error * error), Some(true));
        if error != 0 {
            decided(&model, &data, &format!("mae <= {}/800", 100 * error.abs() - 1), Some(false));
            decided(&model, &data, &format!("mse <= {}/6400", 100 * error * error - 1), Some(false));
        }
    }
    // Nothing is off by anything; one record is off by everything.
    decided(&model, &with(vec![1250; 5]), "mae <= 0", Some(true));
    decided(&model, &with(vec![1250; 5]), "mse <= 0", Some(true));
    decided(&model, &with(vec![1250, 1250, 1250, 2500]), "mae <= 1/32", Some(true));
    decided(&model, &with(vec![1250, 1250, 1250, 2500]), "mae <= 99/3200", Some(false));
    decided(&model, &with(vec![1250, 1250, 0, 2500]), "mse <= 2/256", Some(true));
    decided(&model, &with(vec![1250, 1250, 0, 2500]), "mse <= 1/256", Some(false));
}

#[test]
fn what_cannot_be_tallied_is_refused() {
    let numbers = constant(Kind::Number(3), &[1]);
    let schema = &numbers.architecture().schema;
    let with = |labels| Dataset::new(schema, vec![vec![0, 0, 0]], labels, vec![]).unwrap();
    let refused = |model: &Model, text: &str, data: &Dataset| {
        tally(model.architecture(), &[one(model, text)], data.samples() as u64, Some(data)).unwrap_err()
    };
    assert_eq!(refused(&numbers, "mae <= 1", &with(None)), TallyError::NoLabels);
    let far = |value| with(Some(Labels::Numbers { column: "y".into(), decimals: 0, values: vec![value] }));
    for value in [1 << 46, -(1 << 46), i64::MAX, i64::MIN] {
        assert!(matches!(refused(&numbers, "mae <= 1", &far(value)), TallyError::Label { record: 0, .. }));
    }
    decided(&numbers, &far((1 << 46) - 1), "mae <= 1", Some(false));
    let fine = constant(Kind::Number(20), &[1]);
    for text in ["mae <= 1000000000000", "mse <= 1000000"] {
        assert!(matches!(refused(&fine, text, &far(0)), TallyError::TooFine(_)), "{text}");
        tally(numbers.architecture(), &[one(&numbers, text)], 1, Some(&far(0))).unwrap();
    }

    let classes = constant(Kind::Logits(3), &[1, 2, 3]);
    let other = class_labels(&constant(Kind::Logits(2), &[1, 2]), vec![0]);
    let data =
        Dataset::new(&classes.architecture().schema, vec![vec![0, 0, 0]], Some(other), vec![]).unwrap();
    assert_eq!(refused(&classes, "accuracy >= 0", &data), TallyError::Schema);
    let data = Dataset::new(
        &classes.architecture().schema,
        vec![vec![0, 0, 0]],
        Some(Labels::Numbers { column: "y".into(), decimals: 0, values: vec![1] }),
        vec![],
    )
    .unwrap();
    assert_eq!(refused(&classes, "accuracy >= 0", &data), TallyError::Labels { expected: "classes" });

    // Several numbers per record.
    let mut architecture = classes.architecture().clone();
    architecture.schema.classes.clear();
    let several = Model::new(architecture, classes.weights().tensors().to_vec()).unwrap();
    let e = refused(&several, "mse <= 1", &far(0));
    assert!(matches!(e, TallyError::Model { .. }), "{e}");
}

/// Public answers: what the model answers is accepted, and nothing else.
#[test]
fn published_answers() {
    for (seed, kind) in
        (0..12).zip([Kind::Logits(2), Kind::Logits(4), Kind::SingleLogit, Kind::Number(4)].repeat(3))
    {
        for reader in READERS {
            let model = model(kind, reader, 4, seed);
            let data = data_for(&model, kind, 5, 0, false, &mut SplitMix(seed));
            let outputs = answers(&model, &records_of(&data));
            let classes: Vec<i64> = outputs.iter().map(|out| textbook::class(out) as i64).collect();
            let mut claims = vec![(TestSetClaim::Outputs, outputs.concat())];
            if kind.classes() > 0 {
                claims.push((TestSetClaim::Classes, classes));
            }
            for (claim, right) in claims {
                let claimed = Claimed::new(&model, &data, 0..5, false, claim, &right);
                assert!(claimed.is_accepted(&claimed.trace));
                for i in 0..right.len() {
                    let mut wrong = right.clone();
                    wrong[i] = if matches!(claim, TestSetClaim::Classes) {
                        (wrong[i] + 1) % kind.classes() as i64
                    } else {
                        wrong[i] - 1
                    };
                    let claimed = Claimed::new(&model, &data, 0..5, false, claim, &wrong);
                    assert!(!claimed.is_accepted(&claimed.trace), "the model does not answer so");
                    let mut forged = claimed.trace.clone();
                    let answers = claimed.lowered.answers.unwrap();
                    forged.values[answers.0 as usize].clone_from(&claimed.public[&answers]);
                    assert!(!claimed.is_accepted(&forged), "relations bind public answers");
                }
            }
        }
    }
}

/// A model whose output the verifier computes from the test set is answered for by the verifier's own computation.
#[test]
fn answers_that_need_no_weights_are_bound_too() {
    let base = model(Kind::Logits(3), Reader::Normalise, 12, 1);
    let mut architecture = base.architecture().clone();
    architecture.nodes.rotate_left(1);
    let (nodes, last) = architecture.nodes.split_at(0);
    assert!(nodes.is_empty() && matches!(last.last().unwrap().op, tacit_model::Op::Normalise { .. }));
    // The first product now reads the record itself.
    if let tacit_model::Op::MatMul { x, .. } = &mut architecture.nodes[0].op {
        *x = tacit_model::NodeId(0);
    }
    for (i, node) in architecture.nodes.iter_mut().enumerate().skip(1) {
        match &mut node.op {
            tacit_model::Op::MatMul { x, .. } | tacit_model::Op::Requant { x, .. } => {
                *x = tacit_model::NodeId(i as u32);
            }
            _ => {}
        }
    }
    let model = Model::new(architecture, base.weights().tensors().to_vec()).unwrap();
    let data = data_for(&model, Kind::Logits(3), 2, 0, true, &mut SplitMix(1));
    let right = answers(&model, &records_of(&data)).concat();
    let claimed = Claimed::new(&model, &data, 0..2, false, TestSetClaim::Outputs, &right);
    assert!(claimed.is_accepted(&claimed.trace));
    let mut wrong = right;
    wrong[1] ^= 1;
    let claimed = Claimed::new(&model, &data, 0..2, false, TestSetClaim::Outputs, &wrong);
    let mut forged = claimed.trace.clone();
    let at = claimed.lowered.answers.unwrap();
    forged.values[at.0 as usize].clone_from(&claimed.public[&at]);
    assert!(!claimed.is_accepted(&claimed.trace) && !claimed.is_accepted(&forged));
    let r = one(&model, "accuracy >= 0.5");
    decide(&model, &data, std::slice::from_ref(&r), false, &[1]);
    decide(&model, &data, &[r], true, &[]);
}

/// The reference's architecture rules keep out what has no predicted class.
#[test]
fn one_class_is_no_classification() {
    let mut architecture = constant(Kind::SingleLogit, &[1]).architecture().clone();
    architecture.schema.classes.pop();
    assert!(architecture.validate().is_err());
}

#[test]
fn no_records_are_no_test_set() {
    let model = constant(Kind::Logits(2), &[1, 2]);
    let test = tacit_relations::TestSet { samples: 0, hidden: false, claim: TestSetClaim::Classes };
    assert!(lower_test_set(model.architecture(), test).is_err());
}
