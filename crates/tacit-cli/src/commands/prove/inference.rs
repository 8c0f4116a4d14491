//! `tacit prove inference`

use std::path::{Path, PathBuf};
use std::time::Instant;

use rand_core::OsRng;
use serde_json::json;
use tacit_claim::{AnswerBound, Card, output_text, probabilities};
use tacit_core::files::{self, Access};
use tacit_core::{Asked, CoreError, Proved, Record, Shown, prove_inference};

use super::{Owned, check_outputs, describe};
use crate::args::prove::{Hidden, ProveInference, Proving, Revealed};
use crate::failure::Failure;
use crate::home::data_folder;
use crate::load;
use crate::outputs;
use crate::profile::Profile;
use crate::progress::Spinner;
use crate::report::{Report, plain};

pub(super) fn run(args: &ProveInference) -> Result<Report, Failure> {
    let answer_path = args.hide.contains(&Hidden::Output).then(|| answer_path(&args.proving.output));
    let Proving { context, output, force, .. } = &args.proving;
    let outputs = [Some(&**output), answer_path.as_deref()];
    let inputs = [args.input.as_deref(), args.input_opening.as_deref()];
    check_outputs(&args.proving, outputs.into_iter().flatten(), &inputs)?;
    let profile = args.proving.profile.then(Profile::start);
    let reading = tracing::info_span!("read the files").entered();
    let mut report = Report::default();
    let Owned { model, card, points, opening, engine } = Owned::read(&args.proving)?;
    let committed = args.input_opening.as_deref().map(load::input_opening).transpose()?;
    let record = match (&committed, &args.input) {
        (Some(opening), _) => Record::Committed(opening),
        (None, Some(path)) => Record::Fresh(load::record(path, args.row, card.architecture(), &mut report)?),
        (None, None) => {
            return Err(
                Failure::new("no record was given").advise("pass --input FILE or --input-opening FILE")
            );
        }
    };
    let asked = asked(args, &card)?;
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
            shown: match (args.hide.contains(&Hidden::Output), &asked[..]) {
                (true, _) => Shown::Commitment,
                (false, []) => Shown::Answer,
                (false, facts) => Shown::Facts(facts),
            },
            context: context.clone(),
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
            files::write(path, &opening.to_bytes(), Access::Secret, force.force)?;
        }
        files::write(output, &bytes, Access::Public, force.force).inspect_err(|_| {
            if let Some(path) = answer_path.as_ref().filter(|_| !force.force) {
                let _ = std::fs::remove_file(path);
            }
        })?;
    }
    describe(
        &mut report,
        &args.proving,
        &card,
        proved.bundle.claim(),
        proved.setup.as_ref(),
        (bytes.len(), seconds),
    )?;
    answer(&mut report, &card, &proved);
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

/// The facts to state of the answer; none where all of it is stated, or nothing.
fn asked(args: &ProveInference, card: &Card) -> Result<Vec<Asked>, Failure> {
    let revealed = args.reveal.iter().filter_map(|part| match part {
        Revealed::Class => Some(Asked::Class),
        Revealed::Top(k) => Some(Asked::Top(*k)),
        Revealed::Input | Revealed::Weights => None,
    });
    let mut asked: Vec<Asked> = revealed.collect();
    for text in &args.claim {
        asked.push(Asked::Bound(AnswerBound::parse(text, &card.answers()).map_err(CoreError::from)?));
    }
    if !asked.is_empty() && args.hide.contains(&Hidden::Output) {
        return Err(Failure::new("--hide output states a commitment to the answer, and nothing else of it").advise(
            "leave out --hide output: with --reveal class, --reveal top-k=K or --claim the rest of the answer is hidden anyway",
        ));
    }
    Ok(asked)
}

/// Where what opens the answer of a proof lies.
fn answer_path(proof: &Path) -> PathBuf {
    outputs::beside(proof, ".answer.secret")
}

/// What is said of the record and the answer.
fn answer(report: &mut Report, card: &Card, proved: &Proved) {
    let claim = proved.bundle.claim();
    if let Some(input) = claim.input_commitment() {
        report.field("record committed to as", input.pin().to_string());
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
    report.set("input_commitment", claim.input_commitment().map(ToString::to_string));
    report.set("output", output);
    let facts: Vec<String> = claim.facts().iter().map(|fact| fact.text(&card.answers())).collect();
    report.set("facts", facts);
}
