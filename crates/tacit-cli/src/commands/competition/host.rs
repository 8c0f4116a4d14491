//! What the host does: open, accept, publish.

use std::path::{Component, Path, PathBuf};

use rand_core::{OsRng, RngCore as _};
use serde_json::json;
use tacit_claim::{ColumnName, OwnerKey, SaltBytes};
use tacit_competition::{
    Acceptance, Competition, CompetitionError, DataFormat, Folder, Known, MetricText, Receipt, Refused, Seal,
    Terms, TestSetDigest,
};
use tacit_core::files::{self, Access};
use zeroize::Zeroizing;

use super::board::refused_json;
use super::judge::Ranking;
use super::{judge, known, opened, receipt_json, short_name, tell_head};
use crate::args::competition::{Accept, Init, Publish};
use crate::failure::Failure;
use crate::keys::{fresh, owner_key};
use crate::load;
use crate::outputs;
use crate::report::{BOLD, PLAIN, Report, count, plain, table};

pub(super) fn init(args: &Init) -> Result<Report, Failure> {
    outputs::check_folder(&args.folder)?;
    for (path, what) in [(&args.seal, "seal"), (&args.key, "host's key"), (&args.data, "test set")] {
        check_outside(&args.folder, path, what)?;
    }
    outputs::check([&*args.seal], &[Some(&*args.schema), Some(&*args.data), Some(&*args.key)], true)?;
    let schema = tacit_data::read_schema(&args.schema)?;
    let ranking = Ranking::parse(&args.metric, &schema).map_err(|e| {
        Failure::new(e).advise("see `tacit competition init --help` for what can be ranked by")
    })?;
    let metric = MetricText::new(ranking.text(&schema)).map_err(|e| Failure::new(e.to_string()))?;
    if DataFormat::of(&args.data).is_none() {
        return Err(CompetitionError::DataFormat(args.data.clone()).into());
    }
    let mut groups: Vec<ColumnName> = args.by.iter().chain(ranking.scope.column()).cloned().collect();
    groups.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
    groups.dedup();
    let columns: Vec<&str> = groups.iter().map(ColumnName::as_str).collect();
    let mut report = Report::default();
    let labels = Some(args.labels.as_str());
    let test = load::test_set(&args.data, &schema, &[], labels, &columns, &mut report)?.dataset;
    let folder = Folder::new(&args.folder);
    let unfinished = unfinished(&folder)?;
    let digest = test.digest().into();
    let known_seal = known_seal(args, unfinished.as_ref(), digest)?;
    let (host, new_key) = identity(args)?;
    // The key and the seal first: a competition without them could never be finished.
    if new_key {
        files::write(&args.key, host.to_text().as_bytes(), Access::Secret, false)?;
    }
    let seal = match known_seal {
        Some(seal) => seal,
        None => {
            let mut salt = Zeroizing::new([0; 32]);
            OsRng.fill_bytes(&mut *salt);
            let seal = Seal::new(digest, SaltBytes::new(*salt));
            files::write(&args.seal, &seal.to_json(), Access::Secret, false)?;
            seal
        }
    };
    let terms = Terms {
        name: args.name.clone(),
        origin: args.origin.clone(),
        schema,
        labels: args.labels.clone(),
        groups,
        metric,
        test_set: seal.sealed(),
    };
    let competition = folder.open(terms, &host)?;
    let terms = competition.terms();
    report.line(BOLD, format!("Opened the competition «{}»", terms.name));
    report.field("id", competition.id().to_string());
    report.field("host", competition.host().fingerprint().to_string());
    report.field("ranked by", terms.metric.as_str());
    report.field("test set", format!("{}, sealed as {}", count(test.samples(), "record"), terms.test_set));
    report.field("for everybody", args.folder.display().to_string());
    report.field("secret until published", args.seal.display().to_string());
    let kept = if new_key { "new; keep a copy" } else { "kept" };
    report.field("host's identity", format!("{} ({kept})", args.key.display()));
    report.note("without the seal nothing can be published: keep a copy of it, and of the test set as it is");
    report.set("competition", competition.id().to_string());
    report.set("name", plain(terms.name.as_str()));
    report.set("host", competition.host().fingerprint().to_string());
    report.set("metric", terms.metric.as_str());
    report.set("samples", test.samples());
    report.set("sealed_test_set", terms.test_set.to_string());
    report.set("folder", args.folder.display().to_string());
    report.set("seal", args.seal.display().to_string());
    report.set("key", args.key.display().to_string());
    report.set("key_created", new_key);
    Ok(report)
}

/// Whatever lies in the folder is public.
fn check_outside(folder: &Path, path: &Path, what: &str) -> Result<(), Failure> {
    if resolved(path).starts_with(resolved(folder)) {
        let failure = Failure::new(format!("the {what} would lie in the competition's folder"));
        return Err(failure.advise("everybody sees what is there: choose a place outside"));
    }
    Ok(())
}

/// The path without links and dots, as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).components() {
        match part {
            Component::ParentDir => drop(out.pop()),
            Component::CurDir => {}
            part => out.push(part),
        }
        out = out.canonicalize().unwrap_or(out);
    }
    out
}

/// A competition that is in the folder already and whose opening was interrupted.
fn unfinished(folder: &Folder) -> Result<Option<Competition>, Failure> {
    if folder.path().join("competition.json").symlink_metadata().is_err() {
        return Ok(None);
    }
    match folder.log(&Known::default()) {
        Err(CompetitionError::NoHead) => Ok(Some(folder.competition(None)?)),
        _ => Err(Failure::new(format!("{} holds a competition already", folder.path().display()))
            .advise("choose another folder: a competition never changes once it is open")),
    }
}

/// The seal of an opening that was interrupted. In any other case there must be none.
fn known_seal(
    args: &Init,
    unfinished: Option<&Competition>,
    digest: TestSetDigest,
) -> Result<Option<Seal>, Failure> {
    let Some(competition) = unfinished else {
        files::check_absent(&args.seal, false).map_err(|e| {
            Failure::from(e).advise("choose another name: a seal may be all that opens another competition")
        })?;
        return Ok(None);
    };
    let seal = load::seal(&args.seal)?;
    if seal.sealed() == competition.terms().test_set && seal.digest() == digest {
        return Ok(Some(seal));
    }
    Err(Failure::new(format!(
        "{} does not seal this test set for the competition there",
        args.seal.display()
    ))
    .advise("name the seal and the test set of the opening that was interrupted, or another folder"))
}

/// The host's key, and whether it is new.
fn identity(args: &Init) -> Result<(OwnerKey, bool), Failure> {
    if args.key.symlink_metadata().is_ok() {
        return Ok((owner_key(&args.key, &args.unlock)?, false));
    }
    Ok((fresh(), true))
}

pub(super) fn accept(args: &Accept) -> Result<Report, Failure> {
    let folder = opened(&args.folder)?;
    let host = owner_key(&args.key, &args.unlock)?;
    check_receipts(args.receipts.as_deref())?;
    let accepted = folder.accept(&host, &known(&args.pins, &[] as &[PathBuf])?)?;
    let mut report = Report::default();
    report.line(BOLD, headline(&accepted));
    tell_acceptance(&mut report, &accepted);
    write_receipts(&mut report, &accepted, args.receipts.as_deref())?;
    tell_head(&mut report, &accepted.head);
    Ok(report)
}

pub(super) fn publish(args: &Publish) -> Result<Report, Failure> {
    let folder = opened(&args.folder)?;
    let (host, seal) = (owner_key(&args.key, &args.unlock)?, load::seal(&args.seal)?);
    check_receipts(args.receipts.as_deref())?;
    let known = known(&args.pins, &[] as &[PathBuf])?;
    let published = folder.publish(&seal, &args.data, &judge()?, &host, &known)?;
    let mut report = Report::default();
    report.line(BOLD, format!("Published the test set, by log entry {}", published.entry));
    let format = DataFormat::of(&args.data).map_or("", DataFormat::file_name);
    let file = args.folder.join("published").join(format);
    report.field("for everybody", file.display().to_string());
    report.field("its digest", seal.digest().to_string());
    report.set("entry", published.entry);
    report.set("test_set", file.display().to_string());
    report.set("dataset_digest", seal.digest().to_string());
    let accepted = published.acceptance;
    if !(accepted.receipts.is_empty() && accepted.late.is_empty()) {
        report.line(PLAIN, format!("{} just before", headline(&accepted)));
    }
    tell_acceptance(&mut report, &accepted);
    write_receipts(&mut report, &accepted, args.receipts.as_deref())?;
    tell_head(&mut report, &published.head);
    Ok(report)
}

pub(super) fn headline(accepted: &Acceptance) -> String {
    match accepted.receipts.len() + accepted.late.len() {
        0 => "No request was taken into the log".to_owned(),
        n => format!("Took {} into the log", count(n, "request")),
    }
}

/// Who was accepted, who is late, what was refused.
pub(super) fn tell_acceptance(report: &mut Report, accepted: &Acceptance) {
    let all = || accepted.receipts.iter().chain(&accepted.late);
    let mut shown = table(&["entry", "competitor", "card"]);
    for receipt in all() {
        let Some(registration) = receipt.registration() else { continue };
        let entry = receipt.entry().index().to_string();
        shown.add_row([entry, plain(registration.name().as_str()), registration.card().short()]);
    }
    if all().next().is_some() {
        report.table(super::board::fitted(shown));
    }
    for receipt in &accepted.late {
        report.warn(format!(
            "entry {} is late: the test set was published before, so that it does not count",
            receipt.entry().index()
        ));
    }
    for Refused { file, reason } in &accepted.refused {
        report.warn(format!("refused {}: {reason}", short_name(file)));
    }
    report.set("accepted", accepted.receipts.iter().map(receipt_json).collect::<Vec<_>>());
    report.set("late", accepted.late.iter().map(receipt_json).collect::<Vec<_>>());
    report.set("refused", accepted.refused.iter().map(refused_json).collect::<Vec<_>>());
}

fn check_receipts(folder: Option<&Path>) -> Result<(), Failure> {
    folder.map_or(Ok(()), outputs::check_folder)
}

/// Writes a receipt for each new registration.
fn write_receipts(report: &mut Report, accepted: &Acceptance, folder: Option<&Path>) -> Result<(), Failure> {
    let Some(folder) = folder else { return Ok(()) };
    let mut written = Vec::new();
    for receipt in accepted.receipts.iter().chain(&accepted.late) {
        let Some(registration) = receipt.registration() else { continue };
        let path = folder.join(format!("{}.json", registration.card()));
        write_receipt(receipt, &path, false)?;
        written.push(json!(path.display().to_string()));
    }
    if !written.is_empty() {
        report.field("receipts", folder.display().to_string());
    }
    report.set("receipts", written);
    Ok(())
}

/// The registration is in the log, whatever becomes of the receipt.
pub(super) fn write_receipt(receipt: &Receipt, path: &Path, force: bool) -> Result<(), Failure> {
    files::write(path, &receipt.to_json(), Access::Public, force).map_err(|e| {
        let advice = "the registration is in the log: make the receipt with `tacit competition receipt`";
        Failure::from(e).advise(advice)
    })
}
