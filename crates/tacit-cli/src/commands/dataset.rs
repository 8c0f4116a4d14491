//! `tacit dataset`

use crate::args::DatasetCommand;
use crate::failure::Failure;
use crate::load;
use crate::report::{BOLD, Report, plain};

pub(crate) fn run(args: &DatasetCommand) -> Result<Report, Failure> {
    let DatasetCommand::Digest { file, schema, labels, by } = args;
    let schema = tacit_data::read_schema(schema)?;
    let mut report = Report::default();
    let columns: Vec<&str> = by.iter().map(String::as_str).collect();
    let test = load::test_set(file, &schema, labels.as_deref(), &columns, &mut report)?;
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
