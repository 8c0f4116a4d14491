//! A claim as a sentence, with what it hides and what nobody vouches for.

use std::fmt::Write as _;

use tacit_model::{Architecture, OutputScale, format_decimal};

use crate::bytes::short_hex;
use crate::card::Card;
use crate::check::ClaimMismatch;
use crate::claim::{Claim, ClaimKind, Inference, InputClaim, OutputClaim, WeightsClaim};
use crate::interval::clopper_pearson;
use crate::number::format_binary;
use crate::requirement::{Comparison, Metric, Requirement, Scope};
use crate::test_set::{AccuracyClaim, AnswersClaim, DataClaim, PredictionsClaim};
use crate::text::{plain_or_quoted, quoted};

/// Values listed at most.
const MAX_SHOWN: usize = 16;

impl Claim {
    /// The claim as a sentence, "if the proof holds" understood. Counts and classes are exact; logits are rounded to
    /// at most six decimals; probabilities, where the float model had them, are computed here and no part of the claim.
    ///
    /// # Errors
    /// [`ClaimMismatch`] when the claim does not fit the card.
    pub fn sentence(&self, card: &Card) -> Result<String, ClaimMismatch> {
        self.check_against(card)?;
        let mut text = format!(
            "The model of card {} ({}, owner {})",
            card.id().short(),
            quoted(card.name().as_str()),
            card.owner().fingerprint()
        );
        if self.weights() == WeightsClaim::Revealed {
            text.push_str(", with public weights");
        }
        match &self.kind {
            ClaimKind::Inference(inference) => push_inference(&mut text, inference, card),
            ClaimKind::Accuracy(accuracy) => push_accuracy(&mut text, accuracy, card),
            ClaimKind::Predictions(predictions) => push_predictions(&mut text, predictions),
        }
        if !self.context.is_empty() {
            push(&mut text, format_args!(" Made for {}.", quoted(self.context.as_str())));
        }
        Ok(text)
    }

    /// What stays hidden.
    #[must_use]
    pub fn hidden(&self, card: &Card) -> Vec<&'static str> {
        let mut list = Vec::new();
        if !card.weights().is_public() {
            list.push("weights");
        }
        match &self.kind {
            ClaimKind::Inference(Inference { input, output, .. }) => {
                if matches!(input, InputClaim::Hidden { .. }) {
                    list.push("input");
                }
                match output {
                    OutputClaim::Public { .. } => {}
                    OutputClaim::Hidden { .. } => list.push("output"),
                    OutputClaim::Facts { .. } => list.push("output, but for what is stated of it"),
                }
            }
            ClaimKind::Accuracy(AccuracyClaim { data, .. }) => {
                list.extend(["every prediction", "by how much the bounds are met"]);
                if matches!(data, DataClaim::Hidden { .. }) {
                    list.push("test set");
                }
            }
            ClaimKind::Predictions(PredictionsClaim { answers: AnswersClaim::Classes { .. }, .. }) => {
                list.push(match card.architecture().output_scale {
                    OutputScale::Probabilities => "probabilities",
                    _ => "logits",
                });
            }
            ClaimKind::Predictions(_) => {}
        }
        list
    }

    /// What nobody vouches for, as phrases.
    #[must_use]
    pub fn unvouched(&self) -> Vec<String> {
        let phrase = match &self.kind {
            ClaimKind::Inference(_) => "record attested by: nobody",
            ClaimKind::Accuracy(AccuracyClaim { data: DataClaim::Hidden { .. }, .. }) => {
                "test set seen by the verifier: no; test set attested by: nobody"
            }
            ClaimKind::Accuracy(_) | ClaimKind::Predictions(_) => "test set attested by: nobody",
        };
        vec![phrase.to_owned()]
    }
}

fn push_inference(text: &mut String, Inference { input, output, .. }: &Inference, card: &Card) {
    match input {
        InputClaim::Hidden { commitment } => {
            push(text, format_args!(", run on the record committed to as {},", commitment.short()));
        }
        InputClaim::Revealed { record } => {
            push(text, format_args!(", run on the record ({}),", record_text(card, record)));
        }
    }
    match output {
        OutputClaim::Public { values } => {
            push(text, format_args!(" answers: {}", answer_text(card.architecture(), values)));
        }
        OutputClaim::Hidden { commitment } => {
            push(text, format_args!(" gives the answer committed to as {}.", commitment.short()));
        }
        OutputClaim::Facts { facts } => {
            let facts: Vec<String> = facts.iter().map(|f| f.text(&card.answers())).collect();
            push(text, format_args!(" gives a hidden answer of which this holds: {}.", facts.join("; ")));
        }
    }
}

fn records(samples: u64) -> String {
    format!("{samples} record{}", if samples == 1 { "" } else { "s" })
}

fn push_accuracy(text: &mut String, claim: &AccuracyClaim, card: &Card) {
    let samples = claim.samples;
    push(text, format_args!(", run on the {} of the test set ", records(samples)));
    match &claim.data {
        DataClaim::Public { digest, labels } => {
            let labels = plain_or_quoted(labels.as_str());
            push(text, format_args!("{}, with the labels in {labels}: ", short_hex(&digest.0)));
        }
        DataClaim::Hidden { commitment } => {
            push(text, format_args!("committed to as {}: ", commitment.short()));
        }
    }
    let conditions: Vec<String> =
        claim.requirements.iter().map(|r| requirement_text(r, samples, card)).collect();
    push(text, format_args!("{}.", conditions.join("; ")));
}

/// A requirement with counts and intervals where the claim alone tells them.
fn requirement_text(requirement: &Requirement, samples: u64, card: &Card) -> String {
    let Requirement { metric, scope, comparison, bound } = requirement;
    let counted = matches!(metric, Metric::Accuracy | Metric::Top(_)) && *scope == Scope::Overall;
    if !counted {
        let text = requirement.text(card.schema());
        return if metric.is_error() {
            text
        } else {
            format!("{text} ({})", percent_against(*comparison, bound.numerator(), bound.denominator()))
        };
    }
    let right = match metric {
        Metric::Top(k) => format!("with the label among the first {k}"),
        _ => "right".to_owned(),
    };
    let least = if *comparison == Comparison::AtLeast { "least" } else { "most" };
    let count = bound.count(*comparison, samples);
    let interval = clopper_pearson(count, samples);
    format!(
        "at {least} {count} of {samples} {right} ({}; the exact 95 % interval of {count} of {samples} is {} to {})",
        percent_against(*comparison, count, samples),
        percent_of(interval.0),
        percent_of(interval.1)
    )
}

fn push_predictions(text: &mut String, claim: &PredictionsClaim) {
    let what = match &claim.answers {
        AnswersClaim::Classes { .. } => "predicts the classes",
        AnswersClaim::Outputs { .. } => "gives the outputs",
    };
    push(
        text,
        format_args!(
            ", run on the {} of the test set {}, {what} that the claim lists, record by record.",
            records(claim.samples),
            short_hex(&claim.digest.0)
        ),
    );
}

/// `95.00 %`, rounded down: what is at least so much.
#[must_use]
pub fn percent(part: u64, whole: u64) -> String {
    percent_against(Comparison::AtLeast, part, whole)
}

/// The same, rounded so that it says no more than is claimed: what is at most so much is rounded up.
fn percent_against(comparison: Comparison, part: u64, whole: u64) -> String {
    let (scaled, whole) = (10_000 * u128::from(part), u128::from(whole.max(1)));
    let hundredths = match comparison {
        Comparison::AtLeast => scaled / whole,
        Comparison::AtMost => scaled.div_ceil(whole),
    };
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

fn percent_of(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

fn push(text: &mut String, more: std::fmt::Arguments<'_>) {
    text.write_fmt(more).expect("a string takes everything");
}

/// At most [`MAX_SHOWN`] items and how many were left out.
fn list(items: impl ExactSizeIterator<Item = String>) -> String {
    let more = items.len().saturating_sub(MAX_SHOWN);
    let mut text = items.take(MAX_SHOWN).collect::<Vec<_>>().join(", ");
    if more > 0 {
        push(&mut text, format_args!(" and {more} more"));
    }
    text
}

fn record_text(card: &Card, record: &[i64]) -> String {
    list(record.iter().zip(&card.schema().features).map(|(value, feature)| {
        let unit = feature.unit.as_deref().map(|u| format!(" {}", plain_or_quoted(u))).unwrap_or_default();
        format!("{} {}{unit}", plain_or_quoted(&feature.name), format_decimal(*value, feature.decimals))
    }))
}

/// An answer as a sentence without its beginning: the class, the logits, and what follows from them.
#[must_use]
pub fn answer_text(architecture: &Architecture, values: &[i64]) -> String {
    let shown = list(values.iter().map(|v| output_text(architecture, *v)));
    let plural = if values.len() == 1 { "" } else { "s" };
    let class = architecture.predicted_class(values).and_then(|i| architecture.schema.classes.get(i));
    let what = match (class, architecture.output_scale) {
        (_, OutputScale::Probabilities) => "probability",
        (None, OutputScale::Plain) => "value",
        _ => "logit",
    };
    let many = if what == "probability" { "probabilities".to_owned() } else { format!("{what}s") };
    let what = if values.len() == 1 { what } else { &many };
    let mut text = match class {
        Some(class) => format!("class {} ({what} {shown}).", plain_or_quoted(&class.name)),
        None => format!("{what} {shown}."),
    };
    if let Some(probabilities) = probabilities(architecture, values) {
        let computed = match probabilities.len() {
            1 => "probability computed from it is",
            _ => "probabilities computed from them are",
        };
        let shown = list(probabilities.iter().map(|p| format!("{p:.4}")));
        push(&mut text, format_args!(" The claim is about the logit{plural}; the {computed} {shown}."));
    }
    text
}

/// An output integer as the real number it stands for, in decimal, rounded to at most six decimals.
#[must_use]
pub fn output_text(architecture: &Architecture, value: i64) -> String {
    format_binary(value, architecture.output_exponent)
}

/// What the float model would have made of the logits, each in `[0, 1]`: one per output. `None` where it ended in them.
/// Computed in floating point for people; no claim is about these.
#[must_use]
pub fn probabilities(architecture: &Architecture, outputs: &[i64]) -> Option<Vec<f64>> {
    let logits = outputs.iter().map(|v| architecture.output_value(*v));
    match architecture.output_scale {
        OutputScale::Plain | OutputScale::Probabilities => None,
        OutputScale::SigmoidLogit => Some(logits.map(|x| 1.0 / (1.0 + (-x).exp())).collect()),
        OutputScale::SoftmaxLogits => {
            let top = logits.clone().fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = logits.map(|x| (x - top).exp()).collect();
            let sum: f64 = weights.iter().sum();
            Some(weights.into_iter().map(|w| w / sum).collect())
        }
    }
}
