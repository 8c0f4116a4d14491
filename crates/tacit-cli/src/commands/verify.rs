//! `tacit verify`

use std::time::Instant;

use tacit_claim::{ClaimKind, EngineId, Inference, InputClaim, OutputClaim, answer_text};
use tacit_core::{Expectations, verify};

use crate::args::Verify;
use crate::commands::prove::{setup_json, setup_text};
use crate::failure::Failure;
use crate::home::data_folder;
use crate::load;
use crate::progress::Spinner;
use crate::report::{GOOD, PLAIN, Report};

pub(crate) fn run(args: &Verify) -> Result<Report, Failure> {
    let card = load::card(&args.card)?;
    let model = args.model.as_deref().map(load::model).transpose()?;
    let bundle = load::proof(&args.proof)?;
    let points = match bundle.claim().engine {
        EngineId::Sumcheck => load::points(&args.card, &card)?,
        EngineId::Halo2 => None,
    };
    let answer = args.answer.as_deref().map(load::output_opening).transpose()?;
    let folder = data_folder()?;
    let expected = Expectations {
        card: args.expect_card,
        input: args.expect_input.clone(),
        context: args.context.clone(),
        answer: answer.clone(),
        allow_dev_srs: args.allow_dev_srs,
    };
    let spinner = Spinner::new("verifying");
    let start = Instant::now();
    let verdict = verify(&folder, &bundle, &card, points.as_ref(), model.as_ref(), &expected, &spinner)?;
    drop(spinner);
    let seconds = start.elapsed().as_secs_f64();

    let claim = bundle.claim();
    let mut report = Report::default();
    report.line(GOOD, "HOLDS");
    report.line(PLAIN, verdict.sentence.clone());
    let hidden = if verdict.hidden.is_empty() { "nothing".to_owned() } else { verdict.hidden.join(", ") };
    report.field("stays hidden", hidden);
    report.field("not vouched for", verdict.unvouched.join("; "));
    if let Some(answer) = &answer {
        report.field("the hidden answer is", answer_text(card.architecture(), &answer.values));
    }
    report.field("setup", setup_text(verdict.setup.as_ref()));
    report.field("verified in", format!("{:.0} ms", seconds * 1000.0));
    if verdict.setup.is_some_and(|s| s.is_unsafe_dev()) {
        report.warn("UNSAFE DEVELOPMENT SETUP: anybody can forge such a proof; it proves nothing to anybody");
    }
    if let Some(commitment) = claim.input_commitment() {
        report.field("record", commitment.pin().to_string());
        if args.expect_input.is_none() {
            report.note("is that the record you mean? Pin its commitment with --expect-input");
        }
    }
    if args.expect_card.is_none() {
        report.note(format!("is {} the card you were told of? Pin it with --expect-card", card.id()));
    }
    if args.context.is_none() && !claim.context.is_empty() {
        report.note("the claim's context was not checked; pass what you expect with --context");
    }
    report.set("holds", true);
    report.set("claim", verdict.sentence);
    report.set("claim_digest", claim.digest().to_string());
    report.set("card_id", card.id().to_string());
    report.set("owner", card.owner().fingerprint().to_string());
    report.set("engine", claim.engine.name());
    report.set("context", claim.context.as_str());
    report.set("input_commitment", claim.input_commitment().map(ToString::to_string));
    let ClaimKind::Inference(Inference { input, output, .. }) = &claim.kind;
    let record = if let InputClaim::Revealed { record } = input { Some(record.clone()) } else { None };
    report.set("record", record);
    let commitment = if let OutputClaim::Hidden { commitment } = output { Some(commitment) } else { None };
    report.set("output_commitment", commitment.map(ToString::to_string));
    let values = claim.output_values().or(answer.as_ref().map(|a| a.values.as_slice()));
    report.set("output_values", values.map(<[i64]>::to_vec));
    let architecture = card.architecture();
    let class = values.and_then(|v| architecture.predicted_class(v));
    let class = class.and_then(|i| architecture.schema.classes.get(i));
    report.set("class", class.map(|c| crate::report::plain(&c.name)));
    report.set("hidden", verdict.hidden);
    report.set("not_vouched_for", verdict.unvouched);
    report.set("setup", setup_json(verdict.setup.as_ref()));
    report.set("seconds", seconds);
    Ok(report)
}
