//! `tacit srs`

use std::path::Path;

use serde_json::{Value, json};
use tacit_core::srs::SrsEntry;

use crate::args::Srs;
use crate::failure::Failure;
use crate::home::data_folder;
use crate::progress::Spinner;
use crate::report::{BOLD, LOUD, PLAIN, Report, plain, table};

pub(crate) fn run(args: &Srs) -> Result<Report, Failure> {
    match args {
        Srs::Import { file, max_k } => import(file, *max_k),
        Srs::UnsafeDev { k } => unsafe_dev(*k),
        Srs::Info => info(),
    }
}

fn import(file: &Path, max_k: u32) -> Result<Report, Failure> {
    let store = data_folder()?.srs();
    let spinner = Spinner::new("importing the setup");
    let entry = store.import_ptau(file, max_k, &mut |p| spinner.srs(p))?;
    drop(spinner);
    let mut report = Report::default();
    report.line(BOLD, format!("Installed a setup for circuits of up to 2^{} rows", entry.k));
    describe(&mut report, &entry);
    if !matches!(entry.origin, tacit_core::srs::SrsOrigin::Ceremony(_)) {
        report.warn(
            "this is no published ceremony file that tacit knows: proofs are as sound as whoever made the file is honest",
        );
    }
    Ok(report)
}

fn unsafe_dev(k: u32) -> Result<Report, Failure> {
    let store = data_folder()?.srs();
    let spinner = Spinner::new("making the development setup");
    let entry = store.add_unsafe_dev(k)?;
    drop(spinner);
    let mut report = Report::default();
    report.line(LOUD, format!("Installed an UNSAFE development setup for circuits of up to 2^{k} rows"));
    describe(&mut report, &entry);
    report.warn("its secret is known to everybody: anybody can forge proofs under it. Never rely on one.");
    Ok(report)
}

fn describe(report: &mut Report, entry: &SrsEntry) {
    report.field("origin", entry.origin.to_string());
    report.field("fingerprint", entry.fingerprint.to_string());
    report.field("file", format!("{} ({} bytes)", entry.path.display(), entry.bytes));
    if let Value::Object(fields) = json(entry) {
        report.json.extend(fields);
    }
}

fn json(entry: &SrsEntry) -> Value {
    json!({
        "k": entry.k,
        "origin": entry.origin.to_string(),
        "unsafe_dev": entry.origin.is_unsafe_dev(),
        "fingerprint": entry.fingerprint.to_string(),
        "file": entry.path.display().to_string(),
        "bytes": entry.bytes,
    })
}

fn info() -> Result<Report, Failure> {
    let store = data_folder()?.srs();
    let listing = store.info()?;
    let mut report = Report::default();
    report.set("folder", store.folder().display().to_string());
    report.set("setups", listing.entries.iter().map(json).collect::<Vec<_>>());
    let damaged = listing.damaged.iter();
    let damaged =
        damaged.map(|d| json!({ "file": d.path.display().to_string(), "error": d.error.to_string() }));
    report.set("damaged", damaged.collect::<Vec<_>>());
    for d in &listing.damaged {
        report.warn(format!("{}: {}; delete it and import the setup again", d.path.display(), d.error));
    }
    if listing.entries.is_empty() {
        report.line(PLAIN, format!("No setup is installed in {}", store.folder().display()));
        report.note(
            "install one with `tacit srs import FILE.ptau`, or for development with `tacit srs unsafe-dev --k K`",
        );
        return Ok(report);
    }
    let mut shown = table(&["rows", "origin", "fingerprint", "bytes"]);
    for e in &listing.entries {
        let fingerprint: String = e.fingerprint.to_string().chars().take(16).collect();
        shown.add_row([format!("2^{}", e.k), plain(&e.origin.to_string()), fingerprint, e.bytes.to_string()]);
    }
    report.table(shown);
    report.field("folder", store.folder().display().to_string());
    Ok(report)
}
