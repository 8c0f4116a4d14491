//! `tacit dataset`

use std::path::Path;

use rand_core::OsRng;
use tacit_core::commit_dataset;
use tacit_core::files::{self, Access};

use crate::args::DatasetCommand;
use crate::failure::Failure;
use crate::load;
use crate::outputs;
use crate::report::{BOLD, Report, plain};

pub(crate) fn run(args: &DatasetCommand) -> Result<Report, Failure> {
    match args {
        DatasetCommand::Digest { file, schema, labels, by } => digest(file, schema, labels.as_deref(), by),
        DatasetCommand::Commit { file, card, labels, output, force } => {
            commit(file, card, labels, output, force.force)
        }
    }
}

fn digest(file: &Path, schema: &Path, labels: Option<&str>, by: &[String]) -> Result<Report, Failure> {
    let schema = tacit_data::read_schema(schema)?;
    let mut report = Report::default();
    let columns: Vec<&str> = by.iter().map(String::as_str).collect();
    let test = load::test_set(file, &schema, &[], labels, &columns, &mut report)?;
    let digest = hex::encode(test.dataset.digest().0);
    report.line(BOLD, digest.clone());
    report.field("records", test.dataset.samples().to_string());
    report.field("features", schema.features.len().to_string());
    let labels = test.dataset.labels().map(|l| plain(l.column()));
    report
        .field("labels", labels.clone().unwrap_or_else(|| "none: pass --labels to include them".to_owned()));
    let groupings: Vec<String> = test.dataset.groupings().iter().map(|g| plain(&g.column)).collect();
    if !groupings.is_empty() {
        report.field("groups by", groupings.join(", "));
    }
    report.set("digest", digest);
    report.set("records", test.dataset.samples());
    report.set("labels", labels);
    report.set("groups_by", groupings);
    Ok(report)
}

fn commit(file: &Path, card: &Path, labels: &str, output: &Path, force: bool) -> Result<Report, Failure> {
    outputs::check([output], &[Some(file), Some(card)], force)?;
    let card = load::card(card)?;
    let mut report = Report::default();
    let test = load::test_set(
        file,
        card.schema(),
        &card.architecture().input_shape,
        Some(labels),
        &[],
        &mut report,
    )?;
    let opening = commit_dataset(&card, &test.dataset, &mut OsRng)?;
    files::write(output, &opening.to_bytes(), Access::Secret, force)?;
    report.line(BOLD, "Committed to the test set");
    for (engine, committed) in &opening.commitments {
        report.field("committed to as", format!("{} ({engine})", committed.commitment.pin()));
    }
    report.field("records", test.dataset.samples().to_string());
    report.field("never give away", output.display().to_string());
    let commitments: serde_json::Map<_, _> =
        opening.commitments.iter().map(|(e, c)| (e.to_string(), c.commitment.to_string().into())).collect();
    report.set("commitments", commitments);
    report.set("records", test.dataset.samples());
    report.set("output", output.display().to_string());
    Ok(report)
}
