//! What the files of the exchange hold: identities behind passphrases, documents, requests, messages, disclosures.

use std::path::Path;

use serde_json::{Value, json};
use tacit_claim::FileKind;
use tacit_exchange::{ProviderDocument, SealedRequest, SealedResponse, Unopened};

use super::reveals;
use crate::failure::Failure;
use crate::load;
use crate::report::{Report, plain};

pub(super) fn tell(report: &mut Report, kind: FileKind, bytes: &[u8], path: &Path) -> Result<(), Failure> {
    match kind {
        FileKind::EncryptedOwnerKey => encrypted_key(report, bytes),
        FileKind::Provider => provider(report, &load::provider(path)?),
        FileKind::Prekeys => {
            reveals(
                report,
                "nothing without the owner's key; with it, everything that was sealed to the prekeys in it",
            );
        }
        FileKind::PendingRequest => pending(report, path)?,
        FileKind::SealedRequest => request(report, &message(path, SealedRequest::from_bytes(bytes))?),
        FileKind::SealedResponse => response(report, &message(path, SealedResponse::from_bytes(bytes))?),
        _ => {}
    }
    Ok(())
}

fn message<T, E: std::fmt::Display>(path: &Path, read: Result<T, E>) -> Result<T, Failure> {
    read.map_err(|e| Failure::new(format!("{}: {e}", path.display())).advise("fetch the message again"))
}

fn encrypted_key(report: &mut Report, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let fingerprint = text.lines().find_map(|line| line.strip_prefix("fingerprint ")).map(plain);
    let shown = fingerprint.clone().unwrap_or_else(|| "none: the file is damaged".to_owned());
    report.field("fingerprint", format!("{shown} (as the file says; the passphrase shows whether it is so)"));
    report.set("fingerprint", fingerprint);
    reveals(report, "the secret key, to whoever has the passphrase: they sign cards in the owner's name");
}

fn provider(report: &mut Report, document: &ProviderDocument) {
    report.field("for card", document.card().to_string());
    report.field("relay", plain(document.relay()));
    report.field("contact", document.contact().map_or_else(|| "none given".to_owned(), plain));
    let mut prekeys = Vec::new();
    for prekey in document.prekeys() {
        report.field(
            "prekey",
            format!("{}, sealed to until {} (Unix seconds)", prekey.id(), prekey.not_after()),
        );
        prekeys.push(json!({ "id": prekey.id().to_string(), "not_after": prekey.not_after() }));
    }
    report.set("card_id", document.card().to_string());
    report.set("relay", document.relay());
    report.set("contact", document.contact());
    report.set("issued_at", document.issued_at());
    report.set("prekeys", prekeys);
    reveals(report, "which keys requests are sealed to, and where they go");
}

fn pending(report: &mut Report, path: &Path) -> Result<(), Failure> {
    let pending = load::pending(path)?;
    let input = &pending.input().commitments[&pending.engine()].commitment;
    report.field("request", pending.id().to_string());
    report.field("for card", pending.card().id().to_string());
    report.field("of", pending.card().owner().fingerprint().to_string());
    report.field("relay", plain(pending.relay()));
    report.field("engine", pending.engine().name());
    report
        .field("record", format!("{} values, committed to as {}", pending.input().record.len(), input.pin()));
    report.set("request_id", pending.id().to_string());
    report.set("card_id", pending.card().id().to_string());
    report.set("owner", pending.card().owner().fingerprint().to_string());
    report.set("relay", pending.relay());
    report.set("engine", pending.engine().name());
    report.set("input_commitment", input.to_string());
    report.set("created_at", pending.request().header().created_at);
    reveals(report, "the record, and what opens the answer: for the patient only");
    Ok(())
}

fn request(report: &mut Report, request: &SealedRequest) {
    let header = request.header();
    report.field("request", request.id().to_string());
    report.field("for card", header.card_id.to_string());
    report.field("sealed to prekey", header.prekey_id.to_string());
    report.field("made at", format!("{} (Unix seconds)", header.created_at));
    report.set("request_id", request.id().to_string());
    report.set("card_id", header.card_id.to_string());
    report.set("prekey_id", header.prekey_id.to_string());
    report.set("created_at", header.created_at);
    reveals(report, "which card was asked, when, and a length in steps; nothing of the record");
}

fn response(report: &mut Report, response: &SealedResponse) {
    report.field("answers request", response.request_id().to_string());
    let why = response.unopened().as_ref().map(Unopened::to_string);
    report.field("it is", why.clone().map_or_else(|| "sealed".to_owned(), |why| format!("a refusal: {why}")));
    report.set("request_id", response.request_id().to_string());
    report.set("unopened", why.map_or(Value::Null, Value::from));
    reveals(
        report,
        "which request was answered and a length in steps; what the answer is, the patient alone can read",
    );
}
