//! `tacit commit-input`

use rand_core::OsRng;
use tacit_core::commit_input;
use tacit_core::files::{self, Access};

use crate::args::model::CommitInput;
use crate::failure::Failure;
use crate::load;
use crate::outputs;
use crate::report::{BOLD, Report};

pub(crate) fn run(args: &CommitInput) -> Result<Report, Failure> {
    let inputs = [Some(&*args.card), Some(&*args.input.input)];
    outputs::check([&*args.output], &inputs, args.force.force)?;
    let card = load::card(&args.card)?;
    let mut report = Report::default();
    let record = load::record(&args.input.input, args.input.row, card.architecture(), &mut report)?;
    let opening = commit_input(&card, record, &mut OsRng)?;
    files::write(&args.output, &opening.to_bytes(), Access::Secret, args.force.force)?;

    report.line(BOLD, "Committed to a record");
    report.field("for card", card.id().to_string());
    for (engine, committed) in &opening.commitments {
        report.field("commitment", format!("{} ({engine})", committed.commitment.pin()));
    }
    report.field("for the prover only", args.output.display().to_string());
    report.note("whoever verifies pins the record with `tacit verify --expect-input COMMITMENT`");
    report.set("card_id", card.id().to_string());
    let commitments: serde_json::Map<_, _> =
        opening.commitments.iter().map(|(e, c)| (e.to_string(), c.commitment.to_string().into())).collect();
    report.set("commitments", commitments);
    report.set("output", args.output.display().to_string());
    Ok(report)
}
