//! `tacit prove`

use std::time::Instant;

use rand_core::OsRng;
use serde_json::{Value, json};
use tacit_claim::{Card, output_text, probabilities};
use tacit_core::files::{self, Access};
use tacit_core::{Proved, Record, prove_inference};

use crate::args::{Hidden, Prove, ProveInference, Revealed};
use crate::failure::Failure;
use crate::home::data_folder;
use crate::load;
use crate::progress::Spinner;
use crate::report::{BOLD, PLAIN, Report, plain};

pub(crate) fn run(args: &Prove) -> Result<Report, Failure> {
    match args {
        Prove::Inference(args) => inference(args),
        Prove::Accuracy(_) => Err(Failure::new("accuracy proofs are not in this version yet")
            .advise("prove single answers with `tacit prove inference`")),
    }
}

fn inference(args: &ProveInference) -> Result<Report, Failure> {
    files::check_absent(&args.output, args.force.force)?;
    let mut report = Report::default();
    let model = load::model(&args.model)?;
    let opening = args.opening.as_deref().map(load::opening).transpose()?;
    let card = match (&args.card, &args.opening) {
        (Some(path), _) => load::card(path)?,
        (None, Some(opening)) => load::card(&opening.with_file_name("card.json")).map_err(|e| {
            e.advise("the card is expected beside the opening; name it with --card if it lies elsewhere")
        })?,
        (None, None) => {
            return Err(Failure::new("neither a card nor an opening was given")
                .advise("pass --opening, or --card for a card with public weights"));
        }
    };
    let committed = args.input_opening.as_deref().map(load::input_opening).transpose()?;
    let record = match (&committed, &args.input) {
        (Some(opening), _) => Record::Committed(opening),
        (None, Some(path)) => Record::Fresh(load::record(path, args.row, card.schema(), &mut report)?),
        (None, None) => {
            return Err(
                Failure::new("no record was given").advise("pass --input FILE or --input-opening FILE")
            );
        }
    };
    let folder = data_folder()?;
    let spinner = Spinner::new("proving");
    let start = Instant::now();
    let proved = prove_inference(
        &folder,
        &tacit_core::ProveInference {
            model: &model,
            card: &card,
            opening: opening.as_ref(),
            record,
            engine: args.engine,
            reveal_input: args.reveal.contains(&Revealed::Input),
            reveal_weights: args.reveal.contains(&Revealed::Weights),
            hide_output: args.hide.contains(&Hidden::Output),
            context: args.context.clone(),
        },
        &mut OsRng,
        &spinner,
    )?;
    drop(spinner);
    let seconds = start.elapsed().as_secs_f64();
    let bytes = proved.bundle.to_bytes();
    files::write(&args.output, &bytes, Access::Public, args.force.force)?;
    describe(&mut report, args, &card, &proved, bytes.len(), seconds)?;
    Ok(report)
}

fn describe(
    report: &mut Report,
    args: &ProveInference,
    card: &Card,
    proved: &Proved,
    bytes: usize,
    seconds: f64,
) -> Result<(), Failure> {
    let claim = proved.bundle.claim();
    let sentence = claim.sentence(card).map_err(tacit_core::CoreError::from)?;
    report.line(BOLD, "Proved");
    report.line(PLAIN, sentence.clone());
    let hidden = claim.hidden(card);
    report.field("stays hidden", if hidden.is_empty() { "nothing".to_owned() } else { hidden.join(", ") });
    if let Some(input) = claim.input_commitment() {
        report.field("record committed to as", input.to_string());
    }
    report.field("setup", proved.setup.to_string());
    report.field("proof", format!("{} ({bytes} bytes, {seconds:.2} s)", args.output.display()));
    if proved.output_salt.is_some() {
        report.warn(
            "the answer's opening is not kept: in this version nobody can later show which answer the proof commits to",
        );
    }
    if proved.setup.is_unsafe_dev() {
        report.warn(
            "made under the UNSAFE development setup: anybody can forge such proofs, and verifiers refuse them without \
             --allow-dev-srs",
        );
    }
    let architecture = card.architecture();
    let class = architecture.predicted_class(&proved.output).and_then(|i| architecture.schema.classes.get(i));
    let output = json!({
        "public": claim.output_values().is_some(),
        "class": class.map(|c| plain(&c.name)),
        "values": proved.output,
        "outputs": proved.output.iter().map(|v| output_text(architecture, *v)).collect::<Vec<_>>(),
        "probabilities": probabilities(architecture, &proved.output),
    });
    report.set("proof", args.output.display().to_string());
    report.set("bytes", bytes);
    report.set("seconds", seconds);
    report.set("claim", sentence);
    report.set("claim_digest", claim.digest().to_string());
    report.set("card_id", card.id().to_string());
    report.set("context", claim.context.as_str());
    report.set("engine", claim.engine.name());
    report.set("input_commitment", claim.input_commitment().map(ToString::to_string));
    report.set("hidden", hidden);
    report.set("output", output);
    report.set("setup", setup_json(&proved.setup));
    Ok(())
}

/// A setup as scripts see it.
pub(crate) fn setup_json(setup: &tacit_core::srs::SrsOrigin) -> Value {
    json!({ "origin": setup.to_string(), "unsafe_dev": setup.is_unsafe_dev() })
}
