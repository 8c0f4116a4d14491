//! What the page shows of a verification.

use serde::Serialize;
use tacit_claim::{Card, Claim, ClaimKind, DataClaim, output_text, probabilities};
use tacit_core::{CoreError, Outcome};
use tacit_data::TestSetFile;

use super::Expected;
use super::files::{Given, Proof};

/// Most values of an answer that are shown.
const MAX_OUTPUTS: usize = 64;

/// Whether the claim holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It does.
    Holds,
    /// It does not, or the proof was altered or made for something else.
    DoesNotHold,
    /// The files cannot be used: nothing is known.
    Unusable,
    /// Not what the reader insists on.
    Refused,
}

/// What the page shows.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Whether the claim holds.
    pub verdict: Verdict,
    /// The claim as a sentence, where it holds.
    pub claim: Option<String>,
    /// Why it does not hold or cannot be checked.
    pub reason: Option<String>,
    /// What to do next.
    pub advice: Option<String>,
    /// What stays hidden.
    pub hidden: Vec<String>,
    /// What nobody vouches for.
    pub unvouched: Vec<String>,
    /// The answer of an inference, where it is known.
    pub answer: Option<Answer>,
    /// Facts about the claim and the files.
    pub figures: Vec<Figure>,
    /// What the reader should think of.
    pub notes: Vec<String>,
}

/// The answer of an inference.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// The predicted class, if the model predicts one.
    pub class: Option<String>,
    /// The model's outputs, at most 64.
    pub outputs: Vec<Output>,
    /// Whether the claim itself hides the answer: somebody opened it to the reader.
    pub opened: bool,
}

/// One of a model's outputs.
#[derive(Debug, Serialize)]
pub struct Output {
    /// The class, or the output's position.
    pub name: String,
    /// What the claim is about, as a decimal number.
    pub value: String,
    /// What the float model would have made of it, in floating point: no claim is about this.
    pub probability: Option<String>,
}

/// A fact, with its name.
#[derive(Debug, Serialize)]
pub struct Figure {
    /// The name.
    pub name: &'static str,
    /// The fact.
    pub value: String,
}

/// Why a verification ended early.
#[derive(Debug)]
pub(super) struct Stop {
    verdict: Verdict,
    reason: String,
    advice: Option<String>,
}

impl Stop {
    pub(super) fn new(verdict: Verdict, reason: impl Into<String>) -> Self {
        Self { verdict, reason: reason.into(), advice: None }
    }

    pub(super) fn unusable(reason: impl Into<String>) -> Self {
        Self::new(Verdict::Unusable, reason)
    }

    pub(super) fn refused(reason: impl Into<String>) -> Self {
        Self::new(Verdict::Refused, reason)
    }

    pub(super) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    pub(super) fn reason(&self) -> &str {
        &self.reason
    }

    /// The library's error, with advice for somebody who drops files rather than types options.
    pub(super) fn core(error: &CoreError, proof: &str) -> Self {
        let verdict = match error.outcome() {
            Outcome::DoesNotHold => Verdict::DoesNotHold,
            Outcome::Unusable => Verdict::Unusable,
            Outcome::Policy => Verdict::Refused,
        };
        let advice = match error {
            CoreError::NoPoints(_) => {
                Some("drop card.points too, as the card's owner published it".to_owned())
            }
            CoreError::NoData => Some("drop the test set that the claim names too".to_owned()),
            CoreError::NoModel => Some("drop the public model file too".to_owned()),
            CoreError::UncheckableModel(_) => Some("leave the model file out".to_owned()),
            CoreError::PublicAnswer => Some("leave the opening of the answer out".to_owned()),
            CoreError::EngineNotHere(_) => {
                Some(format!("check it with: tacit verify {proof} --card card.json"))
            }
            other => other.advice(),
        };
        Self { verdict, reason: error.to_string(), advice }
    }

    pub(super) fn report(self) -> Report {
        Report {
            verdict: self.verdict,
            claim: None,
            reason: Some(self.reason),
            advice: self.advice,
            hidden: Vec::new(),
            unvouched: Vec::new(),
            answer: None,
            figures: Vec::new(),
            notes: Vec::new(),
        }
    }
}

impl Report {
    /// The report of a claim that holds.
    pub(super) fn holds(
        verdict: tacit_core::Verdict,
        given: &Given<'_>,
        proof: &Proof<'_>,
        card: &Card,
        test: Option<&TestSetFile>,
        expected: &Expected,
    ) -> Self {
        let claim = proof.bundle.claim();
        Self {
            verdict: Verdict::Holds,
            claim: Some(verdict.sentence),
            reason: None,
            advice: None,
            hidden: verdict.hidden,
            unvouched: verdict.unvouched,
            answer: answer(claim, card, given),
            figures: figures(claim, card, proof, test),
            notes: notes(claim, given, test, expected),
        }
    }
}

fn answer(claim: &Claim, card: &Card, given: &Given<'_>) -> Option<Answer> {
    let opened = given.answer.as_ref().map(|answer| answer.values.as_slice());
    let values = claim.output_values().or(opened)?;
    let architecture = card.architecture();
    let classes = &architecture.schema.classes;
    let class = architecture.predicted_class(values).and_then(|i| classes.get(i));
    let name = |i: usize| match classes.get(i).filter(|_| classes.len() == values.len()) {
        Some(class) => class.name.clone(),
        None => format!("output {}", i + 1),
    };
    let probabilities = probabilities(architecture, values).unwrap_or_default();
    let output = |(i, value): (usize, &i64)| Output {
        name: name(i),
        value: output_text(architecture, *value),
        probability: probabilities.get(i).map(|p| format!("{p:.4}")),
    };
    Some(Answer {
        class: class.map(|class| class.name.clone()),
        outputs: values.iter().enumerate().take(MAX_OUTPUTS).map(output).collect(),
        opened: claim.output_values().is_none(),
    })
}

fn figures(claim: &Claim, card: &Card, proof: &Proof<'_>, test: Option<&TestSetFile>) -> Vec<Figure> {
    let record = claim.input_commitment().map(|commitment| commitment.pin().to_string());
    let is_inference = matches!(claim.kind, ClaimKind::Inference(_));
    let samples = match &claim.kind {
        ClaimKind::Inference(_) => None,
        ClaimKind::Accuracy(accuracy) => Some(accuracy.samples),
        ClaimKind::Predictions(predictions) => Some(predictions.samples),
    };
    let context = if claim.context.is_empty() { "none" } else { claim.context.as_str() };
    let facts = [
        ("model", Some(card.name().to_string())),
        ("owner of the card", Some(card.owner().fingerprint().to_string())),
        ("card", Some(card.id().to_string())),
        ("made for", Some(context.to_owned())),
        (if is_inference { "record" } else { "hidden test set" }, record),
        ("records", samples.map(|n| n.to_string())),
        ("test set seen", test.map(|test| hex::encode(test.dataset.digest().0))),
        ("engine", Some(format!("{}, which needs no setup", claim.engine))),
        ("proof", Some(format!("{} bytes", proof.bytes))),
        ("claim digest", Some(claim.digest().to_string())),
    ];
    facts.into_iter().filter_map(|(name, value)| Some(Figure { name, value: value? })).collect()
}

fn notes(claim: &Claim, given: &Given<'_>, test: Option<&TestSetFile>, expected: &Expected) -> Vec<String> {
    let mut notes = Vec::new();
    let mut note = |applies: bool, text: String| {
        if applies {
            notes.push(text)
        }
    };
    let unpinned = expected.card.is_none() && expected.owner.is_none();
    note(
        unpinned,
        "Is that the card and the owner that you were told of? Write what you expect into the fields above."
            .into(),
    );
    let pinned = expected.record.is_some() || given.record.is_some();
    note(
        claim.input_commitment().is_some() && !pinned,
        "Is that commitment the one of the data that you mean? Write it into the fields above.".into(),
    );
    note(
        expected.context.is_none() && !claim.context.is_empty(),
        "What the proof was made for was not checked: write what you expect into the fields above.".into(),
    );
    if let ClaimKind::Accuracy(accuracy) = &claim.kind
        && let DataClaim::Public { labels, .. } = &accuracy.data
    {
        let text = format!(
            "Are the labels in `{}` the true ones? Write the column that you expect into the fields above.",
            labels.as_str()
        );
        note(expected.labels.is_none(), text);
    }
    note(
        given.data.is_some() && test.is_none(),
        "The claim is about no public test set: the data was not looked at.".into(),
    );
    if let Some(test) = test {
        let columns = test.ignored_columns.len();
        note(columns > 0, format!("{columns} columns of the test set are not the model's and were ignored."));
        note(
            test.rounded_cells > 0,
            format!(
                "{} cells had more decimals than the schema and were rounded (half to even).",
                test.rounded_cells
            ),
        );
        note(
            test.out_of_range_cells > 0,
            format!(
                "{} cells lie outside the declared ranges and were clipped, for prover and verifier alike.",
                test.out_of_range_cells
            ),
        );
        note(
            test.numbered_labels,
            "The labels are numbers, read as positions of the classes in the schema.".into(),
        );
    }
    for file in &given.ignored {
        notes.push(format!("Not needed and not looked at: {file}."));
    }
    notes
}
