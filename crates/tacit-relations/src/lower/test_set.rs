//! Lowering of claims about a test set: the model on every record, what is observed of its answers, and sums of that.
//!
//! Which relation pins what:
//!
//! * Records that the verifier sees are public tensors, already normalised where the model begins with that: the
//!   verifier computes them from the file whose digest the claim names. Hidden ones are committed and shown to lie in
//!   their declared ranges; their labels are committed one-hot, each element 0 or 1, each row adding up to 1.
//! * The predicted class is `ArgMax` of the logits, which is exact: the lowest index wins a tie. A single logit is
//!   compared with zero by `Requant{0, 0, 1}`: clamped to `[0, 1]`, an integer is 1 just where it is positive.
//! * The label's rank is the number of classes that come before it: class `j` does where `logit_j − logit_label`, plus 1
//!   for `j` below the label, is positive. The record counts where `k − rank` is positive.
//! * An error `d = output − label` is shown to lie in `[−most, most]`; `|d| = 2·max(d, 0) − d`.
//! * Every form's sum is a contraction of observations with weights that the verifier computes (hidden labels: of the
//!   confusion matrix, itself a contraction of labels and predictions, with constants).
//! * Sums minus thresholds lie in `[0, 2^bits)`, far below the field: the sums are at least the thresholds.

use std::collections::BTreeMap;
use std::ops::Range;

use tacit_model::{Architecture, Dataset, Labels, Normalise, requantise, signed_width};

use super::{First, LowerError, Lowering};
use crate::relation::{Grouping, Relation};
use crate::system::{RelationSystem, Segment, TensorId};
use crate::tally::{Form, Observable, Tally, TallyError, check_numbers};
use crate::view::{Axis, View};

/// Most weights that a verifier computes for one statement.
const MAX_WEIGHTS: usize = 1 << 28;

/// Bits at which hidden numbers are committed as labels.
pub(crate) const LABEL_WIDTH: u8 = 50;
/// Bounds of labels that are numbers.
const LABELS: (i64, i64) = (-(1 << (LABEL_WIDTH - 1)), (1 << (LABEL_WIDTH - 1)) - 1);

/// A claim about some of the records of a test set.
#[derive(Debug, Clone, Copy)]
pub struct TestSet<'a> {
    /// Number of records.
    pub samples: usize,
    /// Whether records and labels are committed, and not seen by the verifier.
    pub hidden: bool,
    /// What is claimed.
    pub claim: TestSetClaim<'a>,
}

/// What is claimed of the answers.
#[derive(Debug, Clone, Copy)]
pub enum TestSetClaim<'a> {
    /// Every form's sum reaches its threshold.
    Tally(&'a Tally),
    /// The sums, and nothing of them: for a part of the records.
    Sums(&'a Tally),
    /// The predicted classes are public.
    Classes,
    /// The outputs are public.
    Outputs,
}

/// Public tensors that the verifier computes from the test set.
#[derive(Debug, Clone)]
pub(super) enum Given {
    /// The records, clipped to their declared ranges.
    Record,
    /// The same, normalised.
    Normalised(Normalise),
    /// Labels, one-hot.
    Labels,
    /// Labels as numbers in the output's unit.
    Numbers,
    /// Weights of an observable's forms, shape (predictions, forms, samples) or (forms, samples).
    Weights(Observable),
    /// The answers, which the claim states.
    Answers,
}

/// A lowered claim.
#[derive(Debug)]
pub struct Lowered {
    /// The relations.
    pub system: RelationSystem,
    /// One element per form, where the claim has forms.
    pub totals: Option<TensorId>,
    /// The answers, where they are public.
    pub answers: Option<TensorId>,
    given: Vec<(TensorId, Given)>,
}

/// Lowers a claim about `test.samples` records.
///
/// The `Input` segment of a hidden test set holds the records, then the labels: one-hot rows, or numbers in the unit of
/// the model's output.
///
/// # Errors
/// [`LowerError`].
pub fn lower_test_set(architecture: &Architecture, test: TestSet<'_>) -> Result<Lowered, LowerError> {
    if test.samples == 0 {
        return Err(LowerError::NoSamples);
    }
    if let TestSetClaim::Tally(tally) | TestSetClaim::Sums(tally) = test.claim {
        let each = tally.forms.len().saturating_mul(architecture.schema.classes.len().max(1));
        let actual = each.saturating_mul(test.samples);
        if !test.hidden && actual > MAX_WEIGHTS {
            return Err(LowerError::Weights { max: MAX_WEIGHTS, actual });
        }
    }
    let mut lowering = Lowering::new(test.samples);
    let first = if test.hidden {
        let input = lowering.record(architecture, super::Visibility::Hidden);
        First::Record(View::whole(input, &lowering.batched(&architecture.input_shape)))
    } else {
        First::Public
    };
    let public = matches!(test.claim, TestSetClaim::Outputs);
    let output =
        lowering.model(architecture, first, if public { Segment::Public } else { Segment::Witness })?;
    let mut observer = Observer::new(lowering, output, architecture, test.hidden)?;
    let (mut totals, mut answers) = (None, None);
    match test.claim {
        TestSetClaim::Outputs => answers = Some(observer.logits.tensor),
        TestSetClaim::Classes => answers = Some(observer.selector(Segment::Public)),
        TestSetClaim::Tally(tally) | TestSetClaim::Sums(tally) => {
            let sums = observer.totals(tally);
            if matches!(test.claim, TestSetClaim::Tally(_)) {
                observer.lowering.thresholds(sums, tally);
            }
            totals = Some(sums);
        }
    }
    let Lowering { tensors, relations, mut given, .. } = observer.lowering;
    given.extend(answers.map(|id| (id, Given::Answers)));
    Ok(Lowered { system: RelationSystem::new(tensors, relations)?, totals, answers, given })
}

/// The conditions on sums over all parts of a test set: the sums are the only given tensor, in the `Input` segment.
///
/// # Errors
/// [`LowerError`].
pub fn lower_verdict(tally: &Tally) -> Result<RelationSystem, LowerError> {
    let mut lowering = Lowering::new(1);
    let bounds = (-tally.reach, tally.reach);
    let width = signed_width(bounds.0, bounds.1);
    let totals = lowering.push(vec![tally.forms.len()], bounds, Segment::Input, width);
    lowering.thresholds(totals, tally);
    Ok(RelationSystem::new(lowering.tensors, lowering.relations)?)
}

/// The `Input` segment of a hidden test set, as every claim about it has it: records, then labels.
///
/// # Errors
/// [`LowerError`].
pub fn lower_hidden_data(architecture: &Architecture, samples: usize) -> Result<RelationSystem, LowerError> {
    if samples == 0 {
        return Err(LowerError::NoSamples);
    }
    let mut lowering = Lowering::new(samples);
    lowering.record(architecture, super::Visibility::Hidden);
    lowering.hidden_labels(architecture.schema.classes.len());
    Ok(RelationSystem::new(lowering.tensors, lowering.relations)?)
}

impl Lowering {
    /// Labels of a hidden test set: one-hot rows, or numbers where there are no classes.
    fn hidden_labels(&mut self, classes: usize) -> TensorId {
        let n = self.samples;
        if classes == 0 {
            return self.push(vec![n], LABELS, Segment::Input, LABEL_WIDTH);
        }
        self.push(vec![n, classes], (0, 1), Segment::Input, 2)
    }

    /// Every total is at least its form's threshold.
    fn thresholds(&mut self, totals: TensorId, tally: &Tally) {
        let forms = tally.forms.len();
        let at_least = self.constant(tally.forms.iter().map(|f| f.at_least).collect());
        let whole = |tensor| View::whole(tensor, &[forms]);
        let beyond = self.push(vec![forms], (0, 2 * tally.reach), Segment::Witness, 0);
        let terms = vec![(1, whole(totals)), (-1, whole(at_least))];
        self.relations.push(Relation::Affine { terms, offset: 0, y: beyond });
        let hi = (2 * tally.reach as u64 + 1).next_power_of_two() as i64 - 1;
        self.relations.push(Relation::Range { x: whole(beyond), lo: 0, hi });
    }
}

/// The lowering after the model, and what it knows of the answers.
pub(super) struct Observer {
    pub(super) lowering: Lowering,
    logits: View,
    bounds: (i64, i64),
    outputs: usize,
    classes: usize,
    hidden: bool,
    /// One-hot labels, once they are needed.
    labels: Option<TensorId>,
    /// Outputs minus labels, once they are needed.
    errors: Option<TensorId>,
}

impl Observer {
    /// After the model whose answers are `logits`.
    pub(super) fn new(
        lowering: Lowering,
        logits: View,
        architecture: &Architecture,
        hidden: bool,
    ) -> Result<Self, LowerError> {
        let (shape, bounds) = architecture.validate()?.pop().ok_or(LowerError::NoSamples)?;
        Ok(Self {
            lowering,
            logits,
            bounds: (bounds.lo, bounds.hi),
            outputs: shape.iter().product(),
            classes: architecture.schema.classes.len(),
            hidden,
            labels: None,
            errors: None,
        })
    }

    const fn samples(&self) -> usize {
        self.lowering.samples
    }

    fn witness(&mut self, shape: Vec<usize>, bounds: (i64, i64)) -> TensorId {
        self.lowering.push(shape, bounds, Segment::Witness, 0)
    }

    /// The logits with axes (samples, outputs).
    pub(super) fn rows(&mut self) -> View {
        let (n, c) = (self.samples(), self.outputs);
        let len = self.lowering.tensors[self.logits.tensor.0 as usize].len();
        if !self.logits.is_identity(len) {
            self.logits = self.lowering.contiguous(&self.logits.clone(), &[n, c], self.bounds);
        }
        View::whole(self.logits.tensor, &[n, c])
    }

    /// One-hot predicted classes, shape (samples, classes).
    pub(super) fn selector(&mut self, segment: Segment) -> TensorId {
        let (n, c) = (self.samples(), self.classes);
        let x = self.rows();
        if self.outputs > 1 {
            let y = self.lowering.push(vec![n, c], (0, 1), segment, 0);
            self.lowering.relations.push(Relation::ArgMax { x, y });
            return y;
        }
        let positive = self.witness(vec![n], (0, 1));
        let requant =
            Relation::Requant { x: View::whole(x.tensor, &[n]), shift: 0, lo: 0, hi: 1, y: positive };
        self.lowering.relations.push(requant);
        let signs = self.lowering.constant(vec![-1, 1]);
        let first = self.lowering.constant(vec![1, 0]);
        let bias = View {
            tensor: first,
            offset: 0,
            axes: vec![Axis::plain(1, 0), Axis::plain(n, 0), Axis::plain(2, 1)],
        };
        let y = self.lowering.push(vec![n, 2], (0, 1), segment, 0);
        self.lowering.relations.push(Relation::Contraction {
            a: View::whole(positive, &[1, n, 1]),
            c: View::whole(signs, &[1, 1, 2]),
            grouping: Grouping::MATRIX,
            bias: Some(bias),
            y,
        });
        y
    }

    /// One-hot labels, shape (samples, classes).
    fn labels(&mut self) -> TensorId {
        if let Some(labels) = self.labels {
            return labels;
        }
        let (n, c) = (self.samples(), self.classes);
        let labels = if self.hidden {
            let y = self.lowering.hidden_labels(c);
            self.lowering.relations.push(Relation::Range { x: View::whole(y, &[n, c]), lo: 0, hi: 1 });
            let sums = self.row_sums(View::whole(y, &[1, n, c]), (0, c as i64));
            self.lowering.relations.push(Relation::Range { x: View::whole(sums, &[n]), lo: 1, hi: 1 });
            y
        } else {
            let y = self.lowering.push(vec![n, c], (0, 1), Segment::Public, 0);
            self.lowering.given.push((y, Given::Labels));
            y
        };
        self.labels = Some(labels);
        labels
    }

    /// Sums over the last axis of a view with axes (1, samples, k).
    fn row_sums(&mut self, a: View, bounds: (i64, i64)) -> TensorId {
        let k = a.axes[2].len;
        let ones = self.lowering.constant(vec![1]);
        let c = View {
            tensor: ones,
            offset: 0,
            axes: vec![Axis::plain(1, 0), Axis::plain(k, 0), Axis::plain(1, 0)],
        };
        let y = self.witness(vec![a.axes[1].len], bounds);
        self.lowering.relations.push(Relation::Contraction {
            a,
            c,
            grouping: Grouping::MATRIX,
            bias: None,
            y,
        });
        y
    }

    /// The sum of every form, shape (forms).
    fn totals(&mut self, tally: &Tally) -> TensorId {
        let forms = tally.forms.len();
        let mut observables: Vec<Observable> = Vec::new();
        for form in &tally.forms {
            if !observables.contains(&form.observable) {
                observables.push(form.observable);
            }
        }
        let bounds = (-tally.reach, tally.reach);
        let sums: Vec<TensorId> = observables
            .into_iter()
            .map(|observable| match observable {
                Observable::Class if self.hidden => self.confusion_sums(tally),
                Observable::Class => self.class_sums(tally),
                _ => {
                    let observed = self.observe(observable);
                    let n = self.samples();
                    let c = View::whole(observed, &[1, n, 1]);
                    let a = self.record_weights(observable, tally);
                    let y = self.witness(vec![forms], bounds);
                    self.lowering.relations.push(Relation::Contraction {
                        a,
                        c,
                        grouping: Grouping::MATRIX,
                        bias: None,
                        y,
                    });
                    y
                }
            })
            .collect();
        if let [only] = sums[..] {
            return only;
        }
        let y = self.witness(vec![forms], bounds);
        let terms = sums.into_iter().map(|sum| (1, View::whole(sum, &[forms]))).collect();
        self.lowering.relations.push(Relation::Affine { terms, offset: 0, y });
        y
    }

    /// What every record weighs in every form, axes (1, forms, samples). Hidden records all weigh the same.
    fn record_weights(&mut self, observable: Observable, tally: &Tally) -> View {
        let (n, forms) = (self.samples(), tally.forms.len());
        if !self.hidden {
            return View::whole(self.weights(observable, &[forms, n], tally), &[1, forms, n]);
        }
        let own = |f: &Form| if f.observable == observable { f.weights[0] } else { 0 };
        let tensor = self.lowering.constant(tally.forms.iter().map(own).collect());
        View { tensor, offset: 0, axes: vec![Axis::plain(1, 0), Axis::plain(forms, 1), Axis::plain(n, 0)] }
    }

    /// Weights of the forms of `observable`, zero for the others, computed by the verifier.
    fn weights(&mut self, observable: Observable, shape: &[usize], tally: &Tally) -> TensorId {
        let of = tally.forms.iter().filter(|f| f.observable == observable);
        let weights = || of.clone().flat_map(|f| f.weights.iter().copied()).chain([0]);
        let bounds = (weights().min().unwrap_or(0), weights().max().unwrap_or(0));
        let weights = self.lowering.push(shape.to_vec(), bounds, Segment::Public, 0);
        self.lowering.given.push((weights, Given::Weights(observable)));
        weights
    }

    /// `Σ_p Σ_i weight[p, r, i] · selector[i, p]`.
    fn class_sums(&mut self, tally: &Tally) -> TensorId {
        let (n, c, forms) = (self.samples(), self.classes, tally.forms.len());
        let selector = self.selector(Segment::Witness);
        let a = View::whole(self.weights(Observable::Class, &[c, forms, n], tally), &[c, forms, n]);
        let by_class = View {
            tensor: selector,
            offset: 0,
            axes: vec![Axis::plain(c, 1), Axis::plain(n, c), Axis::plain(1, 0)],
        };
        let bounds = (-tally.reach, tally.reach);
        let sums = self.witness(vec![c, forms], bounds);
        self.lowering.relations.push(Relation::Contraction {
            a,
            c: by_class,
            grouping: Grouping::MATRIX,
            bias: None,
            y: sums,
        });
        let transposed = View {
            tensor: sums,
            offset: 0,
            axes: vec![Axis::plain(1, 0), Axis::plain(forms, 1), Axis::plain(c, forms)],
        };
        self.row_sums(transposed, bounds)
    }

    /// `Σ_{y, p} weight[r, y, p] · n[y, p]` with the confusion matrix `n[y, p] = Σ_i label[i, y] · selector[i, p]`.
    fn confusion_sums(&mut self, tally: &Tally) -> TensorId {
        let (n, c, forms) = (self.samples(), self.classes, tally.forms.len());
        let (labels, selector) = (self.labels(), self.selector(Segment::Witness));
        let a = View {
            tensor: labels,
            offset: 0,
            axes: vec![Axis::plain(1, 0), Axis::plain(c, 1), Axis::plain(n, c)],
        };
        let confusion = self.witness(vec![c, c], (0, n as i64));
        let right = View::whole(selector, &[1, n, c]);
        self.lowering.relations.push(Relation::Contraction {
            a,
            c: right,
            grouping: Grouping::MATRIX,
            bias: None,
            y: confusion,
        });
        let mut weights = vec![0; forms * c * c];
        for (form, row) in tally.forms.iter().zip(weights.chunks_exact_mut(c * c)) {
            if form.observable == Observable::Class {
                row.copy_from_slice(&form.weights);
            }
        }
        let weights = self.lowering.constant(weights);
        let y = self.witness(vec![forms], (-tally.reach, tally.reach));
        self.lowering.relations.push(Relation::Contraction {
            a: View::whole(weights, &[1, forms, c * c]),
            c: View::whole(confusion, &[1, c * c, 1]),
            grouping: Grouping::MATRIX,
            bias: None,
            y,
        });
        y
    }

    /// One number per record.
    fn observe(&mut self, observable: Observable) -> TensorId {
        match observable {
            Observable::Top(k) => self.among_first(k),
            Observable::AbsoluteError { most } => {
                let n = self.samples();
                let error = self.error(most);
                let positive = self.witness(vec![n], (0, most));
                let x = View::whole(error, &[n]);
                let requant = Relation::Requant { x: x.clone(), shift: 0, lo: 0, hi: most, y: positive };
                self.lowering.relations.push(requant);
                let y = self.witness(vec![n], (0, most));
                let terms = vec![(2, View::whole(positive, &[n])), (-1, x)];
                self.lowering.relations.push(Relation::Affine { terms, offset: 0, y });
                y
            }
            Observable::SquaredError { most } => {
                let n = self.samples();
                let error = View::whole(self.error(most), &[n]);
                let y = self.witness(vec![n], (0, most * most));
                self.lowering.relations.push(Relation::Product { a: error.clone(), c: error, y });
                y
            }
            Observable::Class => unreachable!("classes are summed by the caller"),
        }
    }

    /// `output − label`, shown to lie between `−most` and `most`.
    fn error(&mut self, most: i64) -> TensorId {
        let n = self.samples();
        let errors = match self.errors {
            Some(errors) => errors,
            None => {
                let x = self.rows();
                let labels = if self.hidden {
                    self.lowering.hidden_labels(0)
                } else {
                    let labels = self.lowering.push(vec![n], LABELS, Segment::Public, 0);
                    self.lowering.given.push((labels, Given::Numbers));
                    labels
                };
                let y = self.witness(vec![n], (self.bounds.0 - LABELS.1, self.bounds.1 - LABELS.0));
                let terms = vec![(1, View::whole(x.tensor, &[n])), (-1, View::whole(labels, &[n]))];
                self.lowering.relations.push(Relation::Affine { terms, offset: 0, y });
                self.errors = Some(y);
                y
            }
        };
        self.lowering.relations.push(Relation::Range { x: View::whole(errors, &[n]), lo: -most, hi: most });
        errors
    }

    /// Whether fewer than `k` classes come before the label.
    fn among_first(&mut self, k: u32) -> TensorId {
        let (n, c) = (self.samples(), self.classes);
        let logits = self.rows();
        let labels = self.labels();
        let own = self.witness(vec![n], self.bounds);
        self.lowering.relations.push(Relation::Contraction {
            a: View::whole(labels, &[n, 1, c]),
            c: View::whole(logits.tensor, &[n, c, 1]),
            grouping: Grouping::MATRIX,
            bias: None,
            y: own,
        });
        // Element (y, j) is 1 where j is below y.
        let below = self.lowering.constant((0..c * c).map(|i| i64::from(i % c < i / c)).collect());
        let earlier = self.witness(vec![n, c], (0, 1));
        self.lowering.relations.push(Relation::Contraction {
            a: View::whole(labels, &[1, n, c]),
            c: View::whole(below, &[1, c, c]),
            grouping: Grouping::MATRIX,
            bias: None,
            y: earlier,
        });
        let span = self.bounds.1 - self.bounds.0 + 1;
        let lead = self.witness(vec![n, c], (-span, span));
        let own = View { tensor: own, offset: 0, axes: vec![Axis::plain(n, 1), Axis::plain(c, 0)] };
        let terms = vec![(1, logits), (-1, own), (1, View::whole(earlier, &[n, c]))];
        self.lowering.relations.push(Relation::Affine { terms, offset: 0, y: lead });
        let before = self.witness(vec![n, c], (0, 1));
        let x = View::whole(lead, &[n, c]);
        self.lowering.relations.push(Relation::Requant { x, shift: 0, lo: 0, hi: 1, y: before });
        let rank = self.row_sums(View::whole(before, &[1, n, c]), (0, c as i64));
        let room = self.witness(vec![n], (i64::from(k) - c as i64, k.into()));
        let terms = vec![(-1, View::whole(rank, &[n]))];
        self.lowering.relations.push(Relation::Affine { terms, offset: k.into(), y: room });
        let y = self.witness(vec![n], (0, 1));
        let x = View::whole(room, &[n]);
        self.lowering.relations.push(Relation::Requant { x, shift: 0, lo: 0, hi: 1, y });
        y
    }
}

impl Lowered {
    /// Values of the public tensors for the records `range` of a test set, `answers` being what the claim states of them
    /// (the one-hot form of classes is made here).
    #[must_use]
    pub fn public_values(
        &self,
        architecture: &Architecture,
        data: &Dataset,
        range: Range<usize>,
        tally: Option<&Tally>,
        answers: &[i64],
    ) -> BTreeMap<TensorId, Vec<i64>> {
        let schema = &architecture.schema;
        let classes = schema.classes.len();
        let records = || range.clone().map(|i| data.clipped(i, schema));
        let value = |id: TensorId, given: &Given| match given {
            Given::Record => records().flatten().collect(),
            Given::Normalised(rule) => {
                let multiplier = |j: usize| rule.multipliers[j % rule.multipliers.len()];
                let normalise =
                    |(j, v): (usize, i64)| requantise(v * multiplier(j), rule.shift, rule.lo, rule.hi);
                records().flat_map(|record| record.enumerate().map(normalise)).collect()
            }
            // A tally has checked the labels.
            Given::Labels | Given::Numbers => labels_of(architecture, data, range.clone()),
            Given::Weights(observable) => {
                tally.map_or(Vec::new(), |tally| weights(tally, *observable, classes, data, range.clone()))
            }
            Given::Answers if self.system.tensor(id).len() == answers.len() => answers.to_vec(),
            Given::Answers => {
                one_hot(answers.iter().map(|i| usize::try_from(*i).unwrap_or(usize::MAX)), classes)
            }
        };
        self.given.iter().map(|(id, given)| (*id, value(*id, given))).collect()
    }
}

/// Labels as the `Input` segment of a hidden test set holds them: one-hot rows, or numbers in the unit of the model's
/// output.
///
/// # Errors
/// [`TallyError`] where the data has none, or too large ones.
pub fn committed_labels(architecture: &Architecture, data: &Dataset) -> Result<Vec<i64>, TallyError> {
    match data.labels().ok_or(TallyError::NoLabels)? {
        Labels::Classes { .. } => {}
        Labels::Numbers { decimals, values, .. } => {
            check_numbers(values, *decimals, architecture.output_exponent)?;
        }
    }
    Ok(labels_of(architecture, data, 0..data.samples()))
}

/// Labels of some records, as tensors hold them.
fn labels_of(architecture: &Architecture, data: &Dataset, range: Range<usize>) -> Vec<i64> {
    match data.labels() {
        None => Vec::new(),
        Some(Labels::Classes { classes, indices, .. }) => {
            one_hot(indices[range].iter().map(|i| *i as usize), classes.len())
        }
        Some(Labels::Numbers { decimals, values, .. }) => {
            let exponent = architecture.output_exponent;
            values[range].iter().map(|v| in_output_units(*v, *decimals, exponent)).collect()
        }
    }
}

/// One-hot rows; a class that is none gives a row of zeros.
pub(crate) fn one_hot(indices: impl ExactSizeIterator<Item = usize>, classes: usize) -> Vec<i64> {
    let mut rows = vec![0; indices.len() * classes];
    for (i, class) in indices.enumerate().filter(|(_, class)| *class < classes) {
        rows[i * classes + class] = 1;
    }
    rows
}

/// `v · 10^-decimals` in units of `2^-exponent`, rounded half up; beyond the width of labels, the next number that is
/// too (a tally refuses such labels).
pub(crate) fn in_output_units(v: i64, decimals: u8, exponent: i32) -> i64 {
    let bound = 1i128 << (LABEL_WIDTH - 1);
    let (mut above, mut below) = (i128::from(v), 10i128.pow(decimals.into()));
    if exponent >= 0 {
        above <<= exponent.min(60);
    } else {
        below <<= (-exponent).min(60);
    }
    (2 * above + below).div_euclid(2 * below).clamp(-bound, bound) as i64
}

/// Weights of every form on every record of `range`: shape (predictions, forms, samples) or (forms, samples).
fn weights(
    tally: &Tally,
    observable: Observable,
    classes: usize,
    data: &Dataset,
    range: Range<usize>,
) -> Vec<i64> {
    let predictions = if observable == Observable::Class { classes } else { 1 };
    let labels = if matches!(observable, Observable::Class | Observable::Top(_)) { classes } else { 1 };
    let mut all = Vec::with_capacity(predictions * tally.forms.len() * range.len());
    for prediction in 0..predictions {
        for form in &tally.forms {
            if form.observable != observable {
                all.resize(all.len() + range.len(), 0);
                continue;
            }
            let grouping = form.grouping.and_then(|at| data.groupings().get(at));
            all.extend(range.clone().map(|i| {
                let group = grouping.map_or(0, |g| g.indices[i] as usize);
                let label = match data.labels() {
                    Some(Labels::Classes { indices, .. }) if labels > 1 => indices[i] as usize,
                    _ => 0,
                };
                form.weights[(group * labels + label) * predictions + prediction]
            }));
        }
    }
    all
}
