//! Whether the proof among some files holds, told for a page.

mod files;
mod inspect;
mod report;

pub use files::File;
pub use inspect::{CardSummary, Inspected, Inspection, Missing, ProofSummary, inspect};
pub use report::{Answer, Figure, Output, Report, Verdict};

use serde::{Deserialize, Serialize};
use tacit_claim::{AccuracyClaim, Card, ClaimKind, DataClaim, Requirement};
use tacit_core::{CoreError, Expectations, NoMemory, Progress, Supplied};
use tacit_data::{Format, Table, TestSetFile};

use files::Given;
use report::Stop;

/// What the verifier insists on, as people write it. `None` is not checked.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expected {
    /// The card's id.
    pub card: Option<String>,
    /// The fingerprint of the card's owner.
    pub owner: Option<String>,
    /// The context.
    pub context: Option<String>,
    /// The commitment of the record or the test set, or its SHA-256.
    pub record: Option<String>,
    /// The column of the labels.
    pub labels: Option<String>,
}

/// Checks the proof among `files` with what else is among them. Nothing is kept, and no file, clock or randomness
/// asked.
#[must_use]
pub fn verify(files: &[File<'_>], expected: &Expected, progress: &dyn Progress) -> Report {
    checked(files, expected, progress).unwrap_or_else(Stop::report)
}

fn checked(files: &[File<'_>], expected: &Expected, progress: &dyn Progress) -> Result<Report, Stop> {
    let given = Given::of(files)?;
    let proof = given.proof()?;
    let card = given.card()?;
    let claim = proof.bundle.claim();
    let mut expectations = expectations(expected)?;
    check_owner(card, expected)?;
    if let Some(opening) = &given.record {
        let committed = opening.commitments.get(&claim.engine).ok_or_else(|| {
            Stop::unusable(format!(
                "the opening of the record has no commitment for the {} engine",
                claim.engine
            ))
            .advise("leave it out, or drop the one that was made for this card")
        })?;
        // A commitment that the reader wrote down goes before the one that the file gives.
        expectations.input.get_or_insert_with(|| committed.commitment.pin());
    }
    expectations.answer = given.answer.clone();
    let test = test_set(&given, &claim.kind, card, expected.labels.as_deref())?;
    let supplied = Supplied {
        points: given.points.as_ref(),
        model: given.model.as_ref(),
        data: test.as_ref().map(|test| &test.dataset),
    };
    let verdict = tacit_core::verify(&NoMemory, &proof.bundle, card, supplied, &expectations, progress)
        .map_err(|e| Stop::core(&e, proof.name))?;
    Ok(Report::holds(verdict, &given, proof, card, test.as_ref(), expected))
}

/// Reads what people wrote into the fields.
fn expectations(expected: &Expected) -> Result<Expectations, Stop> {
    fn read<T: std::str::FromStr<Err: std::fmt::Display>>(
        text: Option<&String>,
        what: &str,
    ) -> Result<Option<T>, Stop> {
        let read = text.map(|text| text.trim().parse()).transpose();
        read.map_err(|e| {
            Stop::unusable(format!("the {what} that you expect: {e}"))
                .advise("correct the field, or leave it empty")
        })
    }
    Ok(Expectations {
        card: read(expected.card.as_ref(), "card")?,
        input: read(expected.record.as_ref(), "commitment")?,
        context: read(expected.context.as_ref(), "context")?,
        answer: None,
        allow_dev_srs: false,
    })
}

/// Whether the card is signed by whom the reader expects.
fn check_owner(card: &Card, expected: &Expected) -> Result<(), Stop> {
    let Some(text) = &expected.owner else { return Ok(()) };
    let pinned: tacit_claim::Fingerprint = text.trim().parse().map_err(|e| {
        Stop::unusable(format!("the owner that you expect: {e}"))
            .advise("correct the field, or leave it empty")
    })?;
    let actual = card.owner().fingerprint();
    if actual == pinned {
        Ok(())
    } else {
        Err(Stop::refused(format!("the card's owner is {actual}, the expected one {pinned}"))
            .advise("do not trust this card unless the owner that you know says that it is theirs"))
    }
}

/// The test set as the claim speaks of it.
fn test_set(
    given: &Given<'_>,
    kind: &ClaimKind,
    card: &Card,
    labels: Option<&str>,
) -> Result<Option<TestSetFile>, Stop> {
    let (column, groupings) = match kind {
        ClaimKind::Accuracy(AccuracyClaim {
            data: DataClaim::Public { labels: named, .. },
            requirements,
            ..
        }) => (Some(labels.unwrap_or(named.as_str())), Requirement::groupings(requirements)),
        ClaimKind::Predictions(_) => (None, Vec::new()),
        ClaimKind::Accuracy(_) | ClaimKind::Inference(_) => return Ok(None),
    };
    let Some(File { name, bytes }) = given.data else { return Err(Stop::core(&CoreError::NoData, "")) };
    let format = Format::detect(std::path::Path::new(name), bytes);
    let table = Table::from_bytes(bytes, format, name, column);
    let test = table.and_then(|table| table.dataset(card.schema(), &groupings));
    test.map(Some).map_err(|e| {
        Stop::unusable(e.to_string())
            .advise("drop the very test set that the claim was made for: CSV, JSON or .npy")
    })
}
