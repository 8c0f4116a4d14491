//! `tacit patient`

use std::path::Path;
use std::time::{Duration, Instant};

use rand_core::OsRng;
use tacit_claim::{ClaimKind, Disclosure, FileKind, sniff};
use tacit_client::patient::{Diagnosis, ReceiveError, believe, disclose, fetch, post, seal_record};
use tacit_client::{RelayClient, fetch_card, fetch_provider};
use tacit_core::files::{self, Access};
use tacit_exchange::{PendingRequest, Refusal, SealedResponse};
use tacit_model::format_decimal;

use super::relay;
use super::verify::{set_verdict, tell_inference, tell_verdict, warn_of_setup};
use crate::args::exchange::{Patient, PatientProveTo, PatientReceive, PatientSend};
use crate::failure::Failure;
use crate::home::data_folder;
use crate::load;
use crate::outputs;
use crate::progress::Spinner;
use crate::report::{BOLD, Report, plain};

pub(crate) fn run(args: &Patient) -> Result<Report, Failure> {
    match args {
        Patient::Send(args) => send(args),
        Patient::Receive(args) => receive(args),
        Patient::ProveTo(args) => prove_to(args),
    }
}

fn send(args: &PatientSend) -> Result<Report, Failure> {
    outputs::check([&*args.output], &[Some(&*args.input.input)], args.force.force)?;
    let relay = relay::client(&args.relay)?;
    let spinner = Spinner::new("asking the relay for the card");
    let published = fetch_card(&relay, args.card, &args.pin)?;
    let provider = fetch_provider(&relay, &published.card)?;
    drop(spinner);
    let mut report = Report::default();
    let record = load::record(&args.input.input, args.input.row, published.card.architecture(), &mut report)?;
    let pending = seal_record(&published, &provider, record, args.engine, relay.address(), &mut OsRng)?;
    let path = args.output.display();
    // On disk before anything is sent: what opens the answer is never lost.
    files::write(&args.output, &pending.to_bytes(), Access::Secret, args.force.force)?;
    post(&relay, &pending).map_err(|e| {
        Failure::from(e)
            .also(format!("{path} is kept: `tacit patient receive {path} -o diagnosis.proof` sends it again"))
    })?;
    report.line(BOLD, format!("Sent a sealed record to «{}»", published.card.name()));
    report.field("request", pending.id().to_string());
    report.field("relay", relay.address().to_string());
    report.field("provider", published.card.owner().fingerprint().to_string());
    if let Some(contact) = provider.contact() {
        report.field("contact", plain(contact));
    }
    report.field("keep secret", format!("{path}: it holds the record and opens the answer"));
    if provider.relay() != relay.address().to_string() {
        report.warn(format!(
            "the provider says that it looks for requests at {}, not at {}: unless both are one relay, send the record there \
             instead",
            plain(provider.relay()),
            relay.address()
        ));
    }
    report.note(format!("next: tacit patient receive {path} -o diagnosis.proof"));
    report.set("request_id", pending.id().to_string());
    report.set("relay", relay.address().to_string());
    report.set("providers_relay", provider.relay());
    report.set("card_id", published.card.id().to_string());
    report.set("owner", published.card.owner().fingerprint().to_string());
    report.set("engine", pending.engine().name());
    report.set("input_commitment", pending.input().commitments[&pending.engine()].commitment.to_string());
    report.set("output", path.to_string());
    Ok(report)
}

/// Where the sealed answer is kept: beside the request.
fn answer_path(request: &Path) -> std::path::PathBuf {
    outputs::beside(request, ".response")
}

fn receive(args: &PatientReceive) -> Result<Report, Failure> {
    let kept = answer_path(&args.request);
    outputs::check([&*args.output], &[Some(&*args.request), Some(&*kept)], args.force.force)?;
    let pending = load::pending(&args.request)?;
    let relay = relay::at(pending.relay(), &args.link)?;
    let start = Instant::now();
    let mut report = Report::default();
    let sealed = sealed_answer(&relay, &pending, &kept, args)?;
    // As soon as it is kept, whatever it says: when it is deleted tells the relay nothing.
    let deleted = !args.keep && kept.exists() && delete(&relay, &pending, &mut report);
    let spinner = Spinner::new("verifying");
    let Diagnosis { bundle, verdict } =
        believe(&pending, &sealed, &data_folder()?, args.allow_dev_srs, &spinner)
            .map_err(|e| explained(e, &pending))?;
    drop(spinner);
    files::write(&args.output, &bundle.to_bytes(), Access::Secret, args.force.force)?;
    let (claim, card) = (bundle.claim(), pending.card());
    tell_verdict(&mut report, &verdict);
    report.field("proof", args.output.display().to_string());
    report.field("received in", format!("{:.0} ms", start.elapsed().as_secs_f64() * 1000.0));
    warn_of_setup(&mut report, &verdict);
    report.note(format!(
        "the proof shows the diagnosis to whoever has it, nothing of the record: `tacit verify {} --card card.json`, or with \
         the card in one file: tacit patient prove-to {} -o FILE",
        args.output.display(),
        args.request.display()
    ));
    set_verdict(&mut report, claim, card, verdict);
    if let ClaimKind::Inference(inference) = &claim.kind {
        tell_inference(&mut report, inference, claim, card, None);
    }
    report.set("request_id", pending.id().to_string());
    report.set("proof", args.output.display().to_string());
    report.set("deleted_at_relay", deleted);
    report.set("seconds", start.elapsed().as_secs_f64());
    Ok(report)
}

const LONGEST_ANSWER: u64 = 128 << 20;

/// The sealed answer: the one that was received before, if it is there and the provider's, or what the relay hands out,
/// waited for, and kept if it is the provider's.
fn sealed_answer(
    relay: &RelayClient,
    pending: &PendingRequest,
    kept: &Path,
    args: &PatientReceive,
) -> Result<Vec<u8>, Failure> {
    let is_the_answer =
        |sealed: &[u8]| SealedResponse::from_bytes(sealed).is_ok_and(|r| pending.open(&r).is_ok());
    if kept.symlink_metadata().is_ok() {
        let sealed = files::read(kept, LONGEST_ANSWER)?;
        // Damaged since: the relay may still have it.
        if is_the_answer(&sealed) {
            return Ok(sealed.to_vec());
        }
    }
    let spinner = Spinner::new("waiting for the answer");
    let sealed = fetch(relay, pending, Duration::from_secs(args.wait))?;
    drop(spinner);
    if is_the_answer(&sealed) {
        files::write(kept, &sealed, Access::Secret, true)?;
    }
    Ok(sealed)
}

/// The failure with what the patient alone may read: which feature, which value, which range.
fn explained(e: ReceiveError, pending: &PendingRequest) -> Failure {
    let explained = match &e {
        ReceiveError::Refused(Refusal::OutOfRange { feature, .. }) => out_of_range(pending, *feature),
        _ => None,
    };
    let failure = Failure::from(e);
    match explained {
        Some(Range::Outside(message)) => Failure { message, ..failure },
        Some(Range::Inside(message)) => Failure { message, ..failure }.advise("tell the provider"),
        None => failure,
    }
}

/// Where the value is that a provider calls outside its range.
enum Range {
    Outside(String),
    Inside(String),
}

/// The patient's own value, whatever the provider says that it is.
fn out_of_range(pending: &PendingRequest, feature: u32) -> Option<Range> {
    let index = usize::try_from(feature).ok()?;
    let feature = pending.card().schema().features.get(index)?;
    let value = *pending.input().record.get(index)?;
    let (name, range) = (plain(&feature.name), feature.range_text());
    let shown = format_decimal(value, feature.decimals);
    Some(if (feature.min..=feature.max).contains(&value) {
        Range::Inside(format!(
            "the provider refused for no reason: it says that `{name}`, which is {shown}, is outside {range}"
        ))
    } else {
        Range::Outside(format!(
            "the provider refused: `{name}` is {shown}, outside the range that the card allows, {range}"
        ))
    })
}

/// Deletes request and answer at the relay; says so if it fails.
fn delete(relay: &RelayClient, pending: &PendingRequest, report: &mut Report) -> bool {
    match relay.delete(pending.id(), pending.capability()) {
        Ok(()) => true,
        Err(e) => {
            report.note(format!(
                "request and answer could not be deleted at the relay, which will do so in time: {e}"
            ));
            false
        }
    }
}

fn prove_to(args: &PatientProveTo) -> Result<Report, Failure> {
    let kept = answer_path(&args.file);
    outputs::check(
        [&*args.output],
        &[Some(&*args.file), Some(&*kept), args.card.as_deref()],
        args.force.force,
    )?;
    let kind = sniff(&files::read(&args.file, LONGEST_ANSWER * 2)?);
    let disclosure =
        if kind == FileKind::PendingRequest { of_request(args, &kept)? } else { of_proof(args)? };
    files::write(&args.output, &disclosure.to_bytes(), Access::Secret, args.force.force)?;
    let (claim, card) = (disclosure.bundle.claim(), &disclosure.card);
    let sentence = claim.sentence(card).map_err(tacit_core::CoreError::from)?;
    let (id, owner) = (card.id().to_string(), card.owner().fingerprint().to_string());
    let mut report = Report::default();
    report.line(BOLD, format!("Wrote a proof with its card: {}", args.output.display()));
    report.field("it shows", sentence.clone());
    report.field("stays hidden", claim.hidden(card).join(", "));
    report.field("card", format!("{id}, of {owner}"));
    report.note(format!("whoever gets it runs: tacit verify {} --pin {owner}", args.output.display()));
    report.set("output", args.output.display().to_string());
    report.set("claim", sentence);
    report.set("claim_digest", claim.digest().to_string());
    report.set("card_id", id);
    report.set("owner", owner);
    Ok(report)
}

fn of_request(args: &PatientProveTo, kept: &Path) -> Result<Disclosure, Failure> {
    let pending = load::pending(&args.file)?;
    if kept.symlink_metadata().is_err() {
        return Err(Failure::new(format!("no answer to {} was received yet", args.file.display()))
            .advise(format!("first: tacit patient receive {} -o diagnosis.proof", args.file.display())));
    }
    let sealed = files::read(kept, LONGEST_ANSWER)?;
    let spinner = Spinner::new("verifying");
    // Whether its setup is good enough is for who gets the proof to say.
    let diagnosis = believe(&pending, &sealed, &data_folder()?, true, &spinner)?;
    Ok(disclose(&pending, diagnosis))
}

fn of_proof(args: &PatientProveTo) -> Result<Disclosure, Failure> {
    let bundle = load::proof(&args.file)?;
    let Some(path) = &args.card else {
        return Err(Failure::new(format!("{}: a proof without its card", args.file.display()))
            .advise("name the card with --card, or name the request instead of the proof"));
    };
    let card = load::card(path)?;
    let points = load::points_for(bundle.claim().engine, path, &card)?;
    bundle.claim().check_against(&card).map_err(tacit_core::CoreError::from)?;
    Ok(Disclosure { bundle, card, points })
}
