//! Facts of an answer that itself stays hidden: its class, its first classes, bounds on its values and probabilities.

use std::fmt;

use serde::{Deserialize, Serialize};
use tacit_model::{Architecture, ArchitectureError, OutputScale, ValueBounds, format_decimal, parse_decimal};

use crate::logit::{self, scaled_ln_up};
use crate::text::plain_or_quoted;

/// Answers of a model: what facts of one are checked against.
#[derive(Debug, Clone, Copy)]
pub struct Answers<'a> {
    architecture: &'a Architecture,
    len: usize,
    bounds: ValueBounds,
}

impl<'a> Answers<'a> {
    /// Answers of a model of this architecture.
    ///
    /// # Errors
    /// [`ArchitectureError`].
    pub fn of(architecture: &'a Architecture) -> Result<Self, ArchitectureError> {
        let (shape, bounds) = architecture.validate()?.pop().ok_or(ArchitectureError::Size)?;
        Ok(Self { architecture, len: shape.iter().product(), bounds })
    }

    /// The same of an architecture that was validated.
    pub(crate) const fn known(architecture: &'a Architecture, len: usize, bounds: ValueBounds) -> Self {
        Self { architecture, len, bounds }
    }

    /// Integers in an answer.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether answers are empty (validation refuses that).
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Inclusive bounds of every integer of an answer.
    #[must_use]
    pub const fn bounds(&self) -> ValueBounds {
        self.bounds
    }

    fn classes(&self) -> usize {
        self.architecture.schema.classes.len()
    }

    /// Largest difference of two integers of an answer: below 2^61.
    #[must_use]
    pub const fn span(&self) -> i64 {
        self.bounds.hi - self.bounds.lo
    }

    /// Name of an output or a class: the class's where outputs are classes, otherwise the index.
    fn name(&self, index: u32) -> String {
        let class = self.architecture.schema.classes.get(index as usize);
        class.map_or_else(|| index.to_string(), |c| plain_or_quoted(&c.name))
    }

    /// Names that can be bounded, at most sixteen.
    fn names(&self) -> String {
        let count = if self.classes() == 0 { self.len } else { self.classes() };
        let names: Vec<String> = (0..count.min(16) as u32).map(|i| self.name(i)).collect();
        let more = if count > 16 { format!(" and {} more", count - 16) } else { String::new() };
        format!("{}{more}", names.join(", "))
    }
}

/// An exact decimal of at most 15 digits, 12 of them after the point: `0.8`, `-2.5`, `3`. One spelling per number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Threshold {
    mantissa: i64,
    decimals: u8,
}

impl Threshold {
    const MAX_DECIMALS: usize = 12;
    const MAX_MANTISSA: u64 = 1_000_000_000_000_000;

    /// Reads `0.8`, `-2.50` or `80 %`: exactly, never through a float.
    ///
    /// # Errors
    /// [`AnswerError::Threshold`].
    pub fn parse(text: &str) -> Result<Self, AnswerError> {
        let bad = || AnswerError::Threshold(shown(text));
        let (number, percent) = match text.trim().strip_suffix('%') {
            Some(rest) => (rest.trim_end(), 2),
            None => (text.trim(), 0),
        };
        let decimals = number.split_once('.').map_or(0, |(_, after)| after.len());
        let digits = number.strip_prefix('-').unwrap_or(number);
        if decimals > Self::MAX_DECIMALS
            || !digits.starts_with(|c: char| c.is_ascii_digit())
            || !digits.ends_with(|c: char| c.is_ascii_digit())
            || !digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        {
            return Err(bad());
        }
        let mut mantissa = parse_decimal(number, decimals as u8).map_err(|_| bad())?;
        let mut decimals = decimals + percent;
        while decimals > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            decimals -= 1;
        }
        if mantissa.unsigned_abs() >= Self::MAX_MANTISSA || decimals > Self::MAX_DECIMALS {
            return Err(bad());
        }
        Ok(Self { mantissa, decimals: decimals as u8 })
    }

    /// `10^decimals`.
    fn denominator(self) -> i64 {
        10i64.pow(self.decimals.into())
    }

    /// `⌊threshold · 2^exponent⌋` and `⌈threshold · 2^exponent⌉`, for exponents of a magnitude up to 60.
    fn scaled(self, exponent: i32) -> (i128, i128) {
        let (mut above, mut below) = (i128::from(self.mantissa), i128::from(self.denominator()));
        if exponent >= 0 {
            above <<= exponent;
        } else {
            below <<= -exponent;
        }
        let floor = above.div_euclid(below);
        (floor, floor + i128::from(above.rem_euclid(below) != 0))
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_decimal(self.mantissa, self.decimals))
    }
}

impl From<Threshold> for String {
    fn from(threshold: Threshold) -> Self {
        threshold.to_string()
    }
}

impl TryFrom<String> for Threshold {
    type Error = AnswerError;

    fn try_from(text: String) -> Result<Self, AnswerError> {
        let threshold = Self::parse(&text)?;
        if threshold.to_string() == text { Ok(threshold) } else { Err(AnswerError::Threshold(shown(&text))) }
    }
}

/// What of an answer is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// The output of this index, in its own unit.
    Output(u32),
    /// What the float model's sigmoid or softmax of two makes of the logits: the probability of this class (without classes, of
    /// this output).
    Probability(u32),
    /// By how much the logit of this class (without classes, of this output) exceeds every other.
    Margin(u32),
}

impl Quantity {
    /// `probability[malignant]`.
    fn text(self, answers: &Answers<'_>) -> String {
        match self {
            Self::Output(_) if answers.len == 1 => "output".to_owned(),
            Self::Output(i) => format!("output[{}]", answers.name(i)),
            Self::Probability(i) => format!("probability[{}]", answers.name(i)),
            Self::Margin(i) => format!("margin[{}]", answers.name(i)),
        }
    }
}

/// On which side of a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// `>=`
    AtLeast,
    /// `>`
    Above,
    /// `<=`
    AtMost,
    /// `<`
    Below,
}

impl Side {
    const fn sign(self) -> &'static str {
        match self {
            Self::AtLeast => ">=",
            Self::Above => ">",
            Self::AtMost => "<=",
            Self::Below => "<",
        }
    }

    const fn is_lower_bound(self) -> bool {
        matches!(self, Self::AtLeast | Self::Above)
    }

    const fn is_strict(self) -> bool {
        matches!(self, Self::Above | Self::Below)
    }
}

/// An integer computed from an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One output.
    Output(usize),
    /// Minus one output.
    Negated(usize),
    /// One output less the largest other.
    Lead(usize),
}

impl Form {
    /// The integer, of an answer that has the outputs.
    fn value(self, answer: &[i64]) -> i64 {
        match self {
            Self::Output(i) => answer[i],
            Self::Negated(i) => -answer[i],
            Self::Lead(i) => {
                let others = answer.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, v)| *v);
                answer[i] - others.max().unwrap_or(i64::MIN / 2)
            }
        }
    }

    /// What it can be, whatever the weights.
    fn bounds(self, answers: &Answers<'_>) -> (i64, i64) {
        let ValueBounds { lo, hi } = answers.bounds;
        match self {
            Self::Output(_) => (lo, hi),
            Self::Negated(_) => (-hi, -lo),
            Self::Lead(_) => (-answers.span(), answers.span()),
        }
    }
}

/// "The probability of malignant is at least 0.8": a bound as people write it, and the integer that is proved.
///
/// In integers a bound is about a *form* in units of `2^-output_exponent`: the output itself; for a probability that a sigmoid
/// makes of a logit the logit (with its sign turned for the first of two classes that share one), for one that a softmax makes of
/// two the logit less the other; for a margin the logit less the largest other. Probabilities turn into logits by `p = t` just where the
/// form is `ln(t / (1 − t))`.
///
/// The integer follows from quantity, side, threshold and architecture by exact arithmetic: the smallest integer at or above
/// (`>=`) or above (`>`) the threshold in the form's units, the largest at or below (`<=`) or below (`<`). Whatever
/// satisfies the one satisfies the other, so nothing is lost by rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerBound {
    quantity: Quantity,
    side: Side,
    threshold: Threshold,
    bound: i64,
}

impl AnswerBound {
    /// Rounds a threshold to the units of the model's output.
    ///
    /// # Errors
    /// [`AnswerError`] where the model has no such quantity, or the bound says nothing or can never hold.
    pub fn new(
        quantity: Quantity,
        side: Side,
        threshold: Threshold,
        answers: &Answers<'_>,
    ) -> Result<Self, AnswerError> {
        let form = form_of(quantity, answers)?;
        if matches!(quantity, Quantity::Margin(_)) && !side.is_lower_bound() {
            return Err(AnswerError::MarginSide);
        }
        let of_logits = answers.architecture.output_scale != OutputScale::Probabilities;
        let (part, whole) = (threshold.mantissa, threshold.denominator());
        let improbable = !(1..whole).contains(&part);
        let text = || format!("{} {} {threshold}", quantity.text(answers), side.sign());
        let exact = match quantity {
            // What holds a probability can hold more, so that its range does not tell which bounds say nothing.
            Quantity::Output(_) if improbable && !of_logits => {
                return Err(AnswerError::NotAProbability(threshold.to_string()));
            }
            Quantity::Probability(_) if improbable => {
                return Err(AnswerError::NotAProbability(threshold.to_string()));
            }
            Quantity::Margin(_) if !of_logits && (part < -whole || (part == -whole && !side.is_strict())) => {
                return Err(AnswerError::Always(text()));
            }
            Quantity::Margin(_) if !of_logits && (part > whole || (part == whole && side.is_strict())) => {
                return Err(AnswerError::Never(text()));
            }
            Quantity::Probability(_) if of_logits => probability_bound(side, threshold, answers)?.into(),
            _ => value_bound(side, threshold, answers)?,
        };
        let (lo, hi) = form.bounds(answers);
        let (lo, hi) = (i128::from(lo), i128::from(hi));
        let (always, never) =
            if side.is_lower_bound() { (exact <= lo, exact > hi) } else { (exact >= hi, exact < lo) };
        match i64::try_from(exact) {
            _ if always => Err(AnswerError::Always(text())),
            Ok(bound) if !never => Ok(Self { quantity, side, threshold, bound }),
            _ => Err(AnswerError::Never(text())),
        }
    }

    /// Reads a bound as people write it:
    ///
    /// ```text
    /// malignant >= 0.8                 the probability where the float model ended in one, otherwise the output
    /// probability[malignant] >= 80 %   a sigmoid, or a softmax of two
    /// output[malignant] < 2.5          an output in its own unit; `output` where there is one; also by index
    /// margin[malignant] > 1            the logit exceeds every other by more than 1
    /// ```
    ///
    /// Names that hold brackets or signs stand in double quotes.
    ///
    /// # Errors
    /// [`AnswerError`].
    pub fn parse(text: &str, answers: &Answers<'_>) -> Result<Self, AnswerError> {
        let form = || AnswerError::Form(shown(text));
        let at = text.rfind(['<', '>']).filter(|_| text.len() <= 1024).ok_or_else(form)?;
        let (left, right) = (text[..at].trim(), &text[at + 1..]);
        let (right, or_equal) = right.strip_prefix('=').map_or((right, false), |rest| (rest, true));
        let side = match (text.as_bytes()[at], or_equal) {
            (b'>', true) => Side::AtLeast,
            (b'>', false) => Side::Above,
            (_, true) => Side::AtMost,
            (_, false) => Side::Below,
        };
        if left.is_empty() || right.trim().is_empty() {
            return Err(form());
        }
        Self::new(parse_quantity(left, answers)?, side, Threshold::parse(right)?, answers)
    }

    /// Whether the integer is the one that the rest says.
    fn check(&self, answers: &Answers<'_>) -> Result<(), AnswerError> {
        let Self { quantity, side, threshold, bound } = *self;
        let expected = Self::new(quantity, side, threshold, answers)?.bound;
        if bound == expected { Ok(()) } else { Err(AnswerError::Bound { expected, actual: bound }) }
    }

    /// The integer.
    #[must_use]
    pub const fn bound(&self) -> i64 {
        self.bound
    }

    /// The bound as one from below: a form, and what it is at least. `None` for a model that has no such quantity.
    #[must_use]
    pub fn from_below(&self, answers: &Answers<'_>) -> Option<(Form, i64)> {
        let form = form_of(self.quantity, answers).ok()?;
        if self.side.is_lower_bound() {
            return Some((form, self.bound));
        }
        let negated = match form {
            Form::Output(i) => Form::Negated(i),
            Form::Negated(i) => Form::Output(i),
            // Only two logits' difference is bounded from above.
            Form::Lead(i) => Form::Lead(1 - i.min(1)),
        };
        Some((negated, self.bound.checked_neg()?))
    }

    /// The one spelling: `probability[malignant] >= 0.8`.
    #[must_use]
    pub fn text(&self, answers: &Answers<'_>) -> String {
        format!("{} {} {}", self.quantity.text(answers), self.side.sign(), self.threshold)
    }

    /// The same in integers: what is proved.
    fn in_integers(&self, answers: &Answers<'_>) -> String {
        let what = match (self.quantity, form_of(self.quantity, answers)) {
            (Quantity::Output(_), _) => "it".to_owned(),
            _ if answers.architecture.output_scale == OutputScale::Probabilities => "it".to_owned(),
            (_, Ok(Form::Output(_))) => "its logit".to_owned(),
            (_, Ok(Form::Negated(_))) => "minus the logit".to_owned(),
            _ if answers.len == 2 => "its logit less the other".to_owned(),
            _ => "its logit less any other".to_owned(),
        };
        let most = if self.side.is_lower_bound() { "least" } else { "most" };
        format!("{what} is at {most} {} in units of 2^{}", self.bound, -answers.architecture.output_exponent)
    }
}

/// The form that a quantity is about.
fn form_of(quantity: Quantity, answers: &Answers<'_>) -> Result<Form, AnswerError> {
    use AnswerError as E;
    let (len, scale) = (answers.len, answers.architecture.output_scale);
    let existing = |i: u32, count: usize| {
        let at = i as usize;
        if at < count { Ok(at) } else { Err(E::Name { name: i.to_string(), names: answers.names() }) }
    };
    let classes = if answers.classes() == 0 { len } else { answers.classes() };
    match quantity {
        Quantity::Output(i) => Ok(Form::Output(existing(i, len)?)),
        Quantity::Probability(i) => {
            let at = existing(i, classes)?;
            match scale {
                OutputScale::Plain => Err(E::NoProbability),
                OutputScale::Probabilities if classes == len => Ok(Form::Output(at)),
                OutputScale::Probabilities => Err(E::NoProbability),
                OutputScale::SigmoidLogit if classes == len => Ok(Form::Output(at)),
                OutputScale::SigmoidLogit if at == 1 => Ok(Form::Output(0)),
                OutputScale::SigmoidLogit => Ok(Form::Negated(0)),
                OutputScale::SoftmaxLogits if len == 2 => Ok(Form::Lead(at)),
                OutputScale::SoftmaxLogits => Err(E::Softmax(len)),
            }
        }
        Quantity::Margin(_) if len == 1 => Err(E::OneOutput),
        Quantity::Margin(i) => Ok(Form::Lead(existing(i, len)?)),
    }
}

/// The integer bound of a value in units of `2^-output_exponent`.
fn value_bound(side: Side, threshold: Threshold, answers: &Answers<'_>) -> Result<i128, AnswerError> {
    let exponent = answers.architecture.output_exponent;
    if exponent.abs() > 60 {
        return Err(AnswerError::Exponent { exponent, max: 60 });
    }
    let (floor, ceil) = threshold.scaled(exponent);
    Ok(match side {
        Side::AtLeast => ceil,
        Side::Above => floor + 1,
        Side::AtMost => floor,
        Side::Below => ceil - 1,
    })
}

/// The integer bound of the form whose sigmoid is compared with the threshold.
fn probability_bound(side: Side, threshold: Threshold, answers: &Answers<'_>) -> Result<i64, AnswerError> {
    let exponent = answers.architecture.output_exponent;
    if exponent.abs() > logit::MAX_EXPONENT {
        return Err(AnswerError::Exponent { exponent, max: logit::MAX_EXPONENT });
    }
    let (part, whole) = (threshold.mantissa, threshold.denominator());
    let (part, rest) = (part.unsigned_abs(), (whole - part).unsigned_abs());
    // The logarithm is an integer only where it is zero: elsewhere, strict or not is the same.
    let at_zero = i64::from(side.is_strict() && part == rest);
    let undecided = || AnswerError::Undecided(threshold.to_string());
    if side.is_lower_bound() {
        Ok(scaled_ln_up(part, rest, exponent).ok_or_else(undecided)? + at_zero)
    } else {
        Ok(-scaled_ln_up(rest, part, exponent).ok_or_else(undecided)? - at_zero)
    }
}

/// What the left side of a bound names.
fn parse_quantity(text: &str, answers: &Answers<'_>) -> Result<Quantity, AnswerError> {
    use AnswerError as E;
    let (len, classes) = (answers.len, answers.classes());
    let plain = answers.architecture.output_scale == OutputScale::Plain;
    let bracketed = |kind: &str| {
        let rest = text.strip_prefix(kind)?.trim_start().strip_prefix('[')?;
        rest.strip_suffix(']').map(str::trim)
    };
    let class = |name: &str| {
        let between = |open, close| name.strip_prefix(open).and_then(|n| n.strip_suffix(close));
        let unquoted = between('"', '"').or_else(|| between('«', '»')).unwrap_or(name);
        answers.architecture.schema.classes.iter().position(|c| c.name == unquoted).map(|i| i as u32)
    };
    let numbered = answers.architecture.schema.classes.iter().any(|c| is_numeral(&c.name));
    let index = |name: &str, count: usize| {
        // `0` of classes called 1, 2 and 3 would be the one called 1.
        if numbered && is_numeral(name) {
            return Err(E::NumberedClass { name: shown(name), names: answers.names() });
        }
        let found = name.parse::<u32>().ok().filter(|i| (*i as usize) < count);
        found.ok_or_else(|| E::Name { name: shown(name), names: answers.names() })
    };
    let output = |name: &str| match class(name) {
        Some(0) if len < classes => Err(E::SharedLogit(answers.name(1))),
        Some(_) if len < classes => Ok(Quantity::Output(0)),
        Some(i) => Ok(Quantity::Output(i)),
        None => index(name, len).map(Quantity::Output),
    };
    let of_class = |name: &str| class(name).map_or_else(|| index(name, classes.max(len)), Ok);
    if let Some(name) = bracketed("output") {
        return output(name);
    }
    if let Some(name) = bracketed("probability") {
        return of_class(name).map(Quantity::Probability);
    }
    if let Some(name) = bracketed("margin") {
        return of_class(name).map(Quantity::Margin);
    }
    match text {
        _ if class(text).is_some() && plain => output(text),
        _ if class(text).is_some() => of_class(text).map(Quantity::Probability),
        "output" if len == 1 => Ok(Quantity::Output(0)),
        "output" | "probability" | "margin" => Err(E::NoName(text.to_owned(), answers.names())),
        _ if plain => output(text),
        _ => of_class(text).map(Quantity::Probability),
    }
}

/// Whether a name could be taken for an index.
fn is_numeral(name: &str) -> bool {
    name.trim().parse::<i64>().is_ok()
}

/// A fact of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AnswerFact {
    /// The predicted class: the largest logit's, the lowest index on a tie; of a single logit, class 1 where it is above zero.
    Class {
        /// Its index.
        index: u32,
    },
    /// The classes of the largest logits, the lower index first among equals; which of them comes first is not said.
    Top {
        /// Their indices, ascending.
        indices: Vec<u32>,
    },
    /// A bound.
    Bound(AnswerBound),
}

impl AnswerFact {
    /// Most facts of one claim.
    pub const MAX: usize = 16;
    /// Most comparisons of logits that the facts of one claim take.
    pub const MAX_COMPARISONS: usize = 1 << 20;

    /// The class that an answer predicts.
    ///
    /// # Errors
    /// [`AnswerError::NoClasses`].
    pub fn class(answers: &Answers<'_>, answer: &[i64]) -> Result<Self, AnswerError> {
        let class = answers.architecture.predicted_class(answer).ok_or(AnswerError::NoClasses)?;
        Ok(Self::Class { index: class as u32 })
    }

    /// The `k` first classes of an answer.
    ///
    /// # Errors
    /// [`AnswerError::NoClasses`], [`AnswerError::Top`].
    pub fn top(answers: &Answers<'_>, answer: &[i64], k: u32) -> Result<Self, AnswerError> {
        let mut indices = first(answer, k as usize);
        check_top(answers, k as usize)?;
        indices.sort_unstable();
        Ok(Self::Top { indices })
    }

    /// Whether it holds of an answer: the definition, which the lowering is tested against.
    #[must_use]
    pub fn holds(&self, answers: &Answers<'_>, answer: &[i64]) -> bool {
        if answer.len() != answers.len {
            return false;
        }
        match self {
            Self::Class { index } => answers.architecture.predicted_class(answer) == Some(*index as usize),
            Self::Top { indices } => {
                let mut own = first(answer, indices.len());
                own.sort_unstable();
                own == *indices
            }
            Self::Bound(bound) => {
                bound.from_below(answers).is_some_and(|(form, at_least)| form.value(answer) >= at_least)
            }
        }
    }

    /// Whether a claim can state these facts of a model's answer: they are few, name what there is, and every integer bound
    /// follows from its text.
    ///
    /// # Errors
    /// [`AnswerError`].
    pub fn check_all(facts: &[Self], answers: &Answers<'_>) -> Result<(), AnswerError> {
        use AnswerError as E;
        if !(1..=Self::MAX).contains(&facts.len()) {
            return Err(E::Count(facts.len()));
        }
        let (mut classes, mut tops, mut comparisons) = (0, 0, 0usize);
        for fact in facts {
            match fact {
                Self::Class { index } => {
                    classes += 1;
                    if *index as usize >= answers.classes() {
                        let names = answers.names();
                        return Err(if answers.classes() == 0 {
                            E::NoClasses
                        } else {
                            E::Name { name: index.to_string(), names }
                        });
                    }
                }
                Self::Top { indices } => {
                    tops += 1;
                    comparisons = comparisons.saturating_add(indices.len().saturating_mul(answers.len));
                    check_top(answers, indices.len())?;
                    let ascending = indices.is_sorted_by(|a, b| a < b);
                    if !ascending || indices.last().is_none_or(|i| *i as usize >= answers.len) {
                        return Err(E::Indices);
                    }
                }
                Self::Bound(bound) => {
                    comparisons = comparisons.saturating_add(answers.len);
                    bound.check(answers)?;
                }
            }
        }
        if classes > 1 || tops > 1 {
            return Err(E::Repeated);
        }
        if comparisons > Self::MAX_COMPARISONS {
            return Err(E::Comparisons(comparisons));
        }
        Ok(())
    }

    /// The fact in a few words, as a clause: `its class is malignant`.
    #[must_use]
    pub fn text(&self, answers: &Answers<'_>) -> String {
        match self {
            Self::Class { index } => format!("its class is {}", answers.name(*index)),
            Self::Top { indices } if indices.len() == 1 => {
                format!("its first class is {}", answers.name(indices[0]))
            }
            Self::Top { indices } => {
                let shown: Vec<String> = indices.iter().take(64).map(|i| answers.name(*i)).collect();
                let more = indices.len().saturating_sub(64);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                format!(
                    "its first {} classes, in no particular order, are {}{more}",
                    indices.len(),
                    shown.join(", ")
                )
            }
            Self::Bound(bound) => format!("{} ({})", bound.text(answers), bound.in_integers(answers)),
        }
    }
}

/// The `k` first outputs, the lower index first among equals.
fn first(answer: &[i64], k: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..answer.len() as u32).collect();
    order.sort_by_key(|i| std::cmp::Reverse(answer[*i as usize]));
    order.truncate(k);
    order
}

fn check_top(answers: &Answers<'_>, k: usize) -> Result<(), AnswerError> {
    let classes = answers.classes();
    if classes == 0 {
        return Err(AnswerError::NoClasses);
    }
    if answers.len == 1 {
        return Err(AnswerError::OneOutput);
    }
    if (1..classes).contains(&k) { Ok(()) } else { Err(AnswerError::Top { k, classes }) }
}

fn shown(text: &str) -> String {
    text.trim().chars().take(80).flat_map(char::escape_debug).collect()
}

/// Why something is no fact of a model's answers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Not of the form `name >= threshold`.
    #[error(
        "`{0}` is no condition on an answer: write one like `malignant >= 0.8`, `output < 2.5` or `margin[malignant] > 1`"
    )]
    Form(String),
    /// No decimal.
    #[error(
        "`{0}` is no threshold: write a decimal such as 0.8, -2.5 or 80 %, of at most 15 digits and 12 decimals"
    )]
    Threshold(String),
    /// No such class or output.
    #[error("`{name}` is no class or output of the model (there are {names})")]
    Name {
        /// What was given.
        name: String,
        /// What there is.
        names: String,
    },
    /// An index where classes are called by numbers.
    #[error(
        "`{name}` is no class of the model (there are {names}); where classes are called by numbers, numbers are names and not \
         positions"
    )]
    NumberedClass {
        /// What was given.
        name: String,
        /// What there is.
        names: String,
    },
    /// A quantity without what it is of.
    #[error("`{0}` of what? Name a class or an output in brackets (there are {1})")]
    NoName(String, String),
    /// The model predicts numbers.
    #[error("the model predicts numbers, not classes: bound its output, as in `output >= 2.5`")]
    NoClasses,
    /// The first of two classes, which have one logit.
    #[error("the model's one output is the logit of {0}: bound that, or a probability")]
    SharedLogit(String),
    /// The float model made no probabilities.
    #[error(
        "the model's outputs are no probabilities: bound an output, as in `output[...] >= 2.5`, or a margin"
    )]
    NoProbability,
    /// A softmax of more than two.
    #[error(
        "a probability among {0} outputs would take exponentials of every logit, which this model leaves out: quantise it with \
         --probabilities, or state the class or the first k, or bound `margin[...]` or `output[...]`"
    )]
    Softmax(usize),
    /// Nothing to compare the output with.
    #[error(
        "the model has one output: there is no margin and no order; state the class, or bound the output"
    )]
    OneOutput,
    /// A margin bounded from above.
    #[error("a margin is bounded from below: write `>=` or `>`")]
    MarginSide,
    /// A probability of 0 or less, or 1 or more.
    #[error("{0} is no bound of a probability: it lies between 0 and 1, both excluded")]
    NotAProbability(String),
    /// Outputs in units beyond the arithmetic.
    #[error("the model's outputs are in units of 2^{}; such bounds are for units of 2^-{max} to 2^{max}", -exponent)]
    Exponent {
        /// The output's exponent.
        exponent: i32,
        /// Largest magnitude.
        max: i32,
    },
    /// A threshold that the arithmetic cannot place.
    #[error("{0} is too close to a multiple of the output's unit to be rounded: change its last digit")]
    Undecided(String),
    /// A bound that says nothing.
    #[error("every answer of such a model satisfies `{0}`: choose a bound that says something")]
    Always(String),
    /// A bound that cannot hold.
    #[error("no answer of such a model satisfies `{0}`: it lies beyond what the outputs can be")]
    Never(String),
    /// The integer does not follow from the text.
    #[error("the integer bound is {actual}; its text says {expected}")]
    Bound {
        /// What follows from the text.
        expected: i64,
        /// What the claim states.
        actual: i64,
    },
    /// No such number of first classes.
    #[error("the first {k} of {classes} classes: k lies between 1 and {}", classes - 1)]
    Top {
        /// The number asked for.
        k: usize,
        /// Classes of the model.
        classes: usize,
    },
    /// Indices that are no set of classes.
    #[error("the first classes are to be listed once each, in ascending order")]
    Indices,
    /// The class, or the first classes, twice.
    #[error("the class and the first classes are stated once each")]
    Repeated,
    /// No fact, or too many.
    #[error("{0} facts of an answer: 1 to {max} can be stated", max = AnswerFact::MAX)]
    Count(usize),
    /// Too large to be compared.
    #[error("these facts take {0} comparisons of logits; at most {max} are proved: state fewer", max = AnswerFact::MAX_COMPARISONS)]
    Comparisons(usize),
}
