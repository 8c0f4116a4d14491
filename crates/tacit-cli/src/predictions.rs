//! Predictions: files of them, one row per record of a test set, and how far numbers are off.

use tacit_claim::{AnswersClaim, output_text};
use tacit_data::Targets;
use tacit_model::Architecture;

use crate::failure::Failure;

/// How far answers are from what they should be, on average.
pub(crate) fn mean_absolute_error(answers: impl Iterator<Item = f64>, targets: &Targets) -> f64 {
    let off: f64 = answers.zip(targets.floats()).map(|(answer, target)| (answer - target).abs()).sum();
    off / targets.values.len().max(1) as f64
}

/// The file's bytes: `row`, the name of the predicted class where there are classes, and with outputs one column for
/// each, in decimal.
pub(crate) fn csv(architecture: &Architecture, answers: &AnswersClaim) -> Result<Vec<u8>, Failure> {
    let classes = &architecture.schema.classes;
    let width = match answers {
        AnswersClaim::Classes { .. } => 1,
        AnswersClaim::Outputs { .. } => architecture.output_len().map_err(|e| Failure::new(e.to_string()))?,
    };
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |e: csv::Error| Failure::new(format!("the predictions cannot be written as CSV: {e}"));
    let mut header = vec!["row".to_owned()];
    header.extend((!classes.is_empty()).then(|| "class".to_owned()));
    if matches!(answers, AnswersClaim::Outputs { .. }) {
        header.extend((0..width).map(|i| format!("output {i}")));
    }
    writer.write_record(header).map_err(failed)?;
    for (i, row) in answers.values().chunks_exact(width).enumerate() {
        let class = match answers {
            AnswersClaim::Classes { .. } => usize::try_from(row[0]).ok(),
            AnswersClaim::Outputs { .. } => architecture.predicted_class(row),
        };
        let mut cells = vec![i.to_string()];
        cells.extend(class.and_then(|c| classes.get(c)).map(|c| c.name.clone()));
        if matches!(answers, AnswersClaim::Outputs { .. }) {
            cells.extend(row.iter().map(|v| output_text(architecture, *v)));
        }
        writer.write_record(cells).map_err(failed)?;
    }
    writer.into_inner().map_err(|e| Failure::new(format!("the predictions cannot be written as CSV: {e}")))
}
