//! `tacit prove`

mod inference;
mod test_set;

pub(crate) use test_set::tell_test_set;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tacit_claim::{Card, CardPoints, Claim, EngineId, WeightsOpening};
use tacit_core::srs::SrsOrigin;
use tacit_model::Model;

use crate::args::prove::{Prove, Proving};
use crate::failure::Failure;
use crate::load;
use crate::outputs;
use crate::report::{BOLD, PLAIN, Report};

pub(crate) fn run(args: &Prove) -> Result<Report, Failure> {
    match args {
        Prove::Inference(args) => inference::run(args),
        Prove::Accuracy(args) => test_set::accuracy(args),
        Prove::Predictions(args) => test_set::predictions(args),
    }
}

/// The committed model of a proof, read.
struct Owned {
    model: Model,
    card: Card,
    points: Option<CardPoints>,
    opening: Option<WeightsOpening>,
    engine: EngineId,
}

/// Where the card is.
fn card_path(args: &Proving) -> Option<PathBuf> {
    args.card.clone().or_else(|| Some(args.opening.as_ref()?.with_file_name("card.json")))
}

/// Refuses outputs that are among the inputs or cannot be written.
fn check_outputs<'a>(
    args: &Proving,
    outputs: impl IntoIterator<Item = &'a Path>,
    inputs: &[Option<&Path>],
) -> Result<(), Failure> {
    let card = card_path(args);
    let points = card.as_deref().map(load::points_path);
    let own = [Some(&*args.model), args.opening.as_deref(), card.as_deref(), points.as_deref()];
    outputs::check(outputs, &[&own[..], inputs].concat(), args.force.force)
}

impl Owned {
    fn read(args: &Proving) -> Result<Self, Failure> {
        let model = load::model(&args.model)?;
        let opening = args.opening.as_deref().map(load::opening).transpose()?;
        let (card_path, card) = match (&args.card, &args.opening) {
            (Some(path), _) => (path.clone(), load::card(path)?),
            (None, Some(opening)) => {
                let path = opening.with_file_name("card.json");
                let card = load::card(&path).map_err(|e| {
                    e.advise(
                        "the card is expected beside the opening; name it with --card if it lies elsewhere",
                    )
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
        let points = load::points_for(engine, &card_path, &card)?;
        Ok(Self { model, card, points, opening, engine })
    }
}

/// What is said of every proof just made.
fn describe(
    report: &mut Report,
    args: &Proving,
    card: &Card,
    claim: &Claim,
    setup: Option<&SrsOrigin>,
    (bytes, seconds): (usize, f64),
) -> Result<(), Failure> {
    let sentence = claim.sentence(card).map_err(tacit_core::CoreError::from)?;
    report.line(BOLD, "Proved");
    report.line(PLAIN, sentence.clone());
    let hidden = claim.hidden(card);
    report.field("stays hidden", if hidden.is_empty() { "nothing".to_owned() } else { hidden.join(", ") });
    report.field("engine", claim.engine.name());
    report.field("setup", setup_text(setup));
    report.field("proof", format!("{} ({bytes} bytes, {seconds:.2} s)", args.output.display()));
    if setup.is_some_and(SrsOrigin::is_unsafe_dev) {
        report.warn(
            "made under the UNSAFE development setup: anybody can forge such proofs, and verifiers refuse them without \
             --allow-dev-srs",
        );
    }
    report.set("proof", args.output.display().to_string());
    report.set("bytes", bytes);
    report.set("seconds", seconds);
    report.set("claim", sentence);
    report.set("claim_digest", claim.digest().to_string());
    report.set("card_id", card.id().to_string());
    report.set("context", claim.context.as_str());
    report.set("engine", claim.engine.name());
    report.set("hidden", hidden);
    report.set("setup", setup_json(setup));
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
