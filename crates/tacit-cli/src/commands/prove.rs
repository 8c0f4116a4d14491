//! `tacit prove`

use std::path::{Path, PathBuf};
use std::time::Instant;

use rand_core::OsRng;
use serde_json::{Value, json};
use tacit_claim::{Card, EngineId, output_text, probabilities};
use tacit_core::files::{self, Access};
use tacit_core::srs::SrsOrigin;
use tacit_core::{Proved, Record, prove_inference};

use crate::args::{Hidden, Prove, ProveInference, Revealed};
use crate::failure::Failure;
use crate::home::data_folder;
use crate::load;
use crate::outputs;
use crate::profile::Profile;
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
    let answer_path = args.hide.contains(&Hidden::Output).then(|| answer_path(&args.output));
    let card_path = args.card.clone().or_else(|| Some(args.opening.as_ref()?.with_file_name("card.json")));
    let points_path = card_path.as_deref().map(load::points_path);
    let inputs = [
        Some(&*args.model),
        args.opening.as_deref(),
        card_path.as_deref(),
        points_path.as_deref(),
        args.input.as_deref(),
        args.input_opening.as_deref(),
    ];
    let outputs = [Some(&*args.output), answer_path.as_deref()];
    outputs::check(outputs.into_iter().flatten(), &inputs, args.force.force)?;
    let profile = args.profile.then(Profile::start);
    let reading = tracing::info_span!("read the files").entered();
    let mut report = Report::default();
    let model = load::model(&args.model)?;
    let opening = args.opening.as_deref().map(load::opening).transpose()?;
    let (card_path, card) = match (&args.card, &args.opening) {
        (Some(path), _) => (path.clone(), load::card(path)?),
        (None, Some(opening)) => {
            let path = opening.with_file_name("card.json");
            let card = load::card(&path).map_err(|e| {
                e.advise("the card is expected beside the opening; name it with --card if it lies elsewhere")
            })?;
            (path, card)
        }
        (None, None) => {
            return Err(Failure::new("neither a card nor an opening was given")
                .advise("pass --opening, or --card for a card with public weights"));
        }
    };
    // The engines of a card are listed with sumcheck first.
    let engine = args.engine.or(card.commitments().engines().next()).unwrap_or(EngineId::Sumcheck);
    let points = match engine {
        EngineId::Sumcheck => load::points(&card_path, &card)?,
        EngineId::Halo2 => None,
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
    drop(reading);
    let spinner = Spinner::new("proving");
    let start = Instant::now();
    let proved = prove_inference(
        &folder,
        &tacit_core::ProveInference {
            model: &model,
            card: &card,
            points: points.as_ref(),
            opening: opening.as_ref(),
            record,
            engine,
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
    {
        let _span = tracing::info_span!("write the proof").entered();
        // The proof last: where it is, what opens its answer is.
        if let (Some(path), Some(opening)) = (&answer_path, &proved.output_opening) {
            files::write(path, &opening.to_bytes(), Access::Secret, args.force.force)?;
        }
        files::write(&args.output, &bytes, Access::Public, args.force.force).inspect_err(|_| {
            if let Some(path) = answer_path.as_ref().filter(|_| !args.force.force) {
                let _ = std::fs::remove_file(path);
            }
        })?;
    }
    describe(&mut report, args, &card, &proved, bytes.len(), seconds)?;
    if let Some(path) = answer_path {
        report.field("opens the answer", format!("{} (secret)", path.display()));
        report.note("show which answer it is with `tacit verify --answer`, to those who may know it");
        report.set("answer_opening", path.display().to_string());
    }
    if let Some(profile) = profile {
        profile.tell(&mut report);
    }
    Ok(report)
}

/// Where what opens the answer of a proof lies.
fn answer_path(proof: &Path) -> PathBuf {
    let mut name = proof.as_os_str().to_owned();
    name.push(".answer.secret");
    name.into()
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
        report.field("record committed to as", input.pin().to_string());
    }
    report.field("engine", claim.engine.name());
    report.field("setup", setup_text(proved.setup.as_ref()));
    report.field("proof", format!("{} ({bytes} bytes, {seconds:.2} s)", args.output.display()));
    if proved.setup.is_some_and(|s| s.is_unsafe_dev()) {
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
    report.set("setup", setup_json(proved.setup.as_ref()));
    Ok(())
}

/// A setup as people see it.
pub(crate) fn setup_text(setup: Option<&SrsOrigin>) -> String {
    setup.map_or_else(|| "none is needed".to_owned(), ToString::to_string)
}

/// A setup as scripts see it; `null` where the engine needs none.
pub(crate) fn setup_json(setup: Option<&SrsOrigin>) -> Value {
    setup.map_or(Value::Null, |s| json!({ "origin": s.to_string(), "unsafe_dev": s.is_unsafe_dev() }))
}
