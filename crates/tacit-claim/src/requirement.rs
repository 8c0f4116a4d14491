//! What is required of a model on a test set: a metric, a bound, and over which records.

use std::fmt;

use serde::{Deserialize, Serialize};
use tacit_model::Schema;

use crate::text::{ColumnName, TextError, plain_or_quoted};

/// Largest numerator or denominator of a fraction: thresholds finer than this prove nothing that people could tell apart.
const MAX_TERM: u64 = 1_000_000_000_000;

/// A non-negative fraction, in the terms in which it was written: `342/360`, `19/20`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "(u64, u64)", into = "(u64, u64)")]
pub struct Fraction {
    numerator: u64,
    denominator: u64,
}

impl TryFrom<(u64, u64)> for Fraction {
    type Error = RequirementError;

    fn try_from((numerator, denominator): (u64, u64)) -> Result<Self, RequirementError> {
        Self::new(numerator, denominator)
    }
}

impl From<Fraction> for (u64, u64) {
    fn from(f: Fraction) -> Self {
        (f.numerator, f.denominator)
    }
}

impl Fraction {
    /// A fraction of these terms.
    ///
    /// # Errors
    /// [`RequirementError::Fraction`] when the denominator is zero or a term exceeds 10^12.
    pub fn new(numerator: u64, denominator: u64) -> Result<Self, RequirementError> {
        if denominator == 0 || numerator.max(denominator) > MAX_TERM {
            return Err(RequirementError::Fraction(format!("{numerator}/{denominator}")));
        }
        Ok(Self { numerator, denominator })
    }

    /// The numerator.
    #[must_use]
    pub const fn numerator(self) -> u64 {
        self.numerator
    }

    /// The denominator, at least 1.
    #[must_use]
    pub const fn denominator(self) -> u64 {
        self.denominator
    }

    /// The same number in lowest terms.
    #[must_use]
    pub fn reduced(self) -> Self {
        let g = gcd(self.numerator, self.denominator);
        Self { numerator: self.numerator / g, denominator: self.denominator / g }
    }

    /// The count out of `of` that says the same of a share: rounded up as a lower bound, down as an upper one.
    #[must_use]
    pub fn count(self, comparison: Comparison, of: u64) -> u64 {
        match comparison {
            Comparison::AtLeast => self.count_up(of),
            Comparison::AtMost => self.count_down(of),
        }
    }

    /// The smallest count out of `of` that is no smaller a share.
    fn count_up(self, of: u64) -> u64 {
        let product = u128::from(self.numerator) * u128::from(of);
        product.div_ceil(self.denominator.into()) as u64
    }

    /// The largest count out of `of` that is no larger a share.
    fn count_down(self, of: u64) -> u64 {
        (u128::from(self.numerator) * u128::from(of) / u128::from(self.denominator)) as u64
    }

    /// Whether it exceeds one.
    #[must_use]
    pub const fn exceeds_one(self) -> bool {
        self.numerator > self.denominator
    }

    /// Reads `342/360`, `95%`, `0.95`: exactly, never through a float. A whole number without `%` and decimal point is
    /// read only where `whole` says that it cannot be mistaken for a count.
    ///
    /// # Errors
    /// [`RequirementError::Fraction`], [`RequirementError::Ambiguous`].
    pub fn parse(text: &str, whole: bool) -> Result<Self, RequirementError> {
        let text = text.trim();
        let bad = || RequirementError::Fraction(text.chars().take(40).collect());
        let digits = |s: &str| !s.is_empty() && s.len() <= 15 && s.bytes().all(|b| b.is_ascii_digit());
        let number = |s: &str| if digits(s) { s.parse::<u64>().map_err(|_| bad()) } else { Err(bad()) };
        if let Some((numerator, denominator)) = text.split_once('/') {
            return Self::new(number(numerator.trim())?, number(denominator.trim())?).map_err(|_| bad());
        }
        let (decimal, percent) = match text.strip_suffix('%') {
            Some(rest) => (rest.trim_end(), 100),
            None => (text, 1),
        };
        let (before, after) = match decimal.split_once('.') {
            Some((before, after)) => (before, after),
            None if percent == 1 && !whole && decimal != "0" => {
                return Err(if digits(decimal) {
                    RequirementError::Ambiguous(decimal.to_owned())
                } else {
                    bad()
                });
            }
            None if decimal.is_empty() => return Err(bad()),
            None => (decimal, "0"),
        };
        let before = if before.is_empty() { "0" } else { before };
        if !digits(before) || !digits(after) || after.len() > 9 {
            return Err(bad());
        }
        let denominator = 10u64.pow(after.len() as u32) * percent;
        let numerator = number(before)?.checked_mul(10u64.pow(after.len() as u32)).ok_or_else(bad)?;
        let numerator = numerator.checked_add(number(after)?).ok_or_else(bad)?;
        let g = gcd(numerator, denominator);
        Self::new(numerator / g, denominator / g).map_err(|_| bad())
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.denominator == 1 {
            write!(f, "{}", self.numerator)
        } else {
            write!(f, "{}/{}", self.numerator, self.denominator)
        }
    }
}

/// What is measured. Classes are indices into the card's; "positive" means the metric's class, "negative" any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Share of the records whose predicted class is their label.
    Accuracy,
    /// Share of the records whose label's logit is among the `k` first, the lower index first among equals.
    Top(u32),
    /// Share of the positives that are predicted positive (sensitivity, true positive rate).
    Recall(u32),
    /// Share of the predicted positives that are positive.
    Precision(u32),
    /// Share of the negatives that are not predicted positive (true negative rate).
    Specificity(u32),
    /// Share of the negatives that are predicted positive.
    FalsePositiveRate(u32),
    /// Share of the records that are predicted positive.
    SelectionRate(u32),
    /// Harmonic mean of precision and recall: `2 TP / (2 TP + FP + FN)`.
    F1(u32),
    /// Mean of the classes' recalls.
    BalancedAccuracy,
    /// Mean of `|prediction − label|`, labels rounded half up to the unit of the model's output.
    MeanAbsoluteError,
    /// Mean of `(prediction − label)²`, labels rounded as above.
    MeanSquaredError,
}

impl Metric {
    /// The metrics' names, as requirements spell them.
    pub const NAMES: &'static str = "accuracy, top[k], recall[class], precision[class], specificity[class], \
        false_positive_rate[class], selection_rate[class], f1[class], balanced_accuracy, mean_absolute_error and \
        mean_squared_error";

    /// The name without argument.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::Top(_) => "top",
            Self::Recall(_) => "recall",
            Self::Precision(_) => "precision",
            Self::Specificity(_) => "specificity",
            Self::FalsePositiveRate(_) => "false_positive_rate",
            Self::SelectionRate(_) => "selection_rate",
            Self::F1(_) => "f1",
            Self::BalancedAccuracy => "balanced_accuracy",
            Self::MeanAbsoluteError => "mean_absolute_error",
            Self::MeanSquaredError => "mean_squared_error",
        }
    }

    /// The class that it is about.
    #[must_use]
    pub const fn class(self) -> Option<u32> {
        match self {
            Self::Recall(c)
            | Self::Precision(c)
            | Self::Specificity(c)
            | Self::FalsePositiveRate(c)
            | Self::SelectionRate(c)
            | Self::F1(c) => Some(c),
            _ => None,
        }
    }

    /// Whether it measures how far numbers are off, and not how often classes are right.
    #[must_use]
    pub const fn is_error(self) -> bool {
        matches!(self, Self::MeanAbsoluteError | Self::MeanSquaredError)
    }

    /// Whether its denominator is a number of records that the test set alone tells, so that the values of two groups can be
    /// compared.
    #[must_use]
    pub const fn can_be_compared(self) -> bool {
        matches!(
            self,
            Self::Accuracy
                | Self::Recall(_)
                | Self::Specificity(_)
                | Self::FalsePositiveRate(_)
                | Self::SelectionRate(_)
        )
    }

    /// What one record with label `label` and predicted class `predicted` adds to numerator and denominator, where the metric
    /// is a quotient of such sums over the records.
    #[must_use]
    pub fn counts(self, label: usize, predicted: usize) -> Option<(u64, u64)> {
        let class = self.class().map(|c| c as usize);
        let (is, was) = (class == Some(label), class == Some(predicted));
        let count = |part: bool, whole: bool| Some((u64::from(part), u64::from(whole)));
        match self {
            Self::Accuracy => count(label == predicted, true),
            Self::Recall(_) => count(is && was, is),
            Self::Precision(_) => count(is && was, was),
            Self::Specificity(_) => count(!is && !was, !is),
            Self::FalsePositiveRate(_) => count(!is && was, !is),
            Self::SelectionRate(_) => count(was, true),
            Self::F1(_) => Some((2 * u64::from(is && was), u64::from(is) + u64::from(was))),
            Self::Top(_) | Self::BalancedAccuracy | Self::MeanAbsoluteError | Self::MeanSquaredError => None,
        }
    }

    /// The metric with its argument; classes by name.
    #[must_use]
    pub fn text(self, schema: &Schema) -> String {
        match self {
            Self::Top(k) => format!("top[{k}]"),
            _ => match self.class() {
                Some(class) => {
                    let name = schema.classes.get(class as usize).map(|c| plain_or_quoted(&c.name));
                    format!("{}[{}]", self.name(), name.unwrap_or_else(|| class.to_string()))
                }
                None => self.name().to_owned(),
            },
        }
    }

    /// Reads a metric; `recall[malignant]`, `top[3]`, `accuracy`, short names `mae`, `mse`.
    ///
    /// # Errors
    /// [`RequirementError`].
    pub fn parse(text: &str, schema: &Schema) -> Result<Self, RequirementError> {
        use RequirementError as E;
        let text = text.trim();
        let unknown = || E::Metric(shown(text));
        let (name, argument) = match text.split_once('[') {
            Some((name, rest)) => (name.trim(), Some(rest.strip_suffix(']').ok_or_else(unknown)?.trim())),
            None => (text, None),
        };
        let class = || {
            let wanted = argument.ok_or_else(|| E::NoClass(shown(name), classes(schema)))?;
            let between = |open, close| wanted.strip_prefix(open).and_then(|w| w.strip_suffix(close));
            let unquoted = between('"', '"').or_else(|| between('«', '»')).unwrap_or(wanted);
            let index = schema.classes.iter().position(|c| c.name == unquoted);
            index.map(|i| i as u32).ok_or_else(|| E::Class { name: shown(wanted), classes: classes(schema) })
        };
        let plain = |metric| if argument.is_none() { Ok(metric) } else { Err(unknown()) };
        match name {
            "accuracy" => plain(Self::Accuracy),
            "top" => {
                let k = argument.and_then(|k| k.parse::<u32>().ok()).ok_or_else(unknown)?;
                Ok(Self::Top(k))
            }
            "recall" => Ok(Self::Recall(class()?)),
            "precision" => Ok(Self::Precision(class()?)),
            "specificity" => Ok(Self::Specificity(class()?)),
            "false_positive_rate" => Ok(Self::FalsePositiveRate(class()?)),
            "selection_rate" => Ok(Self::SelectionRate(class()?)),
            "f1" => Ok(Self::F1(class()?)),
            "balanced_accuracy" => plain(Self::BalancedAccuracy),
            "mean_absolute_error" | "mae" => plain(Self::MeanAbsoluteError),
            "mean_squared_error" | "mse" => plain(Self::MeanSquaredError),
            _ => Err(unknown()),
        }
    }
}

/// Over which records.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All of them together.
    Overall,
    /// Within every group of the column.
    EachGroup(ColumnName),
    /// The difference between any two groups of the column.
    Gap(ColumnName),
}

impl Scope {
    /// The column that tells groups apart.
    #[must_use]
    pub const fn column(&self) -> Option<&ColumnName> {
        match self {
            Self::Overall => None,
            Self::EachGroup(column) | Self::Gap(column) => Some(column),
        }
    }
}

/// On which side of the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// Not below the bound.
    AtLeast,
    /// Not above the bound.
    AtMost,
}

/// One condition on a model's answers to a test set; a claim states several, which all hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// What is measured.
    pub metric: Metric,
    /// Over which records.
    pub scope: Scope,
    /// On which side of the bound it lies.
    pub comparison: Comparison,
    /// The bound.
    pub bound: Fraction,
}

impl Requirement {
    /// Most requirements of one claim.
    pub const MAX: usize = 64;

    /// "At least this share of the records right".
    #[must_use]
    pub const fn accuracy_at_least(bound: Fraction) -> Self {
        Self { metric: Metric::Accuracy, scope: Scope::Overall, comparison: Comparison::AtLeast, bound }
    }

    /// The columns by which requirements tell groups apart, each once.
    #[must_use]
    pub fn groupings(requirements: &[Self]) -> Vec<&str> {
        let mut columns: Vec<&str> =
            requirements.iter().filter_map(|r| Some(r.scope.column()?.as_str())).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// Reads requirements as people write them:
    ///
    /// ```text
    /// recall[malignant] >= 0.9            recall[malignant] >= 0.9 by site
    /// gap(recall[malignant]) <= 0.05 by site
    /// demographic_parity[c] <= g by site  = gap(selection_rate[c]) <= g by site
    /// equal_opportunity[c] <= g by site   = gap(recall[c]) <= g by site
    /// equalised_odds[c] <= g by site      = gap(recall[c]) <= g and gap(false_positive_rate[c]) <= g, by site
    /// ```
    ///
    /// `by` is the column of requirements that name none. Names of classes that hold brackets stand in double quotes.
    ///
    /// # Errors
    /// [`RequirementError`].
    pub fn parse(text: &str, schema: &Schema, by: Option<&str>) -> Result<Vec<Self>, RequirementError> {
        use RequirementError as E;
        if text.len() > 1024 {
            return Err(E::Form(shown(text)));
        }
        let form = || E::Form(shown(text));
        let (left, comparison, right) = match (text.rsplit_once(">="), text.rsplit_once("<=")) {
            (Some((left, right)), None) => (left.trim(), Comparison::AtLeast, right.trim()),
            (None, Some((left, right))) => (left.trim(), Comparison::AtMost, right.trim()),
            _ => return Err(form()),
        };
        let (bound, column) = match right.split_once(char::is_whitespace) {
            Some((bound, rest)) => {
                let rest = rest.trim_start().strip_prefix("by").ok_or_else(form)?;
                let column = rest.strip_prefix(char::is_whitespace).ok_or_else(form)?.trim();
                let unquoted = column.strip_prefix('«').and_then(|c| c.strip_suffix('»'));
                (bound, Some(unquoted.unwrap_or(column)))
            }
            None => (right, by),
        };
        let column = column.map(ColumnName::new).transpose()?;
        let (metrics, is_gap) = metrics_of(left, schema)?;
        let whole = metrics.iter().all(|m| m.is_error());
        let bound = Fraction::parse(bound, whole)?;
        let scope = match (is_gap, column) {
            (true, Some(column)) => Scope::Gap(column),
            (true, None) => return Err(E::NoColumn(shown(left))),
            (false, Some(column)) => Scope::EachGroup(column),
            (false, None) => Scope::Overall,
        };
        let requirement = |metric| Self { metric, scope: scope.clone(), comparison, bound };
        metrics
            .into_iter()
            .map(|m| {
                let requirement = requirement(m);
                requirement.check(schema).map(|()| requirement)
            })
            .collect()
    }

    /// Whether a model with this schema can be held to it.
    ///
    /// # Errors
    /// [`RequirementError`] says why not.
    pub fn check(&self, schema: &Schema) -> Result<(), RequirementError> {
        use RequirementError as E;
        let classes = schema.classes.len();
        let text = || self.metric.text(schema);
        if self.metric.is_error() != (classes == 0) {
            let needs = if self.metric.is_error() { "numbers" } else { "classes" };
            return Err(E::Kind { metric: self.metric.name(), needs });
        }
        if let Metric::Top(k) = self.metric
            && !(1..=classes).contains(&(k as usize))
        {
            return Err(E::Top { k, classes });
        }
        if let Some(class) = self.metric.class()
            && class as usize >= classes
        {
            return Err(E::Class { name: class.to_string(), classes: self::classes(schema) });
        }
        if matches!(self.scope, Scope::Gap(_)) && !self.metric.can_be_compared() {
            return Err(E::Gap(text()));
        }
        let at_most_only = self.metric.is_error() || matches!(self.scope, Scope::Gap(_));
        if at_most_only && self.comparison == Comparison::AtLeast {
            return Err(E::Side(self.left(schema)));
        }
        if !self.metric.is_error() && self.bound.exceeds_one() {
            return Err(E::AboveOne(self.bound));
        }
        Ok(())
    }

    /// What is measured, without bound.
    fn left(&self, schema: &Schema) -> String {
        let metric = self.metric.text(schema);
        if matches!(self.scope, Scope::Gap(_)) { format!("gap({metric})") } else { metric }
    }

    /// The one spelling: `recall[malignant] >= 9/10 by site`. Reading it again gives the same requirement.
    #[must_use]
    pub fn text(&self, schema: &Schema) -> String {
        let sign = if self.comparison == Comparison::AtLeast { ">=" } else { "<=" };
        let bound = match (self.bound, self.metric.is_error()) {
            (b, false) if b.denominator == 1 => format!("{}.0", b.numerator),
            (b, _) => b.to_string(),
        };
        let by = self.scope.column().map(|c| format!(" by {}", plain_or_quoted(c.as_str())));
        let by = by.unwrap_or_default();
        format!("{} {sign} {bound}{by}", self.left(schema))
    }
}

/// The metrics that the left side of a requirement names, and whether their gaps are meant.
fn metrics_of(left: &str, schema: &Schema) -> Result<(Vec<Metric>, bool), RequirementError> {
    if let Some(inner) = left.strip_prefix("gap(").and_then(|rest| rest.strip_suffix(')')) {
        return Ok((vec![Metric::parse(inner, schema)?], true));
    }
    let named = |name: &str| left.strip_prefix(name).filter(|rest| rest.trim_start().starts_with('['));
    let parse = |name: &str, argument: &str| Metric::parse(&format!("{name}{argument}"), schema);
    if let Some(class) = named("demographic_parity") {
        return Ok((vec![parse("selection_rate", class)?], true));
    }
    if let Some(class) = named("equal_opportunity") {
        return Ok((vec![parse("recall", class)?], true));
    }
    if let Some(class) = named("equalised_odds").or_else(|| named("equalized_odds")) {
        return Ok((vec![parse("recall", class)?, parse("false_positive_rate", class)?], true));
    }
    Ok((vec![Metric::parse(left, schema)?], false))
}

fn shown(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect()
}

fn classes(schema: &Schema) -> String {
    let names: Vec<String> = schema.classes.iter().take(16).map(|c| plain_or_quoted(&c.name)).collect();
    if names.is_empty() {
        "the model has no classes".to_owned()
    } else {
        format!("there are {}", names.join(", "))
    }
}

/// Why a text or a set of values is no requirement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequirementError {
    /// Not of the form `metric >= bound`.
    #[error(
        "`{0}` is no requirement: write one like `recall[malignant] >= 0.9` or `gap(recall[x]) <= 5% by site`"
    )]
    Form(String),
    /// No such metric.
    #[error("`{0}` is no metric; there are {names}", names = Metric::NAMES)]
    Metric(String),
    /// A metric without its class.
    #[error("`{0}` needs a class in brackets ({1})")]
    NoClass(String, String),
    /// No such class.
    #[error("`{name}` is no class ({classes})")]
    Class {
        /// What was given.
        name: String,
        /// The classes.
        classes: String,
    },
    /// No fraction.
    #[error("`{0}` is no threshold: write 342/360, 95% or 0.95, with terms of at most 10^12")]
    Fraction(String),
    /// A whole number that could be a count or a share.
    #[error("`{0}` could be a count or a share: write {0}.0, {0}% or a fraction such as {0}/360")]
    Ambiguous(String),
    /// A gap without groups.
    #[error("`{0}` compares groups, and no column tells them apart: add `by COLUMN`")]
    NoColumn(String),
    /// The metric is for another kind of model.
    #[error("`{metric}` is for models that predict {needs}")]
    Kind {
        /// The metric's name.
        metric: &'static str,
        /// `classes` or `numbers`.
        needs: &'static str,
    },
    /// No such rank.
    #[error("top[{k}] of {classes} classes: k lies between 1 and the number of classes")]
    Top {
        /// The rank asked for.
        k: u32,
        /// Classes of the model.
        classes: usize,
    },
    /// A gap of a metric whose denominator is hidden.
    #[error(
        "gaps of `{0}` cannot be proved; there are gaps of accuracy, recall, specificity, false_positive_rate and selection_rate"
    )]
    Gap(String),
    /// A lower bound on what should be small.
    #[error("`{0}` is bounded from above: write `<=`")]
    Side(String),
    /// A share above one.
    #[error("a share of {0} is more than everything")]
    AboveOne(Fraction),
    /// A column whose name cannot be stated.
    #[error("the column's name cannot be stated in a claim: {0}")]
    Column(#[from] TextError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use tacit_model::testing::schema;

    fn parse(text: &str) -> Result<Vec<Requirement>, RequirementError> {
        Requirement::parse(text, &schema(2, 3), None)
    }

    #[test]
    fn thresholds_are_exact() {
        let f = |text| Fraction::parse(text, false).map(|f| (f.numerator, f.denominator));
        assert_eq!(f("342/360"), Ok((342, 360)));
        assert_eq!(f("0.55"), Ok((11, 20)));
        assert_eq!(Fraction::parse("0.55", false).unwrap().count_up(100), 55);
        assert_eq!(f("95%"), Ok((19, 20)));
        assert_eq!(f("99.5 %"), Ok((199, 200)));
        assert_eq!(f("1.0"), Ok((1, 1)));
        assert_eq!(f("100%"), Ok((1, 1)));
        assert_eq!(f("0"), Ok((0, 1)));
        assert_eq!(f(".5"), Ok((1, 2)));
        assert!(matches!(f("1"), Err(RequirementError::Ambiguous(_))));
        assert!(matches!(f("342"), Err(RequirementError::Ambiguous(_))));
        for bad in
            ["", "x", "-0.5", "1/0", "1e3", "0.1234567890", "1/2/3", "99999999999999999", "%", "/", "1 2"]
        {
            assert!(matches!(f(bad), Err(RequirementError::Fraction(_))), "{bad}: {:?}", f(bad));
        }
        assert_eq!(Fraction::parse("3", true), Fraction::new(3, 1));
        assert_eq!(Fraction::new(19, 20).unwrap().count_up(360), 342);
        assert_eq!(Fraction::new(19, 20).unwrap().count_up(361), 343);
        assert_eq!(Fraction::new(19, 20).unwrap().count_down(361), 342);
    }

    #[test]
    fn every_form_has_one_spelling() {
        for text in [
            "accuracy >= 342/360",
            "accuracy <= 1/2",
            "top[2] >= 9/10",
            "recall[class 1] >= 9/10",
            "precision[class 0] >= 1.0",
            "specificity[class 2] <= 0.0",
            "false_positive_rate[class 2] <= 1/10 by site",
            "selection_rate[class 2] <= 1/10",
            "f1[class 1] >= 4/5 by the site",
            "balanced_accuracy >= 4/5",
            "gap(recall[class 1]) <= 1/20 by site",
        ] {
            let [requirement] = &parse(text).unwrap()[..] else { panic!("{text}") };
            assert_eq!(requirement.text(&schema(2, 3)), text);
        }
        assert_eq!(parse("equalised_odds[class 1] <= 5% by s").unwrap().len(), 2);
        assert_eq!(
            parse("demographic_parity[class 1] <= 0.05 by s"),
            parse("gap(selection_rate[class 1])<=1/20 by s")
        );
        let by = Requirement::parse("accuracy >= 0.5", &schema(2, 3), Some("site")).unwrap();
        assert_eq!(by[0].scope, Scope::EachGroup(ColumnName::new("site").unwrap()));
        let regressor = schema(2, 0);
        let [mae] = &Requirement::parse("mae <= 3", &regressor, None).unwrap()[..] else { panic!() };
        assert_eq!(mae.text(&regressor), "mean_absolute_error <= 3");
    }

    #[test]
    fn what_cannot_be_proved_is_refused() {
        use RequirementError as E;
        assert!(matches!(parse("accuracy"), Err(E::Form(_))));
        assert!(matches!(parse("accuracy >= 0.5 <= 1"), Err(E::Form(_))));
        assert!(matches!(parse("accuracy >= 0.5 at site"), Err(E::Form(_))));
        assert!(matches!(parse("accuracy >= 1"), Err(E::Ambiguous(_))));
        assert!(matches!(parse("accuracy >= 1.1"), Err(E::AboveOne(_))));
        assert!(matches!(parse("auc >= 0.5"), Err(E::Metric(_))));
        assert!(matches!(parse("recall >= 0.5"), Err(E::NoClass(..))));
        assert!(matches!(parse("recall[no] >= 0.5"), Err(E::Class { .. })));
        assert!(matches!(parse("top[0] >= 0.5"), Err(E::Top { .. })));
        assert!(matches!(parse("top[4] >= 0.5"), Err(E::Top { .. })));
        assert!(matches!(parse("top[x] >= 0.5"), Err(E::Metric(_))));
        assert!(matches!(parse("mae <= 0.5"), Err(E::Kind { .. })));
        assert!(matches!(parse("gap(recall[class 1]) <= 0.1"), Err(E::NoColumn(_))));
        assert!(matches!(parse("gap(recall[class 1]) >= 0.1 by s"), Err(E::Side(_))));
        assert!(matches!(parse("gap(f1[class 1]) <= 0.1 by s"), Err(E::Gap(_))));
        assert!(matches!(parse("accuracy[x] >= 0.1"), Err(E::Metric(_))));
        assert!(matches!(parse("accuracy >= 0.1 by \u{202e}x"), Err(E::Column(_))));
        let regressor = schema(2, 0);
        assert!(matches!(Requirement::parse("accuracy >= 0.5", &regressor, None), Err(E::Kind { .. })));
        assert!(matches!(Requirement::parse("mae >= 0.5", &regressor, None), Err(E::Side(_))));
    }
}
