//! From requirements to integer forms: every requirement becomes conditions `Σ weight · observation ≥ at_least` over the
//! records, with public integer weights and hidden observations.
//!
//! A rate is a quotient `Σ num / Σ den` of sums over records, where `num` and `den` depend on a record's label and on the
//! predicted class alone ([`Form::weights`] says how much each combination counts). `rate ≥ a/b` is
//! `Σ (b·num − a·den) ≥ 0` with `Σ den ≥ 1`; where the denominator follows from the labels, which the verifier sees, it
//! is checked here and not proved. `rate ≤ a/b` is the negation of the first form with the same denominator.
//!
//! Observations are exact in both directions (see `lower`): a model that does better cannot be made to look worse, which
//! is what makes upper bounds, precision and gaps between groups sound.

use tacit_claim::{Comparison, Fraction, Metric, Requirement, Scope};
use tacit_model::{Architecture, Dataset, Grouping, Labels, Schema};

use crate::lower::test_set::{LABEL_WIDTH, in_output_units};

/// Sums stay below this magnitude.
const REACH: i128 = 1 << 58;

/// What is observed of every record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observable {
    /// The predicted class, one-hot.
    Class,
    /// Whether the label is among the first `k` classes.
    Top(u32),
    /// `|output − label|`, at most `most`.
    AbsoluteError {
        /// No record's error is larger: the bound on the sum implies it.
        most: i64,
    },
    /// `(output − label)²`, with `|output − label|` at most `most`.
    SquaredError {
        /// No record's error is larger: the bound on the sum implies it.
        most: i64,
    },
}

impl Observable {
    /// Whether two observations are of the same kind, and can be made once for both.
    const fn is_like(self, other: Self) -> bool {
        match (self, other) {
            (Self::Class, Self::Class)
            | (Self::AbsoluteError { .. }, Self::AbsoluteError { .. })
            | (Self::SquaredError { .. }, Self::SquaredError { .. }) => true,
            (Self::Top(a), Self::Top(b)) => a == b,
            _ => false,
        }
    }
}

/// `Σ weight · observation ≥ at_least` over all records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Which requirement it is a part of.
    pub requirement: usize,
    /// What is observed.
    pub observable: Observable,
    /// The grouping of the data set that the weights distinguish, by position.
    pub grouping: Option<usize>,
    /// Shape (groups or 1, labels, predictions) for [`Observable::Class`], (groups or 1, labels) for
    /// [`Observable::Top`], (groups or 1) for errors. Where labels are hidden there is one group.
    pub weights: Vec<i64>,
    /// The smallest sum that will do.
    pub at_least: i64,
}

/// The forms of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Every condition; observables of one kind are equal.
    pub forms: Vec<Form>,
    /// No sum of a claim that holds exceeds this magnitude, nor does what it has beyond `at_least`.
    pub reach: i64,
}

/// Why a claim cannot be tallied on a test set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TallyError {
    /// No labels.
    #[error("the test set has no labels")]
    NoLabels,
    /// Classes where numbers are predicted, or the other way round.
    #[error("the labels are not what the model predicts: it predicts {expected}")]
    Labels {
        /// `classes` or `numbers`.
        expected: &'static str,
    },
    /// The data set does not have the schema's features or classes.
    #[error("the test set does not have the features and classes of the model's schema")]
    Schema,
    /// A column of a requirement that the data set was not read with.
    #[error("the test set was read without the column `{0}`, by which a requirement tells groups apart")]
    NoColumn(String),
    /// A quotient with nothing below.
    #[error("`{requirement}` has no meaning on this test set: {what}{place}")]
    Undefined {
        /// The requirement.
        requirement: String,
        /// What is missing.
        what: String,
        /// In which group, if in one.
        place: String,
    },
    /// A requirement that cannot be proved of a hidden test set.
    #[error("`{0}` so used needs a test set that the verifier sees: of a hidden one it cannot be proved")]
    NeedsData(&'static str),
    /// Only one group.
    #[error("`{requirement}` compares groups, and the column has {groups}")]
    OneGroup {
        /// The requirement.
        requirement: String,
        /// Number of groups.
        groups: usize,
    },
    /// Integers too large to be exact.
    #[error("`{0}` leads to integers beyond 2^58: use a coarser bound, fewer decimals or fewer groups")]
    TooFine(String),
    /// A label that is too large in the output's unit.
    #[error(
        "the label of record {record} is too large in units of 2^-{exponent}, those of the model's output"
    )]
    Label {
        /// The record.
        record: usize,
        /// The output's exponent.
        exponent: i32,
    },
    /// More conditions than a proof takes.
    #[error("the requirements lead to {actual} conditions; at most {max} are proved")]
    TooMany {
        /// Most conditions.
        max: usize,
        /// Conditions.
        actual: usize,
    },
    /// More weights than are set aside.
    #[error(
        "the requirements lead to {actual} weights (conditions, times groups, times classes squared); at most {max} are set aside"
    )]
    TooLarge {
        /// Most weights.
        max: usize,
        /// Weights.
        actual: usize,
    },
    /// A model that this metric cannot be proved of.
    #[error("`{requirement}` cannot be proved of this model: {why}")]
    Model {
        /// The requirement.
        requirement: String,
        /// Why not.
        why: &'static str,
    },
}

/// Most forms of a claim.
const MAX_FORMS: usize = 4096;
/// Most weights of all forms together.
const MAX_FORM_WEIGHTS: usize = 1 << 26;

/// How often each class is the label, in every group.
struct Population<'a> {
    grouping: Option<(usize, &'a Grouping)>,
    /// Shape (groups or 1, classes); `None` where labels are hidden.
    counts: Option<Vec<u64>>,
    classes: usize,
    samples: u64,
}

impl Population<'_> {
    fn groups(&self) -> usize {
        self.grouping.map_or(1, |(_, g)| g.groups.len())
    }

    /// Records of a group whose label `wanted` accepts; `None` where labels are hidden.
    fn count(&self, group: usize, wanted: impl Fn(usize) -> bool) -> Option<u64> {
        let counts = &self.counts.as_ref()?[group * self.classes..][..self.classes];
        Some((0..self.classes).filter(|y| wanted(*y)).map(|y| counts[y]).sum())
    }

    fn place(&self, group: usize) -> String {
        self.grouping.map_or(String::new(), |(_, g)| {
            format!(", where `{}` is `{}`", g.column.escape_debug(), g.groups[group].escape_debug())
        })
    }
}

/// What a record with label `y` and predicted class `p` adds to the quotient's two sums.
fn cell(metric: Metric, y: usize, p: usize) -> (i128, i128) {
    let (num, den) = metric.counts(y, p).unwrap_or_default();
    (num.into(), den.into())
}

/// Whether the denominator depends on what is predicted.
const fn denominator_is_predicted(metric: Metric) -> bool {
    matches!(metric, Metric::Precision(_) | Metric::F1(_))
}

/// The labels that the denominator counts, where it depends on them alone.
fn counts_label(metric: Metric) -> impl Fn(usize) -> bool {
    move |y| cell(metric, y, usize::MAX - 1).1 != 0
}

struct Builder<'a> {
    schema: &'a Schema,
    classes: usize,
    /// Index of the requirement at work.
    requirement: usize,
    forms: Vec<Form>,
    reach: i128,
}

/// The forms of `requirements` on `samples` records of a model with this architecture; `data` is the test set, where the
/// verifier sees it.
///
/// # Errors
/// [`TallyError`] where a requirement has no meaning on the test set or cannot be proved.
pub fn tally(
    architecture: &Architecture,
    requirements: &[Requirement],
    samples: u64,
    data: Option<&Dataset>,
) -> Result<Tally, TallyError> {
    let schema = &architecture.schema;
    let classes = schema.classes.len();
    if let Some(data) = data {
        if !data.fits(schema) {
            return Err(TallyError::Schema);
        }
        match (data.labels(), classes) {
            (None, _) => return Err(TallyError::NoLabels),
            (Some(Labels::Classes { .. }), 0) => return Err(TallyError::Labels { expected: "numbers" }),
            (Some(Labels::Numbers { .. }), 1..) => return Err(TallyError::Labels { expected: "classes" }),
            (Some(Labels::Numbers { decimals, values, .. }), 0) => {
                check_numbers(values, *decimals, architecture.output_exponent)?;
            }
            _ => {}
        }
    }
    let mut builder = Builder { schema, classes, requirement: 0, forms: Vec::new(), reach: 1 };
    for (index, requirement) in requirements.iter().enumerate() {
        builder.requirement = index;
        let column = requirement.scope.column().and_then(|column| data?.grouping(column.as_str()));
        builder.make_room(requirement, column.map_or(1, |grouping| grouping.groups.len()))?;
        let population = population(requirement, classes, samples, data)?;
        if matches!(requirement.metric, Metric::Top(_)) && architecture.output_len().ok() != Some(classes) {
            let requirement = requirement.text(schema);
            return Err(TallyError::Model { requirement, why: "its single logit ranks no classes" });
        }
        if requirement.metric.is_error() {
            builder.error(requirement, architecture, &population)?;
        } else {
            builder.rate(requirement, &population)?;
        }
    }
    Ok(builder.finish())
}

/// Whether every label fits its width in the output's unit.
pub(crate) fn check_numbers(values: &[i64], decimals: u8, exponent: i32) -> Result<(), TallyError> {
    let fits = |v: &i64| in_output_units(*v, decimals, exponent).abs() < 1 << (LABEL_WIDTH - 1);
    match values.iter().position(|v| !fits(v)) {
        Some(record) => Err(TallyError::Label { record, exponent }),
        None => Ok(()),
    }
}

fn population<'a>(
    requirement: &Requirement,
    classes: usize,
    samples: u64,
    data: Option<&'a Dataset>,
) -> Result<Population<'a>, TallyError> {
    let mut population = Population { grouping: None, counts: None, classes, samples };
    let Some(data) = data else {
        // Denominators and groups of a set that nobody sees are nobody's to check.
        let needs_data =
            requirement.scope != Scope::Overall || requirement.metric == Metric::BalancedAccuracy;
        return if needs_data {
            Err(TallyError::NeedsData(requirement.metric.name()))
        } else {
            Ok(population)
        };
    };
    if let Some(column) = requirement.scope.column() {
        let at = data.groupings().iter().position(|g| g.column == column.as_str());
        let at = at.ok_or_else(|| TallyError::NoColumn(column.as_str().to_owned()))?;
        population.grouping = Some((at, &data.groupings()[at]));
    }
    // Numbers are all of one class.
    let width = classes.max(1);
    population.classes = width;
    let mut counts = vec![0; population.groups() * width];
    for i in 0..data.samples() {
        let group = population.grouping.map_or(0, |(_, g)| g.indices[i] as usize);
        let label = match data.labels() {
            Some(Labels::Classes { indices, .. }) => indices[i] as usize,
            _ => 0,
        };
        counts[group * width + label] += 1;
    }
    population.counts = Some(counts);
    Ok(population)
}

impl Builder<'_> {
    /// Counts what a requirement will add before any of it is made.
    fn make_room(&self, requirement: &Requirement, groups: usize) -> Result<(), TallyError> {
        let more = match requirement.scope {
            Scope::Gap(_) => groups.saturating_mul(groups.saturating_sub(1)),
            // Some need a second one: that the denominator is no zero.
            _ => groups.saturating_mul(2),
        };
        let actual = self.forms.len().saturating_add(more);
        if actual > MAX_FORMS {
            return Err(TallyError::TooMany { max: MAX_FORMS, actual });
        }
        let classes = self.classes.max(1);
        let each = groups.saturating_mul(classes).saturating_mul(classes);
        let actual = actual.saturating_mul(each);
        if actual > MAX_FORM_WEIGHTS {
            return Err(TallyError::TooLarge { max: MAX_FORM_WEIGHTS, actual });
        }
        Ok(())
    }

    fn too_fine(&self, requirement: &Requirement) -> TallyError {
        TallyError::TooFine(requirement.text(self.schema))
    }

    fn undefined(&self, requirement: &Requirement, what: &str, place: String) -> TallyError {
        let (requirement, what) = (requirement.text(self.schema), what.to_owned());
        TallyError::Undefined { requirement, what, place }
    }

    /// Adds a form, divided by what all its weights have in common. `most` bounds what the observations of a claim that
    /// holds add up to, one weight apart.
    fn push(
        &mut self,
        requirement: &Requirement,
        observable: Observable,
        population: &Population<'_>,
        (weights, at_least): (Vec<i128>, i128),
        most: i128,
    ) -> Result<(), TallyError> {
        let gcd = weights.iter().fold(0, |g, w| gcd(g, *w)).max(1);
        let at_least = -(-at_least).div_euclid(gcd);
        let largest = weights.iter().map(|w| (w / gcd).abs()).max().unwrap_or(0);
        let reach = largest
            .checked_mul(most)
            .and_then(|r| r.checked_add(at_least.abs()))
            .filter(|r| *r < REACH)
            .ok_or_else(|| self.too_fine(requirement))?;
        self.reach = self.reach.max(reach);
        let weights = weights.iter().map(|w| (w / gcd) as i64).collect();
        let grouping = population.grouping.map(|(at, _)| at);
        self.forms.push(Form {
            requirement: self.requirement,
            observable,
            grouping,
            weights,
            at_least: at_least as i64,
        });
        Ok(())
    }

    /// Weights over (group, label, prediction).
    fn cells(&self, population: &Population<'_>, weight: impl Fn(usize, usize, usize) -> i128) -> Vec<i128> {
        let n = self.classes;
        let groups = 0..population.groups();
        groups
            .flat_map(|g| (0..n * n).map(move |i| (g, i / n, i % n)))
            .map(|(g, y, p)| weight(g, y, p))
            .collect()
    }

    fn rate(&mut self, requirement: &Requirement, population: &Population<'_>) -> Result<(), TallyError> {
        let groups = population.groups();
        match (requirement.metric, &requirement.scope) {
            (_, Scope::Gap(_)) => self.gap(requirement, population),
            (Metric::Top(k), _) => (0..groups).try_for_each(|g| self.top(requirement, k, population, g)),
            (Metric::BalancedAccuracy, _) => {
                (0..groups).try_for_each(|g| self.balanced(requirement, population, g))
            }
            _ => (0..groups).try_for_each(|g| self.quotient(requirement, population, g)),
        }
    }

    /// `b·num − a·den ≥ 0` or its negation in one group, and that the denominator is no zero.
    fn quotient(
        &mut self,
        requirement: &Requirement,
        population: &Population<'_>,
        group: usize,
    ) -> Result<(), TallyError> {
        let metric = requirement.metric;
        let (a, b) = terms(requirement.bound);
        let sign = if requirement.comparison == Comparison::AtLeast { 1 } else { -1 };
        let form = self.cells(population, |g, y, p| {
            let (num, den) = cell(metric, y, p);
            if g == group { sign * (b * num - a * den) } else { 0 }
        });
        self.push(requirement, Observable::Class, population, (form, 0), population.samples.into())?;
        let everything = |y| counts_label(metric)(y);
        match population.count(group, everything) {
            Some(0) if !denominator_is_predicted(metric) => {
                Err(self.undefined(requirement, "it has no such record", population.place(group)))
            }
            Some(_) if !denominator_is_predicted(metric) => Ok(()),
            None if matches!(metric, Metric::Accuracy | Metric::SelectionRate(_)) => Ok(()),
            _ => {
                let den = self.cells(population, |g, y, p| if g == group { cell(metric, y, p).1 } else { 0 });
                self.push(requirement, Observable::Class, population, (den, 1), population.samples.into())
            }
        }
    }

    /// For any two groups, `num₁/den₁ − num₂/den₂ ≤ a/b`, times `b` and the least common multiple of the denominators.
    fn gap(&mut self, requirement: &Requirement, population: &Population<'_>) -> Result<(), TallyError> {
        let metric = requirement.metric;
        let groups = population.groups();
        if groups < 2 {
            let requirement = requirement.text(self.schema);
            return Err(TallyError::OneGroup { requirement, groups });
        }
        let mut denominators = Vec::with_capacity(groups);
        for group in 0..groups {
            let count = population.count(group, counts_label(metric)).unwrap_or(0);
            if count == 0 {
                return Err(self.undefined(requirement, "it has no such record", population.place(group)));
            }
            denominators.push(i128::from(count));
        }
        let (a, b) = terms(requirement.bound);
        for first in 0..groups {
            for second in (0..groups).filter(|second| *second != first) {
                let (d1, d2) = (denominators[first], denominators[second]);
                let multiple = d1 / gcd(d1, d2) * d2;
                let form = self.cells(population, |g, y, p| {
                    let num = cell(metric, y, p).0;
                    match g {
                        _ if g == first => -b * (multiple / d1) * num,
                        _ if g == second => b * (multiple / d2) * num,
                        _ => 0,
                    }
                });
                self.push(
                    requirement,
                    Observable::Class,
                    population,
                    (form, -a * multiple),
                    population.samples.into(),
                )?;
            }
        }
        Ok(())
    }

    /// `Σ bit ≥ ⌈a·N/b⌉` or `≤ ⌊a·N/b⌋` over a group of `N`.
    fn top(
        &mut self,
        requirement: &Requirement,
        k: u32,
        population: &Population<'_>,
        group: usize,
    ) -> Result<(), TallyError> {
        let n = population.count(group, |_| true).unwrap_or(population.samples);
        let sign = if requirement.comparison == Comparison::AtLeast { 1 } else { -1 };
        let at_least = sign * i128::from(requirement.bound.count(requirement.comparison, n));
        let weights = (0..population.groups() * self.classes)
            .map(|i| if i / self.classes == group { sign } else { 0 })
            .collect();
        self.push(requirement, Observable::Top(k), population, (weights, at_least), population.samples.into())
    }

    /// Balanced accuracy is `1 − (1/C) Σ_c wrong_c / n_c`. With `m` a multiple of every `n_c`, "at least a/b" is
    /// `Σ_c wrong_c · m/n_c ≤ m·C·(b − a)/b`. Where the least common multiple is too large, `m` is a power of two and the
    /// weights are rounded against the claim, by less than one part in 2^20.
    fn balanced(
        &mut self,
        requirement: &Requirement,
        population: &Population<'_>,
        group: usize,
    ) -> Result<(), TallyError> {
        let mut counts = Vec::with_capacity(self.classes);
        for class in 0..self.classes {
            let count = population.count(group, |y| y == class).unwrap_or(0);
            if count == 0 {
                let name = self.schema.classes.get(class).map_or("", |c| c.name.as_str());
                let what = format!("no record has the label `{}`", name.escape_debug());
                return Err(self.undefined(requirement, &what, population.place(group)));
            }
            counts.push(i128::from(count));
        }
        let (a, b) = terms(requirement.bound);
        let (classes, samples) = (self.classes as i128, i128::from(population.samples));
        let most = REACH / (2 * classes * samples);
        let multiple = counts
            .iter()
            .try_fold(1i128, |m, n| (m / gcd(m, *n)).checked_mul(*n).filter(|m| *m <= most))
            .unwrap_or_else(|| 1 << most.max(1).ilog2());
        if multiple >> 20 < samples && counts.iter().any(|n| multiple % n != 0) {
            return Err(self.too_fine(requirement));
        }
        let allowed = multiple * classes * (b - a);
        // Upwards for errors that must be few, downwards for errors that must be many.
        let (sign, at_least, up) = match requirement.comparison {
            Comparison::AtLeast => (-1, -allowed.div_euclid(b), true),
            Comparison::AtMost => (1, -(-allowed).div_euclid(b), false),
        };
        let weight = |y: usize| {
            let down = multiple / counts[y];
            sign * (down + i128::from(up && multiple % counts[y] != 0))
        };
        let form = self.cells(population, |g, y, p| if g == group && y != p { weight(y) } else { 0 });
        self.push(requirement, Observable::Class, population, (form, at_least), population.samples.into())
    }

    /// `Σ error ≤ E` with `E = ⌊bound · N / unit⌋` over a group of `N`.
    fn error(
        &mut self,
        requirement: &Requirement,
        architecture: &Architecture,
        population: &Population<'_>,
    ) -> Result<(), TallyError> {
        if architecture.output_len().ok() != Some(1) {
            let requirement = requirement.text(self.schema);
            return Err(TallyError::Model { requirement, why: "it has more than one output" });
        }
        if architecture.output_exponent.unsigned_abs() > 60 {
            let requirement = requirement.text(self.schema);
            return Err(TallyError::Model { requirement, why: "its output's unit is beyond 2^60 or 2^-60" });
        }
        let squared = requirement.metric == Metric::MeanSquaredError;
        let exponent = architecture.output_exponent * if squared { 2 } else { 1 };
        let (a, b) = terms(requirement.bound);
        for group in 0..population.groups() {
            let n = i128::from(population.count(group, |_| true).unwrap_or(population.samples));
            let sum = a.checked_mul(n).and_then(|sum| match exponent {
                0..=120 => sum.checked_mul(1 << exponent).map(|sum| sum / b),
                -120..0 => b.checked_mul(1 << -exponent).map(|b| sum / b),
                _ => None,
            });
            let sum = sum.filter(|sum| *sum < REACH).ok_or_else(|| self.too_fine(requirement))?;
            // No error of a claim that holds is larger than all of them together.
            let observable = if squared {
                Observable::SquaredError { most: sum.isqrt() as i64 }
            } else {
                Observable::AbsoluteError { most: sum as i64 }
            };
            let weights = (0..population.groups()).map(|g| if g == group { -1 } else { 0 }).collect();
            self.push(requirement, observable, population, (weights, -sum), sum)?;
        }
        Ok(())
    }

    /// One observable of each kind: errors get the largest bound of all that speak of them.
    fn finish(mut self) -> Tally {
        for i in 0..self.forms.len() {
            let observable = self.forms[i].observable;
            let like = self.forms.iter().map(|f| f.observable).filter(|o| o.is_like(observable));
            let bound = |o: &Observable| match o {
                Observable::AbsoluteError { most } | Observable::SquaredError { most } => *most,
                _ => 0,
            };
            self.forms[i].observable = like.max_by_key(bound).unwrap_or(observable);
        }
        Tally { forms: self.forms, reach: self.reach as i64 }
    }
}

impl Tally {
    /// The sums of all forms where the model answers `outputs`, shape (samples, outputs): by the definitions, without
    /// relations. Sums beyond 64 bits saturate.
    #[must_use]
    pub fn sums(&self, architecture: &Architecture, data: &Dataset, outputs: &[i64]) -> Vec<i64> {
        let width = outputs.len() / data.samples();
        let classes = architecture.schema.classes.len();
        let mut sums = vec![0i128; self.forms.len()];
        for (i, answer) in outputs.chunks_exact(width).enumerate() {
            let predicted = architecture.predicted_class(answer).unwrap_or(0);
            let (label, error) = match data.labels() {
                Some(Labels::Classes { indices, .. }) => (indices[i] as usize, 0),
                Some(Labels::Numbers { decimals, values, .. }) => {
                    let label = in_output_units(values[i], *decimals, architecture.output_exponent);
                    (0, i128::from(answer[0]) - i128::from(label))
                }
                None => (0, 0),
            };
            for (sum, form) in sums.iter_mut().zip(&self.forms) {
                let group = form.grouping.map_or(0, |at| data.groupings()[at].indices[i] as usize);
                let weight = |at: usize| i128::from(form.weights[at]);
                let term = match form.observable {
                    Observable::Class => weight((group * classes + label) * classes + predicted),
                    Observable::Top(k) => {
                        weight(group * classes + label) * i128::from(rank(answer, label) < k as usize)
                    }
                    Observable::AbsoluteError { .. } => weight(group).saturating_mul(error.abs()),
                    Observable::SquaredError { .. } => {
                        weight(group).saturating_mul(error.saturating_mul(error))
                    }
                };
                *sum = sum.saturating_add(term);
            }
        }
        let saturated = |sum: i128| sum.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        sums.into_iter().map(saturated).collect()
    }

    /// The first form whose sum does not reach its threshold.
    #[must_use]
    pub fn missed(&self, sums: &[i64]) -> Option<&Form> {
        self.forms.iter().zip(sums).find(|(form, sum)| **sum < form.at_least).map(|(form, _)| form)
    }
}

/// How many classes come before `label` by these logits: larger ones, and of equal ones the lower index.
#[must_use]
pub fn rank(logits: &[i64], label: usize) -> usize {
    (0..logits.len()).filter(|j| (logits[*j], label) > (logits[label], *j)).count()
}

fn terms(bound: Fraction) -> (i128, i128) {
    let bound = bound.reduced();
    (bound.numerator().into(), bound.denominator().into())
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a.abs() } else { gcd(b, a % b) }
}
