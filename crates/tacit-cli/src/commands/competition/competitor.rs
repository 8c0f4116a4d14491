//! What a competitor does: register, keep the receipt, submit.

use std::path::PathBuf;

use tacit_competition::{CompetitionError, Event, Known, Log};

use super::host::{headline, tell_acceptance, write_receipt};
use super::{judge, known, opened, receipt_json, short_name};
use crate::args::competition::{ContextOf, MakeReceipt, Register, Submit};
use crate::failure::Failure;
use crate::keys::owner_key;
use crate::load;
use crate::outputs;
use crate::progress::Spinner;
use crate::report::{BOLD, PLAIN, Report, plain};

pub(super) fn register(args: &Register) -> Result<Report, Failure> {
    let points_path = load::points_path(&args.card);
    let inputs = [Some(&*args.card), Some(&*points_path), Some(&*args.key), args.host_key.as_deref()];
    outputs::check(args.receipt.as_deref(), &inputs, args.force.force)?;
    let folder = opened(&args.folder)?;
    let card = load::card(&args.card)?;
    let points = load::points(&args.card, &card)?;
    let key = owner_key(&args.key, &args.unlock)?;
    let host = args.host_key.as_deref().map(|path| owner_key(path, &args.unlock)).transpose()?;
    let known = known(&args.pins, &[] as &[PathBuf])?;
    let log = folder.log(&known)?;
    let competition = log.competition();
    if let Some(actual) = host.as_ref().map(|h| h.public()).filter(|h| h != competition.host()) {
        let (host, actual) = (competition.host().fingerprint(), actual.fingerprint());
        return Err(CompetitionError::NotHost { host, actual }.into());
    }
    folder.request(&card, points.as_ref(), args.name.clone(), &key, &known)?;
    let mut report = Report::default();
    report.set("competition", competition.id().to_string());
    report.set("card_id", card.id().to_string());
    report.set("owner", card.owner().fingerprint().to_string());
    report.set("name", plain(args.name.as_str()));
    let is_late = is_published(&log);
    report.set("is_late", is_late);
    let Some(host) = host else {
        report.line(BOLD, format!("Asked to compete in «{}»", competition.terms().name));
        report.field("card", card.id().to_string());
        report.field("competitor", plain(args.name.as_str()));
        report.note("it counts once the host accepts it: then make the receipt with `tacit competition receipt`, and keep it");
        if is_late {
            report.warn("the test set is published already: this registration is late and will not count");
        }
        report.set("accepted", false);
        return Ok(report);
    };
    let accepted = folder.accept(&host, &known)?;
    report.line(BOLD, headline(&accepted));
    tell_acceptance(&mut report, &accepted);
    let own = accepted.receipts.iter().chain(&accepted.late);
    let own = own.into_iter().find(|r| r.registration().is_some_and(|r| r.card() == card.id()));
    let own = own.ok_or_else(|| Failure::new("the host did not take the request"))?;
    report.set("accepted", true);
    report.set("entry", own.entry().index());
    if let Some(path) = &args.receipt {
        write_receipt(own, path, args.force.force)?;
        report.field("receipt", format!("{} (keep it)", path.display()));
        report.set("receipt", path.display().to_string());
    }
    Ok(report)
}

fn is_published(log: &Log) -> bool {
    log.entries().iter().any(|entry| matches!(entry.event(), Event::Publication(_)))
}

pub(super) fn context(args: &ContextOf) -> Result<Report, Failure> {
    let competition = opened(&args.folder)?.competition(args.expect)?;
    let context = competition.context(load::card(&args.card)?.owner());
    let mut report = Report::default();
    // Alone on standard output, for a shell to take.
    report.line(PLAIN, context.as_str());
    report.set("context", context.as_str());
    report.set("competition", competition.id().to_string());
    Ok(report)
}

pub(super) fn submit(args: &Submit) -> Result<Report, Failure> {
    let folder = opened(&args.folder)?;
    let proof = load::proof(&args.proof)?.to_bytes();
    let known: Known = known(&args.pins, &args.receipts)?;
    let spinner = Spinner::new("verifying");
    let score = folder.judge_submission(&proof, &judge()?, &known)?;
    drop(spinner);
    let submitted = folder.submit(&proof, &known)?;
    let mut report = Report::default();
    report.line(BOLD, "Submitted");
    report.line(PLAIN, score.sentence.clone());
    if args.receipts.is_empty() {
        report.note(
            "keep a receipt that was made since the publication (`tacit competition receipt`): it shows that nobody was \
             slipped in before it",
        );
    }
    report.field("proof", format!("{} ({} bytes)", short_name(&submitted.file), proof.len()));
    report.set("claim", score.sentence);
    report.set("card_id", submitted.card.to_string());
    report.set("proof", submitted.file);
    report.set("proof_sha256", submitted.digest.to_string());
    report.set("bytes", proof.len());
    Ok(report)
}

pub(super) fn receipt(args: &MakeReceipt) -> Result<Report, Failure> {
    outputs::check([&*args.output], &[Some(&*args.card)], args.force.force)?;
    let folder = opened(&args.folder)?;
    let card = load::card(&args.card)?;
    let log = folder.log(&known(&args.pins, &[] as &[PathBuf])?)?;
    let Some(receipt) = log.receipts(card.id()).into_iter().next() else {
        return Err(Failure::new(format!("the log has no registration of card {}", card.id()))
            .advise("register it with `tacit competition register`; the host then accepts it"));
    };
    tacit_core::files::write(
        &args.output,
        &receipt.to_json(),
        tacit_core::files::Access::Public,
        args.force.force,
    )?;
    let mut report = Report::default();
    report.line(BOLD, format!("The receipt of log entry {}", receipt.entry().index()));
    report.field("card", card.id().to_string());
    report.field("receipt", format!("{} (keep it)", args.output.display()));
    report.set("receipt", args.output.display().to_string());
    report.set("registration", receipt_json(&receipt));
    Ok(report)
}
